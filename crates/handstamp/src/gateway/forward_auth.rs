//! Deciding for another proxy: it asks before it passes a request on, and the answer's headers say who is there.
//!
//! The request that comes here stands for another one, which `X-Forwarded-Method` and `X-Forwarded-Uri` describe; host and scheme
//! are those that [`origin`](super::origin) found.

use http::header::{CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};

use super::Visit;
use super::access::{Access, Admission};
use super::body::Body;
use super::path_reading::generous;
use super::problem::Problem;

const X_FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const X_FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");

/// One endpoint that other proxies ask.
#[derive(Debug)]
pub(super) struct ForwardAuth {
    access: Access,
    manner: Manner,
}

/// What becomes of people who are not signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manner {
    /// 401, and the other proxy knows what to do.
    Check,
    /// They are sent to sign in.
    Challenge,
}

impl ForwardAuth {
    pub(super) fn new(access: Access, manner: Manner) -> Self {
        Self { access, manner }
    }

    /// Answers 200 with who is there, 401 or 403, or a way to sign in.
    pub(super) async fn answer(&self, request: Request<Body>, visit: Visit<'_>) -> Response<Body> {
        if !visit.origin.from_trusted_proxy {
            return visit.refuse(&untrusted());
        }
        let access = &self.access;
        access
            .federation()
            .with_session(request, visit, |request, session| async move {
                let (method, uri) = asked_for(request.headers())?;
                if self.manner == Manner::Check
                    && session.active().is_none()
                    && !access.is_public(&method, &uri, request.headers())
                {
                    return Err(Problem::new(
                        StatusCode::UNAUTHORIZED,
                        "HST-GATEWAY-SIGN-IN",
                        "Not signed in",
                        "There is no session, or it is over.",
                    )
                    .header(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Session")));
                }
                let active = match access.admit(&method, &uri, request.headers(), &session)? {
                    Admission::Granted(active) => active,
                    Admission::Challenged(response) => return Ok(response),
                };
                let mut response = Response::new(Body::empty());
                access.tell(response.headers_mut(), active.as_ref());
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                Ok(response)
            })
            .await
    }
}

/// The request that the other proxy asks about.
fn asked_for(headers: &HeaderMap) -> Result<(Method, Uri), Problem> {
    let method = match only(headers, &X_FORWARDED_METHOD)? {
        Some(text) => text.parse().map_err(|_| unclear())?,
        None => Method::GET,
    };
    let target = only(headers, &X_FORWARDED_URI)?.ok_or_else(unclear)?;
    let uri: Uri = target.parse().map_err(|_| unclear())?;
    if !uri.path().starts_with('/') {
        return Err(Problem::bad_target());
    }
    // Without dot segments, what lies below a public path does so in every reading.
    generous(uri.path()).map_err(|_| Problem::ambiguous_target())?;
    Ok((method, uri))
}

/// The one line of a header. A second one could be the client's own.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next().map(HeaderValue::to_str).transpose().map_err(|_| unclear())?;
    if lines.next().is_some() { Err(unclear()) } else { Ok(line) }
}

fn unclear() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "HST-GATEWAY-FORWARD-AUTH",
        "Which request?",
        "The proxy in front must say in X-Forwarded-Uri, once, which path and query it asks about, and in X-Forwarded-Method the \
         method when it is not GET.",
    )
}

fn untrusted() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "HST-GATEWAY-UNTRUSTED-PROXY",
        "Not for you",
        "Only proxies that trusted_proxies of the listener names may ask here.",
    )
}
