//! What the gateway itself says when a request goes no further: a page for people, JSON (RFC 9457) for
//! programs, always with a stable code.

use std::borrow::Cow;

use std::time::Duration;

use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::body::Body;
use super::request_id::{self, RequestId};
use crate::config::Pages;
use crate::pages::{self, ContentPolicy, MessagePage};

/// Why a request goes no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: Cow<'static, str>,
    actions: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    close: bool,
}

impl Problem {
    /// A problem with a status, a stable code, and what happened and what to do, in words.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        title: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, code, title, detail: detail.into(), actions: Vec::new(), headers: Vec::new(), close: false }
    }

    /// Offers something to do next, as a link on the page.
    #[must_use]
    pub fn action(mut self, label: &'static str, href: impl Into<String>) -> Self {
        self.actions.push((label, href.into()));
        self
    }

    /// Says more in a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Says when to try again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        self.header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// The connection ends with this answer, because what follows on it cannot be trusted.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The answer, in the form the client prefers.
    pub fn respond(&self, form: Form, id: RequestId, pages: &Pages) -> Response<Body> {
        let mut response = match form {
            Form::Page => self.page(id, pages).map(Body::whole),
            Form::Json => self.json(id).map(Body::whole),
        };
        response.extensions_mut().insert(Refusal(self.code));
        let headers = response.headers_mut();
        headers.insert(request_id::HEADER, id.header());
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn page(&self, id: RequestId, pages: &Pages) -> Response<String> {
        let mut page =
            MessagePage::new(self.title).brand(pages.name.as_str()).status(self.status).paragraph(self.detail.as_ref());
        if let Some(support) = &pages.support {
            page = page.paragraph(support.as_str());
        }
        page = page.detail("Code", self.code).detail("Request", id.to_string());
        for (label, href) in &self.actions {
            page = page.action(*label, href.as_str());
        }
        pages::respond(self.status, &page, &ContentPolicy::default())
    }

    fn json(&self, id: RequestId) -> Response<String> {
        let text = serde_json::json!({
            "type": "about:blank",
            "status": self.status.as_u16(),
            "title": self.title,
            "detail": self.detail,
            "code": self.code,
            "request_id": id.to_string(),
        });
        let mut response = Response::new(text.to_string());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }
}

/// The code of the problem that an answer tells of; in its extensions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal(pub(super) &'static str);

/// The problems of the gateway itself.
impl Problem {
    pub(super) fn bad_host() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "HST-GATEWAY-HOST", "Bad request", "The request must name exactly one host.")
            .closing()
    }

    pub(super) fn conflicting_forwarding() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "HST-GATEWAY-FORWARDED",
            "Bad request",
            "Forwarded and X-Forwarded headers are malformed or contradict each other. The proxy in front must remove those that it does not write.",
        )
        .closing()
    }

    pub(super) fn too_many_headers() -> Self {
        Self::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "HST-GATEWAY-HEAD-SIZE",
            "Too many headers",
            "The request has more header lines than are accepted here. Deleting the cookies of this site may help.",
        )
    }

    pub(super) fn too_many_requests(wait: Duration) -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "HST-GATEWAY-RATE",
            "Too many requests",
            "Your address makes more requests than are allowed here. Wait a moment, then try again.",
        )
        .retry_after(wait)
    }

    /// The target names no path: `OPTIONS *`, which speaks of the whole server, or something that is none.
    pub(super) fn bad_target() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "HST-GATEWAY-TARGET",
            "Bad request",
            "The request names no address within the site: that begins with a slash.",
        )
    }

    pub(super) fn ambiguous_target() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "HST-GATEWAY-TARGET",
            "Bad request",
            "Gateway and application could understand the address differently: it contains . or .. segments, or encoded letters, \
             slashes or parameters that make it look like another address of this site.",
        )
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "HST-GATEWAY-METHOD",
            "Not implemented",
            "The gateway is no tunnel: CONNECT and TRACE are not supported.",
        )
        .closing()
    }

    pub(super) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "HST-GATEWAY-ROUTE",
            "Nothing here",
            "No application is configured for this address.",
        )
    }

    pub(super) fn body_too_large(limit: u64) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "HST-GATEWAY-BODY-SIZE",
            "Too large",
            format!("The body of a request may have at most {limit} bytes here."),
        )
        .closing()
    }

    pub(super) fn body_stalled() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "HST-GATEWAY-BODY-TIMEOUT",
            "Too slow",
            "The body of the request stopped coming.",
        )
        .closing()
    }

    pub(super) fn body_cut_off() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "HST-GATEWAY-BODY",
            "Bad request",
            "The body of the request was cut off or malformed.",
        )
        .closing()
    }

    /// Something here is wrong that should not be; the log says what.
    pub(super) fn internal(code: &'static str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            code,
            "Something is wrong here",
            "The site's operators find the reason in the log.",
        )
    }

    /// Something the gateway needs does not answer.
    pub(super) fn unavailable(code: &'static str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            "Not available at the moment",
            "The gateway cannot decide about this request now. Try again in a moment.",
        )
        .retry_after(Duration::from_secs(5))
    }

    pub(super) fn upstream_unreachable() -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "HST-GATEWAY-CONNECT",
            "Application not reachable",
            "The application behind this address does not accept connections. Try again in a moment.",
        )
    }

    pub(super) fn upstream_unwell() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "HST-GATEWAY-UNWELL",
            "Application not available",
            "No server of the application is well. Try again in a moment.",
        )
        .retry_after(Duration::from_secs(5))
    }

    pub(super) fn upstream_full() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "HST-GATEWAY-FULL",
            "Too busy",
            "The application has as many requests as it can take. Try again in a moment.",
        )
        .retry_after(Duration::from_secs(1))
    }

    pub(super) fn upstream_broken() -> Self {
        Self::new(
            StatusCode::BAD_GATEWAY,
            "HST-GATEWAY-ANSWER",
            "Bad answer",
            "The application broke the connection or gave no valid answer. Try again in a moment.",
        )
    }

    pub(super) fn upstream_slow() -> Self {
        Self::new(
            StatusCode::GATEWAY_TIMEOUT,
            "HST-GATEWAY-TIMEOUT",
            "No answer in time",
            "The application did not answer in time. Try again in a moment.",
        )
    }
}

/// How a problem is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An HTML page, for people.
    Page,
    /// RFC 9457 JSON, for programs.
    Json,
}

impl Form {
    /// What the client accepts: a page when it names `text/html` and does not name JSON before it. A
    /// client that names neither is a program.
    pub fn preferred(request: &HeaderMap) -> Self {
        request
            .get_all(ACCEPT)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(|range| range.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii())
            .find_map(|media| match media {
                b"text/html" | b"application/xhtml+xml" => Some(Self::Page),
                b"application/json" | b"application/problem+json" => Some(Self::Json),
                _ => None,
            })
            .unwrap_or(Self::Json)
    }
}

#[cfg(test)]
mod tests {
    use super::super::request_id::RequestIds;
    use super::*;

    fn accept(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(value))])
    }

    #[test]
    fn browsers_get_a_page_and_programs_json() {
        let form = |value| Form::preferred(&accept(value));
        assert_eq!(form("text/html,application/xhtml+xml,*/*;q=0.8"), Form::Page);
        assert_eq!(form("application/json, text/html;q=0.1"), Form::Json);
        assert_eq!(form("*/*"), Form::Json);
        assert_eq!(Form::preferred(&HeaderMap::new()), Form::Json);
    }

    #[test]
    fn what_a_page_says_is_escaped() {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "HST-TEST", "Test", "<script>");
        let pages = Pages { name: "Contoso <b>".to_owned(), support: Some("Ask the help desk.".to_owned()) };
        let page = problem.page(RequestIds::new().next(), &pages).into_body();
        assert!(!page.contains("<script>"), "{page}");
        assert!(page.contains("HST-TEST") && page.contains("Ask the help desk."), "{page}");
        assert!(page.contains("Contoso") && !page.contains("<b>"), "{page}");
    }
}
