//! Encrypting assertions for the relying party that they are for.

use crate::decryption::THUMBPRINT_SHA1;
use crate::{Error, Version};
use handstamp_keys::{Certificate, KeyKind, KeyPolicy, SecureRandom, SymmetricKey};
use handstamp_xml::{Writer, names};
use handstamp_xml_security::algorithm::{DataEncryption, KeyEncryption};
use handstamp_xml_security::encryption::{EncryptedType, Encryptor, encrypt_key_for_certificate};

/// For whom an issuer encrypts, and how: a fresh AES key for each assertion, itself encrypted with RSA-OAEP.
#[derive(Clone, Debug)]
pub struct TokenEncryption {
    recipient: Certificate,
    algorithm: DataEncryption,
}

impl TokenEncryption {
    /// Encrypts for the holder of a certificate, with AES-256-GCM.
    ///
    /// # Errors
    /// [`Error::Keys`] when its key is not an RSA key of the strength that `policy` asks for.
    pub fn new(recipient: Certificate, policy: &KeyPolicy) -> Result<Self, Error> {
        let kind = recipient.public_key(policy)?.kind();
        if !matches!(kind, KeyKind::Rsa { .. }) {
            let problem = format!("the certificate of {:?} is not for RSA", recipient.subject().as_str());
            return Err(handstamp_keys::Error::UnusableKey(problem).into());
        }
        Ok(Self { recipient, algorithm: DataEncryption::Aes256Gcm })
    }

    /// Encrypts assertions with this algorithm: AES-CBC for relying parties on the .NET Framework, which has no GCM.
    #[must_use]
    pub fn with_algorithm(mut self, algorithm: DataEncryption) -> Self {
        self.algorithm = algorithm;
        self
    }

    /// The certificate of the recipient.
    pub fn recipient(&self) -> &Certificate {
        &self.recipient
    }

    /// The key that the holder of an assertion proves to hold, encrypted for the recipient: a `ds:KeyInfo`, canonical. It names the
    /// certificate by its SHA-1 thumbprint, and has no identifier: in SAML 1.1 it is repeated in each statement.
    ///
    /// # Errors
    /// Failing keys.
    pub fn key_info(&self, key: &SymmetricKey) -> Result<String, Error> {
        let thumbprint = base64_simd::STANDARD.encode_to_string(self.recipient.sha1_thumbprint());
        let mut recipient = Writer::new();
        recipient.start("o", names::WSSE, "SecurityTokenReference").start("o", names::WSSE, "KeyIdentifier");
        recipient.attribute("ValueType", THUMBPRINT_SHA1).text(&thumbprint).end().end();
        // The strength of the key was checked when the certificate was given.
        let public = self.recipient.public_key(&KeyPolicy::with_min_rsa_bits(0))?;
        let key = encrypt_key_for_certificate(KeyEncryption::RsaOaepMgf1p, public, "", &recipient.finish()?, key)
            .map_err(Error::Encryption)?;
        let mut key_info = Writer::new();
        key_info.start("", names::DSIG, "KeyInfo").canonical_fragment(&key).end();
        Ok(key_info.finish()?)
    }

    /// Encrypts a signed assertion that declares all the namespaces it uses: an `EncryptedAssertion` in version 2.0, an
    /// `EncryptedData` in 1.1, which has no element of its own for it.
    ///
    /// # Errors
    /// Failing keys or randomness.
    pub fn encrypt(&self, version: Version, assertion: &str, random: &dyn SecureRandom) -> Result<String, Error> {
        let key = SymmetricKey::generate(self.algorithm.key_length(), random)?;
        let certificate =
            format!("<X509Data><X509Certificate>{}</X509Certificate></X509Data>", self.recipient.to_base64());
        // The strength of the key was checked when the certificate was given.
        let public = self.recipient.public_key(&KeyPolicy::with_min_rsa_bits(0))?;
        let key_info = encrypt_key_for_certificate(KeyEncryption::RsaOaepMgf1p, public, "_key", &certificate, &key)
            .map_err(Error::Encryption)?;
        let data = Encryptor::new(self.algorithm, &key)
            .and_then(|encryptor| {
                encryptor.encrypted_data("_data", EncryptedType::Element, &key_info, assertion.as_bytes(), random)
            })
            .map_err(Error::Encryption)?;
        match version {
            Version::Saml11 => Ok(data),
            Version::Saml20 => {
                let mut out = Writer::new();
                out.start("", names::SAML20, "EncryptedAssertion").canonical_fragment(&data).end();
                Ok(out.finish()?)
            }
        }
    }
}
