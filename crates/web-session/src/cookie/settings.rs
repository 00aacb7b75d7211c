//! What a cookie is called and which attributes it has.

use crate::cookie::CookieLifetime;
use crate::{Error, SettingsError};
use handstamp_time::Timestamp;
use std::time::Duration;

/// Name and attributes of a cookie, checked when built (SM §2.1, SM-21).
///
/// | Setting | Default |
/// |---|---|
/// | name | `__Host-session`; `FedAuth` by [`CookieSettings::wif`] |
/// | path | `/` |
/// | domain | none: the cookie goes to this host only |
/// | secure | yes |
/// | http only | yes |
/// | same site | [`SameSite::Lax`] |
/// | partitioned | no |
/// | persistent lifetime | none: a persistent cookie lives as long as its token |
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CookieSettings {
    name: String,
    path: String,
    domain: Option<String>,
    secure: bool,
    http_only: bool,
    same_site: SameSite,
    partitioned: bool,
    persistent_lifetime: Option<Duration>,
}

impl CookieSettings {
    /// Starts from the defaults with another name.
    pub fn builder(name: impl Into<String>) -> CookieSettingsBuilder {
        CookieSettingsBuilder(Self { name: name.into(), ..Self::default() })
    }

    /// The original's defaults: the name `FedAuth`, `HttpOnly` and `Secure`.
    pub fn wif() -> Self {
        Self { name: "FedAuth".to_owned(), ..Self::default() }
    }

    /// The name; later pieces of a long value append `1`, `2` …
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path, which begins with `/`. Browsers compare it by case.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The domain in lower case; none for a cookie of this host only.
    pub fn domain(&self) -> Option<&str> {
        self.domain.as_deref()
    }

    /// Whether browsers send the cookie only over TLS.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// Whether the cookie is hidden from scripts.
    pub fn http_only(&self) -> bool {
        self.http_only
    }

    /// When browsers send the cookie with requests that another site caused.
    pub fn same_site(&self) -> SameSite {
        self.same_site
    }

    /// Whether browsers keep one cookie per embedding site (CHIPS).
    pub fn partitioned(&self) -> bool {
        self.partitioned
    }

    /// How long browsers keep a persistent cookie; none: as long as its token is valid.
    pub fn persistent_lifetime(&self) -> Option<Duration> {
        self.persistent_lifetime
    }

    /// The lifetime to write for a token (SM-20): a token that is not persistent gets a cookie of the browser's
    /// session; a persistent one lives [`Self::persistent_lifetime`] from `now`, else until `valid_to`.
    pub fn lifetime(&self, persistent: bool, valid_to: Timestamp, now: Timestamp) -> CookieLifetime {
        if !persistent {
            return CookieLifetime::BrowserSession;
        }
        let expires = self.persistent_lifetime.map_or(valid_to, |lifetime| now.saturating_add(lifetime));
        CookieLifetime::Persistent { now, expires }
    }

    /// Corrects the case of the cookie path at the start of `target`, a request's path and query; none when there
    /// is nothing to correct (the original's `MatchCookiePath`, SM §2.5).
    ///
    /// A browser that asks for `/app` does not send a cookie of the path `/App`, although many servers take both
    /// for one application. Whoever wants the original's remedy redirects there.
    ///
    /// ```
    /// use handstamp_web_session::cookie::CookieSettings;
    ///
    /// let settings = CookieSettings::builder("FedAuth").path("/App").build()?;
    /// assert_eq!(settings.match_cookie_path("/app/Orders?x=1").as_deref(), Some("/App/Orders?x=1"));
    /// assert_eq!(settings.match_cookie_path("/App/Orders"), None);
    /// assert_eq!(settings.match_cookie_path("/apple"), None);
    /// # Ok::<(), handstamp_web_session::Error>(())
    /// ```
    pub fn match_cookie_path(&self, target: &str) -> Option<String> {
        let (sent, rest) = target.split_at_checked(self.path.len())?;
        let ends_a_segment = self.path.ends_with('/') || rest.is_empty() || rest.starts_with(['/', '?']);
        (sent != self.path && sent.eq_ignore_ascii_case(&self.path) && ends_a_segment)
            .then(|| format!("{}{rest}", self.path))
    }

    fn check(&self) -> Result<(), SettingsError> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if self.name.is_empty() || !self.name.bytes().all(token) {
            return Err(SettingsError::CookieName { name: self.name.clone() });
        }
        let graphic = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        if !self.path.starts_with('/') || !self.path.bytes().all(graphic) {
            return Err(SettingsError::CookiePath { path: self.path.clone() });
        }
        if let Some(domain) = &self.domain {
            let label = |label: &str| {
                !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            };
            if !domain.split('.').all(label) {
                return Err(SettingsError::CookieDomain { domain: domain.clone() });
            }
        }
        if !self.secure && (self.same_site == SameSite::None || self.partitioned) {
            return Err(SettingsError::CookieNeedsSecure);
        }
        self.check_prefix()
    }

    /// The rules that browsers tie to the beginning of a name (RFC 6265bis §4.1.3), compared as they compare: without case.
    fn check_prefix(&self) -> Result<(), SettingsError> {
        let starts_with =
            |prefix: &str| self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let host_only = self.path == "/" && self.domain.is_none();
        let broken = if starts_with("__Host-Http-") {
            !(self.secure && host_only && self.http_only)
        } else if starts_with("__Host-") {
            !(self.secure && host_only)
        } else if starts_with("__Http-") {
            !(self.secure && self.http_only)
        } else {
            starts_with("__Secure-") && !self.secure
        };
        if broken { Err(SettingsError::CookieNamePrefix { name: self.name.clone() }) } else { Ok(()) }
    }
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self {
            name: "__Host-session".to_owned(),
            path: "/".to_owned(),
            domain: None,
            secure: true,
            http_only: true,
            same_site: SameSite::Lax,
            partitioned: false,
            persistent_lifetime: None,
        }
    }
}

/// Builds [`CookieSettings`]; see there for the defaults.
#[derive(Debug, Clone)]
#[must_use = "nothing is checked until `build`"]
pub struct CookieSettingsBuilder(CookieSettings);

impl CookieSettingsBuilder {
    /// The path below which browsers send the cookie. Must begin with `/`.
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.0.path = path.into();
        self
    }

    /// Shares the cookie with the subdomains of a domain. A leading dot is dropped; an empty text means none.
    pub fn domain(mut self, domain: impl AsRef<str>) -> Self {
        let domain = domain.as_ref().trim_start_matches('.').to_ascii_lowercase();
        self.0.domain = (!domain.is_empty()).then_some(domain);
        self
    }

    /// Whether browsers send the cookie only over TLS.
    pub fn secure(mut self, secure: bool) -> Self {
        self.0.secure = secure;
        self
    }

    /// Whether the cookie is hidden from scripts.
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.0.http_only = http_only;
        self
    }

    /// When browsers send the cookie with requests that another site caused.
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.0.same_site = same_site;
        self
    }

    /// Whether browsers keep one cookie per embedding site.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.0.partitioned = partitioned;
        self
    }

    /// How long browsers keep a persistent cookie. Zero means not set, as in the original's configuration.
    pub fn persistent_lifetime(mut self, lifetime: Duration) -> Self {
        self.0.persistent_lifetime = (!lifetime.is_zero()).then_some(lifetime);
        self
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Settings`] for a name, path or domain that cannot stand in a cookie, a `__Host-` or `__Secure-` name
    /// whose rules the attributes break (the browser would drop the cookie without a word), and for
    /// `SameSite=None` or `Partitioned` without `Secure`.
    pub fn build(self) -> Result<CookieSettings, Error> {
        self.0.check()?;
        Ok(self.0)
    }
}

/// When browsers send a cookie with requests that another site caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Never. A link from another site arrives without a session.
    Strict,
    /// With top-level navigations only.
    #[default]
    Lax,
    /// Always. Needs `Secure`.
    None,
    /// The attribute is not written, as by the original.
    Unspecified,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: CookieSettingsBuilder) -> &'static str {
        builder.build().unwrap_err().code()
    }

    #[test]
    fn sm_21_names_paths_and_domains_are_checked() {
        for name in ["", "a b", "a=b", "a;b", "ä", "a\n"] {
            assert_eq!(refused(CookieSettings::builder(name)), "HST-COOKIE-NAME", "{name:?}");
        }
        for path in ["", "app", "/a;b", "/a\r\n", "/ä"] {
            assert_eq!(refused(CookieSettings::builder("n").path(path)), "HST-COOKIE-PATH", "{path:?}");
        }
        for domain in ["a..b", "a b", "a;b", "example.com."] {
            assert_eq!(refused(CookieSettings::builder("n").domain(domain)), "HST-COOKIE-DOMAIN", "{domain:?}");
        }
        let settings = CookieSettings::builder("n").domain(".Example.COM").build().unwrap();
        assert_eq!(settings.domain(), Some("example.com"));
        assert_eq!(CookieSettings::builder("n").domain("").build().unwrap().domain(), None);
    }

    #[test]
    fn name_prefixes_hold_browsers_rules() {
        let host = || CookieSettings::builder("__Host-session");
        assert!(host().build().is_ok());
        for builder in [
            host().secure(false),
            host().path("/app"),
            host().domain("example.com"),
            CookieSettings::builder("__host-session").path("/app"),
            CookieSettings::builder("__Secure-session").secure(false),
            CookieSettings::builder("__Http-session").http_only(false),
            CookieSettings::builder("__Host-Http-session").http_only(false),
        ] {
            assert_eq!(refused(builder), "HST-COOKIE-PREFIX");
        }
        assert!(CookieSettings::builder("__Secure-session").path("/app").domain("example.com").build().is_ok());
    }

    #[test]
    fn same_site_none_and_partitioned_need_secure() {
        for builder in [
            CookieSettings::builder("n").secure(false).same_site(SameSite::None),
            CookieSettings::builder("n").secure(false).partitioned(true),
        ] {
            assert_eq!(refused(builder), "HST-COOKIE-NEEDS-SECURE");
        }
    }

    #[test]
    fn sm_20_persistent_lifetime_counts_from_now_else_the_token_decides() {
        let now = Timestamp::UNIX_EPOCH;
        let valid_to = now.saturating_add(Duration::from_secs(100));
        let settings = CookieSettings::builder("n").persistent_lifetime(Duration::from_secs(7)).build().unwrap();
        assert_eq!(settings.lifetime(false, valid_to, now), CookieLifetime::BrowserSession);
        let expires = now.saturating_add(Duration::from_secs(7));
        assert_eq!(settings.lifetime(true, valid_to, now), CookieLifetime::Persistent { now, expires });
        let zero = CookieSettings::builder("n").persistent_lifetime(Duration::ZERO).build().unwrap();
        assert_eq!(zero.lifetime(true, valid_to, now), CookieLifetime::Persistent { now, expires: valid_to });
    }

    #[test]
    fn the_case_of_the_cookie_path_is_corrected_at_segment_ends() {
        let settings = CookieSettings::builder("n").path("/App/").build().unwrap();
        assert_eq!(settings.match_cookie_path("/APP/x").as_deref(), Some("/App/x"));
        assert_eq!(settings.match_cookie_path("/app"), None);
        assert_eq!(settings.match_cookie_path("/äpp/x"), None);
        assert_eq!(CookieSettings::default().match_cookie_path("/x"), None);
    }
}
