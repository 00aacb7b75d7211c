//! Making encryptions.

use crate::algorithm::{DataEncryption, DigestMethod, KeyEncryption};
use crate::encryption::EncryptedType;
use crate::encryption::data::{Mode, TYPE_CONTENT, TYPE_ELEMENT};
use crate::error::Error;
use handstamp_keys::cipher::Padding;
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::{PublicKey, SecureRandom, SymmetricKey, sha1};
use handstamp_xml::escape::attribute_value;
use handstamp_xml::names;

/// Encrypts with one key and algorithm.
#[derive(Debug, Clone, Copy)]
pub struct Encryptor<'k> {
    algorithm: DataEncryption,
    key: &'k SymmetricKey,
}

impl<'k> Encryptor<'k> {
    /// An encryptor.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not as long as the algorithm takes.
    pub fn new(algorithm: DataEncryption, key: &'k SymmetricKey) -> Result<Self, Error> {
        if key.len() != algorithm.key_length() {
            return Err(Error::KeyMismatch { algorithm: algorithm.uri() });
        }
        Ok(Self { algorithm, key })
    }

    /// How many bytes of initialization vector the algorithm takes.
    pub const fn iv_length(&self) -> usize {
        match self.algorithm.mode() {
            Mode::Cbc(cbc) => cbc.block_len(),
            Mode::Gcm(_) => 12,
        }
    }

    /// The octets of a `CipherValue`: initialization vector, ciphertext, and tag where the mode has one.
    pub fn encrypt(&self, plaintext: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
        let mut iv = [0; MAX_IV_LENGTH];
        let iv = &mut iv[..self.iv_length()];
        random.fill(iv).map_err(Error::Keys)?;
        self.encrypt_with_iv(plaintext, iv)
    }

    /// The same with an initialization vector from the caller: fresh random bytes, used for nothing else.
    ///
    /// # Errors
    /// [`Error::Keys`] when it is not [`iv_length`](Self::iv_length) bytes.
    pub fn encrypt_with_iv(&self, plaintext: &[u8], iv: &[u8]) -> Result<Vec<u8>, Error> {
        match self.algorithm.mode() {
            Mode::Cbc(cbc) => cbc.encrypt_message(self.key, iv, Padding::Iso10126, plaintext),
            Mode::Gcm(gcm) => match iv.try_into() {
                Ok(nonce) => gcm.seal_message(self.key, nonce, &[], plaintext),
                Err(_) => Err(handstamp_keys::Error::Misuse("AES-GCM takes a nonce of 12 bytes")),
            },
        }
        .map_err(Error::Keys)
    }

    /// An `EncryptedData` element, canonical, with namespace prefix `e` as WCF writes it. `key_info` is the content of its
    /// `ds:KeyInfo`, canonical XML whose default namespace is XML Signature's; without content the element is left out.
    pub fn encrypted_data(
        &self,
        id: &str,
        encrypted_type: EncryptedType,
        key_info: &str,
        plaintext: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<String, Error> {
        let mut out = String::with_capacity(plaintext.len() * 4 / 3 + 1024);
        write_encrypted_data(self.algorithm, id, encrypted_type, key_info, &self.encrypt(plaintext, random)?, &mut out);
        Ok(out)
    }

    /// Appends the same to `out`, with an initialization vector from the caller: fresh random bytes, used for nothing else.
    ///
    /// # Errors
    /// As [`encrypt_with_iv`](Self::encrypt_with_iv).
    pub fn write_encrypted_data(
        &self,
        id: &str,
        encrypted_type: EncryptedType,
        key_info: &str,
        plaintext: &[u8],
        iv: &[u8],
        out: &mut String,
    ) -> Result<(), Error> {
        let value = self.encrypt_with_iv(plaintext, iv)?;
        write_encrypted_data(self.algorithm, id, encrypted_type, key_info, &value, out);
        Ok(())
    }
}

/// The longest initialization vector, in bytes: one block of AES.
const MAX_IV_LENGTH: usize = 16;

fn write_encrypted_data(
    algorithm: DataEncryption,
    id: &str,
    encrypted_type: EncryptedType,
    key_info: &str,
    value: &[u8],
    out: &mut String,
) {
    out.push_str(r#"<e:EncryptedData xmlns:e=""#);
    out.push_str(names::XENC);
    out.push_str(r#"" Id=""#);
    out.push_str(&attribute_value(id));
    match encrypted_type {
        EncryptedType::Element => out.extend([r#"" Type=""#, TYPE_ELEMENT]),
        EncryptedType::Content => out.extend([r#"" Type=""#, TYPE_CONTENT]),
        EncryptedType::Octets => {}
    }
    out.push_str(r#""><e:EncryptionMethod Algorithm=""#);
    out.push_str(algorithm.uri());
    out.push_str(r#""></e:EncryptionMethod>"#);
    write_key_info(key_info, out);
    out.push_str("<e:CipherData><e:CipherValue>");
    base64_simd::STANDARD.encode_append(value, out);
    out.push_str("</e:CipherValue></e:CipherData></e:EncryptedData>");
}

/// A key encrypted with an algorithm, before it is written as an `EncryptedKey` element.
#[derive(Debug, Clone)]
pub struct WrappedKey {
    algorithm: KeyEncryption,
    value: Vec<u8>,
}

impl WrappedKey {
    /// Encrypts a key for the holder of a certificate: RSA-OAEP with SHA-1 (`rsa-oaep-mgf1p`), or RSA-1.5 where the peer demands
    /// it.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] for another kind of algorithm; [`Error::Keys`] for a key that RSA cannot carry.
    pub fn for_certificate(algorithm: KeyEncryption, recipient: &PublicKey, key: &SymmetricKey) -> Result<Self, Error> {
        let value = match algorithm {
            KeyEncryption::RsaOaepMgf1p => Oaep::default().encrypt(recipient, key),
            KeyEncryption::Rsa15 => RsaPkcs1.encrypt(recipient, key),
            _ => return Err(Error::KeyMismatch { algorithm: algorithm.uri() }),
        };
        Ok(Self { algorithm, value: value.map_err(Error::Keys)? })
    }

    /// Encrypts a key under one that both ends hold.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] for another kind of algorithm; [`Error::Keys`] for keys of lengths that it does not take.
    pub fn under_key(
        algorithm: KeyEncryption,
        wrapping_key: &SymmetricKey,
        key: &SymmetricKey,
        random: &dyn SecureRandom,
    ) -> Result<Self, Error> {
        let wrap = algorithm.wrap().ok_or(Error::KeyMismatch { algorithm: algorithm.uri() })?;
        Ok(Self { algorithm, value: wrap.wrap(wrapping_key, key, random).map_err(Error::Keys)? })
    }

    /// SHA-1 over the encrypted octets: what `EncryptedKeySHA1` references hold (WSS 1.1 §7.7).
    pub fn sha1(&self) -> [u8; 20] {
        sha1(&self.value)
    }

    /// The `EncryptedKey` element, canonical; without an `Id` when it is empty. `key_info` names the key that it is encrypted with; `data` are the ids of the
    /// `EncryptedData` elements that its own `ReferenceList` names, which is left out when there are none.
    pub fn to_xml<'i>(&self, id: &str, key_info: &str, data: impl IntoIterator<Item = &'i str>) -> String {
        let mut out = String::with_capacity(1536);
        out.push_str(r#"<e:EncryptedKey xmlns:e=""#);
        out.push_str(names::XENC);
        if !id.is_empty() {
            out.push_str(r#"" Id=""#);
            out.push_str(&attribute_value(id));
        }
        out.push_str(r#""><e:EncryptionMethod Algorithm=""#);
        out.push_str(self.algorithm.uri());
        out.push_str(r#"">"#);
        if self.algorithm == KeyEncryption::RsaOaepMgf1p {
            out.extend([r#"<DigestMethod xmlns=""#, names::DSIG, r#"" Algorithm=""#, DigestMethod::Sha1.uri()]);
            out.push_str(r#""></DigestMethod>"#);
        }
        out.push_str("</e:EncryptionMethod>");
        write_key_info(key_info, &mut out);
        out.push_str("<e:CipherData><e:CipherValue>");
        base64_simd::STANDARD.encode_append(&self.value, &mut out);
        out.push_str("</e:CipherValue></e:CipherData>");
        let mut data = data.into_iter().peekable();
        if data.peek().is_some() {
            out.push_str("<e:ReferenceList>");
            for id in data {
                out.extend(["<e:DataReference URI=\"#", &attribute_value(id), "\"></e:DataReference>"]);
            }
            out.push_str("</e:ReferenceList>");
        }
        out.push_str("</e:EncryptedKey>");
        out
    }
}

/// An `EncryptedKey` element for the holder of a certificate: see [`WrappedKey::for_certificate`]. `key_info` names the
/// certificate.
///
/// # Errors
/// As [`WrappedKey::for_certificate`].
pub fn encrypt_key_for_certificate(
    algorithm: KeyEncryption,
    recipient: &PublicKey,
    id: &str,
    key_info: &str,
    key: &SymmetricKey,
) -> Result<String, Error> {
    Ok(WrappedKey::for_certificate(algorithm, recipient, key)?.to_xml(id, key_info, []))
}

/// An `EncryptedKey` element under a key that both ends hold.
///
/// # Errors
/// As [`WrappedKey::under_key`].
pub fn encrypt_key_with_key(
    algorithm: KeyEncryption,
    wrapping_key: &SymmetricKey,
    id: &str,
    key_info: &str,
    key: &SymmetricKey,
    random: &dyn SecureRandom,
) -> Result<String, Error> {
    Ok(WrappedKey::under_key(algorithm, wrapping_key, key, random)?.to_xml(id, key_info, []))
}

fn write_key_info(content: &str, out: &mut String) {
    if !content.is_empty() {
        out.extend([r#"<KeyInfo xmlns=""#, names::DSIG, r#"">"#, content, "</KeyInfo>"]);
    }
}
