//! What a route needs besides its binding: certificates, names and passwords.

use handstamp_ws_security::{IssuedKeyType, Protection, SecurityBinding, TokenKind};

/// What the bootstrap of a session asks of either end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The service has a certificate for messages, and its key.
    pub(super) service_certificate: bool,
    /// The client has one.
    pub(super) client_certificate: bool,
    /// The client has a name and a password.
    pub(super) user_name: bool,
    /// The client has a token of a token service.
    pub(super) issued_token: bool,
    /// TLS protects the messages.
    pub(super) tls: bool,
}

impl Needs {
    /// Of the bootstrap of a session.
    pub(super) fn of(bootstrap: &SecurityBinding) -> Self {
        let mut needs = Self { tls: bootstrap.is_transport(), ..Self::default() };
        match &bootstrap.protection {
            Protection::Symmetric { token } => match &token.kind {
                TokenKind::X509 => needs.service_certificate = true,
                TokenKind::SslNegotiated { client_certificate, .. } => {
                    needs.service_certificate = true;
                    needs.client_certificate |= client_certificate;
                }
                // Its key is encrypted for the service.
                TokenKind::Issued(_) => (needs.service_certificate, needs.issued_token) = (true, true),
                TokenKind::UserName | TokenKind::SecureConversation(_) | TokenKind::RsaKey => {}
            },
            Protection::Asymmetric { .. } => (needs.service_certificate, needs.client_certificate) = (true, true),
            Protection::Transport => {}
        }
        for supporting in &bootstrap.supporting_tokens {
            match &supporting.parameters.kind {
                TokenKind::X509 => needs.client_certificate = true,
                TokenKind::UserName => needs.user_name = true,
                TokenKind::Issued(issued) => {
                    needs.issued_token = true;
                    needs.service_certificate |= issued.key_type == IssuedKeyType::Symmetric;
                }
                TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } | TokenKind::RsaKey => {}
            }
        }
        needs
    }
}
