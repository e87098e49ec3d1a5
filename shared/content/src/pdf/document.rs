//! A PDF whose objects were scanned, as a tree: objects by their number, pages in their order.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::object::{Dict, Halt, Lexer, Object};
use super::scan::Scan;
use super::stream;
use crate::source::{Source, WINDOW};
use crate::{InspectError, Limits, Refusal};

/// Bytes of opened object streams that are kept for their other objects.
const KEPT: usize = 4 << 20;
/// References that lead to references.
const LONGEST_CHAIN: usize = 16;
/// Bytes of one object. The largest are lists of pages and tables of widths.
const LARGEST_OBJECT: usize = 16 << 20;
/// What a page has of the nodes above it where it has none of its own.
const INHERITED: [&str; 4] = ["Resources", "MediaBox", "CropBox", "Rotate"];
/// Bytes of memory of one thing that pages have of the nodes above them: 1 MiB. Each page of an excerpt has it anew. What
/// is larger is left out, and the page lacks it; writers put large things into objects of their own and refer to them.
const LARGEST_INHERITED: usize = 1 << 20;

/// The number of each object of an object stream, and where it begins.
type Heads = Vec<(u32, usize)>;

/// An object, and where its stream begins.
pub(crate) type Body = (Object, Option<u64>);

pub(crate) struct Document<'s, 'f> {
    pub source: &'s mut Source<'f>,
    pub scan: Scan,
    pub limits: &'s Limits,
    /// Object streams by where they are: what they hold, and where in it each object begins.
    opened: HashMap<u64, (Vec<u8>, Heads)>,
    /// Bytes out of object streams, so far.
    inflated: u64,
}

/// What pages have of the nodes above them, in the order of [`INHERITED`]; one of all pages below.
type Inherited = [Option<Rc<Object>>; INHERITED.len()];

/// A page, and what it has of the nodes above it.
#[derive(Debug)]
pub(crate) struct Page {
    dict: Dict,
    above: Inherited,
}

impl Page {
    /// As if all of it stood in the page itself.
    pub fn into_dict(self) -> Dict {
        let mut dict = self.dict;
        for (key, value) in INHERITED.into_iter().zip(self.above) {
            if let Some(value) = value
                && dict.get(key).is_none()
            {
                dict.0.push((key.into(), (*value).clone()));
            }
        }
        dict
    }
}

/// What the pages below a node have of it and of those above it.
fn inherited(node: Dict, mut above: Inherited) -> Inherited {
    // Of what is written twice, the last.
    for (key, value) in node.0 {
        if let Some(place) = INHERITED.iter().position(|it| it.as_bytes() == key) {
            above[place] = (value.weight() <= LARGEST_INHERITED).then(|| Rc::new(value));
        }
    }
    above
}

impl<'s, 'f> Document<'s, 'f> {
    pub fn new(source: &'s mut Source<'f>, scan: Scan, limits: &'s Limits) -> Self {
        Self { source, scan, limits, opened: HashMap::new(), inflated: 0 }
    }

    /// None where there is none of that number, or none that can be read.
    pub fn object(&mut self, number: u32) -> Result<Option<Body>, InspectError> {
        let Some(place) = self.scan.place(number) else { return Ok(None) };
        if let Some(index) = place.within {
            return Ok(self.within(place.at, index)?.map(|object| (object, None)));
        }
        let mut len = 4096;
        loop {
            let bytes = self.source.up_to(place.at, len)?;
            let mut lexer = Lexer::new(&bytes, 0, self.limits.max_depth);
            match lexer.object() {
                Ok(object) => match stream::begins(&bytes, lexer.at, bytes.len() < len) {
                    Ok(begins) => return Ok(Some((object, begins.map(|at| place.at + at as u64)))),
                    Err(Halt::Refused(_)) => return Ok(None),
                    // The word of a stream may be cut off.
                    Err(Halt::Short) => {}
                },
                Err(_) if bytes.len() < len => return Ok(None),
                Err(_) => {}
            }
            if len >= LARGEST_OBJECT {
                return Ok(None);
            }
            len = (len * 16).clamp(WINDOW, LARGEST_OBJECT);
        }
    }

    fn within(&mut self, at: u64, index: u32) -> Result<Option<Object>, InspectError> {
        if !self.opened.contains_key(&at) {
            // Pages whose objects lie in turn in many streams open them again and again.
            if self.inflated > 4 * self.limits.max_inflated_bytes_in_all {
                return Err(Refusal::Bomb.into());
            }
            let bytes = self.source.up_to(at, LARGEST_OBJECT.min(64 << 10))?;
            let mut lexer = Lexer::new(&bytes, 0, self.limits.max_depth);
            let Ok(Object::Dict(dict)) = lexer.object() else { return Ok(None) };
            let Ok(Some(data)) = stream::begins(&bytes, lexer.at, true) else { return Ok(None) };
            let bytes = stream::object_stream(self.source, &dict, at + data as u64, self.limits)?;
            self.inflated += bytes.len() as u64;
            let held: usize = self.opened.values().map(|(bytes, _)| bytes.len()).sum();
            if held + bytes.len() > KEPT {
                self.opened.clear();
            }
            let heads = stream::heads(&bytes, &dict).unwrap_or_default();
            self.opened.insert(at, (bytes, heads));
        }
        let Some((bytes, heads)) = self.opened.get(&at) else { return Ok(None) };
        let Some((_, start)) = heads.get(index as usize) else { return Ok(None) };
        Ok(Lexer::new(bytes, *start, self.limits.max_depth).object().ok())
    }

    /// What a reference leads to; anything else is itself.
    pub fn resolve(&mut self, object: &Object) -> Result<Object, InspectError> {
        let mut object = object.clone();
        for _ in 0..LONGEST_CHAIN {
            let Object::Reference(number) = object else { return Ok(object) };
            object = self.object(number)?.map_or(Object::Null, |(object, _)| object);
        }
        Ok(Object::Null)
    }

    /// How many pages there are, each given as it comes, until `each` says false.
    pub fn pages(
        &mut self, mut each: impl FnMut(&mut Self, Page) -> Result<bool, InspectError>,
    ) -> Result<u32, InspectError> {
        let root = Object::Reference(self.scan.root.ok_or(Refusal::Malformed("no catalogue"))?);
        let Object::Dict(catalogue) = self.resolve(&root)? else {
            return Err(Refusal::Malformed("no catalogue").into());
        };
        let Some(Object::Reference(top)) = catalogue.get("Pages") else {
            return Err(Refusal::Malformed("no pages").into());
        };
        let mut waiting = vec![(*top, Inherited::default(), 0)];
        let (mut seen, mut count) = (HashSet::new(), 0);
        while let Some((number, above, depth)) = waiting.pop() {
            self.source.deadline.check()?;
            if !seen.insert(number) {
                return Err(Refusal::Malformed("pages in a circle, or one of them twice").into());
            }
            if depth > self.limits.max_depth || seen.len() > 2 * self.limits.max_pages as usize {
                return Err(Refusal::TooManyPages.into());
            }
            let Some((Object::Dict(node), _)) = self.object(number)? else { continue };
            let kids = node.get("Kids").cloned();
            let Some(kids) = kids else {
                count += 1;
                if count > self.limits.max_pages {
                    return Err(Refusal::TooManyPages.into());
                }
                if !each(self, Page { dict: node, above })? {
                    break;
                }
                continue;
            };
            let Object::Array(kids) = self.resolve(&kids)? else { continue };
            if kids.len() > self.limits.max_pages as usize {
                return Err(Refusal::TooManyPages.into());
            }
            let above = inherited(node, above);
            for kid in kids.iter().rev() {
                if let Object::Reference(number) = kid {
                    waiting.push((*number, above.clone(), depth + 1));
                }
            }
        }
        Ok(count)
    }
}
