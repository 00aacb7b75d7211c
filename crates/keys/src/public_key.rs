use crate::bridge::{Pkey, PkeyKind};
use crate::der::{self, Reader, oid};
use crate::{DigestValue, Error, SignatureAlgorithm};
use std::fmt;
use std::sync::Arc;

/// The elliptic curves of XML signatures and JOSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// NIST P-256, secp256r1.
    P256,
    /// NIST P-384, secp384r1.
    P384,
    /// NIST P-521, secp521r1.
    P521,
}

impl Curve {
    /// Length of a coordinate, and of each half of a signature, in bytes.
    pub const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// Its object identifier in dotted form, as XML writes it after `urn:oid:`.
    pub const fn dotted_oid(self) -> &'static str {
        match self {
            Self::P256 => "1.2.840.10045.3.1.7",
            Self::P384 => "1.3.132.0.34",
            Self::P521 => "1.3.132.0.35",
        }
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Self::P256 => oid::P256,
            Self::P384 => oid::P384,
            Self::P521 => oid::P521,
        }
    }
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyKind {
    /// RSA.
    Rsa {
        /// Length of the modulus in bits.
        bits: u32,
    },
    /// An elliptic curve.
    Ec(Curve),
}

impl KeyKind {
    pub(crate) fn of(key: &Pkey, policy: &KeyPolicy) -> Result<Self, Error> {
        match key.kind() {
            Some(PkeyKind::Ec(curve)) => Ok(Self::Ec(curve)),
            Some(PkeyKind::Rsa { bits }) => {
                let kind = Self::Rsa { bits };
                policy.check(kind)?;
                Ok(kind)
            }
            None => Err(Error::UnusableKey("keys are RSA, or EC on P-256, P-384 or P-521; this one is neither".into())),
        }
    }
}

/// Which keys are strong enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    min_rsa_bits: u32,
}

impl KeyPolicy {
    /// Accepts RSA keys from `bits` on, for peers with old keys. Less than 1024 bits are never accepted.
    pub const fn with_min_rsa_bits(bits: u32) -> Self {
        Self { min_rsa_bits: if bits < FLOOR_RSA_BITS { FLOOR_RSA_BITS } else { bits } }
    }

    /// The shortest RSA modulus accepted, in bits.
    pub const fn min_rsa_bits(&self) -> u32 {
        self.min_rsa_bits
    }

    pub(crate) fn check(&self, kind: KeyKind) -> Result<(), Error> {
        match kind {
            KeyKind::Rsa { bits } if bits < self.min_rsa_bits => Err(Error::UnusableKey(format!(
                "an RSA key of {bits} bits is too short; {} is the minimum unless configuration allows less",
                self.min_rsa_bits
            ))),
            KeyKind::Rsa { bits } if bits > MAX_RSA_BITS => {
                Err(Error::UnusableKey(format!("an RSA key of {bits} bits is too long; {MAX_RSA_BITS} is the maximum")))
            }
            KeyKind::Rsa { .. } | KeyKind::Ec(_) => Ok(()),
        }
    }
}

/// RSA from 2048 bits.
impl Default for KeyPolicy {
    fn default() -> Self {
        Self::with_min_rsa_bits(2048)
    }
}

/// An RSA or EC public key: verifies signatures, and encrypts with RSA (see [`transport`](crate::transport)).
///
/// Cloning is cheap. Equal keys are equal, wherever they were read from.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    key: Pkey,
    kind: KeyKind,
    spki: Vec<u8>,
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo`.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is none, or `policy` finds the key too short.
    pub fn from_spki(der: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let key = Pkey::from_spki(der)
            .map_err(|_| Error::UnusableKey("not a public key (SubjectPublicKeyInfo) of RSA or EC".into()))?;
        Self::new(key, policy)
    }

    /// An RSA key from modulus and public exponent, big-endian, as `ds:RSAKeyValue` and JWK have them.
    ///
    /// # Errors
    /// As [`Self::from_spki`].
    pub fn from_rsa_components(modulus: &[u8], exponent: &[u8], policy: &KeyPolicy) -> Result<Self, Error> {
        let algorithm =
            der::element(der::SEQUENCE, &[&der::element(der::OID, &[oid::RSA_ENCRYPTION]), &[der::NULL, 0]]);
        let key = der::element(der::SEQUENCE, &[&der::unsigned(modulus), &der::unsigned(exponent)]);
        Self::from_spki(&spki(&algorithm, &key), policy)
    }

    /// An EC key from its point (`04 ‖ x ‖ y`, or compressed), as `dsig11:ECKeyValue` has it.
    ///
    /// # Errors
    /// [`Error::UnusableKey`] when it is no point of the curve.
    pub fn from_ec_point(curve: Curve, point: &[u8]) -> Result<Self, Error> {
        let algorithm = der::element(
            der::SEQUENCE,
            &[&der::element(der::OID, &[oid::EC_PUBLIC_KEY]), &der::element(der::OID, &[curve.oid()])],
        );
        Self::from_spki(&spki(&algorithm, point), &KeyPolicy::default())
    }

    pub(crate) fn new(key: Pkey, policy: &KeyPolicy) -> Result<Self, Error> {
        let kind = KeyKind::of(&key, policy)?;
        let spki = key.to_spki().map_err(|_| Error::UnusableKey("the public key has no DER form".into()))?;
        Ok(Self(Arc::new(Inner { key, kind, spki })))
    }

    /// Checks a signature over `data`.
    ///
    /// # Errors
    /// [`Error::Unauthentic`] when it is not a signature of this key and algorithm over this data.
    pub fn verify(&self, algorithm: SignatureAlgorithm, data: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.verify_digest(algorithm, &algorithm.digest().digest(data), signature)
    }

    /// Checks a signature over data with this digest.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &DigestValue,
        signature: &[u8],
    ) -> Result<(), Error> {
        let encoded;
        let signature = match (self.0.kind, algorithm.is_ecdsa()) {
            (KeyKind::Rsa { .. }, false) => signature,
            (KeyKind::Ec(curve), true) => {
                encoded = crate::signature::raw_to_der(curve, signature)?;
                &encoded
            }
            _ => return Err(Error::Unauthentic),
        };
        self.0.key.verify_digest(algorithm.digest(), digest.as_bytes(), signature).map_err(|_| Error::Unauthentic)
    }

    /// RSA with its size, or the curve.
    pub fn kind(&self) -> KeyKind {
        self.0.kind
    }

    /// The DER `SubjectPublicKeyInfo`.
    pub fn spki(&self) -> &[u8] {
        &self.0.spki
    }

    /// Modulus and public exponent of an RSA key, big-endian without leading zeros.
    pub fn rsa_components(&self) -> Option<(&[u8], &[u8])> {
        let KeyKind::Rsa { .. } = self.0.kind else { return None };
        let mut key = Reader::only(self.key_bits().ok()?, der::SEQUENCE).ok()?;
        Some((key.unsigned().ok()?, key.unsigned().ok()?))
    }

    /// The point of an EC key, uncompressed: `04 ‖ x ‖ y`.
    pub fn ec_point(&self) -> Option<&[u8]> {
        let KeyKind::Ec(_) = self.0.kind else { return None };
        self.key_bits().ok()
    }

    pub(crate) fn pkey(&self) -> &Pkey {
        &self.0.key
    }

    /// The content of the SPKI's bit string.
    pub(crate) fn key_bits(&self) -> Result<&[u8], der::Malformed> {
        let mut spki = Reader::only(&self.0.spki, der::SEQUENCE)?;
        spki.read(der::SEQUENCE)?;
        match spki.read(der::BIT_STRING)? {
            [0, bits @ ..] => Ok(bits),
            _ => Err(der::Malformed),
        }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.spki == other.0.spki
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.0.kind).finish()
    }
}

fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    der::element(der::SEQUENCE, &[algorithm, &der::element(der::BIT_STRING, &[&[0], key])])
}

const FLOOR_RSA_BITS: u32 = 1024;
/// A longer key makes each verification a denial of service.
const MAX_RSA_BITS: u32 = 8192;
