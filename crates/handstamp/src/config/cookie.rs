//! What browsers and the gateway ask of a cookie, whichever table describes it.

use handstamp_web_session::cookie::CookieSettings;

use super::PathPrefix;
use super::findings::{FindingKind, Reader};

/// Beginnings of names that browsers tie to attributes.
const PREFIXES: [&str; 3] = ["__Host-", "__Secure-", "__Http-"];

/// A cookie, and the keys that describe it.
pub(super) struct NamedCookie<'c> {
    pub(super) name: (String, &'c str),
    pub(super) path: Option<(String, &'c PathPrefix)>,
    pub(super) domain: Option<(String, &'c str)>,
    pub(super) secure: (String, bool),
}

impl NamedCookie<'_> {
    /// Reports what would keep the gateway from starting, or browsers from taking the cookie.
    pub(super) fn check(&self, reader: &mut Reader) {
        let (name_key, name) = &self.name;
        if CookieSettings::builder(*name).build().is_err() {
            reader.report(FindingKind::Value, name_key, "must be letters, digits, - and _");
        }
        if let Some((key, path)) = &self.path
            && CookieSettings::builder("name").path(path.as_str()).build().is_err()
        {
            reader.report(FindingKind::Value, key, "must not contain ; in a cookie");
        }
        if let Some((key, domain)) = &self.domain
            && CookieSettings::builder("name").domain(domain).build().is_err()
        {
            reader.report(FindingKind::Value, key, "must be a domain such as \"shop.example\", without port");
        }
        self.check_prefix(reader);
    }

    /// The rules that browsers tie to the beginning of a name, compared without case (RFC 6265bis §4.1.3).
    fn check_prefix(&self, reader: &mut Reader) {
        let (name_key, name) = &self.name;
        let Some(prefix) = PREFIXES
            .into_iter()
            .find(|prefix| name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)))
        else {
            return;
        };
        let (secure_key, secure) = &self.secure;
        let mut wrong = Vec::new();
        if !secure {
            wrong.push((secure_key, "must be true"));
        }
        if prefix == "__Host-" {
            wrong.extend(self.domain.iter().map(|(key, _)| (key, "must be absent")));
            let elsewhere = self.path.iter().filter(|(_, path)| path.as_str() != "/");
            wrong.extend(elsewhere.map(|(key, _)| (key, "must be \"/\"")));
        }
        for (key, rule) in wrong {
            let message = format!("{rule} for a cookie name with {prefix}; or choose another {name_key}");
            reader.report(FindingKind::Conflict, key, message);
        }
    }
}
