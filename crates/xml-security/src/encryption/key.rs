//! `xenc:EncryptedKey`.

use crate::algorithm::{DigestMethod, KeyEncryption};
use crate::encryption::{DecryptPolicy, cipher_value, method};
use crate::error::Error;
use crate::key_info::KeyInfo;
use crate::octets::from_base64;
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::wrap::KeyWrap;
use handstamp_keys::{DigestAlgorithm, PrivateKey, SymmetricKey, sha1};
use handstamp_xml::{Element, names};

/// An `EncryptedKey` element that is well formed; the key is not unwrapped yet.
#[derive(Debug, Clone)]
pub struct EncryptedKey<'d> {
    element: Element<'d>,
    algorithm: KeyEncryption,
    digest: DigestAlgorithm,
    mgf1: DigestAlgorithm,
    label: Vec<u8>,
    cipher_value: Vec<u8>,
}

impl<'d> EncryptedKey<'d> {
    /// Reads the structure of an `EncryptedKey` element (XML Encryption §3.5.1).
    pub fn parse(element: Element<'d>) -> Result<Self, Error> {
        if !element.is(names::XENC, "EncryptedKey") {
            return Err(Error::malformed("EncryptedKey", "it is another element"));
        }
        let (method, uri) = method(element, "EncryptedKey")?;
        let algorithm = KeyEncryption::from_uri(uri)?;
        let digest = match method.child(names::DSIG, "DigestMethod").and_then(|digest| digest.attribute("Algorithm")) {
            Some(uri) => DigestMethod::from_uri(uri)?.algorithm(),
            None => DigestAlgorithm::Sha1,
        };
        let mgf1 = match method.child(names::XENC11, "MGF").and_then(|mgf| mgf.attribute("Algorithm")) {
            Some(uri) if algorithm == KeyEncryption::RsaOaep => mask_generation(uri)?,
            _ => DigestAlgorithm::Sha1,
        };
        let label = match method.child(names::XENC, "OAEPparams") {
            Some(label) => from_base64(&label.text())
                .ok_or_else(|| Error::malformed("EncryptionMethod", "its OAEPparams is not base64"))?,
            None => Vec::new(),
        };
        Ok(Self { element, algorithm, digest, mgf1, label, cipher_value: cipher_value(element, "EncryptedKey")? })
    }

    /// The element.
    pub fn element(&self) -> Element<'d> {
        self.element
    }

    /// How it says that it is encrypted.
    pub fn algorithm(&self) -> KeyEncryption {
        self.algorithm
    }

    /// What the sender says about the key that it is encrypted with: usually a certificate of ours.
    pub fn key_info(&self) -> Result<Option<KeyInfo<'d>>, Error> {
        self.element.child(names::DSIG, "KeyInfo").map(KeyInfo::parse).transpose()
    }

    /// The ids of the `EncryptedData` elements that the `ReferenceList` inside names, in document order.
    pub fn references(&self) -> impl Iterator<Item = &'d str> {
        self.element
            .child(names::XENC, "ReferenceList")
            .into_iter()
            .flat_map(|list| list.children().filter(|item| item.is(names::XENC, "DataReference")))
            .filter_map(|item| item.attribute("URI")?.strip_prefix('#'))
    }

    /// SHA-1 over the encrypted octets: what `EncryptedKeySHA1` references hold (WSS 1.1 §7.7).
    pub fn sha1(&self) -> [u8; 20] {
        sha1(&self.cipher_value)
    }

    /// Unwraps with our private key. `key_length`, in bytes, comes from the algorithm that the key is for.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`]; [`Error::Unauthentic`] for everything that can be wrong with the ciphertext. With
    /// RSA-1.5 a bad ciphertext is no error here but a wrong key.
    pub fn unwrap_with_private_key(
        &self,
        key: &PrivateKey,
        key_length: usize,
        policy: &DecryptPolicy,
    ) -> Result<SymmetricKey, Error> {
        policy.check_key(self.algorithm)?;
        let unwrapped = match self.algorithm {
            KeyEncryption::RsaOaepMgf1p | KeyEncryption::RsaOaep => {
                let oaep = Oaep { digest: self.digest, mgf1: self.mgf1, label: &self.label };
                oaep.decrypt(key, &self.cipher_value)
            }
            KeyEncryption::Rsa15 => RsaPkcs1.decrypt(key, &self.cipher_value, key_length),
            _ => return Err(Error::KeyMismatch { algorithm: self.algorithm.uri() }),
        };
        unwrapped.ok().filter(|unwrapped| unwrapped.len() == key_length).ok_or(Error::Unauthentic)
    }

    /// Unwraps with a key that both ends hold.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`]; [`Error::Unauthentic`] for everything that can be wrong with key and ciphertext.
    pub fn unwrap_with_key(&self, key: &SymmetricKey, policy: &DecryptPolicy) -> Result<SymmetricKey, Error> {
        policy.check_key(self.algorithm)?;
        let wrap = self.algorithm.wrap().ok_or(Error::KeyMismatch { algorithm: self.algorithm.uri() })?;
        wrap.unwrap(key, &self.cipher_value).map_err(|_| Error::Unauthentic)
    }
}

impl KeyEncryption {
    pub(super) const fn wrap(self) -> Option<KeyWrap> {
        match self {
            Self::KeyWrapTripleDes => Some(KeyWrap::TripleDes),
            Self::KeyWrapAes128 => Some(KeyWrap::Aes128),
            Self::KeyWrapAes192 => Some(KeyWrap::Aes192),
            Self::KeyWrapAes256 => Some(KeyWrap::Aes256),
            Self::RsaOaepMgf1p | Self::RsaOaep | Self::Rsa15 => None,
        }
    }
}

fn mask_generation(uri: &str) -> Result<DigestAlgorithm, Error> {
    match uri.strip_prefix("http://www.w3.org/2009/xmlenc11#mgf1") {
        Some("sha1") => Ok(DigestAlgorithm::Sha1),
        Some("sha256") => Ok(DigestAlgorithm::Sha256),
        Some("sha384") => Ok(DigestAlgorithm::Sha384),
        Some("sha512") => Ok(DigestAlgorithm::Sha512),
        _ => Err(Error::AlgorithmNotAllowed { uri: uri.chars().take(128).collect(), purpose: "mask generation" }),
    }
}
