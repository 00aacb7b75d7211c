//! Several relying parties behind one gateway, one session cookie, and audiences of their own (ID4291's cure).

use std::sync::Arc;
use std::time::Duration;

use handstamp_keys::{Curve, KeyKind, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_federation::{Issuer, IssuerSettings, Limits, Parameters, RelyingPartyTrust};

use super::browser::{Answer, Browser, REALM, STS, Site};
use super::support::{Application, Running};

const WIKI: &str = "https://shop.example/wiki/";

/// A site whose issuer knows both realms.
fn site() -> Site {
    let site = Site::new();
    let (now, year) = (SystemClock.now(), Duration::from_secs(365 * 24 * 3600));
    let (from, to) = (now.saturating_sub(year), now.saturating_add(year));
    let identity = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), from, to, &SystemRandom);
    let identity = identity.expect("an identity");
    std::fs::write(site.folder.path().join("sts.pem"), identity.certificate().to_pem()).expect("written");
    let trusts = vec![
        RelyingPartyTrust::new(REALM, ["https://shop.example/signin-wsfed"]),
        RelyingPartyTrust::new(WIKI, ["https://shop.example/wiki/signin"]),
    ];
    let issuer = Issuer::new(IssuerSettings::new("urn:sts", STS), Arc::new(identity), trusts).expect("an issuer");
    Site { issuer, ..site }
}

/// The shop, and the wiki below it that accepts the shop's sessions.
async fn gateway(site: &Site, application: &Application, shop: &str) -> Running {
    let upstream = application.address;
    let folder = site.folder.path().display();
    Running::from_toml(&format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.1"]
        [keys]
        path = "{folder}/keys.json"
        [issuer.sts]
        name = "urn:sts"
        sign_in_url = "{STS}"
        certificates = ["{folder}/sts.pem"]
        [federation.shop]
        realm = "{REALM}"
        [federation.shop.session]
        idle_timeout = "30m"
        {shop}
        [web.shop]
        upstream = "http://{upstream}"
        sign_in = "required"
        federation = "shop"
        [federation.wiki]
        realm = "{WIKI}"
        reply_path = "/wiki/signin"
        sign_out_path = "/wiki/signout"
        signed_out_path = "/wiki/signed-out"
        [federation.wiki.session]
        accept_from = ["shop"]
        idle_timeout = "2s"
        slide_after = 1
        [web.wiki]
        path = "/wiki"
        upstream = "http://{upstream}"
        sign_in = "required"
        federation = "wiki"
        claims_to_headers = {{ X-User = "name" }}
        "#
    ))
    .await
}

async fn sign_in(browser: &mut Browser, site: &Site, gateway: &Running, path: &str, reply: &str) -> Answer {
    let challenge = browser.open(gateway, path).await;
    let form = site.answer(challenge.location(), "alice", &[]);
    browser.post(gateway, reply, &form).await
}

fn realm_asked(challenge: &Answer) -> String {
    let query = challenge.location().split_once('?').expect("a query").1;
    Parameters::parse(query, &Limits::default()).expect("parameters").get("wtrealm").expect("a realm").to_owned()
}

#[tokio::test]
async fn one_session_serves_every_route_whose_audience_accepts_it() {
    let (site, application) = (site(), Application::hello().await);
    let gateway = gateway(&site, &application, "").await;
    let mut browser = Browser::default();
    assert_eq!(sign_in(&mut browser, &site, &gateway, "/", "/signin-wsfed").await.status, 303);
    assert_eq!(browser.open(&gateway, "/wiki/page").await.status, 200, "no second sign-in");
    let received = application.received();
    assert_eq!(received[0].headers()["x-user"], "alice");
    assert!(!received[0].headers().contains_key("cookie"));
    let before = browser.session().expect("a session").to_owned();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(browser.open(&gateway, "/wiki/page").await.status, 200);
    // What the wiki renews is still the shop's.
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    // Sign-out at one ends it for both, on copies too.
    let copy = browser.clone();
    let answer = browser.open(&gateway, "/wiki/signout").await;
    assert!(answer.location().starts_with(STS), "{answer:?}");
    assert_eq!(copy.clone().open(&gateway, "/").await.status, 302);
    assert_eq!(copy.clone().open(&gateway, "/wiki/page").await.status, 302);
    assert_ne!(before, "");
}

#[tokio::test]
async fn a_route_does_not_accept_a_session_of_another_audience() {
    let (site, application) = (site(), Application::hello().await);
    let gateway = gateway(&site, &application, "").await;
    let mut browser = Browser::default();
    assert_eq!(sign_in(&mut browser, &site, &gateway, "/wiki/page", "/wiki/signin").await.status, 303);
    assert_eq!(browser.open(&gateway, "/wiki/page").await.status, 200);
    application.received();
    // The shop accepts its own sessions only.
    let challenge = browser.clone().open(&gateway, "/").await;
    assert_eq!((challenge.status, realm_asked(&challenge)), (302, REALM.to_owned()));
    assert!(application.received().is_empty());
    // Nor does an answer for one realm sign in at the other.
    let form = site.answer(challenge.location(), "alice", &[]);
    let answer = browser.post(&gateway, "/wiki/signin", &form).await;
    assert!(answer.status >= 400 || answer.location() == "/", "{answer:?}");
    // Once signed in at the shop, both are served.
    assert_eq!(sign_in(&mut browser, &site, &gateway, "/", "/signin-wsfed").await.status, 303);
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    assert_eq!(browser.open(&gateway, "/wiki/page").await.status, 200);
}
