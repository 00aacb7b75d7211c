//! `DerivedKeyToken` (SC 5.2).

use crate::error::Error;
use crate::token::{SecurityTokenReference, from_base64};
use crate::version::Generation;
use handstamp_keys::{SymmetricKey, derivation};
use handstamp_xml::{Element, names};
use zeroize::Zeroizing;

/// How a key is derived from the key of another token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivedKeyToken {
    /// `wsu:Id`.
    pub id: Option<String>,
    /// The namespace.
    pub generation: Generation,
    /// The token with the source key.
    pub source: SecurityTokenReference,
    /// Where in the derived stream the key starts, in bytes.
    pub offset: usize,
    /// How long it is, in bytes.
    pub length: usize,
    /// The label; none is [`DEFAULT_LABEL`].
    pub label: Option<String>,
    /// The nonce.
    pub nonce: Vec<u8>,
}

/// The label when a token has none.
pub const DEFAULT_LABEL: &str = "WS-SecureConversationWS-SecureConversation";
/// The length of the nonces that we make, in bytes.
pub(crate) const NONCE_LENGTH: usize = 16;
/// The length of a key when a token does not say it, in bytes.
const DEFAULT_LENGTH: usize = 32;
/// The largest offset, in bytes.
pub const MAX_OFFSET: usize = 64;
/// The longest label, in characters.
pub const MAX_LABEL_CHARACTERS: usize = 128;
/// The longest nonce, in bytes.
pub const MAX_NONCE_LENGTH: usize = 128;

impl DerivedKeyToken {
    /// Reads the element. `max_length`, in bytes, is the larger derivation length of the suite.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what SC 5.2 does not have or limits.
    pub fn parse(element: Element<'_>, max_length: usize) -> Result<Self, Error> {
        let generation = Generation::of_conversation(element.namespace())
            .filter(|_| element.local_name() == "DerivedKeyToken")
            .ok_or_else(|| malformed("it is another element"))?;
        let namespace = generation.conversation();
        let algorithm = element.attribute("Algorithm").or_else(|| element.attribute_ns(namespace, "Algorithm"));
        if algorithm.is_some_and(|algorithm| algorithm != generation.derivation_algorithm()) {
            return Err(malformed("its Algorithm is not P_SHA1"));
        }
        let mut children = element.children().peekable();
        let source = children.next().ok_or_else(|| malformed("it has no SecurityTokenReference"))?;
        let mut part = |name: &str| children.next_if(|child| child.is(namespace, name)).map(Element::text);
        let generation_number = part("Generation").map(|text| number(&text)).transpose()?;
        let offset = part("Offset").map(|text| number(&text)).transpose()?;
        let length = part("Length").map(|text| number(&text)).transpose()?.unwrap_or(DEFAULT_LENGTH);
        let label = part("Label").map(std::borrow::Cow::into_owned);
        let nonce = part("Nonce").ok_or_else(|| malformed("Nonce is missing or in another place"))?;
        if children.next().is_some() {
            return Err(malformed("something follows Nonce"));
        }
        let offset = match (generation_number, offset) {
            (Some(_), Some(_)) => return Err(malformed("it has both Generation and Offset")),
            (Some(number), None) => number.saturating_mul(length),
            (None, offset) => offset.unwrap_or(0),
        };
        if offset > MAX_OFFSET || length == 0 || length > max_length {
            return Err(malformed("its offset or length is outside the limits"));
        }
        if label.as_ref().is_some_and(|label| label.chars().count() > MAX_LABEL_CHARACTERS) {
            return Err(malformed("its label is too long"));
        }
        if nonce.len() > 2 * MAX_NONCE_LENGTH {
            return Err(malformed("its nonce is too long"));
        }
        let nonce = from_base64(&nonce).filter(|nonce| nonce.len() <= MAX_NONCE_LENGTH && !nonce.is_empty());
        Ok(Self {
            id: element.attribute_ns(names::WSU, "Id").map(str::to_owned),
            generation,
            source: SecurityTokenReference::parse(source)?,
            offset,
            length,
            label,
            nonce: nonce.ok_or_else(|| malformed("its nonce is empty, too long, or not base64"))?,
        })
    }

    /// The derived key.
    pub fn derive(&self, source: &SymmetricKey) -> SymmetricKey {
        let mut key = Zeroizing::new(vec![0; self.length]);
        let label = self.label.as_deref().unwrap_or(DEFAULT_LABEL);
        derivation::p_sha1(source.as_bytes(), &[label.as_bytes(), &self.nonce], self.offset, &mut key);
        SymmetricKey::from_bytes(&key)
    }
}

/// Appends a `DerivedKeyToken` as WCF writes it into a security header: `Offset` and `Length` only when the length is not 32.
/// `source` is the `SecurityTokenReference` to the source key. Prefixes `o` and `u` are those of the surrounding header.
pub(crate) fn append_derived_key(
    generation: Generation,
    id: &str,
    source: &str,
    length: usize,
    nonce: &[u8],
    out: &mut String,
) {
    let prefix = match generation {
        Generation::February2005 => "c",
        Generation::V13 => "sc",
    };
    out.extend(["<", prefix, ":DerivedKeyToken xmlns:", prefix, "=\"", generation.conversation()]);
    out.extend(["\" u:Id=\"", id, "\">", source]);
    if length != DEFAULT_LENGTH {
        out.extend(["<", prefix, ":Offset>0</", prefix, ":Offset><", prefix, ":Length>", &length.to_string()]);
        out.extend(["</", prefix, ":Length>"]);
    }
    out.extend(["<", prefix, ":Nonce>"]);
    base64_simd::STANDARD.encode_append(nonce, out);
    out.extend(["</", prefix, ":Nonce></", prefix, ":DerivedKeyToken>"]);
}

fn number(text: &str) -> Result<usize, Error> {
    let digits = text.trim();
    digits
        .parse()
        .ok()
        .filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))
        .ok_or_else(|| malformed("a number is not a small whole one"))
}

fn malformed(problem: &str) -> Error {
    Error::malformed("SC 5.2", "DerivedKeyToken", problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    fn read(content: &str) -> Result<DerivedKeyToken, Error> {
        let text = format!(
            "<c:DerivedKeyToken xmlns:c='{}' xmlns:o='{}'><o:SecurityTokenReference><o:Reference URI='#a'/></o:SecurityTokenReference>\
             {content}</c:DerivedKeyToken>",
            names::WSC_2005,
            names::WSSE
        );
        DerivedKeyToken::parse(Document::parse(text, &ParseOptions::default()).unwrap().root(), 32)
    }

    /// SC-52.
    #[test]
    fn sc_5_2_a_recorded_key_is_derived() {
        let token =
            read("<c:Offset>0</c:Offset><c:Length>24</c:Length><c:Nonce>RHKkv/ciZqa6xId9NQ0NfA==</c:Nonce>").unwrap();
        let source = [
            0x8e, 0x36, 0xa5, 0x82, 0x4f, 0xb3, 0x2b, 0xd3, 0xba, 0x74, 0xcc, 0x35, 0x6f, 0x7a, 0x10, 0xc0, 0xd6, 0x0f,
            0x45, 0xa2, 0x31, 0x26, 0x20, 0x66, 0x78, 0xb2, 0x3c, 0xe9, 0x2e, 0xc5, 0x00, 0xe2,
        ];
        let key = token.derive(&SymmetricKey::from_bytes(&source));
        assert_eq!(key.as_bytes()[..4], [0xde, 0xb4, 0x29, 0x8a]);
        assert_eq!(key.len(), 24);
    }

    /// SC-53.
    #[test]
    fn sc_5_2_limits_and_order() {
        let nonce = "<c:Nonce>RHKkv/ciZqa6xId9NQ0NfA==</c:Nonce>";
        assert_eq!(read(nonce).unwrap().length, 32);
        assert_eq!(read(&format!("<c:Generation>2</c:Generation><c:Length>16</c:Length>{nonce}")).unwrap().offset, 32);
        for bad in [
            String::new(),
            format!("{nonce}<c:Length>24</c:Length>"),
            format!("<c:Generation>1</c:Generation><c:Offset>0</c:Offset>{nonce}"),
            format!("<c:Offset>65</c:Offset>{nonce}"),
            format!("<c:Length>33</c:Length>{nonce}"),
            format!("<c:Length>0</c:Length>{nonce}"),
            format!("<c:Length>-1</c:Length>{nonce}"),
            format!("<c:Generation>99999999999999999999</c:Generation>{nonce}"),
            format!("<c:Properties/>{nonce}"),
            format!("<c:Label>{}</c:Label>{nonce}", "x".repeat(129)),
            format!("<c:Nonce>{}</c:Nonce>", "AAAA".repeat(50)),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sc_5_2_tokens_survive_writing_and_reading() {
        for (generation, length) in [(Generation::V13, 24), (Generation::February2005, 32)] {
            let mut xml = format!("<o:Security xmlns:o='{}' xmlns:u='{}'>", names::WSSE, names::WSU);
            let source = "<o:SecurityTokenReference><o:Reference URI=\"#a\"></o:Reference></o:SecurityTokenReference>";
            append_derived_key(generation, "_0", source, length, &[7; NONCE_LENGTH], &mut xml);
            xml.push_str("</o:Security>");
            assert_eq!(xml.contains("Length"), length != 32);
            let document = Document::parse(xml, &ParseOptions::default()).unwrap();
            let token = DerivedKeyToken::parse(document.root().children().next().unwrap(), 32).unwrap();
            let written = DerivedKeyToken {
                id: Some("_0".into()),
                generation,
                source: SecurityTokenReference::local("a"),
                offset: 0,
                length,
                label: None,
                nonce: vec![7; NONCE_LENGTH],
            };
            assert_eq!(token, written);
        }
    }
}
