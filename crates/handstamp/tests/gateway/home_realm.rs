//! One application, several issuers.

use base64_simd::URL_SAFE_NO_PAD;
use handstamp_ws_federation::Parameters;

use super::browser::{Answer, Browser, Options, REALM, STS, Site};
use super::doctor::doctor;
use super::support::{Application, Running};

const OTHER_STS: &str = "https://login.partner.example/wsfed";

/// Two issuers with keys of their own, and a third of which nothing is known.
struct Issuers {
    corp: Site,
    partner: Site,
}

impl Issuers {
    fn new() -> Self {
        Self { corp: Site::new(), partner: Site::with_key(2) }
    }

    async fn gateway(&self, application: &Application, federation: &str) -> Running {
        Running::from_toml(&self.toml(application, federation)).await
    }

    fn toml(&self, application: &Application, federation: &str) -> String {
        let (corp, partner) = (self.corp.folder.path().display(), self.partner.folder.path().display());
        format!(
            r#"
            [listener.public]
            address = "127.0.0.1:0"
            trusted_proxies = ["127.0.0.1"]
            [admin]
            address = "127.0.0.1:0"
            [keys]
            path = "{corp}/keys.json"
            [issuer.corp]
            display_name = "Corp <staff>"
            name = "urn:corp"
            sign_in_url = "{STS}"
            certificates = ["{corp}/sts.pem"]
            [issuer.partner]
            name = "urn:partner"
            sign_in_url = "{OTHER_STS}"
            certificates = ["{partner}/sts.pem"]
            home_realm = "urn:usual"
            home_realms = ["urn:behind:partner"]
            [issuer.away]
            name = "urn:away"
            metadata = "http://127.0.0.1:1/metadata.xml"
            [federation.shop]
            realm = "{REALM}"
            issuer = ["corp", "partner", "away"]
            {federation}
            [web.app]
            upstream = "http://{}"
            sign_in = "required"
            session_header = "X-Session"
            "#,
            application.address
        )
    }

    /// What the issuer that a browser was sent to posts back for `name`.
    fn answer(&self, location: &str, name: &str) -> Parameters {
        match location.strip_prefix(OTHER_STS) {
            Some(query) => self.partner.answer(&format!("{STS}{query}"), name, &[]),
            None => self.corp.answer(location, name, &[]),
        }
    }

    /// Goes by the page to an issuer, and signs in there.
    async fn sign_in(&self, browser: &mut Browser, gateway: &Running, issuer: &str, name: &str) -> Answer {
        let sent = browser.open(gateway, &format!("/signin-wsfed?whr={issuer}&ru=%2Forders%3Fpage%3D2")).await;
        let form = self.answer(sent.location(), name);
        browser.post(gateway, "/signin-wsfed", &form).await
    }
}

/// What an application was told of a session.
fn session_of(application: &Application) -> serde_json::Value {
    let received = application.received();
    let header = &received.last().expect("a request").headers()["x-session"];
    let json = URL_SAFE_NO_PAD.decode_to_vec(header.as_bytes()).expect("base64url");
    serde_json::from_slice(&json).expect("JSON")
}

fn query(location: &str) -> Parameters {
    Parameters::parse(location.split_once('?').expect("a query").1, &handstamp_ws_federation::Limits::default())
        .expect("parameters")
}

#[tokio::test]
async fn sm_42_people_choose_their_issuer_once() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    let mut browser = Browser::default();
    let sent = browser.open(&gateway, "/orders?page=2").await;
    assert_eq!((sent.status, sent.location()), (302, "/signin-wsfed?ru=%2Forders%3Fpage%3D2"));
    let page = browser.open(&gateway, sent.location()).await;
    assert_eq!(page.status, 200);
    for text in [
        "Corp &#60;staff&#62;",
        "sts.example",
        "login.partner.example",
        "href=\"/signin-wsfed?whr=partner&#38;ru=%2Forders%3Fpage%3D2\"",
        "not available at the moment",
    ] {
        assert!(page.body.contains(text), "{text}: {}", page.body);
    }
    assert!(!page.body.contains("whr=away") && !page.body.contains("used last") && !page.body.contains("<script"));

    let sent = browser.open(&gateway, "/signin-wsfed?whr=partner&ru=%2Forders%3Fpage%3D2").await;
    assert!(sent.location().starts_with(OTHER_STS), "{sent:?}");
    assert_eq!(query(sent.location()).get("whr"), Some("urn:usual"), "what is configured for it");
    let memory = sent.headers.iter().find(|(_, line)| line.starts_with("__Host-signin-issuer=partner;"));
    let (_, memory) = memory.expect("it is remembered");
    assert!(memory.contains("Max-Age=2592000") && memory.contains("HttpOnly") && memory.contains("SameSite=Lax"));
    let form = issuers.answer(sent.location(), "alice");
    let answer = browser.post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!((answer.status, answer.location()), (303, "/orders?page=2"));
    assert_eq!(browser.open(&gateway, "/orders?page=2").await.status, 200);
    let session = session_of(&application);
    let claims = session["claims"].as_array().expect("claims");
    assert!(claims.iter().all(|claim| claim["issuer"] == "urn:partner"), "claims say the issuer: {session}");

    // The next time nobody is asked, and the page is there all the same.
    browser.cookies.remove("__Host-session");
    let sent = browser.open(&gateway, "/").await;
    assert!(sent.location().starts_with(OTHER_STS), "{sent:?}");
    assert!(browser.open(&gateway, "/signin-wsfed").await.body.contains("used last"));
    // Applications never see what is remembered.
    assert!(application.received().iter().all(|request| !request.headers().contains_key("cookie")));
}

#[tokio::test]
async fn sm_42_a_request_may_say_the_home_realm() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "remember_issuer = \"0s\"").await;
    for (path, address, whr) in [
        ("/orders?whr=corp", STS, None),
        ("/orders?a=1&a=2&whr=urn%3Acorp", STS, None),
        ("/orders?whr=urn:partner", OTHER_STS, Some("urn:usual")),
        ("/orders?whr=urn:behind:partner", OTHER_STS, Some("urn:behind:partner")),
    ] {
        let mut browser = Browser::default();
        let sent = browser.open(&gateway, path).await;
        assert!(sent.location().starts_with(address), "{path}: {sent:?}");
        assert_eq!(query(sent.location()).get("whr"), whr, "{path}");
        assert!(!browser.cookies.contains_key("__Host-signin-issuer"));
    }
    for path in ["/?whr=urn:stranger", "/?whr=corp&whr=partner", "/"] {
        let sent = Browser::default().open(&gateway, path).await;
        assert!(sent.location().starts_with("/signin-wsfed?ru="), "{path}: {sent:?}");
    }
    // Programs are not sent anywhere.
    let answer = Browser::default().send(&gateway, "GET", "/", "Accept: application/json\r\n", "").await;
    assert_eq!(answer.status, 401);
    // Nor is anybody sent out of the site.
    let sent = Browser::default().open(&gateway, "/signin-wsfed?ru=https%3A%2F%2Fevil.example%2F").await;
    assert!(sent.body.contains("ru=%2F\""), "{sent:?}");
}

#[tokio::test]
async fn sm_42_a_token_of_one_issuer_is_not_accepted_as_the_others() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    let mut browser = Browser::default();
    let to_corp = browser.open(&gateway, "/?whr=corp").await;
    let to_partner = browser.open(&gateway, "/?whr=partner").await;
    let (of_corp, of_partner) =
        (issuers.answer(to_corp.location(), "alice"), issuers.answer(to_partner.location(), "alice"));
    let mut mixed = of_corp.clone();
    mixed.set("wresult", of_partner.get("wresult").expect("a token"));
    let answer = browser.post(&gateway, "/signin-wsfed", &mixed).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("ID4175") && answer.body.contains("Sign in elsewhere"), "{answer:?}");
    assert!(browser.session().is_none());
    // What was mixed up harms neither.
    assert_eq!(browser.post(&gateway, "/signin-wsfed", &of_partner).await.status, 303);
    assert_eq!(browser.post(&gateway, "/signin-wsfed", &of_corp).await.status, 303);
}

#[tokio::test]
async fn sm_39_sign_out_goes_to_the_issuer_that_signed_the_user_in() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    for (issuer, address) in [("corp", STS), ("partner", OTHER_STS)] {
        let mut browser = Browser::default();
        assert_eq!(issuers.sign_in(&mut browser, &gateway, issuer, "alice").await.status, 303);
        // The memory of the browser does not matter.
        browser.cookies.insert("__Host-signin-issuer".into(), "away".into());
        let answer = browser.open(&gateway, "/signout").await;
        assert!(answer.location().starts_with(&format!("{address}?wa=wsignout1.0")), "{answer:?}");
        assert!(browser.session().is_none());
        // Clean-up is for the same issuer.
        issuers.sign_in(&mut browser, &gateway, issuer, "alice").await;
        let reply = format!("{address}/done").replace('/', "%2F");
        let answer = browser.open(&gateway, &format!("/?wa=wsignoutcleanup1.0&wreply={reply}")).await;
        assert_eq!(answer.location(), format!("{address}/done"));
    }
    let answer = Browser::default().open(&gateway, "/signout").await;
    assert_eq!(answer.location(), "/signed-out", "nobody knows which issuer");
    let answer = Browser::default()
        .open(&gateway, "/?wa=wsignoutcleanup1.0&wreply=https%3A%2F%2Flogin.partner.example%2F")
        .await;
    assert_eq!(answer.location(), "https://login.partner.example/");
    let answer =
        Browser::default().open(&gateway, "/?wa=wsignoutcleanup1.0&wreply=https%3A%2F%2Fevil.example%2F").await;
    assert_eq!(answer.location(), STS);
    assert!(Browser::default().open(&gateway, "/signed-out").await.body.contains("Sign in elsewhere"));
}

#[tokio::test]
async fn another_site_chooses_for_nobody() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    let mut browser = Browser::default();
    let lines = "Accept: text/html\r\nSec-Fetch-Site: cross-site\r\n";
    let answer = browser.send(&gateway, "GET", "/signin-wsfed?whr=partner", lines, "").await;
    assert_eq!(answer.status, 200, "the page: {answer:?}");
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn an_issuer_that_is_away_keeps_nobody_from_the_others() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    let mut browser = Browser::default();
    browser.cookies.insert("__Host-signin-issuer".into(), "away".into());
    let answer = browser.open(&gateway, "/").await;
    assert_eq!(answer.status, 503);
    assert!(answer.body.contains("HST-METADATA-NONE") && answer.body.contains("href=\"/signin-wsfed\""), "{answer:?}");
    assert_eq!(issuers.sign_in(&mut browser, &gateway, "corp", "alice").await.status, 303);
}

#[tokio::test]
async fn the_doctor_judges_an_answer_as_that_of_the_issuer_that_signed_it() {
    let (issuers, application) = (Issuers::new(), Application::hello().await);
    let gateway = issuers.gateway(&application, "").await;
    let sent = Browser::default().open(&gateway, "/?whr=partner").await;
    let form = issuers.answer(sent.location(), "alice").to_query_string();
    let (code, text) = doctor(&issuers.corp, &issuers.toml(&application, ""), &[], &form);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("takes it from partner") && !text.contains("takes it from corp"), "{text}");
    // Nobody's answer is shown as everybody sees it.
    let stranger = Site::with_key(3);
    let form =
        stranger.answer(&format!("{STS}{}", sent.location().strip_prefix(OTHER_STS).expect("the partner")), "eve", &[]);
    let (code, text) = doctor(&issuers.corp, &issuers.toml(&application, ""), &[], &form.to_query_string());
    assert_eq!(code, 1);
    assert!(text.contains("takes it from partner") && text.contains("takes it from corp"), "{text}");
}

#[tokio::test]
async fn sm_42_two_issuers_may_be_two_ways_through_one_hub() {
    let (site, application) = (Site::new(), Application::hello().await);
    let folder = site.folder.path().display();
    let way = |name: &str| {
        format!(
            "[issuer.{name}]\nname = \"urn:{name}\"\nentity_id = \"urn:sts\"\nsign_in_url = \"{STS}\"\n\
             certificates = [\"{folder}/sts.pem\"]\nhome_realm = \"urn:behind:{name}\"\n"
        )
    };
    let rest = format!("{}{}", way("north"), way("south"));
    let options = Options { federation: "issuer = [\"north\", \"south\"]", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    for name in ["north", "south"] {
        let mut browser = Browser::default();
        let sent = browser.open(&gateway, &format!("/signin-wsfed?whr={name}")).await;
        assert_eq!(query(sent.location()).get("whr"), Some(format!("urn:behind:{name}").as_str()));
        let form = site.answer(sent.location(), "alice", &[]);
        assert_eq!(browser.post(&gateway, "/signin-wsfed", &form).await.status, 303);
    }
    let sent = Browser::default().open(&gateway, "/?whr=urn:sts").await;
    assert!(sent.location().starts_with("/signin-wsfed?ru="), "the hub alone says nothing: {sent:?}");
}
