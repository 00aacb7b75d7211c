//! Everything that can go wrong with a protected message, by who is at fault.

use crate::receive::RequestContext;
use crate::soap::{Fault, QualifiedName};
use handstamp_time::Timestamp;
use handstamp_xml as xml;
use handstamp_xml_security as xml_security;

/// Why a message was not accepted.
///
/// The texts are for logs: they name the requirement (SC- sections of the specification), the element, and where it matters
/// the key and the clock. The outside gets [`Error::outside`] and nothing else, so a sender cannot tell one cryptographic
/// failure from another, nor from a policy violation.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The document is not acceptable XML, or larger than its limits.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// The message is not built as its specification demands.
    #[error("{element} is malformed ({requirement}): {problem}")]
    Malformed {
        /// The section that says so.
        requirement: &'static str,
        /// The element at fault.
        element: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The message is well formed, but not protected as the binding demands.
    #[error("{element} is refused ({requirement}): {problem}")]
    Refused {
        /// The section that says so.
        requirement: &'static str,
        /// The element at fault.
        element: String,
        /// What is missing, surplus, or different from the binding.
        problem: String,
    },
    /// A signature or encryption does not hold, is not well formed, or uses an algorithm that is not the suite's.
    #[error("{element} with {key} does not hold ({requirement}): {source}")]
    Cryptography {
        /// The section that says so.
        requirement: &'static str,
        /// What was verified or decrypted.
        element: &'static str,
        /// The key, by its kind and reference.
        key: String,
        /// The cause.
        source: Box<xml_security::Error>,
    },
    /// The timestamp is not of now (SC 13.1).
    #[error(
        "Timestamp (created {created}, expires {}) is refused (SC 13.1): it is {problem} at {now} with {skew_seconds} s of clock skew: check both clocks",
        .expires.map_or_else(|| "never".to_owned(), |expires| expires.to_string())
    )]
    Stale {
        /// When the message says it was made.
        created: Timestamp,
        /// Until when it says it is good.
        expires: Option<Timestamp>,
        /// The receiver's clock.
        now: Timestamp,
        /// The tolerance in force, in seconds.
        skew_seconds: u64,
        /// Which rule it breaks.
        problem: &'static str,
    },
    /// The same message was received before (SC 13.2).
    #[error(
        "Signature is refused (SC 13.2): the message was received before, its signature value is in the replay cache"
    )]
    Replayed,
    /// The replay cache has no room left, so nothing can be accepted (SC 13.2).
    #[error(
        "Signature is refused (SC 13.2): the replay cache is full with {capacity} messages: raise replayCacheSize, or shorten replayWindow"
    )]
    ReplayCacheFull {
        /// How many messages it holds.
        capacity: usize,
    },
    /// Whether the message was received before cannot be found out, so it is not accepted (SC 13.2).
    #[error("Signature is refused (SC 13.2): the memory of received messages does not answer: {0}")]
    ReplayMemory(String),
    /// The security context is not known here (SC 12.2): restarted, cancelled, timed out, or never issued.
    #[error(
        "SecurityContextToken is refused (SC 9 step 3): no key is known here for the security context {identifier:?}: it has ended, or is of somebody else"
    )]
    UnknownContext {
        /// The context id, cut to 128 characters.
        identifier: String,
    },
    /// A token is well formed, but whoever validates it does not accept it.
    #[error("the {token} was rejected (SC 9 step 5): {reason}")]
    TokenRejected {
        /// Which kind.
        token: &'static str,
        /// Why, for the log.
        reason: String,
    },
    /// Whether a token is accepted cannot be found out now (SC 12.2).
    #[error("whether the {token} is accepted cannot be found out now (SC 9 step 5): {reason}")]
    TokenUndecided {
        /// Which kind.
        token: &'static str,
        /// Why, for the log.
        reason: String,
    },
    /// The message is authentic, but a header has to be understood that nobody here understands (SC 9 step 15).
    #[error(
        "header {:?} of namespace {:?} has to be understood, and is not: say so in the expectation if the application does",
        .header.local_name, .header.namespace
    )]
    NotUnderstood {
        /// The header.
        header: QualifiedName,
        /// What the fault that answers the message needs to know of it.
        request: Box<RequestContext>,
    },
    /// The reply is a fault without protection: whoever sits on the line may have made it (SC 12.4).
    #[error("Security is missing (SC 12.4): the peer answered with an unsecured fault: {0}")]
    UnsecuredFault(Fault),
    /// The caller asked for something that the binding cannot give.
    #[error("{0}")]
    Configuration(String),
}

/// What the outside is told about a refused message (SC 12.2). One value for all that cryptography and policy refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutsideFault {
    /// `wsse:InvalidSecurity`.
    InvalidSecurity,
    /// `wsse:FailedAuthentication`: a credential was rejected.
    FailedAuthentication,
    /// `ServerTooBusy` of WCF: whether a credential is good cannot be said now.
    ServerTooBusy,
    /// `MustUnderstand` of SOAP.
    MustUnderstand,
    /// `BadContextToken` of the secure-conversation generation: the client has to establish a new context.
    BadContextToken,
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Xml(error) => error.code(),
            Self::Malformed { .. } => "HST-WSS-MALFORMED",
            Self::Refused { .. } => "HST-WSS-REFUSED",
            Self::Cryptography { .. } => "HST-WSS-CRYPTO",
            Self::Stale { .. } => "HST-WSS-STALE",
            Self::Replayed => "HST-WSS-REPLAY",
            Self::ReplayCacheFull { .. } => "HST-WSS-REPLAY-FULL",
            Self::ReplayMemory(_) => "HST-WSS-REPLAY-MEMORY",
            Self::UnknownContext { .. } => "HST-WSS-CONTEXT",
            Self::TokenRejected { .. } => "HST-WSS-TOKEN",
            Self::TokenUndecided { .. } => "HST-WSS-UNDECIDED",
            Self::NotUnderstood { .. } => "HST-WSS-MUST-UNDERSTAND",
            Self::UnsecuredFault(_) => "HST-WSS-FAULT",
            Self::Configuration(_) => "HST-WSS-CONFIG",
        }
    }

    /// What the sender of the message is told.
    pub fn outside(&self) -> OutsideFault {
        match self {
            Self::UnknownContext { .. } => OutsideFault::BadContextToken,
            Self::TokenRejected { .. } => OutsideFault::FailedAuthentication,
            Self::TokenUndecided { .. } => OutsideFault::ServerTooBusy,
            Self::NotUnderstood { .. } => OutsideFault::MustUnderstand,
            _ => OutsideFault::InvalidSecurity,
        }
    }

    pub(crate) fn malformed(requirement: &'static str, element: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed { requirement, element, problem: problem.into() }
    }

    pub(crate) fn refused(requirement: &'static str, element: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Refused { requirement, element: element.into(), problem: problem.into() }
    }
}
