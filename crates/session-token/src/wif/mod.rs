//! Session tokens of Windows Identity Foundation 4.5, byte for byte (ST §2, §3).
//!
//! Four layers, outermost first: the XML of a `<SecurityContextToken>`, the [transforms] that protect what is in its
//! cookie, the object [envelope](nrbf) of .NET's formatter, and the [payload](Payload) in binary XML.
//!
//! The envelope is where the original can be made to run code of an attacker's choice. Here it is a comparison with one
//! fixed shape: nothing is ever built from the names in it.

mod cursor;
mod error;
mod format;
pub mod nrbf;
mod outer_xml;
mod payload;
mod payload_reader;
mod payload_writer;
mod sliding;
mod system_claim;
mod token;
pub mod transforms;
mod vocabulary;

pub use error::Error;
pub use format::{IssuerSessionSource, WifFormat};
pub use outer_xml::OuterXml;
pub use payload::{Bootstrap, Identity, Payload};
pub use payload_reader::{PayloadPolicy, UnknownBootstrapContext};
pub use system_claim::{
    IDENTITY, POSSESS_PROPERTY, Resource, SystemClaim, SystemClaimKind, sid_from_text, sid_to_text,
};
pub use vocabulary::SESSION_DICTIONARY;

pub(crate) use cursor::Cursor;
pub(crate) use format::{read_cookie, write_xml};
pub(crate) use outer_xml::BYTE_ORDER_MARK;
pub(crate) use system_claim::Vocabulary;
