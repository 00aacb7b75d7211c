//! The cookie handler.

use crate::cookie::framing::{Framing, MAX_PIECES, Pieces};
use crate::cookie::{CookieHandler, CookieLifetime, CookieSettings, RequestCookies, SetCookie};
use crate::{Error, SettingsError, Unreadable};
use http::HeaderValue;

/// Cuts a token into cookies named `N`, `N1`, `N2` … (SM §2.3).
///
/// | | [`native`](Self::native) | [`wif`](Self::wif) |
/// |---|---|---|
/// | encoding | base64url, no padding | standard base64 |
/// | missing or stale pieces | detected by a count and a tag | make an unreadable token |
/// | characters in a piece | at most 3800 | 2000 |
/// | pieces, all characters | at most 8, 14 KiB | at most 8, 14 KiB |
///
/// Writing expires the surplus pieces of a longer, older value in the same response; deleting expires every
/// piece the request shows.
#[derive(Debug, Clone)]
pub struct ChunkedCookieHandler {
    settings: CookieSettings,
    framing: Framing,
    chunk_size: usize,
    max_chunks: usize,
    max_bytes: usize,
}

impl ChunkedCookieHandler {
    /// The smallest allowed piece, in characters (SM-21).
    pub const MIN_CHUNK_SIZE: usize = 1000;
    /// The default piece of the WIF format, in characters.
    pub const WIF_CHUNK_SIZE: usize = 2000;
    /// The default piece of the native format, in characters: with name and attributes it stays below the
    /// 4096 bytes that browsers allow.
    pub const NATIVE_CHUNK_SIZE: usize = 3800;

    /// A handler of the native format.
    pub fn native(settings: CookieSettings) -> Self {
        Self {
            settings,
            framing: Framing::Native,
            chunk_size: Self::NATIVE_CHUNK_SIZE,
            max_chunks: 8,
            max_bytes: 14 * 1024,
        }
    }

    /// A handler that reads and writes exactly the cookies of the original's `ChunkedCookieHandler`.
    pub fn wif(settings: CookieSettings) -> Self {
        Self { framing: Framing::Wif, chunk_size: Self::WIF_CHUNK_SIZE, ..Self::native(settings) }
    }

    /// Another size of a piece, in characters of the value.
    ///
    /// # Errors
    /// [`Error::Settings`] below [`Self::MIN_CHUNK_SIZE`].
    pub fn with_chunk_size(self, chunk_size: usize) -> Result<Self, Error> {
        if chunk_size < Self::MIN_CHUNK_SIZE {
            return Err(SettingsError::ChunkSize { size: chunk_size }.into());
        }
        Ok(Self { chunk_size, ..self })
    }

    /// Other limits: the number of pieces and the characters in all of them together. Beyond them a token is
    /// refused when written ([`Error::SessionTooLarge`]); further pieces are not read.
    ///
    /// # Errors
    /// [`Error::Settings`] unless there are 1 to 16 pieces.
    pub fn with_limits(self, max_chunks: usize, max_bytes: usize) -> Result<Self, Error> {
        if !(1..=MAX_PIECES).contains(&max_chunks) {
            return Err(SettingsError::ChunkCount { count: max_chunks }.into());
        }
        Ok(Self { max_chunks, max_bytes, ..self })
    }

    /// The values of one duplicate of the cookie and its followers. A follower that was sent less often counts as
    /// often as it was sent: the last one stands in.
    fn pieces<'h>(&self, cookies: RequestCookies<'h>, duplicate: usize) -> Pieces<'h> {
        let mut pieces = [None; MAX_PIECES];
        let mut seen = [0_usize; MAX_PIECES];
        for (name, value) in cookies.iter() {
            let Some(index) = self.piece_index(name) else { continue };
            if let (Some(piece), Some(seen)) = (pieces.get_mut(index), seen.get_mut(index)) {
                if *seen <= duplicate {
                    *piece = Some(value);
                }
                *seen += 1;
            }
        }
        Pieces(pieces)
    }

    /// Which piece a cookie of this name is: `N` 0, `N1` 1, … Anything else, also `N0` and `N01`, is none.
    fn piece_index(&self, name: &[u8]) -> Option<usize> {
        match name.strip_prefix(self.settings.name().as_bytes())? {
            [] => Some(0),
            digits @ [b'1'..=b'9', ..] if digits.len() <= 3 => digits
                .iter()
                .try_fold(0, |index, digit| digit.is_ascii_digit().then(|| index * 10 + usize::from(digit - b'0'))),
            _ => None,
        }
    }

    /// The pieces in the request from number `from` on, each once; at most [`MAX_EXPIRED`].
    fn surplus(&self, cookies: RequestCookies<'_>, from: usize) -> Vec<usize> {
        let mut surplus: Vec<usize> = cookies
            .iter()
            .filter_map(|(name, _)| self.piece_index(name))
            .filter(|index| *index >= from)
            .take(MAX_EXPIRED)
            .collect();
        surplus.sort_unstable();
        surplus.dedup();
        surplus
    }

    fn expire(&self, pieces: impl IntoIterator<Item = usize>, headers: &mut Vec<HeaderValue>) -> Result<(), Error> {
        for piece in pieces {
            headers.push(SetCookie::delete(&self.settings).piece(piece).to_header_value()?);
        }
        Ok(())
    }
}

impl CookieHandler for ChunkedCookieHandler {
    fn settings(&self) -> &CookieSettings {
        &self.settings
    }

    fn read(&self, cookies: RequestCookies<'_>, duplicate: usize, token: &mut Vec<u8>) -> Result<bool, Unreadable> {
        token.clear();
        let Some(first) = cookies.values(self.settings.name()).nth(duplicate) else { return Ok(false) };
        self.framing.join(first, || self.pieces(cookies, duplicate), self.max_chunks, token)?;
        if token.is_empty() { Err(Unreadable::Empty) } else { Ok(true) }
    }

    fn write(
        &self,
        token: &[u8],
        lifetime: CookieLifetime,
        cookies: RequestCookies<'_>,
    ) -> Result<Vec<HeaderValue>, Error> {
        if token.is_empty() {
            return Err(Error::EmptyToken);
        }
        let pieces = self.framing.split(token, self.chunk_size);
        let bytes = pieces.iter().map(String::len).sum();
        if pieces.len() > self.max_chunks || bytes > self.max_bytes {
            return Err(Error::SessionTooLarge {
                chunks: pieces.len(),
                max_chunks: self.max_chunks,
                bytes,
                max_bytes: self.max_bytes,
            });
        }
        let mut headers = Vec::with_capacity(pieces.len());
        for (index, piece) in pieces.iter().enumerate() {
            headers.push(SetCookie::new(&self.settings, piece, lifetime).piece(index).to_header_value()?);
        }
        self.expire(self.surplus(cookies, pieces.len()), &mut headers)?;
        Ok(headers)
    }

    fn delete(&self, cookies: RequestCookies<'_>) -> Result<Vec<HeaderValue>, Error> {
        let mut headers = Vec::new();
        // The first follower goes even unseen: it may have been hidden from this request by its path.
        self.expire([0, 1].into_iter().chain(self.surplus(cookies, 2)), &mut headers)?;
        Ok(headers)
    }

    fn owns(&self, name: &[u8]) -> bool {
        self.piece_index(name).is_some()
    }
}

/// Bounds the headers of a response to a request that shows very many pieces.
const MAX_EXPIRED: usize = 64;
