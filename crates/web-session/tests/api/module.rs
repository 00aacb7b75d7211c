//! What does not depend on the way of keeping sessions.

use crate::fixture::{
    AUDIENCE, Fixture, HOUR, MINUTE, Recorder, Way, alice, cookie_headers, in_memory, many_claims, named, native_format,
};
use handstamp_session_token::{
    Carrier, ReplicatedRevocations, Revocation, RevocationCursor, RevocationList, RevocationStore,
    SessionSecurityTokenHandler, SessionSecurityTokenHandlerBuilder,
};
use handstamp_time::{Timestamp, VirtualClock};
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::module::{Admission, Decision, Received};
use handstamp_web_session::{
    Error, OnUnreadable, RequestHead, SessionLayer, SessionMode, SessionModule, SessionSettings, SignIn,
    TransportDetection,
};
use http::header::{COOKIE, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use tower::{Layer, ServiceExt, service_fn};

const NATIVE: Way = Way {
    cookies: || ChunkedCookieHandler::native(CookieSettings::default()).with_chunk_size(1000).unwrap(),
    format: native_format,
    mode: SessionMode::SelfContained,
    store: in_memory,
};

fn tokens() -> SessionSecurityTokenHandlerBuilder {
    SessionSecurityTokenHandler::builder(native_format()).audience(AUDIENCE)
}

fn by_reference() -> SessionSettings {
    SessionSettings::builder().mode(SessionMode::Reference).build().unwrap()
}

#[tokio::test]
async fn sm_22_a_session_too_large_for_cookies_is_refused_or_goes_into_the_cache() {
    let limited = Way { cookies: || (NATIVE.cookies)().with_limits(1, 1000).unwrap(), ..NATIVE };
    let mut app = Fixture::new(limited, SessionSettings::default());
    let error = app.sign_in_as(SignIn::new(many_claims())).await.unwrap_err();
    assert!(matches!(error, Error::SessionTooLarge { .. }));
    assert!(error.to_string().contains("reference mode"));
    assert!(app.browser.names().is_empty());

    let overflow = SessionSettings::builder().overflow_to_reference(true).build().unwrap();
    let mut app = Fixture::new(limited, overflow);
    let large = app.sign_in_as(SignIn::new(many_claims())).await.unwrap();
    assert_eq!(large.mode(), SessionMode::Reference);
    assert_eq!(app.visit().await.session.active().unwrap().principal(), &many_claims());
    let small = app.sign_in().await.unwrap();
    assert_eq!(small.mode(), SessionMode::SelfContained);
}

#[tokio::test]
async fn sm_22_a_session_that_outgrows_its_cookies_goes_into_the_cache() {
    let limited = Way { cookies: || (NATIVE.cookies)().with_limits(1, 1000).unwrap(), ..NATIVE };
    let settings = SessionSettings::builder().overflow_to_reference(true).idle_timeout(30 * MINUTE).build().unwrap();
    let mut app = Fixture::new(limited, settings);
    assert_eq!(app.sign_in().await.unwrap().mode(), SessionMode::SelfContained);
    assert_eq!(app.events.overflows.load(Ordering::Relaxed), 0);
    app.events.when_created(|event| {
        let builder = event.token.reissue().principal(many_claims()).valid_from(event.token.valid_from());
        let builder = builder.valid_to(event.token.valid_to());
        event.token = builder.build(event.token.valid_from(), &handstamp_keys::SystemRandom).unwrap();
    });
    app.clock.advance(16 * MINUTE);
    let visit = app.visit().await;
    assert_eq!((visit.session.active().unwrap().mode(), visit.set()), (SessionMode::Reference, 1));
    assert_eq!(app.events.overflows.load(Ordering::Relaxed), 1);
    *app.events.on_created.lock().unwrap() = None;
    app.clock.advance(16 * MINUTE);
    assert_eq!(app.visit().await.session.active().unwrap().principal(), &many_claims());
}

#[tokio::test]
async fn each_session_may_have_a_mode_of_its_own() {
    let mut app = Fixture::new(NATIVE, SessionSettings::default());
    let session = app.sign_in_as(SignIn::new(alice()).mode(SessionMode::Reference)).await.unwrap();
    assert!(app.cached(&session).await.is_some());
    assert_eq!(app.visit().await.session.active().unwrap().mode(), SessionMode::Reference);
    app.sign_in_as(SignIn::new(alice()).mode(SessionMode::SelfContained)).await.unwrap();
    assert!(app.cached(&session).await.is_none(), "the previous session has ended");
    assert_eq!(app.visit().await.session.active().unwrap().mode(), SessionMode::SelfContained);
}

#[tokio::test]
async fn sm_48_a_cache_that_does_not_answer_costs_no_session() {
    let mut app = Fixture::new(NATIVE, by_reference());
    app.sign_in().await.unwrap();
    app.cache.fails.store(true, Ordering::Relaxed);
    let visit = app.visit().await;
    assert!(visit.session.is_anonymous());
    assert_eq!(visit.session.rejection().unwrap().code(), "HST-STORE-FAILED");
    assert!(visit.set_cookies.is_empty());
    app.cache.fails.store(false, Ordering::Relaxed);
    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn sm_6_a_cache_miss_is_dropped() {
    let mut app = Fixture::new(NATIVE, by_reference());
    app.sign_in().await.unwrap();
    app.cache.clear(app.now()).await;
    let visit = app.visit().await;
    assert!(visit.session.is_anonymous() && visit.session.rejection().is_none());
    assert!(app.browser.names().is_empty());
}

#[tokio::test]
async fn the_cache_is_asked_only_after_the_cookie_has_been_verified() {
    let mut app = Fixture::new(NATIVE, by_reference());
    app.sign_in().await.unwrap();
    app.cache.calls.lock().unwrap().clear();
    let cookie = app.browser.cookies().first().unwrap().clone();
    let tampered = format!("{}=A{}", cookie.name, &cookie.value[1..]);
    app.send(cookie_headers(&tampered), async |_| ()).await;
    assert!(app.cache.calls.lock().unwrap().is_empty());
}

#[tokio::test]
async fn self_contained_sessions_never_ask_the_cache() {
    let settings = SessionSettings::builder().idle_timeout(30 * MINUTE).build().unwrap();
    let mut app = Fixture::new(NATIVE, settings);
    app.sign_in().await.unwrap();
    app.clock.advance(16 * MINUTE);
    assert_eq!(app.visit().await.set(), 1);
    app.sign_out().await.1.unwrap();
    assert!(app.cache.calls.lock().unwrap().is_empty());
}

/// Two tabs that ask at once: both have read the cache entry, neither has renewed it.
struct Tabs {
    app: Fixture,
    requests: [Request<()>; 2],
    decisions: Vec<Decision>,
}

impl Tabs {
    async fn about_to_slide(sign_in: SignIn) -> Self {
        let settings = SessionSettings::builder().mode(SessionMode::Reference).idle_timeout(30 * MINUTE);
        let mut app = Fixture::new(NATIVE, settings.build().unwrap());
        app.sign_in_as(sign_in).await.unwrap();
        app.clock.advance(16 * MINUTE);
        let mut request = Request::builder().uri("https://app.example/").body(()).unwrap();
        request.headers_mut().extend(app.browser.request("/"));
        let requests = [request.clone(), request];
        let mut decisions = Vec::new();
        for request in &requests {
            let head = RequestHead::from(request);
            let Decision::Fetch(fetch) = app.module.decide(head, app.now()) else { panic!("a reference") };
            let found = app.module.cache().unwrap().get(fetch.key(), app.now()).await;
            let decision = app.module.decide_fetched(&fetch, found, head, app.now());
            assert!(matches!(decision, Decision::Renew(_)));
            decisions.push(decision);
        }
        Self { app, requests, decisions }
    }

    async fn carry_out(&mut self) -> Vec<Admission> {
        let mut admissions = Vec::new();
        for (decision, request) in self.decisions.drain(..).zip(&self.requests) {
            let now = self.app.now();
            admissions.push(self.app.module.carry_out(decision, RequestHead::from(request), now).await);
        }
        admissions
    }
}

#[tokio::test]
async fn two_tabs_that_slide_at_once_go_on_with_one_session() {
    let mut tabs = Tabs::about_to_slide(SignIn::new(alice())).await;
    let admissions = tabs.carry_out().await;
    let [first, second] = &admissions[..] else { panic!("two answers") };
    assert_eq!(first.active.as_ref().unwrap().remaining(), 30 * MINUTE);
    assert_eq!(first.active.as_ref().unwrap().token(), second.active.as_ref().unwrap().token());
    assert!(admissions.iter().all(|admission| admission.set_cookies.is_empty()));
    assert_eq!(tabs.app.cache.len(tabs.app.now()).await, 1);
    tabs.app.clock.advance(29 * MINUTE);
    assert_eq!(tabs.app.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_persistent_cookie_moves_with_its_session_and_keeps_its_handle() {
    let mut tabs = Tabs::about_to_slide(SignIn::new(alice()).persistent(true)).await;
    let cookies: Vec<usize> = tabs.carry_out().await.iter().map(|admission| admission.set_cookies.len()).collect();
    assert_eq!(cookies, [1, 0]);
    let before = tabs.app.browser.request("/");
    tabs.app.clock.advance(16 * MINUTE);
    assert_eq!(tabs.app.visit().await.set(), 1);
    assert_eq!(tabs.app.send(before, async |_| ()).await.0.name().as_deref(), Some("alice"), "the same session");
}

#[tokio::test]
async fn a_session_that_ends_while_it_slides_has_ended() {
    let mut tabs = Tabs::about_to_slide(SignIn::new(alice())).await;
    tabs.app.sign_out().await.1.unwrap();
    for admission in tabs.carry_out().await {
        assert!(admission.active.is_none() && admission.rejection.is_none());
        assert!(!admission.set_cookies.is_empty(), "the cookie is deleted");
    }
    assert_eq!(tabs.app.cache.len(tabs.app.now()).await, 0, "nothing comes back");
}

#[tokio::test]
async fn a_store_that_fails_while_a_session_slides_leaves_it_as_it_is() {
    let mut tabs = Tabs::about_to_slide(SignIn::new(alice())).await;
    tabs.app.cache.fails.store(true, Ordering::Relaxed);
    for admission in tabs.carry_out().await {
        assert_eq!(admission.active.unwrap().remaining(), 14 * MINUTE);
        assert!(admission.set_cookies.is_empty());
    }
    tabs.app.cache.fails.store(false, Ordering::Relaxed);
    assert_eq!(tabs.app.visit().await.session.active().unwrap().remaining(), 30 * MINUTE);
}

#[tokio::test]
async fn sm_4_of_parallel_reissues_one_replaces_the_entry() {
    let settings = SessionSettings::builder().mode(SessionMode::Reference).build().unwrap();
    let mut app = Fixture::new(NATIVE, settings);
    app.sign_in().await.unwrap();
    app.events.when_received(|token, _| Received::Reissue(Box::new(token.clone())));
    let mut request = Request::builder().uri("https://app.example/").body(()).unwrap();
    request.headers_mut().extend(app.browser.request("/"));
    let head = RequestHead::from(&request);
    let mut decisions = Vec::new();
    for _ in 0..2 {
        let Decision::Fetch(fetch) = app.module.decide(head, app.now()) else { panic!("a reference") };
        let found = app.module.cache().unwrap().get(fetch.key(), app.now()).await;
        decisions.push(app.module.decide_fetched(&fetch, found, head, app.now()));
    }
    let mut cookies = Vec::new();
    for decision in decisions {
        let admission = app.module.carry_out(decision, head, app.now()).await;
        assert!(admission.active.is_some());
        cookies.push(admission.set_cookies.len());
    }
    assert_eq!(cookies, [1, 0]);
    assert_eq!(app.cache.len(app.now()).await, 2, "the old and the new; the loser left nothing behind");
}

#[tokio::test]
async fn the_decision_alone_needs_neither_cache_nor_executor() {
    let mut app = Fixture::new(NATIVE, SessionSettings::builder().idle_timeout(30 * MINUTE).build().unwrap());
    app.sign_in().await.unwrap();
    let request = app.browser.request("/");
    let decide = |headers: &HeaderMap, at: Timestamp| {
        let mut request = Request::builder().uri("/").body(()).unwrap();
        *request.headers_mut() = headers.clone();
        format!("{:?}", app.module.decide(RequestHead::from(&request), at)).split('(').next().unwrap().to_owned()
    };
    let start = app.now();
    let at = |minutes| start.saturating_add(minutes * MINUTE);
    assert_eq!(decide(&HeaderMap::new(), start), "Anonymous");
    assert_eq!(decide(&request, at(14)), "Active");
    assert_eq!(decide(&request, at(15)), "Renew");
    assert_eq!(decide(&request, at(31)), "Expired");
    assert_eq!(decide(&request, start.saturating_sub(HOUR)), "Drop");
    assert_eq!(decide(&cookie_headers("__Host-session=AAAA"), start), "Drop");
}

#[tokio::test]
async fn a_path_that_differs_by_case_is_corrected_when_asked_for() {
    let cookies = || ChunkedCookieHandler::wif(CookieSettings::builder("FedAuth").path("/App").build().unwrap());
    for correct in [true, false] {
        let settings = SessionSettings::builder().correct_path_case(correct).build().unwrap();
        let app = Fixture::new(Way { cookies, ..NATIVE }, settings);
        let inner = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::new())));
        let service = SessionLayer::new(app.module.clone()).layer(inner);
        for (method, uri, redirected) in [
            ("GET", "/app/Orders?x=1", correct),
            ("POST", "/app/Orders?x=1", false),
            ("GET", "/App/Orders?x=1", false),
            ("GET", "/apple", false),
        ] {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            let response = service.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status() == StatusCode::FOUND, redirected, "{method} {uri}");
            if redirected {
                assert_eq!(response.headers().get(LOCATION).unwrap(), "/App/Orders?x=1");
            }
        }
    }
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let refused = |builder: handstamp_web_session::module::SessionModuleBuilder| builder.build().unwrap_err().code();
    let module = || SessionModule::builder(tokens().build().unwrap());
    assert_eq!(refused(module().settings(by_reference())), "HST-SESSION-NO-CACHE");
    let overflow = SessionSettings::builder().overflow_to_reference(true).build().unwrap();
    assert_eq!(refused(module().settings(overflow)), "HST-SESSION-NO-CACHE");
    let fed_auth = ChunkedCookieHandler::wif(CookieSettings::wif());
    assert_eq!(refused(module().cookies(fed_auth)), "HST-SESSION-CARRIER");
    let header = tokens().carrier(Carrier::SecurityHeader).build().unwrap();
    assert_eq!(refused(SessionModule::builder(header)), "HST-SESSION-CARRIER");
    let replicated = Arc::new(ReplicatedRevocations::new(Arc::default(), Arc::<Published>::default()));
    assert_eq!(refused(module().revocations(replicated)), "HST-SESSION-REVOCATIONS");
    assert!(module().build().is_ok());
}

#[tokio::test]
async fn sm_13_sign_outs_reach_the_other_nodes() {
    let (list, published) = (Arc::<RevocationList>::default(), Arc::<Published>::default());
    let module = SessionModule::builder(tokens().revocations(list.clone()).build().unwrap())
        .revocations(Arc::new(ReplicatedRevocations::new(list, published.clone())))
        .clock(Arc::new(VirtualClock::new("2030-01-01T09:00:00Z".parse().unwrap())))
        .build()
        .unwrap();
    let request = Request::builder().uri("https://app.example/").body(()).unwrap();
    let (browser, now) = (module.browser(RequestHead::from(&request)), module.now());
    let session = module.sign_in(SignIn::new(alice()), None, browser, now).await.unwrap().active.unwrap();
    let cause = handstamp_web_session::module::SignOutCause::Issuer;
    module.sign_out(Some(&session), cause, browser, now).await.1.unwrap();
    assert_eq!(published.0.lock().unwrap().len(), 2, "the token and everything that slid from it");
    assert_eq!(module.tokens().validate(session.token(), now).unwrap_err().code(), "HST-TOKEN-REVOKED");
}

#[tokio::test]
async fn sm_23_forwarded_headers_count_when_configured() {
    let settings = SessionSettings::builder().transport(TransportDetection::ForwardedHeader).build().unwrap();
    let app = Fixture::new(NATIVE, settings);
    for (scheme, works) in [("https", true), ("http", false)] {
        let request =
            Request::builder().uri("/").header("host", "app.example").header("x-forwarded-proto", scheme).body(());
        let action =
            async |session: handstamp_web_session::Session| session.sign_in(SignIn::new(alice())).await.is_ok();
        assert_eq!(app.send_request(request.unwrap(), action).await.1, works, "{scheme}");
    }
}

#[tokio::test]
async fn sign_in_reports_what_only_the_application_can_mend() {
    let mut app = Fixture::new(NATIVE, SessionSettings::default());
    let over = SignIn::new(alice()).issuer_expiry(app.now());
    assert_eq!(app.sign_in_as(over).await.unwrap_err().code(), "HST-TOKEN-VALID-FROM");
    let nobody = SignIn::new(handstamp_claims::ClaimsPrincipal::new(Vec::new()));
    assert_eq!(app.sign_in_as(nobody).await.unwrap_err().code(), "HST-TOKEN-NO-IDENTITY");
    assert!(app.browser.names().is_empty());
}

#[tokio::test]
async fn a_failed_sign_in_leaves_nobody_signed_in() {
    let mut app = Fixture::new(NATIVE, SessionSettings::default());
    app.sign_in().await.unwrap();
    let over = SignIn::new(named("bob")).issuer_expiry(app.now());
    let (visit, result) = app.visit_with(async move |session| session.sign_in(over.clone()).await.map(drop)).await;
    assert!(result.is_err());
    assert!(visit.session.is_anonymous());
    assert!(app.visit().await.session.is_anonymous(), "the previous session has ended");
}

proptest! {
    #[test]
    fn any_cookie_header_is_decided_about(text in "(__Host-session[0-9]?=[A-Za-z0-9_.-]{0,60}; ?){0,6}", strict: bool) {
        let policy = if strict { OnUnreadable::Strict } else { OnUnreadable::Drop };
        let module = SessionModule::builder(tokens().build().unwrap())
            .settings(SessionSettings::builder().on_unreadable(policy).build().unwrap())
            .events(Arc::<Recorder>::default())
            .cache(Arc::new(in_memory()))
            .build()
            .unwrap();
        let mut request = Request::builder().uri("/").body(()).unwrap();
        request.headers_mut().insert(COOKIE, HeaderValue::from_str(&text).unwrap());
        let has_cookie = module.cookies().contains(RequestHead::from(&request).cookies());
        let decision = module.decide(RequestHead::from(&request), Timestamp::UNIX_EPOCH);
        let expected = match decision {
            Decision::Anonymous => !has_cookie,
            Decision::Drop(_) => has_cookie && !strict,
            Decision::Reject(_) => has_cookie && strict,
            _ => false,
        };
        prop_assert!(expected);
    }
}

/// What a store was told.
#[derive(Default)]
struct Published(Mutex<Vec<Revocation>>);

#[async_trait::async_trait]
impl RevocationStore for Published {
    async fn publish(&self, revocation: &Revocation, _: Timestamp) -> Result<(), handstamp_session_token::Error> {
        self.0.lock().unwrap().push(*revocation);
        Ok(())
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        _: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), handstamp_session_token::Error> {
        Ok((Vec::new(), cursor))
    }

    async fn purge_revocations(&self, _: Timestamp) -> Result<usize, handstamp_session_token::Error> {
        Ok(0)
    }
}
