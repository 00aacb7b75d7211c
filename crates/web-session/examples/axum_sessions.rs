//! Sessions in an axum application, to click on.
//!
//! ```text
//! cargo run -p handstamp-web-session --example axum_sessions
//! ```
//!
//! Then open <http://localhost:3000>. Anybody may sign in under any name. The keys live in memory, so a restart signs
//! everybody out; a real application opens its ring with `KeyRing::open` and keeps it fresh with `KeyRing::upkeep`.

use axum::extract::Form;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{MruCache, SessionSecurityTokenHandler};
use handstamp_time::{Clock, SystemClock};
use handstamp_web_session::{
    ActiveSession, Session, SessionLayer, SessionMode, SessionModule, SessionSettings, SignIn,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("localhost:3000").await?;
    eprintln!("open http://localhost:3000");
    axum::serve(listener, application()?).await?;
    Ok(())
}

fn application() -> Result<Router, Box<dyn std::error::Error>> {
    let ring = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom)?;
    let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
        .audience("http://localhost:3000/")
        .build()?;
    let settings = SessionSettings::builder().idle_timeout(Duration::from_secs(120)).build()?;
    let sessions = SessionModule::builder(tokens).settings(settings).cache(Arc::new(MruCache::new())).build()?;
    Ok(Router::new()
        .route("/", get(home))
        .route("/private", get(private))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .layer(SessionLayer::new(sessions)))
}

async fn home(session: Option<ActiveSession>) -> Html<String> {
    Html(match session {
        None => r#"<h1>Nobody is signed in</h1>
            <form method="post" action="/sign-in">
              <input name="name" placeholder="Name" required autofocus>
              <label><input type="checkbox" name="persistent"> keep me signed in</label>
              <label><input type="checkbox" name="reference"> in reference mode</label>
              <button>Sign in</button>
            </form>"#
            .to_owned(),
        Some(session) => format!(
            r#"<h1>Hello {name}</h1>
            <p>Signed in {age} s ago. The session ends in {remaining} s unless you come back before.
            It is {mode}; {size} bytes travel with each request.</p>
            <p><a href="/private">A private page</a></p>
            <form method="post" action="/sign-out"><button>Sign out</button></form>"#,
            name = escaped(session.principal().name().unwrap_or("stranger")),
            age = session.age().as_secs(),
            remaining = session.remaining().as_secs(),
            mode = session.mode(),
            size = session.size(),
        ),
    })
}

/// Not called for anonymous users.
async fn private(session: ActiveSession) -> Html<String> {
    let claims: String = session
        .principal()
        .claims()
        .map(|claim| format!("<li>{}: {}</li>", escaped(claim.claim_type()), escaped(claim.value())))
        .collect();
    Html(format!("<h1>Your claims</h1><ul>{claims}</ul>"))
}

async fn sign_in(
    session: Session,
    Form(form): Form<HashMap<String, String>>,
) -> Result<Redirect, (StatusCode, String)> {
    let name = form.get("name").cloned().unwrap_or_default();
    let identity = ClaimsIdentity::new("Example").with_claim(Claim::new(claim_types::NAME, name));
    let mode = if form.contains_key("reference") { SessionMode::Reference } else { SessionMode::SelfContained };
    let sign_in = SignIn::new(identity.into()).persistent(form.contains_key("persistent")).mode(mode);
    session.sign_in(sign_in).await.map_err(failed)?;
    Ok(Redirect::to("/"))
}

async fn sign_out(session: Session) -> Result<Redirect, (StatusCode, String)> {
    session.sign_out().await.map_err(failed)?;
    Ok(Redirect::to("/"))
}

/// An application for strangers would log the error and show its code only.
fn failed(error: handstamp_web_session::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{} ({})", error, error.code()))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, header};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_user_signs_in_and_is_known_and_signs_out() {
        let app = application().unwrap();
        let ask = async |method: &str, path: &str, cookie: &str, form: &'static str| {
            let request = Request::builder().method(method).uri(path).header(header::HOST, "localhost:3000");
            let request = request.header(header::COOKIE, cookie);
            let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let response = app.clone().oneshot(request.body(Body::from(form)).unwrap()).await.unwrap();
            let status = response.status().as_u16();
            let cookies = response.headers().get_all(header::SET_COOKIE).iter();
            let cookies: Vec<_> =
                cookies.filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned())).collect();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (status, cookies.join("; "), String::from_utf8(body.to_vec()).unwrap())
        };

        assert_eq!(ask("GET", "/private", "", "").await.0, 401);
        let (status, session, _) = ask("POST", "/sign-in", "", "name=Ada").await;
        assert!(status == 303 && !session.is_empty(), "{status} {session}");
        let (status, _, page) = ask("GET", "/private", &session, "").await;
        assert!(status == 200 && page.contains("Ada"), "{page}");
        assert_eq!(ask("POST", "/sign-out", &session, "").await.0, 303);
        assert_eq!(ask("GET", "/private", &session, "").await.0, 401, "a copy of the cookie is worth nothing");
    }
}
