//! The seam between the handler and the formats a token can be written in.

use crate::{EndpointScope, Error, SessionSecurityToken, SessionTokenCacheKey};
use handstamp_claims::ArcStr;
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use std::fmt;

/// A way to write tokens as protected bytes and to read them back.
///
/// A handler writes one format and accepts several. It chooses by the tag with which each format's bytes and texts begin,
/// never by trying to decrypt (ST-42). Implementations verify before they believe anything.
pub trait TokenFormat: Send + Sync + fmt::Debug {
    /// A name for configuration and logs, such as `native`.
    fn name(&self) -> &'static str;

    /// How cookies hold the bytes.
    fn text_encoding(&self) -> TextEncoding;

    /// Whether these bytes begin as this format's do. Looks at a fixed number of bytes.
    fn recognizes(&self, bytes: &[u8]) -> bool;

    /// Whether this cookie text begins as this format's does.
    fn recognizes_text(&self, text: &str) -> bool;

    /// Writes a token, or a reference to it when it is in [reference mode](SessionSecurityToken::is_reference_mode).
    ///
    /// # Errors
    /// [`Error::NotWritable`] when the format cannot express the token, [`Error::Keys`] when there is no usable key.
    fn write(
        &self,
        token: &SessionSecurityToken,
        carrier: &Carrier,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error>;

    /// Verifies and reads. The bytes are given away so that they can be decrypted in place.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is not in this format, [`Error::Unauthentic`] for what does not verify.
    fn read(&self, bytes: Vec<u8>, expected: &Expected<'_>) -> Result<Opened, Error>;
}

/// What a verified message holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Opened {
    /// The whole token.
    Token(Box<SessionSecurityToken>),
    /// A reference: where the token lies in the cache.
    Reference(SessionTokenCacheKey),
}

/// What the reader of a message knows before it reads.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// How the message came.
    pub carrier: &'a Carrier,
    /// The scopes that are accepted, most likely first.
    pub scopes: &'a [EndpointScope],
    /// The current time, for choosing keys.
    pub now: Timestamp,
}

/// How a token travels. It is bound to the protected bytes, so a token taken from one carrier does not work in another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carrier {
    /// In the HTTP cookie of this name.
    Cookie(ArcStr),
    /// In a SOAP security header.
    SecurityHeader,
    /// As the cookie of a security context token in a SOAP security header. The text names the token around it, so that a
    /// cookie does not open in another one.
    SecurityContext(ArcStr),
    /// At rest, in a store.
    Store,
}

impl Carrier {
    /// The text that is bound to the protected bytes.
    pub fn binding(&self) -> (u8, &str) {
        match self {
            Self::Cookie(name) => (0, name),
            Self::SecurityHeader => (1, ""),
            Self::Store => (2, ""),
            Self::SecurityContext(token) => (3, token),
        }
    }
}

/// How cookie text holds the bytes of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextEncoding {
    /// Base64 with `-` and `_`, without padding (RFC 4648 §5).
    Base64Url,
    /// Base64 with `+`, `/` and padding, as the original's cookies have it.
    Base64,
}

impl TextEncoding {
    /// Writes bytes as text.
    pub fn encode(self, bytes: &[u8]) -> String {
        self.engine().encode_to_string(bytes)
    }

    /// Reads text strictly; none when it is not in this encoding.
    pub fn decode(self, text: &str) -> Option<Vec<u8>> {
        self.engine().decode_to_vec(text).ok()
    }

    fn engine(self) -> &'static base64_simd::Base64 {
        match self {
            Self::Base64Url => &base64_simd::URL_SAFE_NO_PAD,
            Self::Base64 => &base64_simd::STANDARD,
        }
    }
}
