//! The extractors, in an axum application.

use crate::fixture::{Fixture, Way, alice, in_memory, native_format};
use axum::{Router, body::Body, routing::get};
use handstamp_web_session::cookie::{ChunkedCookieHandler, CookieSettings};
use handstamp_web_session::{ActiveSession, Session, SessionLayer, SessionMode, SessionSettings, SignIn};
use http::{Request, StatusCode, header::SET_COOKIE};
use http_body_util::BodyExt;
use tower::ServiceExt;

fn router() -> Router {
    Router::new()
        .route("/name", get(async |session: ActiveSession| session.principal().name().unwrap_or("").to_owned()))
        .route("/maybe", get(async |session: Option<ActiveSession>| session.is_some().to_string()))
        .route(
            "/sign-in",
            get(async |session: Session| session.sign_in(SignIn::new(alice())).await.map(drop).map_err(|e| e.code())),
        )
}

async fn get_page(router: &Router, path: &str, fixture: &mut Fixture) -> (StatusCode, String) {
    let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
    request.headers_mut().extend(fixture.browser.request(path));
    let response = router.clone().oneshot(request).await.unwrap();
    for header in response.headers().get_all(SET_COOKIE) {
        fixture.browser.set(header);
    }
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn handlers_get_the_session_they_ask_for() {
    for mode in [SessionMode::SelfContained, SessionMode::Reference] {
        let way = Way {
            cookies: || ChunkedCookieHandler::native(CookieSettings::default()),
            format: native_format,
            mode,
            store: in_memory,
        };
        let mut fixture = Fixture::new(way, SessionSettings::builder().mode(mode).build().unwrap());
        let app = router().layer(SessionLayer::new(fixture.module.clone()));
        assert_eq!(get_page(&app, "/name", &mut fixture).await, (StatusCode::UNAUTHORIZED, "sign in first".to_owned()));
        assert_eq!(get_page(&app, "/maybe", &mut fixture).await, (StatusCode::OK, "false".to_owned()));
        assert_eq!(get_page(&app, "/sign-in", &mut fixture).await.0, StatusCode::OK);
        assert_eq!(get_page(&app, "/name", &mut fixture).await, (StatusCode::OK, "alice".to_owned()));
        assert_eq!(get_page(&app, "/maybe", &mut fixture).await, (StatusCode::OK, "true".to_owned()));
    }
}

#[tokio::test]
async fn a_forgotten_layer_is_a_server_error_that_says_so() {
    let way = Way {
        cookies: || ChunkedCookieHandler::native(CookieSettings::default()),
        format: native_format,
        mode: SessionMode::Reference,
        store: in_memory,
    };
    let mut fixture = Fixture::new(way, SessionSettings::default());
    let page = get_page(&router(), "/name", &mut fixture).await;
    assert_eq!(page, (StatusCode::INTERNAL_SERVER_ERROR, "this route has no session layer".to_owned()));
}
