//! The sample application: a web application that knows nothing about signing in.
//!
//! It reads one header, which the gateway sets and no client can, and shows what is in it.

use super::Pages;
use super::ledger_page::LEDGER_PATH;
use super::session_header::SessionHeader;
use crate::pages::{ContentPolicy, MessagePage, respond};
use askama::Template;
use handstamp_time::{Clock, Timestamp};
use http::{Method, Request, Response, StatusCode};

/// The name of the header in which the gateway tells who is there.
pub(super) const SESSION_HEADER: &str = "x-handstamp-session";

/// The page that takes a role the demo's user does not have.
pub(super) const AUDITORS_PATH: &str = "/auditors";

/// That role.
pub(super) const AUDITOR_ROLE: &str = "Auditor";

#[derive(Debug, Template)]
#[template(path = "demo/home.html")]
struct HomePage<'a> {
    session: &'a SessionHeader,
    now: Timestamp,
    home: &'a str,
    sign_out: &'a str,
    auditors: &'a str,
    ledger: &'a str,
}

/// Answers a request that came through the gateway.
pub(super) fn answer<B>(request: &Request<B>, pages: &Pages, clock: &dyn Clock) -> Response<String> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return message(StatusCode::METHOD_NOT_ALLOWED, "This page can only be read");
    }
    let session = request.headers().get(SESSION_HEADER).and_then(|header| SessionHeader::decode(header.as_bytes()));
    match (request.uri().path(), session) {
        ("/", Some(session)) => {
            let page = HomePage {
                session: &session,
                now: clock.now(),
                home: "/",
                sign_out: super::SIGN_OUT_PATH,
                auditors: AUDITORS_PATH,
                ledger: LEDGER_PATH,
            };
            respond(StatusCode::OK, &page, &ContentPolicy::default())
        }
        // Reached only when the gateway lets a request through that nobody signed in for: a mistake in its configuration.
        (AUDITORS_PATH, Some(_)) => message(StatusCode::OK, "The auditors' page"),
        (LEDGER_PATH, Some(_)) => pages.page.show(&pages.sessions, clock.now()),
        ("/" | LEDGER_PATH, None) => message(StatusCode::INTERNAL_SERVER_ERROR, "The gateway did not say who is there"),
        _ => message(StatusCode::NOT_FOUND, "There is no such page"),
    }
}

fn message(status: StatusCode, heading: &str) -> Response<String> {
    let page = MessagePage::new(heading).brand("Sample application").status(status).action("Back to the start", "/");
    respond(status, &page, &ContentPolicy::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::ledger::LiveSessions;
    use crate::demo::ledger_page::LedgerPage;
    use base64_simd::URL_SAFE_NO_PAD;
    use handstamp_time::VirtualClock;
    use std::sync::Arc;

    #[test]
    fn the_page_shows_who_is_there_and_how_long_the_session_lasts() {
        let page = get("/", Some(SESSION));
        assert_eq!(page.status(), StatusCode::OK);
        for text in ["Ada &#60;Lovelace&#62;", "5 min", "7 h 30 min", ">412<", "this server remembers nothing", "Clerk"]
        {
            assert!(page.body().contains(text), "{text} is missing in {}", page.body());
        }
        assert!(!page.body().contains("<Lovelace>"));
        assert_eq!(page.headers()["cache-control"], "no-store");
    }

    #[test]
    fn without_the_gateways_header_nothing_is_shown() {
        assert_eq!(get("/", None).status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(get("/", Some("{}")).status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(get("/nowhere", Some(SESSION)).status(), StatusCode::NOT_FOUND);
        assert_eq!(get(LEDGER_PATH, None).status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(get(LEDGER_PATH, Some(SESSION)).body().contains("http://localhost:1/ledger"));
    }

    const SESSION: &str = r#"{"mode":"self-contained","cookie_size":412,"signed_in":"2030-01-01T08:00:00Z",
        "valid_from":"2030-01-01T08:00:00Z","valid_to":"2030-01-01T15:35:00Z","claims":[
        {"type":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name","value":"Ada <Lovelace>"},
        {"type":"http://schemas.microsoft.com/ws/2008/06/identity/claims/role","value":"Clerk"}]}"#;

    fn get(path: &str, session: Option<&str>) -> Response<String> {
        let mut request = Request::builder().uri(path);
        if let Some(session) = session {
            request = request.header(SESSION_HEADER, URL_SAFE_NO_PAD.encode_to_string(session));
        }
        let started = "2030-01-01T08:00:00Z".parse().unwrap();
        let page = LedgerPage { address: "http://localhost:1/ledger".into(), command: "call".into() };
        let pages =
            Pages { sessions: Arc::new(LiveSessions::new(started, |_| std::collections::HashMap::new())), page };
        answer(&request.body(()).unwrap(), &pages, &VirtualClock::new("2030-01-01T08:05:00Z".parse().unwrap()))
    }
}
