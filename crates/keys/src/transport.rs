//! Keys encrypted with RSA: OAEP, and PKCS#1 v1.5 in a form that gives nothing away.

use crate::bridge::RsaPadding;
use crate::{DigestAlgorithm, Error, KeyKind, PrivateKey, PublicKey, SymmetricKey, derivation};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// RSA-OAEP (RFC 8017) with its parameters.
///
/// The default, SHA-1 twice and no label, is what `rsa-oaep-mgf1p` means where nothing else is said, and what all algorithm
/// suites of WCF use. SHA-1 is not a weakness here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oaep<'a> {
    /// The digest of the label.
    pub digest: DigestAlgorithm,
    /// The digest of the mask generation function MGF1.
    pub mgf1: DigestAlgorithm,
    /// The label, `OAEPParams` in XML encryption; usually empty.
    pub label: &'a [u8],
}

impl Default for Oaep<'_> {
    fn default() -> Self {
        Self { digest: DigestAlgorithm::Sha1, mgf1: DigestAlgorithm::Sha1, label: &[] }
    }
}

impl Oaep<'_> {
    /// Encrypts a key.
    ///
    /// # Errors
    /// [`Error::Misuse`] when `recipient` is no RSA key, or too short for this key and these digests.
    pub fn encrypt(&self, recipient: &PublicKey, key: &SymmetricKey) -> Result<Vec<u8>, Error> {
        encrypt(self.padding(), recipient, key)
    }

    /// Decrypts a key.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] for everything that can be wrong with the ciphertext; [`Error::Misuse`] when `recipient` is no
    /// RSA key.
    pub fn decrypt(&self, recipient: &PrivateKey, ciphertext: &[u8]) -> Result<SymmetricKey, Error> {
        only_rsa(recipient.kind())?;
        let key = recipient.pkey().rsa_decrypt(self.padding(), ciphertext).map_err(|_| Error::Unauthentic)?;
        Ok(SymmetricKey::from_bytes(&key))
    }

    fn padding(&self) -> RsaPadding<'_> {
        RsaPadding::Oaep { digest: self.digest, mgf1: self.mgf1, label: self.label }
    }
}

/// RSA with PKCS#1 v1.5 encryption padding: for peers that demand it only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RsaPkcs1;

impl RsaPkcs1 {
    /// Encrypts a key.
    ///
    /// # Errors
    /// [`Error::Misuse`] when `recipient` is no RSA key, or too short for this key.
    pub fn encrypt(&self, recipient: &PublicKey, key: &SymmetricKey) -> Result<Vec<u8>, Error> {
        encrypt(RsaPadding::Pkcs1, recipient, key)
    }

    /// Decrypts a key of a length that is known beforehand, from the algorithm that the key is for.
    ///
    /// A malformed ciphertext is no error: it gives another key, and whatever is decrypted or verified with that fails later.
    /// So there is no answer, and no time, that tells a well-formed ciphertext from a malformed one (Bleichenbacher's attack).
    /// The other key is a pseudorandom function of private key and ciphertext: the same question gets the same answer, as for
    /// a well-formed ciphertext.
    ///
    /// # Errors
    /// [`Error::Misuse`] when `recipient` is no RSA key, or too short for keys of this length.
    pub fn decrypt(&self, recipient: &PrivateKey, ciphertext: &[u8], key_len: usize) -> Result<SymmetricKey, Error> {
        const TOO_LONG: Error = Error::Misuse("the RSA key is too short to transport a key of this length");
        let bits = only_rsa(recipient.kind())?;
        let block_len = bits.div_ceil(8) as usize;
        // 00 02, at least eight bytes of filler other than 00, 00, the key.
        let filler_len = block_len.checked_sub(key_len + 3).filter(|length| *length >= 8).ok_or(TOO_LONG)?;

        let mut key = Zeroizing::new(vec![0; key_len]);
        derivation::hkdf_sha256(recipient.rejection_secret(), ciphertext, b"RSA-1.5 implicit rejection", &mut key)?;
        let decrypted = recipient.pkey().rsa_decrypt(RsaPadding::None, ciphertext);
        // Fails for ciphertexts that are no number below the modulus, as everybody can see. Then this all-zero block is refused.
        let block = decrypted.unwrap_or_else(|_| Zeroizing::new(vec![0; block_len]));
        let [first, second, rest @ ..] = block.as_slice() else { return Err(TOO_LONG) };
        let (filler, rest) = rest.split_at_checked(filler_len).ok_or(TOO_LONG)?;
        let [end, message @ ..] = rest else { return Err(TOO_LONG) };
        let frame: Choice = first.ct_eq(&0) & second.ct_eq(&2) & end.ct_eq(&0);
        let well_formed = filler.iter().fold(frame, |so_far, byte| so_far & !byte.ct_eq(&0));
        for (byte, sent) in key.iter_mut().zip(message) {
            byte.conditional_assign(sent, well_formed);
        }
        Ok(SymmetricKey::from_bytes(&key))
    }
}

fn encrypt(padding: RsaPadding<'_>, recipient: &PublicKey, key: &SymmetricKey) -> Result<Vec<u8>, Error> {
    only_rsa(recipient.kind())?;
    recipient
        .pkey()
        .rsa_encrypt(padding, key.as_bytes())
        .map_err(|_| Error::Misuse("the RSA key is too short to transport a key of this length"))
}

fn only_rsa(kind: KeyKind) -> Result<u32, Error> {
    match kind {
        KeyKind::Rsa { bits } => Ok(bits),
        KeyKind::Ec(_) => Err(Error::Misuse("only RSA keys transport keys")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    static RECIPIENT: LazyLock<PrivateKey> =
        LazyLock::new(|| PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).expect("random bytes"));

    /// Encrypts a chosen block: what RSA would see of any padding, well-formed or not.
    fn encrypt_block(block: &[u8]) -> Vec<u8> {
        assert_eq!(block.len(), 256);
        RECIPIENT.public_key().pkey().rsa_encrypt(RsaPadding::None, block).expect("below the modulus")
    }

    fn block(filler: &[u8], key: &[u8]) -> Vec<u8> {
        [&[0, 2], filler, &[0], key].concat()
    }

    #[test]
    fn rsa15_gives_the_key_that_was_sent() {
        let sent = SymmetricKey::from(vec![7; 32]);
        let ciphertext = RsaPkcs1.encrypt(RECIPIENT.public_key(), &sent).expect("fits");
        assert_eq!(RsaPkcs1.decrypt(&RECIPIENT, &ciphertext, 32).expect("RSA"), sent);
        let by_hand = encrypt_block(&block(&[0xff; 221], &[7; 32]));
        assert_eq!(RsaPkcs1.decrypt(&RECIPIENT, &by_hand, 32).expect("RSA"), sent);
        let empty = encrypt_block(&block(&[1; 253], &[]));
        assert_eq!(RsaPkcs1.decrypt(&RECIPIENT, &empty, 0).expect("RSA").len(), 0);
    }

    #[test]
    fn rsa15_answers_malformed_blocks_with_a_steady_other_key() {
        let key = [7; 32];
        let mut malformed = vec![
            [&[1, 2][..], &[0xff; 221], &[0], &key].concat(),
            [&[0, 1][..], &[0xff; 221], &[0], &key].concat(),
            [&[0, 2][..], &[0xff; 221], &[1], &key].concat(),
            // A key of another length than expected.
            block(&[0xff; 222], &key[..31]),
            block(&[0xff; 220], &[7; 33]),
            vec![0; 256],
        ];
        // A zero anywhere in the filler, also in its last place.
        for at in [0, 1, 7, 8, 100, 220] {
            let mut filler = [0xff; 221];
            filler[at] = 0;
            malformed.push(block(&filler, &key));
        }
        // 01 as the first byte must stay below the modulus.
        malformed[0][1] = 0;
        let mut answers = Vec::new();
        for ciphertext in malformed.iter().map(|block| encrypt_block(block)) {
            let answer = RsaPkcs1.decrypt(&RECIPIENT, &ciphertext, 32).expect("no error tells");
            assert_eq!(answer, RsaPkcs1.decrypt(&RECIPIENT, &ciphertext, 32).expect("no error tells"));
            assert_ne!(answer.as_bytes(), key);
            assert_ne!(answer.as_bytes(), [0; 32]);
            assert!(!answers.contains(&answer));
            answers.push(answer);
        }
    }

    #[test]
    fn rsa15_answers_what_is_no_ciphertext_alike() {
        for ciphertext in [vec![], vec![1; 255], vec![0xff; 256], vec![1; 257]] {
            assert_eq!(RsaPkcs1.decrypt(&RECIPIENT, &ciphertext, 24).expect("no error tells").len(), 24);
        }
        assert!(matches!(RsaPkcs1.decrypt(&RECIPIENT, &[1; 256], 246), Err(Error::Misuse(_))));
        assert!(RsaPkcs1.decrypt(&RECIPIENT, &[1; 256], 245).is_ok());
    }

    #[test]
    fn oaep_with_every_pair_of_digests_and_labels() {
        use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
        let sent = SymmetricKey::from(vec![7; 32]);
        for digest in [Sha1, Sha256, Sha384, Sha512] {
            for mgf1 in [Sha1, Sha256, Sha384, Sha512] {
                for label in [&b""[..], b"label"] {
                    let oaep = Oaep { digest, mgf1, label };
                    let ciphertext = oaep.encrypt(RECIPIENT.public_key(), &sent).expect("fits");
                    assert_eq!(oaep.decrypt(&RECIPIENT, &ciphertext).expect("ours"), sent);
                    let others = [
                        Oaep { digest: if digest == Sha1 { Sha256 } else { Sha1 }, ..oaep },
                        Oaep { mgf1: if mgf1 == Sha1 { Sha256 } else { Sha1 }, ..oaep },
                        Oaep { label: b"labe", ..oaep },
                    ];
                    for other in others {
                        assert!(matches!(other.decrypt(&RECIPIENT, &ciphertext), Err(Error::Unauthentic)));
                    }
                }
            }
        }
    }

    /// An OAEP block by hand (RFC 8017, 7.1.1), with SHA-1: the negatives must differ from the positive in one thing only.
    fn oaep_block(first: u8, label_hash: [u8; 20], separator: &[u8], key: &[u8]) -> Vec<u8> {
        let mgf = |seed: &[u8], length: usize| -> Vec<u8> {
            let blocks = (0u32..).flat_map(|i| crate::sha1(&[seed, &i.to_be_bytes()].concat()));
            blocks.take(length).collect()
        };
        let xor = |a: &[u8], b: &[u8]| -> Vec<u8> { a.iter().zip(b).map(|(a, b)| a ^ b).collect() };
        let padding = vec![0; 256 - 1 - 20 - 20 - separator.len() - key.len()];
        let data = [&label_hash[..], &padding, separator, key].concat();
        let seed = [0x42; 20];
        let masked = xor(&data, &mgf(&seed, data.len()));
        let masked_seed = xor(&seed, &mgf(&masked, 20));
        [&[first][..], &masked_seed, &masked].concat()
    }

    #[test]
    fn oaep_refuses_every_malformed_block_alike() {
        let open = |block: &[u8]| Oaep::default().decrypt(&RECIPIENT, &encrypt_block(block));
        let empty = crate::sha1(b"");
        assert_eq!(open(&oaep_block(0, empty, &[1], &[7; 16])).expect("well-formed").as_bytes(), [7; 16]);
        assert_eq!(open(&oaep_block(0, empty, &[1], &[])).expect("well-formed").len(), 0);
        let mut last = empty;
        last[19] ^= 1;
        for wrong in [
            oaep_block(0, last, &[1], &[7; 16]),
            oaep_block(0, crate::sha1(b"x"), &[1], &[7; 16]),
            oaep_block(0, empty, &[2], &[7; 16]),
            oaep_block(0, empty, &[0xff, 1], &[7; 16]),
            oaep_block(0, empty, &[0], &[0; 16]),
            oaep_block(1, empty, &[1], &[7; 16]),
        ] {
            // The first byte 01 may exceed the modulus; then it is no block to encrypt.
            let Ok(ciphertext) = RECIPIENT.public_key().pkey().rsa_encrypt(RsaPadding::None, &wrong) else { continue };
            assert!(matches!(Oaep::default().decrypt(&RECIPIENT, &ciphertext), Err(Error::Unauthentic)));
        }
        for ciphertext in [vec![], vec![1; 255], vec![0xff; 256], vec![0; 256], vec![1; 257]] {
            assert!(matches!(Oaep::default().decrypt(&RECIPIENT, &ciphertext), Err(Error::Unauthentic)));
        }
    }

    #[test]
    fn keys_too_long_and_other_kinds_of_keys_are_misuse() {
        let long = SymmetricKey::from(vec![1; 250]);
        assert!(matches!(Oaep::default().encrypt(RECIPIENT.public_key(), &long), Err(Error::Misuse(_))));
        assert!(matches!(RsaPkcs1.encrypt(RECIPIENT.public_key(), &long), Err(Error::Misuse(_))));
        let ec = PrivateKey::generate(KeyKind::Ec(crate::Curve::P256)).expect("random bytes");
        assert!(matches!(Oaep::default().decrypt(&ec, &[1; 64]), Err(Error::Misuse(_))));
        assert!(matches!(RsaPkcs1.decrypt(&ec, &[1; 64], 16), Err(Error::Misuse(_))));
        assert!(matches!(RsaPkcs1.encrypt(ec.public_key(), &long), Err(Error::Misuse(_))));
    }
}
