//! Keeps other sites from posting the sign-in form.
//!
//! The form carries a random text that the browser also has in a cookie, which only our own page sets: another site can
//! neither read nor choose it. Browsers also say where a form comes from, which is checked first.

use super::Error;
use base64_simd::URL_SAFE_NO_PAD;
use handstamp_keys::{SecureRandom, constant_time_eq};
use handstamp_web_session::cookie::{CookieLifetime, CookieSettings, RequestCookies, SameSite, SetCookie};
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The guard of one form.
#[derive(Debug, Clone)]
pub(super) struct FormGuard {
    cookie: CookieSettings,
    /// `https://sts.example`, as browsers write it.
    origin: String,
}

/// What a page with the form needs.
#[derive(Debug)]
pub(super) struct FormToken {
    /// For the hidden field.
    pub(super) text: String,
    /// For the response; none when the browser has the cookie already.
    pub(super) set_cookie: Option<HeaderValue>,
}

impl FormGuard {
    /// Length of the text: 32 random bytes in base64url.
    const TEXT_LENGTH: usize = 43;

    /// A guard for forms of the site at `origin`.
    ///
    /// # Errors
    /// The name is none that a cookie can have.
    pub(super) fn new(cookie_name: &str, secure: bool, origin: &str) -> Result<Self, Error> {
        let cookie = CookieSettings::builder(cookie_name).secure(secure).same_site(SameSite::Strict).build()?;
        Ok(Self { cookie, origin: origin.to_owned() })
    }

    /// The token for a page. A browser that has one keeps it, so that a second tab does not spoil the first.
    ///
    /// # Errors
    /// There are no random numbers.
    pub(super) fn issue(&self, headers: &HeaderMap, random: &dyn SecureRandom) -> Result<FormToken, Error> {
        if let Some(text) = self.cookie_text(headers) {
            return Ok(FormToken { text: text.to_owned(), set_cookie: None });
        }
        let mut bytes = [0; 32];
        random.fill(&mut bytes)?;
        let text = URL_SAFE_NO_PAD.encode_to_string(bytes);
        let set_cookie = SetCookie::new(&self.cookie, &text, CookieLifetime::BrowserSession).to_header_value()?;
        Ok(FormToken { text, set_cookie: Some(set_cookie) })
    }

    /// Whether a posted form comes from our own page in this browser.
    pub(super) fn admits(&self, headers: &HeaderMap, posted: Option<&str>) -> bool {
        let own_origin = headers.get(ORIGIN).is_none_or(|origin| origin.as_bytes() == self.origin.as_bytes());
        let own_site =
            headers.get(SEC_FETCH_SITE).is_none_or(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
        let matches = match (self.cookie_text(headers), posted) {
            (Some(cookie), Some(posted)) => constant_time_eq(cookie.as_bytes(), posted.as_bytes()),
            _ => false,
        };
        own_origin && own_site && matches
    }

    /// The name of its cookie.
    pub(super) fn cookie_name(&self) -> &str {
        self.cookie.name()
    }

    fn cookie_text<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        let value = RequestCookies::new(headers).first(self.cookie.name())?;
        let text = std::str::from_utf8(value).ok()?;
        let well_formed = text.len() == Self::TEXT_LENGTH
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        well_formed.then_some(text)
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SystemRandom;
    use http::header::COOKIE;

    #[test]
    fn the_form_of_this_browser_is_admitted_and_no_other() {
        let guard = guard();
        let token = guard.issue(&HeaderMap::new(), &SystemRandom).unwrap();
        let browser = cookie(&token.text);
        assert!(guard.admits(&browser, Some(&token.text)));
        assert!(!guard.admits(&browser, None));
        assert!(!guard.admits(&browser, Some("")));
        assert!(!guard.admits(&HeaderMap::new(), Some(&token.text)), "no cookie");
        let other = guard.issue(&HeaderMap::new(), &SystemRandom).unwrap();
        assert!(!guard.admits(&browser, Some(&other.text)));
        assert!(!guard.admits(&cookie(""), Some("")), "an empty cookie matches nothing");
    }

    #[test]
    fn a_second_page_keeps_the_cookie_of_the_first() {
        let guard = guard();
        let first = guard.issue(&HeaderMap::new(), &SystemRandom).unwrap();
        assert!(first.set_cookie.is_some());
        let second = guard.issue(&cookie(&first.text), &SystemRandom).unwrap();
        assert_eq!(second.text, first.text);
        assert!(second.set_cookie.is_none());
        let spoiled = guard.issue(&cookie("planted"), &SystemRandom).unwrap();
        assert!(spoiled.set_cookie.is_some(), "a cookie of another form is replaced");
    }

    #[test]
    fn a_form_from_another_site_is_refused_even_with_the_right_text() {
        let guard = guard();
        let text = guard.issue(&HeaderMap::new(), &SystemRandom).unwrap().text;
        let from = |name: HeaderName, value: &'static str| {
            let mut headers = cookie(&text);
            headers.insert(name, HeaderValue::from_static(value));
            guard.admits(&headers, Some(&text))
        };
        assert!(from(ORIGIN, "https://sts.example"));
        assert!(!from(ORIGIN, "https://evil.example"));
        assert!(!from(ORIGIN, "null"));
        assert!(from(SEC_FETCH_SITE, "same-origin"));
        assert!(!from(SEC_FETCH_SITE, "same-site"));
        assert!(!from(SEC_FETCH_SITE, "cross-site"));
    }

    fn guard() -> FormGuard {
        FormGuard::new("__Host-sts-form", true, "https://sts.example").unwrap()
    }

    fn cookie(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, format!("__Host-sts-form={text}").parse().unwrap())])
    }
}
