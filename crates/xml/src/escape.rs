//! Writing text and attribute values as Canonical XML wants them (Canonical XML 1.0 §2.3).

use crate::chars::is_text;
use crate::error::{Error, WriterMisuse};
use crate::scan::any_special;

/// An attribute value in canonical form, without quotes.
///
/// ```
/// assert_eq!(handstamp_xml::escape::attribute_value("a<\"b\""), "a&lt;&quot;b&quot;");
/// ```
pub fn attribute_value(value: &str) -> String {
    let mut out = Vec::with_capacity(value.len());
    push_attribute_value(&mut out, value);
    String::from_utf8(out).expect("references replace whole ASCII characters of a string")
}

/// Appends text in canonical form, for writers that put a message together from known pieces.
///
/// ```
/// let mut out = String::from("<a>");
/// handstamp_xml::escape::append_text(&mut out, "b & c")?;
/// assert_eq!(out, "<a>b &amp; c");
/// # Ok::<(), handstamp_xml::Error>(())
/// ```
///
/// # Errors
/// [`Error::Writer`] for a character that XML cannot hold.
pub fn append_text(out: &mut String, text: &str) -> Result<(), Error> {
    const SPECIAL: u64 = set(b"&<>\r");
    if !is_text(text) {
        return Err(WriterMisuse::Character.into());
    }
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte < 64 && SPECIAL >> byte & 1 != 0 {
            out.push_str(text.get(done..at).unwrap_or_default());
            out.extend(reference(byte).iter().map(|byte| char::from(*byte)));
            done = at + 1;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Ok(())
}

/// Appends text: `&`, `<`, `>` and CR are written as references.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    push(out, text, const { set(b"&<>\r") });
}

/// Appends an attribute value, without quotes: `&`, `<`, `"`, TAB, LF and CR are written as references.
pub(crate) fn push_attribute_value(out: &mut Vec<u8>, value: &str) {
    push(out, value, const { set(b"&<\"\t\n\r") });
}

/// Copies stretches that need no reference as a whole.
#[inline]
fn push(out: &mut Vec<u8>, text: &str, special: u64) {
    let bytes = text.as_bytes();
    if !any_special(bytes) {
        out.extend_from_slice(bytes);
        return;
    }
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte < 64 && special >> byte & 1 != 0 {
            out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
            out.extend_from_slice(reference(byte));
            done = at + 1;
        }
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}

fn reference(byte: u8) -> &'static [u8] {
    match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'"' => b"&quot;",
        b'\t' => b"&#x9;",
        b'\n' => b"&#xA;",
        _ => b"&#xD;",
    }
}

/// Bytes below 64 as bits.
const fn set(bytes: &[u8]) -> u64 {
    let mut set = 0;
    let mut i = 0;
    while i < bytes.len() {
        set |= 1 << bytes[i];
        i += 1;
    }
    set
}
