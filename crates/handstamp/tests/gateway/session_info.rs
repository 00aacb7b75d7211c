//! What a site's own scripts and links can ask the gateway for.

use serde_json::Value;

use super::browser::{Browser, Options, Site};
use super::support::{Application, status};

const ROUTE: &str = "session_path = \"/.handstamp/session\"\nsign_in_path = \"/.handstamp/sign-in\"";

#[tokio::test]
async fn scripts_learn_who_is_signed_in_and_keep_nobody_signed_in() {
    let (site, application) = (Site::new(), Application::hello().await);
    let options = Options { route: ROUTE, session: "idle_timeout = \"20s\"\nslide_after = 1", ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    let nobody = browser.open(&gateway, "/.handstamp/session").await;
    assert_eq!((nobody.status, nobody.header("content-type")), (401, Some("application/problem+json")));

    browser.sign_in(&site, &gateway, "/", "alice", &["staff", "sales"]).await;
    // The session is now due to be extended by whatever uses it.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let said = browser.open(&gateway, "/.handstamp/session").await;
    assert_eq!((said.status, said.header("content-type")), (200, Some("application/json")));
    assert_eq!((said.header("cache-control"), said.header("set-cookie")), (Some("no-store"), None), "{said:?}");
    let body = said.body.trim_start_matches(|c: char| c != '{');
    let session: Value = serde_json::from_str(&body[..=body.rfind('}').expect("an object")]).expect("JSON");
    assert_eq!((&session["name"], &session["roles"]), (&"alice".into(), &serde_json::json!(["staff", "sales"])));
    assert_eq!(session["sign_out"], "/signout");
    assert!(session["expires"].as_str() > session["signed_in"].as_str(), "{session}");
    assert!(browser.open(&gateway, "/").await.header("set-cookie").is_some(), "this one does use the session");

    let posted = browser.send(&gateway, "POST", "/.handstamp/session", "", "").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert!(application.received().iter().all(|request| request.uri() == "/"), "the application has no part in it");
}

#[tokio::test]
async fn a_link_signs_in_and_leads_back_to_this_host_only() {
    let (site, application) = (Site::new(), Application::hello().await);
    let route = format!("{ROUTE}\npublic_paths = [\"/\"]");
    let gateway = site.gateway(application.address, Options { route: &route, ..Options::default() }).await;
    let mut browser = Browser::default();
    let link = "/.handstamp/sign-in?return=%2Forders%3Fid%3D7";
    let signed_in = browser.sign_in(&site, &gateway, link, "alice", &["staff"]).await;
    assert_eq!((signed_in.status, signed_in.location()), (303, "/orders?id=7"));
    let again = browser.open(&gateway, link).await;
    assert_eq!((again.status, again.location()), (303, "/orders?id=7"));
    for elsewhere in ["https://evil.example/", "//evil.example/", "/\\evil.example"] {
        let encoded: String = elsewhere.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let answer = browser.open(&gateway, &format!("/.handstamp/sign-in?return={encoded}")).await;
        assert_eq!((answer.status, answer.location()), (303, "/"), "{elsewhere}");
    }
}

/// Also a page whose address no request could have.
#[tokio::test]
async fn a_link_leads_to_the_page_that_it_names() {
    let (site, application) = (Site::new(), Application::hello().await);
    let gateway = site.gateway(application.address, Options { route: ROUTE, ..Options::default() }).await;
    for (wanted, page) in [("/s?q=<x>", "/s?q=<x>"), ("/s%23frag", "/s#frag"), ("/s?a=1%23b?c", "/s?a=1#b?c")] {
        let mut browser = Browser::default();
        let link = format!("/.handstamp/sign-in?return={}", wanted.replace('<', "%3C").replace('>', "%3E"));
        let signed_in = browser.sign_in(&site, &gateway, &link, "alice", &["staff"]).await;
        assert_eq!((signed_in.status, signed_in.location()), (303, page), "{wanted}");
        assert_eq!(browser.open(&gateway, &link).await.location(), page, "{wanted}");
    }
}

#[tokio::test]
async fn preflights_reach_the_application_where_that_is_wanted() {
    let (site, application) = (Site::new(), Application::hello().await);
    let preflight = "Origin: https://partner.example\r\nAccess-Control-Request-Method: POST\r\n";
    for (route, expected) in [("", 401), ("public_preflight = true", 200)] {
        let gateway = site.gateway(application.address, Options { route, ..Options::default() }).await;
        let ask =
            async |method: &str, lines: &str| Browser::default().send(&gateway, method, "/api", lines, "").await.status;
        assert_eq!(ask("OPTIONS", preflight).await, expected, "{route}");
        assert_eq!(ask("OPTIONS", "").await, 401, "{route}: no preflight");
        assert_eq!(ask("POST", preflight).await, 401, "{route}: what comes after it");
    }
    assert_eq!(application.received().len(), 1);
}

#[tokio::test]
async fn pages_name_the_operator() {
    let (site, application) = (Site::new(), Application::hello().await);
    let rest = "[pages]\nname = \"Contoso\"\nsupport = \"Ask the help desk: 4711.\"";
    let options = Options { route: "required_roles = [\"boss\"]", rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let refused = browser.open(&gateway, "/").await;
    assert!(refused.status == 403 && refused.body.contains("4711") && refused.body.contains("Contoso"), "{refused:?}");
    assert!(!refused.body.contains("Handstamp"), "{refused:?}");
    assert_eq!(status(&gateway.get("/", "").await), 401);
}
