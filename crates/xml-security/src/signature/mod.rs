//! XML Signature (W3C, second edition): making, verifying, and reading what was verified.

mod signed_info;
mod signer;
mod verified;
mod verify;
mod writing;

pub use signed_info::{MAX_REFERENCES, MAX_TRANSFORMS, Signature};
pub use signer::{Place, SignedReference, Signer};
pub use verified::{Verified, VerifiedElement, VerifiedNodes};
pub use verify::{SignedReferences, VerificationKey, VerifyPolicy};
pub use writing::{SignedInfo, SigningKey};
