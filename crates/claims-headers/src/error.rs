//! Why headers say nothing that can be believed.

use http::HeaderName;

/// Why headers say nothing that can be believed. For the log: clients learn no more than that they are not signed in.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A header is there twice or is no text: somebody else than the gateway wrote it.
    #[error("the header {name} is not as the gateway writes it: let nothing but the gateway reach the application")]
    Header {
        /// The header.
        name: HeaderName,
    },
    /// No key of the set signed the token, or it is none.
    #[error("no known key signed the token: take over the keys that the gateway publishes now")]
    Unauthentic,
    /// The token is from somebody else, or for another application.
    #[error(
        "the token is from {issuer:?} for {audience:?}: compare [jwt] issuer and jwt_audience of the gateway's route"
    )]
    Purpose {
        /// Who says to have signed it.
        issuer: String,
        /// Whom it is for.
        audience: String,
    },
    /// The token is over, or not valid yet.
    #[error("the token is not valid at this time: compare the clocks of gateway and application")]
    Time,
    /// The token is signed, and not as the gateway makes them.
    #[error("the token does not say what the gateway's tokens say")]
    Content,
    /// The keys are no JWK Set with a key that can verify.
    #[error("the published keys cannot be used: {0}")]
    Keys(String),
}

impl Error {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Header { .. } => "HST-CALLER-HEADER",
            Self::Unauthentic => "HST-CALLER-UNAUTHENTIC",
            Self::Purpose { .. } => "HST-CALLER-PURPOSE",
            Self::Time => "HST-CALLER-TIME",
            Self::Content => "HST-CALLER-CONTENT",
            Self::Keys(_) => "HST-CALLER-KEYS",
        }
    }
}
