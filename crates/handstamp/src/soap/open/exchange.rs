//! Which of its bindings a session uses for a message, by its action (SC 4.1, 4.3, 4.4, 7.1).

use handstamp_ws_security::{AddressingVersion, Generation, Protection, SecurityBinding, TokenKind};

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exchange {
    /// Establishes a context.
    Issue,
    /// Renews its key.
    Renew,
    /// Ends it.
    Cancel,
    /// Negotiates one through TLS, before there is any key.
    Negotiate,
    /// What the session itself says.
    SessionFault,
    /// An action about security contexts that this binding has no use for.
    Unserved,
    /// Everything else.
    Application,
}

impl Exchange {
    /// What `action` means under this binding.
    pub(super) fn of(action: &str, binding: &SecurityBinding) -> Self {
        let bootstrap = binding.session().map(|session| &session.bootstrap);
        let negotiating = [Some(binding), bootstrap].into_iter().flatten().find(|part| is_negotiated(part));
        if bootstrap.is_none() && negotiating.is_none() {
            return Self::Application;
        }
        // Whoever negotiates speaks its own generation, which may be another one than the session's.
        let negotiation = negotiating.and_then(|part| action.strip_prefix(part.version.generation.trust()));
        if let Some("/RST/Issue" | "/RSTR/Issue" | "/RSTRC/IssueFinal") = negotiation {
            return Self::Negotiate;
        }
        let trusts = [Generation::February2005, Generation::V13].map(Generation::trust);
        let rest = trusts.iter().find_map(|trust| action.strip_prefix(trust)).unwrap_or_default();
        match action.strip_prefix(binding.version.generation.trust()) {
            Some("/RST/SCT" | "/RSTR/SCT") if bootstrap.is_some() => Self::Issue,
            Some("/RST/SCT/Renew" | "/RSTR/SCT/Renew") if bootstrap.is_some() => Self::Renew,
            Some("/RST/SCT/Cancel" | "/RSTR/SCT/Cancel") => Self::Cancel,
            _ if action == SECURE_CONVERSATION_FAULT => Self::SessionFault,
            _ if rest.starts_with("/RST/SCT") || rest.starts_with("/RSTR/SCT") => Self::Unserved,
            // Other actions of WS-Trust are those of an application: of a token service behind the session.
            _ => Self::Application,
        }
    }
}

/// Whether a context from TLS negotiation protects.
fn is_negotiated(binding: &SecurityBinding) -> bool {
    matches!(&binding.protection, Protection::Symmetric { token } if matches!(token.kind, TokenKind::SslNegotiated { .. }))
}

/// Whether the service may be asked to cancel contexts. It may not when they are cookies.
pub(super) fn can_cancel(binding: &SecurityBinding) -> bool {
    let negotiated = match &binding.protection {
        Protection::Symmetric { token } => match token.kind {
            TokenKind::SslNegotiated { require_cancellation, .. } => Some(require_cancellation),
            _ => None,
        },
        _ => None,
    };
    binding.session().map(|session| session.require_cancellation).or(negotiated).unwrap_or(true)
}

/// Whether a message of this action may be a fault, which is protected as the answer to its request.
pub(super) fn is_fault(action: &str) -> bool {
    let of_addressing = [AddressingVersion::V10, AddressingVersion::August2004].map(AddressingVersion::fault_action);
    of_addressing.contains(&action) || action.is_empty()
}

const SECURE_CONVERSATION_FAULT: &str = "http://schemas.microsoft.com/ws/2006/05/security/SecureConversationFault";

#[cfg(test)]
mod tests {
    use handstamp_ws_security::{AuthenticationMode, MessageSecurityVersion};

    use super::*;

    const FEBRUARY: &str = "http://schemas.xmlsoap.org/ws/2005/02/trust";
    const V13: &str = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";

    fn session(mode: AuthenticationMode) -> SecurityBinding {
        let bootstrap = SecurityBinding::for_mode(mode, MessageSecurityVersion::default()).unwrap();
        SecurityBinding::secure_conversation(bootstrap, MessageSecurityVersion::WSS11_13)
    }

    #[test]
    fn sc_7_1_a_negotiation_has_the_generation_of_its_own_element() {
        let binding = session(AuthenticationMode::AnonymousForSslNegotiated);
        let of = |action: String| Exchange::of(&action, &binding);
        assert_eq!(of(format!("{FEBRUARY}/RST/Issue")), Exchange::Negotiate);
        assert_eq!(of(format!("{FEBRUARY}/RSTR/Issue")), Exchange::Negotiate);
        assert_eq!(of(format!("{V13}/RST/SCT")), Exchange::Issue);
        assert_eq!(of(format!("{FEBRUARY}/RST/SCT")), Exchange::Unserved);
        assert_eq!(of(format!("{V13}/RST/Issue")), Exchange::Application);
    }

    #[test]
    fn sc_4_1_actions_of_ws_trust_that_are_not_about_contexts_are_the_applications() {
        let binding = session(AuthenticationMode::UserNameForCertificate);
        for trust in [FEBRUARY, V13] {
            for rest in ["/RST/Issue", "/RSTR/Issue", "/RSTRC/IssueFinal", "/RST/Validate", "/RSTR/Renew"] {
                assert_eq!(Exchange::of(&format!("{trust}{rest}"), &binding), Exchange::Application, "{trust}{rest}");
            }
        }
        assert_eq!(Exchange::of(&format!("{V13}/RST/SCT/Amend"), &binding), Exchange::Unserved);
        assert_eq!(Exchange::of(&format!("{V13}/RST/SCT/Renew"), &binding), Exchange::Renew);
    }
}
