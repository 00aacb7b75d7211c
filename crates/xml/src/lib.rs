//! The XML that Handstamp lives from: a bounded parser, canonicalization, a writer, and .NET binary XML.
//!
//! | | |
//! |---|---|
//! | [`Document`], [`Element`] | parse and read |
//! | [`c14n`] | Exclusive and inclusive Canonical XML 1.0 |
//! | [`Writer`] | write XML that is canonical from the start |
//! | [`Document::replace_with_fragment`] | put decrypted XML in its place |
//! | [`names`] | namespaces of the WS-* family |
//! | [`binary`] | \[MC-NBFX\], \[MC-NBFS\], \[MC-NBFSE\] |
//!
//! # Reading
//!
//! ```
//! use handstamp_xml::{Document, ParseOptions, names};
//!
//! let message = r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope">
//!   <s:Body Id="body"><Ping xmlns="urn:ping"><text>hello</text></Ping></s:Body>
//! </s:Envelope>"#;
//! let document = Document::parse(message, &ParseOptions::default())?;
//! let body = document.root().child(names::SOAP12, "Body").expect("the sender put one there");
//! let ping = body.child("urn:ping", "Ping").expect("and this in it");
//! assert_eq!(ping.text(), "hello");
//! assert_eq!(document.element_by_id("body"), Some(body));
//! # Ok::<(), handstamp_xml::Error>(())
//! ```
//!
//! An [`Element`] borrows the document and is as cheap to copy as a reference. A [`NodeId`] says the same without the borrow; that is
//! how a signature remembers what it verified while other parts of the document are being decrypted.
//!
//! # What is accepted
//!
//! Well-formed XML 1.0 (fifth edition) that follows Namespaces in XML 1.0, in UTF-8 or UTF-16, within [`Limits`]. Refused, although well-formed:
//!
//! * Document type declarations. They are what entity bombs and reads of local files are made of. There is no option to allow them.
//! * Identifiers given twice. Signature wrapping starts with two elements that one reference may mean.
//! * Processing instructions, unless [`ParseOptions::allow_processing_instructions`] is set.
//! * Encodings other than UTF-8 and UTF-16, and documents that are not in the encoding they declare.
//!
//! Comments are accepted, are in the canonical form only where the method says so, and never split a text: [`Element::text`] joins what stands
//! before and after them, so that `admin<!-- -->@example.org` is one address for the signature and for the reader.
//!
//! # Costs
//!
//! Parsing takes one pass over the bytes and one over the markup, without recursion. Names and texts stay where they are in the source; only values
//! with references or line ends to normalize are decoded. Canonicalization copies runs of the source. Both take time in proportion to the
//! document's size; the limits bound the rest. Memory is about 60 bytes per node besides the text itself.

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
