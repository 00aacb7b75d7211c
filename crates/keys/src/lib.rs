//! Key ring, sealing, RSA and EC identities, X.509 trust: the only crate that names a cryptographic library.

pub mod derivation;
mod digest;
mod error;
mod mac;
mod random;
mod ring;
pub mod seal;
mod symmetric;
#[cfg(test)]
mod test_support;

pub use digest::{DigestAlgorithm, DigestValue, Hasher, sha1, sha256};
pub use error::Error;
pub use mac::{HmacContext, HmacKey};
pub use random::{DeterministicRandom, SecureRandom, SystemRandom};
pub use ring::{KeyId, KeyInfo, KeyRing, KeyState, OpeningKey, RotationPolicy, SealingKey, Upkeep};
pub use seal::Aes256Gcm;
pub use symmetric::{SymmetricKey, constant_time_eq};
