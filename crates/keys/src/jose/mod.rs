//! Signed JSON, for applications and services that know JOSE: JWS in its compact form (RFC 7515) and public keys as JWK
//! (RFC 7517, RFC 7638).
//!
//! ```
//! use handstamp_keys::jose::{JwkSet, JwsSigner, JwsVerifier};
//! use handstamp_keys::{Curve, KeyKind, PrivateKey};
//!
//! let signer = JwsSigner::new(PrivateKey::generate(KeyKind::Ec(Curve::P256))?);
//! let text = signer.sign("JWT", br#"{"sub":"ada"}"#)?;
//!
//! // What the other end publishes, and what this end makes of it.
//! let published = JwkSet::new([signer.public_key()]).to_json();
//! let verifier = JwsVerifier::new(JwkSet::parse(published.as_bytes(), &Default::default())?);
//! assert_eq!(verifier.verify("JWT", &text)?, br#"{"sub":"ada"}"#);
//! # Ok::<(), handstamp_keys::Error>(())
//! ```

mod jwk;
mod jws;

pub use jwk::{JwkSet, thumbprint};
pub use jws::{JwsSigner, JwsVerifier};
