use super::{Attribute, Error, Node, Reader, Value};

/// The document as text XML, as .NET gives it: no declaration, an end tag for every element.
///
/// # Errors
/// When the input is not legal, is larger as text than [`Limits::max_text`](super::Limits::max_text), or holds what
/// text XML cannot say.
///
/// ```
/// # use handstamp_xml::binary::{Reader, to_text};
/// let reader = Reader::new(&[0x40, 0x01, b'e', 0x04, 0x01, b'a', 0x82, 0x99, 0x01, b'<'], None);
/// assert_eq!(to_text(reader)?, r#"<e a="1">&lt;</e>"#);
/// # Ok::<(), handstamp_xml::binary::Error>(())
/// ```
pub fn to_text(mut reader: Reader<'_>) -> Result<String, Error> {
    let limit = reader.limits().max_text;
    let mut out = String::with_capacity(reader.remaining().saturating_mul(2).min(limit));
    // Where in `out` the names of the open elements are.
    let mut open = Vec::new();
    while let Some(node) = reader.read()? {
        match node {
            Node::Start(element) => {
                out.push('<');
                let from = out.len();
                push_name(&mut out, element.prefix, element.name);
                open.push(from..out.len());
                for attribute in reader.attributes() {
                    // .NET copies an array to text item by item, without its attributes. So do we, to agree with it;
                    // no .NET writer makes an array with attributes.
                    let declares = |prefix| attribute.is_declaration() && declared_prefix(attribute) == prefix;
                    if reader.is_in_array() && !declares(element.prefix) {
                        continue;
                    }
                    out.push(' ');
                    push_name(&mut out, attribute.prefix, attribute.name);
                    out.push_str("=\"");
                    push_value(&mut out, &attribute.value, IN_ATTRIBUTE)?;
                    out.push('"');
                }
                out.push('>');
            }
            Node::End => {
                if let Some(name) = open.pop() {
                    out.push_str("</");
                    out.extend_from_within(name);
                    out.push('>');
                }
            }
            Node::Text(value) => push_value(&mut out, &value, IN_ELEMENT)?,
            Node::Comment(text) => {
                if text.contains("--") || text.ends_with('-') {
                    return Err(Error::NotText { what: "a comment with -- in it" });
                }
                check_characters(text)?;
                out.push_str("<!--");
                out.push_str(text);
                out.push_str("-->");
            }
        }
        if out.len() > limit {
            return Err(Error::Limit { offset: reader.position(), what: "bytes of text", limit });
        }
    }
    Ok(out)
}

fn declared_prefix<'i>(declaration: &Attribute<'i>) -> &'i str {
    if declaration.prefix.is_empty() { "" } else { declaration.name }
}

fn push_name(out: &mut String, prefix: &str, name: &str) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(name);
}

fn push_value(out: &mut String, value: &Value<'_>, place: u8) -> Result<(), Error> {
    match value {
        Value::Text(text) => push_escaped(out, text, place),
        Value::DictionaryText(text) => push_escaped(out, text, place),
        Value::Bytes(bytes) => {
            base64_simd::STANDARD.encode_append(bytes, out);
            Ok(())
        }
        other => push_escaped(out, &other.to_string(), place),
    }
}

/// Appends text in the escaping of .NET's text writer.
fn push_escaped(out: &mut String, text: &str, place: u8) -> Result<(), Error> {
    let kinds = text.bytes().fold(0, |kinds, byte| kinds | BYTE_KINDS[usize::from(byte)]);
    if kinds & SUSPECT != 0 {
        check_characters(text)?;
    }
    if kinds & place == 0 {
        out.push_str(text);
        return Ok(());
    }
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if BYTE_KINDS[usize::from(byte)] & place != 0 {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(reference(byte));
            copied = at + 1;
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(())
}

/// Escaped in an element.
const IN_ELEMENT: u8 = 1;
/// Escaped in an attribute.
const IN_ATTRIBUTE: u8 = 2;
/// Part of a character, perhaps, that text cannot hold.
const SUSPECT: u8 = 4;

const BYTE_KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte: u8 = 0;
    while byte < 0xFF {
        kinds[byte as usize] = match byte {
            b'&' | b'<' | b'>' | b'\r' => IN_ELEMENT | IN_ATTRIBUTE,
            b'"' | b'\t' | b'\n' => IN_ATTRIBUTE,
            0..b' ' | 0xEF => SUSPECT,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

fn reference(byte: u8) -> &'static str {
    match byte {
        b'&' => "&amp;",
        b'<' => "&lt;",
        b'>' => "&gt;",
        b'"' => "&quot;",
        b'\t' => "&#x9;",
        b'\n' => "&#xA;",
        _ => "&#xD;",
    }
}

fn check_characters(text: &str) -> Result<(), Error> {
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r');
    if text.bytes().any(control) {
        return Err(Error::NotText { what: "a control character" });
    }
    if text.bytes().any(|byte| byte == 0xEF) && text.contains(['\u{FFFE}', '\u{FFFF}']) {
        return Err(Error::NotText { what: "the code points U+FFFE and U+FFFF" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element_with(text: &str) -> Vec<u8> {
        let mut bytes = vec![0x40, 1, b'e', 0x99, text.len() as u8];
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    #[test]
    fn what_text_cannot_hold_is_refused() {
        for text in ["\0", "\u{1b}", "\u{ffff}", "a\u{fffe}"] {
            let bytes = element_with(text);
            assert_eq!(to_text(Reader::new(&bytes, None)).unwrap_err().code(), "HST-NBFX-NOT-TEXT", "{text:?}");
        }
        assert_eq!(to_text(Reader::new(&element_with("\u{7f}\u{fffd}"), None)).unwrap(), "<e>\u{7f}\u{fffd}</e>");
    }

    #[test]
    fn an_array_cannot_expand_without_bound() {
        let mut bytes = vec![0x03, 0x40, 1, b'e', 0x01, 0xB5, 0xE8, 0x07];
        bytes.extend([1; 1000]);
        let limits = super::super::Limits { max_text: 4000, ..Default::default() };
        let error = to_text(Reader::new(&bytes, None).with_limits(limits)).unwrap_err();
        assert_eq!(error.code(), "HST-NBFX-LIMIT");
    }
}
