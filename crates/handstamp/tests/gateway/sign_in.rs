//! Sign-in, sessions and sign-out in front of an application.

use handstamp_time::{Clock, SystemClock};
use handstamp_ws_federation::Parameters;
use http::Response;

use super::browser::{Answer, Browser, Options, STS, Site};
use super::support::{Application, Running, exchange};

#[tokio::test]
async fn sign_in_once_and_be_known_from_then_on() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();

    let challenge = browser.open(&gateway, "/orders?id=7").await;
    assert_eq!(challenge.status, 302);
    assert!(challenge.location().starts_with(&format!("{STS}?wa=wsignin1.0&wtrealm=")), "{challenge:?}");
    assert_eq!(challenge.header("cache-control"), Some("no-store"));
    assert!(application.received().is_empty());

    let form = site.answer(challenge.location(), "alice", &["admin", "sales, north"]);
    let signed_in = browser.post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/orders?id=7"), "{signed_in:?}");
    let cookie =
        signed_in.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with("__Host-session="));
    let (_, cookie) = cookie.expect("a session cookie");
    for attribute in ["Path=/", "Secure", "HttpOnly", "SameSite=Lax"] {
        assert!(cookie.contains(attribute), "{attribute} is missing in {cookie}");
    }
    assert!(
        browser.cookies.keys().all(|name| !name.starts_with("__Host-signin-") || name.ends_with("guard")),
        "the state is used up"
    );

    let page = browser.open(&gateway, "/orders?id=7").await;
    assert_eq!((page.status, page.body.as_str()), (200, "hello"));
    let request = &application.received()[0];
    assert_eq!(request.headers()["x-user"], "alice");
    assert_eq!(request.headers()["x-roles"], "admin,sales%2C north");
    assert!(!request.headers().contains_key("cookie"), "own cookies stay here: {request:?}");
}

#[tokio::test]
async fn programs_get_401_instead_of_a_redirect_sm_32() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    for (method, lines) in [
        ("GET", ""),
        ("GET", "Accept: application/json\r\n"),
        ("GET", "Accept: text/html\r\nSec-Fetch-Mode: cors\r\n"),
        ("GET", "Accept: text/html\r\nX-Requested-With: XMLHttpRequest\r\n"),
        ("POST", "Accept: text/html\r\n"),
        ("HEAD", "Accept: text/html\r\n"),
    ] {
        let answer = Browser::default().send(&gateway, method, "/", lines, "").await;
        assert_eq!(answer.status, 401, "{method} {lines}");
        assert!(answer.header("www-authenticate").is_some() && answer.header("set-cookie").is_none(), "{answer:?}");
    }
    let json = Browser::default().send(&gateway, "GET", "/", "", "").await;
    assert!(json.body.contains("\"code\":\"HST-GATEWAY-SIGN-IN\""), "{json:?}");
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn public_paths_are_for_everybody_and_know_who_is_there() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { route: "public_paths = [\"/assets\"]", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    assert_eq!(browser.open(&gateway, "/assets/logo.svg").await.status, 200);
    assert!(!application.received()[0].headers().contains_key("x-user"));
    for path in ["/assetsx", "/ASSETS/x", "/assets%2Fx", "/"] {
        assert_eq!(browser.open(&gateway, path).await.status, 302, "{path}");
        browser.cookies.clear();
    }
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    assert_eq!(browser.open(&gateway, "/assets/logo.svg").await.status, 200);
    assert_eq!(application.received()[0].headers()["x-user"], "alice");
}

#[tokio::test]
async fn without_the_role_there_is_a_page_and_no_redirect_sm_37() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { route: "required_roles = [\"admin\", \"auditor\"]", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "bob", &["sales"]).await;
    let refused = browser.open(&gateway, "/").await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("bob") && refused.body.contains("href=\"/signout\""), "{refused:?}");
    assert!(!refused.body.contains("start page"), "it is the start page");
    let elsewhere = browser.open(&gateway, "/reports").await;
    assert!(elsewhere.status == 403 && elsewhere.body.contains("href=\"/\""), "{elsewhere:?}");
    assert!(application.received().is_empty());
    let mut other = Browser::default();
    other.sign_in(&site, &gateway, "/", "eve", &["auditor"]).await;
    assert_eq!(other.open(&gateway, "/").await.status, 200);
}

#[tokio::test]
async fn headers_of_claims_cannot_be_sent_by_clients() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options =
        Options { route: "public_paths = [\"/assets\"]\nsession_header = \"X-Session\"", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    let spoofed = "X-User: root\r\nX_User: root\r\nx-roles: admin\r\nX-Roles: admin\r\nX.Roles: admin\r\nX-Session: e30\r\nX_Session: e30\r\n";
    assert_eq!(browser.send(&gateway, "GET", "/assets/x", spoofed, "").await.status, 200);
    browser.sign_in(&site, &gateway, "/", "alice", &["user"]).await;
    assert_eq!(browser.send(&gateway, "GET", "/", spoofed, "").await.status, 200);
    let received = application.received();
    for request in &received {
        for (name, value) in request.headers() {
            assert!(value != "root" && value != "admin" && value != "e30", "{name}: {value:?} passed");
        }
    }
    assert_eq!(received[1].headers()["x-user"], "alice");
    let session =
        base64_simd::URL_SAFE_NO_PAD.decode_to_vec(received[1].headers()["x-session"].as_bytes()).expect("base64url");
    let session: serde_json::Value = serde_json::from_slice(&session).expect("JSON");
    assert_eq!(session["mode"], "self-contained");
    assert!(session["cookie_size"].as_u64().is_some_and(|size| size > 0));
    assert_eq!(session["claims"][0]["value"], "alice");
}

#[tokio::test]
async fn sign_out_ends_the_session_here_and_at_the_issuer_also_for_copies_sm_13() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let copy = browser.clone();

    let foreign =
        browser.send(&gateway, "GET", "/signout", "Accept: text/html\r\nSec-Fetch-Site: cross-site\r\n", "").await;
    assert_eq!(foreign.status, 403);
    assert!(browser.session().is_some(), "another site cannot end it");

    let signed_out = browser.open(&gateway, "/signout").await;
    assert_eq!(signed_out.status, 303);
    assert_eq!(signed_out.location(), format!("{STS}?wa=wsignout1.0&wreply=https%3a%2f%2fshop.example%2fsigned-out"));
    assert!(browser.session().is_none());
    assert_eq!(browser.clone().open(&gateway, "/").await.status, 302);
    assert_eq!(copy.clone().open(&gateway, "/").await.status, 302, "a copy of the cookie is worthless");
    let page = browser.open(&gateway, "/signed-out").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("signed out"), "{page:?}");
    assert!(application.received().is_empty());
}

/// RFC 9110, 9.2.1: a program that checks links asks with HEAD, and must not sign anybody out.
#[tokio::test]
async fn to_look_where_sign_out_leads_ends_nothing() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let copy = browser.clone();
    for (method, path, status) in [
        ("HEAD", "/signout", 303),
        ("HEAD", "/signout?wa=wsignoutcleanup1.0", 303),
        ("HEAD", "/?wa=wsignoutcleanup1.0", 200),
        ("HEAD", "/signin-wsfed?wa=wsignoutcleanup1.0", 405),
        ("OPTIONS", "/signout", 405),
    ] {
        let answer = copy.clone().send(&gateway, method, path, "Accept: text/html\r\n", "").await;
        assert_eq!((answer.status, answer.header("set-cookie")), (status, None), "{method} {path}");
        assert_eq!(browser.open(&gateway, "/").await.status, 200, "{method} {path}");
    }
    let posted = browser.send(&gateway, "POST", "/signout", "Accept: text/html\r\n", "").await;
    assert!(posted.status == 303 && browser.session().is_none(), "{posted:?}");
    assert_eq!(copy.clone().open(&gateway, "/").await.status, 302);
}

#[tokio::test]
async fn the_issuer_ends_sessions_with_a_picture_sm_40_sm_41() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    for path in ["/?wa=wsignoutcleanup1.0", "/signin-wsfed?wa=wsignoutcleanup1.0"] {
        let picture = browser.send(&gateway, "GET", path, "Accept: image/*\r\n", "").await;
        assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/gif")));
        assert_eq!(picture.header("cache-control"), Some("no-store"));
        assert!(browser.session().is_none());
    }
    let elsewhere = browser.open(&gateway, "/?wa=wsignoutcleanup1.0&wreply=https%3A%2F%2Fevil.example%2F").await;
    assert_eq!(elsewhere.location(), STS);
}

#[tokio::test]
async fn every_damaged_cookie_is_a_clean_sign_in_and_never_an_error_sm_6() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut good = Browser::default();
    good.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let cookie = good.session().expect("a session").to_owned();
    for at in 0..cookie.len() {
        let mut bytes = cookie.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let mut browser = Browser::default();
        browser.cookies.insert("__Host-session".to_owned(), String::from_utf8(bytes).expect("ASCII"));
        let answer = browser.open(&gateway, "/").await;
        assert_eq!(answer.status, 302, "byte {at}: {answer:?}");
        assert!(browser.session().is_none(), "byte {at}: the cookie is deleted");
    }
    for value in ["", "garbage", "%00", "\"quoted\"", &"A".repeat(9000)] {
        let mut browser = Browser::default();
        browser.cookies.insert("__Host-session".to_owned(), value.to_owned());
        assert_eq!(browser.open(&gateway, "/").await.status, 302, "{value:?}");
    }
    assert_eq!(good.open(&gateway, "/").await.status, 200);
}

#[tokio::test]
async fn what_happens_to_sessions_is_counted() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { rest: "[admin]\naddress = \"127.0.0.1:0\"", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let mut damaged = Browser::default();
    damaged.cookies.insert("__Host-session".to_owned(), "garbage".to_owned());
    damaged.open(&gateway, "/").await;
    browser.open(&gateway, "/signout").await;
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let metrics = exchange(gateway.admin.expect("an admin listener"), request).await.expect("connected");
    for line in [
        "handstamp_challenges_total{federation=\"shop\"} 2",
        "handstamp_sign_ins_total{federation=\"shop\"} 1",
        "handstamp_sign_outs_total{federation=\"shop\"} 1",
        "handstamp_session_bytes_count{federation=\"shop\"} 1",
        "handstamp_rejections_total{code=\"HST-COOKIE-UNREADABLE\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn answers_nobody_asked_for_are_refused_sm_35() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut attacker = Browser::default();
    let challenge = attacker.open(&gateway, "/").await;
    let form = site.answer(challenge.location(), "mallory", &[]);
    let mut victim = Browser::default();
    let refused = victim.post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("HST-WSFED-STATE") && victim.session().is_none(), "{refused:?}");
    // The browser that asked may use it, once.
    assert_eq!(attacker.clone().post(&gateway, "/signin-wsfed", &form).await.status, 303);
    let replayed = attacker.clone().post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!(replayed.status, 403, "{replayed:?}");
    assert!(replayed.body.contains("ID1066"), "{replayed:?}");
}

#[tokio::test]
async fn a_second_click_after_sign_in_leads_to_the_site() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    let challenge = browser.open(&gateway, "/").await;
    let form = site.answer(challenge.location(), "alice", &[]);
    browser.post(&gateway, "/signin-wsfed", &form).await;
    let again = browser.post(&gateway, "/signin-wsfed", &form).await;
    assert_eq!((again.status, again.location()), (303, "/"));
    assert!(browser.session().is_some());
}

#[tokio::test]
async fn tampered_answers_are_refused_with_a_page_and_a_code() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    let challenge = browser.open(&gateway, "/").await;
    let good = site.answer(challenge.location(), "alice", &[]);
    let with = |name: &str, value: &str| {
        let mut form = good.clone();
        form.set(name, value);
        form
    };
    let result = good.get("wresult").expect("a result");
    for (what, form) in [
        ("another name", with("wresult", &result.replace("alice", "admin"))),
        ("no XML", with("wresult", "hello")),
        ("an entity bomb", with("wresult", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>")),
        (
            "a pointer",
            Parameters::parse("wa=wsignin1.0&wresultptr=http://169.254.169.254/", &Default::default())
                .expect("parameters"),
        ),
        ("nothing", Parameters::parse("wa=wsignin1.0", &Default::default()).expect("parameters")),
    ] {
        let refused = browser.clone().post(&gateway, "/signin-wsfed", &form).await;
        assert!(matches!(refused.status, 400 | 403), "{what}: {refused:?}");
        assert!(refused.body.contains("Try again"), "{what}: {refused:?}");
    }
    let wrong_type =
        browser.clone().send(&gateway, "POST", "/signin-wsfed", "Content-Type: text/xml\r\n", "<a/>").await;
    assert_eq!(wrong_type.status, 415);
    let get = browser.open(&gateway, "/signin-wsfed").await;
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    assert!(browser.session().is_none());
    assert_eq!(browser.post(&gateway, "/signin-wsfed", &good).await.status, 303, "the state is still good");
}

#[tokio::test]
async fn a_browser_that_loses_its_session_is_not_sent_around_for_ever_sm_31() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    for _ in 0..5 {
        let signed_in = browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
        assert_eq!(signed_in.status, 303);
        browser.cookies.remove("__Host-session");
    }
    let page = browser.open(&gateway, "/").await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("HST-WSFED-LOOP") && page.body.contains("cookies"), "{page:?}");
}

#[tokio::test]
async fn a_secure_cookie_over_http_is_an_error_page_and_no_loop_sm_23() {
    let (site, application) = (Site::new(), Application::hello().await);
    let toml = site.toml(application.address, Options::default()).replace("[\"127.0.0.1\"]", "[\"192.0.2.1\"]");
    let gateway = Running::from_toml(&toml).await;
    let mut browser = Browser::default();
    let signed_in = browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    assert_eq!(signed_in.status, 500);
    assert!(signed_in.body.contains("HST-COOKIE-PLAIN-HTTP"), "{signed_in:?}");
}

#[tokio::test]
async fn a_sign_in_that_is_not_as_fresh_as_the_site_wants_is_refused() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { federation: "freshness = \"1h\"", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    // This issuer does not say when.
    let refused = browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("HST-WSFED-FRESHNESS"), "{refused:?}");
    assert_eq!(browser.open(&gateway, "/").await.status, 302, "nobody is signed in");
}

#[tokio::test]
async fn pages_of_signed_in_users_are_not_stored_unless_they_are_for_everybody() {
    let (site, application) = (
        Site::new(),
        Application::answering(|request| {
            let caching = request.uri().query().unwrap_or("max-age=60").replace('+', ", ");
            Response::builder().header("cache-control", caching).body("x".to_owned()).expect("a response")
        })
        .await,
    );
    let options = Options { route: "public_paths = [\"/open\"]", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    assert_eq!(browser.open(&gateway, "/open").await.header("cache-control"), Some("max-age=60"));
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    assert_eq!(browser.open(&gateway, "/").await.header("cache-control"), Some("no-store"));
    let asset = browser.open(&gateway, "/app.js?public+max-age=9").await;
    assert_eq!(asset.header("cache-control"), Some("public, max-age=9"));
}

#[tokio::test]
async fn an_application_cannot_touch_the_cookies_of_the_session() {
    let (site, application) = (
        Site::new(),
        Application::answering(|_| {
            Response::builder()
                .header("set-cookie", "__Host-session=stolen; Path=/; Secure")
                .header("set-cookie", "__Host-session1=stolen; Path=/; Secure")
                .header("set-cookie", "own=1; Path=/")
                .body(String::new())
                .expect("a response")
        })
        .await,
    );
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let session = browser.session().map(str::to_owned);
    browser.open(&gateway, "/").await;
    assert_eq!(browser.session().map(str::to_owned), session);
    assert_eq!(browser.cookies.get("own").map(String::as_str), Some("1"));
    browser.open(&gateway, "/").await;
    assert_eq!(application.received()[1].headers()["cookie"], "own=1");
}

#[tokio::test]
async fn every_request_of_a_session_tells_the_application_the_same_and_hands_its_own_cookies_on() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["admin"]).await;
    let mut other = Browser::default();
    other.sign_in(&site, &gateway, "/", "bob", &[]).await;
    let forged = "Accept: text/html\r\nX-User: root\r\nX_Roles: root\r\n";
    for theme in ["dark", "dark", "light", "dark", "light"] {
        browser.cookies.insert("a-theme".to_owned(), theme.to_owned());
        browser.send(&gateway, "GET", "/", forged, "").await;
        other.send(&gateway, "GET", "/", forged, "").await;
        let [.., first, second] = &application.received()[..] else { panic!("two requests") };
        assert_eq!(first.headers()["x-user"], "alice");
        assert_eq!(first.headers()["x-roles"], "admin");
        assert_eq!(first.headers()["cookie"], format!("a-theme={theme}"));
        assert_eq!(second.headers()["x-user"], "bob");
        assert!(["x-roles", "x_roles", "cookie"].iter().all(|name| !second.headers().contains_key(*name)));
    }
}

#[tokio::test]
async fn where_sign_in_is_optional_the_application_decides() {
    let (site, application) = (
        Site::new(),
        Application::answering(|request| {
            let private = request.uri().path() == "/private" && !request.headers().contains_key("x-user");
            let status = if private { 401 } else { 200 };
            Response::builder().status(status).body("x".to_owned()).expect("a response")
        })
        .await,
    );
    let toml =
        site.toml(application.address, Options::default()).replace("sign_in = \"required\"", "sign_in = \"optional\"");
    let gateway = Running::from_toml(&toml).await;
    let mut browser = Browser::default();
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    assert_eq!(
        browser.send(&gateway, "GET", "/private", "", "").await.status,
        401,
        "programs get the application's 401"
    );
    let signed_in = browser.sign_in(&site, &gateway, "/private", "alice", &[]).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/private"));
    assert_eq!(browser.open(&gateway, "/private").await.status, 200);
}

#[tokio::test]
async fn a_session_in_the_database_is_a_handle_in_the_cookie() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = format!("[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"", site.folder.path().display());
    let options = Options { session: "mode = \"reference\"", rest: &store, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["a-role-with-a-name-that-makes-the-token-long"; 20]).await;
    assert!(browser.session().expect("a session").len() < 200);
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    // Another process with the same files.
    let other = site.gateway(application.address, options).await;
    assert_eq!(browser.open(&other, "/").await.status, 200);
    let copy = browser.clone();
    browser.open(&gateway, "/signout").await;
    assert_eq!(copy.clone().open(&gateway, "/").await.status, 302);
}

#[tokio::test]
async fn a_session_goes_into_the_database_when_it_is_too_large_for_cookies() {
    let (site, application) = (Site::new(), Application::hello().await);
    let rest = format!(
        "[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"\n[admin]\naddress = \"127.0.0.1:0\"\n\
         [federation.shop.cookie]\nchunk_size = 1000\nmax_chunks = 1",
        site.folder.path().display()
    );
    let options = Options { session: "mode = \"automatic\"", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let roles: Vec<String> = (0..80).map(|number| format!("role-{}", number * 7919 % 1009)).collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    let (mut small, mut large) = (Browser::default(), Browser::default());
    small.sign_in(&site, &gateway, "/", "alice", &["user"]).await;
    large.sign_in(&site, &gateway, "/", "bob", &roles).await;
    assert!(small.session().expect("a session").len() > large.session().expect("a session").len());
    for browser in [&mut small, &mut large] {
        assert_eq!(browser.open(&gateway, "/").await.status, 200);
    }
    assert_eq!(application.received()[1].headers()["x-roles"].to_str().expect("text").split(',').count(), 80);
    let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let metrics = exchange(gateway.admin.expect("an admin listener"), request).await.expect("connected");
    assert!(metrics.contains("handstamp_sessions_overflowed_total{federation=\"shop\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn a_session_keeps_the_claims_that_rules_name() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options {
        route: "session_header = \"X-Session\"",
        federation: "claims = [\"name\", \"role as urn:shop:group\", \"urn:shop:tenant = north\"]",
        ..Options::default()
    };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["admin", "sales"]).await;
    assert_eq!(browser.open(&gateway, "/").await.status, 200);
    let request = &application.received()[0];
    assert_eq!(request.headers()["x-user"], "alice");
    assert!(!request.headers().contains_key("x-roles"), "{request:?}");
    let session = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(request.headers()["x-session"].as_bytes());
    let session: serde_json::Value = serde_json::from_slice(&session.expect("base64url")).expect("JSON");
    let claims: Vec<(&str, &str)> = session["claims"]
        .as_array()
        .expect("claims")
        .iter()
        .map(|claim| (claim["type"].as_str().expect("a type"), claim["value"].as_str().expect("a value")))
        .collect();
    let name = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name";
    let expected =
        [(name, "alice"), ("urn:shop:group", "admin"), ("urn:shop:group", "sales"), ("urn:shop:tenant", "north")];
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { session: "absolute_timeout = \"1s\"\nclock_skew = \"0s\"", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let began = SystemClock.now();
    let over = loop {
        let answer: Answer = browser.open(&gateway, "/").await;
        if answer.status == 302 {
            break SystemClock.now();
        }
    };
    assert!(over.saturating_duration_since(began) < std::time::Duration::from_secs(30));
    assert!(browser.session().is_none(), "its cookie is deleted");
}

/// Runs the program beside the gateway, on the same configuration.
fn handstamp(site: &Site, toml: &str, arguments: &[&str]) -> (i32, String) {
    let file = site.folder.path().join("handstamp.toml");
    std::fs::write(&file, toml).expect("written");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(arguments)
        .current_dir(site.folder.path())
        .output()
        .expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("an exit code"), text)
}

#[tokio::test]
async fn operators_list_and_end_sessions_while_the_gateway_runs() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = format!("[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"", site.folder.path().display());
    let options = Options { session: "mode = \"reference\"", rest: &store, ..Options::default() };
    let toml = site.toml(application.address, options);
    let gateway = Running::from_toml(&toml).await;
    let (mut alice, mut bob) = (Browser::default(), Browser::default());
    alice.sign_in(&site, &gateway, "/", "alice", &[]).await;
    bob.sign_in(&site, &gateway, "/", "bob", &[]).await;

    let (code, list) = handstamp(&site, &toml, &["session", "list", "--json"]);
    assert_eq!(code, 0, "{list}");
    let list: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let ids: Vec<(&str, &str)> = list
        .as_array()
        .expect("an array")
        .iter()
        .map(|session| (session["user"].as_str().expect("a name"), session["session"].as_str().expect("an id")))
        .collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    let of = |user: &str| ids.iter().find(|(name, _)| *name == user).expect("the session").1;

    let (code, text) = handstamp(&site, &toml, &["session", "revoke", of("alice")]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = handstamp(&site, &toml, &["session", "revoke", "--user", "bob"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = handstamp(&site, &toml, &["session", "revoke", "00000000"]);
    assert!(code == 1 && text.contains("HST-SESSION-UNKNOWN"), "{text}");
    let (_, table) = handstamp(&site, &toml, &["session", "list"]);
    assert!(!table.contains("alice") && !table.contains("bob"), "{table}");
    // The gateway takes revocations over about once a second.
    for browser in [&mut alice, &mut bob] {
        while browser.open(&gateway, "/").await.status == 200 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(browser.session().is_none());
    }
}

#[tokio::test]
async fn revoking_a_user_ends_sessions_that_are_only_in_cookies() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = format!("[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"", site.folder.path().display());
    let toml = site.toml(application.address, Options { rest: &store, ..Options::default() });
    let gateway = Running::from_toml(&toml).await;
    let mut alice = Browser::default();
    alice.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let (code, text) = handstamp(&site, &toml, &["session", "revoke", "--user", "alice"]);
    assert_eq!(code, 0, "{text}");
    while alice.open(&gateway, "/").await.status == 200 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    alice.cookies.clear();
    let again = alice.sign_in(&site, &gateway, "/", "alice", &[]).await;
    assert_eq!(again.status, 303, "who was signed out may sign in again");
    assert_eq!(alice.open(&gateway, "/").await.status, 200);
}
