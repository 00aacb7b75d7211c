//! From received bytes to UTF-8 text: byte order marks, UTF-16, and the encoding that the XML declaration names.

use crate::error::{EncodingFault, Error, excerpt};
use crate::limits::Limits;

/// The encoding that the bytes turned out to be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detected {
    Utf8,
    Utf16LittleEndian,
    Utf16BigEndian,
}

impl Detected {
    /// Checks the encoding name of the XML declaration against the bytes (XML 1.0 §4.3.3).
    pub(crate) fn check_declared(self, declared: &str, text_is_ascii: bool) -> Result<(), Error> {
        let is = |name: &str| declared.eq_ignore_ascii_case(name);
        let fits = match self {
            Self::Utf8 => is("UTF-8") || is("UTF8") || (is("US-ASCII") && text_is_ascii),
            Self::Utf16LittleEndian => is("UTF-16") || is("UTF-16LE"),
            Self::Utf16BigEndian => is("UTF-16") || is("UTF-16BE"),
        };
        if fits { Ok(()) } else { Err(EncodingFault::Declared { declared: excerpt(declared) }.into()) }
    }
}

/// Decodes a document to UTF-8 without a byte order mark. UTF-8 input is not copied unless it has a byte order mark.
pub(crate) fn decode(mut bytes: Vec<u8>, limits: &Limits) -> Result<(String, Detected), Error> {
    limits.check_size(bytes.len())?;
    let (detected, mark) = detect(&bytes);
    if detected != Detected::Utf8 {
        let text = decode_utf16(bytes.get(mark..).unwrap_or_default(), mark, detected == Detected::Utf16LittleEndian)?;
        limits.check_size(text.len())?;
        return Ok((text, detected));
    }
    if mark != 0 {
        bytes.drain(..mark);
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, detected)),
        Err(e) => Err(EncodingFault::NotUtf8 { offset: mark + e.utf8_error().valid_up_to() }.into()),
    }
}

/// The encoding, and the length of its byte order mark (XML 1.0 appendix F).
fn detect(bytes: &[u8]) -> (Detected, usize) {
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => (Detected::Utf8, 3),
        [0xFF, 0xFE, ..] => (Detected::Utf16LittleEndian, 2),
        [0xFE, 0xFF, ..] => (Detected::Utf16BigEndian, 2),
        [b'<', 0, b'?', 0, ..] => (Detected::Utf16LittleEndian, 0),
        [0, b'<', 0, b'?', ..] => (Detected::Utf16BigEndian, 0),
        _ => (Detected::Utf8, 0),
    }
}

fn decode_utf16(bytes: &[u8], mark: usize, little_endian: bool) -> Result<String, Error> {
    let fault = |units: usize| Error::from(EncodingFault::NotUtf16 { offset: mark + 2 * units });
    if !bytes.len().is_multiple_of(2) {
        return Err(fault(bytes.len() / 2));
    }
    let units = bytes.chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if little_endian { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    });
    let mut text = String::with_capacity(bytes.len() / 2 + bytes.len() / 8);
    let mut at = 0;
    for decoded in char::decode_utf16(units) {
        let c = decoded.map_err(|_| fault(at))?;
        at += c.len_utf16();
        text.push(c);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str, little_endian: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|u| if little_endian { u.to_le_bytes() } else { u.to_be_bytes() }).collect()
    }

    #[test]
    fn byte_order_marks_are_recognised_and_removed() {
        let limits = Limits::default();
        assert_eq!(decode(b"\xEF\xBB\xBF<a/>".to_vec(), &limits).unwrap(), ("<a/>".into(), Detected::Utf8));
        for (text, little_endian, detected) in
            [("\u{FEFF}<ä𝄞/>", true, Detected::Utf16LittleEndian), ("\u{FEFF}<ä𝄞/>", false, Detected::Utf16BigEndian)]
        {
            assert_eq!(decode(utf16(text, little_endian), &limits).unwrap(), ("<ä𝄞/>".into(), detected));
        }
        let declared = "<?xml version='1.0' encoding='UTF-16'?><a/>";
        assert_eq!(decode(utf16(declared, true), &limits).unwrap().0, declared);
        assert_eq!(decode(utf16(declared, false), &limits).unwrap().0, declared);
    }

    #[test]
    fn lone_surrogates_and_odd_lengths_are_refused() {
        let limits = Limits::default();
        let fault = |bytes: &[u8]| match decode(bytes.to_vec(), &limits) {
            Err(Error::Encoding(EncodingFault::NotUtf16 { offset })) => offset,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault(b"\xFF\xFE<\0a\0/"), 6);
        assert_eq!(fault(b"\xFF\xFE<\0\x00\xD8>\0"), 4);
        assert_eq!(fault(b"\xFE\xFF\0<\xDC\x00"), 4);
    }
}
