use crate::{Error, SecureRandom};
use std::fmt;
use zeroize::Zeroizing;

/// A secret of any length: wiped from memory on drop, compared in constant time, never printed.
#[derive(Clone)]
pub struct SymmetricKey(Zeroizing<Box<[u8]>>);

impl SymmetricKey {
    /// Takes a copy of `bytes`.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// A new key of `length` bytes.
    ///
    /// # Errors
    /// [`Error::RandomUnavailable`].
    pub fn generate(length: usize, random: &dyn SecureRandom) -> Result<Self, Error> {
        let mut key = Zeroizing::new(vec![0; length].into_boxed_slice());
        random.fill(&mut key)?;
        Ok(Self(key))
    }

    /// The secret itself. Never log it.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[allow(clippy::len_without_is_empty, reason = "a key without bytes is no use case")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<Vec<u8>> for SymmetricKey {
    fn from(bytes: Vec<u8>) -> Self {
        // Through a guard: shrinking to a box may move the bytes and leave the old ones behind.
        Self::from_bytes(&Zeroizing::new(bytes))
    }
}

impl PartialEq for SymmetricKey {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for SymmetricKey {}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SymmetricKey({} bytes)", self.0.len())
    }
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(a, b).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeterministicRandom;

    #[test]
    fn debug_shows_the_length_only() {
        assert_eq!(format!("{:?}", SymmetricKey::from_bytes(b"secret")), "SymmetricKey(6 bytes)");
    }

    #[test]
    fn equality_sees_every_byte_and_the_length() {
        let key = SymmetricKey::generate(32, &DeterministicRandom::new(1)).expect("deterministic");
        assert_eq!(key, SymmetricKey::from(key.as_bytes().to_vec()));
        for i in 0..32 {
            let mut other = key.as_bytes().to_vec();
            other[i] ^= 0x80;
            assert_ne!(key, SymmetricKey::from(other));
        }
        assert!(!constant_time_eq(key.as_bytes(), &key.as_bytes()[..31]));
        assert_eq!(key.len(), 32);
    }
}
