//! A session that a request has.

use crate::SessionMode;
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use http::Extensions;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A verified, valid session, as of the request that it came with. Cloning copies a pointer.
///
/// Times are those of the token; [`age`](Self::age) and [`remaining`](Self::remaining) are relative to the request.
#[derive(Debug, Clone)]
pub struct ActiveSession {
    known: Arc<Known>,
    size: usize,
    as_of: Timestamp,
}

/// A token, and what a server keeps beside it.
pub(crate) struct Known {
    token: Arc<SessionSecurityToken>,
    memos: Mutex<Extensions>,
}

impl Known {
    pub(super) fn token(&self) -> &Arc<SessionSecurityToken> {
        &self.token
    }
}

impl From<Arc<SessionSecurityToken>> for Known {
    fn from(token: Arc<SessionSecurityToken>) -> Self {
        Self { token, memos: Mutex::default() }
    }
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.token.fmt(f)
    }
}

impl ActiveSession {
    pub(crate) fn new(token: Arc<SessionSecurityToken>, size: usize, as_of: Timestamp) -> Self {
        Self::of_known(Arc::new(token.into()), size, as_of)
    }

    pub(super) fn of_known(known: Arc<Known>, size: usize, as_of: Timestamp) -> Self {
        Self { known, size, as_of }
    }

    /// What a server makes of the session time and again, and would rather make once. There is one value of each type `T`, empty
    /// at first; it comes back with the next request that has exactly the same `Cookie` headers, as long as the session is
    /// [remembered](crate::module::SessionSettingsBuilder::verified_tokens). Others of these requests wait while `look` runs.
    ///
    /// ```
    /// # use handstamp_web_session::ActiveSession;
    /// #[derive(Clone, Default)]
    /// struct Greeting(Option<String>);
    ///
    /// fn greet(session: &ActiveSession) -> String {
    ///     let greet = || format!("Hello {}", session.principal().name().unwrap_or("stranger"));
    ///     session.memo(|greeting: &mut Greeting| greeting.0.get_or_insert_with(greet).clone())
    /// }
    /// ```
    pub fn memo<T, R>(&self, look: impl FnOnce(&mut T) -> R) -> R
    where
        T: Default + Clone + Send + Sync + 'static,
    {
        look(self.known.memos.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
    }

    /// Who the user is.
    pub fn principal(&self) -> &ClaimsPrincipal {
        self.known.token.principal()
    }

    /// The token: context id, scope, persistence and all the rest.
    pub fn token(&self) -> &Arc<SessionSecurityToken> {
        &self.known.token
    }

    /// The text that the application attached at sign-in.
    pub fn context(&self) -> Option<&ArcStr> {
        self.known.token.context()
    }

    /// Where the session lives.
    pub fn mode(&self) -> SessionMode {
        if self.known.token.is_reference_mode() { SessionMode::Reference } else { SessionMode::SelfContained }
    }

    /// How many bytes travel between browser and server: the sealed token, or the sealed handle in reference mode.
    /// Their text in cookies is a third larger. Zero for a session without a cookie.
    pub fn size(&self) -> usize {
        self.size
    }

    /// When the user signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.known.token.signed_in_at()
    }

    /// When the session ends unless it is renewed before.
    pub fn expires_at(&self) -> Timestamp {
        self.known.token.valid_to()
    }

    /// How long ago the user signed in.
    pub fn age(&self) -> Duration {
        self.as_of.saturating_duration_since(self.known.token.signed_in_at())
    }

    /// How long the session lasts unless it is renewed.
    pub fn remaining(&self) -> Duration {
        self.known.token.valid_to().saturating_duration_since(self.as_of)
    }
}
