//! What tells an application who is there comes from the gateway, and from nobody else.

use bytes::Bytes;
use http::{Request, Response};

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running};

#[tokio::test]
async fn connection_cannot_remove_what_the_gateway_adds() {
    let (site, application) = (Site::new(), Application::hello().await);
    let collector = Application::hello().await;
    let rest = format!(
        "[jwt]\nissuer = \"https://shop.example\"\nkey = \"{}/jwt.pem\"\n[telemetry]\ncollector = \"http://{}\"\n",
        site.folder.path().display(),
        collector.address
    );
    let route = "session_header = \"X-Session\"\njwt_header = \"X-Jwt\"";
    let gateway = site.gateway(application.address, Options { route, rest: &rest, ..Options::default() }).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let added = [
        "x-user",
        "x-roles",
        "x-session",
        "x-jwt",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "host",
        "x-request-id",
        "traceparent",
    ];
    let lines = format!("X-Own: 1\r\nConnection: x-own, {}\r\n", added.join(", "));
    assert_eq!(browser.send(&gateway, "GET", "/", &lines, "").await.status, 200);
    let received = application.received();
    for name in added {
        assert!(received[0].headers().contains_key(name), "{name} is gone");
    }
    assert_eq!(received[0].headers()["x-user"], "alice");
    assert!(!received[0].headers().contains_key("x-own"), "what is the client's, it may name");
}

/// What clients send of what only the gateway may say.
const FORGED: &str = "X-User: root\r\nX_User: root\r\nX-Roles: admin\r\nX.Roles: admin\r\nX-Mail: a@b\r\nX_Mail: a@b\r\n\
    X-Session: e30\r\nX_Jwt: forged\r\nX-Jwt: forged\r\nX-Caller: root\r\n";

fn assert_unforged(request: &Request<Bytes>, written: &[&str]) {
    for name in request.headers().keys() {
        let seen = name.as_str().replace(['_', '.'], "-");
        let is_reserved = ["x-user", "x-roles", "x-mail", "x-session", "x-jwt", "x-caller"].contains(&seen.as_str());
        assert!(!is_reserved || written.contains(&name.as_str()), "{name} passed");
    }
}

/// The route of the site as it is, another one with other headers, and one without sign-in, all to one application.
async fn gateway(site: &Site, application: &Application, open: &str) -> Running {
    let folder = site.folder.path().display();
    let upstream = application.address;
    let rest = format!(
        r#"
        [web.mail]
        path = "/mail"
        upstream = "http://{upstream}"
        sign_in = "required"
        federation = "shop"
        claims_to_headers = {{ X-Mail = "email" }}
        session_header = "X-Session"
        jwt_header = "X-Jwt"
        [web.api]
        path = "/api"
        upstream = "http://{upstream}"
        sign_in = "off"
        {open}
        [federation.wiki]
        realm = "urn:wiki"
        public_url = "https://shop.example"
        reply_path = "/wiki/signin"
        sign_out_path = "/wiki/signout"
        signed_out_path = "/wiki/signed-out"
        [federation.wiki.cookie]
        name = "__Host-wiki"
        [web.wiki]
        path = "/wiki"
        upstream = "http://{upstream}"
        sign_in = "required"
        federation = "wiki"
        claims_to_headers = {{ X-Caller = "upn" }}
        [jwt]
        issuer = "https://shop.example"
        key = "{folder}/jwt.pem"
        [sts]
        path = "/sts"
        entity_id = "urn:sts"
        public_url = "https://shop.example"
        accounts = "{folder}/accounts.db"
        signing_key = "{folder}/sts-key.pem"
        "#
    );
    site.gateway(application.address, Options { route: "federation = \"shop\"", rest: &rest, ..Options::default() })
        .await
}

/// As Django and others write them, which an application must get as they are.
const FOREIGN: &str = "messages=\"[\\\"a\\054 b\\\"]\"; naked; theme=dark";

#[tokio::test]
async fn no_route_lets_clients_say_what_another_one_tells() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = gateway(&site, &application, "").await;
    let mut browser = Browser::default();
    assert_eq!(
        browser.send(&gateway, "GET", "/api", &format!("{FORGED}Authorization: Bearer x\r\n"), "").await.status,
        200
    );
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    for path in ["/", "/mail"] {
        assert_eq!(browser.send(&gateway, "GET", path, FORGED, "").await.status, 200, "{path}");
    }
    let received = application.received();
    assert_unforged(&received[0], &[]);
    assert_eq!(received[0].headers()["authorization"], "Bearer x", "that is the client's own here");
    assert_unforged(&received[1], &["x-user", "x-roles"]);
    assert_eq!(received[1].headers()["x-user"], "alice");
    assert_unforged(&received[2], &["x-session", "x-jwt"]);
    assert_ne!(received[2].headers()["x-jwt"], "forged");
}

#[tokio::test]
async fn no_application_gets_or_sets_the_gateways_cookies() {
    let set = ["__Host-session=x; Path=/", "theme=light", "__Host-wiki=x", "__Host-sts=x"];
    let application = Application::answering(move |_| {
        let response = set.iter().fold(Response::builder(), |response, line| response.header("set-cookie", *line));
        response.body("hello".to_owned()).expect("a response")
    })
    .await;
    let site = Site::new();
    let gateway = gateway(&site, &application, "").await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let own = browser.cookie_header();
    let others = "__Host-wiki=w; __Host-sts=t; __Host-sts-form=f; __Host-signin-1=s";
    for path in ["/api", "/"] {
        let cookies = format!("X-Forwarded-Proto: https\r\nCookie: {own}; {FOREIGN}; {others}\r\n");
        let answer = gateway.get(path, &cookies).await;
        let lines: Vec<&str> = answer.lines().filter(|line| line.starts_with("set-cookie")).collect();
        assert_eq!(lines, ["set-cookie: theme=light"], "{path}");
        let received = application.received();
        assert_eq!(received[0].headers()["cookie"], FOREIGN, "{path}");
    }
}

#[tokio::test]
async fn an_application_that_signs_people_in_itself_may_share_the_cookie() {
    let application = Application::answering(|_| {
        Response::builder().header("set-cookie", "__Host-session=new").body("hello".to_owned()).expect("a response")
    })
    .await;
    let site = Site::new();
    let gateway = gateway(&site, &application, "pass_session_cookie = true").await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let sent = browser.cookie_header();
    assert_eq!(
        browser.send(&gateway, "GET", "/api", FORGED, "").await.header("set-cookie"),
        Some("__Host-session=new")
    );
    let received = application.received();
    assert_eq!(received[0].headers()["cookie"], sent);
    assert_unforged(&received[0], &[]);
}
