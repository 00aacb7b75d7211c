//! Sign-out by the issuer from server to server.

use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::{Curve, KeyKind, PrivateKey};
use handstamp_time::{Clock, SystemClock};
use serde_json::{Value, json};

use super::browser::{Answer, Browser, Options, REALM, Site};
use super::formats::private_file;
use super::metadata::{Publisher, metrics, until};
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
    gateway_with(site, application, &format!("keys = \"{}\"", keys.display())).await
}

/// A gateway whose issuer signs logout tokens, with these options of theirs.
async fn gateway_with(site: &Site, application: &Application, tokens: &str) -> Running {
    let rest = format!(
        "[admin]\naddress = \"127.0.0.1:0\"\n[federation.shop.back_channel]\n\
         [issuer.sts.logout_tokens]\nissuer = \"https://sts.example\"\n{tokens}\n"
    );
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
        ("sid", json!(7)),
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

/// Options of tokens whose session is in a claim that the issuer of the tests can write.
const BY_SESSION: &str =
    "session_claim = \"http://schemas.microsoft.com/ws/2008/06/identity/claims/role\"\nends = \"session\"";

#[tokio::test]
async fn the_issuer_ends_one_of_its_sessions() {
    let (site, application, signer) = (Site::new(), Application::hello().await, signer());
    let keys = site.folder.path().join("logout-keys.json");
    std::fs::write(&keys, JwkSet::new([signer.public_key()]).to_json()).expect("written");
    let gateway = gateway_with(&site, &application, &format!("keys = \"{}\"\n{BY_SESSION}", keys.display())).await;
    let (mut phone, mut desk) = (Browser::default(), Browser::default());
    for (browser, session) in [(&mut phone, "s-phone"), (&mut desk, "s-desk")] {
        assert_eq!(browser.sign_in(&site, &gateway, "/", "alice", &[session]).await.status, 303);
    }
    let sign = |jti: &str, changes: &[(&str, Value)]| {
        signer.sign("logout+jwt", token(jti, changes).to_string().as_bytes()).expect("signed")
    };
    // A session of somebody else, with the same name at another issuer or here, is another one.
    assert_eq!(post(&gateway, &sign("1", &[("sid", json!("s-none"))])).await.status, 200);
    assert_eq!((phone.open(&gateway, "/").await.status, desk.open(&gateway, "/").await.status), (200, 200));
    let text = sign("2", &[("sid", json!("s-phone"))]);
    assert_eq!(post(&gateway, &text).await.status, 200);
    assert_eq!((phone.open(&gateway, "/").await.status, desk.open(&gateway, "/").await.status), (302, 200));
    assert_eq!(post(&gateway, &text).await.status, 400, "used before");
    // Without a user, too; and an empty identifier is none.
    assert_eq!(post(&gateway, &sign("3", &[("sub", Value::Null), ("sid", json!(""))])).await.status, 400);
    assert_eq!(post(&gateway, &sign("4", &[("sub", Value::Null), ("sid", json!("s-desk"))])).await.status, 200);
    assert_eq!(desk.open(&gateway, "/").await.status, 302);
    // Another session at the issuer is none of these.
    assert_eq!(phone.sign_in(&site, &gateway, "/", "alice", &["s-new"]).await.status, 303);
    assert_eq!(phone.open(&gateway, "/").await.status, 200);
}

/// Nodes that share a store, with sessions in WIF's format: one for each set of options of its table `session`.
async fn nodes_in_wif<const N: usize>(
    site: &Site,
    application: &Application,
    signer: &JwsSigner,
    sessions: [&str; N],
) -> [Running; N] {
    let folder = site.folder.path().display();
    let machine_key = "<machineKey validation=\"HMACSHA256\" decryption=\"AES\" \
                       validationKey=\"00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF\" \
                       decryptionKey=\"FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA99887766554433221100\"/>";
    let machine_key = private_file(site, "machine-key.xml", machine_key);
    let keys = site.folder.path().join("logout-keys.json");
    std::fs::write(&keys, JwkSet::new([signer.public_key()]).to_json()).expect("written");
    let rest = format!(
        "[federation.shop.wif]\nmachine_keys = [\"{}\"]\nscopes = [\"{REALM}\"]\nreferences = true\n\
         [federation.shop.back_channel]\n\
         [issuer.sts.logout_tokens]\nissuer = \"https://sts.example\"\nkeys = \"{}\"\n{BY_SESSION}\n\
         [store]\nkind = \"sqlite\"\npath = \"{folder}/store.db\"",
        machine_key.display(),
        keys.display(),
    );
    // The claim that tells the session is none of those that sessions keep.
    let node = |session| {
        let options = Options { federation: "claims = [\"name\"]", session, rest: &rest, ..Options::default() };
        site.gateway(application.address, options)
    };
    let mut nodes = Vec::new();
    for session in sessions {
        nodes.push(node(session).await);
    }
    nodes.try_into().unwrap_or_else(|_| panic!("as many as there were"))
}

#[tokio::test]
async fn the_issuer_ends_one_of_its_sessions_in_wifs_format_on_all_nodes() {
    for mode in ["", "idle_timeout = \"30m\"", "mode = \"reference\""] {
        let (site, application, signer) = (Site::new(), Application::hello().await, signer());
        let session = format!("format = \"wif\"\n{mode}");
        let [here, there] = nodes_in_wif(&site, &application, &signer, [&session, &session]).await;
        let (mut phone, mut desk) = (Browser::default(), Browser::default());
        for (browser, session) in [(&mut phone, "s-phone"), (&mut desk, "s-desk")] {
            assert_eq!(browser.sign_in(&site, &here, "/", "alice", &[session]).await.status, 303);
            assert!(browser.cookies.contains_key("FedAuth"), "{:?}", browser.cookies);
            assert_eq!(browser.open(&there, "/").await.status, 200);
        }
        let logout = token("1", &[("sub", Value::Null), ("sid", json!("s-phone"))]);
        let logout = signer.sign("logout+jwt", logout.to_string().as_bytes()).expect("signed");
        assert_eq!(post(&here, &logout).await.status, 200);
        assert_eq!(phone.clone().open(&here, "/").await.status, 302, "{mode}");
        until("the other node has taken it over", async || phone.clone().open(&there, "/").await.status == 302).await;
        assert_eq!((desk.open(&here, "/").await.status, desk.open(&there, "/").await.status), (200, 200), "{mode}");
        assert!(!application.received().iter().any(|request| request.headers().contains_key("x-roles")));
    }
}

#[tokio::test]
async fn a_session_that_changes_its_format_still_goes_back_to_the_issuers() {
    let (site, application, signer) = (Site::new(), Application::hello().await, signer());
    let sessions = ["format = \"wif\"\naccept = [\"native\"]", "accept = [\"wif\"]"];
    let [wif, native] = nodes_in_wif(&site, &application, &signer, sessions).await;
    for (jti, first, second) in [("1", &wif, &native), ("2", &native, &wif)] {
        let mut browser = Browser::default();
        assert_eq!(browser.sign_in(&site, first, "/", "alice", &[jti]).await.status, 303);
        let copy = browser.clone();
        assert_eq!(browser.open(second, "/").await.status, 200);
        assert_ne!(browser.cookies, copy.cookies, "the cookies changed with the format");
        let logout = token(jti, &[("sub", Value::Null), ("sid", json!(jti))]);
        let logout = signer.sign("logout+jwt", logout.to_string().as_bytes()).expect("signed");
        assert_eq!(post(second, &logout).await.status, 200);
        for mut cookies in [browser, copy] {
            assert_eq!(cookies.open(second, "/").await.status, 302);
        }
    }
}

#[tokio::test]
async fn a_token_with_user_and_session_ends_all_of_the_user_unless_told_otherwise() {
    let (site, application, signer) = (Site::new(), Application::hello().await, signer());
    let gateway = gateway(&site, &application, &signer).await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&site, &gateway, "/", "alice", &[]).await.status, 303);
    let text = signer.sign("logout+jwt", token("1", &[("sid", json!("s-1"))]).to_string().as_bytes()).expect("signed");
    assert_eq!(post(&gateway, &text).await.status, 200);
    assert_eq!(browser.open(&gateway, "/").await.status, 302);
}

#[tokio::test]
async fn the_keys_of_logout_tokens_are_followed_at_their_address() {
    let (site, application) = (Site::new(), Application::hello().await);
    let (old, new, stranger) = (signer(), signer(), signer());
    let set = |signers: &[&JwsSigner]| JwkSet::new(signers.iter().map(|signer| signer.public_key())).to_json();
    let publisher = Publisher::of(String::new()).await;
    let cache = site.folder.path().join("keys-of-sts.json");
    let tokens = format!("key_set = \"http://{}/jwks\"\nkey_set_cache = \"{}\"", publisher.address(), cache.display());
    let gateway = gateway_with(&site, &application, &tokens).await;
    let sign = |signer: &JwsSigner, jti: &str| {
        signer.sign("logout+jwt", token(jti, &[]).to_string().as_bytes()).expect("signed")
    };
    // While nothing is known, nothing is decided: issuers may try again.
    let answer = post(&gateway, &sign(&old, "0")).await;
    assert!(answer.status == 503 && answer.body.contains("HST-LOGOUT-KEYS"), "{answer:?}");
    let failed = "handstamp_key_set_refreshes_total{issuer=\"sts\",result=\"failed\"}";
    assert!(metrics(&gateway).await.contains(failed));

    publisher.publish(set(&[&old]));
    let other = gateway_with(&site, &application, &tokens).await;
    until("the keys are kept", async || cache.exists()).await;
    let mut browser = Browser::default();
    assert_eq!(browser.sign_in(&site, &other, "/", "alice", &[]).await.status, 303);
    assert_eq!(post(&other, &sign(&old, "1")).await.status, 200);
    assert_eq!(browser.open(&other, "/").await.status, 302);

    // A new key is accepted with the first token that it signs; keys that nobody knows do not make us ask again and again.
    publisher.publish(set(&[&old, &new]));
    assert_eq!(post(&other, &sign(&new, "2")).await.status, 200);
    let asked = publisher.asked();
    for jti in ["a", "b", "c"] {
        assert_eq!(post(&other, &sign(&stranger, jti)).await.status, 400);
    }
    assert_eq!(publisher.asked(), asked, "once a minute at most");

    // Garbage changes nothing, and a start without the issuer goes by what was kept.
    publisher.publish("<html>We are back soon</html>".to_owned());
    let started = gateway_with(&site, &application, &tokens).await;
    until("it has looked", async || metrics(&started).await.contains(&format!("{failed} 1"))).await;
    assert_eq!(post(&started, &sign(&new, "3")).await.status, 200);
}
