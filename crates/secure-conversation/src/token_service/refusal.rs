//! What a client is told when it gets no token: the faults of WS-Trust (February 2005 §10, 1.3 §11).

use crate::error::Error;
use handstamp_ws_security::Generation;
use handstamp_ws_security::soap::{Fault, FaultCode, QualifiedName, SecurityFault};

/// Why a request is refused although its message is good. The client is told what the variant says, the log the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// Name and password do not belong together, or nobody is known by the certificate.
    FailedAuthentication,
    /// The request makes no sense here.
    InvalidRequest,
    /// There is no such relying party.
    InvalidScope,
    /// Whoever asks gets no token for this relying party.
    RequestFailed,
    /// There were too many requests: later perhaps.
    TooManyRequests,
}

/// The faults of WS-Trust, in the namespace of their generation.
#[derive(Debug, Clone, Copy)]
pub(super) enum TrustFault {
    InvalidRequest,
    FailedAuthentication,
    RequestFailed,
    InvalidTimeRange,
    InvalidScope,
}

/// What the client is told, and the reason for the log.
pub(super) struct Refusal {
    pub(super) told: TrustFault,
    pub(super) error: Box<Error>,
}

impl TokenRefusal {
    pub(super) fn to_fault(self, generation: Generation) -> Fault {
        let fault = match self {
            Self::FailedAuthentication => TrustFault::FailedAuthentication,
            Self::InvalidRequest => TrustFault::InvalidRequest,
            Self::InvalidScope => TrustFault::InvalidScope,
            Self::RequestFailed => TrustFault::RequestFailed,
            Self::TooManyRequests => return SecurityFault::ServerTooBusy.to_fault(),
        };
        fault.to_fault(generation)
    }
}

impl TrustFault {
    pub(super) fn to_fault(self, generation: Generation) -> Fault {
        let (name, reason) = match self {
            Self::InvalidRequest => ("InvalidRequest", "The request was invalid or malformed."),
            Self::FailedAuthentication => ("FailedAuthentication", "Authentication failed."),
            Self::RequestFailed => ("RequestFailed", "The specified request failed."),
            Self::InvalidTimeRange => ("InvalidTimeRange", "The requested time range is invalid or unsupported."),
            Self::InvalidScope => ("InvalidScope", "The request scope is invalid or unsupported."),
        };
        let subcode = Some(QualifiedName::new(generation.trust(), name));
        Fault { code: FaultCode::Sender, subcode, reason: reason.to_owned() }
    }
}

impl Refusal {
    pub(super) fn new(told: TrustFault, error: impl Into<Error>) -> Self {
        Self { told, error: Box::new(error.into()) }
    }

    /// A request that is understood and cannot be met.
    pub(super) fn failed(element: &'static str, problem: &'static str) -> Self {
        Self::new(TrustFault::RequestFailed, Error::trust("WS-Trust 1.3 §4.1", element, problem))
    }
}

/// Also for what goes wrong on this side.
impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::new(TrustFault::InvalidRequest, error)
    }
}
