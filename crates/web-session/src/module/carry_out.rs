//! Carrying decisions out: the cache, the list of revocations, and the `Set-Cookie` headers.

use crate::cookie::RequestCookies;
use crate::module::{
    ActiveSession, Created, Decision, Fetch, Occasion, Renewal, SessionMode, SignIn, SignOutCause, SignOutEvent,
    SignOutFailure,
};
use crate::request::is_loopback;
use crate::{Error, RequestHead, SessionModule, SettingsError, Transport};
use handstamp_session_token::{
    ErrorKind, NewEntry, Revocation, SessionSecurityToken, SessionSecurityTokenBuilder, SessionTokenCacheKey,
};
use handstamp_time::Timestamp;
use http::{HeaderValue, Method};
use std::sync::Arc;
use std::time::Duration;

/// What a response to a browser has to reckon with.
#[derive(Debug, Clone, Copy)]
pub struct Browser<'r> {
    /// The cookies it sent.
    pub cookies: RequestCookies<'r>,
    /// How it reached the site; none when nothing tells.
    pub transport: Option<Transport>,
    /// The host that it asked for, perhaps with a port. Matters only where the transport is plain.
    pub host: Option<&'r str>,
}

impl Browser<'_> {
    /// Whether it would drop a `Secure` cookie, because it came over plain HTTP (SM-23). Browsers keep it when the host is the
    /// machine itself: `localhost` and the loopback addresses.
    pub fn loses_secure_cookies(self) -> bool {
        self.transport == Some(Transport::Plain) && !self.host.is_some_and(is_loopback)
    }
}

/// What became of a request's session.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Admission {
    /// The session; none when the request is anonymous.
    pub active: Option<ActiveSession>,
    /// `Set-Cookie` values for the response.
    pub set_cookies: Vec<HeaderValue>,
    /// Why a cookie that was sent, and stays, gave no session: the strict policy of SM-6, or a fault on this side.
    pub rejection: Option<Error>,
}

impl Admission {
    /// The request has this session, and the browser learns nothing new.
    pub(super) fn with(active: ActiveSession) -> Self {
        Self { active: Some(active), ..Self::default() }
    }
}

/// A decision, carried out as far as that goes without I/O.
pub(crate) enum Settled {
    Done(Admission),
    Fetch(Fetch),
    /// A renewal on which the application has had its say.
    Store(Renewal),
}

impl SessionModule {
    /// Gives a request its session: [`decide`](Self::decide), then [`carry_out`](Self::carry_out).
    pub async fn admit(&self, request: RequestHead<'_>, now: Timestamp) -> Admission {
        self.carry_out(self.decide(request, now), request, now).await
    }

    /// Does what was decided about a request.
    pub async fn carry_out(&self, decision: Decision, request: RequestHead<'_>, now: Timestamp) -> Admission {
        let settled = self.settle(decision, self.browser(request), now);
        self.complete(settled, request, now).await
    }

    /// Signs a user in: a new session with a context id of its own, in place of the browser's previous one (SM-36).
    ///
    /// # Errors
    /// Then there is no session and no cookie (SM-10): [`Error::SessionTooLarge`] (SM-22),
    /// [`Error::SecureCookieOverPlainHttp`] (SM-23), [`Error::Settings`] for reference mode without a cache, and
    /// [`Error::Token`] when the token cannot be built, stored or sealed.
    pub async fn sign_in(
        &self,
        sign_in: SignIn,
        previous: Option<&ActiveSession>,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let mode = sign_in.mode.unwrap_or(self.settings.mode);
        if mode == SessionMode::Reference && self.cache.is_none() {
            return Err(SettingsError::NoCache.into());
        }
        if let Some(previous) = previous
            && let Err(error) = self.end(previous.token(), now).await
        {
            tracing::error!(code = error.code(), %error, "the previous session of a browser could not be ended");
        }
        let mut created = Created::new(self.first_token(sign_in, mode, now)?, Occasion::SignIn);
        self.events.created(&mut created);
        let Created { mut token, write_cookie, .. } = created;
        if let Some(previous) = previous {
            token = self.with_fresh_context_id(token, previous.token(), now)?;
        }
        if let Err(error) = self.validate(&token, now) {
            if error.kind() != ErrorKind::Revoked {
                return Err(error.into());
            }
            // Signed out in the very instant of this sign-in: revocations go by subject and instant.
            let later = now.whole_seconds().saturating_add(Duration::from_secs(1));
            let builder = token.reissue().valid_from(token.valid_from()).valid_to(token.valid_to());
            token = builder.signed_in_at(later).build(now, self.random.as_ref())?;
            self.validate(&token, now)?;
        }
        let admission = if write_cookie {
            match self.issue(token, browser, now).await {
                Err(IssueError { error, token }) if self.overflows(&token, &error) => {
                    self.issue(self.by_reference(*token, &error), browser, now).await
                }
                result => result,
            }
            .map_err(|failure| failure.error)?
        } else {
            self.without_cookie(token, browser, now)?
        };
        if let Some(active) = &admission.active {
            audit("signed in", active.token());
        }
        Ok(admission)
    }

    /// Ends a session everywhere: its cookies, its cache entry, and every copy of its self-contained token (SM-11,
    /// SM-13). Ending one that has ended already is no error.
    ///
    /// Returns the `Set-Cookie` values, which are to be sent whatever else failed, and whether the session has ended
    /// everywhere.
    pub async fn sign_out(
        &self,
        session: Option<&ActiveSession>,
        cause: SignOutCause,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> (Vec<HeaderValue>, Result<(), Error>) {
        let event = SignOutEvent { token: session.map(|session| &**session.token()), cause };
        self.events.signing_out(&event);
        let mut failure = match session {
            Some(session) => self.end(session.token(), now).await.err(),
            None => None,
        };
        let headers = self.delete_all(browser).unwrap_or_else(|error| {
            failure.get_or_insert(error);
            Vec::new()
        });
        let Some(error) = failure else {
            self.events.signed_out(&event);
            if let Some(session) = session {
                audit("signed out", session.token());
            }
            return (headers, Ok(()));
        };
        tracing::error!(code = error.code(), %error, "a session could not be ended everywhere");
        match self.events.sign_out_error(&error) {
            SignOutFailure::Report => (headers, Err(error)),
            SignOutFailure::Swallow => (headers, Ok(())),
        }
    }

    /// What is to be known of the browser that sent a request.
    pub fn browser<'r>(&self, request: RequestHead<'r>) -> Browser<'r> {
        let transport = self.settings.transport.transport(request);
        let host = if transport == Some(Transport::Plain) { request.host() } else { None };
        Browser { cookies: request.cookies(), transport, host }
    }

    /// Where to redirect a `GET` without a session whose path differs from the cookie's by case alone; none unless
    /// the settings ask for it.
    pub fn path_correction(&self, request: RequestHead<'_>) -> Option<HeaderValue> {
        if !self.settings.correct_path_case || request.method != Method::GET {
            return None;
        }
        let target = request.uri.path_and_query()?.as_str();
        HeaderValue::try_from(self.cookies().settings().match_cookie_path(target)?).ok()
    }

    /// Carries a decision out as far as that goes without I/O: all the way unless the cache has a part in it.
    pub(crate) fn settle(&self, decision: Decision, browser: Browser<'_>, now: Timestamp) -> Settled {
        Settled::Done(match decision {
            Decision::Anonymous => Admission::default(),
            Decision::Active(active) => Admission::with(active),
            Decision::Fetch(fetch) => return Settled::Fetch(fetch),
            Decision::Renew(renewal) => return self.settle_renewal(renewal, browser, now),
            Decision::Expired(token) => {
                let event = SignOutEvent { token: Some(&token), cause: SignOutCause::Expired };
                self.events.signing_out(&event);
                let set_cookies = self.delete(browser);
                self.events.signed_out(&event);
                audit("expired", &token);
                Admission { set_cookies, ..Admission::default() }
            }
            Decision::Drop(error) => {
                self.log_once(browser, &error);
                Admission { set_cookies: self.delete(browser), ..Admission::default() }
            }
            Decision::Reject(error) => {
                self.log_once(browser, &error);
                Admission { rejection: Some(error), ..Admission::default() }
            }
        })
    }

    /// The rest of what [`Self::settle`] began.
    pub(crate) async fn complete(&self, mut settled: Settled, request: RequestHead<'_>, now: Timestamp) -> Admission {
        let browser = self.browser(request);
        loop {
            settled = match settled {
                Settled::Done(admission) => return admission,
                Settled::Store(renewal) => self.store(renewal, browser, now).await,
                Settled::Fetch(fetch) => {
                    let Some(cache) = &self.cache else { return Admission::default() };
                    let found = cache.get(fetch.key(), now).await;
                    self.settle(self.decide_fetched(&fetch, found, request, now), browser, now)
                }
            };
        }
    }

    fn first_token(&self, sign_in: SignIn, mode: SessionMode, now: Timestamp) -> Result<SessionSecurityToken, Error> {
        let mut ends = now.saturating_add(sign_in.lifetime.unwrap_or(self.settings.absolute_timeout));
        if let Some(issuer_expiry) = sign_in.issuer_expiry.filter(|_| self.settings.cap_to_issuer_lifetime) {
            ends = ends.min(issuer_expiry);
        }
        let mut builder: SessionSecurityTokenBuilder = self
            .written
            .tokens
            .token(self.events.claims(sign_in.principal))
            .valid_from(now)
            .signed_in_at(now)
            .absolute_expiry(ends)
            .persistent(sign_in.persistent)
            .reference_mode(mode == SessionMode::Reference);
        builder = match self.settings.idle_timeout {
            Some(idle) => builder.idle_timeout(idle).valid_to(now.saturating_add(idle).min(ends)),
            None => builder.valid_to(ends),
        };
        if let Some(context) = sign_in.context {
            builder = builder.context(context);
        }
        if let Some(session) = sign_in.issuer_session {
            builder = builder.issuer_session(session);
        }
        Ok(builder.build(now, self.random.as_ref())?)
    }

    /// Stores a token, if it is to be stored, and then writes its cookie (SM-10).
    pub(super) async fn issue(
        &self,
        token: SessionSecurityToken,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Result<Admission, IssueError> {
        let cache = self.cache.as_deref().filter(|_| token.is_reference_mode());
        if token.is_reference_mode() && cache.is_none() {
            return Err(IssueError { error: SettingsError::NoCache.into(), token: Box::new(token) });
        }
        let token = Arc::new(token);
        let written = match cache {
            None => self.write(&token, browser, now),
            Some(cache) => {
                let key = SessionTokenCacheKey::of(&token);
                match cache.add(&key, NewEntry::new(token.clone()), now).await {
                    Err(error) => Err(error.into()),
                    Ok(_) => match self.write(&token, browser, now) {
                        Ok(written) => Ok(written),
                        Err(error) => {
                            if let Err(error) = cache.remove(&key).await {
                                tracing::warn!(code = error.code(), %error, "an unused cache entry stays until it expires");
                            }
                            Err(error)
                        }
                    },
                }
            }
        };
        match written {
            Ok((size, set_cookies)) => {
                Ok(Admission { set_cookies, ..Admission::with(ActiveSession::new(token, size, now)) })
            }
            Err(error) => Err(IssueError { error, token: Box::new(Arc::unwrap_or_clone(token)) }),
        }
    }

    /// Whether a session that could not be written goes into the cache instead.
    pub(super) fn overflows(&self, token: &SessionSecurityToken, error: &Error) -> bool {
        matches!(error, Error::SessionTooLarge { .. })
            && self.settings.overflow_to_reference
            && !token.is_reference_mode()
    }

    /// A token that is too large for cookies, as a reference.
    pub(super) fn by_reference(&self, mut token: SessionSecurityToken, error: &Error) -> SessionSecurityToken {
        tracing::info!(session = token.context_id().fingerprint(), %error, "a session goes into the cache");
        token.set_reference_mode(true);
        self.events.overflowed(&token);
        token
    }

    /// A session for one request (SM-9). What the browser has of an earlier one goes.
    fn without_cookie(
        &self,
        token: SessionSecurityToken,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let stale = self.carriers().any(|carrier| carrier.is_in(browser.cookies));
        let set_cookies = if stale { self.delete_all(browser)? } else { Vec::new() };
        Ok(Admission { set_cookies, ..Admission::with(ActiveSession::new(Arc::new(token), 0, now)) })
    }

    /// Seals a token into cookies, which replace those of every kind that the browser showed.
    pub(super) fn write(
        &self,
        token: &SessionSecurityToken,
        browser: Browser<'_>,
        now: Timestamp,
    ) -> Result<(usize, Vec<HeaderValue>), Error> {
        let cookies = self.cookies();
        if cookies.settings().secure() && browser.loses_secure_cookies() {
            return Err(Error::SecureCookieOverPlainHttp { name: cookies.settings().name().to_owned() });
        }
        let bytes = self.written.tokens.write(token, now, self.random.as_ref())?;
        let lifetime = cookies.settings().lifetime(token.is_persistent(), token.valid_to(), now);
        let mut headers = cookies.write(&bytes, lifetime, browser.cookies)?;
        for carrier in &self.accepted {
            headers.extend(carrier.delete_seen(browser.cookies)?);
        }
        Ok((bytes.len(), headers))
    }

    /// Ends a session on the server's side.
    async fn end(&self, token: &SessionSecurityToken, now: Timestamp) -> Result<(), Error> {
        let removed = match &self.cache {
            Some(cache) if token.is_reference_mode() => {
                cache.remove_session(token.endpoint(), token.context_id()).await
            }
            _ => Ok(()),
        };
        let revocations = Revocation::of_sign_out(token, self.clock_skew());
        self.revocations.revoke(&revocations, now).await?;
        Ok(removed?)
    }

    /// The longest time that any token is accepted past its end.
    fn clock_skew(&self) -> Duration {
        self.carriers().map(|carrier| carrier.tokens.clock_skew()).max().unwrap_or_default()
    }

    /// The `Set-Cookie` values that delete the cookies of every kind.
    fn delete_all(&self, browser: Browser<'_>) -> Result<Vec<HeaderValue>, Error> {
        let mut headers = self.cookies().delete(browser.cookies)?;
        for carrier in &self.accepted {
            headers.extend(carrier.delete_seen(browser.cookies)?);
        }
        Ok(headers)
    }

    fn delete(&self, browser: Browser<'_>) -> Vec<HeaderValue> {
        self.delete_all(browser).unwrap_or_else(|error| {
            tracing::error!(code = error.code(), %error, "session cookies could not be deleted");
            Vec::new()
        })
    }

    fn log_once(&self, browser: Browser<'_>, error: &Error) {
        self.events.refused(error);
        let own = browser.cookies.iter().filter(|(name, _)| self.owns_cookie(name)).map(|(_, value)| value);
        if error.is_ours() {
            tracing::error!(code = error.code(), %error, "a session cannot be decided about");
        } else if self.logged.is_first(own) {
            tracing::warn!(code = error.code(), %error, "a session cookie was refused");
        }
    }
}

/// A session that could not be written, and its token.
pub(super) struct IssueError {
    pub(super) error: Error,
    pub(super) token: Box<SessionSecurityToken>,
}

pub(super) fn audit(event: &'static str, token: &SessionSecurityToken) {
    tracing::info!(
        session = token.context_id().fingerprint(),
        reference = token.is_reference_mode(),
        "session {event}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;

    #[test]
    fn sm_23_secure_cookies_survive_plain_http_only_on_this_machine() {
        for (host, loses) in [
            ("app.example", true),
            ("localhost:8080", false),
            ("shop.localhost", false),
            ("127.0.0.1:80", false),
            ("[::1]:80", false),
            ("[::1]", false),
            ("10.0.0.1", true),
            ("localhost.example", true),
        ] {
            let headers = HeaderMap::new();
            let cookies = RequestCookies::new(&headers);
            let browser = |transport| Browser { cookies, transport, host: Some(host) };
            assert_eq!(browser(Some(Transport::Plain)).loses_secure_cookies(), loses, "{host}");
            assert!(!browser(Some(Transport::Tls)).loses_secure_cookies());
            assert!(!browser(None).loses_secure_cookies());
        }
    }
}
