//! Keys encrypted with keys: AES key wrap (RFC 3394) and Triple DES key wrap (RFC 3217), as XML encryption uses them.

use crate::bridge::{self, BlockCipher, Direction};
use crate::{Error, SecureRandom, SymmetricKey, constant_time_eq, digest};
use zeroize::Zeroizing;

/// Key wrap algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyWrap {
    /// AES with a key of 16 bytes.
    Aes128,
    /// AES with a key of 24 bytes.
    Aes192,
    /// AES with a key of 32 bytes.
    Aes256,
    /// Triple DES with a key of 24 bytes. For peers of the time only.
    TripleDes,
}

impl KeyWrap {
    /// Length of the wrapping key in bytes.
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 | Self::TripleDes => 24,
            Self::Aes256 => 32,
        }
    }

    /// Encrypts `key` with `wrapping_key`. Only Triple DES draws random bytes.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a key has a wrong length (wrapped keys are 16 bytes or more, in multiples of 8),
    /// [`Error::RandomUnavailable`].
    pub fn wrap(
        self,
        wrapping_key: &SymmetricKey,
        key: &SymmetricKey,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        const WRONG: Error =
            Error::Misuse("key wrap takes the algorithm's key length, and keys from 16 bytes on in multiples of 8");
        if wrapping_key.len() != self.key_len() || key.len() < 16 || key.len() > MAX_LEN || !key.len().is_multiple_of(8)
        {
            return Err(WRONG);
        }
        if self == Self::TripleDes {
            return wrap_with_triple_des(wrapping_key, key, random)?.ok_or(WRONG);
        }
        let mut out = vec![0; key.len() + 8];
        bridge::aes_key_wrap(wrapping_key.as_bytes(), Direction::Encrypt, key.as_bytes(), &mut out)
            .map_err(|_| WRONG)?;
        Ok(out)
    }

    /// Decrypts a wrapped key and checks its integrity.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for everything that can be wrong.
    pub fn unwrap(self, wrapping_key: &SymmetricKey, wrapped: &[u8]) -> Result<SymmetricKey, Error> {
        if wrapping_key.len() != self.key_len() || wrapped.len() > MAX_LEN + 16 {
            return Err(Error::Unauthentic);
        }
        if self == Self::TripleDes {
            return unwrap_with_triple_des(wrapping_key, wrapped).ok_or(Error::Unauthentic);
        }
        let length = wrapped.len().checked_sub(8).ok_or(Error::Unauthentic)?;
        let mut out = Zeroizing::new(vec![0; length]);
        bridge::aes_key_wrap(wrapping_key.as_bytes(), Direction::Decrypt, wrapped, &mut out)
            .map_err(|_| Error::Unauthentic)?;
        Ok(SymmetricKey::from_bytes(&out))
    }
}

/// Encrypts key and checksum, puts the IV before, reverses all, and encrypts again.
fn wrap_with_triple_des(
    wrapping_key: &SymmetricKey,
    key: &SymmetricKey,
    random: &dyn SecureRandom,
) -> Result<Option<Vec<u8>>, Error> {
    let mut iv = [0; 8];
    random.fill(&mut iv)?;
    let mut out = Vec::with_capacity(key.len() + 16);
    out.extend_from_slice(&iv);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&digest::sha1(key.as_bytes())[..8]);
    let pass = |iv: &[u8], data: &mut [u8]| {
        bridge::cbc(BlockCipher::TripleDes, Direction::Encrypt, wrapping_key.as_bytes(), iv, data).ok()
    };
    let done = pass(&iv, &mut out[8..]);
    out.reverse();
    Ok(done.and_then(|()| pass(&OUTER_IV, &mut out)).map(|()| out))
}

fn unwrap_with_triple_des(wrapping_key: &SymmetricKey, wrapped: &[u8]) -> Option<SymmetricKey> {
    let mut data = Zeroizing::new(wrapped.to_vec());
    let pass = |iv: &[u8], data: &mut [u8]| {
        bridge::cbc(BlockCipher::TripleDes, Direction::Decrypt, wrapping_key.as_bytes(), iv, data).ok()
    };
    pass(&OUTER_IV, &mut data)?;
    data.reverse();
    let (iv, inner) = data.split_at_mut_checked(8)?;
    pass(iv, inner)?;
    let (key, checksum) = inner.split_at_checked(inner.len().checked_sub(8)?)?;
    let right = key.len() >= 16 && constant_time_eq(&digest::sha1(key)[..8], checksum);
    right.then(|| SymmetricKey::from_bytes(key))
}

/// RFC 3217's fixed IV of the outer encryption.
const OUTER_IV: [u8; 8] = [0x4a, 0xdd, 0xa2, 0x2c, 0x79, 0xe8, 0x21, 0x05];
/// No key is longer.
const MAX_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DeterministicRandom;
    use crate::test_support::hex;

    const ALL: [KeyWrap; 4] = [KeyWrap::Aes128, KeyWrap::Aes192, KeyWrap::Aes256, KeyWrap::TripleDes];

    fn key(digits: &str) -> SymmetricKey {
        SymmetricKey::from(hex(digits))
    }

    #[test]
    fn aes_answers_of_rfc_3394() {
        let random = DeterministicRandom::new(1);
        let kek = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let data = "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f";
        for (algorithm, length, expected) in [
            (KeyWrap::Aes128, 16, "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"),
            (KeyWrap::Aes192, 16, "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d"),
            (KeyWrap::Aes256, 16, "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7"),
            (KeyWrap::Aes192, 24, "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2"),
            (KeyWrap::Aes256, 24, "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1"),
            (KeyWrap::Aes256, 32, "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21"),
        ] {
            let kek = key(&kek[..2 * algorithm.key_len()]);
            let data = key(&data[..2 * length]);
            let wrapped = algorithm.wrap(&kek, &data, &random).expect("right lengths");
            assert_eq!(wrapped, hex(expected));
            assert_eq!(algorithm.unwrap(&kek, &wrapped).expect("ours"), data);
        }
    }

    #[test]
    fn the_triple_des_answer_of_rfc_3217() {
        struct TheIv;
        impl SecureRandom for TheIv {
            fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
                out.copy_from_slice(&hex("5dd4cbfc96f5453b"));
                Ok(())
            }
        }
        let kek = key("255e0d1c07b646dfb3134cc843ba8aa71f025b7c0838251f");
        let data = key("2923bf85e06dd6ae529149f1f1bae9eab3a7da3d860d3e98");
        let wrapped = KeyWrap::TripleDes.wrap(&kek, &data, &TheIv).expect("right lengths");
        assert_eq!(wrapped, hex("690107618ef092b3b48ca1796b234ae9fa33ebb4159604037db5d6a84eb3aac2768c632775a467d4"));
        assert_eq!(KeyWrap::TripleDes.unwrap(&kek, &wrapped).expect("ours"), data);
    }

    #[test]
    fn what_was_changed_is_refused() {
        let random = DeterministicRandom::new(1);
        for algorithm in ALL {
            let kek = SymmetricKey::generate(algorithm.key_len(), &random).expect("deterministic");
            let wrapped = algorithm.wrap(&kek, &key(&"ab".repeat(24)), &random).expect("right lengths");
            for bit in 0..wrapped.len() * 8 {
                let mut other = wrapped.clone();
                other[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(algorithm.unwrap(&kek, &other), Err(Error::Unauthentic)), "{algorithm:?} {bit}");
            }
            for length in 0..wrapped.len() {
                assert!(algorithm.unwrap(&kek, &wrapped[..length]).is_err(), "{algorithm:?} {length}");
            }
            assert!(algorithm.unwrap(&key("00"), &wrapped).is_err());
            assert!(algorithm.unwrap(&kek, &vec![0; 4096]).is_err());
        }
    }

    #[test]
    fn wrong_lengths_are_misuse() {
        let random = DeterministicRandom::new(1);
        for algorithm in ALL {
            let kek = SymmetricKey::generate(algorithm.key_len(), &random).expect("deterministic");
            for length in [0, 8, 17, 1032] {
                let data = SymmetricKey::from(vec![0; length]);
                assert!(matches!(algorithm.wrap(&kek, &data, &random), Err(Error::Misuse(_))));
            }
            assert!(matches!(algorithm.wrap(&key("00"), &kek, &random), Err(Error::Misuse(_))));
        }
    }
}
