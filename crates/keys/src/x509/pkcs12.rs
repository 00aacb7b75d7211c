//! PKCS#12 (RFC 7292): reading keys and certificates out of password-protected files.
//!
//! Strict DER. Encryption: PBES2 with AES or Triple DES in CBC, and the older schemes with RC2 and Triple DES that Windows
//! still writes. Integrity: the password MAC with SHA-1 or SHA-2, always demanded and checked before anything is decrypted.

use super::certificate::Certificate;
use crate::bridge::{self, BlockCipher, Direction};
use crate::der::{self, Malformed, Reader};
use crate::{DigestAlgorithm, Error, HmacKey};
use aws_lc_rs::pbkdf2;
use std::num::NonZeroU32;
use zeroize::Zeroizing;

pub(super) struct Content {
    /// DER PKCS#8.
    pub(super) private_keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<Certificate>,
}

pub(super) fn read(file: &[u8], password: &str) -> Result<Content, Error> {
    if file.len() > MAX_LEN {
        return Err(Error::UnusableKey("longer than 1 MiB: not a PKCS#12 file".into()));
    }
    Pfx::parse(file)?.open(password)
}

/// The outermost structure.
struct Pfx<'a> {
    safes: &'a [u8],
    mac_algorithm: &'a [u8],
    mac: &'a [u8],
    salt: &'a [u8],
    iterations: u32,
}

impl<'a> Pfx<'a> {
    fn parse(file: &'a [u8]) -> Result<Self, Problem> {
        let mut pfx = Reader::only(file, der::SEQUENCE)?;
        if pfx.number()? != 3 {
            return Err(Problem::Unsupported("its version"));
        }
        let (kind, content) = content_info(&mut pfx)?;
        if kind != oid::DATA {
            return Err(Problem::Unsupported("its protection by public keys"));
        }
        let safes = Reader::only(content, der::OCTET_STRING)?.rest();
        if pfx.is_empty() {
            return Err(Problem::Unsupported("that it has no integrity check (MAC)"));
        }
        let mut mac_data = pfx.enter(der::SEQUENCE)?;
        pfx.end()?;
        let mut digest_info = mac_data.enter(der::SEQUENCE)?;
        let mac_algorithm = digest_info.enter(der::SEQUENCE)?.read(der::OID)?;
        let mac = digest_info.read(der::OCTET_STRING)?;
        let salt = mac_data.read(der::OCTET_STRING)?;
        let iterations = if mac_data.is_empty() { 1 } else { mac_data.number()? };
        mac_data.end()?;
        Ok(Self { safes, mac_algorithm, mac, salt, iterations: checked(iterations)? })
    }

    fn open(&self, password: &str) -> Result<Content, Error> {
        let password = self.password(password)?;
        let mut content = Content { private_keys: Vec::new(), certificates: Vec::new() };
        self.read_safes(&password, &mut content)?;
        Ok(content)
    }

    /// Finds the form of the password that the MAC was made with: an empty one is written in two ways.
    fn password(&self, text: &str) -> Result<Password, Error> {
        let digest = match self.mac_algorithm {
            oid::SHA1 => DigestAlgorithm::Sha1,
            oid::SHA256 => DigestAlgorithm::Sha256,
            oid::SHA384 => DigestAlgorithm::Sha384,
            oid::SHA512 => DigestAlgorithm::Sha512,
            _ => return Err(Problem::Unsupported("the algorithm of its integrity check").into()),
        };
        let with_end: Zeroizing<Vec<u8>> =
            Zeroizing::new(text.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect());
        let mut forms = vec![Password { text: Zeroizing::new(text.into()), utf16: with_end }];
        if text.is_empty() {
            forms.push(Password { text: Zeroizing::default(), utf16: Zeroizing::default() });
        }
        for form in forms {
            let mut key = Zeroizing::new(vec![0; digest.output_len()]);
            derive(digest, Purpose::Mac, &form.utf16, self.salt, self.iterations, &mut key);
            if HmacKey::new(digest, &key).verify(self.safes, self.mac).is_ok() {
                return Ok(form);
            }
        }
        Err(Error::Unauthentic)
    }

    fn read_safes(&self, password: &Password, content: &mut Content) -> Result<(), Error> {
        let mut safes = Reader::only(self.safes, der::SEQUENCE).map_err(Problem::from)?;
        while !safes.is_empty() {
            let (kind, safe) = content_info(&mut safes).map_err(Problem::from)?;
            match kind {
                oid::DATA => {
                    let bags = Reader::only(safe, der::OCTET_STRING).map_err(Problem::from)?.rest();
                    read_bags(bags, password, content)?;
                }
                oid::ENCRYPTED_DATA => {
                    let (algorithm, ciphertext) = encrypted_content(safe).map_err(Problem::from)?;
                    let bags = decrypt(algorithm, ciphertext, password)?;
                    read_bags(&bags, password, content)?;
                }
                _ => return Err(Problem::Unsupported("encryption to a public key").into()),
            }
        }
        Ok(())
    }
}

struct Password {
    /// PBES2 takes UTF-8.
    text: Zeroizing<String>,
    /// PKCS#12's own derivation takes UTF-16, big-endian, with a zero at its end.
    utf16: Zeroizing<Vec<u8>>,
}

enum Problem {
    Malformed,
    Unsupported(&'static str),
}

impl From<Malformed> for Problem {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::UnusableKey(match problem {
            Problem::Malformed => "not a PKCS#12 file in DER; write it anew with `openssl pkcs12 -export`".into(),
            Problem::Unsupported(what) => format!(
                "the PKCS#12 file is not supported because of {what}; write it anew with `openssl pkcs12 -export`"
            ),
        })
    }
}

fn content_info<'a>(reader: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let mut info = reader.enter(der::SEQUENCE)?;
    let kind = info.read(der::OID)?;
    let content = info.read(der::context(0))?;
    info.end()?;
    Ok((kind, content))
}

/// Algorithm and ciphertext of an `EncryptedData`.
fn encrypted_content(der: &[u8]) -> Result<(Reader<'_>, &[u8]), Malformed> {
    /// `[0] IMPLICIT OCTET STRING`.
    const CIPHERTEXT: u8 = 0x80;
    let mut data = Reader::only(der, der::SEQUENCE)?;
    data.number()?;
    let mut info = data.enter(der::SEQUENCE)?;
    info.read(der::OID)?;
    let algorithm = info.enter(der::SEQUENCE)?;
    let ciphertext = info.read(CIPHERTEXT)?;
    info.end()?;
    Ok((algorithm, ciphertext))
}

fn read_bags(der: &[u8], password: &Password, content: &mut Content) -> Result<(), Error> {
    let mut bags = Reader::only(der, der::SEQUENCE).map_err(Problem::from)?;
    while !bags.is_empty() {
        let (kind, value) = bag(&mut bags).map_err(Problem::from)?;
        match kind {
            oid::KEY_BAG => content.private_keys.push(Zeroizing::new(value.to_vec())),
            oid::SHROUDED_KEY_BAG => {
                let (algorithm, ciphertext) = shrouded_key(value).map_err(Problem::from)?;
                content.private_keys.push(decrypt(algorithm, ciphertext, password)?);
            }
            oid::CERTIFICATE_BAG => {
                if let Some(der) = certificate(value).map_err(Problem::from)? {
                    content.certificates.push(Certificate::from_der(der)?);
                }
            }
            // Revocation lists, secrets and what others invent.
            _ => {}
        }
        if content.private_keys.len() + content.certificates.len() > MAX_ENTRIES {
            return Err(Problem::Unsupported("its number of entries (more than 100)").into());
        }
    }
    Ok(())
}

fn bag<'a>(bags: &mut Reader<'a>) -> Result<(&'a [u8], &'a [u8]), Malformed> {
    let mut bag = bags.enter(der::SEQUENCE)?;
    let kind = bag.read(der::OID)?;
    let value = bag.read(der::context(0))?;
    bag.optional(der::SET)?;
    bag.end()?;
    Ok((kind, value))
}

fn shrouded_key(der: &[u8]) -> Result<(Reader<'_>, &[u8]), Malformed> {
    let mut key = Reader::only(der, der::SEQUENCE)?;
    let algorithm = key.enter(der::SEQUENCE)?;
    let ciphertext = key.read(der::OCTET_STRING)?;
    key.end()?;
    Ok((algorithm, ciphertext))
}

fn certificate(der: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut bag = Reader::only(der, der::SEQUENCE)?;
    let kind = bag.read(der::OID)?;
    let value = bag.read(der::context(0))?;
    if kind != oid::X509_CERTIFICATE {
        return Ok(None);
    }
    Reader::only(value, der::OCTET_STRING).map(|content| Some(content.rest()))
}

fn decrypt(mut algorithm: Reader<'_>, ciphertext: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
    let kind = algorithm.read(der::OID).map_err(Problem::from)?;
    let parameters = algorithm.enter(der::SEQUENCE).map_err(Problem::from)?;
    let cipher = match kind {
        oid::PBES2 => return decrypt_pbes2(parameters, ciphertext, password),
        oid::PBE_TRIPLE_DES => BlockCipher::TripleDes,
        oid::PBE_RC2_128 => BlockCipher::Rc2With128Bits,
        oid::PBE_RC2_40 => BlockCipher::Rc2With40Bits,
        _ => return Err(Problem::Unsupported("its encryption algorithm").into()),
    };
    let (salt, iterations) = salt_and_iterations(parameters)?;
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    let mut iv = vec![0; cipher.block_len()];
    derive(DigestAlgorithm::Sha1, Purpose::Key, &password.utf16, salt, iterations, &mut key);
    derive(DigestAlgorithm::Sha1, Purpose::Iv, &password.utf16, salt, iterations, &mut iv);
    decrypt_cbc(cipher, &key, &iv, ciphertext)
}

fn salt_and_iterations(mut parameters: Reader<'_>) -> Result<(&[u8], u32), Problem> {
    let salt = parameters.read(der::OCTET_STRING)?;
    let iterations = checked(parameters.number()?)?;
    parameters.end()?;
    Ok((salt, iterations))
}

fn decrypt_pbes2(parameters: Reader<'_>, ciphertext: &[u8], password: &Password) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Pbes2 { prf, salt, iterations, cipher, iv } = Pbes2::parse(parameters)?;
    let iterations = NonZeroU32::new(iterations).ok_or(Problem::Malformed)?;
    let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
    pbkdf2::derive(prf, iterations, salt, password.text.as_bytes(), &mut key);
    decrypt_cbc(cipher, &key, iv, ciphertext)
}

struct Pbes2<'a> {
    prf: pbkdf2::Algorithm,
    salt: &'a [u8],
    iterations: u32,
    cipher: BlockCipher,
    iv: &'a [u8],
}

impl<'a> Pbes2<'a> {
    fn parse(mut parameters: Reader<'a>) -> Result<Self, Problem> {
        let mut derivation = parameters.enter(der::SEQUENCE)?;
        if derivation.read(der::OID)? != oid::PBKDF2 {
            return Err(Problem::Unsupported("its key derivation"));
        }
        let mut derivation = derivation.enter(der::SEQUENCE)?;
        let salt = derivation.read(der::OCTET_STRING)?;
        let iterations = checked(derivation.number()?)?;
        // The key's length, which the cipher tells too.
        derivation.optional(der::INTEGER)?;
        let prf = if derivation.is_empty() {
            pbkdf2::PBKDF2_HMAC_SHA1
        } else {
            match derivation.enter(der::SEQUENCE)?.read(der::OID)? {
                oid::HMAC_SHA1 => pbkdf2::PBKDF2_HMAC_SHA1,
                oid::HMAC_SHA256 => pbkdf2::PBKDF2_HMAC_SHA256,
                oid::HMAC_SHA384 => pbkdf2::PBKDF2_HMAC_SHA384,
                oid::HMAC_SHA512 => pbkdf2::PBKDF2_HMAC_SHA512,
                _ => return Err(Problem::Unsupported("its key derivation")),
            }
        };
        let mut encryption = parameters.enter(der::SEQUENCE)?;
        let cipher = match encryption.read(der::OID)? {
            oid::AES128_CBC => BlockCipher::Aes128,
            oid::AES192_CBC => BlockCipher::Aes192,
            oid::AES256_CBC => BlockCipher::Aes256,
            oid::TRIPLE_DES_CBC => BlockCipher::TripleDes,
            _ => return Err(Problem::Unsupported("its encryption algorithm")),
        };
        let iv = encryption.read(der::OCTET_STRING)?;
        Ok(Self { prf, salt, iterations, cipher, iv })
    }
}

fn decrypt_cbc(cipher: BlockCipher, key: &[u8], iv: &[u8], ciphertext: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut plaintext = Zeroizing::new(ciphertext.to_vec());
    bridge::cbc(cipher, Direction::Decrypt, key, iv, &mut plaintext).map_err(|_| Error::Unauthentic)?;
    let count = plaintext.last().copied().map_or(0, usize::from);
    let length = plaintext.len().checked_sub(count).ok_or(Error::Unauthentic)?;
    let filled = plaintext.get(length..).is_some_and(|filler| filler.iter().all(|byte| usize::from(*byte) == count));
    if !filled || !(1..=cipher.block_len()).contains(&count) {
        return Err(Error::Unauthentic);
    }
    plaintext.truncate(length);
    Ok(plaintext)
}

#[derive(Clone, Copy)]
enum Purpose {
    Key = 1,
    Iv = 2,
    Mac = 3,
}

/// The derivation of RFC 7292, appendix B.2.
fn derive(digest: DigestAlgorithm, purpose: Purpose, password: &[u8], salt: &[u8], iterations: u32, out: &mut [u8]) {
    let block = match digest {
        DigestAlgorithm::Sha1 | DigestAlgorithm::Sha256 => 64,
        DigestAlgorithm::Sha384 | DigestAlgorithm::Sha512 => 128,
    };
    let filled =
        |bytes: &[u8]| bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(block)).collect::<Vec<u8>>();
    let diversifier = vec![purpose as u8; block];
    let mut input = Zeroizing::new([filled(salt), filled(password)].concat());
    for chunk in out.chunks_mut(digest.output_len()) {
        let mut hasher = digest.hasher();
        hasher.update(&diversifier);
        hasher.update(&input);
        let mut hash = hasher.finish();
        for _ in 1..iterations {
            hash = digest.digest(hash.as_bytes());
        }
        chunk.copy_from_slice(&hash.as_bytes()[..chunk.len()]);
        // Each block of the input becomes itself + the repeated hash + 1.
        for part in input.chunks_mut(block) {
            let mut carry = 1u16;
            for (index, byte) in part.iter_mut().enumerate().rev() {
                let addend = hash.as_bytes()[index % digest.output_len()];
                carry += u16::from(*byte) + u16::from(addend);
                *byte = carry as u8;
                carry >>= 8;
            }
        }
    }
}

/// Enough for every writer, and no more than some seconds of work.
fn checked(iterations: u32) -> Result<u32, Problem> {
    if (1..=MAX_ITERATIONS).contains(&iterations) {
        Ok(iterations)
    } else {
        Err(Problem::Unsupported("its iteration count (more than 5 million, or none)"))
    }
}

const MAX_LEN: usize = 1 << 20;
const MAX_ENTRIES: usize = 100;
const MAX_ITERATIONS: u32 = 5_000_000;

/// Object identifiers, as the content bytes of their encoding.
mod oid {
    pub(super) const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    pub(super) const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
    pub(super) const KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 1];
    pub(super) const SHROUDED_KEY_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
    pub(super) const CERTIFICATE_BAG: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
    pub(super) const X509_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
    pub(super) const PBE_TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 3];
    pub(super) const PBE_RC2_128: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 5];
    pub(super) const PBE_RC2_40: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 1, 6];
    pub(super) const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
    pub(super) const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
    pub(super) const HMAC_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7];
    pub(super) const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
    pub(super) const HMAC_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10];
    pub(super) const HMAC_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11];
    pub(super) const TRIPLE_DES_CBC: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 3, 7];
    pub(super) const AES128_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
    pub(super) const AES192_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22];
    pub(super) const AES256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
    pub(super) const SHA1: &[u8] = &[0x2b, 0x0e, 3, 2, 26];
    pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    pub(super) const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    pub(super) const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
}
