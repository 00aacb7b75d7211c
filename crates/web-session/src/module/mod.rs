//! The session module: WIF's `SessionAuthenticationModule` (SM §1).
//!
//! [`SessionModule::decide`] turns a request's cookies and the time into a [`Decision`], without I/O. The other half
//! carries decisions out: it talks to the cache and makes `Set-Cookie` headers. [`SessionLayer`](crate::SessionLayer)
//! drives both for a tower service.

mod active;
mod builder;
mod carrier;
mod carry_out;
mod decision;
mod events;
mod renewal;
mod settings;
mod sign_in;
mod verified;

pub use active::ActiveSession;
pub use builder::SessionModuleBuilder;
pub(crate) use carry_out::Settled;
pub use carry_out::{Admission, Browser};
pub use decision::{Decision, Fetch};
pub use events::{Created, Occasion, Received, SessionEvents, SignOutCause, SignOutEvent, SignOutFailure};
pub use renewal::Renewal;
pub use settings::{OnUnreadable, SessionMode, SessionSettings, SessionSettingsBuilder};
pub use sign_in::SignIn;

use crate::Error;
use crate::cookie::{CookieHandler, MAX_DUPLICATES, RequestCookies};
use crate::log_once::LogOnce;
use handstamp_keys::SecureRandom;
use handstamp_session_token::{SessionSecurityTokenHandler, SessionTokenCache};
use handstamp_time::{Clock, Timestamp};
use std::fmt;
use std::sync::Arc;

/// Gives requests their sessions: reads, renews, writes and deletes session cookies.
///
/// One module serves a whole application; it is cheap to share behind an [`Arc`], and holds no lock while it works. Build it with
/// [`SessionModule::builder`].
pub struct SessionModule {
    pub(crate) settings: SessionSettings,
    pub(crate) written: carrier::CookieCarrier,
    pub(crate) accepted: Vec<carrier::CookieCarrier>,
    pub(crate) cache: Option<Arc<dyn SessionTokenCache>>,
    pub(crate) revocations: builder::Revocations,
    pub(crate) events: Arc<dyn SessionEvents>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn SecureRandom>,
    verified: Option<verified::VerifiedTokens>,
    logged: LogOnce,
}

impl SessionModule {
    /// Starts a module that reads and writes tokens with `tokens`.
    pub fn builder(tokens: SessionSecurityTokenHandler) -> SessionModuleBuilder {
        SessionModuleBuilder::new(tokens)
    }

    /// How long sessions last and where they live.
    pub fn settings(&self) -> &SessionSettings {
        &self.settings
    }

    /// How tokens travel in the cookies that are written.
    pub fn cookies(&self) -> &dyn CookieHandler {
        self.written.cookies.as_ref()
    }

    /// How tokens are written, and read from the cookies that are written.
    pub fn tokens(&self) -> &SessionSecurityTokenHandler {
        &self.written.tokens
    }

    /// Whether a cookie is one of the module's, written or only read, so that a proxy does not forward it.
    pub fn owns_cookie(&self, name: &[u8]) -> bool {
        self.carriers().any(|carrier| carrier.cookies.owns(name))
    }

    /// The bytes of every cookie of the module in a request, joined of its pieces and not yet opened: for tools that explain
    /// a failing cookie. The name stands beside them, or why the pieces do not join.
    pub fn sealed_tokens<'m>(
        &'m self,
        cookies: RequestCookies<'m>,
    ) -> impl Iterator<Item = (&'m str, Result<Vec<u8>, Error>)> {
        let in_each = move |carrier: &'m carrier::CookieCarrier| {
            (0..MAX_DUPLICATES).map_while(move |duplicate| {
                let mut text = Vec::new();
                let name = carrier.cookies.settings().name();
                match carrier.cookies.read(cookies, duplicate, &mut text) {
                    Ok(false) => None,
                    Ok(true) => Some((name, Ok(text))),
                    Err(unreadable) => Some((name, Err(unreadable.into()))),
                }
            })
        };
        self.carriers().flat_map(in_each)
    }

    /// Where sessions in reference mode live.
    pub fn cache(&self) -> Option<&Arc<dyn SessionTokenCache>> {
        self.cache.as_ref()
    }

    /// The current time by the module's clock.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The kinds of cookies that are looked at, the one that is written first.
    pub(crate) fn carriers(&self) -> impl Iterator<Item = &carrier::CookieCarrier> {
        std::iter::once(&self.written).chain(&self.accepted)
    }
}

impl fmt::Debug for SessionModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionModule")
            .field("settings", &self.settings)
            .field("written", &self.written)
            .field("accepted", &self.accepted)
            .field("cache", &self.cache.is_some())
            .finish_non_exhaustive()
    }
}
