//! Why a command ends early.

use crate::config::{Findings, ListenAddress};

/// How the program ends; part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything went well.
    Ok = 0,
    /// The input was refused, or the check found something.
    Refused = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The configuration is wrong.
    Configuration = 3,
    /// The system said no: a port in use, a file not readable, a full disk.
    System = 4,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command ends early.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file is wrong.
    #[error("{0}")]
    Configuration(#[from] Findings),
    /// What the configuration names is not usable: a certificate, a key ring, a database.
    #[error("{code}: {message}")]
    Setup {
        /// Stable code.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// An address cannot be listened on.
    #[error("HST-LISTEN: cannot listen on {address}: {source}; choose another address or stop what uses it")]
    Listen {
        /// The address.
        address: ListenAddress,
        /// What the system said.
        source: std::io::Error,
    },
    /// The input was understood and refused.
    #[error("{code}: {message}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// A key ring cannot be used or changed.
    #[error("{code}: {0}", code = .0.code())]
    Keys(#[from] handstamp_keys::Error),
    /// The token service cannot be set up, or an account cannot be changed.
    #[error("{code}: {0}", code = .0.code())]
    Sts(#[from] crate::sts::Error),
    /// The system failed.
    #[error("HST-SYSTEM: {what}: {source}")]
    System {
        /// What was attempted.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    /// A failed attempt of the system.
    pub fn system(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::System { what: what.into(), source }
    }

    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Configuration(findings) => {
                findings.iter().next().map_or("HST-CONFIG", |finding| finding.kind().code())
            }
            Self::Setup { code, .. } | Self::Refused { code, .. } => code,
            Self::Keys(error) => error.code(),
            Self::Sts(error) => error.code(),
            Self::Listen { .. } => "HST-LISTEN",
            Self::System { .. } => "HST-SYSTEM",
        }
    }

    /// How the program ends for this reason.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Configuration(_) | Self::Setup { .. } => ExitCode::Configuration,
            Self::Refused { .. } => ExitCode::Refused,
            Self::Keys(error) => match error {
                handstamp_keys::Error::File { .. } | handstamp_keys::Error::RandomUnavailable => ExitCode::System,
                handstamp_keys::Error::KeyFileExposed { .. } | handstamp_keys::Error::KeyFileMalformed { .. } => {
                    ExitCode::Configuration
                }
                _ => ExitCode::Refused,
            },
            Self::Sts(error) => error.exit_code(),
            Self::Listen { .. } | Self::System { .. } => ExitCode::System,
        }
    }
}
