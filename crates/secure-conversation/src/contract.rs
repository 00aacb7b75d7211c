//! What a service offers, as far as security has to know it.

use crate::error::Error;
use handstamp_ws_security::{ProtectionLevel, SecureConversation};
use std::collections::HashMap;

/// The operations of a service and what it expects of its sessions.
///
/// ```
/// use handstamp_secure_conversation::{Contract, Operation};
/// use handstamp_ws_security::ProtectionLevel;
///
/// let contract = Contract::new("ILedger")
///     .with_operation("urn:ledger/Balance", Operation::default())
///     .with_operation("urn:ledger/Rates", Operation { reply: ProtectionLevel::Sign, ..Operation::default() });
/// # let _ = contract;
/// ```
#[derive(Debug, Clone, Default)]
pub struct Contract {
    name: String,
    operations: HashMap<String, Operation>,
    understood: Vec<(String, String)>,
    requires_session: bool,
    is_duplex: bool,
    requires_impersonation: bool,
}

/// How the messages of an operation are protected (SC 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operation {
    /// The least protection of the request's body. Default encrypted and signed.
    pub request: ProtectionLevel,
    /// The protection of the reply's body. Default encrypted and signed.
    pub reply: ProtectionLevel,
}

impl Contract {
    /// A contract of this name. While it has no operations, the application takes messages of every action, and decides
    /// itself which it knows.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds an operation by the action of its request. With the first one, actions that are not added are refused.
    #[must_use]
    pub fn with_operation(mut self, action: impl Into<String>, operation: Operation) -> Self {
        self.operations.insert(action.into(), operation);
        self
    }

    /// Says that the application understands a header. A message with another one that has to be understood is refused.
    #[must_use]
    pub fn understanding(mut self, namespace: impl Into<String>, local_name: impl Into<String>) -> Self {
        self.understood.push((namespace.into(), local_name.into()));
        self
    }

    /// Says that messages of one session belong together in the application (`SessionMode.Required`).
    #[must_use]
    pub fn requiring_session(mut self) -> Self {
        self.requires_session = true;
        self
    }

    /// Says that the service calls the client back.
    #[must_use]
    pub fn with_callback(mut self) -> Self {
        self.is_duplex = true;
        self
    }

    /// Says that the service acts as the caller in the operating system.
    #[must_use]
    pub fn requiring_impersonation(mut self) -> Self {
        self.requires_impersonation = true;
        self
    }

    /// How an action is protected; none when it is not one of the contract.
    pub fn operation(&self, action: &str) -> Option<Operation> {
        match self.operations.get(action) {
            None if self.operations.is_empty() => Some(Operation::default()),
            found => found.copied(),
        }
    }

    /// The headers that the application understands.
    pub(crate) fn understood_headers(&self) -> Vec<(&str, &str)> {
        self.understood.iter().map(|(namespace, name)| (namespace.as_str(), name.as_str())).collect()
    }

    /// What WCF's documentation notes about stateful contexts becomes an error when a service is built (SC 10.6).
    pub(crate) fn check(&self, session: Option<&SecureConversation>) -> Result<(), Error> {
        let problem = if self.requires_impersonation {
            "requires impersonation: the operating system knows the caller of a session no more than it knows a cookie. Use the \
             claims of the caller's principal"
        } else if self.is_duplex {
            "has a callback: sessions over request and reply cannot carry it. Turn the callback into an operation that the \
             client asks for"
        } else if self.requires_session && session.is_none() {
            "requires a session, but the negotiated context is none to the application: each message stands alone. Set \
             authenticationMode=\"SecureConversation\" and make this mode that of secureConversationBootstrap, or let the contract \
             allow calls without session"
        } else if self.requires_session && session.is_some_and(|session| !session.require_cancellation) {
            "requires a session, but requireSecurityContextCancellation=\"false\" makes sessions that the service does not \
             remember. Set requireSecurityContextCancellation=\"true\", or let the contract allow calls without session"
        } else {
            return Ok(());
        };
        Err(Error::Configuration(format!("contract {:?} {problem}", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_ws_security::{MessageSecurityVersion, SecurityBinding};

    #[test]
    fn sc_29_contracts_that_cookies_cannot_serve_are_refused() {
        let bootstrap = SecurityBinding::user_name_over_transport(MessageSecurityVersion::default());
        let session = |require_cancellation| SecureConversation {
            bootstrap: bootstrap.clone(),
            require_cancellation,
            can_renew: true,
        };
        let (remembered, cookie) = (session(true), session(false));
        let all = [Some(&remembered), Some(&cookie), None];
        assert!(all.iter().all(|session| Contract::new("IEcho").check(*session).is_ok()));
        let contract = Contract::new("IEcho").requiring_session();
        assert!(contract.check(Some(&remembered)).is_ok());
        let error = contract.check(Some(&cookie)).unwrap_err().to_string();
        assert!(error.contains("IEcho") && error.contains("requireSecurityContextCancellation"), "{error}");
        let error = contract.check(None).unwrap_err().to_string();
        assert!(error.contains("secureConversationBootstrap"), "{error}");
        for session in all {
            assert!(Contract::new("IEcho").with_callback().check(session).is_err());
            assert!(Contract::new("IEcho").requiring_impersonation().check(session).is_err(), "SC-31");
        }
    }

    #[test]
    fn sc_63_operations_have_levels_and_others_are_unknown() {
        let sign = Operation { request: ProtectionLevel::Sign, reply: ProtectionLevel::None };
        let contract = Contract::new("IEcho").with_operation("urn:a", sign);
        assert_eq!(contract.operation("urn:a"), Some(sign));
        assert_eq!(contract.operation("urn:b"), None);
        assert_eq!(Contract::default().operation("urn:b"), Some(Operation::default()));
    }
}
