//! .NET binary XML: [MC-NBFX] records, [MC-NBFS] static dictionaries, [MC-NBFSE] sessions.
//!
//! WCF sends it as `application/soap+msbin1` and `application/soap+msbinsession1`; WIF puts it inside session cookies.
//! A document is a sequence of records: an element record, its attributes, its content, an end. Names that both sides
//! know travel as small numbers, looked up in a [`StaticDictionary`] that never travels, or in a [`SessionDictionary`]
//! that grows with the messages of one connection. Text travels typed: a number as a number, bytes as bytes.
//!
//! | To | use |
//! |---|---|
//! | read records as XML nodes, borrowing from the input | [`Reader`] |
//! | write the records that .NET's writer would write, byte for byte | [`Writer`] |
//! | turn binary XML into text XML and back | [`to_text`], [`from_text`] |
//! | look at the records themselves | [`list_records`] |
//! | take WCF's messages apart | [`WCF_DICTIONARY`], [`SessionDictionary::receive`], [`SessionDictionary::announce`] |
//!
//! ```
//! use handstamp_xml::binary::{Name, Node, Reader, StaticDictionary, Value, Writer};
//!
//! static WORDS: StaticDictionary = StaticDictionary::new(&["Order", "Count"]);
//!
//! let mut writer = Writer::new(Some(&WORDS));
//! writer.start_element("", Name::Static(0), Name::NONE)?;
//! writer.start_element("", Name::Dictionary("Count"), Name::NONE)?;
//! writer.value(&Value::Int32(3))?;
//! writer.end_element()?;
//! writer.end_element()?;
//! let bytes = writer.finish()?;
//! assert_eq!(bytes, [0x42, 0x00, 0x42, 0x02, 0x89, 0x03, 0x01]);
//!
//! let mut reader = Reader::new(&bytes, Some(&WORDS));
//! let Some(Node::Start(order)) = reader.read()? else { panic!("an element comes first") };
//! assert_eq!(order.name, "Order");
//! # Ok::<(), handstamp_xml::binary::Error>(())
//! ```
//!
//! The reader takes every legal form and nothing else: each length is compared with what is left before anything is
//! allocated, nesting is a counter and not recursion, and all counts have [`Limits`].

mod array_items;
mod attribute_value;
mod decimal;
mod dictionary;
mod error;
mod from_text;
mod guid;
mod namespaces;
mod number_text;
mod output;
mod reader;
mod record;
mod record_list;
mod session;
mod source;
mod to_text;
mod value;
mod wcf_dictionary;
mod writer;

pub use array_items::ArrayItems;
pub use decimal::Decimal;
pub use dictionary::StaticDictionary;
pub use error::Error;
pub use from_text::from_text;
pub use guid::Guid;
pub use reader::{Attribute, ElementStart, Limits, Node, Reader};
pub use record_list::list_records;
pub use session::SessionDictionary;
pub use to_text::to_text;
pub use value::{DateTime, DateTimeKind, Value};
pub use wcf_dictionary::WCF_DICTIONARY;
pub use writer::{Name, Writer};
