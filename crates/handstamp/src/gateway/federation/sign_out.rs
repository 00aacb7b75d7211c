//! The end of a session: by its user, and by the issuer.

use handstamp_web_session::Session;
use handstamp_ws_federation::{CleanupResponse, Limits, Parameters, SIGN_OUT_IMAGE};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use super::{Federation, redirect};
use crate::gateway::Visit;
use crate::gateway::body::Body;
use crate::gateway::problem::{Form, Problem};
use crate::pages::{self, ContentPolicy, MessagePage};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

impl Federation {
    /// Ends the session here, then sends the browser to end it at the issuer. Those who only look where a link leads end nothing.
    pub(super) async fn sign_out(&self, request: &Parts, session: &Session) -> Result<Response<Body>, Problem> {
        match request.method {
            Method::GET | Method::POST => {}
            Method::HEAD => return redirect(StatusCode::SEE_OTHER, &self.signed_out_path),
            _ => {
                let detail = "This address is for GET and POST.";
                let problem =
                    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "HST-GATEWAY-METHOD", "Not like this", detail);
                return Err(problem.header(ALLOW, HeaderValue::from_static("GET, HEAD, POST")));
            }
        }
        if is_foreign(&request.headers) && !session.is_anonymous() {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "HST-GATEWAY-FOREIGN-SIGN-OUT",
                "Sign out?",
                "Another site sent you here. Sign out only if you mean to.",
            )
            .action("Sign out", self.sign_out_path.as_str())
            .action("Stay signed in", "/"));
        }
        if !session.is_anonymous() {
            self.metrics.sign_outs.add();
        }
        // At the issuer that signed the user in; without a session, at the one where the browser would sign in.
        let party =
            self.issuers.of_session(session).or_else(|| self.issuers.named(self.issuers.remembered(&request.headers)?));
        if let Err(error) = session.sign_out().await {
            // The cookie is deleted; what stays is a copy of it that somebody may have made.
            tracing::error!(federation = self.name, code = error.code(), %error, "a session could not be ended everywhere");
        }
        let Some(party) = party else {
            return redirect(StatusCode::SEE_OTHER, &self.signed_out_path);
        };
        let location = party.current()?.sign_out_url(None).map_err(|error| {
            tracing::error!(federation = self.name, code = error.code(), %error, "no way to the issuer's sign-out");
            Problem::internal(error.code())
        })?;
        redirect(StatusCode::SEE_OTHER, &location)
    }

    /// Tells people that they are signed out.
    pub(super) fn signed_out(&self, visit: Visit<'_>) -> Response<Body> {
        if visit.form == Form::Json {
            let mut response = Response::new(Body::whole(r#"{"signed_out":true}"#));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            return response;
        }
        let page = MessagePage::new("You are signed out")
            .brand(visit.pages.name.as_str())
            .paragraph("Your session here has ended, also on copies of its cookie.")
            .paragraph("On a shared computer, close the browser as well.")
            .action("Sign in again", "/");
        let page = match self.issuers.are_several() {
            true => page.action("Sign in elsewhere", self.choice_url(&[])),
            false => page,
        };
        pages::respond(StatusCode::OK, &page, &ContentPolicy::default()).map(Body::whole)
    }

    /// Whether the issuer asks, through the user's browser, that the session ends (SM §3.9).
    pub(in crate::gateway) fn is_sign_out_cleanup(&self, request: &Request<Body>) -> bool {
        request.method() == Method::GET
            && request.uri().query().is_some_and(|query| {
                query.as_bytes().split(|byte| *byte == b'&').any(|pair| pair == b"wa=wsignoutcleanup1.0")
            })
    }

    /// Ends the session because the issuer asks; the answer is the same without one (SM-40, SM-41).
    pub(in crate::gateway) async fn clean_up(
        &self,
        request: &Parts,
        session: &Session,
    ) -> Result<Response<Body>, Problem> {
        let bad = |error: handstamp_ws_federation::Error| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                error.code(),
                "Bad request",
                "This is no sign-out message of WS-Federation.",
            )
        };
        let query = request.uri.query().unwrap_or_default();
        let parameters = Parameters::parse(query, &Limits::default()).map_err(bad)?;
        let answer = self.cleanup_answer(&parameters, session)?.map_err(bad)?;
        if !session.is_anonymous() {
            self.metrics.issuer_sign_outs.add();
        }
        if let Err(error) = session.sign_out_by_issuer().await {
            tracing::error!(federation = self.name, code = error.code(), %error, "a session could not be ended everywhere");
        }
        match answer {
            CleanupResponse::Redirect(location) => redirect(StatusCode::FOUND, &location),
            CleanupResponse::Image => {
                let mut response = Response::new(Body::whole(&SIGN_OUT_IMAGE[..]));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/gif"));
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                Ok(response)
            }
        }
    }

    /// What to answer to the issuer that signed the user in; without a session, to the one whose `wreply` it is.
    fn cleanup_answer(
        &self,
        parameters: &Parameters,
        session: &Session,
    ) -> Result<Result<CleanupResponse, handstamp_ws_federation::Error>, Problem> {
        if let Some(party) = self.issuers.of_session(session) {
            return Ok(party.current()?.receive_sign_out_cleanup(parameters));
        }
        let mut first = None;
        for (_, party) in self.parties() {
            let answer = party.receive_sign_out_cleanup(parameters);
            match &answer {
                // Not its own, so that it would have the browser come to itself.
                Ok(CleanupResponse::Redirect(location)) if *location == party.settings().issuer => {
                    first.get_or_insert(answer);
                }
                _ => return Ok(answer),
            }
        }
        first.ok_or_else(|| Problem::unavailable("HST-METADATA-NONE"))
    }
}

/// Whether another site sent the browser here.
pub(super) fn is_foreign(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site")
}
