//! Which relying parties a browser got tokens for, so that signing out can tell them.
//!
//! The names are in a cookie, not in the session: two tabs may sign in at once, and neither would see the other's. The
//! cookie is not sealed. All it can do is name configured relying parties, whose sign-out addresses are in the
//! configuration.

use super::Error;
use super::service::Party;
use handstamp_web_session::cookie::{CookieLifetime, CookieSettings, RequestCookies, SetCookie};
use http::{HeaderMap, HeaderValue};

/// The cookie.
#[derive(Debug, Clone)]
pub(super) struct VisitedParties {
    cookie: CookieSettings,
}

impl VisitedParties {
    /// Names in the configuration consist of letters, digits, `-` and `_`.
    const SEPARATOR: char = '.';

    /// # Errors
    /// The name is none that a cookie can have.
    pub(super) fn new(cookie_name: &str, secure: bool) -> Result<Self, Error> {
        Ok(Self { cookie: CookieSettings::builder(cookie_name).secure(secure).build()? })
    }

    /// The name of its cookie.
    pub(super) fn cookie_name(&self) -> &str {
        self.cookie.name()
    }

    /// The realms of the relying parties that the browser names.
    pub(super) fn realms<'p>(&self, headers: &HeaderMap, parties: &'p [Party]) -> Vec<&'p str> {
        let names = self.names(headers);
        parties.iter().filter(|party| names.contains(&party.name.as_str())).map(|party| party.realm.as_str()).collect()
    }

    /// The header that adds a relying party; none when the browser names it already.
    pub(super) fn add(&self, headers: &HeaderMap, party: &Party, parties: &[Party]) -> Option<HeaderValue> {
        let mut names = self.names(headers);
        if names.contains(&party.name.as_str()) {
            return None;
        }
        // What is configured no longer is dropped, so the cookie cannot grow for ever.
        names.retain(|name| parties.iter().any(|known| known.name == *name));
        names.push(&party.name);
        let text = names.join(&Self::SEPARATOR.to_string());
        // A list too long for a cookie stays as it is: signing out then tells all but the newest.
        (text.len() <= MAX_LENGTH)
            .then(|| SetCookie::new(&self.cookie, &text, CookieLifetime::BrowserSession).to_header_value().ok())
            .flatten()
    }

    /// The header that forgets them all.
    pub(super) fn forget(&self) -> Option<HeaderValue> {
        SetCookie::delete(&self.cookie).to_header_value().ok()
    }

    fn names<'h>(&self, headers: &'h HeaderMap) -> Vec<&'h str> {
        let value = RequestCookies::new(headers).first(self.cookie.name()).unwrap_or_default();
        let text = std::str::from_utf8(value).unwrap_or_default();
        text.split(Self::SEPARATOR).filter(|name| !name.is_empty()).collect()
    }
}

const MAX_LENGTH: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::COOKIE;

    #[test]
    fn parties_are_added_once_and_told_by_realm() {
        let parties = [party("shop"), party("wiki")];
        let visited = VisitedParties::new("sts-parties", false).unwrap();
        let none = HeaderMap::new();
        assert!(visited.realms(&none, &parties).is_empty());
        let first = visited.add(&none, &parties[0], &parties).unwrap();
        assert!(first.to_str().unwrap().starts_with("sts-parties=shop; "), "{first:?}");
        let browser = cookie("shop");
        assert!(visited.add(&browser, &parties[0], &parties).is_none());
        let second = visited.add(&browser, &parties[1], &parties).unwrap();
        assert!(second.to_str().unwrap().starts_with("sts-parties=shop.wiki; "), "{second:?}");
        assert_eq!(visited.realms(&cookie("shop.wiki"), &parties), ["urn:shop", "urn:wiki"]);
    }

    #[test]
    fn names_nobody_configured_do_nothing() {
        let parties = [party("shop")];
        let visited = VisitedParties::new("sts-parties", false).unwrap();
        assert!(visited.realms(&cookie("..evil.https://evil"), &parties).is_empty());
        let added = visited.add(&cookie("gone.gone2"), &parties[0], &parties).unwrap();
        assert!(added.to_str().unwrap().starts_with("sts-parties=shop; "), "{added:?}");
    }

    fn party(name: &str) -> Party {
        Party {
            name: name.into(),
            realm: format!("urn:{name}"),
            display_name: name.into(),
            rules: Vec::new(),
            is_told: false,
        }
    }

    fn cookie(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, format!("sts-parties={value}").parse().unwrap())])
    }
}
