//! What a client is, and whom it believes.

use crate::error::Error;
use crate::requirements::Requirements;
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_ws_security::{IssuedToken, Receiver, SecurityBinding, Sender, UserNameCredential};

/// What a client is, and whom it believes.
#[derive(Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) identity: Option<SigningIdentity>,
    pub(crate) service_certificate: Option<Certificate>,
    pub(crate) trust: Option<CertificateTrust>,
    pub(crate) key_policy: KeyPolicy,
    pub(crate) user_name: Option<UserNameCredential>,
    pub(crate) issued_token: Option<IssuedToken>,
}

impl Credentials {
    /// What protects requests under a binding.
    pub(crate) fn sender<'a>(&'a self, binding: &'a SecurityBinding, protected_channel: bool) -> Sender<'a> {
        let mut sender = Sender::client(binding).with_key_policy(self.key_policy);
        if let Some(identity) = &self.identity {
            sender = sender.with_identity(identity);
        }
        if let Some(certificate) = &self.service_certificate {
            sender = sender.with_peer_certificate(certificate);
        }
        if let Some(user_name) = &self.user_name {
            sender = sender.with_user_name(user_name);
        }
        if let Some(issued_token) = &self.issued_token {
            sender = sender.with_issued_token(issued_token);
        }
        if protected_channel { sender.over_protected_channel() } else { sender }
    }

    /// What opens replies under a binding.
    pub(crate) fn receiver<'a>(&'a self, binding: &'a SecurityBinding, protected_channel: bool) -> Receiver<'a> {
        let mut receiver = Receiver::client(binding).with_key_policy(self.key_policy);
        if let Some(identity) = &self.identity {
            receiver = receiver.with_identity(identity);
        }
        if let Some(certificate) = &self.service_certificate {
            receiver = receiver.with_peer_certificate(certificate);
        }
        if let Some(trust) = &self.trust {
            receiver = receiver.with_trust(trust);
        }
        if protected_channel { receiver.over_protected_channel() } else { receiver }
    }

    /// Whether everything is there that a binding needs.
    ///
    /// # Errors
    /// [`Error::Configuration`], which says what is missing.
    pub(crate) fn check(&self, needs: Requirements) -> Result<(), Error> {
        let problem = if needs.service_certificate && self.service_certificate.is_none() {
            "the bootstrap encrypts for the service's certificate: give the client that certificate"
        } else if needs.negotiation.is_some() && self.service_certificate.is_none() && self.trust.is_none() {
            "the bootstrap negotiates TLS with the service's certificate: give the client that certificate, or say which ones \
             are trusted"
        } else if needs.client_certificate && self.identity.is_none() {
            "the bootstrap shows a certificate of the client: give the client its identity, certificate and private key"
        } else if needs.user_name && self.user_name.is_none() {
            "the bootstrap sends a name and a password: give the client both"
        } else if needs.issued_token && self.issued_token.is_none() {
            "the bootstrap shows a token of a token service: give the client one"
        } else {
            return Ok(());
        };
        Err(Error::Configuration(problem.to_owned()))
    }
}
