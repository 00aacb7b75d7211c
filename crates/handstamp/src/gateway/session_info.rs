//! Telling the scripts of a page who is signed in.

use handstamp_claims::ClaimsIdentity;
use handstamp_web_session::ActiveSession;
use handstamp_web_session::module::Decision;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use serde_json::json;

use super::Visit;
use super::access::is_undecided;
use super::body::Body;
use super::federation::Federation;
use super::problem::{Form, Problem};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Who is signed in, as JSON. The session is looked at and not used: a page that asks every minute does not keep it alive.
pub(super) async fn answer(
    federation: &Federation,
    request: Parts,
    visit: Visit<'_>,
) -> Result<Response<Body>, Problem> {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Ok(Visit { form: Form::Json, ..visit }.refuse(&only_get()));
    }
    let module = federation.sessions();
    let decision = module.look(visit.head(&request), module.now()).await;
    if matches!(&decision, Decision::Reject(error) if is_undecided(error)) {
        return Err(Problem::unavailable("HST-GATEWAY-STORE"));
    }
    let mut response = match decision.session() {
        Some(session) => Response::new(Body::whole(describe(session, federation))),
        // Not counted as a refusal: pages ask in order to find out.
        None => nobody().respond(Form::Json, visit.id, visit.pages),
    };
    let headers = response.headers_mut();
    if !headers.contains_key(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    Ok(response)
}

fn describe(session: &ActiveSession, federation: &Federation) -> String {
    let principal = session.principal();
    let claims: Vec<_> = principal
        .claims()
        .map(|claim| json!({ "type": claim.claim_type().as_str(), "value": claim.value().as_str() }))
        .collect();
    let roles: Vec<&str> = principal.identities().iter().flat_map(ClaimsIdentity::roles).collect();
    json!({
        "name": principal.name(),
        "roles": roles,
        "claims": claims,
        "signed_in": session.signed_in_at().to_string(),
        "expires": session.expires_at().to_string(),
        "sign_out": federation.sign_out_path(),
    })
    .to_string()
}

fn nobody() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "HST-GATEWAY-SIGN-IN",
        "Not signed in",
        "There is no session, or it is over.",
    )
    .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Session"))
}

fn only_get() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "HST-GATEWAY-METHOD", "Not like this", "This address is for GET.")
        .header(ALLOW, HeaderValue::from_static("GET, HEAD"))
}
