//! Everything that can go wrong, by who is at fault.

use handstamp_keys as keys;
use handstamp_xml as xml;

/// Why a signature was not verified or made, or an encryption not undone.
///
/// Display texts are for logs: what goes to the outside is decided above, and never tells the cryptographic
/// failures apart.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer sent a signature, encryption or key-info structure that is not well formed by its specification.
    #[error("malformed {structure}: {problem}")]
    Malformed {
        /// The element at fault, by its local name.
        structure: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The peer uses an algorithm that the configuration does not allow (or that does not exist here).
    #[error(
        "algorithm {uri:?} is not allowed for {purpose}: allow it in the configuration, or let the peer use another"
    )]
    AlgorithmNotAllowed {
        /// The algorithm's identifier, as it came.
        uri: String,
        /// What it was to be used for.
        purpose: &'static str,
    },
    /// A reference leads to no element of this document. References to the outside are never followed.
    #[error("reference {uri:?} does not lead to an element of this document")]
    UnresolvedReference {
        /// The reference, as it came.
        uri: String,
    },
    /// A structure of the message is larger than its limit.
    #[error("more than {limit} {what} in one {structure}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// The element that holds it.
        structure: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The content is not what was signed, or not signed or encrypted with this key. One value for every cause.
    #[error("the signature or encryption does not hold with the given key")]
    Unauthentic,
    /// The caller's key does not fit the algorithm that the caller's policy allows.
    #[error("the key does not fit {algorithm}")]
    KeyMismatch {
        /// The algorithm.
        algorithm: &'static str,
    },
    /// The document is not acceptable XML.
    #[error(transparent)]
    Xml(#[from] xml::Error),
    /// A key operation failed for a reason that is not the peer's.
    #[error(transparent)]
    Keys(keys::Error),
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "HST-XSEC-MALFORMED",
            Self::AlgorithmNotAllowed { .. } => "HST-XSEC-ALGORITHM",
            Self::UnresolvedReference { .. } => "HST-XSEC-REFERENCE",
            Self::TooMany { .. } => "HST-XSEC-LIMIT",
            Self::Unauthentic => "HST-XSEC-UNAUTHENTIC",
            Self::KeyMismatch { .. } => "HST-XSEC-KEY",
            Self::Xml(error) => error.code(),
            Self::Keys(error) => error.code(),
        }
    }

    pub(crate) fn malformed(structure: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed { structure, problem: problem.into() }
    }
}
