//! Block encryption as XML encryption and the machine key use it, with explicit keys and initialization vectors.
//!
//! CBC authenticates nothing. Decrypt only what a signature or MAC has vouched for, or what policy allows regardless, and
//! answer all failures alike: a reader that tells bad padding from bad content decrypts for anyone who asks often enough.

use crate::bridge::{self, BlockCipher, Direction};
use crate::{Error, SymmetricKey, seal};
use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use std::fmt;
use std::ops::{Deref, Range};

/// Block ciphers in CBC mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CbcAlgorithm {
    /// AES with a key of 16 bytes.
    Aes128,
    /// AES with a key of 24 bytes.
    Aes192,
    /// AES with a key of 32 bytes.
    Aes256,
    /// Triple DES with a key of 24 bytes, whose parity bits are ignored. For peers of the time only.
    TripleDes,
}

/// How a message is brought to whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Padding {
    /// Not at all: the message has whole blocks.
    None,
    /// 1 to a block's length of bytes, each holding their number. All of them are checked on decryption.
    Pkcs7,
    /// As XML encryption says (and ISO 10126): the last byte holds the number, the others hold anything. On decryption the
    /// last byte alone is read; encryption writes the PKCS#7 form, which every reader of both accepts.
    Iso10126,
}

impl CbcAlgorithm {
    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        self.cipher().key_len()
    }

    /// Length of a block, and of the initialization vector, in bytes.
    pub const fn block_len(self) -> usize {
        self.cipher().block_len()
    }

    /// Pads and encrypts `message` in place.
    ///
    /// The initialization vector is fresh random bytes; it travels with the message.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a key or IV of the wrong length, for [`Padding::None`] with an incomplete block, and for messages of
    /// 2 GiB and more.
    pub fn encrypt(self, key: &SymmetricKey, iv: &[u8], padding: Padding, message: &mut Vec<u8>) -> Result<(), Error> {
        self.encrypt_from(0, key, iv, padding, message)
    }

    /// Encrypts a message, and puts its initialization vector before it: fresh random bytes.
    ///
    /// # Errors
    /// As [`Self::encrypt`].
    pub fn encrypt_message(
        self,
        key: &SymmetricKey,
        iv: &[u8],
        padding: Padding,
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let mut sealed = Vec::with_capacity(iv.len() + message.len() + self.block_len());
        sealed.extend_from_slice(iv);
        sealed.extend_from_slice(message);
        self.encrypt_from(iv.len(), key, iv, padding, &mut sealed)?;
        Ok(sealed)
    }

    fn encrypt_from(
        self,
        start: usize,
        key: &SymmetricKey,
        iv: &[u8],
        padding: Padding,
        message: &mut Vec<u8>,
    ) -> Result<(), Error> {
        if padding != Padding::None {
            let count = self.block_len() - (message.len() - start) % self.block_len();
            message.resize(message.len() + count, count as u8);
        }
        bridge::cbc(self.cipher(), Direction::Encrypt, key.as_bytes(), iv, &mut message[start..])
            .map_err(|_| Error::Misuse("CBC takes the algorithm's key length, an IV of one block, and whole blocks"))
    }

    /// Decrypts `message` in place and returns it without its padding.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for everything that can be wrong.
    pub fn decrypt<'a>(
        self,
        key: &SymmetricKey,
        iv: &[u8],
        padding: Padding,
        message: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        bridge::cbc(self.cipher(), Direction::Decrypt, key.as_bytes(), iv, message).map_err(|_| Error::Unauthentic)?;
        if padding == Padding::None {
            return Ok(message);
        }
        let count = message.last().copied().map_or(0, usize::from);
        let length = message.len().checked_sub(count).ok_or(Error::Unauthentic)?;
        let (plaintext, filler) = message.split_at_mut_checked(length).ok_or(Error::Unauthentic)?;
        let uniform = padding != Padding::Pkcs7 || filler.iter().all(|byte| usize::from(*byte) == count);
        if (1..=self.block_len()).contains(&count) && uniform { Ok(plaintext) } else { Err(Error::Unauthentic) }
    }

    /// Decrypts a message that its initialization vector precedes.
    ///
    /// # Errors
    /// As [`Self::decrypt`].
    pub fn decrypt_message(self, key: &SymmetricKey, padding: Padding, message: Vec<u8>) -> Result<Plaintext, Error> {
        Plaintext::of(message, |message| {
            let (iv, body) = message.split_at_mut_checked(self.block_len()).ok_or(Error::Unauthentic)?;
            let length = self.decrypt(key, iv, padding, body)?.len();
            Ok(iv.len()..iv.len() + length)
        })
    }

    const fn cipher(self) -> BlockCipher {
        match self {
            Self::Aes128 => BlockCipher::Aes128,
            Self::Aes192 => BlockCipher::Aes192,
            Self::Aes256 => BlockCipher::Aes256,
            Self::TripleDes => BlockCipher::TripleDes,
        }
    }
}

/// AES in Galois/Counter Mode, with a nonce of 12 bytes and a tag of 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GcmAlgorithm {
    /// A key of 16 bytes.
    Aes128,
    /// A key of 24 bytes.
    Aes192,
    /// A key of 32 bytes.
    Aes256,
}

impl GcmAlgorithm {
    /// Length of the key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    /// Encrypts a message, and puts its nonce before it and the tag behind it.
    ///
    /// # Errors
    /// [`Error::Misuse`] for a key of the wrong length and for messages above 64 GiB.
    pub fn seal_message(
        self,
        key: &SymmetricKey,
        nonce: &[u8; seal::NONCE_LEN],
        aad: &[u8],
        message: &[u8],
    ) -> Result<Vec<u8>, Error> {
        const WRONG: Error = Error::Misuse("AES-GCM takes the algorithm's key length and at most 64 GiB");
        let mut sealed = Vec::with_capacity(nonce.len() + message.len() + TAG_LEN);
        sealed.extend_from_slice(nonce);
        sealed.extend_from_slice(message);
        let tag = self
            .key(key)
            .ok_or(WRONG)?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(aad),
                &mut sealed[nonce.len()..],
            )
            .map_err(|_| WRONG)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Checks and decrypts `sealed` (ciphertext and tag) in place and returns the plaintext.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for everything that can be wrong.
    pub fn open<'a>(
        self,
        key: &SymmetricKey,
        nonce: &[u8; seal::NONCE_LEN],
        aad: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], Error> {
        self.key(key)
            .ok_or(Error::Unauthentic)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), sealed)
            .map_err(|_| Error::Unauthentic)
    }

    /// Checks and decrypts a message that its nonce precedes and its tag follows.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for everything that can be wrong.
    pub fn open_message(self, key: &SymmetricKey, aad: &[u8], message: Vec<u8>) -> Result<Plaintext, Error> {
        Plaintext::of(message, |message| {
            let (nonce, sealed) = message.split_first_chunk_mut().ok_or(Error::Unauthentic)?;
            let length = self.open(key, nonce, aad, sealed)?.len();
            Ok(nonce.len()..nonce.len() + length)
        })
    }

    fn key(self, key: &SymmetricKey) -> Option<LessSafeKey> {
        let algorithm = match self {
            Self::Aes128 => &aead::AES_128_GCM,
            Self::Aes192 => &aead::AES_192_GCM,
            Self::Aes256 => &aead::AES_256_GCM,
        };
        UnboundKey::new(algorithm, key.as_bytes()).ok().map(LessSafeKey::new)
    }
}

/// Length of the tag of AES-GCM in bytes.
const TAG_LEN: usize = 16;

/// What a message was decrypted to, in the memory that held the message: wiped on drop, never printed.
pub struct Plaintext {
    message: Vec<u8>,
    range: Range<usize>,
}

impl Plaintext {
    fn of(message: Vec<u8>, decrypt: impl FnOnce(&mut [u8]) -> Result<Range<usize>, Error>) -> Result<Self, Error> {
        // From here on it is wiped, also when decryption fails half way.
        let mut plaintext = Self { message, range: 0..0 };
        plaintext.range = decrypt(&mut plaintext.message)?;
        Ok(plaintext)
    }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.message.get(self.range.clone()).unwrap_or_default()
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        bridge::cleanse(&mut self.message);
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plaintext({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::hex;
    use proptest::prelude::*;

    const ALL: [CbcAlgorithm; 4] =
        [CbcAlgorithm::Aes128, CbcAlgorithm::Aes192, CbcAlgorithm::Aes256, CbcAlgorithm::TripleDes];

    // NIST SP 800-38A, F.2.1, F.2.3 and F.2.5: first block; SP 800-67's Triple DES in CBC with a zero IV is its ECB example.
    #[test]
    fn published_answers() {
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let block = hex("6bc1bee22e409f96e93d7e117393172a");
        for (algorithm, key, expected) in [
            (CbcAlgorithm::Aes128, "2b7e151628aed2a6abf7158809cf4f3c", "7649abac8119b246cee98e9b12e9197d"),
            (
                CbcAlgorithm::Aes192,
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "4f021db243bc633d7178183a9fa071e8",
            ),
            (
                CbcAlgorithm::Aes256,
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd6",
            ),
        ] {
            let key = SymmetricKey::from(hex(key));
            let mut message = block.clone();
            algorithm.encrypt(&key, &iv, Padding::None, &mut message).expect("whole blocks");
            assert_eq!(message, hex(expected));
            assert_eq!(algorithm.decrypt(&key, &iv, Padding::None, &mut message).expect("whole blocks"), block);
        }
        let key = SymmetricKey::from(hex("0123456789abcdef23456789abcdef01456789abcdef0123"));
        let mut message = b"The qufc".to_vec();
        CbcAlgorithm::TripleDes.encrypt(&key, &[0; 8], Padding::None, &mut message).expect("a whole block");
        assert_eq!(message, hex("a826fd8ce53b855f"));
    }

    // "The Galois/Counter Mode of Operation", test cases 4, 10 and 16: the tags.
    #[test]
    fn published_tags_of_gcm() {
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let nonce: [u8; 12] = hex("cafebabefacedbaddecaf888").try_into().expect("12 bytes");
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plaintext = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
             1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
        for (algorithm, tag) in [
            (GcmAlgorithm::Aes128, "5bc94fbc3221a5db94fae95ae7121a47"),
            (GcmAlgorithm::Aes192, "2519498e80f1478f37ba55bd6d27618c"),
            (GcmAlgorithm::Aes256, "76fc6ece0f4e1768cddf8853bb2d551b"),
        ] {
            let key = SymmetricKey::from_bytes(&key[..algorithm.key_len()]);
            let mut message =
                algorithm.seal_message(&key, &nonce, &aad, &plaintext).expect("short").split_off(nonce.len());
            assert_eq!(message[plaintext.len()..], hex(tag));
            assert!(algorithm.open(&key, &nonce, b"", &mut message.clone()).is_err());
            assert_eq!(algorithm.open(&key, &nonce, &aad, &mut message).expect("authentic"), plaintext);
            assert!(algorithm.open(&SymmetricKey::from(vec![1]), &nonce, &aad, &mut message).is_err());
            assert!(algorithm.open(&key, &nonce, &aad, &mut [0; 15]).is_err());
        }
    }

    #[test]
    fn lengths_are_checked() {
        for algorithm in ALL {
            let key = SymmetricKey::from(vec![1; algorithm.key_len()]);
            let iv = vec![2; algorithm.block_len()];
            let short = SymmetricKey::from(vec![1; algorithm.key_len() - 1]);
            let block = vec![0; algorithm.block_len()];
            assert!(matches!(algorithm.encrypt(&short, &iv, Padding::None, &mut block.clone()), Err(Error::Misuse(_))));
            assert!(matches!(
                algorithm.encrypt(&key, &iv[1..], Padding::None, &mut block.clone()),
                Err(Error::Misuse(_))
            ));
            assert!(matches!(algorithm.encrypt(&key, &iv, Padding::None, &mut vec![0; 3]), Err(Error::Misuse(_))));
            assert!(algorithm.decrypt(&key, &iv, Padding::Pkcs7, &mut []).is_err());
            assert!(algorithm.decrypt(&key, &iv, Padding::Iso10126, &mut []).is_err());
            assert!(algorithm.decrypt(&key, &iv, Padding::Pkcs7, &mut vec![0; algorithm.block_len() + 1]).is_err());
            assert!(algorithm.decrypt(&short, &iv, Padding::Pkcs7, &mut block.clone()).is_err());
        }
    }

    #[test]
    fn pkcs7_checks_all_filler_and_iso_10126_the_last_byte() {
        let (key, iv) = (SymmetricKey::from(vec![7; 16]), [9; 16]);
        let padded = |filler: &[u8]| {
            let mut message = vec![b'x'; 32 - filler.len()];
            message.extend_from_slice(filler);
            CbcAlgorithm::Aes128.encrypt(&key, &iv, Padding::None, &mut message).expect("whole blocks");
            message
        };
        let length = |padding, mut message: Vec<u8>| {
            CbcAlgorithm::Aes128.decrypt(&key, &iv, padding, &mut message).ok().map(|plaintext| plaintext.len())
        };
        assert_eq!(length(Padding::Pkcs7, padded(&[3, 3, 3])), Some(29));
        assert_eq!(length(Padding::Pkcs7, padded(&[1, 3, 3])), None);
        assert_eq!(length(Padding::Iso10126, padded(&[1, 9, 3])), Some(29));
        assert_eq!(length(Padding::Iso10126, padded(&[16])), Some(16));
        for wrong in [0, 17, 32, 255] {
            assert_eq!(length(Padding::Iso10126, padded(&[wrong])), None);
            assert_eq!(length(Padding::Pkcs7, padded(&[wrong])), None);
        }
    }

    #[test]
    fn messages_carry_their_initialization_vector_or_nonce() {
        let key = SymmetricKey::from(vec![7; 32]);
        let mut body = b"four and twenty".to_vec();
        CbcAlgorithm::Aes256.encrypt(&key, &[9; 16], Padding::Pkcs7, &mut body).expect("right lengths");
        let message = [&[9; 16][..], &body].concat();
        let together = CbcAlgorithm::Aes256.encrypt_message(&key, &[9; 16], Padding::Pkcs7, b"four and twenty");
        assert_eq!(together.expect("right lengths"), message);
        let plaintext = CbcAlgorithm::Aes256.decrypt_message(&key, Padding::Pkcs7, message.clone()).expect("ours");
        assert_eq!((&*plaintext, format!("{plaintext:?}").as_str()), (&b"four and twenty"[..], "Plaintext(15 bytes)"));
        for length in [0, 15, 16, 31] {
            let cut = message[..length].to_vec();
            assert!(CbcAlgorithm::Aes256.decrypt_message(&key, Padding::Pkcs7, cut).is_err());
        }
        let message = GcmAlgorithm::Aes256.seal_message(&key, &[9; 12], b"", b"four and twenty").expect("short");
        assert_eq!(message[..12], [9; 12]);
        assert_eq!(&*GcmAlgorithm::Aes256.open_message(&key, b"", message.clone()).expect("ours"), b"four and twenty");
        for length in [0, 11, 12, message.len() - 1] {
            assert!(GcmAlgorithm::Aes256.open_message(&key, b"", message[..length].to_vec()).is_err());
        }
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted(message: Vec<u8>, key: [u8; 32], iv: [u8; 16]) {
            for algorithm in ALL {
                let key = SymmetricKey::from_bytes(&key[..algorithm.key_len()]);
                let iv = &iv[..algorithm.block_len()];
                for padding in [Padding::Pkcs7, Padding::Iso10126] {
                    let mut sealed = message.clone();
                    algorithm.encrypt(&key, iv, padding, &mut sealed).expect("right lengths");
                    prop_assert!(sealed.len() > message.len());
                    prop_assert_eq!(&*algorithm.decrypt(&key, iv, padding, &mut sealed).expect("ours"), &message[..]);
                }
            }
        }
    }
}
