//! Base64 as XML Schema has it: white space anywhere.

/// The octets of a base64 text; none when it is not base64.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        let stripped: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        return base64_simd::STANDARD.decode_to_vec(&stripped).ok();
    }
    base64_simd::STANDARD.decode_to_vec(text).ok()
}

/// The base64 text of octets, without line breaks.
pub(crate) fn to_base64(octets: &[u8]) -> String {
    base64_simd::STANDARD.encode_to_string(octets)
}
