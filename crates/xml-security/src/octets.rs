//! Base64 as XML Schema has it: white space anywhere.

use base64_simd::AsOut;
use handstamp_keys::DigestValue;

/// The octets of a base64 text; none when it is not base64. White space, which hardly anybody writes, is looked for only where
/// the text as it is does not decode.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(octets) = base64_simd::STANDARD.decode_to_vec(text) {
        return Some(octets);
    }
    let stripped: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64_simd::STANDARD.decode_to_vec(stripped).ok()
}

/// The digest that a base64 text stands for, without allocation where the text has no white space.
pub(crate) fn digest_from_base64(text: &str) -> Option<DigestValue> {
    let mut octets = [0; 66];
    if text.len() <= 88
        && let Ok(octets) = base64_simd::STANDARD.decode(text.as_bytes(), octets.as_mut_slice().as_out())
    {
        return DigestValue::from_slice(octets);
    }
    DigestValue::from_slice(&from_base64(text)?)
}

/// The base64 text of octets, without line breaks.
pub(crate) fn to_base64(octets: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(octets)
}

#[cfg(test)]
mod tests {
    use super::{digest_from_base64, from_base64};

    #[test]
    fn white_space_may_stand_anywhere_and_nothing_else() {
        for good in ["AQID", "AQ ID", "\n AQ\tI\r\nD ", "AQIDBA==", "AQIDBA =\n="] {
            assert_eq!(from_base64(good).unwrap()[..3], [1, 2, 3], "{good:?}");
        }
        assert_eq!(from_base64("  "), Some(Vec::new()));
        for bad in ["AQI", "AQ-D", "AQID=", "AQIDBA", "AQ\u{A0}ID", "="] {
            assert_eq!(from_base64(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn digests_have_at_most_64_octets() {
        for length in [0, 1, 20, 32, 48, 63, 64, 65, 66, 67, 200] {
            let octets: Vec<u8> = (0..length).collect();
            let text = super::to_base64(&octets);
            let expected = (length <= 64).then_some(octets);
            for text in [text.clone(), format!(" {text}"), text.replace('A', "A\n")] {
                assert_eq!(digest_from_base64(&text).map(|digest| digest.as_bytes().to_vec()), expected, "{text:?}");
            }
        }
        assert_eq!(digest_from_base64("AQI"), None);
    }
}
