//! Everything that can go wrong with secure conversations, by who is at fault.

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
    /// A session token cannot be made.
    #[error(transparent)]
    Token(#[from] handstamp_session_token::Error),
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
            Self::Token(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    pub(crate) fn cookie(problem: impl Into<String>) -> Self {
        Self::Cookie(problem.into())
    }

    pub(crate) fn trust(requirement: &'static str, element: &'static str, problem: &'static str) -> Self {
        Self::Trust { requirement, element, problem }
    }
}
