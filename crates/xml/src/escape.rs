//! Writing text and attribute values as Canonical XML wants them (Canonical XML 1.0 §2.3).

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

/// Appends text: `&`, `<`, `>` and CR are written as references.
pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    push(out, text, |byte| match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'\r' => b"&#xD;",
        _ => b"",
    });
}

/// Appends an attribute value, without quotes: `&`, `<`, `"`, TAB, LF and CR are written as references.
pub(crate) fn push_attribute_value(out: &mut Vec<u8>, value: &str) {
    push(out, value, |byte| match byte {
        b'&' => b"&amp;",
        b'<' => b"&lt;",
        b'"' => b"&quot;",
        b'\t' => b"&#x9;",
        b'\n' => b"&#xA;",
        b'\r' => b"&#xD;",
        _ => b"",
    });
}

/// Copies stretches that need no reference as a whole.
#[inline]
fn push(out: &mut Vec<u8>, text: &str, reference: impl Fn(u8) -> &'static [u8]) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        // Everything special is at or below '>'.
        if byte <= b'>' {
            let replacement = reference(byte);
            if !replacement.is_empty() {
                out.extend_from_slice(bytes.get(done..at).unwrap_or_default());
                out.extend_from_slice(replacement);
                done = at + 1;
            }
        }
    }
    out.extend_from_slice(bytes.get(done..).unwrap_or_default());
}
