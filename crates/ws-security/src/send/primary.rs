//! What signs and what encrypts a message, and the tokens that its header needs for that.

use crate::binding::{Protection, ProtectionOrder, TokenKind, TokenParameters};
use crate::error::Error;
use crate::receive::{IssuedKey, RequestContext, WrappedKey};
use crate::send::credentials::{DerivedKey, assertion_reference};
use crate::send::entropy::no_randomness;
use crate::send::protecting::Protecting;
use crate::send::tokens::{Included, Key, Source, inside_security, local_reference_xml, missing};
use crate::token::{ReferenceTarget, SecurityTokenReference, append_derived_key, value_types};
use handstamp_keys::{Certificate, SymmetricKey};
use handstamp_xml_security as xml_security;
use handstamp_xml_security::encryption;
use std::borrow::Cow;

/// What protects one message.
pub(super) struct Primary<'k> {
    /// The signing certificate, the security context, or the assertion.
    pub(super) token: Option<Included<'k>>,
    pub(super) signing_derivation: Option<String>,
    /// The fresh key for the other side's certificate.
    pub(super) wrapped_key: Option<FreshKey>,
    pub(super) encryption_derivation: Option<String>,
    pub(super) signing_key: Key<'k>,
    /// The `SecurityTokenReference` to the signing key.
    pub(super) signing_reference: String,
    pub(super) encryption: Option<Encryption<'k>>,
}

/// A key made for this message.
pub(super) struct FreshKey {
    pub(super) id: String,
    pub(super) wrapped: encryption::WrappedKey,
    pub(super) reference: String,
    /// Whether it has the list of what it encrypts inside.
    pub(super) holds_list: bool,
}

pub(super) struct Encryption<'k> {
    pub(super) key: Cow<'k, SymmetricKey>,
    /// The `SecurityTokenReference` to it; empty where the key has the list of what it encrypts.
    pub(super) reference: String,
    /// The same for places inside the security header.
    pub(super) reference_inside: String,
}

impl<'k> Encryption<'k> {
    fn new(key: Cow<'k, SymmetricKey>, reference: String) -> Self {
        Self { key, reference_inside: inside_security(&reference), reference }
    }
}

/// The identifiers of derived and wrapped keys, drawn before anything is written.
pub(super) struct KeyIds {
    pub(super) wrapped: Option<String>,
    pub(super) signing: Option<String>,
    pub(super) encryption: Option<String>,
}

impl<'s> Protecting<'s> {
    /// The keys of a symmetric binding (SC 6.1, 8.1), or of an asymmetric one (SC 6.3).
    pub(super) fn primary(&mut self, ids: KeyIds, encrypts: bool) -> Result<Primary<'s>, Error> {
        match &self.binding().protection {
            Protection::Symmetric { token } => self.symmetric(token, ids, encrypts),
            Protection::Asymmetric { initiator, recipient } => {
                let own = if self.sender.is_client() { initiator } else { recipient };
                self.asymmetric(own, recipient.require_derived_keys, ids, encrypts)
            }
            Protection::Transport => {
                Err(Error::Configuration("a transport binding has no token that protects messages".to_owned()))
            }
        }
    }

    /// Whether the two derived keys of the binding's security context are always the same.
    pub(super) fn kept_keys(&self) -> Option<&'s [DerivedKey; 2]> {
        match &self.binding().protection {
            Protection::Symmetric { token } if token.require_derived_keys => match token.kind {
                TokenKind::SecureConversation(_) => self.sender.context?.derived(),
                TokenKind::SslNegotiated { .. } => self.sender.negotiated_context?.derived(),
                _ => None,
            },
            _ => None,
        }
    }

    fn symmetric(&mut self, token: &TokenParameters, ids: KeyIds, encrypts: bool) -> Result<Primary<'s>, Error> {
        let (source, wrapped_key) = self.symmetric_source(token, ids.wrapped, encrypts)?;
        let Key::Shared(secret) = &source.key else {
            return Err(Error::Configuration("the token that protects the binding has no symmetric key".to_owned()));
        };
        self.check_length(secret)?;
        let source_reference = self.reference_xml(&source.reference)?;
        let holds_list = wrapped_key.as_ref().is_some_and(|key| key.holds_list);
        let suite = self.binding().suite;
        if !token.require_derived_keys {
            let reference = if holds_list { String::new() } else { source_reference.clone() };
            return Ok(Primary {
                encryption: encrypts
                    .then(|| Encryption::new(Cow::Owned(suite.encryption_part(secret).into_owned()), reference)),
                token: source.included,
                signing_derivation: None,
                wrapped_key,
                encryption_derivation: None,
                signing_key: source.key,
                signing_reference: source_reference,
            });
        }
        let kept = self.kept_keys();
        let derive = |this: &mut Self, index: usize, id: Option<String>, length| match kept {
            Some(kept) => kept.get(index).cloned().ok_or_else(|| missing("derived keys", "with_context")),
            None => DerivedKey::derive(id.unwrap_or_default(), secret, length, &this.entropy),
        };
        let signing = derive(self, 0, ids.signing, suite.signature_key_length())?;
        let encryption =
            encrypts.then(|| derive(self, 1, ids.encryption, suite.encryption_key_length())).transpose()?;
        let inside = inside_security(&source_reference);
        Ok(Primary {
            token: source.included,
            signing_derivation: Some(self.derivation(&signing, &inside)),
            wrapped_key,
            encryption_derivation: encryption.as_ref().map(|key| self.derivation(key, &inside)),
            signing_reference: self.derived_reference(&signing.id),
            signing_key: Key::Shared(Cow::Owned(signing.key)),
            encryption: encryption.map(|key| self.derived_encryption(key)),
        })
    }

    /// The token that a symmetric binding's keys come from.
    fn symmetric_source(
        &mut self,
        token: &TokenParameters,
        wrapped_id: Option<String>,
        encrypts: bool,
    ) -> Result<(Source<'s>, Option<FreshKey>), Error> {
        match &token.kind {
            TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => {
                Ok((self.context_source(token)?, None))
            }
            TokenKind::Issued(_) if self.sender.is_client() => {
                let source = self.issued_source(token.inclusion)?;
                let source =
                    source.ok_or_else(|| missing("an issued token with a symmetric key", "with_issued_token"))?;
                if let (Key::Shared(key), Some(issued)) = (&source.key, self.sender.issued_token) {
                    self.request.issued_token = Some(IssuedKey {
                        assertion_id: issued.id.clone(),
                        value_type: issued.value_type,
                        key: key.as_ref().clone(),
                    });
                }
                Ok((source, None))
            }
            TokenKind::Issued(_) => {
                let issued = self.request_part(|request| request.issued_token.as_ref())?;
                let key = Key::Shared(Cow::Borrowed(&issued.key));
                let reference = assertion_reference(&issued.assertion_id, issued.value_type);
                Ok((Source { included: None, reference, key }, None))
            }
            TokenKind::X509 if self.sender.is_client() => {
                let certificate = self.peer_certificate()?;
                let id = wrapped_id.unwrap_or_default();
                let holds_list = !token.require_derived_keys && encrypts && !self.encrypts_first();
                let (fresh, key) = self.fresh_key(certificate, id, holds_list)?;
                self.request.encrypted_key = Some(WrappedKey { sha1: fresh.wrapped.sha1(), key: key.clone() });
                let token_type = Some(value_types::ENCRYPTED_KEY);
                let reference = self.local_reference(&fresh.id, value_types::ENCRYPTED_KEY, token_type);
                Ok((Source { included: None, reference, key: Key::Shared(Cow::Owned(key)) }, Some(fresh)))
            }
            TokenKind::X509 => {
                let wrapped = self.request_part(|request| request.encrypted_key.as_ref())?;
                let reference = SecurityTokenReference {
                    token_type: Some(value_types::ENCRYPTED_KEY.to_owned()),
                    target: ReferenceTarget::EncryptedKeySha1(wrapped.sha1.to_vec()),
                };
                Ok((Source { included: None, reference, key: Key::Shared(Cow::Borrowed(&wrapped.key)) }, None))
            }
            TokenKind::UserName | TokenKind::RsaKey => Err(Error::Configuration(
                "a user name has no key to protect messages with, nor has a public key".to_owned(),
            )),
        }
    }

    fn asymmetric(
        &mut self,
        own: &TokenParameters,
        derives: bool,
        ids: KeyIds,
        encrypts: bool,
    ) -> Result<Primary<'s>, Error> {
        let identity = self.identity()?;
        let Source { included, reference, key } = self.certificate_source(identity, own.inclusion)?;
        let mut primary = Primary {
            token: included,
            signing_derivation: None,
            wrapped_key: None,
            encryption_derivation: None,
            signing_key: key,
            signing_reference: self.reference_xml(&reference)?,
            encryption: None,
        };
        if encrypts {
            let certificate = self.peer_certificate()?;
            let holds_list = !derives && !self.encrypts_first();
            let (fresh, key) = self.fresh_key(certificate, ids.wrapped.unwrap_or_default(), holds_list)?;
            let local = self.reference_xml(&SecurityTokenReference::local(&fresh.id))?;
            primary.encryption = Some(if derives {
                let length = self.binding().suite.encryption_key_length();
                let derived = DerivedKey::derive(ids.encryption.unwrap_or_default(), &key, length, &self.entropy)?;
                primary.encryption_derivation = Some(self.derivation(&derived, &inside_security(&local)));
                self.derived_encryption(derived)
            } else {
                let reference = if holds_list { String::new() } else { local };
                Encryption::new(Cow::Owned(key), reference)
            });
            primary.wrapped_key = Some(fresh);
        }
        Ok(primary)
    }

    /// A key for the holder of a certificate, to be written as `EncryptedKey`.
    fn fresh_key(
        &mut self,
        certificate: &Certificate,
        id: String,
        holds_list: bool,
    ) -> Result<(FreshKey, SymmetricKey), Error> {
        let suite = self.binding().suite;
        let key = SymmetricKey::generate(suite.default_key_length(), self.entropy.source()).map_err(no_randomness)?;
        let failed = |source| Error::Cryptography {
            requirement: "SC 6.1",
            element: "EncryptedKey",
            key: "the peer's certificate".to_owned(),
            source: Box::new(source),
        };
        let public = certificate.public_key(&self.sender.key_policy);
        let public = public.map_err(|error| failed(xml_security::Error::Keys(error)))?;
        let wrapped = encryption::WrappedKey::for_certificate(suite.key_transport(), public, &key).map_err(failed)?;
        let reference = self.reference_xml(&self.certificate_reference(certificate))?;
        Ok((FreshKey { id, wrapped, reference, holds_list }, key))
    }

    pub(super) fn derivation(&self, key: &DerivedKey, source: &str) -> String {
        let mut out = String::with_capacity(512);
        append_derived_key(self.binding().version.generation, &key.id, source, key.key.len(), &key.nonce, &mut out);
        out
    }

    /// The reference to a derived key, whose identifier is one of ours.
    pub(super) fn derived_reference(&self, id: &str) -> String {
        let value_type = self.binding().version.generation.derived_key_token_type();
        local_reference_xml(id, self.profile().then_some(value_type))
    }

    fn derived_encryption(&self, key: DerivedKey) -> Encryption<'s> {
        let reference = self.derived_reference(&key.id);
        Encryption::new(Cow::Owned(key.key), reference)
    }

    /// The key is of a length that the suite has (SC 5.4).
    pub(super) fn check_length(&self, key: &SymmetricKey) -> Result<(), Error> {
        let suite = &self.binding().suite;
        if suite.key_lengths().contains(&key.len()) {
            return Ok(());
        }
        Err(Error::Configuration(format!(
            "a key of {} bits does not go with the algorithm suite {}",
            key.len() * 8,
            suite.name()
        )))
    }

    fn peer_certificate(&self) -> Result<&'s Certificate, Error> {
        let of_request = self.sender.request.and_then(|request| request.client_certificate.as_ref());
        of_request
            .filter(|_| !self.sender.is_client())
            .or(self.sender.peer_certificate)
            .ok_or_else(|| missing("the certificate of the other side", "with_peer_certificate"))
    }

    /// What only the request knows.
    fn request_part<T>(&self, part: impl FnOnce(&'s RequestContext) -> Option<&'s T>) -> Result<&'s T, Error> {
        self.sender
            .request
            .and_then(part)
            .ok_or_else(|| missing("the request that it answers, whose key protects the reply too,", "answering"))
    }

    pub(super) fn encrypts_first(&self) -> bool {
        self.binding().protection_order == ProtectionOrder::EncryptBeforeSign
    }
}
