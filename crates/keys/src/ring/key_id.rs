use crate::{Error, SecureRandom};
use std::fmt;
use std::str::FromStr;

/// Names a key of a ring, in four random bytes: a token carries it, and cookie space is dear.
///
/// It is no secret. Text form: eight lower-case hexadecimal digits, the `kid` of the key file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; Self::LEN]);

impl KeyId {
    /// Length in bytes.
    pub const LEN: usize = 4;

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    pub(crate) fn generate(random: &dyn SecureRandom) -> Result<Self, Error> {
        let mut bytes = [0; Self::LEN];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The bytes, as a token carries them.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// Reads the bytes that a token carries.
impl TryFrom<&[u8]> for KeyId {
    type Error = Error;

    fn try_from(bytes: &[u8]) -> Result<Self, Error> {
        bytes.try_into().map(Self).map_err(|_| Error::Unauthentic)
    }
}

impl FromStr for KeyId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const FORM: Error = Error::Misuse("a key id is eight lower-case hexadecimal digits, such as 0a1b2c3d");
        let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() != 2 * Self::LEN || !text.bytes().all(lower_hex) {
            return Err(FORM);
        }
        u32::from_str_radix(text, 16).map(|id| Self(id.to_be_bytes())).map_err(|_| FORM)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_both_ways() {
        let id = KeyId::from_bytes([0, 0xab, 1, 0xff]);
        assert_eq!(id.to_string(), "00ab01ff");
        assert_eq!("00ab01ff".parse::<KeyId>().expect("valid"), id);
        assert_eq!(KeyId::try_from(&id.as_bytes()[..]).expect("valid"), id);
        for wrong in ["", "00ab01f", "00ab01ff0", "00AB01FF", "+0ab01ff", "00ab01fg", "€ab01f"] {
            assert!(wrong.parse::<KeyId>().is_err(), "{wrong}");
        }
        assert!(KeyId::try_from(&[1, 2, 3][..]).is_err());
        assert!(KeyId::try_from(&[1, 2, 3, 4, 5][..]).is_err());
    }
}
