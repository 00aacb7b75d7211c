//! The binding that a `<security>` element stands for, and the rules within one element (SC 14.9).

use super::SecurityElement;
use crate::error::Error;
use crate::role::Role;
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, IssuedKeyType, Protection, ProtectionOrder, SecurityBinding, TokenKind,
    TokenParameters, WssVersion,
};

impl SecurityElement {
    /// The binding that the element stands for, after the rules of SC 14.9 that concern it alone.
    pub(crate) fn build(&self) -> Result<SecurityBinding, Error> {
        let mut binding = self.of_mode()?;
        self.apply(&mut binding);
        self.check(&binding)?;
        Ok(binding)
    }

    fn of_mode(&self) -> Result<SecurityBinding, Error> {
        let Some(mode) = self.mode else {
            return Err(self.error(format!(
                "<{}> has no authenticationMode, which means SspiNegotiated, and that needs the Windows security provider: \
                 write authenticationMode on both sides, as for a session SecureConversation with a bootstrap that has \
                 UserNameForCertificate or MutualCertificate",
                self.name()
            )));
        };
        let (version, issued) = (self.version(), || self.issued_token_parameters.clone().unwrap_or_default());
        let built = match mode {
            AuthenticationMode::SecureConversation => return self.secure_conversation(),
            AuthenticationMode::IssuedToken => SecurityBinding::issued_token(version, issued()),
            AuthenticationMode::IssuedTokenForCertificate => {
                SecurityBinding::issued_token_for_certificate(version, issued())
            }
            AuthenticationMode::IssuedTokenForSslNegotiated => {
                Ok(SecurityBinding::issued_token_for_ssl_negotiated(version, issued()))
            }
            AuthenticationMode::IssuedTokenOverTransport => {
                Ok(SecurityBinding::issued_token_over_transport(version, issued()))
            }
            mode => SecurityBinding::for_mode(mode, version),
        };
        let mut binding = built.map_err(|error| self.error(error.to_string()))?;
        for supporting in &mut binding.supporting_tokens {
            let TokenParameters { kind, require_derived_keys, .. } = &mut supporting.parameters;
            *require_derived_keys &= has_shared_key(kind);
        }
        Ok(binding)
    }

    fn secure_conversation(&self) -> Result<SecurityBinding, Error> {
        if self.place.is_bootstrap {
            return Err(self.error(
                "authenticationMode=\"SecureConversation\" of <secureConversationBootstrap> would need another bootstrap: \
                 choose a mode that authenticates",
            ));
        }
        let Some(bootstrap) = &self.bootstrap else {
            return Err(self.error(
                "authenticationMode=\"SecureConversation\" without <secureConversationBootstrap> means a bootstrap with \
                 authenticationMode=\"SspiNegotiated\", which needs the Windows security provider: write a bootstrap",
            ));
        };
        // The two elements are configured independently (SC 5.4): nothing goes from one to the other.
        let mut binding = SecurityBinding::secure_conversation(bootstrap.build()?, self.version());
        (binding.suite, binding.protection_order) = (AlgorithmSuite::default(), ProtectionOrder::default());
        Ok(binding)
    }

    fn apply(&self, binding: &mut SecurityBinding) {
        fn set<T: Copy>(field: &mut T, written: Option<T>) {
            *field = written.unwrap_or(*field);
        }
        set(&mut binding.suite, self.default_algorithm_suite);
        set(&mut binding.layout, self.security_header_layout);
        set(&mut binding.protection_order, self.message_protection_order);
        set(&mut binding.include_timestamp, self.include_timestamp);
        // Under a transport binding WCF does not look at it.
        if !binding.is_transport() {
            set(&mut binding.require_signature_confirmation, self.require_signature_confirmation);
        }
        set(&mut binding.protect_tokens, self.protect_tokens);
        set(&mut binding.key_entropy, self.key_entropy_mode);
        set(&mut binding.allow_insecure_transport, self.allow_insecure_transport);
        set(&mut binding.enable_unsecured_response, self.enable_unsecured_response);
        set(&mut binding.allow_serialized_signing_token_on_reply, self.allow_serialized_signing_token_on_reply);
        if let Some(settings) = &self.local_service_settings {
            binding.local_service = settings.clone();
        }
        if let Some(settings) = &self.local_client_settings {
            binding.local_client = settings.clone();
        }
        if let Some(require) = self.require_derived_keys {
            require_derived_keys(binding, require);
        }
        if let Some(session) = binding.session_mut() {
            session.can_renew = self.can_renew_security_context_token.unwrap_or(true);
            set(&mut session.require_cancellation, self.require_security_context_cancellation);
        }
        if let Protection::Symmetric { token } = &mut binding.protection
            && let TokenKind::SslNegotiated { require_cancellation, .. } = &mut token.kind
        {
            set(require_cancellation, self.require_security_context_cancellation);
        }
    }

    /// The binding, whether WCF opens with it or not.
    pub(super) fn unchecked(&self) -> Result<SecurityBinding, Error> {
        let mut binding = self.of_mode()?;
        self.apply(&mut binding);
        Ok(binding)
    }

    /// The combinations of SC 14.9 within one element.
    fn check(&self, binding: &SecurityBinding) -> Result<(), Error> {
        if binding.require_signature_confirmation && binding.version.wss == WssVersion::V10 {
            return Err(self.error(
                "requireSignatureConfirmation=\"true\", written or of this authenticationMode, needs WS-Security 1.1, and \
                 messageSecurityVersion is a WSSecurity10 set: change one of them",
            ));
        }
        // Under modes without issued tokens nobody reads the element.
        if self.mode.is_some_and(has_issued_token)
            && let Some(issued) = &self.issued_token_parameters
            && let Some(size) = issued.key_size
            && issued.key_type == IssuedKeyType::Symmetric
            && !binding.suite.key_lengths().contains(&(size as usize / 8))
        {
            return Err(self.error(format!(
                "keySize=\"{size}\" of <issuedTokenParameters> is not possible with defaultAlgorithmSuite=\"{}\"",
                binding.suite.name()
            )));
        }
        // Each side reads its own settings; what is good for neither is refused at once.
        match [Role::Service, Role::Client].map(|role| role.problem(binding)) {
            [Some(problem), Some(_)] => Err(self.error(problem)),
            _ => Ok(()),
        }
    }
}

/// As WCF does: tokens with private keys never have derived keys, and those that only are signed do not matter.
fn require_derived_keys(binding: &mut SecurityBinding, require: bool) {
    match &mut binding.protection {
        Protection::Symmetric { token } => token.require_derived_keys = require,
        Protection::Asymmetric { initiator, recipient } => {
            initiator.require_derived_keys = require;
            recipient.require_derived_keys = require;
        }
        Protection::Transport => {}
    }
    let endorsing = binding.supporting_tokens.iter_mut().filter(|supporting| supporting.role.endorses());
    for supporting in endorsing {
        let TokenParameters { kind, require_derived_keys, .. } = &mut supporting.parameters;
        *require_derived_keys = require && has_shared_key(kind);
    }
}

pub(super) const fn has_issued_token(mode: AuthenticationMode) -> bool {
    use AuthenticationMode::{
        IssuedToken, IssuedTokenForCertificate, IssuedTokenForSslNegotiated, IssuedTokenOverTransport,
    };
    matches!(mode, IssuedToken | IssuedTokenForCertificate | IssuedTokenForSslNegotiated | IssuedTokenOverTransport)
}

fn has_shared_key(kind: &TokenKind) -> bool {
    match kind {
        TokenKind::Issued(issued) => issued.key_type == IssuedKeyType::Symmetric,
        TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => true,
        TokenKind::X509 | TokenKind::UserName | TokenKind::RsaKey => false,
    }
}
