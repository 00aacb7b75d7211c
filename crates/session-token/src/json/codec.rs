//! Any session token to JSON and back, for the command line.

use super::{SctStateDescription, TokenDescription};
use crate::format::{Carrier, Expected, Opened, TokenFormat};
use crate::sct_state::SctState;
use crate::wif::transforms::{CookieTransforms, Deflate};
use crate::wif::{BYTE_ORDER_MARK, Error, OuterXml, Payload, PayloadPolicy, nrbf, read_cookie, write_xml};
use crate::{EndpointScope, SessionSecurityTokenHandler};
use handstamp_keys::SecureRandom;
use handstamp_time::Timestamp;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// A format of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// WIF: transforms, object envelope, payload.
    Wif,
    /// The payload of WIF alone.
    WifPayload,
    /// The native format.
    Native,
    /// The state of WCF's security context token.
    SctState,
}

/// How the bytes of a token are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// The bytes themselves: of WIF, what the last transform gave.
    Raw,
    /// The same in base64.
    Base64,
    /// The value of an HTTP cookie, or a whole `Cookie` header with its pieces: of WIF, base64 of the XML.
    Cookie,
    /// The XML of a `<SecurityContextToken>`.
    Xml,
}

/// What decoding and encoding need to know. The default knows nothing and finds out what can be found out.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Codec {
    /// The format; none to detect it.
    pub format: Option<Format>,
    /// The transforms of WIF cookies; none to try no transform and Deflate. Also protects the state of WCF's token, when
    /// given.
    pub transforms: Option<CookieTransforms>,
    /// The native format with its keys, what carries its tokens, and the scopes that are accepted.
    pub native: Option<NativeCodec>,
    /// What payloads may hold.
    pub policy: PayloadPolicy,
}

/// What the native format needs.
#[derive(Debug, Clone)]
pub struct NativeCodec {
    /// The format with its keys.
    pub format: Arc<dyn TokenFormat>,
    /// What carries the token.
    pub carrier: Carrier,
    /// The scopes that are accepted.
    pub scopes: Vec<EndpointScope>,
}

/// A decoded token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Description {
    /// A session token.
    Token(Box<TokenDescription>),
    /// The state of WCF's security context token.
    SctState(Box<SctStateDescription>),
}

/// Why a token could not be decoded or encoded.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes look like no token.
    #[error("this looks like no session token; say --format and --input if it is one")]
    Unrecognized,
    /// A format of the original, in detail.
    #[error(transparent)]
    Wif(#[from] Error),
    /// The native format, or the validation of any.
    #[error(transparent)]
    Token(#[from] crate::Error),
    /// The JSON is not the description of a token.
    #[error("the JSON is not the description of a token: {0}")]
    Json(#[from] serde_json::Error),
    /// The native format was asked for without its keys.
    #[error("the native format needs the key ring that seals its tokens")]
    NativeKeysMissing,
    /// An output that the format does not have.
    #[error("{0}")]
    NoSuchForm(&'static str),
}

impl Codec {
    /// What a WIF reader tolerates on both ends of a session's validity, as the original: 5 minutes.
    pub const CLOCK_SKEW: Duration = Duration::from_secs(300);

    /// Decodes a token in whatever form it is given, or in `encoding`. With `valid_at` the token must be valid then, give
    /// or take [`CLOCK_SKEW`](Self::CLOCK_SKEW); `now` chooses among keys.
    ///
    /// # Errors
    /// [`CodecError`], in the detail that the owner of the keys may see.
    pub fn decode(
        &self,
        input: &[u8],
        encoding: Option<Encoding>,
        now: Timestamp,
        valid_at: Option<Timestamp>,
    ) -> Result<Description, CodecError> {
        let bytes = unwrap_text(input, encoding)?;
        let format = match self.format {
            Some(format) => format,
            // What protected bytes start with is chance.
            None if self.transforms.is_some() && self.read_wif(&bytes).is_ok() => Format::Wif,
            None => self.detect(&bytes).ok_or(CodecError::Unrecognized)?,
        };
        if format == Format::SctState {
            let state = self.read_state(&bytes)?;
            check_validity(state.effective_time, state.expiry_time, valid_at)?;
            return Ok(Description::SctState(Box::new(SctStateDescription::from(&state))));
        }
        let payload = match format {
            Format::Native => self.read_native(bytes.into_owned(), now)?,
            Format::WifPayload => Payload::read(&bytes, &self.policy)?,
            _ => self.read_wif(&bytes)?,
        };
        check_validity(payload.valid_from, payload.valid_to, valid_at)?;
        Ok(Description::Token(Box::new(TokenDescription::from(&payload))))
    }

    /// Encodes a token from its JSON description.
    ///
    /// # Errors
    /// [`CodecError::Json`] naming line and column; what the format cannot write; [`CodecError::NoSuchForm`].
    pub fn encode(
        &self,
        json: &[u8],
        encoding: Encoding,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, CodecError> {
        let format = self.format.ok_or(CodecError::NoSuchForm("say the format to encode to"))?;
        let none = CookieTransforms::default();
        let bytes = match format {
            Format::SctState => {
                let state = serde_json::from_slice::<SctStateDescription>(json)?.to_state()?;
                let bytes = self.transforms.as_ref().unwrap_or(&none).encode(state.write()?, random);
                bytes.map_err(Error::from)?
            }
            Format::WifPayload => token(json)?.write()?,
            Format::Native => {
                let native = self.native.as_ref().ok_or(CodecError::NativeKeysMissing)?;
                let bytes = native.format.write(&token(json)?.into_token()?, &native.carrier, now, random)?;
                if encoding == Encoding::Cookie {
                    return Ok(native.format.text_encoding().encode(&bytes).into_bytes());
                }
                bytes
            }
            Format::Wif => {
                let xml = write_xml(&token(json)?, self.transforms.as_ref().unwrap_or(&none), random)?;
                match encoding {
                    Encoding::Xml => return Ok(xml.to_text().into_bytes()),
                    Encoding::Cookie => {
                        return Ok(base64_simd::STANDARD.encode_to_string(xml.to_bytes()).into_bytes());
                    }
                    Encoding::Raw | Encoding::Base64 => xml.cookie.ok_or(CodecError::NoSuchForm(
                        "a token in reference mode has no bytes of its own; write it as cookie or xml",
                    ))?,
                }
            }
        };
        match encoding {
            Encoding::Raw => Ok(bytes),
            Encoding::Base64 => Ok(base64_simd::STANDARD.encode_to_string(bytes).into_bytes()),
            Encoding::Cookie | Encoding::Xml => {
                Err(CodecError::NoSuchForm("this format has no XML of its own; write it as raw or base64"))
            }
        }
    }

    fn detect(&self, bytes: &[u8]) -> Option<Format> {
        if let Some(native) = &self.native
            && native.format.recognizes(bytes)
        {
            return Some(Format::Native);
        }
        match bytes {
            // The root element by its number in the dictionary.
            [0x42, 0x44 | 0x02, ..] => Some(Format::WifPayload),
            [0x42, 0x00, ..] => Some(Format::SctState),
            [] => None,
            _ => Some(Format::Wif),
        }
    }

    fn read_wif(&self, bytes: &[u8]) -> Result<Payload, CodecError> {
        if is_xml(bytes) {
            let xml = OuterXml::read(bytes)?;
            let cookie = xml.cookie.clone().ok_or(Error::Reference)?;
            return self
                .with_transforms(&cookie, |transforms| read_cookie(&xml, cookie.clone(), transforms, &self.policy));
        }
        self.with_transforms(bytes, |transforms| {
            let envelope = transforms.decode(bytes.to_vec())?;
            Payload::read(nrbf::read_envelope(&envelope)?, &self.policy)
        })
    }

    fn read_state(&self, bytes: &[u8]) -> Result<SctState, CodecError> {
        let none = CookieTransforms::default();
        let transforms = self.transforms.as_ref().unwrap_or(&none);
        if is_xml(bytes) {
            return Ok(SctState::open(&OuterXml::read(bytes)?, transforms)?);
        }
        Ok(SctState::read(&transforms.decode(bytes.to_vec()).map_err(Error::from)?)?)
    }

    /// Reads with the configured transforms, or with none, or with Deflate alone: those two need no keys.
    fn with_transforms(
        &self,
        cookie: &[u8],
        read: impl Fn(&CookieTransforms) -> Result<Payload, Error>,
    ) -> Result<Payload, CodecError> {
        if let Some(transforms) = &self.transforms {
            return Ok(read(transforms)?);
        }
        let none = CookieTransforms::default();
        if cookie.is_empty() || nrbf::read_envelope(cookie).is_ok() || cookie.starts_with(&nrbf::HEADER) {
            return Ok(read(&none)?);
        }
        let deflate = CookieTransforms::unprotected(vec![Arc::new(Deflate::default())]);
        Ok(read(&deflate.unwrap_or(none))?)
    }

    fn read_native(&self, bytes: Vec<u8>, now: Timestamp) -> Result<Payload, CodecError> {
        let native = self.native.as_ref().ok_or(CodecError::NativeKeysMissing)?;
        let expected = Expected { carrier: &native.carrier, scopes: &native.scopes, now };
        match native.format.read(bytes, &expected)? {
            Opened::Token(token) => Ok(Payload::from(&*token)),
            Opened::Reference(_) => Err(Error::Reference.into()),
        }
    }
}

impl CodecError {
    /// A stable code for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unrecognized => "HST-TOKEN-FORMAT",
            Self::Wif(error) => error.code(),
            Self::Token(error) => error.code(),
            Self::Json(_) => "HST-TOKEN-DESCRIPTION",
            Self::NativeKeysMissing => "HST-TOKEN-KEYS",
            Self::NoSuchForm(_) => "HST-TOKEN-OUTPUT",
        }
    }
}

fn token(json: &[u8]) -> Result<Payload, CodecError> {
    Ok(serde_json::from_slice::<TokenDescription>(json)?.to_payload()?)
}

fn check_validity(from: Timestamp, to: Timestamp, at: Option<Timestamp>) -> Result<(), CodecError> {
    let Some(now) = at else { return Ok(()) };
    if from > now.saturating_add(Codec::CLOCK_SKEW) {
        return Err(crate::Error::NotYetValid { valid_from: from, now }.into());
    }
    if to < now.saturating_sub(Codec::CLOCK_SKEW) {
        return Err(crate::Error::Expired { valid_to: to, now }.into());
    }
    Ok(())
}

/// Takes base64 off, once or, for the base64 of XML, as it comes. What is not text stays as it is.
fn unwrap_text(input: &[u8], encoding: Option<Encoding>) -> Result<Cow<'_, [u8]>, CodecError> {
    if input.len() > 2 * SessionSecurityTokenHandler::DEFAULT_MAX_BYTES {
        let limit = 2 * SessionSecurityTokenHandler::DEFAULT_MAX_BYTES;
        return Err(Error::Limit { what: "bytes of input", limit }.into());
    }
    match encoding {
        Some(Encoding::Raw | Encoding::Xml) => Ok(Cow::Borrowed(input)),
        Some(Encoding::Base64) => base64(input).map(Cow::Owned).ok_or_else(|| Error::NotBase64.into()),
        Some(Encoding::Cookie) => {
            base64(input).or_else(|| cookie_pieces(input)).map(Cow::Owned).ok_or_else(|| Error::NotBase64.into())
        }
        None if is_xml(input) => Ok(Cow::Borrowed(input)),
        None => Ok(base64(input).or_else(|| cookie_pieces(input)).map_or(Cow::Borrowed(input), Cow::Owned)),
    }
}

/// Whether this is text that starts as XML does. Protected bytes may start with any byte, but are hardly ever text.
fn is_xml(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes).trim_ascii_start();
    text.first() == Some(&b'<') && std::str::from_utf8(text).is_ok()
}

/// The value of a cookie in pieces, from a `Cookie` header as a browser shows it: `FedAuth=…; FedAuth1=…`. The cookie is the
/// one that has pieces, or else the longest that is base64.
fn cookie_pieces(header: &[u8]) -> Option<Vec<u8>> {
    let header = std::str::from_utf8(header).ok()?.trim();
    let header = header.strip_prefix("Cookie:").unwrap_or(header);
    let pairs: Vec<(&str, &str)> = header.split(';').filter_map(|pair| pair.trim().split_once('=')).collect();
    let value = |name: &str| pairs.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
    let in_pieces = pairs.iter().find(|(name, _)| value(&format!("{name}1")).is_some());
    let Some((name, first)) = in_pieces else {
        let values = pairs.iter().filter_map(|(_, value)| base64(value.as_bytes()));
        return values.max_by_key(Vec::len);
    };
    let mut text = (*first).to_owned();
    for piece in (1..).map_while(|number| value(&format!("{name}{number}"))) {
        text.push_str(piece);
    }
    base64(text.as_bytes())
}

/// Base64 of either alphabet, with or without padding and white space.
fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    while text.last() == Some(&b'=') {
        text.pop();
    }
    let engine = if text.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        base64_simd::URL_SAFE_NO_PAD
    } else {
        base64_simd::STANDARD_NO_PAD
    };
    if text.is_empty() { None } else { engine.decode_to_vec(&text).ok() }
}
