//! The native format: COSE_Encrypt0 over a compact CBOR map, specified in `docs/native-token.md`.
//!
//! A token of a dozen claims takes about 450 characters of cookie, a tenth of what the original needs. The message is
//! standard COSE (RFC 9052, A256GCM), so any language opens it; what is inside is a map with small integers for field
//! names and well-known URIs. Cookie name, audience and format version are bound as associated data: a token that is
//! moved to another cookie or another application does not open.
//!
//! ```
//! use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
//! use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
//! use handstamp_session_token::native::NativeFormat;
//! use handstamp_session_token::{Opened, SessionSecurityTokenHandler};
//! use handstamp_time::Timestamp;
//! use std::sync::Arc;
//!
//! let now: Timestamp = "2030-01-01T09:00:00Z".parse()?;
//! let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?);
//! let handler = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring)))
//!     .audience("https://orders.example/")
//!     .build()?;
//!
//! let alice = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "alice"));
//! let token = handler.token(alice.into()).build(now, &SystemRandom)?;
//! let cookie = handler.write_text(&token, now, &SystemRandom)?;
//! assert!(cookie.starts_with("0IN"));
//!
//! let Opened::Token(read) = handler.open_text(&cookie, now)? else { panic!("the whole token travels") };
//! handler.validate(&read, now)?;
//! assert_eq!(*read, token);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod cbor;
mod deflate;
mod identities;
mod message;
mod table;
mod value;

use crate::format::{Carrier, Expected, Opened, TextEncoding, TokenFormat};
use crate::{Error, SessionSecurityToken};
use handstamp_keys::{KeyId, KeyRing, SecureRandom};
use handstamp_time::Timestamp;
use std::sync::Arc;

/// Writes and reads the native format with the keys of a ring.
#[derive(Debug, Clone)]
pub struct NativeFormat {
    ring: Arc<KeyRing>,
    compression: Compression,
}

/// Whether tokens are compressed before they are sealed.
///
/// The length of a sealed token is seen by everybody, and the length of a compressed one tells a little about its content:
/// whoever can choose one claim of another user's token, and see the lengths of many, can guess at the others. Small
/// tokens are never compressed; they would hardly shrink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Tokens of more than 1,024 bytes are compressed if that saves a tenth or more.
    #[default]
    LargeTokens,
    /// Never.
    Never,
}

impl NativeFormat {
    /// The id of the key that seals a token, as the token says it, unproven; none when these are no bytes of a native token.
    pub fn key_id(token: &[u8]) -> Option<KeyId> {
        message::key_id(token)
    }

    /// The format with the keys of `ring`.
    pub fn new(ring: Arc<KeyRing>) -> Self {
        Self { ring, compression: Compression::default() }
    }

    /// Sets whether large tokens are compressed.
    #[must_use]
    pub fn with_compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The keys.
    pub fn ring(&self) -> &Arc<KeyRing> {
        &self.ring
    }

    /// Seals a whole token, also when it is in reference mode: how stores keep tokens at rest.
    ///
    /// # Errors
    /// As [`TokenFormat::write`].
    pub fn write_whole(
        &self,
        token: &SessionSecurityToken,
        carrier: &Carrier,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        let body = body::write_token(token)?;
        let content = match self.compression {
            Compression::LargeTokens => deflate::compress_if_it_pays(body)?,
            Compression::Never => body,
        };
        if content.len() > MAX_CONTENT {
            return Err(Error::NotWritable("it is larger than 1 MiB"));
        }
        message::seal(&self.ring, content, carrier, token.endpoint(), now, random)
    }
}

impl TokenFormat for NativeFormat {
    fn name(&self) -> &'static str {
        "native"
    }

    fn text_encoding(&self) -> TextEncoding {
        TextEncoding::Base64Url
    }

    fn recognizes(&self, bytes: &[u8]) -> bool {
        bytes.starts_with(&message::PREFIX[..2])
    }

    /// The tag in base64: `0IN`, whose last two bits belong to the head of the protected header.
    fn recognizes_text(&self, text: &str) -> bool {
        text.starts_with("0IN")
    }

    fn write(
        &self,
        token: &SessionSecurityToken,
        carrier: &Carrier,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        if !token.is_reference_mode() {
            return self.write_whole(token, carrier, now, random);
        }
        message::seal(&self.ring, body::write_reference(token), carrier, token.endpoint(), now, random)
    }

    fn read(&self, bytes: Vec<u8>, expected: &Expected<'_>) -> Result<Opened, Error> {
        let Expected { carrier, scopes, now } = *expected;
        message::open(&self.ring, bytes, carrier, scopes, now, |content, scope| {
            let inflated = deflate::inflate_if_compressed(content)?;
            body::read(inflated.as_deref().map_or(content, Vec::as_slice), scope)
        })
    }
}

/// ST-12: what the writer refuses the reader need not expect.
const MAX_CONTENT: usize = 1 << 20;
