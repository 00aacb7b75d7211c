//! What a binding needs, and which bindings sessions cannot have: the same for both ends.

use crate::error::Error;
use handstamp_ws_security::{Protection, SecureConversation, SecurityBinding, TokenKind, WssVersion};

/// Which credentials a bootstrap binding uses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Requirements {
    pub(crate) service_certificate: bool,
    pub(crate) client_certificate: bool,
    pub(crate) user_name: bool,
    pub(crate) issued_token: bool,
    /// What TLS negotiates in messages, before the bootstrap (SC §7).
    pub(crate) negotiation: Option<Negotiates>,
}

/// A context that TLS negotiates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Negotiates {
    /// Whether the client shows a certificate.
    pub(crate) client_certificate: bool,
    /// Whether the service remembers the context; otherwise it is a cookie.
    pub(crate) is_remembered: bool,
}

impl Requirements {
    pub(crate) fn of(binding: &SecurityBinding) -> Self {
        let mut needs = Self::default();
        match &binding.protection {
            Protection::Symmetric { token } => match token.kind {
                TokenKind::X509 => needs.service_certificate = true,
                // The token service encrypts the key for the service.
                TokenKind::Issued(_) => needs.issued_token = true,
                TokenKind::SslNegotiated { client_certificate, require_cancellation: is_remembered } => {
                    needs.client_certificate = client_certificate;
                    needs.negotiation = Some(Negotiates { client_certificate, is_remembered });
                }
                _ => {}
            },
            Protection::Asymmetric { .. } => (needs.service_certificate, needs.client_certificate) = (true, true),
            Protection::Transport => {}
        }
        for token in &binding.supporting_tokens {
            match token.parameters.kind {
                TokenKind::X509 => needs.client_certificate = true,
                TokenKind::UserName => needs.user_name = true,
                TokenKind::Issued(_) => needs.issued_token = true,
                _ => {}
            }
        }
        needs
    }
}

/// The session of a binding that both ends can speak; none where a negotiated context protects the messages of the application itself
/// (SC §7).
///
/// # Errors
/// [`Error::Configuration`] for what SC 14.9 refuses, and for negotiated contexts out of their place.
pub(crate) fn check_binding(binding: &SecurityBinding) -> Result<Option<&SecureConversation>, Error> {
    let refused = |problem: &str| Err(Error::Configuration(problem.to_owned()));
    let session = binding.session();
    if session.is_none() && Requirements::of(binding).negotiation.is_none() {
        return refused(
            "the binding has no session: authenticationMode has to be SecureConversation, or one of the …SslNegotiated modes",
        );
    }
    let bootstrap = session.map_or(binding, |session| &session.bootstrap);
    if session.is_some() && bootstrap.session().is_some() {
        return refused("the bootstrap requires another secure conversation, which is not supported");
    }
    if binding.is_transport() != bootstrap.is_transport() {
        return refused(
            "authenticationMode=\"SecureConversation\" with message security needs a bootstrap that signs and encrypts, and one \
             over transport a bootstrap over transport",
        );
    }
    let is_negotiated = |kind: &TokenKind| matches!(kind, TokenKind::SslNegotiated { .. });
    if bootstrap.supporting_tokens.iter().any(|token| is_negotiated(&token.parameters.kind)) {
        return refused(
            "a context that TLS negotiates in SOAP messages (…ForSslNegotiated) can protect a bootstrap, and not be one of its \
             supporting tokens",
        );
    }
    if Requirements::of(bootstrap).negotiation.is_some() && binding.version.generation != bootstrap.version.generation {
        return refused(
            "a negotiated bootstrap (…ForSslNegotiated) needs the same generation of WS-Trust in the messageSecurityVersion of \
             security and of secureConversationBootstrap",
        );
    }
    for part in [binding, bootstrap] {
        if part.require_signature_confirmation && part.version.wss == WssVersion::V10 {
            return refused(
                "requireSignatureConfirmation=\"true\" needs WS-Security 1.1: set messageSecurityVersion to a WSSecurity11 set",
            );
        }
    }
    Ok(session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_ws_security::{MessageSecurityVersion, TokenRole};

    fn outer(bootstrap: SecurityBinding) -> SecurityBinding {
        SecurityBinding::secure_conversation(bootstrap, MessageSecurityVersion::default())
    }

    #[test]
    fn sc_96_bindings_without_sessions_and_odd_bootstraps_are_refused() {
        let version = MessageSecurityVersion::default();
        let plain = SecurityBinding::user_name_for_certificate(version).unwrap();
        assert!(check_binding(&outer(plain.clone())).is_ok());
        let problem = |binding: &SecurityBinding| check_binding(binding).unwrap_err().to_string();
        assert!(problem(&plain).contains("SecureConversation"));
        assert!(problem(&outer(outer(plain.clone()))).contains("another secure conversation"));
        let negotiated = SecurityBinding::ssl_negotiated(version, false);
        assert!(check_binding(&outer(negotiated.clone())).is_ok(), "SC-75");
        assert_eq!(check_binding(&negotiated).unwrap(), None, "it protects messages itself");
        let Protection::Symmetric { token } = negotiated.protection.clone() else { panic!("symmetric") };
        let odd = plain.clone().with_supporting(token, TokenRole::Endorsing);
        assert!(problem(&outer(odd)).contains("SslNegotiated"));
        let mut mixed = outer(negotiated);
        mixed.version = MessageSecurityVersion::WSS11_13;
        assert!(problem(&mixed).contains("generation"));
        let mut mixed = outer(SecurityBinding::user_name_over_transport(version));
        mixed.session_mut().unwrap().bootstrap = plain.clone();
        assert!(problem(&mixed).contains("transport"));
        let mut confirming = outer(plain);
        (confirming.version, confirming.require_signature_confirmation) = (MessageSecurityVersion::WSS10_13_BSP, true);
        assert!(problem(&confirming).contains("WSSecurity11"));
    }

    #[test]
    fn sc_70_bootstraps_say_what_they_need() {
        let version = MessageSecurityVersion::default();
        let of = |binding: &SecurityBinding| Requirements::of(binding);
        let certificate = Requirements { service_certificate: true, ..Requirements::default() };
        assert_eq!(of(&SecurityBinding::anonymous_for_certificate(version).unwrap()), certificate);
        let both = Requirements { client_certificate: true, ..certificate };
        assert_eq!(of(&SecurityBinding::mutual_certificate(version)), both);
        assert_eq!(of(&SecurityBinding::mutual_certificate_duplex(version)), both);
        let user = Requirements { user_name: true, ..Requirements::default() };
        assert_eq!(of(&SecurityBinding::user_name_over_transport(version)), user);
    }
}
