//! `authenticationMode`: the shorthands of WCF for whole bindings (SC §6), each a value.

use crate::binding::{
    IssuedKeyType, IssuedTokenParameters, Protection, ReferenceStyle, SecurityBinding, TokenInclusion, TokenKind,
    TokenParameters, TokenRole,
};
use crate::error::Error;
use crate::version::{MessageSecurityVersion, WssVersion};

macro_rules! modes {
    ($($(#[$doc:meta])* $mode:ident,)+) => {
        /// The names that `authenticationMode` takes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum AuthenticationMode { $($(#[$doc])* $mode,)+ }

        impl AuthenticationMode {
            /// Every mode.
            pub const ALL: &'static [Self] = &[$(Self::$mode,)+];

            /// The name in configurations.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$mode => stringify!($mode),)+ }
            }
        }
    };
}

modes! {
    /// The service has a certificate, the client stays anonymous.
    AnonymousForCertificate,
    /// The service has a certificate, the client a password.
    UserNameForCertificate,
    /// Both have certificates. Symmetric under WSS 1.1, asymmetric under 1.0.
    MutualCertificate,
    /// Both have certificates and include them.
    MutualCertificateDuplex,
    /// The client has a token of a token service, whose key protects.
    IssuedToken,
    /// The service has a certificate, the client a token of a token service.
    IssuedTokenForCertificate,
    /// A context from TLS negotiation protects, the client has a token of a token service.
    IssuedTokenForSslNegotiated,
    /// Kerberos. Not available.
    Kerberos,
    /// A context from SPNEGO negotiation. Not available. WCF's default.
    SspiNegotiated,
    /// A context from TLS negotiation.
    AnonymousForSslNegotiated,
    /// A context from TLS negotiation, the client has a password.
    UserNameForSslNegotiated,
    /// A context from TLS negotiation in which the client shows a certificate.
    MutualSslNegotiated,
    /// TLS protects, the client has a password.
    UserNameOverTransport,
    /// TLS protects, the client has a certificate.
    CertificateOverTransport,
    /// TLS protects, the client has a Kerberos ticket. Not available.
    KerberosOverTransport,
    /// TLS protects, a context from SPNEGO endorses. Not available.
    SspiNegotiatedOverTransport,
    /// TLS protects, the client has a token of a token service.
    IssuedTokenOverTransport,
    /// A session: see [`SecurityBinding::secure_conversation`].
    SecureConversation,
}

impl AuthenticationMode {
    /// The mode of this name. Case counts.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mode| mode.name() == name)
    }
}

impl SecurityBinding {
    /// The binding that a mode stands for. Issued tokens have a symmetric key; for others see the constructors.
    ///
    /// # Errors
    /// [`Error::Configuration`] for Kerberos and SPNEGO, for symmetric modes with a certificate under WSS 1.0 (SC 2.3), and for
    /// `SecureConversation`, which takes a bootstrap.
    pub fn for_mode(mode: AuthenticationMode, version: MessageSecurityVersion) -> Result<Self, Error> {
        use AuthenticationMode as Mode;
        let issued = IssuedTokenParameters::default;
        Ok(match mode {
            Mode::AnonymousForCertificate => Self::anonymous_for_certificate(version)?,
            Mode::UserNameForCertificate => Self::user_name_for_certificate(version)?,
            Mode::MutualCertificate => Self::mutual_certificate(version),
            Mode::MutualCertificateDuplex => Self::mutual_certificate_duplex(version),
            Mode::IssuedToken => Self::issued_token(version, issued())?,
            Mode::IssuedTokenForCertificate => Self::issued_token_for_certificate(version, issued())?,
            Mode::IssuedTokenForSslNegotiated => Self::issued_token_for_ssl_negotiated(version, issued()),
            Mode::AnonymousForSslNegotiated => Self::ssl_negotiated(version, false),
            Mode::UserNameForSslNegotiated => {
                Self::ssl_negotiated(version, false).with_supporting(user_name(), TokenRole::SignedEncrypted)
            }
            Mode::MutualSslNegotiated => Self::ssl_negotiated(version, true),
            Mode::UserNameOverTransport => Self::user_name_over_transport(version),
            Mode::CertificateOverTransport => Self::certificate_over_transport(version),
            Mode::IssuedTokenOverTransport => Self::issued_token_over_transport(version, issued()),
            Mode::SecureConversation => {
                return Err(Error::Configuration(
                    "SecureConversation needs a bootstrap, and cannot be the bootstrap of another session".to_owned(),
                ));
            }
            Mode::Kerberos | Mode::SspiNegotiated | Mode::KerberosOverTransport | Mode::SspiNegotiatedOverTransport => {
                return Err(Error::Configuration(format!(
                    "authenticationMode {} needs the Windows security provider, which is not available here: \
                     choose a mode with certificates, user names or issued tokens",
                    mode.name()
                )));
            }
        })
    }

    /// `AnonymousForCertificate`.
    pub fn anonymous_for_certificate(version: MessageSecurityVersion) -> Result<Self, Error> {
        let mut binding = Self::for_service_certificate(version)?;
        binding.require_signature_confirmation = true;
        Ok(binding)
    }

    /// `UserNameForCertificate`.
    pub fn user_name_for_certificate(version: MessageSecurityVersion) -> Result<Self, Error> {
        Ok(Self::for_service_certificate(version)?.with_supporting(user_name(), TokenRole::SignedEncrypted))
    }

    /// `MutualCertificate`: symmetric with an endorsing client certificate under WSS 1.1, asymmetric under 1.0.
    pub fn mutual_certificate(version: MessageSecurityVersion) -> Self {
        let client = x509(TokenInclusion::AlwaysToRecipient, version);
        if version.wss == WssVersion::V10 {
            return Self::asymmetric(client, x509(TokenInclusion::Never, version), version);
        }
        let mut binding = Self::symmetric(service_certificate(), version).with_supporting(client, TokenRole::Endorsing);
        binding.require_signature_confirmation = true;
        binding
    }

    /// `MutualCertificateDuplex`.
    pub fn mutual_certificate_duplex(version: MessageSecurityVersion) -> Self {
        let x509 = |inclusion| x509(inclusion, version);
        Self::asymmetric(x509(TokenInclusion::AlwaysToRecipient), x509(TokenInclusion::AlwaysToInitiator), version)
    }

    /// `IssuedToken`: the key of the issued token protects.
    pub fn issued_token(version: MessageSecurityVersion, issued: IssuedTokenParameters) -> Result<Self, Error> {
        if issued.key_type != IssuedKeyType::Symmetric {
            return Err(Error::Configuration(
                "authenticationMode IssuedToken requires the issued token to contain a symmetric key: \
                 set keyType to SymmetricKey, or choose IssuedTokenForCertificate"
                    .to_owned(),
            ));
        }
        let token = TokenParameters::new(TokenKind::Issued(issued), TokenInclusion::AlwaysToRecipient);
        Ok(Self::symmetric(token, version))
    }

    /// `IssuedTokenForCertificate`.
    pub fn issued_token_for_certificate(
        version: MessageSecurityVersion,
        issued: IssuedTokenParameters,
    ) -> Result<Self, Error> {
        let mut binding = Self::for_service_certificate(version)?.with_issued(issued, TokenRole::SignedEncrypted);
        binding.require_signature_confirmation = true;
        Ok(binding)
    }

    /// `IssuedTokenForSslNegotiated`.
    pub fn issued_token_for_ssl_negotiated(version: MessageSecurityVersion, issued: IssuedTokenParameters) -> Self {
        let mut binding = Self::ssl_negotiated(version, false).with_issued(issued, TokenRole::SignedEncrypted);
        binding.require_signature_confirmation = true;
        binding
    }

    /// `UserNameOverTransport`.
    pub fn user_name_over_transport(version: MessageSecurityVersion) -> Self {
        Self::new(Protection::Transport, version).with_supporting(user_name(), TokenRole::SignedEncrypted)
    }

    /// `CertificateOverTransport`.
    pub fn certificate_over_transport(version: MessageSecurityVersion) -> Self {
        Self::new(Protection::Transport, version)
            .with_supporting(x509(TokenInclusion::AlwaysToRecipient, version), TokenRole::Endorsing)
    }

    /// `IssuedTokenOverTransport`.
    pub fn issued_token_over_transport(version: MessageSecurityVersion, issued: IssuedTokenParameters) -> Self {
        Self::new(Protection::Transport, version).with_issued(issued, TokenRole::Signed)
    }

    /// The modes with a context from TLS negotiation; `client_certificate` as in `MutualSslNegotiated`.
    pub fn ssl_negotiated(version: MessageSecurityVersion, client_certificate: bool) -> Self {
        let kind = TokenKind::SslNegotiated { client_certificate, require_cancellation: true };
        Self::symmetric(TokenParameters::new(kind, TokenInclusion::AlwaysToRecipient), version)
    }

    fn for_service_certificate(version: MessageSecurityVersion) -> Result<Self, Error> {
        if version.wss == WssVersion::V10 {
            return Err(Error::Configuration(
                "a symmetric binding with a certificate needs references that WS-Security 1.0 does not have: \
                 set messageSecurityVersion to a WSSecurity11 set"
                    .to_owned(),
            ));
        }
        Ok(Self::symmetric(service_certificate(), version))
    }

    fn symmetric(token: TokenParameters, version: MessageSecurityVersion) -> Self {
        Self::new(Protection::Symmetric { token }, version)
    }

    fn asymmetric(initiator: TokenParameters, recipient: TokenParameters, version: MessageSecurityVersion) -> Self {
        Self::new(Protection::Asymmetric { initiator, recipient }, version)
    }

    fn with_issued(self, issued: IssuedTokenParameters, bearer_role: TokenRole) -> Self {
        let role = if issued.key_type == IssuedKeyType::Bearer { bearer_role } else { TokenRole::Endorsing };
        let derived_keys = !self.is_transport();
        let token = TokenParameters::new(TokenKind::Issued(issued), TokenInclusion::AlwaysToRecipient);
        self.with_supporting(if derived_keys { token } else { token.without_derived_keys() }, role)
    }
}

fn service_certificate() -> TokenParameters {
    TokenParameters::new(TokenKind::X509, TokenInclusion::Never).with_reference(ReferenceStyle::Thumbprint)
}

fn x509(inclusion: TokenInclusion, version: MessageSecurityVersion) -> TokenParameters {
    let reference = match version.wss {
        WssVersion::V10 => ReferenceStyle::Any,
        WssVersion::V11 => ReferenceStyle::Thumbprint,
    };
    TokenParameters::new(TokenKind::X509, inclusion).without_derived_keys().with_reference(reference)
}

fn user_name() -> TokenParameters {
    TokenParameters::new(TokenKind::UserName, TokenInclusion::AlwaysToRecipient).without_derived_keys()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sc_6_modes_are_values_or_refused_by_name() {
        for mode in AuthenticationMode::ALL {
            assert_eq!(AuthenticationMode::from_name(mode.name()), Some(*mode));
            match SecurityBinding::for_mode(*mode, MessageSecurityVersion::default()) {
                Ok(binding) => assert_eq!(binding.suite.name(), "Basic256"),
                Err(error) => assert!(error.to_string().contains(mode.name()), "{error}"),
            }
        }
    }

    #[test]
    fn sc_6_mutual_certificate_depends_on_wss() {
        let symmetric = SecurityBinding::mutual_certificate(MessageSecurityVersion::WSS11_13);
        assert!(
            matches!(symmetric.protection, Protection::Symmetric { .. }) && symmetric.require_signature_confirmation
        );
        let asymmetric = SecurityBinding::mutual_certificate(MessageSecurityVersion::WSS10_13_BSP);
        assert!(matches!(asymmetric.protection, Protection::Asymmetric { .. }));
    }

    #[test]
    fn sc_2_3_symmetric_certificates_need_wss_11() {
        let error = SecurityBinding::anonymous_for_certificate(MessageSecurityVersion::WSS10_13_BSP).unwrap_err();
        assert!(error.to_string().contains("messageSecurityVersion"));
    }

    #[test]
    fn sc_6_sessions_over_transport_are_endorsed_without_derived_keys() {
        let version = MessageSecurityVersion::default();
        let binding = SecurityBinding::secure_conversation(SecurityBinding::user_name_over_transport(version), version);
        assert!(binding.is_transport());
        let renewal = binding.renewal().unwrap();
        let roles: Vec<_> = renewal.supporting_tokens.iter().map(|token| token.role).collect();
        assert_eq!(roles, [TokenRole::SignedEncrypted, TokenRole::Endorsing]);
        assert!(renewal.supporting_tokens.iter().all(|token| !token.parameters.require_derived_keys));
    }
}
