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
    /// An action of WS-Trust that this binding has no use for.
    Unserved,
    /// Everything else.
    Application,
}

impl Exchange {
    /// What `action` means under this binding.
    pub(super) fn of(action: &str, binding: &SecurityBinding) -> Self {
        let negotiates = is_negotiated(binding) || binding.session().is_some_and(|own| is_negotiated(&own.bootstrap));
        if binding.session().is_none() && !negotiates {
            return Self::Application;
        }
        let trusts = [Generation::February2005, Generation::V13].map(Generation::trust);
        match action.strip_prefix(binding.version.generation.trust()) {
            Some("/RST/SCT" | "/RSTR/SCT") if binding.session().is_some() => Self::Issue,
            Some("/RST/SCT/Renew" | "/RSTR/SCT/Renew") if binding.session().is_some() => Self::Renew,
            Some("/RST/SCT/Cancel" | "/RSTR/SCT/Cancel") => Self::Cancel,
            Some("/RST/Issue" | "/RSTR/Issue" | "/RSTRC/IssueFinal") if negotiates => Self::Negotiate,
            _ if action == SECURE_CONVERSATION_FAULT => Self::SessionFault,
            _ if trusts.iter().any(|trust| action.strip_prefix(trust).is_some_and(|rest| rest.starts_with("/RST"))) => {
                Self::Unserved
            }
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
