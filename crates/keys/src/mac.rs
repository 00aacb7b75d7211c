use crate::{DigestAlgorithm, DigestValue, Error};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use std::fmt;

/// An HMAC key with its two inner states computed, so that each message costs its own blocks only.
///
/// Messages under secure conversation are signed with fresh derived keys, where making the key is half of the work; keys
/// that live longer (machine keys, tickets) are made once and kept.
#[derive(Clone)]
pub struct HmacKey(State);

#[derive(Clone)]
enum State {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    Sha512(Hmac<Sha512>),
}

impl HmacKey {
    /// A key for HMAC with `algorithm`. Any length is legal; longer than the block is hashed first (RFC 2104).
    pub fn new(algorithm: DigestAlgorithm, key: &[u8]) -> Self {
        const ANY: &str = "HMAC takes keys of any length";
        Self(match algorithm {
            DigestAlgorithm::Sha1 => State::Sha1(Hmac::new_from_slice(key).expect(ANY)),
            DigestAlgorithm::Sha256 => State::Sha256(Hmac::new_from_slice(key).expect(ANY)),
            DigestAlgorithm::Sha384 => State::Sha384(Hmac::new_from_slice(key).expect(ANY)),
            DigestAlgorithm::Sha512 => State::Sha512(Hmac::new_from_slice(key).expect(ANY)),
        })
    }

    /// The MAC of `data`.
    pub fn sign(&self, data: &[u8]) -> DigestValue {
        self.sign_parts(&[data])
    }

    /// The MAC of all `parts`, one after the other.
    pub fn sign_parts(&self, parts: &[&[u8]]) -> DigestValue {
        let mut context = self.context();
        parts.iter().for_each(|part| context.update(part));
        context.finish()
    }

    /// Checks that `tag` is the whole MAC of `data`, in constant time.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] when it is not, also when it is cut short.
    pub fn verify(&self, data: &[u8], tag: &[u8]) -> Result<(), Error> {
        if self.sign(data) == *tag { Ok(()) } else { Err(Error::Unauthentic) }
    }

    /// A MAC over data that comes in pieces.
    pub fn context(&self) -> HmacContext {
        HmacContext(self.0.clone())
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey")
    }
}

/// A MAC under way.
pub struct HmacContext(State);

impl HmacContext {
    /// Adds data.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// The MAC of all data added.
    pub fn finish(self) -> DigestValue {
        match self.0 {
            State::Sha1(state) => DigestValue::new(&state.finalize().into_bytes()),
            State::Sha256(state) => DigestValue::new(&state.finalize().into_bytes()),
            State::Sha384(state) => DigestValue::new(&state.finalize().into_bytes()),
            State::Sha512(state) => DigestValue::new(&state.finalize().into_bytes()),
        }
    }
}

impl fmt::Debug for HmacContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacContext")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    // RFC 2202 (SHA-1) and RFC 4231 (SHA-2), test cases 2 and 6.
    #[test]
    fn published_answers() {
        let jefe = [
            (DigestAlgorithm::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (DigestAlgorithm::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
            (
                DigestAlgorithm::Sha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                DigestAlgorithm::Sha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                 9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        for (algorithm, expected) in jefe {
            let key = HmacKey::new(algorithm, b"Jefe");
            let tag = key.sign(b"what do ya want for nothing?");
            assert_eq!(tag.as_bytes(), hex(expected));
            assert_eq!(key.sign_parts(&[b"what do ya want ", b"", b"for nothing?"]), tag);
        }
        let long_key = HmacKey::new(DigestAlgorithm::Sha256, &[0xaa; 131]);
        assert_eq!(
            long_key.sign(b"Test Using Larger Than Block-Size Key - Hash Key First").as_bytes(),
            hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
        );
    }

    #[test]
    fn a_changed_or_shortened_tag_is_refused() {
        let key = HmacKey::new(DigestAlgorithm::Sha1, b"key");
        let tag = key.sign(b"data");
        assert!(key.verify(b"data", tag.as_bytes()).is_ok());
        for length in 0..20 {
            assert!(key.verify(b"data", &tag.as_bytes()[..length]).is_err());
        }
        for bit in 0..160 {
            let mut other = tag.as_bytes().to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(key.verify(b"data", &other), Err(Error::Unauthentic)));
        }
    }
}
