//! The built-in token service tells relying parties, from server to server, that somebody signed out.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

use handstamp::config::Config;
use handstamp_keys::jose::{JwkSet, JwsVerifier};
use handstamp_testkit::form::Form;
use handstamp_ws_federation::Parameters;
use http::Response;
use serde_json::Value;

use super::browser::{Browser, REALM};
use super::metadata::until;
use super::soap::setting::{Bootstrap, Setting};
use super::support::{Application, Running};

/// The file of a token service for the shop, which tells it at `channel`.
fn token_service(setting: &Setting, token: &str, channel: &str) -> std::path::PathBuf {
    let toml = format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.1"]
        [sts]
        path = "/sts"
        public_url = "https://sts.example"
        entity_id = "urn:sts"
        accounts = "accounts.db"
        signing_key = "sts.pem"
        [sts.relying_party.shop]
        realm = "{REALM}"
        reply_urls = ["https://shop.example/signin-wsfed"]
        token = "{token}"
        {channel}
        "#
    );
    let file = setting.path("sts.toml");
    fs::write(&file, toml).expect("written");
    file
}

/// A shop that believes the logout tokens of `sts`.
async fn shop(setting: &Setting, sts: &Running, application: &Application) -> Running {
    let toml = format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        trusted_proxies = ["127.0.0.1"]
        [issuer.sts]
        name = "urn:sts"
        sign_in_url = "https://sts.example/sts/wsfed"
        certificates = ["sts.crt"]
        [issuer.sts.logout_tokens]
        issuer = "urn:sts"
        key_set = "http://{}/sts/jwks"
        ends = "session"
        [federation.shop]
        realm = "{REALM}"
        [federation.shop.back_channel]
        [web.app]
        upstream = "http://{}"
        sign_in = "required"
        "#,
        sts.address, application.address
    );
    let file = setting.path("shop.toml");
    fs::write(&file, toml).expect("written");
    Running::from_file(&file).await
}

/// Somebody's browser, as each of the two sites knows it.
#[derive(Default)]
struct Person {
    at_sts: Browser,
    at_shop: Browser,
}

impl Person {
    /// Signs in at the token service; the form that it has the browser post.
    async fn token(&mut self, sts: &Running, request: &str) -> Parameters {
        let page = self.at_sts.open(sts, request).await;
        let form = Form::find(&page.body).unwrap_or_else(|| panic!("no form: {page:?}"));
        let fields = form.filled(&[("username", "ada"), ("password", "secret of ada")]);
        let page = self.at_sts.post(sts, &form.action, &parameters(fields)).await;
        assert_eq!(page.status, 200, "{page:?}");
        parameters(Form::find(&page.body).unwrap_or_else(|| panic!("no form: {page:?}")).fields)
    }

    async fn sign_in(&mut self, sts: &Running, shop: &Running) {
        let challenge = self.at_shop.open(shop, "/").await;
        let request = challenge.location().strip_prefix("https://sts.example").expect("the token service");
        let form = self.token(sts, request).await;
        assert_eq!(self.at_shop.post(shop, "/signin-wsfed", &form).await.status, 303);
        assert_eq!(self.at_shop.open(shop, "/").await.status, 200);
    }

    async fn sign_out(&mut self, sts: &Running) {
        assert_eq!(self.at_sts.open(sts, "/sts/wsfed?wa=wsignout1.0").await.status, 200);
    }
}

fn parameters(fields: Vec<(String, String)>) -> Parameters {
    let mut parameters = Parameters::new();
    fields.iter().for_each(|(name, value)| parameters.set(name, value));
    parameters
}

const CLAIMS: &str = "claims = [\"name_identifier\", \"name\"]";

#[tokio::test]
async fn a_sign_out_at_the_token_service_ends_what_began_in_that_session() {
    for (token, others_stay) in [("saml-2.0", true), ("saml-1.1", false)] {
        let (setting, application) = (Setting::new(Bootstrap::Certificate, true).await, Application::hello().await);
        let file = token_service(&setting, token, CLAIMS);
        let sts = Running::from_file(&file).await;
        let shop = shop(&setting, &sts, &application).await;
        let channel = format!("{CLAIMS}\nback_channel_logout = \"http://{}/signout-backchannel\"", shop.address);
        token_service(&setting, token, &channel);
        sts.reloader.reload(Config::load(&file).expect("a good configuration")).await.expect("taken over");

        let (mut phone, mut desk) = (Person::default(), Person::default());
        phone.sign_in(&sts, &shop).await;
        desk.sign_in(&sts, &shop).await;
        phone.sign_out(&sts).await;
        let is_over = async |person: &Person| person.at_shop.clone().open(&shop, "/").await.status == 302;
        until("the shop was told", async || is_over(&phone).await).await;
        // SAML 1.1 has no place for the session: there the user is signed out everywhere.
        assert_eq!(is_over(&desk).await, !others_stay, "{token}");
    }
}

/// A relying party that has no time for the first token, its token service, and somebody who signed in there and got a form.
async fn with_a_busy_party(setting: &Setting) -> (Application, Running, Person, Parameters) {
    let asked = AtomicUsize::new(0);
    let party = Application::answering(move |_| {
        let status = if asked.fetch_add(1, Ordering::Relaxed) == 0 { 503 } else { 200 };
        Response::builder().status(status).body(String::new()).expect("a response")
    })
    .await;
    let channel = format!("claims = [\"name\"]\nback_channel_logout = \"http://{}/bye?from=sts\"", party.address);
    let sts = Running::from_file(&token_service(setting, "saml-2.0", &channel)).await;
    let mut person = Person::default();
    let request = format!("/sts/wsfed?wa=wsignin1.0&wtrealm={}", REALM.replace(':', "%3A").replace('/', "%2F"));
    let form = person.token(&sts, &request).await;
    (party, sts, person, form)
}

#[tokio::test]
async fn tokens_under_way_arrive_before_the_token_service_ends() {
    let setting = Setting::new(Bootstrap::Certificate, true).await;
    let (party, sts, mut person, _) = with_a_busy_party(&setting).await;
    person.sign_out(&sts).await;
    sts.trigger.pull();
    sts.served.await.expect("no panic");
    assert_eq!(party.received().len(), 2, "the first was refused");
}

#[tokio::test]
async fn a_relying_party_that_cannot_answer_is_told_again_and_the_token_says_who() {
    let setting = Setting::new(Bootstrap::Certificate, true).await;
    let (party, sts, mut person, form) = with_a_busy_party(&setting).await;
    person.sign_out(&sts).await;
    person.sign_out(&sts).await;

    let posts = std::sync::Mutex::new(Vec::new());
    let two = async || {
        let mut posts = posts.lock().expect("no panic");
        posts.extend(party.received());
        posts.len() >= 2
    };
    until("it was told again", two).await;
    let posts = posts.into_inner().expect("no panic");
    assert_eq!((posts[0].method().as_str(), posts[0].uri().to_string().as_str()), ("POST", "/bye?from=sts"));
    assert_eq!(posts[0].body(), posts[1].body(), "the same token");
    let body = std::str::from_utf8(posts[0].body()).expect("text");
    let token = body.strip_prefix("logout_token=").expect("a token");
    let keys = Browser::default().open(&sts, "/sts/jwks").await;
    assert_eq!(keys.header("content-type"), Some("application/jwk-set+json"), "{keys:?}");
    let keys = JwkSet::parse(keys.body.as_bytes(), &handstamp_keys::KeyPolicy::default()).expect("keys");
    let payload = JwsVerifier::new(keys).verify("logout+jwt", token).expect("signed by the token service");
    let payload: Value = serde_json::from_slice(&payload).expect("JSON");
    assert_eq!((&payload["iss"], &payload["aud"], &payload["sub"]), (&"urn:sts".into(), &REALM.into(), &"ada".into()));
    let session = payload["sid"].as_str().expect("a session");
    let assertion = form.get("wresult").expect("a token");
    assert!(
        session.len() == 65 && assertion.contains(&format!("SessionIndex=\"{session}\"")),
        "{session}: {assertion}"
    );
    assert_eq!(payload["exp"].as_i64().expect("a time") - payload["iat"].as_i64().expect("a time"), 120);
}
