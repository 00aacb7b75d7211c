//! From a request's cookies to what becomes of its session. No I/O happens here.

use crate::cookie::MAX_DUPLICATES;
use crate::module::active::Known;
use crate::module::carrier::{CookieCarrier, Place};
use crate::module::verified::Verified;
use crate::module::{ActiveSession, Occasion, Received, Renewal};
use crate::{Error, OnUnreadable, RequestHead, SessionModule};
use handstamp_session_token::{
    CachedToken, Error as TokenError, ErrorKind, Misconfigured, Opened, SessionSecurityToken,
    SessionSecurityTokenHandler, SessionTokenCacheKey,
};
use handstamp_time::Timestamp;
use std::sync::Arc;

/// What becomes of the session of a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// The request is anonymous; its cookies, if any, stay.
    Anonymous,
    /// The request has this session.
    Active(ActiveSession),
    /// The request has a session, whose token is to be replaced.
    Renew(Renewal),
    /// The cookie is a reference. Fetch what it names from the cache and go on with [`SessionModule::decide_fetched`].
    Fetch(Fetch),
    /// The session is over: sign-out events, the cookie is deleted, the request is anonymous (SM-5).
    Expired(Arc<SessionSecurityToken>),
    /// The cookie is of no use: it is deleted and the request is anonymous (SM-6).
    Drop(Error),
    /// The request is anonymous, its cookies stay, and the application may ask why: the strict policy of SM-6, or a
    /// fault on this side.
    Reject(Error),
}

impl Decision {
    /// The session that the request has.
    pub fn session(&self) -> Option<&ActiveSession> {
        match self {
            Self::Active(session) => Some(session),
            Self::Renew(renewal) => Some(renewal.old()),
            _ => None,
        }
    }

    /// Whether another cookie of the request may do better.
    fn is_failure(&self) -> bool {
        matches!(self, Self::Drop(_) | Self::Expired(_) | Self::Reject(Error::Token(_) | Error::UnreadableCookie(_)))
    }
}

/// A reference that arrived in a cookie, verified.
#[derive(Debug, Clone)]
pub struct Fetch {
    key: SessionTokenCacheKey,
    size: usize,
    place: Place,
}

impl Fetch {
    /// Where the token lies in the cache.
    pub fn key(&self) -> &SessionTokenCacheKey {
        &self.key
    }
}

impl SessionModule {
    /// Decides about a request at an instant, by its cookies alone (SM §1.3).
    ///
    /// Verifies before it looks anything up, and looks nothing up: a reference comes back as [`Decision::Fetch`].
    /// Of several cookies with the session's name, sent for different paths, the first good one counts; cookies that are
    /// only read come after those that are written.
    pub fn decide(&self, request: RequestHead<'_>, now: Timestamp) -> Decision {
        let known = self.verified.as_ref().and_then(|verified| verified.get(&verified.cookies(request.headers)?, now));
        let Some(Verified { token, size, place, .. }) = known else {
            return self.decide_from(Place::default(), None, request, now);
        };
        let decision = self.judge(token, size, place, None, request, now);
        if decision.is_failure() { self.decide_from(place.next(), Some(decision), request, now) } else { decision }
    }

    /// Looks at the cookies of a request from a place on. `failure` is what came of earlier ones.
    fn decide_from(
        &self,
        start: Place,
        mut failure: Option<Decision>,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Decision {
        let cookies = request.cookies();
        for (index, carrier) in self.carriers().enumerate().skip(start.carrier) {
            let first = if index == start.carrier { start.duplicate } else { 0 };
            for duplicate in first..MAX_DUPLICATES {
                let mut bytes = Vec::new();
                let decision = match carrier.cookies.read(cookies, duplicate, &mut bytes) {
                    Ok(false) => break,
                    Ok(true) => self.open(bytes, carrier, Place { carrier: index, duplicate }, request, now),
                    Err(unreadable) => self.refuse(unreadable.into()),
                };
                if !decision.is_failure() {
                    return decision;
                }
                failure = failure.or(Some(decision));
            }
        }
        failure.unwrap_or(Decision::Anonymous)
    }

    /// What would become of a request: decides, asks the cache where it must, and changes nothing. So a session can be looked at
    /// without being used, which would make it last longer.
    pub async fn look(&self, request: RequestHead<'_>, now: Timestamp) -> Decision {
        let mut decision = self.decide(request, now);
        while let Decision::Fetch(fetch) = &decision {
            let found = match self.cache() {
                Some(cache) => cache.get(fetch.key(), now).await,
                None => Ok(None),
            };
            decision = self.decide_fetched(fetch, found, request, now);
        }
        decision
    }

    fn open(
        &self,
        bytes: Vec<u8>,
        carrier: &CookieCarrier,
        place: Place,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Decision {
        let size = bytes.len();
        match carrier.tokens.open(bytes, now) {
            Ok(Opened::Token(token)) => {
                let token = Arc::new(Known::from(Arc::from(token)));
                if let Some(verified) = &self.verified
                    && let Some(cookies) = verified.cookies(request.headers)
                {
                    verified.put(&cookies, Verified { token: token.clone(), size, place, at: now });
                }
                self.judge(token, size, place, None, request, now)
            }
            Ok(Opened::Reference(_)) if self.cache.is_none() => {
                Decision::Reject(TokenError::from(Misconfigured::NoCache).into())
            }
            Ok(Opened::Reference(key)) => Decision::Fetch(Fetch { key, size, place }),
            Ok(_) => self.refuse(TokenError::Unauthentic.into()),
            Err(error) => self.refuse(error.into()),
        }
    }

    /// Goes on with what the cache answered to a [`Fetch`].
    ///
    /// A cache that cannot answer makes the request anonymous and leaves the cookie alone: the session is there again
    /// when the cache is (SM-48).
    pub fn decide_fetched(
        &self,
        fetch: &Fetch,
        found: Result<Option<CachedToken>, TokenError>,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Decision {
        // A store that answers with another session must not sign anybody in as somebody else.
        let is_it =
            |cached: &CachedToken| cached.expires >= now && SessionTokenCacheKey::of(&cached.token).matches(&fetch.key);
        let decision = match found {
            Ok(Some(cached)) if is_it(&cached) => {
                self.judge(Arc::new(cached.token.clone().into()), fetch.size, fetch.place, Some(&cached), request, now)
            }
            Ok(_) => self.refuse(TokenError::NotFoundInCache.into()),
            Err(error) => return Decision::Reject(error.into()),
        };
        if decision.is_failure() {
            return self.decide_from(fetch.place.next(), Some(decision), request, now);
        }
        decision
    }

    /// Steps 2 to 5 of SM §1.3 for an authentic token.
    fn judge(
        &self,
        known: Arc<Known>,
        size: usize,
        place: Place,
        cached: Option<&CachedToken>,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Decision {
        let revision = cached.map(|cached| cached.revision);
        let mut slides = true;
        let (known, reissued) = match self.events.received(known.token(), request, now) {
            Received::Keep => (known, None),
            Received::Replace(replacement) => {
                slides = false;
                (Arc::new(Known::from(Arc::from(replacement))), None)
            }
            Received::Reissue(replacement) => (known, Some(replacement)),
            Received::Cancel => return Decision::Anonymous,
        };
        let carrier = self.carriers().nth(place.carrier).unwrap_or(&self.written);
        if let Err(error) = self.validate_by(&carrier.tokens, reissued.as_deref().unwrap_or(known.token()), now) {
            return match error.kind() {
                ErrorKind::Expired => Decision::Expired(known.token().clone()),
                _ => self.refuse(error.into()),
            };
        }
        let old = ActiveSession::of_known(known, size, now);
        let moves = place.is_foreign();
        if let Some(new) = reissued {
            let new = self.with_fresh_context_id(*new, old.token(), now);
            return match if moves { new.and_then(|new| self.in_own_scope(new, now)) } else { new } {
                Ok(new) => Decision::Renew(Renewal { old, revision, new, occasion: Occasion::Reissue, moves }),
                Err(error) => Decision::Reject(error),
            };
        }
        // An entry that ends before its token was replaced a moment ago and serves stragglers only (ST-37).
        slides &= cached.is_none_or(|cached| cached.expires >= old.expires_at());
        if !slides {
            return Decision::Active(old);
        }
        let (occasion, renewed) = if moves {
            (Occasion::TakeOver, self.taken_over(old.token(), now))
        } else if self.is_slide_due(old.token(), now) && self.events.is_activity(request) {
            (Occasion::Slide, self.slid(old.token(), revision.is_some(), now))
        } else {
            return Decision::Active(old);
        };
        match renewed {
            Ok(new) => Decision::Renew(Renewal { old, revision, new, occasion, moves }),
            Err(error) => {
                tracing::error!(code = error.code(), %error, "a session could not be renewed");
                Decision::Active(old)
            }
        }
    }

    /// Whether a token is good here and now, by the token handler's rules and the revocations of this node.
    pub(crate) fn validate(&self, token: &SessionSecurityToken, now: Timestamp) -> Result<(), TokenError> {
        self.validate_by(&self.written.tokens, token, now)
    }

    fn validate_by(
        &self,
        tokens: &SessionSecurityTokenHandler,
        token: &SessionSecurityToken,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        tokens.validate(token, now)?;
        if self.revocations.is_revoked_here(token) { Err(TokenError::Revoked) } else { Ok(()) }
    }

    /// What the policy makes of a cookie that cannot be used (SM-6). Faults on this side never cost a session.
    pub(super) fn refuse(&self, error: Error) -> Decision {
        if error.is_ours() || self.settings.on_unreadable == OnUnreadable::Strict {
            Decision::Reject(error)
        } else {
            Decision::Drop(error)
        }
    }
}
