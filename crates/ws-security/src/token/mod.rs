//! Security tokens and references to them, read and written.

mod derived_key;
mod reference;
mod security_context;
mod user_name;
mod x509;

pub use derived_key::{DEFAULT_LABEL, DerivedKeyToken, MAX_LABEL_CHARACTERS, MAX_NONCE_LENGTH, MAX_OFFSET};
pub(crate) use derived_key::{NONCE_LENGTH, append_derived_key};
pub use reference::{ReferenceTarget, SecurityTokenReference, value_types};
pub use security_context::{ContextReference, SecurityContextToken};
pub use user_name::{PASSWORD_TEXT, UserNameToken};
pub use x509::BinarySecurityToken;

use handstamp_xml::{Element, names};

/// `EncodingType` of base64 content.
pub const BASE64_BINARY: &str =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";

/// The identifier of a token: `wsu:Id`, or `Id`, `AssertionID` or `ID` where the token's own specification has it.
pub(crate) fn token_id(element: Element<'_>) -> Option<&str> {
    element
        .attribute_ns(names::WSU, "Id")
        .or_else(|| element.attribute("Id"))
        .or_else(|| element.attribute("AssertionID"))
        .or_else(|| element.attribute("ID"))
}

/// The octets of a base64 text with white space anywhere, which is looked for only where the text as it is does not decode.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(octets) = base64_simd::STANDARD.decode_to_vec(text) {
        return Some(octets);
    }
    let stripped: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    base64_simd::STANDARD.decode_to_vec(stripped).ok()
}

pub(crate) fn to_base64(octets: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(octets)
}

#[cfg(test)]
pub(crate) mod test_support {
    use handstamp_xml::{Document, ParseOptions, Writer};

    pub(crate) fn written(write: impl FnOnce(&mut Writer)) -> Document {
        let mut writer = Writer::new();
        write(&mut writer);
        Document::parse(writer.finish().unwrap(), &ParseOptions::default()).unwrap()
    }
}
