//! Base64 as XML Schema has it: white space anywhere.

/// The octets of a base64 text; none when it is not base64. White space, which hardly anybody writes, is looked for only where
/// the text as it is does not decode.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if let Ok(octets) = base64_simd::STANDARD.decode_to_vec(text) {
        return Some(octets);
    }
    let stripped: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    base64_simd::STANDARD.decode_to_vec(stripped).ok()
}

/// The base64 text of octets, without line breaks.
pub(crate) fn to_base64(octets: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(octets)
}

#[cfg(test)]
mod tests {
    use super::from_base64;

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
}
