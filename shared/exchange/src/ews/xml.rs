//! XML as Exchange Web Services has it: written from a tree, so that all text is escaped; read into a tree, of any answer that makes sense.

mod read;
mod write;

pub use read::{Element, NotXml, read};
pub use write::{Node, el};
