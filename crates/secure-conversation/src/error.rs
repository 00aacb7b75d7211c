//! Everything that can go wrong with secure conversations, by who is at fault.

use handstamp_ws_security::soap::Fault;

/// Why an exchange or a message came to nothing. The texts are for logs.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A message is not protected as it must be, or a token in it is not accepted.
    #[error(transparent)]
    Security(#[from] handstamp_ws_security::Error),
    /// A document cannot be read or written.
    #[error(transparent)]
    Xml(#[from] handstamp_xml::Error),
    /// A request for a token cannot be served, or its answer cannot be used: its message is authentic, its content is not
    /// as the peer and this end agreed.
    #[error("{element} is refused ({requirement}): {problem}")]
    Trust {
        /// The section that says so.
        requirement: &'static str,
        /// The element at fault.
        element: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The cookie of a security context cannot be made, or is not one of this service. The sender learns nothing of it.
    #[error("the cookie of the security context is refused (SC 10.4): {0}")]
    Cookie(String),
    /// An assertion cannot be made.
    #[error(transparent)]
    Saml(#[from] handstamp_saml::Error),
    /// A session token cannot be made.
    #[error(transparent)]
    Token(#[from] handstamp_session_token::Error),
    /// A message is larger than its limit.
    #[error("the message has {bytes} bytes, and {limit} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// An address asks for more tokens than it may (SC 19.13).
    #[error(
        "the address asks for too many tokens: whether that is one client or a proxy in front of many, see AddressLimits"
    )]
    TooManyTokenRequests,
    /// So many messages of an address were refused that no more of them are looked at for now (SC 19.4).
    #[error("too many messages of the address were refused: it may be probing for an oracle, see AddressLimits")]
    TooManyRefusals,
    /// The service answers with a fault. Only an authenticated one is its word: anybody on the line can make another.
    #[error(
        "the service answers with {} fault: {fault}",
        if *.is_authenticated { "a" } else { "an unauthenticated" }
    )]
    Fault {
        /// The fault.
        fault: Fault,
        /// Whether it was protected.
        is_authenticated: bool,
    },
    /// The service wants a new key for the session first (`RenewNeeded`). The message was not processed: renew and send again.
    #[error("the service wants the key of the session to be renewed: send the message again, it will be")]
    RenewNeeded,
    /// The client has no session yet.
    #[error("there is no session: establish one first")]
    NoSession,
    /// The session ended with a fault of the service: nothing more can be sent in it.
    #[error("the session has ended with a fault: open a new one")]
    SessionFaulted,
    /// The session was closed.
    #[error("the session is closed: open a new one")]
    SessionClosed,
    /// A saved session is not one, or not one of this client.
    #[error("the saved session cannot be used: {0}")]
    SavedSession(&'static str),
    /// The key of a session has ended: it has to be renewed, or the session closed.
    #[error("the key of the session has ended: renew it")]
    KeyExpired,
    /// The binding and the settings do not go together: nothing starts with them.
    #[error("{0}")]
    Configuration(String),
    /// There is no usable key, or no randomness.
    #[error(transparent)]
    Keys(#[from] handstamp_keys::Error),
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Security(error) => error.code(),
            Self::Xml(error) => error.code(),
            Self::Trust { .. } => "HST-SC-TRUST",
            Self::Cookie(_) => "HST-SC-COOKIE",
            Self::Saml(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::TooLarge { .. } => "HST-SC-SIZE",
            Self::TooManyTokenRequests => "HST-SC-TOKEN-REQUESTS",
            Self::TooManyRefusals => "HST-SC-REFUSALS",
            Self::Fault { .. } => "HST-SC-FAULT",
            Self::RenewNeeded => "HST-SC-RENEW-NEEDED",
            Self::NoSession => "HST-SC-NO-SESSION",
            Self::SessionFaulted => "HST-SC-FAULTED",
            Self::SessionClosed => "HST-SC-CLOSED",
            Self::SavedSession(_) => "HST-SC-SAVED",
            Self::KeyExpired => "HST-SC-KEY-EXPIRED",
            Self::Configuration(_) => "HST-SC-CONFIG",
            Self::Keys(error) => error.code(),
        }
    }

    /// Whether it is about the protection of a message, which oracles are asked about.
    pub(crate) fn is_about_protection(&self) -> bool {
        match self {
            Self::Security(error) => is_about_protection(error),
            Self::Xml(_) | Self::Cookie(_) => true,
            _ => false,
        }
    }

    pub(crate) fn cookie(problem: impl Into<String>) -> Self {
        Self::Cookie(problem.into())
    }

    pub(crate) fn trust(requirement: &'static str, element: &'static str, problem: &'static str) -> Self {
        Self::Trust { requirement, element, problem }
    }
}

/// [`Error::is_about_protection`]. That a context is not known is no secret, and that this end cannot do its part, because its
/// memory of messages is full or does not answer, is no offence of the peer.
pub(crate) fn is_about_protection(error: &handstamp_ws_security::Error) -> bool {
    use handstamp_ws_security::Error as Security;
    !matches!(
        error,
        Security::UnknownContext { .. }
            | Security::NotUnderstood { .. }
            | Security::TokenUndecided { .. }
            | Security::ReplayCacheFull { .. }
            | Security::ReplayMemory(_)
            | Security::Configuration(_)
    )
}
