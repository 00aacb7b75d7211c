//! The tokens of the security header, each with the key that it stands for and the way it is referred to.

use crate::algorithm_suite::AlgorithmSuite;
use crate::binding::{TokenInclusion, TokenKind, TokenParameters};
use crate::error::Error;
use crate::send::credentials::{IssuedProof, assertion_reference};
use crate::send::protecting::Protecting;
use crate::send::standalone::Standalone;
use crate::token::{BinarySecurityToken, ReferenceTarget, SecurityTokenReference, UserNameToken, value_types};
use crate::version::WssVersion;
use handstamp_keys::{Certificate, PrivateKey, SigningIdentity, SymmetricKey};
use handstamp_xml::{Writer, names};
use handstamp_xml_security::algorithm::SignatureMethod;
use handstamp_xml_security::signature::SigningKey;
use std::borrow::Cow;
use zeroize::Zeroize;

/// A token that keys come from.
pub(super) struct Source<'k> {
    pub(super) included: Option<Included<'k>>,
    pub(super) reference: SecurityTokenReference,
    pub(super) key: Key<'k>,
}

/// A token that the message includes.
pub(super) struct Included<'k> {
    pub(super) id: Option<String>,
    pub(super) xml: Cow<'k, str>,
    /// Its canonical form, where that is not the same.
    canonical: Option<&'k str>,
}

/// What signs, and in symmetric bindings encrypts.
pub(super) enum Key<'k> {
    Shared(Cow<'k, SymmetricKey>),
    Private(&'k PrivateKey),
}

impl Key<'_> {
    pub(super) fn signing(&self) -> SigningKey<'_> {
        match self {
            Self::Shared(key) => SigningKey::Symmetric(key.as_bytes()),
            Self::Private(key) => SigningKey::Private(key),
        }
    }

    pub(super) fn method(&self, suite: &AlgorithmSuite) -> SignatureMethod {
        match self {
            Self::Shared(_) => suite.symmetric_signature(),
            Self::Private(_) => suite.asymmetric_signature(),
        }
    }
}

impl Included<'_> {
    /// A token that we write ourselves, canonical.
    pub(super) fn written(id: String, xml: String) -> Self {
        Self { id: Some(id), xml: Cow::Owned(xml), canonical: None }
    }

    /// For keys that no token stands for.
    fn nothing() -> Self {
        Self { id: None, xml: Cow::Borrowed(""), canonical: None }
    }

    pub(super) fn digested(&self) -> &str {
        self.canonical.unwrap_or(&self.xml)
    }
}

impl<'k> Included<'k> {
    fn kept(id: Option<&str>, element: &'k Standalone) -> Self {
        Self { id: id.map(str::to_owned), xml: Cow::Borrowed(element.xml()), canonical: Some(element.digested()) }
    }
}

/// Passwords are not left behind.
impl Drop for Included<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(xml) = &mut self.xml {
            xml.zeroize();
        }
    }
}

impl<'s> Protecting<'s> {
    /// The supporting token that these parameters stand for.
    pub(super) fn supporting_source(&mut self, parameters: &TokenParameters) -> Result<Option<Source<'s>>, Error> {
        match &parameters.kind {
            TokenKind::X509 => {
                let identity = self.identity()?;
                self.certificate_source(identity, parameters.inclusion).map(Some)
            }
            TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => {
                self.context_source(parameters).map(Some)
            }
            TokenKind::Issued(_) => self.issued_source(parameters.inclusion),
            TokenKind::RsaKey => self.proof_source().map(Some),
            TokenKind::UserName => Ok(None),
        }
    }

    /// The key that a token is to be issued for.
    fn proof_source(&self) -> Result<Source<'s>, Error> {
        let key = self.sender.proof_key.ok_or_else(|| missing("an RSA key to prove", "with_proof_key"))?;
        let (modulus, exponent) = key.public_key().rsa_components().ok_or_else(|| {
            Error::Configuration("a key that proves itself in KeyInfo has to be an RSA key".to_owned())
        })?;
        let target = ReferenceTarget::RsaKeyValue { modulus: modulus.to_vec(), exponent: exponent.to_vec() };
        let reference = SecurityTokenReference::new(target);
        Ok(Source { included: Some(Included::nothing()), reference, key: Key::Private(key) })
    }

    /// Our certificate, whose private key signs.
    pub(super) fn certificate_source(
        &mut self,
        identity: &'s SigningIdentity,
        inclusion: TokenInclusion,
    ) -> Result<Source<'s>, Error> {
        let certificate = identity.certificate();
        let key = Key::Private(identity.key());
        if !self.includes(inclusion) {
            return Ok(Source { included: None, reference: self.certificate_reference(certificate), key });
        }
        let id = self.ids.token();
        let token = BinarySecurityToken { id: Some(id.clone()), certificate: certificate.clone() };
        let mut writer = Writer::new();
        token.write(&mut writer, self.profile());
        let reference = self.local_reference(&id, value_types::X509_V3, None);
        Ok(Source { included: Some(Included::written(id, writer.finish()?)), reference, key })
    }

    /// A certificate that is not in the message, as the version of WS-Security names it (SC 6.3).
    pub(super) fn certificate_reference(&self, certificate: &Certificate) -> SecurityTokenReference {
        let target = match (self.binding().version.wss, certificate.subject_key_identifier()) {
            (WssVersion::V11, _) => ReferenceTarget::Thumbprint(certificate.sha1_thumbprint().to_vec()),
            (WssVersion::V10, Some(identifier)) => ReferenceTarget::SubjectKeyIdentifier(identifier.to_vec()),
            (WssVersion::V10, None) => ReferenceTarget::IssuerSerial {
                issuer: certificate.issuer().as_str().to_owned(),
                serial: certificate.serial_decimal().to_owned(),
            },
        };
        SecurityTokenReference::new(target)
    }

    /// A security context: requests include the token, replies name it (SC 8.1, 8.2).
    pub(super) fn context_source(&mut self, parameters: &TokenParameters) -> Result<Source<'s>, Error> {
        let (context, how) = match parameters.kind {
            TokenKind::SslNegotiated { .. } => (self.sender.negotiated_context, "with_negotiated_context"),
            _ => (self.sender.context, "with_context"),
        };
        let context = context.ok_or_else(|| missing("a security context", how))?;
        let generation = context.context().generation;
        if generation != self.binding().version.generation {
            return Err(Error::Configuration(
                "the security context is of another WS-SecureConversation than the binding's messageSecurityVersion"
                    .to_owned(),
            ));
        }
        let key = Key::Shared(Cow::Borrowed(context.key()));
        let included = self
            .includes(parameters.inclusion)
            .then(|| Included::kept(context.token().id.as_deref(), context.element()));
        let reference = match included.as_ref().and_then(|included| included.id.as_deref()) {
            Some(id) => self.local_reference(id, generation.context_token_type(), None),
            None => SecurityTokenReference::new(ReferenceTarget::SecurityContext {
                identifier: context.context().identifier.clone(),
                instance: context.context().instance.clone(),
                generation,
            }),
        };
        Ok(Source { included, reference, key })
    }

    /// An assertion. None when it proves nothing by a key.
    pub(super) fn issued_source(&mut self, inclusion: TokenInclusion) -> Result<Option<Source<'s>>, Error> {
        let token =
            self.sender.issued_token.ok_or_else(|| missing("a token of the token service", "with_issued_token"))?;
        let key = match &token.proof {
            IssuedProof::Symmetric(key) => Key::Shared(Cow::Borrowed(key)),
            IssuedProof::Private(key) => Key::Private(key),
            IssuedProof::Bearer => return Ok(None),
        };
        let included = self.includes(inclusion).then(|| self.included_assertion()).transpose()?;
        Ok(Some(Source { included, reference: assertion_reference(&token.id, token.value_type), key }))
    }

    pub(super) fn included_assertion(&self) -> Result<Included<'s>, Error> {
        let token =
            self.sender.issued_token.ok_or_else(|| missing("a token of the token service", "with_issued_token"))?;
        Ok(Included::kept(Some(&token.id), &token.assertion))
    }

    pub(super) fn user_name(&mut self) -> Result<Included<'s>, Error> {
        let credential = self.sender.user_name.ok_or_else(|| missing("a user name", "with_user_name"))?;
        let id = self.ids.token();
        let token = UserNameToken {
            id: Some(id.clone()),
            name: credential.name.clone(),
            password: credential.password.clone(),
        };
        let mut writer = Writer::new();
        token.write(&mut writer, self.profile());
        Ok(Included::written(id, writer.finish()?))
    }

    /// `#id`, with what the Basic Security Profile wants said about it (SC 2.2).
    pub(super) fn local_reference(
        &self,
        id: &str,
        value_type: &str,
        token_type: Option<&str>,
    ) -> SecurityTokenReference {
        let profile = self.profile();
        SecurityTokenReference {
            token_type: token_type.filter(|_| profile).map(str::to_owned),
            target: ReferenceTarget::Local { id: id.to_owned(), value_type: profile.then(|| value_type.to_owned()) },
        }
    }

    /// The `SecurityTokenReference` element, canonical.
    pub(super) fn reference_xml(&self, reference: &SecurityTokenReference) -> Result<String, Error> {
        let mut writer = Writer::new();
        reference.write(&mut writer, self.profile());
        Ok(writer.finish()?)
    }

    pub(super) fn identity(&self) -> Result<&'s SigningIdentity, Error> {
        self.sender.identity.ok_or_else(|| missing("an identity (certificate and private key)", "with_identity"))
    }

    fn includes(&self, inclusion: TokenInclusion) -> bool {
        match inclusion {
            TokenInclusion::AlwaysToRecipient => self.sender.is_client(),
            TokenInclusion::AlwaysToInitiator => !self.sender.is_client(),
            TokenInclusion::Never => false,
        }
    }
}

pub(super) fn missing(what: &str, how: &str) -> Error {
    Error::Configuration(format!("the binding needs {what} to protect this message: give it to the sender ({how})"))
}

/// [`SecurityTokenReference::local`], with its `ValueType`, canonical. Every message has several, so it is put together by hand; the
/// identifier needs no escaping.
pub(super) fn local_reference_xml(id: &str, value_type: Option<&str>) -> String {
    let value_type = value_type.map_or(["", ""], |value_type| ["\" ValueType=\"", value_type]);
    [
        "<o:SecurityTokenReference xmlns:o=\"",
        names::WSSE,
        "\"><o:Reference URI=\"#",
        id,
        value_type[0],
        value_type[1],
        "\"></o:Reference></o:SecurityTokenReference>",
    ]
    .concat()
}

/// A reference without the declaration of `o`, for places inside the security header.
pub(super) fn inside_security(reference: &str) -> String {
    const DECLARATION: &str = " xmlns:o=\"";
    let Some((before, rest)) = reference.split_once(DECLARATION) else { return reference.to_owned() };
    [before, rest.get(names::WSSE.len() + 1..).unwrap_or_default()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_together_by_hand_is_what_the_writer_writes() {
        for value_type in [None, Some("http://example.com/dk")] {
            let target = ReferenceTarget::Local { id: "_1".to_owned(), value_type: value_type.map(str::to_owned) };
            let mut writer = Writer::new();
            SecurityTokenReference::new(target).write(&mut writer, false);
            assert_eq!(local_reference_xml("_1", value_type), writer.finish().unwrap());
        }
    }

    #[test]
    fn references_inside_the_header_leave_its_declaration_out() {
        let mut writer = Writer::new();
        let token_type = Some(value_types::ENCRYPTED_KEY.to_owned());
        let target = ReferenceTarget::EncryptedKeySha1(vec![1; 20]);
        SecurityTokenReference { token_type, target }.write(&mut writer, false);
        let alone = writer.finish().unwrap();
        let inside = inside_security(&alone);
        assert!(alone.contains("xmlns:o=") && inside.contains("xmlns:k=") && !inside.contains("xmlns:o="));
        assert_eq!(alone.len() - inside.len(), " xmlns:o=\"\"".len() + names::WSSE.len());
        assert_eq!(inside_security(&inside), inside);
        assert_eq!(inside_security(""), "");
    }
}
