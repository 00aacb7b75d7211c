use crate::ring::{KeyId, KeyState};
use std::path::PathBuf;

/// Why something about keys failed, by who has to act.
///
/// Failures of cryptography proper are all [`Error::Unauthentic`], without detail: a forged signature, a wrong key, bad
/// padding and a cut-off ciphertext look alike, so that no answer can serve as an oracle. Everything else is about files,
/// configuration, or use of this crate, where detail helps and harms nobody.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came from the peer does not verify or does not decrypt. Nothing more is said, on purpose.
    #[error("not authentic: the data was changed, or was made with another key or algorithm")]
    Unauthentic,

    /// A certificate is genuine for all we know, but nothing says to believe it.
    #[error("the certificate of {subject:?} (SHA-256 {thumbprint}) is not trusted: {reason}")]
    Untrusted {
        /// Its subject, cut at 128 characters.
        subject: String,
        /// Its SHA-256 thumbprint in hexadecimal: what to pin, if it is to be trusted.
        thumbprint: String,
        /// Why not.
        reason: String,
    },
    /// A TLS session in messages failed: what the peer sent is not of the session, or the two do not agree.
    #[error("TLS: {0}")]
    Tls(String),
    /// The other end of a TLS session in messages is not believed.
    #[error("TLS: the peer is not believed: {0}")]
    TlsPeer(String),
    /// A token names a key that this ring does not hold: it was made by another installation, or the key was dropped long ago.
    #[error("no key {0} in the key ring; if another node made the token, give both nodes the same key file")]
    UnknownKey(KeyId),
    /// A token names a key that no longer opens tokens.
    #[error("key {id} is {state} and opens no tokens")]
    KeyWithdrawn {
        /// The key.
        id: KeyId,
        /// [`KeyState::Retired`] or [`KeyState::Revoked`].
        state: KeyState,
    },
    /// The ring has no current key, so nothing can be sealed.
    #[error("the key ring has no current key; run `handstamp keys rotate --now`")]
    NoCurrentKey,
    /// The current key has sealed as many tokens as AES-GCM allows. The regular upkeep rotates long before this point.
    #[error("key {0} has sealed as many tokens as is safe; run `handstamp keys rotate --now`")]
    KeyExhausted(KeyId),

    /// A key file may be read by more than its owner, or belongs to somebody else.
    #[error("{}: {problem}; run `{remedy}`", path.display())]
    KeyFileExposed {
        /// The file.
        path: PathBuf,
        /// What is wrong with its mode or owner.
        problem: String,
        /// The shell command that mends it.
        remedy: String,
    },
    /// A key file is no JWK Set of `A256GCM` keys. It is never overwritten.
    #[error(
        "{}: {problem}; the file was left as it was: restore it from a copy, or move it away and run `handstamp keys init`",
        path.display()
    )]
    KeyFileMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// A key file to be made exists already.
    #[error("{}: the key file exists already and is not overwritten", .0.display())]
    KeyFileExists(PathBuf),
    /// A key file could not be read or written.
    #[error("{}: {action}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file has no usable key or certificate.
    #[error("{}: {problem}", path.display())]
    UnusableFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        problem: String,
    },
    /// A key or certificate cannot be used: wrong form, wrong size, wrong kind.
    #[error("{0}")]
    UnusableKey(String),

    /// The caller asked for something that the algorithm does not offer, such as a key of the wrong length.
    #[error("{0}")]
    Misuse(&'static str),
    /// The operating system gave no random bytes.
    #[error("the system's random number generator failed")]
    RandomUnavailable,
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthentic => "HST-KEYS-UNAUTHENTIC",
            Self::Untrusted { .. } => "HST-KEYS-UNTRUSTED",
            Self::Tls(_) => "HST-KEYS-TLS",
            Self::TlsPeer(_) => "HST-KEYS-TLS-PEER",
            Self::UnknownKey(_) => "HST-KEYS-UNKNOWN",
            Self::KeyWithdrawn { .. } => "HST-KEYS-WITHDRAWN",
            Self::NoCurrentKey => "HST-KEYS-NO-CURRENT",
            Self::KeyExhausted(_) => "HST-KEYS-EXHAUSTED",
            Self::KeyFileExposed { .. } => "HST-KEYS-FILE-EXPOSED",
            Self::KeyFileMalformed { .. } => "HST-KEYS-FILE-MALFORMED",
            Self::KeyFileExists(_) => "HST-KEYS-FILE-EXISTS",
            Self::File { .. } => "HST-KEYS-FILE",
            Self::UnusableFile { .. } => "HST-KEYS-FILE-UNUSABLE",
            Self::UnusableKey(_) => "HST-KEYS-UNUSABLE",
            Self::Misuse(_) => "HST-KEYS-MISUSE",
            Self::RandomUnavailable => "HST-KEYS-RANDOM",
        }
    }
}
