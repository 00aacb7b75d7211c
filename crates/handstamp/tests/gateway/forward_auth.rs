//! Deciding for other proxies, and tokens for applications.

use std::collections::BTreeMap;

use handstamp_keys::jose::{JwkSet, JwsVerifier};
use serde_json::Value;

use super::browser::{Answer, Browser, Options, Site};
use super::support::{Application, Running, status};

const FORWARD_AUTH: &str = "[forward_auth.proxy]\npublic_paths = [\"/assets\"]\nrequired_roles = [\"staff\"]\n\
    claims_to_headers = { X-User = \"name\" }\njwt_header = \"X-Jwt\"\n";

/// A gateway that decides for others, beside a route of its own on another host.
pub(super) async fn gateway(site: &Site, application: &Application) -> Running {
    let rest = format!(
        "{FORWARD_AUTH}[jwt]\nissuer = \"https://shop.example\"\nkey = \"{}/jwt.pem\"\n",
        site.folder.path().display()
    );
    let options = Options { route: "hosts = [\"own.example\"]", rest: &rest, ..Options::default() };
    site.gateway(application.address, options).await
}

async fn ask(browser: &mut Browser, gateway: &Running, word: &str, lines: &str) -> Answer {
    let lines = format!("Accept: text/html\r\n{lines}");
    browser.send(gateway, "GET", &format!("/.handstamp/auth/{word}"), &lines, "").await
}

#[tokio::test]
async fn a_proxy_asks_and_is_told_who_is_there() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway(&site, &application).await;
    let mut browser = Browser::default();
    let orders = "X-Forwarded-Uri: /orders?id=7\r\n";

    let unknown = ask(&mut browser, &gateway, "check", orders).await;
    assert_eq!(unknown.status, 401);
    assert!(unknown.header("location").is_none() && unknown.header("set-cookie").is_none(), "{unknown:?}");
    let public = ask(&mut browser, &gateway, "check", "X-Forwarded-Uri: /assets/logo.svg\r\n").await;
    assert!(public.status == 200 && public.header("x-user").is_none(), "{public:?}");

    let challenge = ask(&mut browser, &gateway, "challenge", orders).await;
    assert_eq!(challenge.status, 302);
    let form = site.answer(challenge.location(), "alice", &["staff"]);
    let signed_in = browser.post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/orders?id=7"));

    for word in ["check", "challenge"] {
        let known = ask(&mut browser, &gateway, word, orders).await;
        assert_eq!((known.status, known.header("x-user")), (200, Some("alice")), "{known:?}");
        assert_eq!(known.header("cache-control"), Some("no-store"));
    }
    let mut other = Browser::default();
    let challenge = ask(&mut other, &gateway, "challenge", orders).await;
    other.post(&gateway, "/signin-wsfed", &site.answer(challenge.location(), "bob", &["guest"])).await;
    assert_eq!(ask(&mut other, &gateway, "check", orders).await.status, 403);
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn programs_and_unsafe_methods_are_not_sent_to_sign_in() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway(&site, &application).await;
    for lines in [
        "X-Forwarded-Uri: /\r\nX-Forwarded-Method: POST\r\n",
        "X-Forwarded-Uri: /\r\nX-Requested-With: XMLHttpRequest\r\n",
    ] {
        let answer = ask(&mut Browser::default(), &gateway, "challenge", lines).await;
        assert_eq!(answer.status, 401, "{lines}");
    }
}

#[tokio::test]
async fn a_question_that_can_be_understood_in_two_ways_is_refused() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway(&site, &application).await;
    for lines in [
        "",
        "X-Forwarded-Uri: /assets/x\r\nX-Forwarded-Uri: /orders\r\n",
        "X-Forwarded-Uri: /assets/../orders\r\n",
        "X-Forwarded-Uri: /assets/%2e%2e/orders\r\n",
        "X-Forwarded-Uri: /assets/..%2forders\r\n",
        "X-Forwarded-Uri: /assets//../orders\r\n",
        "X-Forwarded-Uri: /assets/..;/orders\r\n",
        "X-Forwarded-Uri: /assets/%252e%252e/orders\r\n",
        "X-Forwarded-Uri: orders\r\n",
        "X-Forwarded-Uri: /\r\nX-Forwarded-Method: G T\r\n",
    ] {
        let answer = ask(&mut Browser::default(), &gateway, "check", lines).await;
        assert_eq!(answer.status, 400, "{lines:?}");
    }
}

#[tokio::test]
async fn only_proxies_that_are_trusted_may_ask() {
    let (site, application) = (Site::new(), Application::hello().await);
    let toml = site.toml(application.address, Options { rest: FORWARD_AUTH, ..Options::default() });
    let toml = toml.replace("trusted_proxies = [\"127.0.0.1\"]", "trusted_proxies = [\"10.0.0.1\"]");
    let gateway = Running::from_toml(&toml.replace("jwt_header = \"X-Jwt\"\n", "")).await;
    let answer = gateway.get("/.handstamp/auth/check", "X-Forwarded-Uri: /\r\n").await;
    assert_eq!(status(&answer), 403);
    assert!(answer.contains("HST-GATEWAY-UNTRUSTED-PROXY"), "{answer}");
}

/// A gateway whose applications get signed tokens.
async fn gateway_with_tokens(site: &Site, application: &Application, route: &str) -> Running {
    let folder = site.folder.path().display();
    let rest = format!("[jwt]\nissuer = \"https://shop.example\"\nkey = \"{folder}/jwt.pem\"\n");
    site.gateway(application.address, Options { route, rest: &rest, ..Options::default() }).await
}

#[tokio::test]
async fn applications_get_tokens_that_the_published_keys_verify() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway_with_tokens(&site, &application, "jwt_header = \"Authorization\"").await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["admin"]).await;
    browser.send(&gateway, "GET", "/", "Authorization: Bearer forged\r\n", "").await;

    let received = application.received();
    let lines: Vec<_> = received[0].headers().get_all("authorization").iter().collect();
    let [line] = lines[..] else { panic!("one token, not {lines:?}") };
    let token = line.to_str().expect("text").strip_prefix("Bearer ").expect("a bearer token");
    // Anybody may have the keys.
    let published = Browser::default().open(&gateway, "/.well-known/handstamp/jwks.json").await;
    assert_eq!(published.header("content-type"), Some("application/jwk-set+json"));
    let keys = JwkSet::parse(published.body.as_bytes(), &Default::default()).expect("a key set");
    let payload = JwsVerifier::new(keys).verify("JWT", token).expect("signed by a published key");
    let said: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!((said["name"].as_str(), said["aud"].as_str()), (Some("alice"), Some("https://shop.example/")));
    assert_eq!(said["roles"], serde_json::json!(["admin"]));
    let lifetime = said["exp"].as_i64().zip(said["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    assert_eq!(lifetime, Some(300));
}

#[tokio::test]
async fn tokens_that_would_say_the_same_are_signed_once_and_never_those_of_somebody_else() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway_with_tokens(&site, &application, "jwt_header = \"X-Jwt\"").await;
    let (mut alice, mut bob) = (Browser::default(), Browser::default());
    alice.sign_in(&site, &gateway, "/", "alice", &[]).await;
    bob.sign_in(&site, &gateway, "/", "bob", &[]).await;
    for _ in 0..20 {
        alice.send(&gateway, "GET", "/", "", "").await;
        bob.send(&gateway, "GET", "/", "", "").await;
    }

    let published = Browser::default().open(&gateway, "/.well-known/handstamp/jwks.json").await;
    let keys = JwkSet::parse(published.body.as_bytes(), &Default::default()).expect("a key set");
    let verifier = JwsVerifier::new(keys);
    let mut by_statement = BTreeMap::new();
    for (index, request) in application.received().iter().enumerate() {
        let token = request.headers()["x-jwt"].to_str().expect("text");
        let statement = verifier.verify("JWT", token).expect("signed by a published key");
        let said: Value = serde_json::from_slice(&statement).expect("JSON");
        assert_eq!(said["name"], ["alice", "bob"][index % 2]);
        // A signature with ECDSA is another one each time.
        assert_eq!(by_statement.entry(statement).or_insert(token.to_owned()), token, "request {index}");
    }
    assert!(by_statement.len() >= 2);
}
