//! Making encryptions.

use crate::algorithm::{DataEncryption, DigestMethod, KeyEncryption};
use crate::encryption::EncryptedType;
use crate::encryption::data::{Mode, TYPE_CONTENT, TYPE_ELEMENT};
use crate::error::Error;
use crate::octets::to_base64;
use handstamp_keys::cipher::Padding;
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::{PublicKey, SecureRandom, SymmetricKey};
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

    /// The octets of a `CipherValue`: initialization vector, ciphertext, and tag where the mode has one.
    pub fn encrypt(&self, plaintext: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
        let mut message = Vec::with_capacity(plaintext.len() + 32);
        message.extend_from_slice(plaintext);
        let mut iv = [0; 16];
        let iv_length = match self.algorithm.mode() {
            Mode::Cbc(cbc) => cbc.block_len(),
            Mode::Gcm(_) => 12,
        };
        let iv = &mut iv[..iv_length];
        random.fill(iv).map_err(Error::Keys)?;
        match self.algorithm.mode() {
            Mode::Cbc(cbc) => cbc.encrypt(self.key, iv, Padding::Iso10126, &mut message),
            Mode::Gcm(gcm) => {
                let nonce = iv.first_chunk().expect("the nonce of GCM is 12 bytes");
                gcm.seal(self.key, nonce, &[], &mut message)
            }
        }
        .map_err(Error::Keys)?;
        message.splice(0..0, iv.iter().copied());
        Ok(message)
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
        let value = to_base64(&self.encrypt(plaintext, random)?);
        let encrypted_type = match encrypted_type {
            EncryptedType::Element => format!(r#" Type="{TYPE_ELEMENT}""#),
            EncryptedType::Content => format!(r#" Type="{TYPE_CONTENT}""#),
            EncryptedType::Octets => String::new(),
        };
        Ok(format!(
            r#"<e:EncryptedData xmlns:e="{xenc}" Id="{id}"{encrypted_type}><e:EncryptionMethod Algorithm="{algorithm}"></e:EncryptionMethod>{key_info}<e:CipherData><e:CipherValue>{value}</e:CipherValue></e:CipherData></e:EncryptedData>"#,
            xenc = names::XENC,
            id = attribute_value(id),
            algorithm = self.algorithm.uri(),
            key_info = key_info_element(key_info),
        ))
    }
}

/// An `EncryptedKey` element for the holder of a certificate: RSA-OAEP with SHA-1 (`rsa-oaep-mgf1p`), or RSA-1.5 where the
/// peer demands it. `key_info` names the certificate.
///
/// # Errors
/// [`Error::KeyMismatch`] for another kind of algorithm; [`Error::Keys`] for a key that RSA cannot carry.
pub fn encrypt_key_for_certificate(
    algorithm: KeyEncryption,
    recipient: &PublicKey,
    id: &str,
    key_info: &str,
    key: &SymmetricKey,
) -> Result<String, Error> {
    let sha1 =
        format!(r#"<DigestMethod xmlns="{}" Algorithm="{}"></DigestMethod>"#, names::DSIG, DigestMethod::Sha1.uri());
    let (value, parameters) = match algorithm {
        KeyEncryption::RsaOaepMgf1p => (Oaep::default().encrypt(recipient, key), sha1),
        KeyEncryption::Rsa15 => (RsaPkcs1.encrypt(recipient, key), String::new()),
        _ => return Err(Error::KeyMismatch { algorithm: algorithm.uri() }),
    };
    Ok(encrypted_key(algorithm, &parameters, id, key_info, &value.map_err(Error::Keys)?))
}

/// An `EncryptedKey` element under a key that both ends hold.
///
/// # Errors
/// [`Error::KeyMismatch`] for another kind of algorithm; [`Error::Keys`] for keys of lengths that it does not take.
pub fn encrypt_key_with_key(
    algorithm: KeyEncryption,
    wrapping_key: &SymmetricKey,
    id: &str,
    key_info: &str,
    key: &SymmetricKey,
    random: &dyn SecureRandom,
) -> Result<String, Error> {
    let wrap = algorithm.wrap().ok_or(Error::KeyMismatch { algorithm: algorithm.uri() })?;
    let value = wrap.wrap(wrapping_key, key, random).map_err(Error::Keys)?;
    Ok(encrypted_key(algorithm, "", id, key_info, &value))
}

fn encrypted_key(algorithm: KeyEncryption, parameters: &str, id: &str, key_info: &str, value: &[u8]) -> String {
    format!(
        r#"<e:EncryptedKey xmlns:e="{xenc}" Id="{id}"><e:EncryptionMethod Algorithm="{algorithm}">{parameters}</e:EncryptionMethod>{key_info}<e:CipherData><e:CipherValue>{value}</e:CipherValue></e:CipherData></e:EncryptedKey>"#,
        xenc = names::XENC,
        id = attribute_value(id),
        algorithm = algorithm.uri(),
        key_info = key_info_element(key_info),
        value = to_base64(value),
    )
}

fn key_info_element(content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!(r#"<KeyInfo xmlns="{}">{content}</KeyInfo>"#, names::DSIG)
}
