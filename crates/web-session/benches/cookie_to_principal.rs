//! What a session costs each request: from the `Cookie` header to the principal.
//!
//! `open only` is the cryptography and decoding by themselves, so the difference to `decide` is what this crate adds.

use criterion::{Criterion, criterion_group, criterion_main};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Opened, SessionSecurityTokenHandler};
use handstamp_testkit::principals::alice;
use handstamp_time::{Clock, SystemClock};
use handstamp_web_session::cookie::{
    ChunkedCookieHandler, CookieHandler, CookieLifetime, CookieSettings, RequestCookies,
};
use handstamp_web_session::module::Decision;
use handstamp_web_session::{RequestHead, Session, SessionLayer, SessionModule, SessionSettings, SignIn};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::convert::Infallible;
use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tower::{Layer, Service, service_fn};

fn bench(criterion: &mut Criterion) {
    let now = SystemClock.now();
    let ring = KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom).expect("randomness");
    let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
        .audience("https://orders.example/")
        .build()
        .expect("settings");
    let module = Arc::new(SessionModule::builder(tokens.clone()).build().expect("settings"));
    let settings = SessionSettings::builder().verified_tokens(0).build().expect("settings");
    let forgetful = Arc::new(SessionModule::builder(tokens).settings(settings).build().expect("settings"));
    let request = signed_in(&module);
    let sealed = {
        let mut sealed = Vec::new();
        module.cookies().read(RequestCookies::new(request.headers()), 0, &mut sealed).expect("our own cookie");
        sealed
    };

    let mut group = criterion.benchmark_group("cookie_to_principal");
    group.bench_function("open only, 12 claims", |bencher| {
        bencher.iter(|| match module.tokens().open(sealed.clone(), now) {
            Ok(Opened::Token(token)) => token,
            other => panic!("{other:?}"),
        });
    });
    for (name, module) in [("decide, 12 claims", &forgetful), ("decide, 12 claims, cookie seen before", &module)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| match module.decide(RequestHead::from(&request), now) {
                Decision::Active(active) => active,
                other => panic!("{other:?}"),
            });
        });
    }
    let anonymous = Request::builder().uri("/").header(COOKIE, OTHER_COOKIES).body(()).expect("a request");
    group.bench_function("decide, anonymous", |bencher| {
        bencher.iter(|| module.decide(RequestHead::from(&anonymous), now));
    });
    for (name, module) in [("layer, 12 claims", forgetful), ("layer, 12 claims, cookie seen before", module)] {
        let mut service = SessionLayer::new(module).layer(service_fn(|request: Request<()>| {
            black_box(request.extensions().get::<Session>().is_some_and(|session| !session.is_anonymous()));
            ready(Ok::<_, Infallible>(Response::new(())))
        }));
        group.bench_function(name, |bencher| {
            let mut context = Context::from_waker(Waker::noop());
            bencher.iter(|| match pin!(service.call(request.clone())).poll(&mut context) {
                Poll::Ready(Ok(response)) => response,
                Poll::Ready(Err(never)) => match never {},
                Poll::Pending => panic!("a self-contained session waits for nothing"),
            });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("join_cookies");
    for (name, handler) in [
        ("native, 450 characters", ChunkedCookieHandler::native(CookieSettings::default())),
        ("WIF, 2700 characters in two", ChunkedCookieHandler::wif(CookieSettings::wif())),
    ] {
        let len = if name.starts_with("WIF") { 2025 } else { 338 };
        let headers = cookies(&handler.write(&vec![7; len], CookieLifetime::BrowserSession, none()).expect("it fits"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut token = Vec::new();
                assert_eq!(handler.read(RequestCookies::new(&headers), 0, &mut token), Ok(true));
                token
            });
        });
    }
    group.finish();
}

/// A request of somebody with the twelve claims that the size of tokens is measured with.
fn signed_in(module: &SessionModule) -> Request<()> {
    let mut request = Request::builder().uri("https://orders.example/").body(()).expect("a request");
    let browser = module.browser(RequestHead::from(&request));
    let sign_in = pin!(module.sign_in(SignIn::new(alice().into()), None, browser, module.now()))
        .poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Ok(admission)) = sign_in else { panic!("{sign_in:?}") };
    *request.headers_mut() = cookies(&admission.set_cookies);
    request
}

/// One `Cookie` header, with cookies of others before ours.
fn cookies(set_cookies: &[HeaderValue]) -> HeaderMap {
    let ours = set_cookies.iter().filter_map(|cookie| cookie.to_str().ok()?.split("; ").next());
    let pairs: Vec<_> = [OTHER_COOKIES].into_iter().chain(ours).collect();
    HeaderMap::from_iter([(COOKIE, pairs.join("; ").parse().expect("a header"))])
}

fn none() -> RequestCookies<'static> {
    RequestCookies::from_values(&[])
}

const OTHER_COOKIES: &str = "_ga=GA1.1.1234567890.1700000000; theme=dark; lang=en-GB; consent=all";

criterion_group!(benches, bench);
criterion_main!(benches);
