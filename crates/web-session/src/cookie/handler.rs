//! What every cookie handler does.

use crate::cookie::{CookieLifetime, CookieSettings, RequestCookies};
use crate::{Error, Unreadable};
use http::HeaderValue;
use std::fmt;

/// Carries the bytes of a session token in the cookies of a browser (SM §2.2).
///
/// A handler knows nothing of cryptography and nothing of what the bytes mean. It writes them so that what it
/// wrote can be read back from the cookies that the browser returns, and it leaves no stale cookie behind.
pub trait CookieHandler: fmt::Debug + Send + Sync {
    /// Name and attributes of the cookies.
    fn settings(&self) -> &CookieSettings;

    /// Replaces the content of `token` by the bytes in the request's cookies. `false` when there are none.
    ///
    /// A browser may send several cookies of the same name, of different paths or domains. `duplicate` counts
    /// them from 0, the first sent; callers that cannot read the token go on to the next, at most up to
    /// [`MAX_DUPLICATES`]. `false` also means that there is no such duplicate.
    ///
    /// # Errors
    /// [`Unreadable`] when there are cookies but no bytes to be had from them.
    fn read(&self, cookies: RequestCookies<'_>, duplicate: usize, token: &mut Vec<u8>) -> Result<bool, Unreadable>;

    /// The `Set-Cookie` values that store `token` and expire what `cookies` shows of a longer, older value (SM-18).
    ///
    /// # Errors
    /// [`Error::SessionTooLarge`] when the token does not fit (SM-22); a value is never cut off.
    /// [`Error::EmptyToken`] when there is nothing to write.
    fn write(
        &self,
        token: &[u8],
        lifetime: CookieLifetime,
        cookies: RequestCookies<'_>,
    ) -> Result<Vec<HeaderValue>, Error>;

    /// The `Set-Cookie` values that delete everything this handler may have written (SM-11).
    ///
    /// # Errors
    /// [`Error::CookieValue`] when settings of a foreign handler make no header.
    fn delete(&self, cookies: RequestCookies<'_>) -> Result<Vec<HeaderValue>, Error>;

    /// Whether the cookie exists. A later piece alone is no session (SM-17).
    fn contains(&self, cookies: RequestCookies<'_>) -> bool {
        cookies.first(self.settings().name()).is_some()
    }

    /// Whether this cookie is one of the handler's, so that a proxy does not forward it.
    fn owns(&self, name: &[u8]) -> bool {
        name == self.settings().name().as_bytes()
    }
}

/// How many cookies of one name are tried before the session counts as unreadable.
pub const MAX_DUPLICATES: usize = 3;
