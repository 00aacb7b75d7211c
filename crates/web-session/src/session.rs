//! The session of a request, as the application sees it.

use crate::cookie::RequestCookies;
use crate::module::{ActiveSession, Admission, Browser, Decision, SessionModule, Settled, SignIn, SignOutCause};
use crate::{Error, RequestHead, Transport, cache_control};
use handstamp_time::Timestamp;
use http::{HeaderMap, HeaderValue, header};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The session of the current request: who the user is, and the handle to sign in and out.
///
/// [`SessionLayer`](crate::SessionLayer) puts one into the extensions of every request, anonymous or not; where there is
/// no layer, [`Session::of`] gives it. Cloning it copies a pointer; all clones see the same session. Cookies that a change
/// needs are in the response to this request.
///
/// ```
/// use handstamp_web_session::Session;
/// use http::{Request, StatusCode};
///
/// fn whoami<B>(request: &Request<B>) -> Result<String, StatusCode> {
///     let session = request.extensions().get::<Session>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
///     let active = session.active().ok_or(StatusCode::UNAUTHORIZED)?;
///     Ok(active.principal().name().unwrap_or("somebody without a name").to_owned())
/// }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Shared>);

struct Shared {
    module: Arc<SessionModule>,
    active: Option<ActiveSession>,
    rejection: Option<Error>,
    cookies: SentCookies,
    transport: Option<Transport>,
    host: Option<HeaderValue>,
    /// Whether `changes` holds anything. Requests that change nothing never lock.
    changed: AtomicBool,
    changes: Mutex<Changes>,
}

#[derive(Default)]
struct Changes {
    /// What the application made of the session; none while it did nothing.
    active: Option<Option<ActiveSession>>,
    set_cookies: Vec<HeaderValue>,
}

/// The `Cookie` headers of the request, kept for the pieces that a new cookie has to replace.
enum SentCookies {
    One([HeaderValue; 1]),
    Other(Vec<HeaderValue>),
}

/// The session of a request, as far as it is known without waiting.
pub(crate) struct Unsettled {
    settled: Settled,
    now: Timestamp,
}

impl Unsettled {
    /// Waits for the cache.
    pub(crate) async fn session(self: Box<Self>, module: Arc<SessionModule>, request: RequestHead<'_>) -> Session {
        let admission = module.complete(self.settled, request, self.now).await;
        Session::new(&module, admission, request, module.browser(request))
    }
}

impl Session {
    /// The session of a request, for servers that do without [`SessionLayer`](crate::SessionLayer). They ask once for each
    /// request, and give the response to [`write_cookies`](Self::write_cookies).
    ///
    /// Waits only for the cache, and only where the session lives in it.
    ///
    /// ```
    /// use handstamp_web_session::{RequestHead, Session, SessionModule};
    /// use http::{Request, Response};
    /// use std::sync::Arc;
    ///
    /// async fn answer<B>(sessions: &Arc<SessionModule>, request: Request<B>) -> Response<String> {
    ///     let session = Session::of(sessions, RequestHead::from(&request)).await;
    ///     let name = session.active().and_then(|active| active.principal().name().map(str::to_owned));
    ///     let mut response = Response::new(format!("Hello {}", name.as_deref().unwrap_or("stranger")));
    ///     session.write_cookies(response.headers_mut());
    ///     response
    /// }
    /// ```
    pub async fn of(module: &Arc<SessionModule>, request: RequestHead<'_>) -> Self {
        let now = module.now();
        Self::after(module, module.decide(request, now), request, now).await
    }

    /// The session of a request that the module has [decided](SessionModule::decide) about. Servers that need no handle where
    /// the decision is [`Decision::Active`], because they change nothing about sessions, decide first and save it.
    pub async fn after(
        module: &Arc<SessionModule>,
        decision: Decision,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Self {
        match Self::at_once(module, decision, request, now) {
            Ok(session) => session,
            // Rare, and large: every future that waits for this one would have room for it.
            Err(unsettled) => Box::pin(unsettled.session(module.clone(), request)).await,
        }
    }

    /// The session of a request, unless it is a matter of the cache.
    pub(crate) fn at_once(
        module: &Arc<SessionModule>,
        decision: Decision,
        request: RequestHead<'_>,
        now: Timestamp,
    ) -> Result<Self, Box<Unsettled>> {
        let browser = module.browser(request);
        match module.settle(decision, browser, now) {
            Settled::Done(admission) => Ok(Self::new(module, admission, request, browser)),
            settled => Err(Box::new(Unsettled { settled, now })),
        }
    }

    fn new(module: &Arc<SessionModule>, admission: Admission, request: RequestHead<'_>, browser: Browser<'_>) -> Self {
        let mut sent = request.headers.get_all(header::COOKIE).iter();
        let cookies = match (sent.next(), sent.next()) {
            (Some(one), None) => SentCookies::One([one.clone()]),
            (None, _) => SentCookies::Other(Vec::new()),
            _ => SentCookies::Other(request.headers.get_all(header::COOKIE).iter().cloned().collect()),
        };
        let Admission { active, set_cookies, rejection } = admission;
        Self(Arc::new(Shared {
            module: module.clone(),
            active,
            rejection,
            cookies,
            transport: browser.transport,
            host: browser.host.and_then(|_| request.host_value()),
            changed: AtomicBool::new(!set_cookies.is_empty()),
            changes: Mutex::new(Changes { active: None, set_cookies }),
        }))
    }

    /// The session; none when the user is anonymous. Follows [`sign_in`](Self::sign_in) and
    /// [`sign_out`](Self::sign_out) at once.
    pub fn active(&self) -> Option<ActiveSession> {
        if self.0.changed.load(Ordering::Acquire)
            && let Some(active) = &self.changes().active
        {
            return active.clone();
        }
        self.0.active.clone()
    }

    /// Whether nobody is signed in.
    pub fn is_anonymous(&self) -> bool {
        self.active().is_none()
    }

    /// Why the request is anonymous although it brought a session cookie, where the cookie was left alone: the strict
    /// policy (SM-6), or a fault on this side such as a store that does not answer.
    pub fn rejection(&self) -> Option<&Error> {
        self.0.rejection.as_ref()
    }

    /// The module that looks after this session.
    pub fn module(&self) -> &SessionModule {
        &self.0.module
    }

    /// Signs a user in. The session is new in every respect, and one that the browser had before has ended (SM-36).
    ///
    /// # Errors
    /// As [`SessionModule::sign_in`]. The request is anonymous then, and no cookie is set.
    pub async fn sign_in(&self, sign_in: SignIn) -> Result<ActiveSession, Error> {
        let previous = self.active();
        let module = &self.0.module;
        let result = module.sign_in(sign_in, previous.as_ref(), self.browser(), module.now()).await;
        match result {
            Ok(Admission { active: Some(active), set_cookies, .. }) => {
                self.change(Some(active.clone()), set_cookies);
                Ok(active)
            }
            Ok(_) => Err(Error::NotSignedIn),
            Err(error) => {
                self.change(None, Vec::new());
                Err(error)
            }
        }
    }

    /// Signs the user out: deletes the cookies, removes the session from the cache, and revokes what was copied
    /// (SM-11, SM-13). The request is anonymous from here on. Signing out twice is no error.
    ///
    /// # Errors
    /// When the session could not be ended everywhere. The cookies are deleted all the same.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.end(SignOutCause::Application).await
    }

    /// [`sign_out`](Self::sign_out) because the issuer asked for it (SM §3.9).
    ///
    /// # Errors
    /// As [`sign_out`](Self::sign_out).
    pub async fn sign_out_by_issuer(&self) -> Result<(), Error> {
        self.end(SignOutCause::Issuer).await
    }

    async fn end(&self, cause: SignOutCause) -> Result<(), Error> {
        let module = &self.0.module;
        let (set_cookies, result) = module.sign_out(self.active().as_ref(), cause, self.browser(), module.now()).await;
        self.change(None, set_cookies);
        result
    }

    /// Adds the cookies that came of the session to the headers of the response, which no shared cache may keep then. A
    /// second call adds nothing.
    pub fn write_cookies(&self, headers: &mut HeaderMap) {
        if !self.0.changed.load(Ordering::Acquire) {
            return;
        }
        let cookies = std::mem::take(&mut self.changes().set_cookies);
        if cookies.is_empty() {
            return;
        }
        for cookie in cookies {
            headers.append(header::SET_COOKIE, cookie);
        }
        cache_control::protect(headers);
    }

    /// The last change of a request is the one that counts: its cookies replace those of earlier ones.
    fn change(&self, active: Option<ActiveSession>, set_cookies: Vec<HeaderValue>) {
        *self.changes() = Changes { active: Some(active), set_cookies };
        self.0.changed.store(true, Ordering::Release);
    }

    fn changes(&self) -> std::sync::MutexGuard<'_, Changes> {
        self.0.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn browser(&self) -> Browser<'_> {
        let cookies = match &self.0.cookies {
            SentCookies::One(cookies) => &cookies[..],
            SentCookies::Other(cookies) => cookies,
        };
        Browser {
            cookies: RequestCookies::from_values(cookies),
            transport: self.0.transport,
            host: self.0.host.as_ref().and_then(|host| host.to_str().ok()),
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("active", &self.active()).finish_non_exhaustive()
    }
}
