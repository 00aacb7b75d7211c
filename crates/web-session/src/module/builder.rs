//! Putting a session module together.

use crate::cookie::{ChunkedCookieHandler, CookieHandler, CookieSettings};
use crate::log_once::LogOnce;
use crate::module::carrier::CookieCarrier;
use crate::module::verified::VerifiedTokens;
use crate::module::{SessionEvents, SessionMode, SessionModule, SessionSettings};
use crate::{Error, SettingsError};
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_session_token::{
    Carrier, Error as TokenError, ReplicatedRevocations, Revocation, RevocationList, SessionSecurityToken,
    SessionSecurityTokenHandler, SessionTokenCache,
};
use handstamp_time::{Clock, SystemClock, Timestamp};
use std::sync::Arc;

/// Builds a [`SessionModule`].
///
/// | Part | Default |
/// |---|---|
/// | [`settings`](Self::settings) | [`SessionSettings::default`] |
/// | [`cookies`](Self::cookies) | the native format under the name that the token handler's carrier gives |
/// | [`accept`](Self::accept) | none: sessions are found in the cookies that are written, and nowhere else |
/// | [`cache`](Self::cache) | none; sessions cannot be in reference mode |
/// | [`revocations`](Self::revocations) | the token handler's list, else one of the module's own, on this node only |
/// | [`events`](Self::events) | none |
/// | [`clock`](Self::clock), [`random`](Self::random) | those of the operating system |
#[must_use = "nothing is checked until `build`"]
pub struct SessionModuleBuilder {
    settings: SessionSettings,
    cookies: Option<Arc<dyn CookieHandler>>,
    tokens: SessionSecurityTokenHandler,
    accepted: Vec<(Arc<dyn CookieHandler>, SessionSecurityTokenHandler)>,
    cache: Option<Arc<dyn SessionTokenCache>>,
    replicated: Option<Arc<ReplicatedRevocations>>,
    events: Arc<dyn SessionEvents>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
}

impl SessionModuleBuilder {
    pub(super) fn new(tokens: SessionSecurityTokenHandler) -> Self {
        Self {
            settings: SessionSettings::default(),
            cookies: None,
            tokens,
            accepted: Vec::new(),
            cache: None,
            replicated: None,
            events: Arc::new(()),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }

    /// How long sessions last and where they live.
    pub fn settings(mut self, settings: SessionSettings) -> Self {
        self.settings = settings;
        self
    }

    /// How tokens travel in cookies.
    pub fn cookies(mut self, cookies: impl CookieHandler + 'static) -> Self {
        self.cookies = Some(Arc::new(cookies));
        self
    }

    /// Reads sessions from another kind of cookie, too: for a switch-over, in either direction, that signs nobody out.
    ///
    /// Such a session is validated by `tokens`, taken over under this module's settings and scope, and written in the
    /// module's own cookies; the others are deleted in the same response. It keeps its context id, so that a sign-out ends
    /// it in every format.
    pub fn accept(mut self, tokens: SessionSecurityTokenHandler, cookies: impl CookieHandler + 'static) -> Self {
        self.accepted.push((Arc::new(cookies), tokens));
        self
    }

    /// Where sessions in reference mode live.
    pub fn cache(mut self, cache: Arc<dyn SessionTokenCache>) -> Self {
        self.cache = Some(cache);
        self
    }

    /// How sign-outs of self-contained sessions reach the other nodes (SM-13). Its list must be the one that the token
    /// handler asks.
    pub fn revocations(mut self, revocations: Arc<ReplicatedRevocations>) -> Self {
        self.replicated = Some(revocations);
        self
    }

    /// The application's part in the life of its sessions.
    pub fn events(mut self, events: Arc<dyn SessionEvents>) -> Self {
        self.events = events;
        self
    }

    /// Another clock, for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness, for tests.
    pub fn random(mut self, random: Arc<dyn SecureRandom>) -> Self {
        self.random = random;
        self
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`Error::Token`] when there is no randomness; [`Error::Settings`] when sessions should be in reference mode without a
    /// cache, when a token handler binds tokens to another cookie, when it does not ask the list of revocations that sign-outs are put on, or when two kinds
    /// of cookies have one name.
    pub fn build(self) -> Result<SessionModule, Error> {
        let cookies: Arc<dyn CookieHandler> = match (self.cookies, self.tokens.carrier()) {
            (Some(cookies), _) => cookies,
            (None, Carrier::Cookie(name)) => {
                Arc::new(ChunkedCookieHandler::native(CookieSettings::builder(name.as_str()).build()?))
            }
            (None, carrier) => {
                let (cookie, carrier) = (String::new(), format!("{carrier:?}"));
                return Err(SettingsError::CarrierMismatch { cookie, carrier }.into());
            }
        };
        let written = CookieCarrier::new(cookies, self.tokens)?;
        let mut accepted: Vec<CookieCarrier> = Vec::new();
        for (cookies, tokens) in self.accepted {
            let name = cookies.settings().name();
            if std::iter::once(&written).chain(&accepted).any(|other| other.cookies.owns(name.as_bytes())) {
                return Err(SettingsError::CookieTwice { name: name.to_owned() }.into());
            }
            let same_list = match (written.tokens.revocations(), tokens.revocations()) {
                (Some(list), Some(other)) => Arc::ptr_eq(list, other),
                (list, other) => list.is_none() && other.is_none(),
            };
            if !same_list {
                return Err(SettingsError::RevocationsMismatch.into());
            }
            accepted.push(CookieCarrier::new(cookies, tokens)?);
        }
        let wants_cache = self.settings.mode == SessionMode::Reference || self.settings.overflow_to_reference;
        if wants_cache && self.cache.is_none() {
            return Err(SettingsError::NoCache.into());
        }
        let revocations = match (self.replicated, written.tokens.revocations()) {
            (Some(replicated), Some(list)) if Arc::ptr_eq(replicated.list(), list) => {
                Revocations::Replicated(replicated)
            }
            (Some(_), _) => return Err(SettingsError::RevocationsMismatch.into()),
            (None, Some(list)) => Revocations::ThisNode(list.clone()),
            (None, None) => Revocations::Own(RevocationList::new()),
        };
        Ok(SessionModule {
            verified: VerifiedTokens::new(self.settings.verified_tokens),
            settings: self.settings,
            written,
            accepted,
            cache: self.cache,
            revocations,
            events: self.events,
            clock: self.clock,
            random: self.random,
            logged: LogOnce::new(),
        })
    }
}

/// Where sign-outs are remembered (SM-13).
#[derive(Debug)]
pub(crate) enum Revocations {
    /// On this node, in a list that only the module asks.
    Own(RevocationList),
    /// On this node, in the list that the token handler asks.
    ThisNode(Arc<RevocationList>),
    /// On all nodes.
    Replicated(Arc<ReplicatedRevocations>),
}

impl Revocations {
    /// Whether a token that the token handler accepts was revoked.
    pub(crate) fn is_revoked_here(&self, token: &SessionSecurityToken) -> bool {
        match self {
            Self::Own(list) => list.is_revoked(token),
            Self::ThisNode(_) | Self::Replicated(_) => false,
        }
    }

    pub(crate) async fn revoke(&self, revocations: &[Revocation], now: Timestamp) -> Result<(), TokenError> {
        let list = match self {
            Self::Replicated(replicated) => return replicated.revoke(revocations, now).await,
            Self::Own(list) => list,
            Self::ThisNode(list) => list.as_ref(),
        };
        revocations.iter().try_for_each(|revocation| list.apply(revocation, now))
    }
}
