//! As much of a browser as the tests need: a cookie jar that follows RFC 6265 for one host.

use handstamp_time::Timestamp;
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

#[derive(Default, Clone)]
pub(crate) struct Browser {
    cookies: Vec<Cookie>,
}

#[derive(Debug, Clone)]
pub(crate) struct Cookie {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Everything after the value, as sent.
    pub(crate) attributes: String,
    path: String,
}

impl Browser {
    pub(crate) fn set(&mut self, header: &HeaderValue) {
        let text = header.to_str().unwrap();
        let (pair, attributes) = text.split_once("; ").unwrap_or((text, ""));
        let (name, value) = pair.split_once('=').unwrap();
        assert!(text.len() <= 4096, "browsers drop cookies above 4096 bytes");
        let attribute = |wanted: &str| {
            attributes
                .split("; ")
                .map(|attribute| attribute.split_once('=').unwrap_or((attribute, "")))
                .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
                .map(|(_, value)| value.to_owned())
        };
        let path = attribute("Path").unwrap_or_else(|| "/".to_owned());
        if name.starts_with("__Host-") {
            assert!(path == "/" && attribute("Secure").is_some() && attribute("Domain").is_none());
        }
        self.cookies.retain(|cookie| cookie.name != name || cookie.path != path);
        if attribute("Max-Age").as_deref() != Some("0") {
            self.cookies.push(Cookie {
                name: name.to_owned(),
                value: value.to_owned(),
                attributes: attributes.to_owned(),
                path,
            });
        } else {
            assert_eq!(attribute("Expires"), Some(Timestamp::UNIX_EPOCH.http_date().to_string()));
        }
    }

    /// The `Cookie` header for a path, longest cookie path first; none when no cookie matches.
    pub(crate) fn cookie_header(&self, path: &str) -> Option<HeaderValue> {
        let mut matching: Vec<&Cookie> = self.cookies.iter().filter(|cookie| path.starts_with(&cookie.path)).collect();
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> = matching.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; ").parse().unwrap())
    }

    /// The headers of a request to a path.
    pub(crate) fn request(&self, path: &str) -> HeaderMap {
        self.cookie_header(path).map(|header| (COOKIE, header)).into_iter().collect()
    }

    pub(crate) fn cookies(&self) -> &[Cookie] {
        &self.cookies
    }

    pub(crate) fn cookies_mut(&mut self) -> &mut Vec<Cookie> {
        &mut self.cookies
    }

    pub(crate) fn names(&self) -> Vec<&str> {
        self.cookies.iter().map(|cookie| cookie.name.as_str()).collect()
    }
}
