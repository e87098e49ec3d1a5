//! A PDF whose objects were scanned, as a tree: objects by their number, pages in their order.

use std::collections::{HashMap, HashSet};

use super::object::{Dict, Lexer, Object};
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
pub(crate) const INHERITED: [&str; 4] = ["Resources", "MediaBox", "CropBox", "Rotate"];

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

/// A page with what it has of the nodes above it.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub dict: Dict,
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
                // The word of a stream may be cut off.
                Ok(_) if bytes.len() == len && len - lexer.at < 64 => {}
                Ok(object) => {
                    let stream = stream::begins(&bytes, lexer.at).map(|at| place.at + at as u64);
                    return Ok(Some((object, stream)));
                }
                Err(_) if bytes.len() < len => return Ok(None),
                Err(_) => {}
            }
            if len >= LARGEST_OBJECT {
                return Ok(None);
            }
            len = (len * 16).max(WINDOW);
        }
    }

    fn within(&mut self, at: u64, index: u32) -> Result<Option<Object>, InspectError> {
        if !self.opened.contains_key(&at) {
            let bytes = self.source.up_to(at, LARGEST_OBJECT.min(64 << 10))?;
            let mut lexer = Lexer::new(&bytes, 0, self.limits.max_depth);
            let Ok(Object::Dict(dict)) = lexer.object() else { return Ok(None) };
            let Some(data) = stream::begins(&bytes, lexer.at) else { return Ok(None) };
            let bytes = stream::object_stream(self.source, &dict, at + data as u64, self.limits)?;
            self.inflated += bytes.len() as u64;
            // Pages whose objects lie in turn in many streams open them again and again.
            if self.inflated > 4 * self.limits.max_inflated_bytes_in_all {
                return Err(Refusal::Bomb.into());
            }
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
        let mut waiting = vec![(*top, Dict::default(), 0)];
        let (mut seen, mut count) = (HashSet::new(), 0);
        while let Some((number, above, depth)) = waiting.pop() {
            if !seen.insert(number) {
                return Err(Refusal::Malformed("pages in a circle, or one of them twice").into());
            }
            if depth > self.limits.max_depth || seen.len() > 2 * self.limits.max_pages as usize {
                return Err(Refusal::TooManyPages.into());
            }
            let Some((Object::Dict(mut node), _)) = self.object(number)? else { continue };
            for key in INHERITED {
                if node.get(key).is_none()
                    && let Some(value) = above.get(key)
                {
                    node.0.push((key.into(), value.clone()));
                }
            }
            let kids = node.get("Kids").cloned();
            let Some(kids) = kids else {
                count += 1;
                if count > self.limits.max_pages {
                    return Err(Refusal::TooManyPages.into());
                }
                if !each(self, Page { dict: node })? {
                    break;
                }
                continue;
            };
            let Object::Array(kids) = self.resolve(&kids)? else { continue };
            if kids.len() > self.limits.max_pages as usize {
                return Err(Refusal::TooManyPages.into());
            }
            node.0.retain(|(key, _)| INHERITED.iter().any(|it| it.as_bytes() == key));
            for kid in kids.iter().rev() {
                if let Object::Reference(number) = kid {
                    waiting.push((*number, node.clone(), depth + 1));
                }
            }
        }
        Ok(count)
    }
}
