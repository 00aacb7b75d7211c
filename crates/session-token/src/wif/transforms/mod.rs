//! Cookie transforms: what protects the bytes in the cookie (ST §3).
//!
//! A chain is applied first to last when writing, last to first when reading. Its order is configuration and leaves no
//! trace in the cookie, so both sides must be told the same one.
//!
//! ```
//! use handstamp_session_token::wif::transforms::{CookieTransforms, ConfigurationError, Deflate};
//! use std::sync::Arc;
//!
//! // Without a transform that authenticates, anybody can make a cookie.
//! let chain = CookieTransforms::new(vec![Arc::new(Deflate::default())]);
//! assert!(matches!(chain, Err(ConfigurationError::Unauthenticated)));
//! ```

mod data_protection;
mod deflate;
mod error;
mod machine_key;
mod rsa_encryption;
mod rsa_hash;
mod rsa_signature;

pub use data_protection::ProtectedData;
pub use deflate::Deflate;
pub use error::{ConfigurationError, TransformError};
pub use machine_key::{Decryption, MachineKey, MachineKeyTransform};
pub use rsa_encryption::RsaEncryption;
pub use rsa_hash::RsaHash;
pub use rsa_signature::RsaSignature;

use handstamp_keys::SecureRandom;
use std::fmt::Debug;
use std::sync::Arc;

/// One step between the object envelope and the bytes in the cookie.
pub trait CookieTransform: Send + Sync + Debug {
    /// Transforms on the way out.
    ///
    /// # Errors
    /// When the input is empty, a key is missing, or the transform fails.
    fn encode(&self, input: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError>;

    /// Undoes it on the way in.
    ///
    /// # Errors
    /// When the input is not what [`encode`](Self::encode) makes with one of the accepted keys.
    fn decode(&self, input: Vec<u8>) -> Result<Vec<u8>, TransformError>;

    /// What the transform protects against.
    fn protection(&self) -> Protection;

    /// Spends the time that [`decode`](Self::decode) would spend on input that is refused, so that a failure in an
    /// outer transform does not show in the time of the answer.
    fn decoy(&self, _input: &[u8]) {}
}

/// What a transform protects against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// Nothing.
    None,
    /// Reading. Everybody who can encrypt can also forge.
    Confidentiality,
    /// Changing and forging.
    Authenticity,
}

/// A chain of transforms that has been checked (ST-24).
/// The default chain is empty and protects nothing.
#[derive(Debug, Clone, Default)]
pub struct CookieTransforms(Vec<Arc<dyn CookieTransform>>);

impl CookieTransforms {
    /// A chain for cookies of real users, in the order of writing.
    ///
    /// # Errors
    /// [`ConfigurationError::Unauthenticated`] when no transform authenticates.
    pub fn new(transforms: Vec<Arc<dyn CookieTransform>>) -> Result<Self, ConfigurationError> {
        let chain = Self::unprotected(transforms)?;
        let authenticates = |transform: &Arc<dyn CookieTransform>| transform.protection() == Protection::Authenticity;
        if chain.0.iter().any(authenticates) { Ok(chain) } else { Err(ConfigurationError::Unauthenticated) }
    }

    /// A chain that may protect nothing: for tools that look at tokens, never for reading the cookies of a request.
    ///
    /// # Errors
    /// [`ConfigurationError::EncryptionAlone`] when it encrypts without authenticating.
    pub fn unprotected(transforms: Vec<Arc<dyn CookieTransform>>) -> Result<Self, ConfigurationError> {
        let has = |protection| transforms.iter().any(|transform| transform.protection() == protection);
        if has(Protection::Confidentiality) && !has(Protection::Authenticity) {
            return Err(ConfigurationError::EncryptionAlone);
        }
        Ok(Self(transforms))
    }

    /// Applies the chain, first to last.
    ///
    /// # Errors
    /// Those of the transforms.
    pub fn encode(&self, input: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, TransformError> {
        self.0.iter().try_fold(input, |bytes, transform| transform.encode(bytes, random))
    }

    /// Undoes the chain, last to first.
    ///
    /// # Errors
    /// Those of the transforms, in detail. Answers to a peer must not tell them apart.
    pub fn decode(&self, input: Vec<u8>) -> Result<Vec<u8>, TransformError> {
        let mut bytes = input;
        for (position, transform) in self.0.iter().enumerate().rev() {
            let length = bytes.len();
            bytes = match transform.decode(bytes) {
                Ok(decoded) => decoded,
                Err(error) => {
                    let inner = self.0.get(..position).unwrap_or_default();
                    inner.iter().rev().for_each(|inner| inner.decoy(&vec![0; length]));
                    return Err(error);
                }
            };
        }
        Ok(bytes)
    }
}

/// Refuses empty input, as all of the original's transforms do.
fn not_empty(input: &[u8], error: TransformError) -> Result<(), TransformError> {
    if input.is_empty() { Err(error) } else { Ok(()) }
}
