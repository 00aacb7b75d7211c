use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;

/// The hash functions of XML signatures, certificates and tokens.
///
/// SHA-1 is here because the protocols of the time are built on it. Whether a caller accepts it is a matter of configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// SHA-1, 20 bytes. Not collision resistant.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// Length of the digest in bytes.
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The digest of `data`, in one call.
    pub fn digest(self, data: &[u8]) -> DigestValue {
        match self {
            Self::Sha1 => DigestValue::new(&Sha1::digest(data)),
            Self::Sha256 => DigestValue::new(&Sha256::digest(data)),
            Self::Sha384 => DigestValue::new(&Sha384::digest(data)),
            Self::Sha512 => DigestValue::new(&Sha512::digest(data)),
        }
    }

    /// A digest over data that comes in pieces.
    pub fn hasher(self) -> Hasher {
        Hasher(match self {
            Self::Sha1 => State::Sha1(Sha1::new()),
            Self::Sha256 => State::Sha256(Sha256::new()),
            Self::Sha384 => State::Sha384(Sha384::new()),
            Self::Sha512 => State::Sha512(Sha512::new()),
        })
    }
}

/// SHA-1 of `data`.
pub fn sha1(data: &[u8]) -> [u8; 20] {
    Sha1::digest(data).into()
}

/// SHA-256 of `data`.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// A digest under way.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// The digest of all data added.
    pub fn finish(self) -> DigestValue {
        match self.0 {
            State::Sha1(state) => DigestValue::new(&state.finalize()),
            State::Sha256(state) => DigestValue::new(&state.finalize()),
            State::Sha384(state) => DigestValue::new(&state.finalize()),
            State::Sha512(state) => DigestValue::new(&state.finalize()),
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// A digest or a MAC: up to 64 bytes, without allocation. Equality is in constant time.
#[derive(Clone, Copy)]
pub struct DigestValue {
    bytes: [u8; 64],
    len: u8,
}

impl DigestValue {
    pub(crate) fn new(value: &[u8]) -> Self {
        let mut bytes = [0; 64];
        bytes[..value.len()].copy_from_slice(value);
        Self { bytes, len: value.len() as u8 }
    }

    /// A digest that came from elsewhere, to be compared with one of our own. None for more than 64 bytes, which no algorithm makes.
    pub fn from_slice(value: &[u8]) -> Option<Self> {
        (value.len() <= 64).then(|| Self::new(value))
    }

    /// The bytes of the digest.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl AsRef<[u8]> for DigestValue {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for DigestValue {
    fn eq(&self, other: &Self) -> bool {
        *self == *other.as_bytes()
    }
}

impl Eq for DigestValue {}

impl PartialEq<[u8]> for DigestValue {
    fn eq(&self, other: &[u8]) -> bool {
        crate::constant_time_eq(self.as_bytes(), other)
    }
}

impl fmt::Debug for DigestValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestValue(")?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // FIPS 180-4, message "abc".
    const ABC: [(DigestAlgorithm, &str); 4] = [
        (DigestAlgorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (DigestAlgorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            DigestAlgorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            DigestAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn known_answers_in_one_call_and_in_pieces() {
        for (algorithm, hex) in ABC {
            let value = algorithm.digest(b"abc");
            assert_eq!(format!("{value:?}"), format!("DigestValue({hex})"));
            assert_eq!(value.as_bytes().len(), algorithm.output_len());
            let mut hasher = algorithm.hasher();
            hasher.update(b"a");
            hasher.update(b"");
            hasher.update(b"bc");
            assert_eq!(hasher.finish(), value);
            assert_ne!(algorithm.digest(b"abd"), value);
        }
        assert_eq!(DigestAlgorithm::Sha1.digest(b"abc"), sha1(b"abc")[..]);
        assert_eq!(DigestAlgorithm::Sha256.digest(b"abc"), sha256(b"abc")[..]);
    }
}
