//! The object envelope: the two shapes of [MS-NRBF] that occur, and nothing else (ST §2.5, §2.6).
//!
//! This is no deserializer. It compares bytes with the one object that may be there, never builds anything from the
//! names in the input, and refuses the rest before it allocates (ST-15).

use super::Error;
use super::payload::Bootstrap;
use handstamp_claims::ArcStr;

pub(crate) const HEADER: [u8; 17] = *b"\x00\x01\x00\x00\x00\xff\xff\xff\xff\x01\x00\x00\x00\x00\x00\x00\x00";
const LIBRARY: &str = "System.IdentityModel, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089";
/// What the name of the library must begin with; version, culture and key token may differ.
const LIBRARY_NAME: &str = "System.IdentityModel,";
const TOKEN_CLASS: &str = "System.IdentityModel.Tokens.SessionSecurityToken";
const TOKEN_MEMBER: &str = "SessionToken";
const BOOTSTRAP_CLASS: &str = "System.IdentityModel.Tokens.BootstrapContext";

// Records.
const CLASS_WITH_MEMBERS_AND_TYPES: u8 = 5;
const BINARY_OBJECT_STRING: u8 = 6;
const MEMBER_REFERENCE: u8 = 9;
const MESSAGE_END: u8 = 11;
const BINARY_LIBRARY: u8 = 12;
const ARRAY_SINGLE_PRIMITIVE: u8 = 15;

// Binary types and primitive types.
const PRIMITIVE: u8 = 0;
const STRING: u8 = 1;
const PRIMITIVE_ARRAY: u8 = 7;
const BYTE: u8 = 2;
const CHAR: u8 = 3;

/// The ids that the original's formatter gives out.
const ROOT_ID: u32 = 1;
const LIBRARY_ID: u32 = 2;
const VALUE_ID: u32 = 3;

/// The payload inside an envelope; borrowed, because it is most of the input.
///
/// # Errors
/// [`Error::Envelope`] when the input is not exactly one session security token.
pub fn read_envelope(bytes: &[u8]) -> Result<&[u8], Error> {
    let mut stream = Stream { bytes, offset: 0 };
    let root = stream.header()?;
    let library = stream.library()?;
    stream.expect(&[CLASS_WITH_MEMBERS_AND_TYPES], "the object must be a class with members and types")?;
    stream.expect(&root.to_le_bytes(), "the class must be the root object")?;
    stream.expect_string(TOKEN_CLASS, "the class must be the session security token")?;
    stream.expect(&1u32.to_le_bytes(), "the token has one member")?;
    stream.expect_string(TOKEN_MEMBER, "the member must be SessionToken")?;
    stream.expect(&[PRIMITIVE_ARRAY, BYTE], "the member must be an array of bytes")?;
    stream.expect(&library.to_le_bytes(), "the class must be in the library")?;
    let payload = stream.byte_array()?;
    stream.end()?;
    Ok(payload)
}

/// Puts a payload into its envelope, as the original's formatter does.
///
/// # Errors
/// [`Error::Limit`] when the payload is 2 GiB or longer.
pub fn write_envelope(payload: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(payload.len() + 203);
    push_preamble(&mut out, TOKEN_CLASS, 1);
    push_string(&mut out, TOKEN_MEMBER);
    out.extend([PRIMITIVE_ARRAY, BYTE]);
    out.extend(LIBRARY_ID.to_le_bytes());
    push_byte_array(&mut out, payload)?;
    out.push(MESSAGE_END);
    Ok(out)
}

/// Reads a bootstrap context.
///
/// # Errors
/// [`Error::Envelope`] when it is none of the known kinds.
pub fn read_bootstrap_context(bytes: &[u8]) -> Result<Bootstrap, Error> {
    let mut stream = Stream { bytes, offset: 0 };
    let root = stream.header()?;
    if stream.peek() == Some(BINARY_OBJECT_STRING) {
        stream.expect(&[BINARY_OBJECT_STRING], "a string")?;
        stream.expect(&root.to_le_bytes(), "the string must be the root object")?;
        let text = ArcStr::from(stream.string()?);
        stream.end()?;
        return Ok(Bootstrap::StringObject(text));
    }
    let library = stream.library()?;
    stream.expect(&[CLASS_WITH_MEMBERS_AND_TYPES], "the object must be a class with members and types")?;
    stream.expect(&root.to_le_bytes(), "the class must be the root object")?;
    stream.expect_string(BOOTSTRAP_CLASS, "the class must be the bootstrap context")?;
    stream.expect(&2u32.to_le_bytes(), "the bootstrap context has two members")?;
    stream.expect_string("K", "the first member is K")?;
    stream.expect_string("T", "the second member is T")?;
    stream.expect(&[PRIMITIVE], "K is a character")?;
    let is_bytes = match stream.byte()? {
        STRING => false,
        PRIMITIVE_ARRAY => true,
        _ => return Err(stream.error("T is a string or bytes")),
    };
    stream.expect(&[CHAR], "K is a character")?;
    if is_bytes {
        stream.expect(&[BYTE], "T is a string or bytes")?;
    }
    stream.expect(&library.to_le_bytes(), "the class must be in the library")?;
    let kind = stream.byte()?;
    let context = match (kind, is_bytes) {
        (b'B', true) => Bootstrap::Bytes(stream.byte_array()?.to_vec()),
        (b'S', false) => Bootstrap::Text(ArcStr::from(stream.string_object()?)),
        (b'T', false) => {
            let xml = base64_simd::STANDARD.decode_to_vec(stream.string_object()?).map_err(|_| Error::NotBase64)?;
            let xml = String::from_utf8(xml).map_err(|_| stream.error("the XML of the token must be UTF-8"))?;
            Bootstrap::SecurityToken(ArcStr::from(xml.trim_start_matches('\u{feff}')))
        }
        _ => return Err(stream.error("K and the type of T contradict each other")),
    };
    stream.end()?;
    Ok(context)
}

/// Writes a bootstrap context.
///
/// # Errors
/// [`Error::Limit`] when it is 2 GiB or longer.
pub fn write_bootstrap_context(context: &Bootstrap) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let (kind, text) = match context {
        Bootstrap::StringObject(text) => {
            out.extend(HEADER);
            push_string_object(&mut out, ROOT_ID, text);
            out.push(MESSAGE_END);
            return Ok(out);
        }
        Bootstrap::Bytes(_) => (b'B', ArcStr::default()),
        Bootstrap::Text(text) => (b'S', text.clone()),
        Bootstrap::SecurityToken(xml) => (b'T', ArcStr::from(base64_simd::STANDARD.encode_to_string(xml.as_bytes()))),
    };
    push_preamble(&mut out, BOOTSTRAP_CLASS, 2);
    push_string(&mut out, "K");
    push_string(&mut out, "T");
    if let Bootstrap::Bytes(bytes) = context {
        out.extend([PRIMITIVE, PRIMITIVE_ARRAY, CHAR, BYTE]);
        out.extend(LIBRARY_ID.to_le_bytes());
        out.push(kind);
        push_byte_array(&mut out, bytes)?;
    } else {
        out.extend([PRIMITIVE, STRING, CHAR]);
        out.extend(LIBRARY_ID.to_le_bytes());
        out.push(kind);
        push_string_object(&mut out, VALUE_ID, &text);
    }
    out.push(MESSAGE_END);
    Ok(out)
}

/// Header, library, and the class record up to its member names.
fn push_preamble(out: &mut Vec<u8>, class: &str, members: u32) {
    out.extend(HEADER);
    out.push(BINARY_LIBRARY);
    out.extend(LIBRARY_ID.to_le_bytes());
    push_string(out, LIBRARY);
    out.push(CLASS_WITH_MEMBERS_AND_TYPES);
    out.extend(ROOT_ID.to_le_bytes());
    push_string(out, class);
    out.extend(members.to_le_bytes());
}

fn push_byte_array(out: &mut Vec<u8>, bytes: &[u8]) -> Result<(), Error> {
    let too_long = |_| Error::Limit { what: "bytes in one array", limit: i32::MAX as usize };
    let length = i32::try_from(bytes.len()).map_err(too_long)?;
    out.push(MEMBER_REFERENCE);
    out.extend(VALUE_ID.to_le_bytes());
    out.push(ARRAY_SINGLE_PRIMITIVE);
    out.extend(VALUE_ID.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.push(BYTE);
    out.extend_from_slice(bytes);
    Ok(())
}

fn push_string_object(out: &mut Vec<u8>, id: u32, text: &str) {
    out.push(BINARY_OBJECT_STRING);
    out.extend(id.to_le_bytes());
    push_string(out, text);
}

fn push_string(out: &mut Vec<u8>, text: &str) {
    let mut length = text.len();
    while length >= 0x80 {
        out.push((length & 0x7F) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(text.as_bytes());
}

struct Stream<'i> {
    bytes: &'i [u8],
    offset: usize,
}

impl<'i> Stream<'i> {
    /// Reads the header and returns the id of the root object.
    fn header(&mut self) -> Result<u32, Error> {
        self.expect(&[0], "the header must come first")?;
        let root = self.number()?;
        self.take(4)?;
        self.expect(b"\x01\x00\x00\x00\x00\x00\x00\x00", "the version must be 1.0")?;
        Ok(root)
    }

    /// Reads the library record and returns its id.
    fn library(&mut self) -> Result<u32, Error> {
        self.expect(&[BINARY_LIBRARY], "the library must come first")?;
        let id = self.number()?;
        let name = self.string()?;
        if name.starts_with(LIBRARY_NAME) {
            Ok(id)
        } else {
            Err(self.error("the library must be System.IdentityModel"))
        }
    }

    /// Reads an array of bytes, inline or behind a reference.
    fn byte_array(&mut self) -> Result<&'i [u8], Error> {
        let id = self.reference()?;
        self.expect(&[ARRAY_SINGLE_PRIMITIVE], "the value must be an array of bytes")?;
        self.object_id(id)?;
        let length = self.number()?;
        let length = usize::try_from(length).map_err(|_| self.error("the length of the array is too large"))?;
        self.expect(&[BYTE], "the value must be an array of bytes")?;
        self.take(length)
    }

    /// Reads a string, inline or behind a reference.
    fn string_object(&mut self) -> Result<&'i str, Error> {
        let id = self.reference()?;
        self.expect(&[BINARY_OBJECT_STRING], "the value must be a string")?;
        self.object_id(id)?;
        self.string()
    }

    fn reference(&mut self) -> Result<Option<u32>, Error> {
        if self.peek() != Some(MEMBER_REFERENCE) {
            return Ok(None);
        }
        self.byte()?;
        self.number().map(Some)
    }

    fn object_id(&mut self, referenced: Option<u32>) -> Result<(), Error> {
        let id = self.number()?;
        if referenced.is_none_or(|referenced| referenced == id) {
            Ok(())
        } else {
            Err(self.error("the reference leads to another object"))
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.expect(&[MESSAGE_END], "the end must follow")?;
        if self.offset == self.bytes.len() { Ok(()) } else { Err(self.error("nothing may follow the end")) }
    }

    fn expect_string(&mut self, text: &str, problem: &'static str) -> Result<(), Error> {
        let offset = self.offset;
        if self.string()? == text { Ok(()) } else { Err(Error::Envelope { offset, problem }) }
    }

    fn expect(&mut self, expected: &[u8], problem: &'static str) -> Result<(), Error> {
        let offset = self.offset;
        if self.take(expected.len())? == expected { Ok(()) } else { Err(Error::Envelope { offset, problem }) }
    }

    fn string(&mut self) -> Result<&'i str, Error> {
        let mut length = 0usize;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                let text = self.take(length)?;
                return std::str::from_utf8(text).map_err(|_| self.error("a string must be UTF-8"));
            }
        }
        Err(self.error("the length of a string is too large"))
    }

    fn number(&mut self) -> Result<u32, Error> {
        let bytes = self.take(4)?;
        bytes.try_into().map(u32::from_le_bytes).map_err(|_| self.error("a number has four bytes"))
    }

    fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek().ok_or_else(|| self.error("the input ends too early"))?;
        self.offset += 1;
        Ok(byte)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn take(&mut self, length: usize) -> Result<&'i [u8], Error> {
        let end = self.offset.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end));
        let taken = taken.ok_or_else(|| self.error("the input ends too early"))?;
        self.offset += length;
        Ok(taken)
    }

    fn error(&self, problem: &'static str) -> Error {
        Error::Envelope { offset: self.offset, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn st_16_the_envelope_adds_203_bytes() {
        let envelope = write_envelope(b"payload").unwrap();
        assert_eq!(envelope.len(), 7 + 203);
        assert_eq!(read_envelope(&envelope).unwrap(), b"payload");
    }

    #[test]
    fn st_15_any_other_byte_is_refused_where_shape_is_at_stake() {
        let envelope = write_envelope(b"p").unwrap();
        let payload_at = envelope.len() - 2;
        // Object ids (root twice), the header id, and the library's version may vary; nothing else.
        let class_at = 17 + 1 + 4 + 1 + LIBRARY.len();
        let library_tail = 22 + 1 + LIBRARY_NAME.len()..class_at;
        for at in (0..envelope.len()).filter(|&at| at != payload_at && !(5..9).contains(&at)) {
            let mut changed = envelope.clone();
            changed[at] ^= 0x01;
            let result = read_envelope(&changed);
            if library_tail.contains(&at) {
                assert!(result.is_ok(), "byte {at}");
            } else {
                assert!(result.is_err(), "byte {at}");
            }
        }
        for length in 0..envelope.len() {
            assert!(read_envelope(&envelope[..length]).is_err(), "cut at {length}");
        }
        assert!(read_envelope(&[&envelope[..], b"\x00"].concat()).is_err());
    }

    #[test]
    fn st_17_all_kinds_of_bootstrap_context_survive() {
        for context in [
            Bootstrap::Text("".into()),
            Bootstrap::Text("Bücher 🔑".into()),
            Bootstrap::Bytes(vec![]),
            Bootstrap::Bytes(vec![1, 2, 3]),
            Bootstrap::SecurityToken("<t/>".into()),
            Bootstrap::StringObject("x".repeat(200).into()),
        ] {
            let written = write_bootstrap_context(&context).unwrap();
            assert_eq!(read_bootstrap_context(&written).unwrap(), context);
            for length in 0..written.len() {
                assert!(read_bootstrap_context(&written[..length]).is_err());
            }
        }
    }
}
