//! A browser, a session layer and an application, in virtual time.

use crate::browser::Browser;
use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy, SecureRandom, sha256};
use handstamp_session_store::{MemoryStore, SessionFilter, SqliteOptions, SqliteStore, Store};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::wif::WifFormat;
use handstamp_session_token::wif::transforms::{CookieTransforms, Deflate, MachineKey, MachineKeyTransform};
use handstamp_session_token::{
    CachedToken, Carrier, ContextId, EndpointScope, Error as TokenError, NewEntry, Revision, SessionSecurityToken,
    SessionSecurityTokenHandler, SessionTokenCache, SessionTokenCacheKey, StoreError, TokenFormat, WriteCondition,
};
use handstamp_time::{Timestamp, VirtualClock};
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieHandler};
use handstamp_web_session::module::{Created, Occasion, Received, SignOutEvent, SignOutFailure};
use handstamp_web_session::{
    ActiveSession, Error, RequestHead, Session, SessionEvents, SessionLayer, SessionMode, SessionModule,
    SessionSettings, SignIn,
};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, Response};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tower::{Layer, ServiceExt, service_fn};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const SKEW: Duration = Duration::from_secs(30);
pub(crate) const AUDIENCE: &str = "https://app.example/";

/// One browser at one application.
pub(crate) struct Fixture {
    pub(crate) browser: Browser,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) events: Arc<Recorder>,
    pub(crate) module: Arc<SessionModule>,
}

/// Which way of keeping sessions a suite runs with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Way {
    pub(crate) cookies: fn() -> ChunkedCookieHandler,
    pub(crate) format: fn() -> Arc<dyn TokenFormat>,
    pub(crate) mode: SessionMode,
    pub(crate) store: fn() -> Cache,
}

impl Fixture {
    pub(crate) fn new(way: Way, settings: SessionSettings) -> Self {
        let clock = Arc::new(VirtualClock::new("2030-01-01T09:00:00Z".parse().unwrap()));
        let (cache, events) = (Arc::new((way.store)()), Arc::<Recorder>::default());
        let cookies = (way.cookies)();
        let tokens = SessionSecurityTokenHandler::builder((way.format)())
            .carrier(Carrier::Cookie(cookies.settings().name().into()))
            .clock_skew(SKEW)
            .audience(AUDIENCE);
        let module = SessionModule::builder(tokens.build().unwrap())
            .settings(settings)
            .cookies(cookies)
            .cache(cache.clone())
            .events(events.clone())
            .clock(clock.clone())
            .random(Arc::new(DeterministicRandom::new(1)))
            .build()
            .unwrap();
        Self { browser: Browser::default(), clock, cache, events, module: Arc::new(module) }
    }

    /// A request of the browser to an application that does nothing with the session.
    pub(crate) async fn visit(&mut self) -> Visit {
        self.visit_with(async |_| ()).await.0
    }

    /// A request of the browser to an application that does something.
    pub(crate) async fn visit_with<T: 'static>(&mut self, action: impl AsyncFn(Session) -> T + Clone) -> (Visit, T) {
        let headers = self.browser.request("/");
        let (visit, result) = self.send(headers, action).await;
        for header in &visit.set_cookies {
            self.browser.set(header);
        }
        (visit, result)
    }

    /// A request with these headers, of which the browser learns nothing.
    pub(crate) async fn send<T: 'static>(
        &self,
        headers: HeaderMap,
        action: impl AsyncFn(Session) -> T + Clone,
    ) -> (Visit, T) {
        let mut request = Request::builder().uri("https://app.example/").body(()).unwrap();
        *request.headers_mut() = headers;
        self.send_request(request, action).await
    }

    pub(crate) async fn send_request<T: 'static>(
        &self,
        request: Request<()>,
        action: impl AsyncFn(Session) -> T + Clone,
    ) -> (Visit, T) {
        let seen = Mutex::new(None);
        let application = service_fn(|request: Request<()>| {
            let (action, seen) = (action.clone(), &seen);
            async move {
                let session = request.extensions().get::<Session>().unwrap().clone();
                let result = action(session.clone()).await;
                *seen.lock().unwrap() = Some((session, result));
                Ok::<_, Infallible>(Response::new(String::new()))
            }
        });
        let response = SessionLayer::new(self.module.clone()).layer(application).oneshot(request).await.unwrap();
        let (session, result) = seen.lock().unwrap().take().expect("the application was called");
        let set_cookies = response.headers().get_all(SET_COOKIE).iter().cloned().collect();
        let visit = Visit { session, set_cookies, headers: response.headers().clone() };
        (visit, result)
    }

    pub(crate) async fn sign_in(&mut self) -> Result<ActiveSession, Error> {
        self.sign_in_as(SignIn::new(alice())).await
    }

    pub(crate) async fn sign_in_as(&mut self, sign_in: SignIn) -> Result<ActiveSession, Error> {
        self.visit_with(async move |session| session.sign_in(sign_in.clone()).await).await.1
    }

    pub(crate) async fn sign_out(&mut self) -> (Visit, Result<(), Error>) {
        self.visit_with(async |session| session.sign_out().await).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.module.now()
    }

    /// What is in the cache for a session.
    pub(crate) async fn cached(&self, session: &ActiveSession) -> Option<CachedToken> {
        self.cache.store.get(&SessionTokenCacheKey::of(session.token()), self.now()).await.unwrap()
    }
}

/// The native format with keys that nobody else has.
pub(crate) fn native_format() -> Arc<dyn TokenFormat> {
    Arc::new(native())
}

fn native() -> NativeFormat {
    let start = "2030-01-01T08:00:00Z".parse().unwrap();
    let ring = KeyRing::in_memory(RotationPolicy::default(), start, &fresh_random()).unwrap();
    NativeFormat::new(Arc::new(ring))
}

/// The format of WIF behind a machine key that nobody else has.
pub(crate) fn wif_format() -> Arc<dyn TokenFormat> {
    Arc::new(WifFormat::new(machine_key_transforms()))
}

/// A machine key that nobody else has.
pub(crate) fn machine_key_transforms() -> CookieTransforms {
    let mut key = [0; 32];
    fresh_random().fill(&mut key).unwrap();
    let key: String = key.iter().map(|byte| format!("{byte:02X}")).collect();
    let xml = format!(
        r#"<machineKey validation="HMACSHA256" decryption="AES" validationKey="{key}" decryptionKey="{key}" />"#
    );
    let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&xml).unwrap()]).unwrap();
    CookieTransforms::new(vec![Arc::new(Deflate::default()), Arc::new(machine_key)]).unwrap()
}

fn fresh_random() -> DeterministicRandom {
    static SEED: AtomicU64 = AtomicU64::new(1);
    DeterministicRandom::new(SEED.fetch_add(1, Ordering::Relaxed))
}

/// What came of a request.
pub(crate) struct Visit {
    pub(crate) session: Session,
    pub(crate) set_cookies: Vec<http::HeaderValue>,
    pub(crate) headers: HeaderMap,
}

impl Visit {
    pub(crate) fn name(&self) -> Option<String> {
        Some(self.session.active()?.principal().name()?.to_owned())
    }

    /// The names of cookies that were set, not deleted.
    pub(crate) fn set(&self) -> usize {
        self.set_cookies.len() - self.deleted()
    }

    pub(crate) fn deleted(&self) -> usize {
        self.set_cookies.iter().filter(|header| header.to_str().unwrap().contains("Max-Age=0")).count()
    }
}

pub(crate) fn alice() -> ClaimsPrincipal {
    named("alice")
}

pub(crate) fn named(name: &str) -> ClaimsPrincipal {
    ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, name).with_issuer("sts")).into()
}

/// Somebody with so many claims that the session takes three cookies of 1000 characters.
pub(crate) fn many_claims() -> ClaimsPrincipal {
    // Values that no compression shortens.
    let roles = (0..20_u8).map(|i| Claim::new(claim_types::ROLE, format!("{:?}", [sha256(&[i]), sha256(&[i, i])])));
    ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "bob")).with_claims(roles).into()
}

pub(crate) fn cookie_headers(text: &str) -> HeaderMap {
    HeaderMap::from_iter([(COOKIE, text.parse().unwrap())])
}

/// Events that note what happened and do as they are told.
#[derive(Default)]
pub(crate) struct Recorder {
    log: Mutex<Vec<String>>,
    pub(crate) on_received: Mutex<Option<OnReceived>>,
    pub(crate) on_created: Mutex<Option<OnCreated>>,
    pub(crate) swallow_errors: AtomicBool,
    pub(crate) background: AtomicBool,
    pub(crate) overflows: AtomicUsize,
    /// Why a token was written last.
    pub(crate) occasion: Mutex<Option<Occasion>>,
}

type OnReceived = Box<dyn Fn(&SessionSecurityToken, Timestamp) -> Received + Send>;
type OnCreated = Box<dyn Fn(&mut Created) + Send>;

impl Recorder {
    fn note(&self, event: impl Into<String>) {
        self.log.lock().unwrap().push(event.into());
    }

    /// What happened since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    pub(crate) fn when_received(&self, act: impl Fn(&SessionSecurityToken, Timestamp) -> Received + Send + 'static) {
        *self.on_received.lock().unwrap() = Some(Box::new(act));
    }

    pub(crate) fn when_created(&self, act: impl Fn(&mut Created) + Send + 'static) {
        *self.on_created.lock().unwrap() = Some(Box::new(act));
    }
}

impl SessionEvents for Recorder {
    fn received(&self, token: &SessionSecurityToken, _: RequestHead<'_>, now: Timestamp) -> Received {
        self.note("received");
        self.on_received.lock().unwrap().as_ref().map_or(Received::Keep, |act| act(token, now))
    }

    fn created(&self, event: &mut Created) {
        *self.occasion.lock().unwrap() = Some(event.occasion);
        self.note("created");
        if let Some(act) = self.on_created.lock().unwrap().as_ref() {
            act(event);
        }
    }

    fn claims(&self, principal: ClaimsPrincipal) -> ClaimsPrincipal {
        self.note("claims");
        principal
    }

    fn overflowed(&self, token: &SessionSecurityToken) {
        assert!(token.is_reference_mode());
        self.overflows.fetch_add(1, Ordering::Relaxed);
    }

    fn is_activity(&self, _: RequestHead<'_>) -> bool {
        !self.background.load(Ordering::Relaxed)
    }

    fn signing_out(&self, event: &SignOutEvent<'_>) {
        self.note(format!("signing out: {:?}", event.cause));
    }

    fn signed_out(&self, event: &SignOutEvent<'_>) {
        self.note(format!("signed out: {:?}", event.cause));
    }

    fn sign_out_error(&self, error: &Error) -> SignOutFailure {
        self.note(format!("sign-out error: {}", error.code()));
        if self.swallow_errors.load(Ordering::Relaxed) { SignOutFailure::Swallow } else { SignOutFailure::Report }
    }
}

/// A store that can be made to fail, and whose calls can be watched.
pub(crate) struct Cache {
    pub(crate) store: Box<dyn Store>,
    pub(crate) fails: AtomicBool,
    pub(crate) calls: Mutex<Vec<&'static str>>,
    _folder: Option<TempDir>,
}

/// Sessions that end with the process.
pub(crate) fn in_memory() -> Cache {
    Cache::of(MemoryStore::new(), None)
}

/// Sessions in a file.
pub(crate) fn in_sqlite() -> Cache {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("sessions.db"), native(), SqliteOptions::default()).unwrap();
    Cache::of(store, Some(folder))
}

impl Cache {
    fn of(store: impl Store + 'static, folder: Option<TempDir>) -> Self {
        Self { store: Box::new(store), fails: AtomicBool::default(), calls: Mutex::default(), _folder: folder }
    }

    /// How many sessions there are.
    pub(crate) async fn len(&self, now: Timestamp) -> usize {
        self.store.sessions(&SessionFilter::All, usize::MAX, now).await.unwrap().len()
    }

    /// Ends all sessions.
    pub(crate) async fn clear(&self, now: Timestamp) {
        self.store.end_sessions(&SessionFilter::All, now).await.unwrap();
    }

    fn call(&self, action: &'static str) -> Result<(), TokenError> {
        self.calls.lock().unwrap().push(action);
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError { action, source: "out of order".into() }.into());
        }
        Ok(())
    }
}

#[async_trait::async_trait]
impl SessionTokenCache for Cache {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, TokenError> {
        self.call("write")?;
        self.store.write(key, entry, condition, now).await
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, TokenError> {
        self.call("get")?;
        self.store.get(key, now).await
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, TokenError> {
        self.call("get all")?;
        self.store.get_all(endpoint, context_id, now).await
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), TokenError> {
        self.call("remove")?;
        self.store.remove(key).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), TokenError> {
        self.call("remove endpoint")?;
        self.store.remove_endpoint(endpoint).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, TokenError> {
        self.call("purge")?;
        self.store.purge(now).await
    }
}
