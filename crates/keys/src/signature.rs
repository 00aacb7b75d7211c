use crate::der::{self, Reader};
use crate::{Curve, DigestAlgorithm, Error};

/// Signature algorithms of XML signatures, SAML and JOSE.
///
/// Which of them a message may use is decided by the caller's configuration, never by the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSA PKCS#1 v1.5 with SHA-1: for peers of the time only.
    RsaSha1,
    /// RSA PKCS#1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS#1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS#1 v1.5 with SHA-512.
    RsaSha512,
    /// ECDSA with SHA-256, on any supported curve.
    EcdsaSha256,
    /// ECDSA with SHA-384, on any supported curve.
    EcdsaSha384,
    /// ECDSA with SHA-512, on any supported curve.
    EcdsaSha512,
}

impl SignatureAlgorithm {
    /// The digest that is signed.
    pub const fn digest(self) -> DigestAlgorithm {
        match self {
            Self::RsaSha1 => DigestAlgorithm::Sha1,
            Self::RsaSha256 | Self::EcdsaSha256 => DigestAlgorithm::Sha256,
            Self::RsaSha384 | Self::EcdsaSha384 => DigestAlgorithm::Sha384,
            Self::RsaSha512 | Self::EcdsaSha512 => DigestAlgorithm::Sha512,
        }
    }

    /// Whether it is for EC keys; otherwise it is for RSA keys.
    pub const fn is_ecdsa(self) -> bool {
        matches!(self, Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512)
    }
}

/// `r ‖ s`, each as long as the curve's coordinates, to a DER `ECDSA-Sig-Value`.
pub(crate) fn raw_to_der(curve: Curve, raw: &[u8]) -> Result<Vec<u8>, Error> {
    if raw.len() != 2 * curve.coordinate_len() {
        return Err(Error::Unauthentic);
    }
    let (r, s) = raw.split_at(curve.coordinate_len());
    Ok(der::element(der::SEQUENCE, &[&der::unsigned(r), &der::unsigned(s)]))
}

pub(crate) fn der_to_raw(curve: Curve, encoded: &[u8]) -> Result<Vec<u8>, der::Malformed> {
    let mut numbers = Reader::only(encoded, der::SEQUENCE)?;
    let mut raw = Vec::with_capacity(2 * curve.coordinate_len());
    for number in [numbers.unsigned()?, numbers.unsigned()?] {
        let padding = curve.coordinate_len().checked_sub(number.len()).ok_or(der::Malformed)?;
        raw.resize(raw.len() + padding, 0);
        raw.extend_from_slice(number);
    }
    numbers.end()?;
    Ok(raw)
}
