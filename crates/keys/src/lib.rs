//! Key ring, sealing, RSA and EC identities, X.509 trust: the only crate that names a cryptographic library.
//!
//! Everything above this crate says *what* is to be sealed, signed or believed; how that is computed is decided here, with
//! `aws-lc-rs` for ciphers and asymmetric keys, and RustCrypto for digests and HMAC, where short inputs count.
//!
//! | You want to | Take |
//! |---|---|
//! | seal and open session tokens, rotate and revoke their keys | [`KeyRing`] |
//! | seal with one key of your own | [`Aes256Gcm`] |
//! | digest, HMAC | [`DigestAlgorithm`], [`HmacKey`] |
//! | derive keys (secure conversation, machine key, HKDF) | [`derivation`] |
//! | sign and verify | [`PrivateKey`], [`PublicKey`], [`SignatureAlgorithm`] |
//! | encrypt data as XML encryption does | [`cipher`] |
//! | encrypt keys with keys, or with RSA | [`wrap`], [`transport`] |
//! | read certificates and identities, or make them | [`Certificate`], [`SigningIdentity`] |
//! | decide which certificates to believe | [`CertificateTrust`] |
//! | sign JSON, publish keys as JWK | [`jose`] |
//! | speak TLS | [`tls`] |
//! | random bytes | [`SystemRandom`] through [`SecureRandom`] |
//!
//! # The life of a key ring
//!
//! An operator makes a ring once, with `handstamp keys init`. Every node of a farm opens the same file, or a copy of it.
//!
//! ```
//! use handstamp_keys::{KeyRing, KeyState, RotationPolicy, SystemRandom};
//! use handstamp_time::Timestamp;
//! use std::time::Duration;
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("keys.json");
//! let policy = RotationPolicy::for_lifetime(Duration::from_secs(10 * 3600));
//! let now: Timestamp = "2030-01-01T00:00:00Z".parse()?;
//! let node_a = KeyRing::init(&path, policy.clone(), now, &SystemRandom)?;
//! let node_b = KeyRing::open(&path, policy)?;
//!
//! // Once a minute each node does its upkeep. One of them will find that the key is a day old, and add its successor.
//! // That one opens tokens at once and seals them two minutes later, when all nodes have read it.
//! let next_day = now.saturating_add(Duration::from_secs(24 * 3600));
//! let successor = node_a.upkeep(next_day, &SystemRandom)?.rotated.expect("a day has passed");
//! assert!(node_b.upkeep(next_day, &SystemRandom)?.reloaded);
//! assert_eq!(node_b.opening_key(successor, next_day)?.state(), KeyState::Pending);
//!
//! // A laptop with a copy of the file is lost: what the keys sealed is void, and a new key is current at once.
//! for key in node_a.list(next_day) {
//!     node_a.revoke(key.id, next_day, &SystemRandom)?;
//! }
//! node_b.reload()?;
//! assert!(node_b.opening_key(successor, next_day).is_err());
//! assert!(node_b.sealing_key(next_day).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The file is a JWK Set (RFC 7517) of `oct` keys with `alg` `A256GCM`. `created`, `current_from`, `retired` and `revoked` are
//! UTC times, `seals` counts sealed tokens; members of others are kept. It is replaced as a whole under a lock, must
//! belong to the user of the process and be closed to all others, and is never overwritten when it cannot be read.
//!
//! # What this crate takes care of
//!
//! * **One answer to all cryptographic failures**: [`Error::Unauthentic`], from the same code path wherever that is possible.
//!   RSA-1.5 has no failures at all: see [`transport::RsaPkcs1`].
//! * **Secrets** are wiped on drop, compared in constant time, and print as their length or kind.
//! * **Algorithms** are chosen by the caller. Nothing here reads them out of a message. RSA keys below 2048 bits need a
//!   [`KeyPolicy`] that says so.
//! * **Time and randomness** are arguments. Only [`KeyRing`], [`SigningIdentity::read`] and [`SigningIdentity::create`] touch
//!   files; new asymmetric keys come from the system's generator.

mod bridge;
pub mod cipher;
mod der;
pub mod derivation;
mod digest;
mod error;
pub mod jose;
mod mac;
mod pem;
mod private_file;
mod private_key;
mod public_key;
mod random;
mod ring;
pub mod seal;
mod signature;
mod symmetric;
#[cfg(test)]
mod test_support;
pub mod tls;
pub mod transport;
pub mod wrap;
mod x509;

pub use digest::{DigestAlgorithm, DigestValue, Hasher, sha1, sha256};
pub use error::Error;
pub use mac::{HmacContext, HmacKey};
pub use private_key::PrivateKey;
pub use public_key::{Curve, KeyKind, KeyPolicy, PublicKey};
pub use random::{DeterministicRandom, PooledRandom, SecureRandom, SystemRandom};
pub use ring::{KeyId, KeyInfo, KeyRing, KeyState, OpeningKey, RotationPolicy, SealingKey, Upkeep};
pub use seal::Aes256Gcm;
pub use signature::SignatureAlgorithm;
pub use symmetric::{SymmetricKey, constant_time_eq};
pub use x509::{Certificate, CertificateTrust, DistinguishedName, KeyUsage, SigningIdentity, TrustedBy};
