//! One `Set-Cookie` header.

use crate::Error;
use crate::cookie::{CookieSettings, SameSite};
use handstamp_time::Timestamp;
use http::HeaderValue;
use std::fmt;
use std::time::Duration;

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CookieLifetime {
    /// Until the browser closes: neither `Expires` nor `Max-Age` is written (SM-20).
    BrowserSession,
    /// Until an instant, for which `Expires` and `Max-Age` are written: browsers with a wrong clock obey the latter.
    Persistent {
        /// The current time, from which `Max-Age` counts.
        now: Timestamp,
        /// When the browser drops the cookie.
        expires: Timestamp,
    },
    /// The browser drops the cookie at once. Name, path and domain must be those with which it was set.
    Deleted,
}

/// One `Set-Cookie` header with the attributes of a [`CookieSettings`].
///
/// ```
/// use handstamp_web_session::cookie::{CookieLifetime, CookieSettings, SetCookie};
///
/// let settings = CookieSettings::builder("__Host-state").build()?;
/// let cookie = SetCookie::new(&settings, "42", CookieLifetime::BrowserSession);
/// assert_eq!(cookie.to_string(), "__Host-state=42; Path=/; Secure; HttpOnly; SameSite=Lax");
/// # Ok::<(), handstamp_web_session::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct SetCookie<'a> {
    settings: &'a CookieSettings,
    piece: usize,
    value: &'a str,
    lifetime: CookieLifetime,
}

impl<'a> SetCookie<'a> {
    /// A cookie with the name and attributes of `settings`. Deletion ignores `value`.
    pub fn new(settings: &'a CookieSettings, value: &'a str, lifetime: CookieLifetime) -> Self {
        Self { settings, piece: 0, value, lifetime }
    }

    /// The header that deletes the cookie of `settings`.
    pub fn delete(settings: &'a CookieSettings) -> Self {
        Self::new(settings, "", CookieLifetime::Deleted)
    }

    /// The same cookie under the name of piece `piece`: `N`, `N1`, `N2` … (SM-16).
    pub(crate) fn piece(self, piece: usize) -> Self {
        Self { piece, ..self }
    }

    /// The value of the header, marked as sensitive.
    ///
    /// # Errors
    /// [`Error::CookieValue`] when the value holds a character that RFC 6265 §4.1.1 does not allow in one.
    pub fn to_header_value(self) -> Result<HeaderValue, Error> {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
        if !self.value.bytes().all(allowed) {
            return Err(Error::CookieValue { name: self.settings.name().to_owned() });
        }
        let mut header = HeaderValue::try_from(self.to_string())
            .map_err(|_| Error::CookieValue { name: self.settings.name().to_owned() })?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Display for SetCookie<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.settings.name())?;
        if self.piece > 0 {
            write!(f, "{}", self.piece)?;
        }
        match self.lifetime {
            CookieLifetime::BrowserSession => write!(f, "={}", self.value)?,
            CookieLifetime::Persistent { now, expires } => {
                // An expiry in the past would delete the cookie that is being set.
                let max_age = expires.saturating_duration_since(now).max(Duration::from_secs(1)).as_secs();
                write!(f, "={}; Expires={}; Max-Age={max_age}", self.value, expires.http_date())?;
            }
            CookieLifetime::Deleted => write!(f, "=; Expires={}; Max-Age=0", Timestamp::UNIX_EPOCH.http_date())?,
        }
        write!(f, "; Path={}", self.settings.path())?;
        if let Some(domain) = self.settings.domain() {
            write!(f, "; Domain={domain}")?;
        }
        if self.settings.secure() {
            f.write_str("; Secure")?;
        }
        if self.settings.http_only() {
            f.write_str("; HttpOnly")?;
        }
        match self.settings.same_site() {
            SameSite::Strict => f.write_str("; SameSite=Strict")?,
            SameSite::Lax => f.write_str("; SameSite=Lax")?,
            SameSite::None => f.write_str("; SameSite=None")?,
            SameSite::Unspecified => {}
        }
        if self.settings.partitioned() { f.write_str("; Partitioned") } else { Ok(()) }
    }
}

impl fmt::Debug for SetCookie<'_> {
    /// Without the value: a session cookie is a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetCookie")
            .field("name", &self.settings.name())
            .field("piece", &self.piece)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn sm_20_only_a_persistent_cookie_has_an_expiry() {
        let settings = CookieSettings::wif();
        let expires = NOW.saturating_add(Duration::from_secs(90));
        let persistent = SetCookie::new(&settings, "v", CookieLifetime::Persistent { now: NOW, expires });
        assert_eq!(
            persistent.to_string(),
            "FedAuth=v; Expires=Thu, 01 Jan 1970 00:01:30 GMT; Max-Age=90; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
        let session = SetCookie::new(&settings, "v", CookieLifetime::BrowserSession);
        assert_eq!(session.to_string(), "FedAuth=v; Path=/; Secure; HttpOnly; SameSite=Lax");
    }

    #[test]
    fn every_attribute_is_written() {
        let settings = CookieSettings::builder("n")
            .path("/app")
            .domain("Example.com")
            .http_only(false)
            .same_site(SameSite::None)
            .partitioned(true)
            .build()
            .unwrap();
        let cookie = SetCookie::new(&settings, "v", CookieLifetime::BrowserSession).piece(2);
        assert_eq!(cookie.to_string(), "n2=v; Path=/app; Domain=example.com; Secure; SameSite=None; Partitioned");
    }

    #[test]
    fn sm_19_deletion_repeats_path_and_domain() {
        let settings = CookieSettings::builder("n").path("/app").domain("example.com").build().unwrap();
        assert_eq!(
            SetCookie::delete(&settings).to_string(),
            "n=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/app; Domain=example.com; Secure; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn values_cannot_smuggle_attributes_or_headers() {
        let settings = CookieSettings::wif();
        for value in ["a; Domain=evil", "a\r\nSet-Cookie: b", "a b", "a,b", "\"a\"", "ä", "\\", "\u{7f}"] {
            let error = SetCookie::new(&settings, value, CookieLifetime::BrowserSession).to_header_value().unwrap_err();
            assert_eq!(error.code(), "HST-COOKIE-VALUE", "{value:?}");
        }
    }

    #[test]
    fn the_header_is_sensitive_and_debug_shows_no_value() {
        let settings = CookieSettings::wif();
        let cookie = SetCookie::new(&settings, "secret", CookieLifetime::BrowserSession);
        assert!(cookie.to_header_value().unwrap().is_sensitive());
        assert!(!format!("{cookie:?}").contains("secret"));
    }
}
