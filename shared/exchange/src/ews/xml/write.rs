use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An element to be written. Its name is ours, prefix and all; what is in it may be anybody's.
#[derive(Clone, Debug)]
pub struct Node {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Node>,
}

/// An empty element.
pub fn el(name: &'static str) -> Node {
    Node { name, attributes: Vec::new(), text: String::new(), children: Vec::new() }
}

impl Node {
    /// The same, with an attribute.
    #[must_use]
    pub fn attr(mut self, name: &'static str, value: impl AsRef<str>) -> Self {
        self.attributes.push((name, carried(value.as_ref())));
        self
    }

    /// The same, with a text.
    #[must_use]
    pub fn text(mut self, text: impl AsRef<str>) -> Self {
        self.text = carried(text.as_ref());
        self
    }

    /// The same, with one element more.
    #[must_use]
    pub fn with(mut self, child: Node) -> Self {
        self.children.push(child);
        self
    }

    /// The same, with more elements.
    #[must_use]
    pub fn with_all(mut self, children: impl IntoIterator<Item = Node>) -> Self {
        self.children.extend(children);
        self
    }

    /// A document of it, in UTF-8.
    pub fn document(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        // A vector takes everything.
        let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("utf-8"), None)));
        let _ = self.write(&mut writer);
        writer.into_inner()
    }

    fn write(&self, writer: &mut Writer<Vec<u8>>) -> std::io::Result<()> {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, value.as_str()));
        }
        if self.text.is_empty() && self.children.is_empty() {
            return writer.write_event(Event::Empty(start));
        }
        writer.write_event(Event::Start(start))?;
        if !self.text.is_empty() {
            writer.write_event(Event::Text(BytesText::new(&self.text)))?;
        }
        for child in &self.children {
            child.write(writer)?;
        }
        writer.write_event(Event::End(BytesEnd::new(self.name)))
    }
}

/// What of a text XML 1.0 can carry (its production `Char`); a carriage return, which a reader would change, becomes a line feed.
fn carried(text: &str) -> String {
    let carries =
        |c: &char| !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    text.replace("\r\n", "\n").replace('\r', "\n").chars().filter(carries).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(text in any::<String>(), value in "[^\n\t\r]*") {
            let document = el("s:Envelope")
                .attr("xmlns:s", "http://schemas.xmlsoap.org/soap/envelope/").attr("Id", &value).with(el("s:Body").text(&text)).document();
            let root = super::super::read(&document).unwrap();
            prop_assert_eq!(root.attr("Id").unwrap(), carried(&value));
            prop_assert_eq!(&root.child("Body").unwrap().text, &carried(&text));
        }
    }
}
