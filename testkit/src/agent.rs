//! An HTTP user agent with a cookie jar.
//!
//! It does what a browser does with cookies and forms, and shows every step: redirects are followed only when asked.

use crate::form::Form;
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;
use std::time::Duration;

/// A user agent. Cloning copies the cookies and shares the connections.
#[derive(Debug, Clone)]
pub struct Agent {
    client: Client<HttpConnector, Full<Bytes>>,
    /// Cookies by host and name. Ports do not count, as in browsers; paths neither, which no test needs.
    cookies: BTreeMap<(String, String), String>,
    /// Headers sent with every request.
    pub headers: HeaderMap,
}

/// Why there is no answer.
pub type NoAnswer = Box<dyn std::error::Error + Send + Sync>;

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The address that was asked.
    pub url: Uri,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as text.
    pub body: String,
}

/// How long an answer may take. Servers answer at once; a connection to one that is killed may be lost without a word.
const PATIENCE: Duration = Duration::from_secs(30);

impl Default for Agent {
    fn default() -> Self {
        Self::new()
    }
}

impl Agent {
    /// The most redirects that [`Agent::navigate`] follows.
    const MAX_REDIRECTS: u32 = 10;

    /// An agent that looks like a person's navigation: it accepts HTML.
    pub fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, http::HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
        Self { client: Client::builder(TokioExecutor::new()).build_http(), cookies: BTreeMap::new(), headers }
    }

    /// One GET, no redirect followed.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn get(&mut self, url: &str) -> Answer {
        self.try_get(url).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// One GET that may fail, because the server is being killed.
    ///
    /// # Errors
    /// There was no whole answer.
    pub async fn try_get(&mut self, url: &str) -> Result<Answer, NoAnswer> {
        self.send(Method::GET, url, None).await
    }

    /// One POST of form fields, no redirect followed.
    pub async fn post<'a>(&mut self, url: &str, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Answer {
        let body: Vec<String> =
            fields.into_iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        self.send(Method::POST, url, Some(body.join("&"))).await.unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// GET, then every redirect.
    pub async fn navigate(&mut self, url: &str) -> Answer {
        let answer = self.get(url).await;
        self.follow(answer).await
    }

    /// Fills the page's form, posts it and follows every redirect.
    pub async fn submit(&mut self, page: &Answer, fill: &[(&str, &str)]) -> Answer {
        let form = Form::find(&page.body).unwrap_or_else(|| panic!("no form on {}:\n{}", page.url, page.body));
        let action = resolve(&page.url, &form.action);
        let fields = form.filled(fill);
        let answer = self.post(&action, fields.iter().map(|(name, value)| (name.as_str(), value.as_str()))).await;
        self.follow(answer).await
    }

    async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..Self::MAX_REDIRECTS {
            let Some(location) = answer.location() else { return answer };
            answer = self.get(&location).await;
        }
        panic!("more than {} redirects, the last to {}", Self::MAX_REDIRECTS, answer.url);
    }

    /// A cookie of a host.
    pub fn cookie(&self, host: &str, name: &str) -> Option<&str> {
        self.cookies.get(&(host.to_owned(), name.to_owned())).map(String::as_str)
    }

    /// Sets or replaces a cookie of a host.
    pub fn set_cookie(&mut self, host: &str, name: &str, value: &str) {
        self.cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
    }

    /// All cookies of a host, by name.
    pub fn cookies(&self, host: &str) -> impl Iterator<Item = (&str, &str)> {
        self.cookies
            .iter()
            .filter(move |((owner, _), _)| owner == host)
            .map(|((_, name), value)| (name.as_str(), value.as_str()))
    }

    async fn send(&mut self, method: Method, url: &str, form: Option<String>) -> Result<Answer, NoAnswer> {
        let url: Uri = url.parse().unwrap_or_else(|error| panic!("{url}: {error}"));
        let host = url.host().unwrap_or_default().to_owned();
        let mut request = Request::new(Full::from(form.clone().unwrap_or_default()));
        *request.method_mut() = method;
        *request.uri_mut() = url.clone();
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        if let Some(authority) = url.authority() {
            headers.insert(HOST, authority.as_str().parse().expect("an authority is a header value"));
        }
        if form.is_some() {
            headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/x-www-form-urlencoded"));
        }
        let cookies: Vec<String> = self.cookies(&host).map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            headers.insert(COOKIE, cookies.join("; ").parse().expect("cookies are header text"));
        }

        let answer = async {
            let (parts, body) = self.client.request(request).await?.into_parts();
            Ok::<_, NoAnswer>((parts, body.collect().await?.to_bytes()))
        };
        let (parts, body) = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| "no answer in time")??;
        for line in parts.headers.get_all(SET_COOKIE) {
            self.keep_cookie(&host, line.to_str().expect("cookies are text"));
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { url, status: parts.status, headers: parts.headers, body })
    }

    fn keep_cookie(&mut self, host: &str, line: &str) {
        let mut parts = line.split(';').map(str::trim);
        let (name, value) =
            parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name and a value");
        let ends = parts.any(|attribute| {
            let attribute = attribute.to_ascii_lowercase();
            attribute == "max-age=0" || attribute.starts_with("expires=thu, 01 jan 1970")
        });
        let key = (host.to_owned(), name.to_owned());
        if ends {
            self.cookies.remove(&key);
        } else {
            self.cookies.insert(key, value.to_owned());
        }
    }
}

impl Answer {
    /// Where a redirect leads, as a whole URL; none when this is no redirect.
    pub fn location(&self) -> Option<String> {
        let location = self.headers.get(LOCATION).filter(|_| self.status.is_redirection())?;
        Some(resolve(&self.url, location.to_str().expect("a location is text")))
    }

    /// A header's text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// A reference relative to a page; `base#fragment`, `?query` and dot segments are beyond what the tests need.
fn resolve(base: &Uri, reference: &str) -> String {
    let authority = base.authority().map_or("", |authority| authority.as_str());
    let scheme = base.scheme_str().unwrap_or("http");
    match reference {
        "" => base.to_string(),
        absolute if absolute.contains("://") => absolute.to_owned(),
        path if path.starts_with('/') => format!("{scheme}://{authority}{path}"),
        query if query.starts_with('?') => format!("{scheme}://{authority}{}{query}", base.path()),
        relative => {
            let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{relative}")
        }
    }
}

/// `application/x-www-form-urlencoded`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_replaced_and_ended() {
        let mut agent = Agent::new();
        agent.keep_cookie("localhost", "session=one; Path=/; HttpOnly");
        agent.keep_cookie("localhost", "session=two");
        agent.keep_cookie("elsewhere", "session=three");
        assert_eq!(agent.cookie("localhost", "session"), Some("two"));
        agent.keep_cookie("localhost", "session=; Max-Age=0; Path=/");
        assert_eq!(agent.cookie("localhost", "session"), None);
        assert_eq!(agent.cookies("elsewhere").count(), 1);
    }

    #[test]
    fn references_are_resolved_against_the_page() {
        let base: Uri = "http://localhost:81/a/b?c=d".parse().unwrap();
        assert_eq!(resolve(&base, "/x?y"), "http://localhost:81/x?y");
        assert_eq!(resolve(&base, "http://other/"), "http://other/");
        assert_eq!(resolve(&base, "?e=f"), "http://localhost:81/a/b?e=f");
        assert_eq!(resolve(&base, "x"), "http://localhost:81/a/x");
        assert_eq!(resolve(&base, ""), "http://localhost:81/a/b?c=d");
    }

    #[test]
    fn form_fields_are_encoded_byte_by_byte() {
        assert_eq!(encode("a b&c=é+"), "a%20b%26c%3D%C3%A9%2B");
    }
}
