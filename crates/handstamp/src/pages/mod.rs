//! Pages for people: one look, and every security header on every page.
//!
//! A page is an askama template that extends `base.html`. [`respond`] renders it and adds the headers; what a page may
//! load or post to beyond its own inline style is said by a [`ContentPolicy`]. Nothing a page needs is fetched from anywhere:
//! no fonts, no scripts, no images.

mod message;

pub use message::{Action, MessagePage};

use base64_simd::STANDARD;
use handstamp_keys::sha256;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use std::fmt::Write as _;
use std::sync::LazyLock;

/// The one style sheet, inline in every page.
pub(crate) const STYLE: &str = include_str!("../../templates/style.css");

static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| hash_source(STYLE));

/// What a page may do beyond showing itself. The default is: nothing at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContentPolicy {
    form_targets: Vec<String>,
    image_origins: Vec<String>,
    script: Option<String>,
}

impl ContentPolicy {
    /// Lets forms post to `source`: `'self'`, or the origin of a URL. A browser applies this to every redirect that answers
    /// the form, too.
    pub fn allow_form(mut self, source: impl Into<String>) -> Self {
        self.form_targets.push(source.into());
        self
    }

    /// Lets images load from `origin`.
    pub fn allow_image(mut self, origin: impl Into<String>) -> Self {
        self.image_origins.push(origin.into());
        self
    }

    /// Lets exactly this inline script run.
    pub fn allow_script(mut self, script: &str) -> Self {
        self.script = Some(hash_source(script));
        self
    }

    /// The value of the `Content-Security-Policy` header.
    pub fn header_value(&self) -> String {
        let mut policy = format!("default-src 'none'; style-src {}", *STYLE_SOURCE);
        if let Some(script) = &self.script {
            let _ = write!(policy, "; script-src {script}");
        }
        if !self.image_origins.is_empty() {
            let _ = write!(policy, "; img-src {}", self.image_origins.join(" "));
        }
        let forms = if self.form_targets.is_empty() { "'none'".to_owned() } else { self.form_targets.join(" ") };
        let _ = write!(policy, "; form-action {forms}; frame-ancestors 'none'; base-uri 'none'");
        policy
    }
}

/// A page as a complete response that no cache keeps and no other site can frame.
pub fn respond(status: StatusCode, page: &impl askama::Template, policy: &ContentPolicy) -> Response<String> {
    let body = page.render().unwrap_or_else(|error| {
        // Rendering writes to memory; a template of ours has no other way to fail.
        tracing::error!(%error, "a page could not be rendered");
        String::new()
    });
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in FIXED_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = HeaderValue::from_str(&policy.header_value());
    headers.insert(
        CONTENT_SECURITY_POLICY,
        // An origin that is no header text came from a broken configuration: then nothing is allowed.
        policy.unwrap_or(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'")),
    );
    response
}

/// `strict-origin` rather than `no-referrer`: with the latter a browser posts forms with `Origin: null`, and nobody could
/// check where a form comes from.
const FIXED_HEADERS: [(HeaderName, &str); 6] = [
    (CONTENT_TYPE, "text/html; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "strict-origin"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

/// The source expression that allows one inline text.
fn hash_source(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode_to_string(sha256(text.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::{ContentPolicy, MessagePage, respond};
    use http::StatusCode;

    #[test]
    fn every_page_carries_the_security_headers() {
        let response = respond(StatusCode::FORBIDDEN, &MessagePage::new("No entry"), &ContentPolicy::default());
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "strict-origin");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.ends_with("form-action 'none'; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
        assert!(!policy.contains("script-src"), "{policy}");
    }

    #[test]
    fn a_policy_allows_what_it_names_and_no_more() {
        let policy = ContentPolicy::default()
            .allow_form("https://shop.example")
            .allow_image("https://shop.example")
            .allow_script("document.forms[0].submit()")
            .header_value();
        assert!(policy.contains("form-action https://shop.example;"), "{policy}");
        assert!(policy.contains("img-src https://shop.example;"), "{policy}");
        assert!(policy.contains("script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn an_origin_that_is_no_header_text_closes_the_page_instead_of_opening_it() {
        let policy = ContentPolicy::default().allow_form("https://shop.example\r\nSet-Cookie: a=b");
        let response = respond(StatusCode::OK, &MessagePage::new("Hello"), &policy);
        assert_eq!(response.headers()["content-security-policy"], "default-src 'none'; frame-ancestors 'none'");
        assert!(response.headers().get("set-cookie").is_none());
    }

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let page = MessagePage::new("<script>alert(1)</script>").detail("realm", "\"><img src=x>");
        let response = respond(StatusCode::BAD_REQUEST, &page, &ContentPolicy::default());
        assert!(!response.body().contains("<script>"));
        assert!(!response.body().contains("<img"));
    }
}
