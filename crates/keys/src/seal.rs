//! AES-256-GCM for session tokens.

use crate::{Error, SymmetricKey};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;

/// Length of the nonce in bytes.
pub const NONCE_LEN: usize = 12;
/// Length of the authentication tag in bytes.
pub const TAG_LEN: usize = 16;

/// AES-256-GCM with its key schedule computed: what session tokens are sealed with.
///
/// The caller chooses the nonce: fresh random bytes for each message. A nonce used twice under one key breaks the key;
/// with random ones, one key is good for 2^32 messages (NIST SP 800-38D), which a [`KeyRing`](crate::KeyRing) counts.
///
/// ```
/// use handstamp_keys::{Aes256Gcm, SecureRandom, SymmetricKey, SystemRandom};
///
/// let key = Aes256Gcm::new(&SymmetricKey::generate(32, &SystemRandom)?)?;
/// let mut nonce = [0; 12];
/// SystemRandom.fill(&mut nonce)?;
/// let mut message = b"hello".to_vec();
/// key.seal_in_place(&nonce, b"context", &mut message)?;
/// assert_eq!(key.open_in_place(&nonce, b"context", &mut message)?, b"hello");
/// # Ok::<(), handstamp_keys::Error>(())
/// ```
pub struct Aes256Gcm(LessSafeKey);

impl Aes256Gcm {
    /// Expands a key of 32 bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] for another length.
    pub fn new(key: &SymmetricKey) -> Result<Self, Error> {
        let key = UnboundKey::new(&AES_256_GCM, key.as_bytes())
            .map_err(|_| Error::Misuse("AES-256-GCM takes a key of 32 bytes"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Encrypts `message` and appends the tag. Allocates only if the vector has no room for [`TAG_LEN`] more bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the message is longer than GCM allows (64 GiB).
    pub fn seal_in_place(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], message: &mut Vec<u8>) -> Result<(), Error> {
        let tag = self.seal_separate_tag(nonce, aad, message)?;
        message.extend_from_slice(&tag);
        Ok(())
    }

    /// Encrypts `message`, which may be a part of a larger buffer, and returns the tag.
    ///
    /// # Errors
    /// As [`Self::seal_in_place`].
    pub fn seal_separate_tag(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        message: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Error> {
        let tag = self
            .0
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), message)
            .map_err(|_| Error::Misuse("AES-GCM seals at most 64 GiB in one message"))?;
        tag.as_ref().try_into().map_err(|_| Error::Misuse("an AES-GCM tag is 16 bytes"))
    }

    /// Checks and decrypts `sealed` (ciphertext and tag) in place, and returns the plaintext, which is its beginning.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] when key, nonce, associated data, ciphertext or tag differ from what was sealed. What `sealed`
    /// then holds is unspecified and is not plaintext.
    pub fn open_in_place<'a>(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        self.0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), sealed)
            .map_err(|_| Error::Unauthentic)
    }
}

impl fmt::Debug for Aes256Gcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Aes256Gcm")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;

    fn key(hex_key: &str) -> Aes256Gcm {
        Aes256Gcm::new(&SymmetricKey::from(hex(hex_key))).expect("32 bytes")
    }

    // McGrew and Viega, "The Galois/Counter Mode of Operation", test case 16.
    #[test]
    fn the_published_answer_both_ways() {
        let key = key("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce: [u8; 12] = hex("cafebabefacedbaddecaf888").try_into().expect("12 bytes");
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plaintext = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
        let mut message = plaintext.clone();
        key.seal_in_place(&nonce, &aad, &mut message).expect("short");
        assert_eq!(
            message,
            hex("522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b")
        );
        assert_eq!(key.open_in_place(&nonce, &aad, &mut message).expect("authentic"), plaintext);
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_refused() {
        let key = key(&"00".repeat(32));
        let mut sealed = b"a token".to_vec();
        key.seal_in_place(&[1; 12], b"aad", &mut sealed).expect("short");
        for bit in 0..sealed.len() * 8 {
            let mut other = sealed.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(key.open_in_place(&[1; 12], b"aad", &mut other), Err(Error::Unauthentic)));
        }
        for length in 0..sealed.len() {
            assert!(key.open_in_place(&[1; 12], b"aad", &mut sealed[..length].to_vec()).is_err());
        }
        assert!(key.open_in_place(&[2; 12], b"aad", &mut sealed.clone()).is_err());
        assert!(key.open_in_place(&[1; 12], b"aae", &mut sealed.clone()).is_err());
        assert!(key.open_in_place(&[1; 12], b"aad", &mut sealed).is_ok());
    }

    #[test]
    fn only_32_byte_keys() {
        for length in [0, 16, 24, 31, 33] {
            assert!(matches!(Aes256Gcm::new(&SymmetricKey::from(vec![0; length])), Err(Error::Misuse(_))));
        }
    }
}
