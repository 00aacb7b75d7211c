//! Contexts that are cookies: a cache that may forget everything at any time (SC 10.4).

use crate::contexts::SessionInfo;
use crate::cookie::{ContextCookies, version};
use crate::error::Error;
use handstamp_keys::{SecureRandom, SymmetricKey};
use handstamp_session_token::{EndpointScope, RevocationList, SessionSecurityToken};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{SessionKeyError, SessionKeys};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The sessions of a stateful service, as far as it has seen them lately.
#[derive(Debug)]
pub(crate) struct StatefulContexts {
    /// None when a token is all that its holder has, and the cache is the only copy.
    cookies: Option<Arc<dyn ContextCookies>>,
    revocations: Option<Arc<RevocationList>>,
    capacity: usize,
    skew: Duration,
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    sessions: HashMap<Arc<str>, Arc<SessionSecurityToken>>,
    purged: Option<Timestamp>,
}

/// How often what has ended is thrown out: WCF's timer.
const PURGE_INTERVAL: Duration = Duration::from_secs(600);

/// The keys for one message, and which session they turned out to be of.
pub(crate) struct CookieKeys<'c> {
    contexts: &'c StatefulContexts,
    found: Mutex<Option<Found>>,
}

#[derive(Clone)]
struct Found {
    session: Arc<SessionSecurityToken>,
    is_cached: bool,
}

impl StatefulContexts {
    pub(crate) fn new(
        cookies: Option<Arc<dyn ContextCookies>>,
        revocations: Option<Arc<RevocationList>>,
        capacity: usize,
        skew: Duration,
    ) -> Self {
        Self { cookies, revocations, capacity, skew, cache: Mutex::default() }
    }

    /// The service that contexts are for.
    pub(crate) fn scope(&self) -> EndpointScope {
        self.cookies.as_ref().map_or(EndpointScope::Unscoped, |cookies| cookies.scope().clone())
    }

    /// The cookie of a context, when it has one.
    pub(crate) fn seal(
        &self,
        session: &SessionSecurityToken,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.cookies.as_ref().map(|cookies| cookies.seal(session, now, random)).transpose()
    }

    /// The keys for a message.
    pub(crate) fn keys(&self) -> CookieKeys<'_> {
        CookieKeys { contexts: self, found: Mutex::default() }
    }

    pub(crate) fn list(&self) -> Vec<SessionInfo> {
        let cache = self.cache();
        let sessions = cache.sessions.iter();
        sessions
            .filter(|(_, session)| !self.is_revoked(session))
            .map(|(context_id, session)| SessionInfo {
                context_id: Arc::clone(context_id),
                caller: session.principal().name().map(str::to_owned),
                issued: session.valid_from(),
                expires: session.valid_to(),
                last_message: None,
                renewals: 0,
                pending_keys: 0,
                is_cookie: self.has_cookies(),
            })
            .collect()
    }

    /// Whether sessions survive the cache.
    pub(crate) fn has_cookies(&self) -> bool {
        self.cookies.is_some()
    }

    /// Forgets a session. One that is a cookie comes back with it. False when it is not here.
    pub(crate) fn forget(&self, identifier: &str) -> bool {
        self.cache().sessions.remove(identifier).is_some()
    }

    /// The session of a token: the cached one, or the one in the cookie. A cached one that has ended counts as absent.
    fn find(&self, token: &SecurityContextToken, now: Timestamp) -> Result<Found, SessionKeyError> {
        let cached = self.cached(&token.context).filter(|session| {
            session.valid_to() >= now && (self.cookies.is_none() || token.id.as_deref() == Some(session.id().as_str()))
        });
        let found = match (cached, &self.cookies) {
            // WCF does not read the cookie then, and neither do we.
            (Some(session), _) => Found { session, is_cached: true },
            (None, None) => return Err(SessionKeyError::Unknown),
            (None, Some(_)) if token.cookie.is_none() => return Err(SessionKeyError::Unknown),
            (None, Some(cookies)) => {
                let session = cookies.open(token, now);
                let session = session.map_err(|error| SessionKeyError::Refused(error.to_string()))?;
                Found { session: Arc::new(session), is_cached: false }
            }
        };
        self.check(&found.session, now)?;
        Ok(found)
    }

    /// Whether a session is good now. An authentic session that has ended or was revoked is no secret: the client is told to
    /// establish a new one.
    fn check(&self, session: &SessionSecurityToken, now: Timestamp) -> Result<(), SessionKeyError> {
        let starts = session.valid_from().max(session.key_effective_time());
        let ends = session.valid_to().min(session.key_expiration_time());
        if starts > now.saturating_add(self.skew) {
            return Err(SessionKeyError::Refused(format!("the session starts at {starts}: compare the clocks")));
        }
        if ends < now.saturating_sub(self.skew) {
            return Err(SessionKeyError::Unknown);
        }
        if self.is_revoked(session) {
            return Err(SessionKeyError::Unknown);
        }
        Ok(())
    }

    fn is_revoked(&self, session: &SessionSecurityToken) -> bool {
        self.revocations.as_ref().is_some_and(|revocations| revocations.is_revoked(session))
    }

    fn cached(&self, context: &ContextReference) -> Option<Arc<SessionSecurityToken>> {
        let session = self.cache().sessions.get(context.identifier.as_str()).cloned()?;
        let same = context.instance.is_none() && session.secure_conversation_version() == version(context.generation);
        same.then_some(session)
    }

    /// Remembers a session that a verified message brought along, or that was made just now.
    pub(crate) fn remember(&self, session: &Arc<SessionSecurityToken>, now: Timestamp) {
        let context_id: Arc<str> = session.context_id().as_unique_id().with_text(|text| Arc::from(text));
        let mut cache = self.cache();
        let due = cache.purged.is_none_or(|purged| purged.saturating_add(PURGE_INTERVAL) <= now);
        if due {
            cache.sessions.retain(|_, session| session.valid_to() >= now);
            cache.purged = Some(now);
        }
        if cache.sessions.len() >= self.capacity {
            cache.evict();
        }
        cache.sessions.insert(context_id, Arc::clone(session));
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// Throws out the fifth that was issued first, as WCF does.
    fn evict(&mut self) {
        let mut times: Vec<Timestamp> = self.sessions.values().map(|session| session.valid_from()).collect();
        let doomed = (times.len() / 5).max(1);
        times.sort_unstable();
        let Some(youngest) = times.get(doomed - 1).copied() else { return };
        let mut left = doomed;
        self.sessions.retain(|_, session| {
            let stays = session.valid_from() > youngest || left == 0;
            left -= usize::from(!stays);
            stays
        });
    }
}

impl CookieKeys<'_> {
    /// The session of the message, now that it was verified. From here on it is remembered.
    pub(crate) fn into_session(self, now: Timestamp) -> Option<Arc<SessionSecurityToken>> {
        let found = self.found.into_inner().unwrap_or_else(PoisonError::into_inner)?;
        if !found.is_cached {
            self.contexts.remember(&found.session, now);
        }
        Some(found.session)
    }

    fn take(&self, found: Found) -> SymmetricKey {
        let key = found.session.key().clone();
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        key
    }
}

impl SessionKeys for CookieKeys<'_> {
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(self.take(self.contexts.find(token, now)?))
    }

    /// A message names a context without its token only after another one has brought it along.
    fn by_reference(&self, context: &ContextReference, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let is_named = |found: &&Found| {
            found.session.context_id().as_unique_id().with_text(|id| id == context.identifier)
                && context.instance.is_none()
        };
        let earlier = self.found.lock().unwrap_or_else(PoisonError::into_inner).as_ref().filter(is_named).cloned();
        if let Some(found) = earlier {
            return Ok(found.session.key().clone());
        }
        let session = self.contexts.cached(context).filter(|session| session.valid_to() >= now);
        let session = session.ok_or(SessionKeyError::Unknown)?;
        self.contexts.check(&session, now)?;
        Ok(self.take(Found { session, is_cached: true }))
    }
}
