//! Renewing sessions: sliding, and reissue by the application.
//!
//! A session that travels whole is renewed by a new token in a new cookie; the old one stays good until it ends. A session
//! in the cache slides where it lies, under the handle that the browser has: an answer that gets lost on its way loses
//! nothing. A new handle, and a short grace for the old one, is what the application's reissue gets (SM-4, ST-37).

use crate::module::carry_out::{Admission, Browser, IssueError, Settled, audit};
use crate::module::{ActiveSession, Created, Occasion, SessionMode};
use crate::{Error, SessionModule, SettingsError};
use handstamp_session_token::{
    Error as TokenError, ErrorKind, NewEntry, Revision, SessionSecurityToken, SessionTokenCache, SessionTokenCacheKey,
};
use handstamp_time::Timestamp;
use std::sync::Arc;

/// A session whose token is to be replaced.
#[derive(Debug)]
pub struct Renewal {
    pub(super) old: ActiveSession,
    /// The write of the cache entry that is replaced; none when the old token is self-contained.
    pub(super) revision: Option<Revision>,
    pub(super) new: SessionSecurityToken,
    pub(super) occasion: Occasion,
    /// Whether the old token came in another kind of cookie than the new one will be in.
    pub(super) moves: bool,
}

impl Renewal {
    /// The session as it is.
    pub fn old(&self) -> &ActiveSession {
        &self.old
    }

    /// The token that is to replace it.
    pub fn new_token(&self) -> &SessionSecurityToken {
        &self.new
    }

    /// Why.
    pub fn occasion(&self) -> Occasion {
        self.occasion
    }
}

impl SessionModule {
    /// Whether enough of the idle timeout has passed, and a renewal would gain anything. An expired token that the
    /// clock skew still admits is not renewed.
    pub(super) fn is_slide_due(&self, token: &SessionSecurityToken, now: Timestamp) -> bool {
        let Some(idle) = token.idle_timeout() else { return false };
        let slide_after = self.settings.slide_after.unwrap_or(idle / 2).min(idle);
        now >= token.valid_from().saturating_add(slide_after)
            && now < token.valid_to()
            && token.valid_to() < token.absolute_expiry()
    }

    /// The token of a session that slides: in its place in the cache, or in place of one that travels whole.
    pub(super) fn slid(
        &self,
        token: &SessionSecurityToken,
        is_cached: bool,
        now: Timestamp,
    ) -> Result<SessionSecurityToken, Error> {
        let idle = token.idle_timeout().unwrap_or(self.settings.absolute_timeout);
        let valid_to = now.saturating_add(idle).min(token.absolute_expiry());
        let builder = if is_cached { token.extend() } else { token.reissue() };
        Ok(builder.valid_from(now).valid_to(valid_to).build(now, self.random.as_ref())?)
    }

    /// The token of a session that arrived in another kind of cookie: the same session, under this module's settings.
    ///
    /// It keeps its context id: a sign-out ends it in every format, and requests that arrive together make one session of
    /// it. Other programs' tokens know no idle timeout and no absolute expiry. Such a session gets those of the settings,
    /// and ends with its token where the settings cap sessions to what the issuer allowed.
    pub(super) fn taken_over(
        &self,
        token: &SessionSecurityToken,
        now: Timestamp,
    ) -> Result<SessionSecurityToken, Error> {
        let settings = &self.settings;
        let end = match token.idle_timeout() {
            Some(_) => token.absolute_expiry(),
            None if settings.cap_to_issuer_lifetime => token.valid_to(),
            None => token.valid_to().max(token.signed_in_at().saturating_add(settings.absolute_timeout)),
        };
        // No key opens a token for longer than the longest session.
        let end = end.min(now.saturating_add(settings.absolute_timeout));
        let builder = token
            .extend()
            .endpoint(self.written.tokens.scope().clone())
            .reference_mode(settings.mode == SessionMode::Reference)
            .absolute_expiry(end);
        let builder = match token.idle_timeout().or(settings.idle_timeout) {
            Some(idle) => builder.idle_timeout(idle).valid_from(now).valid_to(now.saturating_add(idle).min(end)),
            None => builder.valid_from(token.valid_from()).valid_to(end),
        };
        Ok(builder.build(now, self.random.as_ref())?)
    }

    /// A token for this module's scope.
    pub(super) fn in_own_scope(
        &self,
        token: SessionSecurityToken,
        now: Timestamp,
    ) -> Result<SessionSecurityToken, Error> {
        let builder = token.extend().valid_from(token.valid_from()).valid_to(token.valid_to());
        Ok(builder.endpoint(self.written.tokens.scope().clone()).build(now, self.random.as_ref())?)
    }

    /// A reissued token never keeps the context id of the old one, whatever the application built (SM-4).
    pub(super) fn with_fresh_context_id(
        &self,
        new: SessionSecurityToken,
        old: &SessionSecurityToken,
        now: Timestamp,
    ) -> Result<SessionSecurityToken, Error> {
        if new.context_id() != old.context_id() {
            return Ok(new);
        }
        let builder = new.reissue().valid_from(new.valid_from()).valid_to(new.valid_to());
        Ok(builder.build(now, self.random.as_ref())?)
    }

    /// Lets the application have its say about a renewal, and carries it out as far as that goes without I/O.
    pub(super) fn settle_renewal(&self, renewal: Renewal, browser: Browser<'_>, now: Timestamp) -> Settled {
        let Renewal { old, revision, new, occasion, moves } = renewal;
        let mut created = Created::new(new, occasion);
        self.events.created(&mut created);
        let Created { token: new, write_cookie, .. } = created;
        match self.validate(&new, now) {
            Ok(()) => {}
            // Signed out since the request was decided about.
            Err(error) if error.kind() == ErrorKind::Revoked => {
                return self.settle(self.refuse(error.into()), browser, now);
            }
            Err(error) => return Settled::Done(kept(old, &error.into())),
        }
        if !write_cookie {
            return Settled::Done(Admission::with(ActiveSession::new(Arc::new(new), 0, now)));
        }
        if revision.is_some() || new.is_reference_mode() {
            return Settled::Store(Renewal { old, revision, new, occasion, moves });
        }
        Settled::Done(match self.write(&new, browser, now) {
            Ok((size, set_cookies)) => {
                audit("renewed", &new);
                Admission { set_cookies, ..Admission::with(ActiveSession::new(Arc::new(new), size, now)) }
            }
            Err(error) if self.overflows(&new, &error) => {
                let new = self.by_reference(new, &error);
                return Settled::Store(Renewal { old, revision, new, occasion, moves });
            }
            Err(error) => kept(old, &error),
        })
    }

    /// Carries out a renewal in which the cache has a part.
    pub(super) async fn store(&self, renewal: Renewal, browser: Browser<'_>, now: Timestamp) -> Settled {
        let Some(cache) = self.cache.as_deref() else {
            return Settled::Done(kept(renewal.old, &SettingsError::NoCache.into()));
        };
        let (old, new) = (renewal.old.token(), &renewal.new);
        let is_in_place = new.is_reference_mode() && SessionTokenCacheKey::of(new) == SessionTokenCacheKey::of(old);
        match renewal.revision {
            Some(revision) if is_in_place => self.extend(cache, renewal, revision, browser, now).await,
            _ => Settled::Done(self.replace(cache, renewal, browser, now).await),
        }
    }

    /// Lets a cache entry live longer. Of several requests that try at once one succeeds, and all go on with what it wrote.
    async fn extend(
        &self,
        cache: &dyn SessionTokenCache,
        renewal: Renewal,
        revision: Revision,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Settled {
        let Renewal { old, new, moves, .. } = renewal;
        let (key, new) = (SessionTokenCacheKey::of(&new), Arc::new(new));
        match cache.compare_and_set(&key, revision, NewEntry::new(new.clone()), now).await {
            Ok(Some(_)) => {}
            Ok(None) => return self.catch_up(cache, &key, old, browser, now).await,
            Err(error) => return Settled::Done(kept(old, &error.into())),
        }
        audit("renewed", &new);
        // The handle stays; only a cookie that outlives the browser has an end of its own, which moves.
        let written = match moves || new.is_persistent() || old.token().is_persistent() {
            true => self.write(&new, browser, now),
            false => Ok((old.size(), Vec::new())),
        };
        let (size, set_cookies) = written.unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "the cookie of a renewed session keeps its old end");
            (old.size(), Vec::new())
        });
        Settled::Done(Admission { set_cookies, ..Admission::with(ActiveSession::new(new, size, now)) })
    }

    /// Goes on with what somebody else made of a cache entry: renewed it, or ended the session.
    async fn catch_up(
        &self,
        cache: &dyn SessionTokenCache,
        key: &SessionTokenCacheKey,
        old: ActiveSession,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Settled {
        match cache.get(key, now).await {
            Ok(Some(current)) if SessionTokenCacheKey::of(&current.token) == *key => {
                match self.validate(&current.token, now) {
                    Ok(()) => Settled::Done(Admission::with(ActiveSession::new(current.token, old.size(), now))),
                    Err(error) => self.settle(self.refuse(error.into()), browser, now),
                }
            }
            Ok(_) => self.settle(self.refuse(TokenError::NotFoundInCache.into()), browser, now),
            Err(error) => Settled::Done(kept(old, &error.into())),
        }
    }

    /// Replaces a session's cache entry by a new one. Of several requests that try at once, one succeeds (ST-37).
    async fn replace(
        &self,
        cache: &dyn SessionTokenCache,
        renewal: Renewal,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Admission {
        let Renewal { old, revision, new, moves, .. } = renewal;
        let admission = match self.issue(new, browser, now).await {
            Ok(admission) => admission,
            // Another request of this browser was quicker with the same session.
            Err(IssueError { error: Error::Token(TokenError::AlreadyCached), token }) if moves => {
                return match self.write(&token, browser, now) {
                    Ok((size, set_cookies)) => {
                        Admission { set_cookies, ..Admission::with(ActiveSession::new(Arc::from(token), size, now)) }
                    }
                    Err(error) => kept(old, &error),
                };
            }
            Err(failure) => return kept(old, &failure.error),
        };
        let Some(revision) = revision else { return admission };
        match self.retire(cache, old.token(), revision, now).await {
            Ok(won) if won || moves => admission,
            Ok(_) => {
                if let Some(new) = admission.active.filter(|new| new.token().is_reference_mode())
                    && let Err(error) = cache.remove(&SessionTokenCacheKey::of(new.token())).await
                {
                    tracing::warn!(code = error.code(), %error, "a superfluous cache entry stays until it expires");
                }
                Admission::with(old)
            }
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "a replaced session stays in the cache until it expires");
                admission
            }
        }
    }

    /// Lets the entry of a replaced token live on for the grace period only; `false` when somebody else replaced it.
    async fn retire(
        &self,
        cache: &dyn SessionTokenCache,
        old: &Arc<SessionSecurityToken>,
        revision: Revision,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let key = SessionTokenCacheKey::of(old);
        let expires = now.saturating_add(self.settings.reissue_grace).min(old.valid_to());
        let entry = NewEntry { token: old.clone(), expires };
        let won = cache.compare_and_set(&key, revision, entry, now).await?.is_some();
        if won && self.settings.reissue_grace.is_zero() {
            cache.remove(&key).await?;
        }
        Ok(won)
    }
}

/// A session that was to be renewed and goes on as it is.
fn kept(old: ActiveSession, error: &Error) -> Admission {
    tracing::error!(code = error.code(), %error, "a session could not be renewed");
    Admission::with(old)
}
