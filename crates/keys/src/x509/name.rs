use crate::der;
use std::fmt;
use x509_parser::prelude::{AttributeTypeAndValue, X509Name};

/// The name of a subject or an issuer, most specific part first, as RFC 2253 writes it: `CN=sts.example,O=Example,C=US`.
///
/// This is the form of `ds:X509IssuerName`. Peers differ in spacing, keywords (`S`/`ST`, `E`/`EMAILADDRESS`) and escapes, so
/// compare with [`Self::matches`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    text: String,
    parts: Vec<Vec<(String, String)>>,
}

impl DistinguishedName {
    pub(super) fn from_x509(name: &X509Name<'_>) -> Self {
        let relative_names: Vec<_> = name.iter_rdn().collect();
        let parts: Vec<Vec<_>> =
            relative_names.iter().rev().map(|relative| relative.iter().map(attribute).collect()).collect();
        let text = join(&parts, ",", |relative| join(relative, "+", Attribute::to_string));
        let parts = parts
            .into_iter()
            .map(|relative| relative.into_iter().map(|Attribute { keyword, value, .. }| (keyword, value)).collect());
        Self { text, parts: parts.map(normalized).collect() }
    }

    /// Whether `text`, written by some other software, is this name.
    ///
    /// Use it to find a certificate, never to trust one.
    pub fn matches(&self, text: &str) -> bool {
        read(text).is_some_and(|parts| parts == self.parts)
    }

    /// The name in RFC 2253 form.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same with a blank behind each comma that separates parts: `CN=sts.example, O=Example, C=US`, as .NET prints names.
    pub fn spaced(&self) -> String {
        let mut out = String::with_capacity(self.text.len() + 8);
        let mut escaped = false;
        for c in self.text.chars() {
            out.push(c);
            if c == ',' && !escaped {
                out.push(' ');
            }
            escaped = c == '\\' && !escaped;
        }
        out
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

struct Attribute {
    keyword: String,
    value: String,
    /// The value is no text but `#` and its DER in hexadecimal.
    hexadecimal: bool,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.hexadecimal { self.value.clone() } else { escape(&self.value) };
        write!(f, "{}={value}", self.keyword)
    }
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Attribute {
    let oid = attribute.attr_type().to_id_string();
    let keyword = KEYWORDS.iter().find(|(_, dotted)| *dotted == oid).map(|(keyword, _)| (*keyword).to_owned());
    let value = attribute.attr_value();
    let text = match value.tag().0 {
        BMP_STRING => {
            let unit = |pair: &[u8]| pair.iter().fold(0, |unit, byte| unit << 8 | u16::from(*byte));
            String::from_utf16(&value.data.chunks(2).map(unit).collect::<Vec<u16>>()).ok()
        }
        T61_STRING => Some(value.data.iter().copied().map(char::from).collect()),
        _ => attribute.as_str().ok().map(str::to_owned),
    };
    let hexadecimal = text.is_none();
    let value = text.unwrap_or_else(|| {
        let der = der::element(value.header.raw_tag().and_then(|tag| tag.first()).map_or(0, |tag| *tag), &[value.data]);
        format!("#{}", der.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    Attribute { keyword: keyword.unwrap_or(oid), value, hexadecimal }
}

fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        let edge_space = c == ' ' && (index == 0 || index == last);
        if matches!(c, ',' | '+' | '"' | '\\' | '<' | '>' | ';') || edge_space || (c == '#' && index == 0) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Reads RFC 2253, RFC 1779 and .NET spellings; none when it is neither.
fn read(text: &str) -> Option<Vec<Vec<(String, String)>>> {
    if text.len() > 4096 {
        return None;
    }
    let mut parts = vec![Vec::new()];
    let mut rest = text.trim_matches(' ');
    if rest.is_empty() {
        return Some(Vec::new());
    }
    loop {
        let (keyword, after) = rest.split_once('=')?;
        let keyword = keyword.trim().to_ascii_uppercase();
        let keyword = keyword.strip_prefix("OID.").unwrap_or(&keyword);
        let dotted =
            ALIASES.iter().chain(KEYWORDS).find(|(alias, _)| *alias == keyword).map_or(keyword, |(_, oid)| oid);
        let (value, separator, after) = read_value(after.trim_start_matches(' '))?;
        parts.last_mut()?.push((dotted.to_owned(), value));
        match separator {
            None => return Some(parts.into_iter().map(normalized).collect()),
            Some('+') => {}
            Some(_) => parts.push(Vec::new()),
        }
        rest = after;
    }
}

/// A value, the separator behind it, and what follows.
fn read_value(text: &str) -> Option<(String, Option<char>, &str)> {
    let mut bytes = Vec::new();
    let mut keep = 0;
    let mut quoted = false;
    let mut chars = text.char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            '\\' => {
                let (_, escaped) = chars.next()?;
                match escaped.to_digit(16) {
                    Some(high) => {
                        let low = chars.next()?.1.to_digit(16)?;
                        bytes.push((high * 16 + low) as u8);
                    }
                    None => push(&mut bytes, escaped),
                }
                keep = bytes.len();
            }
            ',' | ';' | '+' if !quoted => {
                bytes.truncate(keep.max(trimmed(&bytes)));
                return Some((String::from_utf8(bytes).ok()?, Some(c), text.get(index + 1..)?));
            }
            c => {
                push(&mut bytes, c);
                if quoted {
                    keep = bytes.len();
                }
            }
        }
    }
    bytes.truncate(keep.max(trimmed(&bytes)));
    if quoted { None } else { Some((String::from_utf8(bytes).ok()?, None, "")) }
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn trimmed(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1)
}

/// Keywords become identifiers, values lose case and double spaces, parts of one level are sorted.
fn normalized(mut relative: Vec<(String, String)>) -> Vec<(String, String)> {
    for (keyword, value) in &mut relative {
        if let Some((_, oid)) = KEYWORDS.iter().find(|(known, _)| *known == keyword) {
            *keyword = (*oid).to_owned();
        }
        *value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    }
    relative.sort();
    relative
}

fn join<T>(items: &[T], separator: &str, write: impl Fn(&T) -> String) -> String {
    items.iter().map(write).collect::<Vec<_>>().join(separator)
}

const BMP_STRING: u32 = 30;
const T61_STRING: u32 = 20;

/// The keywords that are written: those of RFC 2253, and for other common attributes those that .NET and Java both read.
const KEYWORDS: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("C", "2.5.4.6"),
    ("STREET", "2.5.4.9"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("E", "1.2.840.113549.1.9.1"),
    ("SERIALNUMBER", "2.5.4.5"),
];

/// Keywords that are read only.
const ALIASES: &[(&str, &str)] = &[
    ("S", "2.5.4.8"),
    ("SP", "2.5.4.8"),
    ("EMAIL", "1.2.840.113549.1.9.1"),
    ("EMAILADDRESS", "1.2.840.113549.1.9.1"),
    ("SN", "2.5.4.4"),
    ("SURNAME", "2.5.4.4"),
    ("T", "2.5.4.12"),
    ("TITLE", "2.5.4.12"),
    ("G", "2.5.4.42"),
    ("GN", "2.5.4.42"),
    ("GIVENNAME", "2.5.4.42"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(a: &str, b: &str) -> bool {
        matches!((read(a), read(b)), (Some(a), Some(b)) if a == b)
    }

    #[test]
    fn spellings_of_one_name_are_equal() {
        assert!(same("CN=Joe,O=Ex,ST=X", "cn = joe; O=Ex, S=X"));
        assert!(same(r"CN=a\,b", r#"CN="a,b""#));
        assert!(same(r"CN=a\2Cb", r"CN=a\,b"));
        assert!(same("E=a@b", "EMAILADDRESS=a@b"));
        assert!(same("OID.2.5.4.3=a", "CN=a"));
        assert!(same("CN=a+O=b", "O=b + CN=a"));
        assert!(!same("CN=a,O=b", "O=b,CN=a"));
        assert!(!same("CN=a", "CN=ab"));
        assert!(!same(r"CN=a\,O=b", "CN=a,O=b"));
    }

    #[test]
    fn sc_10_3_names_are_spaced_as_net_prints_them() {
        let name = |text: &str| DistinguishedName { text: text.to_owned(), parts: Vec::new() }.spaced();
        assert_eq!(name("CN=a,O=b\\,c,C=d"), "CN=a, O=b\\,c, C=d");
        assert_eq!(name("CN=a\\\\,C=d"), "CN=a\\\\, C=d");
    }

    #[test]
    fn values_that_are_no_text_become_hexadecimal_and_other_encodings_text() {
        use x509_parser::prelude::FromDer;
        let part = |oid: &[u8], tag: u8, value: &[u8]| {
            let attribute =
                der::element(der::SEQUENCE, &[&der::element(der::OID, &[oid]), &der::element(tag, &[value])]);
            der::element(der::SET, &[&attribute])
        };
        let common_name = [0x55, 4, 3];
        let name = der::element(
            der::SEQUENCE,
            &[
                &part(&[0x2a, 3], der::OCTET_STRING, &[0xab, 0xcd]),
                &part(&common_name, BMP_STRING as u8, &[0x4e, 0x2d]),
                &part(&common_name, T61_STRING as u8, &[0xe9]),
                &part(&common_name, 0x0c, b"#a, b"),
            ],
        );
        let (_, parsed) = X509Name::from_der(&name).expect("a name");
        let name = DistinguishedName::from_x509(&parsed);
        assert_eq!(name.as_str(), r"CN=\#a\, b,CN=é,CN=中,1.2.3=#0402abcd");
        assert!(name.matches(name.as_str()));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["CN", "CN=a,", "CN=a,b", r"CN=a\", r#"CN="a"#, r"CN=\2"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_escaped_as_rfc_2253_says() {
        assert_eq!(escape(" #a,b+c\"d\\e "), "\\ #a\\,b\\+c\\\"d\\\\e\\ ");
        assert_eq!(escape("#a"), "\\#a");
    }

    proptest! {
        #[test]
        fn an_escaped_value_is_read_back(value in "[ -~é中]{1,20}") {
            let text = format!("CN={},O=x", escape(&value));
            let parts = read(&text).expect("we wrote it");
            let expected = normalized(vec![("CN".into(), value)]);
            prop_assert_eq!(&parts[0], &expected);
        }

        #[test]
        fn no_input_panics(text in "[CN=,;+\"\\\\ aF0é]{0,40}") {
            let _ = read(&text);
        }
    }
}
