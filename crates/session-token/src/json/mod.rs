//! Tokens as JSON, for people and scripts.
//!
//! The field names and value forms are those of the golden data: times as ISO 8601 and as ticks, keys and other bytes as
//! base64, identifiers as text. One description serves all formats that carry a session token; the state of WCF's
//! security context token has its own.
//!
//! The JSON holds the session's key. Treat it like the token itself.

mod codec;
mod sct_state;
mod system_claim;
mod time;
mod token;

pub use codec::{Codec, CodecError, Description, Encoding, Format, NativeCodec};
pub use sct_state::{ClaimSetDescription, PrimaryIdentityDescription, SctStateDescription};
pub use system_claim::SystemClaimDescription;
pub use time::TimeDescription;
pub use token::{BootstrapDescription, ClaimDescription, IdentityDescription, TokenDescription};

use crate::wif::Error;

/// Base64 bytes of a description.
fn base64(what: &str, text: &str) -> Result<Vec<u8>, Error> {
    let bytes = base64_simd::STANDARD.decode_to_vec(text.as_bytes());
    bytes.map_err(|_| Error::Description(format!("{what} is not base64")))
}
