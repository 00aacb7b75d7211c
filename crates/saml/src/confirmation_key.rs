//! What the presenter of an assertion has to prove to hold.

use crate::{Assertion, Error, TokenDecryption};
use handstamp_keys::{Certificate, KeyPolicy, PublicKey, SymmetricKey};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::encryption::EncryptedKey;
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};

/// The key of a holder-of-key confirmation.
#[derive(Clone, Debug)]
pub enum ConfirmationKey {
    /// A key that the issuer encrypted for us, and gave to the subject.
    Symmetric(SymmetricKey),
    /// The private key of this certificate.
    Certificate(Certificate),
    /// The private key that goes with this RSA key.
    Public(PublicKey),
    /// None: whoever shows the assertion is its bearer.
    Bearer,
}

impl ConfirmationKey {
    pub(crate) fn of(
        assertion: &Assertion,
        decryption: Option<&TokenDecryption>,
        policy: &KeyPolicy,
    ) -> Result<Self, Error> {
        let confirmations = assertion.subject.iter().flat_map(|subject| &subject.confirmations);
        let mut keys = confirmations.filter_map(|confirmation| confirmation.key_info.as_ref());
        let Some(key_info) = keys.next() else { return Ok(Self::Bearer) };
        let malformed = |problem: &str| Error::malformed("SubjectConfirmation", problem);
        if keys.any(|other| other != key_info) {
            return Err(malformed("its statements name different keys"));
        }
        let document = Document::parse(key_info.as_str(), &ParseOptions::default())?;
        let key_info = KeyInfo::parse(document.root()).map_err(Error::Encryption)?;
        match key_info.clauses() {
            [KeyInfoClause::EncryptedKey(key)] => {
                let decryption = decryption.ok_or(Error::Encrypted("the proof key of the assertion"))?;
                let key = EncryptedKey::parse(*key).map_err(Error::Encryption)?;
                decryption.unwrap(&key).map(Self::Symmetric)
            }
            // The subject's own certificate; a chain may follow.
            [KeyInfoClause::Certificate(der), ..] => Ok(Self::Certificate(Certificate::from_der(der)?)),
            [KeyInfoClause::RsaKeyValue { modulus, exponent }] => {
                Ok(Self::Public(PublicKey::from_rsa_components(modulus, exponent, policy)?))
            }
            _ => Err(malformed("its key is neither encrypted for us nor given by itself or a certificate")),
        }
    }
}
