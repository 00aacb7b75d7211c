use super::ConfigurationError;
use handstamp_keys::{DigestAlgorithm, SignatureAlgorithm};
use std::str::FromStr;

/// The hash that an RSA transform is set to; both sides must be set to the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RsaHash {
    /// SHA-256, the default.
    #[default]
    Sha256,
    /// SHA-1, for old sites.
    Sha1,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl RsaHash {
    pub(super) fn digest(self) -> DigestAlgorithm {
        match self {
            Self::Sha256 => DigestAlgorithm::Sha256,
            Self::Sha1 => DigestAlgorithm::Sha1,
            Self::Sha384 => DigestAlgorithm::Sha384,
            Self::Sha512 => DigestAlgorithm::Sha512,
        }
    }

    pub(super) fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::Sha256 => SignatureAlgorithm::RsaSha256,
            Self::Sha1 => SignatureAlgorithm::RsaSha1,
            Self::Sha384 => SignatureAlgorithm::RsaSha384,
            Self::Sha512 => SignatureAlgorithm::RsaSha512,
        }
    }
}

impl FromStr for RsaHash {
    type Err = ConfigurationError;

    /// The original's names, without regard to case: `SHA256`, `SHA-256`, `System.Security.Cryptography.SHA256`.
    fn from_str(name: &str) -> Result<Self, ConfigurationError> {
        let lower = name.to_ascii_lowercase();
        let short = lower.strip_prefix("system.security.cryptography.").unwrap_or(&lower);
        match short.strip_prefix("sha").map(|rest| rest.trim_start_matches('-')) {
            Some("256") => Ok(Self::Sha256),
            Some("1" | "") => Ok(Self::Sha1),
            Some("384") => Ok(Self::Sha384),
            Some("512") => Ok(Self::Sha512),
            _ => Err(ConfigurationError::UnknownHash(name.to_owned())),
        }
    }
}
