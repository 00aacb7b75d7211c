//! Which of several issuers somebody is sent to sign in.

use crate::Error;
use url::form_urlencoded;

/// The issuers of one application, and what a request may call them (`whr`, SM §3.1).
///
/// ```
/// use handstamp_ws_federation::{HomeRealm, HomeRealmDecision, HomeRealms};
///
/// let realms = HomeRealms::new([
///     HomeRealm { names: vec!["urn:corp".into()], ..HomeRealm::new("corp") },
///     HomeRealm { behind: vec!["urn:partner:a".into()], ..HomeRealm::new("partners") },
/// ])?;
/// let sent = |issuer, home_realm| HomeRealmDecision::Issuer { issuer, home_realm };
/// assert_eq!(realms.decide(Some("urn:corp"), None), sent("corp", None));
/// // An identity provider behind an issuer: the issuer is told.
/// assert_eq!(realms.decide(Some("urn:partner:a"), Some("corp")), sent("partners", Some("urn:partner:a")));
/// assert_eq!(realms.decide(None, Some("corp")), sent("corp", None));
/// assert_eq!(realms.decide(None, None), HomeRealmDecision::Ask);
/// # Ok::<(), handstamp_ws_federation::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct HomeRealms {
    issuers: Vec<HomeRealm>,
}

/// One issuer, as home-realm choice knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeRealm {
    /// What the program calls it, and browsers remember. It is a name that `whr` may have, too.
    pub issuer: String,
    /// More names that `whr` may have for it, such as its URI.
    pub names: Vec<String>,
    /// Identity providers behind it: a `whr` that names one leads to this issuer and is passed on to it. Nothing else that a
    /// request says is passed on.
    pub behind: Vec<String>,
}

impl HomeRealm {
    /// An issuer without further names.
    pub fn new(issuer: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), ..Self::default() }
    }

    fn is_called(&self, whr: &str) -> bool {
        self.issuer == whr || self.names.iter().any(|name| name == whr)
    }
}

/// Where a browser goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HomeRealmDecision<'r> {
    /// To this issuer.
    Issuer {
        /// What the program calls it.
        issuer: &'r str,
        /// The `whr` for it; none leaves that to its settings.
        home_realm: Option<&'r str>,
    },
    /// To a page where people choose.
    Ask,
}

impl HomeRealms {
    /// Takes the issuers, in the order in which people see them.
    ///
    /// # Errors
    /// [`Error::Configuration`] when a name leads to two of them.
    pub fn new(issuers: impl IntoIterator<Item = HomeRealm>) -> Result<Self, Error> {
        let issuers: Vec<HomeRealm> = issuers.into_iter().collect();
        for (i, realm) in issuers.iter().enumerate() {
            for name in std::iter::once(&realm.issuer).chain(&realm.names).chain(&realm.behind) {
                let other =
                    issuers.iter().skip(i + 1).find(|other| other.is_called(name) || other.behind.contains(name));
                if let Some(other) = other {
                    let problem = format!("{name} would lead to {} and to {}", realm.issuer, other.issuer);
                    return Err(Error::Configuration { setting: "home_realm", problem });
                }
            }
        }
        Ok(Self { issuers })
    }

    /// The issuers.
    pub fn issuers(&self) -> &[HomeRealm] {
        &self.issuers
    }

    /// Decides by what the request asks for, else by what the browser remembers, else by there being only one issuer.
    ///
    /// Both come from outside and only ever choose among what is configured. A `whr` that names nothing known is as good as
    /// none.
    pub fn decide(&self, whr: Option<&str>, remembered: Option<&str>) -> HomeRealmDecision<'_> {
        if let Some(whr) = whr {
            for realm in &self.issuers {
                let behind = realm.behind.iter().find(|name| *name == whr).map(String::as_str);
                if behind.is_some() || realm.is_called(whr) {
                    return HomeRealmDecision::Issuer { issuer: &realm.issuer, home_realm: behind };
                }
            }
        }
        let to = |realm: &HomeRealm| remembered == Some(realm.issuer.as_str());
        let only = Some(&self.issuers).filter(|issuers| issuers.len() == 1).and_then(|issuers| issuers.first());
        match self.issuers.iter().find(|realm| to(realm)).or(only) {
            Some(realm) => HomeRealmDecision::Issuer { issuer: &realm.issuer, home_realm: None },
            None => HomeRealmDecision::Ask,
        }
    }

    /// The `whr` of a query that may be an application's own: none when it is missing or repeated.
    pub fn whr_of(query: &str) -> Option<String> {
        let mut found = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "whr");
        let (_, whr) = found.next()?;
        found.next().is_none().then(|| whr.into_owned()).filter(|whr| whr.len() <= MAX_LEN)
    }
}

/// Longer names of home realms are none.
const MAX_LEN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm_42_an_unknown_home_realm_is_as_good_as_none() {
        let two = HomeRealms::new([HomeRealm::new("a"), HomeRealm::new("b")]).unwrap();
        assert_eq!(two.decide(Some("c"), None), HomeRealmDecision::Ask);
        let a = HomeRealmDecision::Issuer { issuer: "a", home_realm: None };
        assert_eq!(two.decide(Some("c"), Some("a")), a);
        assert_eq!(two.decide(Some("c"), Some("d")), HomeRealmDecision::Ask, "forgotten since");
        let one = HomeRealms::new([HomeRealm::new("a")]).unwrap();
        assert_eq!(one.decide(Some("c"), Some("d")), a, "there is nothing to choose");
        assert_eq!(HomeRealms::default().decide(None, None), HomeRealmDecision::Ask);
    }

    #[test]
    fn sm_42_a_name_leads_to_one_issuer() {
        let called = |issuer: &str, name: &str| HomeRealm { names: vec![name.into()], ..HomeRealm::new(issuer) };
        let behind = |issuer: &str, name: &str| HomeRealm { behind: vec![name.into()], ..HomeRealm::new(issuer) };
        for (one, other) in [
            (HomeRealm::new("a"), HomeRealm::new("a")),
            (called("a", "n"), called("b", "n")),
            (called("a", "b"), HomeRealm::new("b")),
            (behind("a", "n"), called("b", "n")),
            (called("a", "n"), behind("b", "n")),
        ] {
            let error = HomeRealms::new([one, other]).unwrap_err();
            assert_eq!(error.code(), "HST-WSFED-CONFIG");
        }
    }

    #[test]
    fn the_home_realm_is_found_in_any_query() {
        assert_eq!(HomeRealms::whr_of("a=1&a=2&whr=urn%3ax+y"), Some("urn:x y".into()));
        for query in ["", "a=b", "whr=a&whr=b", "WHR=a"] {
            assert_eq!(HomeRealms::whr_of(query), None, "{query}");
        }
    }
}
