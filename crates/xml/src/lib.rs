//! Bounded XML parsing into one arena, canonicalization, writing, and .NET binary XML.

mod arena;
pub mod binary;
mod chars;
mod document;
mod element;
mod encoding;
mod error;
mod limits;
pub mod names;
mod parse;
mod reference;
mod scan;

pub use arena::NodeId;
pub use document::{Document, Parser};
pub use element::{Attribute, Element, Node, Nodes};
pub use error::{EncodingFault, Error, LimitKind, NamespaceRule, Position, Syntax};
pub use limits::{Limits, ParseOptions};
