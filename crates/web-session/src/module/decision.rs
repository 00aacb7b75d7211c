//! From a request's cookies to what becomes of its session. No I/O happens here.

use crate::cookie::MAX_DUPLICATES;
use crate::module::{ActiveSession, Received, Renewal};
use crate::{Error, OnUnreadable, RequestHead, SessionModule};
use handstamp_session_token::{
    CachedToken, Error as TokenError, ErrorKind, Misconfigured, Opened, SessionSecurityToken, SessionTokenCacheKey,
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

/// A reference that arrived in a cookie, verified.
#[derive(Debug, Clone)]
pub struct Fetch {
    key: SessionTokenCacheKey,
    size: usize,
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
    /// Of several cookies with the session's name, sent for different paths, the first good one counts.
    pub fn decide(&self, request: RequestHead<'_>, now: Timestamp) -> Decision {
        let cookies = request.cookies();
        let mut failure = None;
        for duplicate in 0..MAX_DUPLICATES {
            let mut bytes = Vec::new();
            let opened = match self.cookies.read(cookies, duplicate, &mut bytes) {
                Ok(false) => break,
                Ok(true) => {
                    let size = bytes.len();
                    match self.tokens.open(bytes, now) {
                        Ok(Opened::Token(token)) => self.judge(Arc::from(token), size, None, request, now),
                        Ok(Opened::Reference(_)) if self.cache.is_none() => {
                            Decision::Reject(TokenError::from(Misconfigured::NoCache).into())
                        }
                        Ok(Opened::Reference(key)) => Decision::Fetch(Fetch { key, size }),
                        Ok(_) => self.refuse(TokenError::Unauthentic.into()),
                        Err(error) => self.refuse(error.into()),
                    }
                }
                Err(unreadable) => self.refuse(unreadable.into()),
            };
            match opened {
                Decision::Drop(_) | Decision::Expired(_) => failure = failure.or(Some(opened)),
                Decision::Reject(Error::Token(_) | Error::UnreadableCookie(_)) => failure = failure.or(Some(opened)),
                good => return good,
            }
        }
        failure.unwrap_or(Decision::Anonymous)
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
        let cached = match found {
            Ok(Some(cached)) => cached,
            Ok(None) => return self.refuse(TokenError::NotFoundInCache.into()),
            Err(error) => return Decision::Reject(error.into()),
        };
        // A store that answers with another session must not sign anybody in as somebody else.
        let held = SessionTokenCacheKey::of(&cached.token);
        if cached.expires < now || !held.matches(&fetch.key) {
            return self.refuse(TokenError::NotFoundInCache.into());
        }
        self.judge(cached.token.clone(), fetch.size, Some(&cached), request, now)
    }

    /// Steps 2 to 5 of SM §1.3 for an authentic token.
    fn judge(
        &self,
        token: Arc<SessionSecurityToken>,
        size: usize,
        cached: Option<&CachedToken>,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Decision {
        let revision = cached.map(|cached| cached.revision);
        let mut slides = true;
        let (token, reissued) = match self.events.received(&token, request, now) {
            Received::Keep => (token, None),
            Received::Replace(replacement) => {
                slides = false;
                (Arc::from(replacement), None)
            }
            Received::Reissue(replacement) => (token, Some(replacement)),
            Received::Cancel => return Decision::Anonymous,
        };
        if let Err(error) = self.validate(reissued.as_deref().unwrap_or(&token), now) {
            return match error.kind() {
                ErrorKind::Expired => Decision::Expired(token),
                _ => self.refuse(error.into()),
            };
        }
        let old = ActiveSession::new(token, size, now);
        if let Some(new) = reissued {
            return match self.with_fresh_context_id(*new, old.token(), now) {
                Ok(new) => Decision::Renew(Renewal { old, revision, new }),
                Err(error) => Decision::Reject(error),
            };
        }
        // An entry that ends before its token was replaced a moment ago and serves stragglers only (ST-37).
        slides &= cached.is_none_or(|cached| cached.expires >= old.expires_at());
        if !slides || !self.is_slide_due(old.token(), now) || !self.events.is_activity(request) {
            return Decision::Active(old);
        }
        match self.slid(old.token(), revision.is_some(), now) {
            Ok(new) => Decision::Renew(Renewal { old, revision, new }),
            Err(error) => {
                tracing::error!(code = error.code(), %error, "a session could not be renewed");
                Decision::Active(old)
            }
        }
    }

    /// Whether a token is good here and now, by the token handler's rules and the revocations of this node.
    pub(crate) fn validate(&self, token: &SessionSecurityToken, now: Timestamp) -> Result<(), TokenError> {
        self.tokens.validate(token, now)?;
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
