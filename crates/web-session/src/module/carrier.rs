//! The kinds of cookies that sessions travel in: one that is written, and others that are read besides.

use crate::cookie::{CookieHandler, RequestCookies};
use crate::{Error, SettingsError};
use handstamp_session_token::{Carrier, SessionSecurityTokenHandler};
use http::HeaderValue;
use std::sync::Arc;

/// A kind of session cookie, and how the tokens in it are read and written.
#[derive(Debug, Clone)]
pub(crate) struct CookieCarrier {
    pub(crate) cookies: Arc<dyn CookieHandler>,
    pub(crate) tokens: SessionSecurityTokenHandler,
}

impl CookieCarrier {
    /// Checks that the tokens are bound to the cookie they travel in.
    pub(super) fn new(
        cookies: Arc<dyn CookieHandler>,
        tokens: SessionSecurityTokenHandler,
    ) -> Result<Self, SettingsError> {
        let cookie = cookies.settings().name();
        match tokens.carrier() {
            Carrier::Cookie(name) if name.as_str() == cookie => Ok(Self { cookies, tokens }),
            other => Err(SettingsError::CarrierMismatch { cookie: cookie.to_owned(), carrier: format!("{other:?}") }),
        }
    }

    /// Whether a request shows any of these cookies, be it a later piece alone.
    pub(super) fn is_in(&self, cookies: RequestCookies<'_>) -> bool {
        cookies.iter().any(|(name, _)| self.cookies.owns(name))
    }

    /// The `Set-Cookie` values that delete these cookies, if the request shows any.
    pub(super) fn delete_seen(&self, cookies: RequestCookies<'_>) -> Result<Vec<HeaderValue>, Error> {
        if self.is_in(cookies) { self.cookies.delete(cookies) } else { Ok(Vec::new()) }
    }
}

/// Where in a request a session was found: in which kind of cookie, and which of several of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Counted from the kind that is written.
    pub(super) carrier: usize,
    pub(super) duplicate: usize,
}

impl Place {
    /// Where to look next.
    pub(super) fn next(self) -> Self {
        Self { duplicate: self.duplicate + 1, ..self }
    }

    /// Whether the session arrived in another kind of cookie than it is written in.
    pub(super) fn is_foreign(self) -> bool {
        self.carrier > 0
    }
}
