//! The built-in token service, request by request and in virtual time.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use handstamp::config::Config;
use handstamp::sts::{
    AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, SecurityTokenService, Surroundings, UserName,
};
use handstamp_claims::claim_types;
use handstamp_keys::{Certificate, KeyRing, RotationPolicy, SystemRandom};
use handstamp_testkit::VirtualClock;
use handstamp_testkit::form::Form;
use handstamp_time::{Clock as _, Timestamp};
use handstamp_ws_federation::{IssuerMetadata, METADATA_PATH};
use handstamp_ws_security::MemoryReplayCache;
use http::header::{CONTENT_SECURITY_POLICY, COOKIE, SET_COOKIE};
use http::{Request, Response, StatusCode};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PASSWORD: &str = "correct horse";
const SHOP: &str = "/wsfed?wa=wsignin1.0&wtrealm=urn%3ashop&wctx=a%26b%3dc";
const WIKI: &str = "/wsfed?wa=wsignin1.0&wtrealm=urn%3awiki";

#[tokio::test]
async fn signing_in_posts_a_token_with_the_claims_of_that_relying_party() {
    let sts = Sts::new().await;
    let mut visitor = sts.visitor();
    let page = visitor.get(SHOP).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.body().contains("The Shop"));

    let page = visitor.sign_in(&page, "Alice", PASSWORD).await;
    let form = Form::find(page.body()).expect("a form that posts the token");
    assert_eq!(form.action, "https://shop.example/signin");
    let field = |name: &str| form.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str());
    assert_eq!(field("wa"), Some("wsignin1.0"));
    assert_eq!(field("wctx"), Some("a&b=c"));
    let token = field("wresult").expect("a token");
    assert!(token.contains("urn:oasis:names:tc:SAML:1.0:assertion"), "{token}");
    assert!(token.contains(">alice@example.com<") && token.contains(">north<"), "{token}");
    assert!(!token.contains("secret-salary"), "what no rule names stays at the service: {token}");
    let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action https://shop.example;"), "{policy}");

    let other = visitor.get(WIKI).await;
    let form = Form::find(other.body()).expect("no sign-in page the second time");
    let token = &form.fields.iter().find(|(name, _)| name == "wresult").expect("a token").1;
    assert!(token.contains("urn:oasis:names:tc:SAML:2.0:assertion"), "{token}");
    assert!(token.contains("secret-salary"), "this one gets everything: {token}");
}

#[tokio::test]
async fn a_fresh_proof_is_asked_for_when_the_relying_party_wants_one() {
    let sts = Sts::new().await;
    let mut visitor = sts.signed_in(SHOP).await;
    assert!(has_token(&visitor.get(&format!("{SHOP}&wfresh=10")).await));
    sts.clock.advance(Duration::from_secs(11 * 60));
    let page = visitor.get(&format!("{SHOP}&wfresh=10")).await;
    assert!(asks_for_password(&page));
    assert!(has_token(&visitor.get(SHOP).await), "others are content with the old proof");
    let page = visitor.get(&format!("{SHOP}&wfresh=0")).await;
    assert!(asks_for_password(&page));
    assert!(has_token(&visitor.sign_in(&page, "alice", PASSWORD).await), "given just now is always fresh");
}

#[tokio::test]
async fn a_session_survives_a_restart_and_ends_with_its_time() {
    let sts = Sts::new().await;
    let mut visitor = sts.signed_in(SHOP).await;
    let sts = sts.restart();
    visitor.service = sts.service.clone();
    assert!(has_token(&visitor.get(SHOP).await));
    sts.clock.advance(Duration::from_secs(10 * 3600 + 1));
    assert!(asks_for_password(&visitor.get(SHOP).await));
}

#[tokio::test]
async fn a_new_password_and_a_disabled_account_end_sessions() {
    let sts = Sts::new().await;
    let alice = UserName::parse("alice").unwrap();
    let mut visitor = sts.signed_in(SHOP).await;
    let hash = sts.hasher.hash(PasswordText::new("another horse"), &SystemRandom).await.unwrap();
    sts.service.accounts().set_password(&alice, &hash).unwrap();
    let page = visitor.get(SHOP).await;
    assert!(asks_for_password(&page));
    assert_eq!(visitor.sign_in(&page, "alice", PASSWORD).await.status(), StatusCode::FORBIDDEN);
    assert!(has_token(&visitor.sign_in(&page, "alice", "another horse").await));

    sts.service.accounts().set_enabled(&alice, false).unwrap();
    let page = visitor.get(SHOP).await;
    assert!(asks_for_password(&page));
    let refused = visitor.sign_in(&page, "alice", "another horse").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.body().contains("User name or password is wrong."), "nobody learns that the account is there");
}

#[tokio::test]
async fn signing_out_ends_the_session_and_tells_the_relying_parties_that_got_a_token() {
    let sts = Sts::new().await;
    let mut visitor = sts.signed_in(SHOP).await;
    let page = visitor.get("/wsfed?wa=wsignout1.0&wreply=https%3a%2f%2fshop.example%2fbye").await;
    assert!(page.body().contains("https://shop.example/signin?wa=wsignoutcleanup1.0"), "{}", page.body());
    assert!(!page.body().contains("wiki.example"), "this one never got a token");
    assert!(page.body().contains("href=\"https://shop.example/bye\""));
    assert!(!page.body().contains("You are signed out"), "that is for the page it goes on to");
    let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("img-src https://shop.example;") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(asks_for_password(&visitor.get(SHOP).await));

    let again = visitor.get("/wsfed?wa=wsignout1.0&wreply=https%3a%2f%2fevil.example%2f").await;
    assert_eq!(again.status(), StatusCode::OK, "signing out twice is no error");
    assert!(!again.body().contains("evil.example"), "and leads nowhere else");
    assert!(again.body().contains("You are signed out"));
    assert!(!again.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("script-src"));
}

#[tokio::test]
async fn requests_of_strangers_stay_here() {
    let sts = Sts::new().await;
    let mut visitor = sts.visitor();
    for query in [
        "wa=wsignin1.0&wtrealm=urn%3anobody",
        "wa=wsignin1.0&wtrealm=urn%3ashop&wreply=https%3a%2f%2fevil.example%2f",
        "wa=wsignin1.0&wtrealm=urn%3ashop&wtrealm=urn%3awiki",
        "wa=wattr1.0",
        "",
    ] {
        let page = visitor.get(&format!("/wsfed?{query}")).await;
        assert_eq!(page.status(), StatusCode::BAD_REQUEST, "{query}");
        assert!(Form::find(page.body()).is_none(), "{query}");
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("form-action 'none'"), "{query}: {policy}");
    }
    assert_eq!(visitor.get("/nowhere").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn guesses_are_limited_for_a_name_and_come_back_with_time() {
    let sts = Sts::new().await;
    let mut visitor = sts.visitor();
    let page = visitor.get(SHOP).await;
    for _ in 0..10 {
        assert_eq!(visitor.sign_in(&page, "alice", "wrong").await.status(), StatusCode::FORBIDDEN);
    }
    let refused = visitor.sign_in(&page, "ALICE ", PASSWORD).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "60");
    sts.clock.advance(Duration::from_secs(60));
    assert!(has_token(&visitor.sign_in(&page, "alice", PASSWORD).await));
}

#[tokio::test]
async fn a_form_without_its_cookie_or_its_text_signs_nobody_in() {
    let sts = Sts::new().await;
    let mut visitor = sts.visitor();
    let page = visitor.get(SHOP).await;
    let mut stranger = sts.visitor();
    let refused = stranger.sign_in(&page, "alice", PASSWORD).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.body().contains("Please try again"));
    let refused = visitor.post(SHOP, &format!("username=alice&password={PASSWORD}")).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let huge = visitor.post(SHOP, &format!("username={}", "x".repeat(20_000))).await;
    assert_eq!(huge.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_front_page_says_who_is_signed_in() {
    let sts = Sts::new().await;
    let mut visitor = sts.visitor();
    assert!(!visitor.get("/").await.body().contains("Sign out"));
    let mut visitor = sts.signed_in(SHOP).await;
    let page = visitor.get("/").await;
    assert!(page.body().contains("Alice") && page.body().contains("href=\"/wsfed?wa=wsignout1.0\""));
    let answer = visitor.post("/", "a=b").await;
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"GET, HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn the_metadata_tell_a_relying_party_all_it_needs() {
    let sts = Sts::new().await;
    let answer = sts.visitor().get(METADATA_PATH).await;
    assert_eq!(answer.headers()["content-type"], "application/samlmetadata+xml");
    let metadata = IssuerMetadata::read(answer.body().as_bytes()).unwrap();
    assert_eq!(metadata.entity_id, "urn:sts");
    assert_eq!(metadata.passive_endpoint.as_deref(), Some("https://sts.example/wsfed"));
    let certificate = std::fs::read(sts.folder.path().join("sts.crt")).unwrap();
    assert_eq!(metadata.signing_certificates[0].der(), Certificate::read_all(&certificate).unwrap()[0].der());
    assert!(
        metadata.claim_types.contains(&"http://example.com/claims/tenant".to_owned()),
        "{:?}",
        metadata.claim_types
    );
}

/// A service over files in a folder of its own.
struct Sts {
    service: SecurityTokenService,
    clock: Arc<VirtualClock>,
    hasher: PasswordHasher,
    keys: Arc<KeyRing>,
    folder: tempfile::TempDir,
}

impl Sts {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(VirtualClock::new("2030-01-01T08:00:00Z".parse::<Timestamp>().unwrap()));
        let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
        let account = NewAccount {
            user_name: UserName::parse("Alice").unwrap(),
            subject: "c3ViamVjdA==".into(),
            password_hash: hasher.hash(PasswordText::new(PASSWORD), &SystemRandom).await.unwrap(),
            claims: vec![
                (claim_types::EMAIL.to_string(), "alice@example.com".into()),
                ("http://example.com/claims/salary".into(), "secret-salary".into()),
            ],
        };
        AccountStore::open(&folder.path().join("accounts.db")).unwrap().create(&account, clock.now()).unwrap();
        let keys = Arc::new(KeyRing::in_memory(RotationPolicy::default(), clock.now(), &SystemRandom).unwrap());
        let service = open(folder.path(), &clock, &keys);
        Self { service, clock, hasher, keys, folder }
    }

    fn restart(self) -> Self {
        let service = open(self.folder.path(), &self.clock, &self.keys);
        Self { service, ..self }
    }

    fn visitor(&self) -> Visitor {
        Visitor { service: self.service.clone(), cookies: BTreeMap::new() }
    }

    async fn signed_in(&self, request: &str) -> Visitor {
        let mut visitor = self.visitor();
        let page = visitor.get(request).await;
        assert!(has_token(&visitor.sign_in(&page, "alice", PASSWORD).await));
        visitor
    }
}

fn open(folder: &Path, clock: &Arc<VirtualClock>, keys: &Arc<KeyRing>) -> SecurityTokenService {
    let config = Config::parse(CONFIGURATION, &folder.join("handstamp.toml")).unwrap_or_else(|error| panic!("{error}"));
    let surroundings = Surroundings {
        keys: Arc::clone(keys),
        clock: clock.clone(),
        random: Arc::new(SystemRandom),
        revocations: None,
        password_cost: CHEAP,
        limiter: Arc::default(),
        replays: Arc::new(MemoryReplayCache::new(100)),
        addresses: Arc::default(),
        logout_channel: None,
    };
    SecurityTokenService::open(&config.sts.unwrap(), &surroundings).unwrap()
}

/// A browser, as far as the service sees it.
struct Visitor {
    service: SecurityTokenService,
    cookies: BTreeMap<String, String>,
}

impl Visitor {
    async fn get(&mut self, path: &str) -> Response<String> {
        self.send(Request::get(path), "").await
    }

    async fn post(&mut self, path: &str, body: &str) -> Response<String> {
        self.send(Request::post(path), body).await
    }

    async fn sign_in(&mut self, page: &Response<String>, name: &str, password: &str) -> Response<String> {
        let form = Form::find(page.body()).expect("a sign-in form");
        let fields = form.filled(&[("username", name), ("password", password)]);
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{name}={}", value.replace(' ', "+"))).collect();
        self.post(&form.action, &body.join("&")).await
    }

    async fn send(&mut self, request: http::request::Builder, body: &str) -> Response<String> {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(COOKIE, cookies.join("; ")).body(body.to_owned()).unwrap();
        let response = self.service.answer(request, IpAddr::from([192, 0, 2, 1])).await;
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            assert!(line.contains("; HttpOnly") && line.contains("; Secure") && line.contains("; SameSite="), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        response
    }
}

fn has_token(page: &Response<String>) -> bool {
    page.status() == StatusCode::OK && page.body().contains("name=\"wresult\"")
}

fn asks_for_password(page: &Response<String>) -> bool {
    page.status() == StatusCode::OK && page.body().contains("name=\"password\"")
}

const CHEAP: PasswordCost = PasswordCost { memory: 8, passes: 1 };

const CONFIGURATION: &str = r#"
    [listener.public]
    address = "127.0.0.1:0"

    [sts]
    public_url = "https://sts.example"
    entity_id = "urn:sts"
    accounts = "accounts.db"
    signing_key = "sts.pem"

    [sts.relying_party.shop]
    realm = "urn:shop"
    display_name = "The Shop"
    reply_urls = ["https://shop.example/signin"]
    claims = ["name", "email", "http://example.com/claims/tenant = north"]

    [sts.relying_party.wiki]
    realm = "urn:wiki"
    reply_urls = ["https://wiki.example/"]
    token = "saml-2.0"
"#;
