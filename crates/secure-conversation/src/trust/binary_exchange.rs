//! `BinaryExchange`: another protocol's octets inside of a request for a token or its answer (SC 7.1).

use crate::error::Error;
use crate::trust::prefix;
use handstamp_ws_security::Generation;
use handstamp_xml::{Element, Writer};

/// Records of TLS, or of another protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BinaryExchange {
    /// Which protocol, a URI.
    pub value_type: String,
    /// The octets.
    pub octets: Vec<u8>,
}

const TLS: &str = "http://schemas.xmlsoap.org/ws/2005/02/trust/tlsnego";
/// What WCF writes in February 2005, the blank included (SC 1.2).
const TLS_WITH_BLANK: &str = " http://schemas.xmlsoap.org/ws/2005/02/trust/tlsnego";
const BASE64: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#Base64Binary";
const HEX: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#HexBinary";
/// The most that is read, in bytes: a certificate chain and then some.
const MAX_OCTETS: usize = 49_152;

impl BinaryExchange {
    /// Records of TLS as a client of this generation sends them.
    pub fn tls(generation: Generation, octets: Vec<u8>) -> Self {
        let value_type = match generation {
            Generation::February2005 => TLS_WITH_BLANK,
            Generation::V13 => TLS,
        };
        Self { value_type: value_type.to_owned(), octets }
    }

    /// Whether these are records of TLS. In February 2005 there are two spellings.
    pub fn is_tls(&self, generation: Generation) -> bool {
        self.value_type == TLS || (generation == Generation::February2005 && self.value_type == TLS_WITH_BLANK)
    }

    pub(super) fn parse(element: Element<'_>) -> Result<Self, Error> {
        let malformed = |problem| Error::trust("SC 7.1", "BinaryExchange", problem);
        let value_type = element.attribute("ValueType").ok_or_else(|| malformed("it has no ValueType"))?.to_owned();
        let text = element.text();
        if text.len() > 2 * MAX_OCTETS {
            return Err(malformed("it is longer than 48 KiB"));
        }
        let text: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
        let octets = match element.attribute("EncodingType") {
            Some(BASE64) => base64_simd::STANDARD.decode_to_vec(&text).ok(),
            Some(HEX) => from_hex(&text),
            _ => return Err(malformed("its EncodingType is neither Base64Binary nor HexBinary")),
        };
        let octets = octets.filter(|octets| (1..=MAX_OCTETS).contains(&octets.len()));
        let octets = octets.ok_or_else(|| malformed("it is empty, longer than 48 KiB, or not in its encoding"))?;
        Ok(Self { value_type, octets })
    }

    pub(super) fn write(&self, writer: &mut Writer, generation: Generation) {
        writer.start(prefix(generation), generation.trust(), "BinaryExchange");
        writer.attribute("EncodingType", BASE64).attribute("ValueType", &self.value_type);
        writer.text(&base64_simd::STANDARD.encode_to_string(&self.octets)).end();
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.chunks(2).map(|pair| match *pair {
        [high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_xml::{Document, ParseOptions};

    fn read(attributes: &str, text: &str) -> Result<BinaryExchange, Error> {
        let text = format!("<BinaryExchange {attributes}>{text}</BinaryExchange>");
        BinaryExchange::parse(Document::parse(text, &ParseOptions::default()).unwrap().root())
    }

    #[test]
    fn sc_75_both_spellings_are_read_and_the_blank_is_written_in_february_2005() {
        use Generation::{February2005, V13};
        let blank = BinaryExchange::tls(February2005, vec![1]);
        assert!(blank.value_type.starts_with(" http") && blank.is_tls(February2005) && !blank.is_tls(V13));
        let plain = BinaryExchange::tls(V13, vec![1]);
        assert!(!plain.value_type.starts_with(' ') && plain.is_tls(February2005) && plain.is_tls(V13));
        for exchange in [blank, plain] {
            let mut writer = Writer::new();
            exchange.write(&mut writer, February2005);
            let document = Document::parse(writer.finish().unwrap(), &ParseOptions::default()).unwrap();
            assert_eq!(BinaryExchange::parse(document.root()).unwrap(), exchange);
        }
    }

    #[test]
    fn sc_7_1_octets_come_in_base64_and_in_hexadecimal() {
        let octets = |attributes: &str, text: &str| read(attributes, text).map(|exchange| exchange.octets).ok();
        let (base64, hex) =
            (format!("ValueType='v' EncodingType='{BASE64}'"), format!("ValueType='v' EncodingType='{HEX}'"));
        assert_eq!(octets(&base64, " FgM\nB "), Some(vec![0x16, 3, 1]));
        assert_eq!(octets(&hex, "1603 0A0f"), Some(vec![0x16, 3, 10, 15]));
        for (attributes, text) in [
            (base64.as_str(), ""),
            (&base64, "FgM"),
            (&hex, "160"),
            (&hex, "xy"),
            ("ValueType='v'", "FgMB"),
            (&format!("EncodingType='{BASE64}'"), "FgMB"),
            (&base64, &"AAAA".repeat(MAX_OCTETS / 3 + 1)),
        ] {
            assert!(read(attributes, text).is_err(), "{attributes}");
        }
    }
}
