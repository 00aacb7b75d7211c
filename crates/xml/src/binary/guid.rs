use std::fmt::{Display, Formatter};

/// A 128-bit identifier in the byte order of .NET: the first three groups reversed, the rest as printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Guid(
    /// The bytes as they are on the wire.
    pub [u8; 16],
);

/// For each pair of printed hex digits, the index of its byte on the wire.
const PRINTED_ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

impl Guid {
    /// Reads the hyphenated form of 36 characters; hex digits of either case.
    pub fn parse(text: &str) -> Option<Self> {
        let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
        let mut digits = [0; 32];
        let mut filled = digits.iter_mut();
        for (at, &character) in text.iter().enumerate() {
            match (at, character) {
                (8 | 13 | 18 | 23, b'-') => {}
                (8 | 13 | 18 | 23, _) => return None,
                _ => *filled.next()? = u8::try_from(char::from(character).to_digit(16)?).ok()?,
            }
        }
        let mut bytes = [0; 16];
        for (pair, &at) in digits.chunks_exact(2).zip(&PRINTED_ORDER) {
            bytes[at] = pair[0] << 4 | pair[1];
        }
        Some(Self(bytes))
    }

    /// Reads `urn:uuid:` and a hyphenated GUID, as a .NET `UniqueId` does: lower case only, not all zeros.
    pub fn parse_unique_id(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("urn:uuid:")?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        Self::parse(digits).filter(|guid| guid.0 != [0; 16])
    }

    /// The text form of a .NET `UniqueId`: `urn:uuid:` and the GUID.
    pub fn to_unique_id(self) -> String {
        format!("urn:uuid:{self}")
    }
}

impl Display for Guid {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (printed, &index) in PRINTED_ORDER.iter().enumerate() {
            if matches!(printed, 4 | 6 | 8 | 10) {
                at += 1;
            }
            let byte = self.0[index];
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "33221100-5544-7766-8899-aabbccddeeff";

    #[test]
    fn the_first_three_groups_are_reversed() {
        let guid = Guid::parse(TEXT).unwrap();
        let bytes = [0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        assert_eq!(guid.0, bytes);
        assert_eq!(guid.to_string(), TEXT);
    }

    #[test]
    fn a_unique_id_is_a_guid_only_in_lower_case_and_not_all_zeros() {
        assert!(Guid::parse_unique_id(&format!("urn:uuid:{TEXT}")).is_some());
        assert!(Guid::parse_unique_id(&format!("urn:uuid:{}", TEXT.to_uppercase())).is_none());
        assert!(Guid::parse_unique_id(&format!("URN:uuid:{TEXT}")).is_none());
        assert!(Guid::parse_unique_id("urn:uuid:00000000-0000-0000-0000-000000000000").is_none());
        for bad in [
            "",
            "33221100-5544-7766-8899-aabbccddeef",
            "33221100-5544-7766-8899-aabbccddeefg",
            "332211000-544-7766-8899-aabbccddeeff",
        ] {
            assert!(Guid::parse(bad).is_none(), "{bad}");
        }
    }
}
