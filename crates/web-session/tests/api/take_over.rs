//! Two kinds of cookies at once: sessions go over from one to the other, and nobody signs in again.

use crate::browser::Browser;
use crate::fixture::{
    Cache, Fixture, HOUR, MINUTE, Recorder, alice, cookie_headers, in_memory, in_sqlite, machine_key_transforms,
    many_claims, named, native_format,
};
use handstamp_session_token::wif::WifFormat;
use handstamp_session_token::{
    Carrier, RevocationList, SessionSecurityTokenHandler, SessionSecurityTokenHandlerBuilder, TokenFormat,
};
use handstamp_time::VirtualClock;
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::module::{Occasion, Received, SessionSettingsBuilder};
use handstamp_web_session::{ActiveSession, SessionMode, SessionModule, SessionSettings, SignIn};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const NATIVE_SCOPE: &str = "https://app.example/";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Native,
    Wif,
}

/// What all nodes of a site have in common, whatever they write.
struct Site {
    clock: Arc<VirtualClock>,
    cache: Arc<Cache>,
    native: Arc<dyn TokenFormat>,
    wif: Arc<dyn TokenFormat>,
    /// The scope of WIF's tokens; empty as WIF makes them.
    wif_scope: &'static str,
    revocations: Arc<RevocationList>,
}

impl Site {
    fn new() -> Self {
        Self::with(in_memory(), "")
    }

    fn with(cache: Cache, wif_scope: &'static str) -> Self {
        Self {
            clock: Arc::new(VirtualClock::new("2030-01-01T09:00:00Z".parse().unwrap())),
            cache: Arc::new(cache),
            native: native_format(),
            wif: Arc::new(WifFormat::new(machine_key_transforms()).with_unauthenticated_references()),
            wif_scope,
            revocations: Arc::default(),
        }
    }

    fn tokens(&self, kind: Kind) -> SessionSecurityTokenHandlerBuilder {
        let (format, cookie, scope) = match kind {
            Kind::Native => (&self.native, "__Host-session", NATIVE_SCOPE),
            Kind::Wif => (&self.wif, "FedAuth", self.wif_scope),
        };
        SessionSecurityTokenHandler::builder(format.clone())
            .carrier(Carrier::Cookie(cookie.into()))
            .audience(scope)
            .require_endpoint_scope(kind == Kind::Native)
            .revocations(self.revocations.clone())
    }

    fn cookies(kind: Kind) -> ChunkedCookieHandler {
        match kind {
            Kind::Native => ChunkedCookieHandler::native(CookieSettings::default()),
            Kind::Wif => ChunkedCookieHandler::wif(CookieSettings::wif()),
        }
    }

    /// A node that knows one kind.
    fn old(&self, written: Kind, settings: SessionSettingsBuilder) -> Fixture {
        self.node(written, None, settings)
    }

    /// A node that writes one kind and reads the other, too.
    fn new_node(&self, written: Kind, settings: SessionSettingsBuilder) -> Fixture {
        let other = if written == Kind::Native { Kind::Wif } else { Kind::Native };
        self.node(written, Some(other), settings)
    }

    fn node(&self, written: Kind, accepted: Option<Kind>, settings: SessionSettingsBuilder) -> Fixture {
        let events = Arc::<Recorder>::default();
        let mut module = SessionModule::builder(self.tokens(written).build().unwrap())
            .cookies(Self::cookies(written))
            .settings(settings.build().unwrap())
            .cache(self.cache.clone())
            .events(events.clone())
            .clock(self.clock.clone());
        if let Some(kind) = accepted {
            module = module.accept(self.tokens(kind).build().unwrap(), Self::cookies(kind));
        }
        Fixture {
            browser: Browser::default(),
            clock: self.clock.clone(),
            cache: self.cache.clone(),
            events,
            module: Arc::new(module.build().unwrap()),
        }
    }
}

fn settings() -> SessionSettingsBuilder {
    SessionSettings::builder()
}

fn by_reference() -> SessionSettingsBuilder {
    settings().mode(SessionMode::Reference)
}

fn base_names(app: &Fixture) -> Vec<String> {
    let mut names: Vec<String> =
        app.browser.names().iter().map(|name| name.trim_end_matches(char::is_numeric).to_owned()).collect();
    names.dedup();
    names
}

fn cookie_of(kind: Kind) -> &'static str {
    if kind == Kind::Native { "__Host-session" } else { "FedAuth" }
}

/// Signs somebody in at a node that writes `from`, and lets the browser ask one that writes the other kind.
async fn gone_over(site: &Site, from: Kind, sign_in: SignIn) -> (ActiveSession, Fixture) {
    let mut old = site.old(from, settings());
    let before = old.sign_in_as(sign_in).await.unwrap();
    let to = if from == Kind::Native { Kind::Wif } else { Kind::Native };
    let mut new = site.new_node(to, settings());
    new.browser = old.browser;
    (before, new)
}

#[tokio::test]
async fn a_session_goes_on_in_the_cookie_that_is_written_in_both_directions() {
    for from in [Kind::Wif, Kind::Native] {
        let site = Site::new();
        let sign_in = SignIn::new(many_claims()).persistent(true).context("ours");
        let (before, mut app) = gone_over(&site, from, sign_in).await;
        assert_eq!(base_names(&app), [cookie_of(from)]);
        site.clock.advance(MINUTE);
        let visit = app.visit().await;
        let after = visit.session.active().unwrap();
        assert_eq!(after.principal(), before.principal());
        assert_eq!(after.token().context_id(), before.token().context_id(), "the same session");
        assert_eq!((after.signed_in_at(), after.expires_at()), (before.signed_in_at(), before.expires_at()));
        assert_eq!(after.context(), before.context());
        assert!(after.token().is_persistent());
        assert_eq!(after.token().endpoint(), app.module.tokens().scope());
        assert!(visit.set() > 0 && visit.deleted() > 0);
        assert!(base_names(&app).iter().all(|name| name != cookie_of(from)), "the other kind is gone");
        assert_eq!(*app.events.occasion.lock().unwrap(), Some(Occasion::TakeOver));
        let again = app.visit().await;
        assert_eq!(again.session.active().unwrap().token(), after.token());
        assert!(again.set_cookies.is_empty());
    }
}

#[tokio::test]
async fn a_session_survives_there_and_back_again() {
    let site = Site::new();
    let sliding = || settings().idle_timeout(30 * MINUTE).absolute_timeout(2 * HOUR);
    let mut nodes = [site.new_node(Kind::Native, sliding()), site.new_node(Kind::Wif, sliding())];
    nodes[0].sign_in().await.unwrap();
    let mut browser = nodes[0].browser.clone();
    for turn in 1..8 {
        site.clock.advance(16 * MINUTE);
        let node = &mut nodes[turn % 2];
        node.browser = browser;
        assert_eq!(node.visit().await.name().as_deref(), Some("alice"), "turn {turn}");
        assert_eq!(base_names(node).len(), 1);
        browser = node.browser.clone();
    }
    let node = &mut nodes[0];
    node.browser = browser;
    site.clock.advance(16 * MINUTE);
    assert!(node.visit().await.session.is_anonymous(), "the absolute timeout holds in every format");
}

#[tokio::test]
async fn an_answer_that_gets_lost_and_requests_at_once_make_one_session() {
    let site = Site::new();
    let (before, mut app) = gone_over(&site, Kind::Wif, SignIn::new(alice())).await;
    let request = app.browser.request("/");
    for _ in 0..2 {
        let (lost, ()) = app.send(request.clone(), async |_| ()).await;
        let session = lost.session.active().unwrap();
        assert_eq!(session.token().context_id(), before.token().context_id());
    }
    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn sm_13_a_sign_out_ends_the_session_in_every_format() {
    for from in [Kind::Wif, Kind::Native] {
        let site = Site::new();
        let (_, mut app) = gone_over(&site, from, SignIn::new(alice())).await;
        let old_copy = app.browser.request("/");
        app.visit().await;
        let new_copy = app.browser.request("/");
        app.sign_out().await.1.unwrap();
        assert!(app.browser.names().is_empty());
        for copy in [old_copy, new_copy] {
            assert!(app.send(copy, async |_| ()).await.0.session.is_anonymous());
        }
    }
}

#[tokio::test]
async fn sm_11_sm_36_signing_out_and_in_leaves_no_cookie_of_the_other_kind() {
    let site = Site::new();
    let (_, mut app) = gone_over(&site, Kind::Wif, SignIn::new(many_claims())).await;
    app.sign_out().await.1.unwrap();
    assert!(app.browser.names().is_empty());
    let (_, mut app) = gone_over(&site, Kind::Wif, SignIn::new(many_claims())).await;
    app.sign_in_as(SignIn::new(named("bob"))).await.unwrap();
    assert_eq!(base_names(&app), ["__Host-session"]);
    assert_eq!(app.visit().await.name().as_deref(), Some("bob"));
}

#[tokio::test]
async fn sm_6_a_damaged_cookie_of_either_kind_is_a_clean_sign_in() {
    let site = Site::new();
    let (_, app) = gone_over(&site, Kind::Wif, SignIn::new(alice())).await;
    for text in ["FedAuth=AAAA", "FedAuth=77u/PD94bWw", "FedAuth=%; FedAuth1=x", "__Host-session=AAAA; FedAuth=AAAA"] {
        let (visit, ()) = app.send(cookie_headers(text), async |_| ()).await;
        assert!(visit.session.is_anonymous() && visit.session.rejection().is_none(), "{text}");
        assert_eq!(visit.set(), 0);
        let deleted = |name: &str| {
            visit.set_cookies.iter().any(|header| header.to_str().unwrap().starts_with(&format!("{name}=;")))
        };
        assert!(deleted("FedAuth") && deleted("FedAuth1"), "{text}: {:?}", visit.set_cookies);
    }
}

#[tokio::test]
async fn a_good_cookie_of_the_other_kind_is_found_behind_a_bad_one() {
    let site = Site::new();
    let (_, mut app) = gone_over(&site, Kind::Wif, SignIn::new(alice())).await;
    let good = app.browser.cookie_header("/").unwrap();
    let headers = cookie_headers(&format!("__Host-session=AAAA; {}", good.to_str().unwrap()));
    let (visit, ()) = app.send(headers, async |_| ()).await;
    assert_eq!(visit.name().as_deref(), Some("alice"));
    assert_eq!(visit.set(), 1);

    // A handle that leads nowhere.
    let mut other = site.old(Kind::Native, by_reference());
    let gone = other.sign_in().await.unwrap();
    let handle = other.browser.cookie_header("/").unwrap();
    other.cache.clear(gone.signed_in_at()).await;
    let both = format!("{}; {}", handle.to_str().unwrap(), good.to_str().unwrap());
    let (visit, ()) = app.send(cookie_headers(&both), async |_| ()).await;
    assert_eq!(visit.name().as_deref(), Some("alice"));
    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_reference_of_wif_leads_to_the_shared_cache_and_becomes_a_sealed_one() {
    for (store, from) in [(in_memory as fn() -> Cache, Kind::Wif), (in_sqlite, Kind::Wif), (in_sqlite, Kind::Native)] {
        // One scope: one cache entry, whichever cookie names it.
        let site = Site::with(store(), NATIVE_SCOPE);
        let mut old = site.old(from, by_reference());
        let before = old.sign_in().await.unwrap();
        let to = if from == Kind::Native { Kind::Wif } else { Kind::Native };
        let mut app = site.new_node(to, by_reference());
        app.browser = old.browser;
        let copy = app.browser.request("/");
        let visit = app.visit().await;
        let after = visit.session.active().unwrap();
        assert_eq!(after.mode(), SessionMode::Reference);
        assert_eq!(after.token().context_id(), before.token().context_id());
        assert_eq!((visit.set(), base_names(&app)), (1, vec![cookie_of(to).to_owned()]));
        assert_eq!(app.cache.len(app.now()).await, 1);
        assert_eq!(app.send(copy.clone(), async |_| ()).await.0.name().as_deref(), Some("alice"));
        assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
        app.sign_out().await.1.unwrap();
        assert!(app.send(copy, async |_| ()).await.0.session.is_anonymous());
    }
}

#[tokio::test]
async fn a_reference_of_another_scope_gets_an_entry_of_its_own() {
    let site = Site::with(in_memory(), "/orders");
    let mut old = site.old(Kind::Wif, by_reference());
    old.sign_in().await.unwrap();
    let mut app = site.new_node(Kind::Native, by_reference());
    app.browser = old.browser;
    let copy = app.browser.request("/");
    let visit = app.visit().await;
    assert_eq!(visit.session.active().unwrap().token().endpoint().as_str(), NATIVE_SCOPE);
    assert_eq!(app.send(copy, async |_| ()).await.0.name().as_deref(), Some("alice"));
    assert_eq!(app.cache.len(app.now()).await, 2, "the old one serves requests on their way");
    site.clock.advance(Duration::from_secs(21));
    assert_eq!(app.cache.len(app.now()).await, 1);
    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn sessions_take_the_mode_of_the_settings() {
    let site = Site::new();
    let mut old = site.old(Kind::Wif, settings());
    old.sign_in().await.unwrap();
    let mut app = site.new_node(Kind::Native, by_reference());
    app.browser = old.browser;
    let copy = app.browser.request("/");
    assert_eq!(app.visit().await.session.active().unwrap().mode(), SessionMode::Reference);
    let (second, ()) = app.send(copy, async |_| ()).await;
    assert_eq!((second.name().as_deref(), second.set()), (Some("alice"), 1));
    assert_eq!(app.cache.len(app.now()).await, 1, "both tabs have one session");
    let mut back = site.new_node(Kind::Wif, settings());
    back.browser = app.browser;
    assert_eq!(back.visit().await.session.active().unwrap().mode(), SessionMode::SelfContained);
    assert_eq!(back.visit().await.name().as_deref(), Some("alice"));
}

#[tokio::test]
async fn a_session_of_another_program_lives_by_the_settings_from_here_on() {
    let idle = || settings().idle_timeout(30 * MINUTE).absolute_timeout(4 * HOUR);
    for (settings, remaining, end) in [
        (settings(), 10 * HOUR - MINUTE, 10 * HOUR),
        (settings().absolute_timeout(2 * HOUR), 2 * HOUR, 2 * HOUR + MINUTE),
        (settings().absolute_timeout(20 * HOUR), 10 * HOUR - MINUTE, 10 * HOUR),
        (settings().absolute_timeout(20 * HOUR).cap_to_issuer_lifetime(false), 20 * HOUR - MINUTE, 20 * HOUR),
        (idle(), 30 * MINUTE, 4 * HOUR + MINUTE),
        (idle().cap_to_issuer_lifetime(false), 30 * MINUTE, 4 * HOUR + MINUTE),
    ] {
        let site = Site::new();
        let start = site.clock_now();
        let mut old = site.old(Kind::Wif, SessionSettings::builder());
        old.sign_in().await.unwrap();
        let mut app = site.new_node(Kind::Native, settings);
        app.browser = old.browser;
        site.clock.advance(MINUTE);
        let session = app.visit().await.session.active().unwrap();
        assert_eq!(session.remaining(), remaining);
        assert_eq!(session.token().absolute_expiry(), start.saturating_add(end));
        assert_eq!(session.signed_in_at(), start);
    }
}

#[tokio::test]
async fn the_application_has_its_say_about_sessions_of_the_other_kind() {
    let site = Site::new();
    let (before, mut app) = gone_over(&site, Kind::Wif, SignIn::new(alice())).await;
    app.events.when_received(|_, _| Received::Cancel);
    assert!(app.visit().await.session.is_anonymous());
    app.events.when_received(|token, now| {
        let bob = token.reissue().principal(named("bob")).build(now, &handstamp_keys::SystemRandom);
        Received::Replace(Box::new(bob.unwrap()))
    });
    let visit = app.visit().await;
    assert_eq!((visit.name().as_deref(), visit.set_cookies.len()), (Some("bob"), 0));
    app.events.when_received(|token, now| {
        let builder = token.reissue().principal(named("carol")).valid_to(token.valid_to());
        Received::Reissue(Box::new(builder.build(now, &handstamp_keys::SystemRandom).unwrap()))
    });
    let visit = app.visit().await;
    let carol = visit.session.active().unwrap();
    assert_eq!(carol.principal().name(), Some("carol"));
    assert_eq!(carol.token().endpoint().as_str(), NATIVE_SCOPE);
    assert_ne!(carol.token().context_id(), before.token().context_id());
    assert_eq!(base_names(&app), ["__Host-session"]);
}

#[tokio::test]
async fn sm_48_a_cache_that_does_not_answer_leaves_the_other_cookie_alone() {
    let site = Site::with(in_memory(), NATIVE_SCOPE);
    let mut old = site.old(Kind::Wif, by_reference());
    old.sign_in().await.unwrap();
    let mut app = site.new_node(Kind::Native, by_reference());
    app.browser = old.browser;
    app.cache.fails.store(true, Ordering::Relaxed);
    let visit = app.visit().await;
    assert!(visit.session.rejection().is_some() && visit.set_cookies.is_empty());
    app.cache.fails.store(false, Ordering::Relaxed);
    assert_eq!(app.visit().await.name().as_deref(), Some("alice"));
}

#[test]
fn kinds_of_cookies_that_cannot_be_told_apart_are_refused() {
    let site = Site::new();
    let builder = || SessionModule::builder(site.tokens(Kind::Native).build().unwrap());
    let code = |builder: handstamp_web_session::module::SessionModuleBuilder| builder.build().unwrap_err().code();
    let native = || site.tokens(Kind::Native).build().unwrap();
    let wif = || site.tokens(Kind::Wif).build().unwrap();
    assert_eq!(code(builder().accept(native(), Site::cookies(Kind::Native))), "HST-SESSION-COOKIE-TWICE");
    let twice = builder().accept(wif(), Site::cookies(Kind::Wif)).accept(wif(), Site::cookies(Kind::Wif));
    assert_eq!(code(twice), "HST-SESSION-COOKIE-TWICE");
    assert_eq!(code(builder().accept(native(), Site::cookies(Kind::Wif))), "HST-SESSION-CARRIER");
    let other_list = site.tokens(Kind::Wif).revocations(Arc::default()).build().unwrap();
    assert_eq!(code(builder().accept(other_list, Site::cookies(Kind::Wif))), "HST-SESSION-REVOCATIONS");
    let module = builder().accept(wif(), Site::cookies(Kind::Wif)).build().unwrap();
    assert!(module.owns_cookie(b"FedAuth1") && module.owns_cookie(b"__Host-session"));
    assert!(!module.owns_cookie(b"FedAuthX"));
}

impl Site {
    fn clock_now(&self) -> handstamp_time::Timestamp {
        handstamp_time::Clock::now(self.clock.as_ref())
    }
}
