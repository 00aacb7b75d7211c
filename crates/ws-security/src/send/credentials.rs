//! What a sender proves itself by.

use crate::algorithm_suite::AlgorithmSuite;
use crate::error::Error;
use crate::send::entropy::{Entropy, Ids};
use crate::send::standalone::Standalone;
use crate::token::{
    ContextReference, DEFAULT_LABEL, NONCE_LENGTH, ReferenceTarget, SecurityContextToken, SecurityTokenReference,
    token_id, value_types,
};
use handstamp_keys::{PrivateKey, SecureRandom, SymmetricKey, derivation};
use handstamp_xml::{Element, Writer, names};
use std::fmt;
use zeroize::Zeroizing;

/// A name and its password.
#[derive(Clone)]
pub struct UserNameCredential {
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
}

/// A token of a token service, as it was issued, and what proves possession of it.
#[derive(Debug, Clone)]
pub struct IssuedToken {
    pub(super) assertion: Standalone,
    pub(super) id: String,
    /// How references say which SAML it is.
    pub(super) value_type: &'static str,
    pub(super) proof: IssuedProof,
}

/// What proves possession of an issued token.
#[derive(Debug, Clone)]
pub enum IssuedProof {
    /// A key that the token service encrypted for the service.
    Symmetric(SymmetricKey),
    /// The private key of the client.
    Private(PrivateKey),
    /// Nothing: whoever shows the token is its bearer.
    Bearer,
}

/// One key of a security context, and how messages name it.
///
/// A stateless session uses the same derived keys for all its messages until the key is renewed
/// ([`reuse_derived_keys`](Self::reuse_derived_keys)); otherwise each message has its own.
#[derive(Debug, Clone)]
pub struct ContextKey {
    token: SecurityContextToken,
    element: Standalone,
    key: SymmetricKey,
    derived: Option<[DerivedKey; 2]>,
}

/// A key derived from another token's, with what the other side needs to derive it too.
#[derive(Debug, Clone)]
pub(super) struct DerivedKey {
    pub(super) id: String,
    pub(super) nonce: [u8; NONCE_LENGTH],
    pub(super) key: SymmetricKey,
}

impl UserNameCredential {
    /// A name and its password.
    pub fn new(name: impl Into<String>, password: impl Into<String>) -> Self {
        Self { name: name.into(), password: Zeroizing::new(password.into()) }
    }
}

/// Without the password.
impl fmt::Debug for UserNameCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserNameCredential").field("name", &self.name).finish_non_exhaustive()
    }
}

impl IssuedToken {
    /// Takes an assertion of SAML 1.1 or 2.0, which is repeated in messages as it is.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another element, and for one without identifier.
    pub fn new(assertion: Element<'_>, proof: IssuedProof) -> Result<Self, Error> {
        let malformed = |problem: &str| Error::malformed("SC 6", "Assertion", problem);
        let value_type =
            saml_value_type(assertion).ok_or_else(|| malformed("it is no assertion of SAML 1.1 or 2.0"))?;
        let id = token_id(assertion).ok_or_else(|| malformed("it has no identifier"))?;
        Ok(Self { assertion: Standalone::of(assertion), id: id.to_owned(), value_type, proof })
    }

    /// The assertion as it is repeated in messages.
    pub fn to_xml(&self) -> &str {
        self.assertion.xml()
    }
}

/// The `ValueType` of references to this assertion.
pub(crate) fn saml_value_type(assertion: Element<'_>) -> Option<&'static str> {
    match (assertion.namespace(), assertion.local_name()) {
        (names::SAML11, "Assertion") => Some(value_types::SAML11_ASSERTION_ID),
        (names::SAML20, "Assertion") => Some(value_types::SAML20_ASSERTION_ID),
        _ => None,
    }
}

/// The reference to an assertion, as WCF writes it with WSS 1.1 whether the assertion is in the message or not.
pub(super) fn assertion_reference(id: &str, value_type: &str) -> SecurityTokenReference {
    let token_type = match value_type {
        value_types::SAML20_ASSERTION_ID => value_types::SAML20,
        _ => value_types::SAML11,
    };
    SecurityTokenReference {
        token_type: Some(token_type.to_owned()),
        target: ReferenceTarget::SamlAssertion { id: id.to_owned(), value_type: value_type.to_owned() },
    }
}

impl ContextKey {
    /// The key of a token that this service issued, or that is to be written anew.
    ///
    /// # Errors
    /// [`Error::Xml`] when the identifiers hold characters that XML cannot.
    pub fn new(token: SecurityContextToken, key: SymmetricKey) -> Result<Self, Error> {
        let mut writer = Writer::new();
        token.write(&mut writer);
        let element = Standalone::canonical(writer.finish()?);
        Ok(Self { token, element, key, derived: None })
    }

    /// The key of a token that a service issued to this client, which repeats the element as it came, with whatever is in it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another element.
    pub fn received(token: Element<'_>, key: SymmetricKey) -> Result<Self, Error> {
        let element = Standalone::of(token);
        Ok(Self { token: SecurityContextToken::parse_as_client(token)?, element, key, derived: None })
    }

    /// Derives the two keys that all messages under this key use from here on.
    ///
    /// # Errors
    /// [`Error::Configuration`] when there is no randomness.
    pub fn reuse_derived_keys(mut self, suite: &AlgorithmSuite, random: &dyn SecureRandom) -> Result<Self, Error> {
        let entropy = Entropy::new(random);
        let mut ids = Ids::new(false, &entropy)?;
        let mut derive = |length| DerivedKey::derive(ids.token(), &self.key, length, &entropy);
        self.derived = Some([derive(suite.signature_key_length())?, derive(suite.encryption_key_length())?]);
        Ok(self)
    }

    /// Which context and key.
    pub fn context(&self) -> &ContextReference {
        &self.token.context
    }

    /// The token.
    pub fn token(&self) -> &SecurityContextToken {
        &self.token
    }

    /// The key.
    pub fn key(&self) -> &SymmetricKey {
        &self.key
    }

    pub(super) fn element(&self) -> &Standalone {
        &self.element
    }

    /// The key that signs and the one that encrypts, when they are always the same.
    pub(super) fn derived(&self) -> Option<&[DerivedKey; 2]> {
        self.derived.as_ref()
    }
}

impl DerivedKey {
    /// A key of so many bytes from a fresh nonce.
    pub(super) fn derive(
        id: String,
        source: &SymmetricKey,
        length: usize,
        entropy: &Entropy<'_>,
    ) -> Result<Self, Error> {
        let nonce = entropy.draw()?;
        let mut key = Zeroizing::new(vec![0; length]);
        derivation::p_sha1(source.as_bytes(), &[DEFAULT_LABEL.as_bytes(), &nonce], 0, &mut key);
        Ok(Self { id, nonce, key: SymmetricKey::from_bytes(&key) })
    }
}
