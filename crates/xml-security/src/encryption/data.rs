//! `xenc:EncryptedData`.

use crate::algorithm::DataEncryption;
use crate::encryption::{DecryptPolicy, cipher_value, method};
use crate::error::Error;
use crate::key_info::KeyInfo;
use handstamp_keys::SymmetricKey;
use handstamp_keys::cipher::{CbcAlgorithm, GcmAlgorithm, Padding, Plaintext};
use handstamp_xml::{Document, Element, Fragment, NodeId, names};

/// An `EncryptedData` element that is well formed; nothing in it is decrypted yet.
#[derive(Debug, Clone)]
pub struct EncryptedData<'d> {
    element: Element<'d>,
    algorithm: DataEncryption,
    encrypted_type: EncryptedType,
    cipher_value: Vec<u8>,
}

/// What the plaintext is (`Type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptedType {
    /// One element, in whose place the `EncryptedData` stands.
    Element,
    /// The content of the element that the `EncryptedData` stands in.
    Content,
    /// Octets of any kind.
    Octets,
}

impl<'d> EncryptedData<'d> {
    /// Reads the structure of an `EncryptedData` element (XML Encryption §3.4).
    pub fn parse(element: Element<'d>) -> Result<Self, Error> {
        if !element.is(names::XENC, "EncryptedData") {
            return Err(Error::malformed("EncryptedData", "it is another element"));
        }
        let encrypted_type = match element.attribute("Type") {
            Some(TYPE_ELEMENT) => EncryptedType::Element,
            Some(TYPE_CONTENT) => EncryptedType::Content,
            _ => EncryptedType::Octets,
        };
        let (_, algorithm) = method(element, "EncryptedData")?;
        Ok(Self {
            element,
            algorithm: DataEncryption::from_uri(algorithm)?,
            encrypted_type,
            cipher_value: cipher_value(element, "EncryptedData")?,
        })
    }

    /// The element.
    pub fn element(&self) -> Element<'d> {
        self.element
    }

    /// How it says that it is encrypted.
    pub fn algorithm(&self) -> DataEncryption {
        self.algorithm
    }

    /// What the plaintext is.
    pub fn encrypted_type(&self) -> EncryptedType {
        self.encrypted_type
    }

    /// What the sender says about the key. An `EncryptedKey` often stands inside.
    pub fn key_info(&self) -> Result<Option<KeyInfo<'d>>, Error> {
        self.element.child(names::DSIG, "KeyInfo").map(KeyInfo::parse).transpose()
    }

    /// The plaintext octets.
    ///
    /// # Errors
    /// [`Error::AlgorithmNotAllowed`]; [`Error::Unauthentic`] for everything that can be wrong with key and ciphertext.
    pub fn decrypt(self, key: &SymmetricKey, policy: &DecryptPolicy) -> Result<Plaintext, Error> {
        policy.check_data(self.algorithm)?;
        if key.len() != self.algorithm.key_length() {
            return Err(Error::Unauthentic);
        }
        let plaintext = match self.algorithm.mode() {
            Mode::Cbc(cbc) => cbc.decrypt_message(key, Padding::Iso10126, self.cipher_value),
            Mode::Gcm(gcm) => gcm.open_message(key, &[], self.cipher_value),
        };
        plaintext.map_err(|_| Error::Unauthentic)
    }
}

/// Decrypts an `EncryptedData` and puts its plaintext into its place. Returns the elements that took the place.
///
/// # Errors
/// As [`EncryptedData::parse`] and [`EncryptedData::decrypt`]; a plaintext that is no XML is [`Error::Unauthentic`] too, so
/// that nobody learns from the answer what a manipulated ciphertext decrypts to. Limits of the document still apply.
pub fn decrypt_in_place(
    document: &mut Document,
    encrypted: NodeId,
    key: &SymmetricKey,
    policy: &DecryptPolicy,
) -> Result<Vec<NodeId>, Error> {
    let element = document.element(encrypted).ok_or_else(|| Error::malformed("EncryptedData", "it is gone"))?;
    let data = EncryptedData::parse(element)?;
    let fragment = match data.encrypted_type {
        EncryptedType::Element => Fragment::Element,
        EncryptedType::Content => Fragment::Content,
        EncryptedType::Octets => {
            return Err(Error::malformed("EncryptedData", "its Type is neither Element nor Content"));
        }
    };
    let plaintext = data.decrypt(key, policy)?;
    document.replace_with_fragment(encrypted, &plaintext, fragment).map_err(|_| Error::Unauthentic)
}

/// `Type` of an encrypted element.
pub(super) const TYPE_ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
/// `Type` of encrypted content.
pub(super) const TYPE_CONTENT: &str = "http://www.w3.org/2001/04/xmlenc#Content";

pub(super) enum Mode {
    Cbc(CbcAlgorithm),
    Gcm(GcmAlgorithm),
}

impl DataEncryption {
    pub(super) const fn mode(self) -> Mode {
        match self {
            Self::TripleDesCbc => Mode::Cbc(CbcAlgorithm::TripleDes),
            Self::Aes128Cbc => Mode::Cbc(CbcAlgorithm::Aes128),
            Self::Aes192Cbc => Mode::Cbc(CbcAlgorithm::Aes192),
            Self::Aes256Cbc => Mode::Cbc(CbcAlgorithm::Aes256),
            Self::Aes128Gcm => Mode::Gcm(GcmAlgorithm::Aes128),
            Self::Aes192Gcm => Mode::Gcm(GcmAlgorithm::Aes192),
            Self::Aes256Gcm => Mode::Gcm(GcmAlgorithm::Aes256),
        }
    }
}
