//! Sign-out by the issuer from server to server.

use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::{Curve, KeyKind, PrivateKey};
use handstamp_time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::browser::{Answer, Browser, Options, REALM, Site};
use super::support::{Application, Running};

fn signer() -> JwsSigner {
    JwsSigner::new(PrivateKey::generate(KeyKind::Ec(Curve::P256)).expect("a key"))
}

/// A logout token for alice that holds, with changes.
fn token(jti: &str, changes: &[(&str, Value)]) -> Value {
    let mut token = json!({
        "iss": "https://sts.example",
        "aud": REALM,
        "iat": SystemClock.now().unix_seconds(),
        "jti": jti,
        "sub": "alice",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    for (name, value) in changes {
        token[*name] = value.clone();
    }
    token
}

async fn gateway(site: &Site, application: &Application, signer: &JwsSigner) -> Running {
    let keys = site.folder.path().join("logout-keys.json");
    std::fs::write(&keys, JwkSet::new([signer.public_key()]).to_json()).expect("written");
    let rest =
        format!("[federation.shop.back_channel]\nkeys = \"{}\"\nissuer = \"https://sts.example\"\n", keys.display());
    site.gateway(application.address, Options { rest: &rest, ..Options::default() }).await
}

async fn post(gateway: &Running, text: &str) -> Answer {
    let lines = "Content-Type: application/x-www-form-urlencoded\r\n";
    Browser::default().send(gateway, "POST", "/signout-backchannel", lines, &format!("logout_token={text}")).await
}

#[tokio::test]
async fn the_issuer_signs_a_user_out_everywhere_without_a_browser() {
    let (site, application, signer) = (Site::new(), Application::hello().await, signer());
    let gateway = gateway(&site, &application, &signer).await;
    let (mut phone, mut desk, mut bob) = (Browser::default(), Browser::default(), Browser::default());
    for (browser, name) in [(&mut phone, "alice"), (&mut desk, "alice"), (&mut bob, "bob")] {
        assert_eq!(browser.sign_in(&site, &gateway, "/", name, &[]).await.status, 303);
    }
    let text = signer.sign("logout+jwt", token("1", &[]).to_string().as_bytes()).expect("signed");
    let answer = post(&gateway, &text).await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")), "{answer:?}");
    assert_eq!(phone.open(&gateway, "/").await.status, 302);
    assert_eq!(desk.open(&gateway, "/").await.status, 302);
    assert_eq!(bob.open(&gateway, "/").await.status, 200, "others stay");

    // She may sign in again, and a copy of the token does not sign her out.
    assert_eq!(phone.sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);
    assert_eq!(post(&gateway, &text).await.status, 400, "used before");
    assert_eq!(phone.open(&gateway, "/").await.status, 200);
}

#[tokio::test]
async fn logout_tokens_that_do_not_hold_end_nothing() {
    let (site, application, known) = (Site::new(), Application::hello().await, signer());
    let gateway = gateway(&site, &application, &known).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let sign = |signer: &JwsSigner, kind: &str, token: &Value| {
        signer.sign(kind, token.to_string().as_bytes()).expect("signed")
    };
    let mut bad = vec![
        String::new(),
        "e30.e30.e30".to_owned(),
        sign(&signer(), "logout+jwt", &token("a", &[])),
        // An id token is none, though the issuer signs those, too.
        sign(&known, "JWT", &token("b", &[])),
    ];
    let now = SystemClock.now().unix_seconds();
    for (name, value) in [
        ("iss", json!("https://other.example")),
        ("aud", json!("https://other.example/")),
        ("aud", json!(["https://other.example/"])),
        ("iat", json!(now - 3600)),
        ("iat", json!(now + 3600)),
        ("exp", json!(now - 3600)),
        ("events", json!({})),
        ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": true })),
        ("nonce", json!("n")),
        ("sub", Value::Null),
        ("jti", Value::Null),
    ] {
        bad.push(sign(&known, "logout+jwt", &token(&format!("{name} {value}"), &[(name, value)])));
    }
    for text in bad {
        let answer = post(&gateway, &text).await;
        assert_eq!(answer.status, 400, "{text}: {answer:?}");
        assert!(answer.body.contains("HST-LOGOUT-TOKEN"), "{answer:?}");
    }
    assert_eq!(Browser::default().open(&gateway, "/signout-backchannel").await.status, 405);
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
}
