//! Bounded XML parsing into one arena, canonicalization, writing, and .NET binary XML.

mod arena;
pub mod binary;
pub mod c14n;
mod chars;
mod document;
mod element;
mod encoding;
mod error;
pub mod escape;
mod limits;
pub mod names;
mod parse;
mod reference;
mod replace;
mod scan;
mod writer;

pub use arena::NodeId;
pub use document::{Document, Parser};
pub use element::{Attribute, Element, Node, Nodes};
pub use error::{EncodingFault, Error, LimitKind, NamespaceRule, Position, Syntax, WriterMisuse};
pub use limits::{Limits, ParseOptions};
pub use replace::Fragment;
pub use writer::Writer;
