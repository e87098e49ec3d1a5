use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::{NsReader, XmlVersion};

/// How deep an answer may be. Those of Exchange have a dozen levels.
const DEEPEST: usize = 64;
/// How many elements an answer may have. A page of a thousand items has some 15,000.
const MOST_ELEMENTS: usize = 200_000;
/// Where what is understood belongs: namespaces that begin so. What is of another one is skipped with all that is in it.
const KNOWN: [&[u8]; 3] = [
    b"http://schemas.microsoft.com/exchange/",
    b"http://schemas.xmlsoap.org/soap/envelope/",
    b"http://www.w3.org/2003/05/soap-envelope",
];

/// It is not an XML document, or none for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an answer in XML: {0}")]
pub struct NotXml(&'static str);

/// An element of an answer, known by its local name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its local name.
    pub name: String,
    /// Its text, without that of its children.
    pub text: String,
    /// What is in it, in order.
    pub children: Vec<Element>,
    attributes: Vec<(String, String)>,
}

impl Element {
    /// Its attribute of that local name.
    pub fn attr(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The first element in it of that name.
    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element in it of that name, without white space around.
    pub fn word(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim())
    }

    /// What a path of names leads to, each the first of its name.
    pub fn at(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The first element of that name in it, however deep.
    pub fn find(&self, name: &str) -> Option<&Element> {
        self.children.iter().find_map(|child| if child.name == name { Some(child) } else { child.find(name) })
    }
}

/// Reads a document. A document type, a foreign entity, what does not end, and what is deeper or has more elements than an answer has, is
/// refused.
///
/// # Errors
/// When it is none.
pub fn read(document: &[u8]) -> Result<Element, NotXml> {
    let text = String::from_utf8_lossy(document);
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}').trim());
    reader.config_mut().trim_markup_names_in_closing_tags = true;
    let mut tree = Tree::default();
    loop {
        let (space, event) = reader.read_resolved_event().map_err(|_| NotXml("not well formed"))?;
        let known = match space {
            ResolveResult::Unbound => true,
            ResolveResult::Bound(space) => KNOWN.iter().any(|known| space.as_ref().starts_with(known)),
            ResolveResult::Unknown(_) => false,
        };
        match event {
            Event::Start(start) => tree.open(&start, known)?,
            Event::Empty(start) => {
                tree.open(&start, known)?;
                tree.close()?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.text(&text.decode().map_err(|_| NotXml("not UTF-8"))?)?,
            Event::CData(text) => tree.text(&text.decode().map_err(|_| NotXml("not UTF-8"))?)?,
            Event::GeneralRef(reference) => tree.text(&meant(&reference)?)?,
            Event::DocType(_) => return Err(NotXml("a document type")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return tree.root.ok_or(NotXml("broken off")),
        }
    }
}

/// What a reference stands for. Exchange writes control characters as references that XML does not have; they are nothing.
fn meant(reference: &BytesRef<'_>) -> Result<String, NotXml> {
    let name = reference.decode().map_err(|_| NotXml("not UTF-8"))?;
    if name.starts_with('#') {
        let meant =
            reference.resolve_char_ref().ok().flatten().filter(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
        return Ok(meant.map(String::from).unwrap_or_default());
    }
    resolve_xml_entity(&name).map(str::to_owned).ok_or(NotXml("an entity"))
}

#[derive(Default)]
struct Tree {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    /// How many elements are open in what is skipped, itself among them.
    skipped: usize,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>, known: bool) -> Result<(), NotXml> {
        self.elements += 1;
        if self.open.len() + self.skipped >= DEEPEST || self.elements > MOST_ELEMENTS {
            return Err(NotXml("too deep or too long"));
        }
        if self.root.is_some() {
            return Err(NotXml("more than one document"));
        }
        if self.skipped > 0 || !known {
            if self.open.is_empty() {
                return Err(NotXml("of another kind"));
            }
            self.skipped += 1;
            return Ok(());
        }
        let local = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let mut element = Element { name: local(start.local_name().as_ref()), ..Element::default() };
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|_| NotXml("not well formed"))?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|_| NotXml("an entity"))?;
            element.attributes.push((local(attribute.key.local_name().as_ref()), value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self) -> Result<(), NotXml> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(());
        }
        let element = self.open.pop().ok_or(NotXml("not well formed"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), NotXml> {
        if self.skipped > 0 {
            return Ok(());
        }
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(NotXml("text around it")),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_local_and_what_is_foreign_is_skipped() {
        let root = read(
            b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<S:Envelope xmlns:S=\"http://schemas.xmlsoap.org/soap/envelope/\"><!-- c -->\
              <S:Body xmlns:x=\"urn:x\"><x:Start><Start>1</Start></x:Start><Start a:b=\"&lt;\" xmlns:a=\"urn:a\"> 2&amp;<![CDATA[<]]>&#x1; </Start>\
              </S:Body ></S:Envelope>\n",
        )
        .unwrap();
        let body = root.child("Body").unwrap();
        assert_eq!(body.children.len(), 1);
        assert_eq!(body.word("Start"), Some("2&<"));
        assert_eq!(body.child("Start").unwrap().attr("b"), Some("<"));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(65), "</a>".repeat(65));
        let long = format!("<a>{}</a>", "<b/>".repeat(MOST_ELEMENTS));
        let refused = [
            "",
            "   ",
            "busy",
            "<a>",
            "<a><b></a>",
            "<a/><a/>",
            "<a/>x",
            "</a>",
            "<a b=1/>",
            "<html",
            "<!DOCTYPE a><a/>",
            "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><a>&e;</a>",
            "<a>&e;</a>",
            "<a b=\"&e;\"/>",
            "<x:a xmlns:x=\"urn:x\"/>",
            &deep,
            &long,
        ];
        for document in refused {
            assert!(read(document.as_bytes()).is_err(), "{document:.40}");
        }
        assert!(read(format!("{}{}", "<a>".repeat(64), "</a>".repeat(64)).as_bytes()).is_ok());
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[<>/&;#x0-9a-z!\\[\\]\"'= -]{0,60}") {
            let _ = read(&bytes);
            let _ = read(text.as_bytes());
        }
    }
}
