//! Key ring, sealing, RSA and EC identities, X.509 trust: the only crate that names a cryptographic library.

mod bridge;
mod der;
pub mod derivation;
mod digest;
mod error;
mod mac;
mod pem;
mod private_key;
mod public_key;
mod random;
mod ring;
pub mod seal;
mod signature;
mod symmetric;
#[cfg(test)]
mod test_support;
mod x509;

pub use digest::{DigestAlgorithm, DigestValue, Hasher, sha1, sha256};
pub use error::Error;
pub use mac::{HmacContext, HmacKey};
pub use private_key::PrivateKey;
pub use public_key::{Curve, KeyKind, KeyPolicy, PublicKey};
pub use random::{DeterministicRandom, SecureRandom, SystemRandom};
pub use ring::{KeyId, KeyInfo, KeyRing, KeyState, OpeningKey, RotationPolicy, SealingKey, Upkeep};
pub use seal::Aes256Gcm;
pub use signature::SignatureAlgorithm;
pub use symmetric::{SymmetricKey, constant_time_eq};
pub use x509::{Certificate, CertificateTrust, DistinguishedName, KeyUsage, SigningIdentity, TrustedBy};
