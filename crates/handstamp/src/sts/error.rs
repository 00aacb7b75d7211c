//! What can go wrong in the token service.

use crate::ExitCode;
use std::path::PathBuf;

/// Why the token service could not do what it was asked.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text cannot be a user name.
    #[error("a user name has 1 to {} printable characters", super::UserName::MAX_CHARACTERS)]
    InvalidUserName,
    /// The password is too short or too long to be set.
    #[error("a password has {min} to {max} bytes", min = super::PasswordText::MIN_BYTES, max = super::PasswordText::MAX_BYTES)]
    InvalidPassword,
    /// An account of this name is there already.
    #[error("the account \"{0}\" exists; choose another name, or change that account")]
    AccountExists(String),
    /// There is no account of this name.
    #[error("there is no account \"{0}\"; `handstamp account list` names those there are")]
    NoSuchAccount(String),
    /// More passwords are waiting to be checked than the machine should take on.
    #[error("too many sign-ins are under way; try again in a few seconds")]
    Busy,
    /// The stored hash of a password cannot be used: the database was damaged or edited.
    #[error("the stored password hash is damaged; set a new password for the account")]
    DamagedPasswordHash,
    /// The database was written by a newer version of this program.
    #[error("the account database has schema version {found}, this program knows up to {known}; use the newer program")]
    NewerDatabase {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The account database failed.
    #[error("the account database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// Keys, certificates or random numbers failed.
    #[error(transparent)]
    Keys(#[from] handstamp_keys::Error),
    /// The file of the signing key cannot be read or written.
    #[error("the signing key {path:?} cannot be read or made: {source}")]
    SigningKeyFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read the signing key.
    #[error("others may read the signing key {0:?}: run chmod 600 on it, and make a new one if they may have read it")]
    SharedSigningKey(PathBuf),
    /// The certificate that a relying party's tokens are to be encrypted for cannot be used.
    #[error("sts.relying_party.{party}.encryption_certificate: {path:?}: {problem}")]
    EncryptionCertificate {
        /// The relying party's name in the configuration.
        party: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A cookie's name or value is not one that browsers accept, or a session failed.
    #[error(transparent)]
    Session(#[from] handstamp_web_session::Error),
    /// The protocol: settings that fit nothing, or claims that the form of token cannot express.
    #[error(transparent)]
    Federation(#[from] handstamp_ws_federation::Error),
    /// WS-Trust: a binding that cannot be served.
    #[error(transparent)]
    Trust(#[from] handstamp_secure_conversation::Error),
    /// A background task was cut off, because the program is ending.
    #[error("the program is ending")]
    Ending,
}

impl Error {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidUserName => "HST-STS-USERNAME",
            Self::InvalidPassword => "HST-STS-PASSWORD",
            Self::AccountExists(_) => "HST-STS-ACCOUNT-EXISTS",
            Self::NoSuchAccount(_) => "HST-STS-ACCOUNT-UNKNOWN",
            Self::Busy => "HST-STS-BUSY",
            Self::DamagedPasswordHash => "HST-STS-HASH",
            Self::NewerDatabase { .. } => "HST-STS-SCHEMA",
            Self::Database(_) => "HST-STS-DATABASE",
            Self::Keys(error) => error.code(),
            Self::SigningKeyFile { .. } => "HST-STS-KEY-FILE",
            Self::SharedSigningKey(_) => "HST-STS-KEY-SHARED",
            Self::EncryptionCertificate { .. } => "HST-STS-ENCRYPTION-CERTIFICATE",
            Self::Session(error) => error.code(),
            Self::Federation(error) => error.code(),
            Self::Trust(error) => error.code(),
            Self::Ending => "HST-STS-ENDING",
        }
    }

    /// How a command ends for this reason.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::InvalidUserName | Self::InvalidPassword | Self::AccountExists(_) | Self::NoSuchAccount(_) => {
                ExitCode::Refused
            }
            Self::NewerDatabase { .. }
            | Self::DamagedPasswordHash
            | Self::SharedSigningKey(_)
            | Self::EncryptionCertificate { .. } => ExitCode::Configuration,
            Self::Keys(_) | Self::Session(_) | Self::Federation(_) | Self::Trust(_) => ExitCode::Configuration,
            Self::Busy | Self::Database(_) | Self::SigningKeyFile { .. } | Self::Ending => ExitCode::System,
        }
    }
}
