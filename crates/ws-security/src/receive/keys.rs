//! The keys that a message can name: those of its tokens, and those that the receiver knows.

use crate::binding::TokenKind;
use crate::error::Error;
use crate::receive::knowledge::SessionKeyError;
use crate::receive::unprotected::RequestContext;
use crate::receive::{Receiver, Role};
use crate::token::{ContextReference, ReferenceTarget, SecurityTokenReference, to_base64};
use crate::version::Generation;
use handstamp_keys::{Certificate, PublicKey, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_xml_security::key_info::{KeyInfo, KeyInfoClause};
use std::rc::Rc;

/// A key, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) origin: Origin,
    pub(super) material: Material,
    /// Whether it was derived from the key of its origin.
    pub(super) derived: bool,
    /// The place in the header of the token that was named.
    pub(super) position: Option<usize>,
}

/// Which token a key comes from in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    EncryptedKey([u8; 20]),
    Context(ContextReference),
    Certificate(Certificate),
    Key(PublicKey),
    Issued(String),
}

impl Key {
    /// For errors: the key that this reference names, and where it comes from.
    pub(super) fn describe(&self, reference: &SecurityTokenReference) -> String {
        let derived = if self.derived { "derived from " } else { "" };
        let origin = match &self.origin {
            Origin::EncryptedKey(sha1) => format!("the encrypted key {}", to_base64(sha1)),
            Origin::Context(context) => {
                let instance = context.instance.as_ref().map(|instance| format!(" instance {instance:.128?}"));
                format!("the security context {:.128?}{}", context.identifier, instance.unwrap_or_default())
            }
            Origin::Certificate(certificate) => named(certificate),
            Origin::Key(_) => "the key in the message".to_owned(),
            Origin::Issued(id) => format!("the assertion {id:.128?}"),
        };
        format!("the key of {reference}, {derived}{origin},")
    }
}

/// A certificate, for errors.
pub(super) fn named(certificate: &Certificate) -> String {
    let thumbprint = to_base64(certificate.sha1_thumbprint());
    format!("the certificate {:.128?} with thumbprint {thumbprint}", certificate.subject().as_str())
}

#[derive(Debug, Clone)]
pub(super) enum Material {
    Symmetric(SymmetricKey),
    Public(Certificate),
    /// A public key that no certificate vouches for.
    Bare(PublicKey),
    /// A token that proves nothing by a key.
    None,
}

/// One token of the header.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) id: Option<String>,
    pub(super) key: Rc<Key>,
    pub(super) used: bool,
}

/// All tokens of the header, and what the receiver knows besides.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    pub(super) tokens: Vec<Token>,
}

impl KeyTable {
    pub(super) fn add(&mut self, id: Option<&str>, key: Key) {
        self.tokens.push(Token { id: id.map(str::to_owned), key: Rc::new(key), used: false });
    }

    /// The key that a reference names.
    pub(super) fn resolve(
        &mut self,
        reference: &SecurityTokenReference,
        receiver: &Receiver<'_>,
        request: Option<&RequestContext>,
        now: Timestamp,
    ) -> Result<Rc<Key>, Error> {
        if let Some(key) = self.take(&reference.target) {
            return Ok(key);
        }
        let known = |origin, key: &SymmetricKey| Key {
            origin,
            material: Material::Symmetric(key.clone()),
            derived: false,
            position: None,
        };
        let found = match &reference.target {
            ReferenceTarget::EncryptedKeySha1(sha1) => request
                .and_then(|request| request.encrypted_key.as_ref())
                .filter(|wrapped| wrapped.sha1 == sha1.as_slice())
                .map(|wrapped| known(Origin::EncryptedKey(wrapped.sha1), &wrapped.key)),
            ReferenceTarget::SamlAssertion { id, .. } => request
                .and_then(|request| request.issued_token.as_ref())
                .filter(|issued| issued.assertion_id == *id)
                .map(|issued| known(Origin::Issued(id.clone()), &issued.key)),
            ReferenceTarget::RsaKeyValue { modulus, exponent } => receiver.bare_key(modulus, exponent)?,
            target => match receiver.named_context(target) {
                Some(context) => {
                    let sessions = receiver.sessions.ok_or_else(|| unknown(&context))?;
                    let key = sessions.by_reference(&context, now).map_err(|error| session_error(error, &context))?;
                    Some(known(Origin::Context(context), &key))
                }
                None => receiver.peer_certificate.filter(|certificate| target.names_certificate(certificate)).map(
                    |certificate| Key {
                        origin: Origin::Certificate(certificate.clone()),
                        material: Material::Public(certificate.clone()),
                        derived: false,
                        position: None,
                    },
                ),
            },
        };
        found
            .map(Rc::new)
            .ok_or_else(|| Error::refused("SC 9 step 5", reference.to_string(), "no such key or token is known"))
    }

    /// The key of the header's token that a reference names. That token and the one its key comes from count as used.
    fn take(&mut self, target: &ReferenceTarget) -> Option<Rc<Key>> {
        let named = self.tokens.iter().position(|token| token.is_named_by(target));
        let named = named.or_else(|| self.tokens.iter().position(|token| token.is_identified_by(target)))?;
        let key = Rc::clone(&self.tokens.get(named)?.key);
        for (index, token) in self.tokens.iter_mut().enumerate() {
            token.used |= index == named || (!token.key.derived && token.key.origin == key.origin);
        }
        Some(key)
    }
}

impl Receiver<'_> {
    /// A key that a message brings itself: it proves that the sender has it, and only where the binding asks for that.
    fn bare_key(&self, modulus: &[u8], exponent: &[u8]) -> Result<Option<Key>, Error> {
        let is_expected = self.binding.supporting_tokens.iter().any(|token| token.parameters.kind == TokenKind::RsaKey);
        if !is_expected || self.role == Role::Client {
            return Ok(None);
        }
        let key = PublicKey::from_rsa_components(modulus, exponent, &self.key_policy);
        let key = key.map_err(|error| Error::refused("SC 9 step 12", "RSAKeyValue", error.to_string()))?;
        let (origin, material) = (Origin::Key(key.clone()), Material::Bare(key));
        Ok(Some(Key { origin, material, derived: false, position: None }))
    }

    /// The security context that a reference names which leads to no token of the message.
    ///
    /// The streaming service of Apache CXF says in its replies that contexts are of WS-SecureConversation 1.3 when they are not, and
    /// refers to them by `#` and their identifier. A client has one context to look among, whose key has to fit; so it takes such
    /// references for those to that context.
    fn named_context(&self, target: &ReferenceTarget) -> Option<ContextReference> {
        let of_binding = self.binding.version.generation;
        match target {
            ReferenceTarget::SecurityContext { identifier, instance, generation } => {
                let generation = if self.role == Role::Client { of_binding } else { *generation };
                Some(ContextReference { generation, identifier: identifier.clone(), instance: instance.clone() })
            }
            ReferenceTarget::Local { id, value_type: Some(value_type) }
                if self.role == Role::Client && means_context(value_type) =>
            {
                Some(ContextReference { generation: of_binding, identifier: id.clone(), instance: None })
            }
            _ => None,
        }
    }
}

impl Token {
    /// The streaming sender of Apache CXF refers to a security context of the same message by `#` and its identifier, where its
    /// `Id` belongs, and says that it means a context.
    fn is_identified_by(&self, target: &ReferenceTarget) -> bool {
        let (Origin::Context(context), ReferenceTarget::Local { id, value_type: Some(value_type) }) =
            (&self.key.origin, target)
        else {
            return false;
        };
        !self.key.derived && means_context(value_type) && context.identifier == *id
    }

    pub(super) fn is_named_by(&self, target: &ReferenceTarget) -> bool {
        if let ReferenceTarget::Local { id, .. } = target {
            return self.id.as_deref() == Some(id.as_str());
        }
        !self.key.derived
            && match (&self.key.origin, target) {
                (Origin::EncryptedKey(own), ReferenceTarget::EncryptedKeySha1(sha1)) => own == sha1.as_slice(),
                (Origin::Context(context), ReferenceTarget::SecurityContext { identifier, instance, .. }) => {
                    context.identifier == *identifier && context.instance == *instance
                }
                (Origin::Issued(own), ReferenceTarget::SamlAssertion { id, .. }) => own == id,
                (Origin::Certificate(certificate), target) => target.names_certificate(certificate),
                _ => false,
            }
    }
}

fn means_context(value_type: &str) -> bool {
    [Generation::February2005, Generation::V13].iter().any(|generation| value_type == generation.context_token_type())
}

/// The one `SecurityTokenReference` that a `KeyInfo` of a message consists of.
pub(super) fn single_reference(key_info: &KeyInfo<'_>) -> Result<SecurityTokenReference, Error> {
    match key_info.clauses() {
        [KeyInfoClause::SecurityTokenReference(element)] => SecurityTokenReference::parse(*element),
        [KeyInfoClause::RsaKeyValue { modulus, exponent }] => {
            Ok(SecurityTokenReference::new(ReferenceTarget::RsaKeyValue {
                modulus: modulus.clone(),
                exponent: exponent.clone(),
            }))
        }
        _ => Err(Error::malformed("WSS 7", "KeyInfo", "it is not one SecurityTokenReference")),
    }
}

pub(super) fn session_error(error: SessionKeyError, context: &ContextReference) -> Error {
    match error {
        SessionKeyError::Unknown => unknown(context),
        SessionKeyError::Refused(problem) => Error::refused("SC 10.4", "SecurityContextToken", problem),
    }
}

pub(super) fn unknown(context: &ContextReference) -> Error {
    Error::UnknownContext { identifier: context.identifier.chars().take(128).collect() }
}
