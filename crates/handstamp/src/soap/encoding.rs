//! The three encodings of WCF: text, MTOM and binary.

use handstamp_xml::binary::{self, WCF_DICTIONARY};
use handstamp_xml::{Document, Limits, ParseOptions};

use super::mtom;
use crate::Error;

/// Reads a message in whichever encoding it is. What makes a message binary or MTOM cannot start a text one.
///
/// # Errors
/// [`Error::Refused`] when it is not well formed in its encoding.
pub fn read_message(octets: Vec<u8>) -> Result<Document, Error> {
    match octets.as_slice() {
        [BINARY_ENVELOPE, ..] => {
            let text = binary::to_text(binary::Reader::new(&octets, Some(&WCF_DICTIONARY)));
            parse(text.map_err(|error| refused("HST-SOAP-BINARY", error))?)
        }
        octets if mtom::is_mtom(octets) => mtom::read(octets, &ParseOptions::default()),
        _ => parse(octets),
    }
}

/// Reads a MIME message of several parts, of at most `limit` bytes with the values in their places: one part may be in many.
///
/// # Errors
/// [`Error::Refused`] when it is not well formed, or larger.
pub(crate) fn read_package(octets: &[u8], limit: usize) -> Result<Document, Error> {
    let mut limits = Limits::default();
    limits.size = limit;
    mtom::read(octets, &ParseOptions::default().with_limits(limits))
}

/// `PrefixDictionaryElement` with the prefix `s`: how WCF starts an envelope.
const BINARY_ENVELOPE: u8 = 0x56;

pub(super) fn parse(text: impl Into<Vec<u8>>) -> Result<Document, Error> {
    Document::parse(text, &ParseOptions::default()).map_err(|error| refused(error.code(), error))
}

pub(super) fn refused(code: &'static str, message: impl ToString) -> Error {
    Error::Refused { code, message: message.to_string().replace(['\r', '\n'], " ") }
}
