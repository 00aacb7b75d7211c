//! The issuers of a relying party, and which of them a browser is sent to.

use std::time::Duration;

use handstamp_time::Timestamp;
use handstamp_web_session::Session;
use handstamp_web_session::cookie::{CookieLifetime, CookieSettings, RequestCookies, SetCookie};
use handstamp_ws_federation::{HomeRealm, HomeRealmDecision, HomeRealms, SignOutContext};
use http::header::{HeaderMap, HeaderValue};

use super::party::LivingParty;
use super::setup::setup_error;
use crate::Error;
use crate::config;

/// One end of the protocol for each issuer, in the order in which people see them.
pub(super) struct Issuers {
    parties: Vec<LivingParty>,
    realms: HomeRealms,
    /// The cookie that remembers a choice.
    memory: CookieSettings,
    remember: Duration,
}

impl Issuers {
    /// # Errors
    /// A name leads to two of them.
    pub(super) fn new(
        place: &str,
        parties: Vec<LivingParty>,
        settings: &config::Federation,
        cookie_prefix: &str,
    ) -> Result<Self, Error> {
        let realms = HomeRealms::new(parties.iter().map(|party| HomeRealm {
            issuer: party.issuer_name.clone(),
            names: names(party, &parties),
            behind: party.issuer.home_realms.clone(),
        }));
        let realms = realms.map_err(|error| setup_error(place, error.code(), &error))?;
        let memory = CookieSettings::builder(format!("{cookie_prefix}issuer")).secure(settings.cookie.secure).build();
        let memory = memory.map_err(|error| setup_error(place, error.code(), &error))?;
        Ok(Self { parties, realms, memory, remember: settings.remember_issuer })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &LivingParty> {
        self.parties.iter()
    }

    /// Whether there is something to choose.
    pub(super) fn are_several(&self) -> bool {
        self.parties.len() > 1
    }

    /// The one of this name in the configuration.
    pub(super) fn named(&self, issuer: &str) -> Option<&LivingParty> {
        self.parties.iter().find(|party| party.issuer_name == issuer)
    }

    /// Those that a response can be for: the one that asked, or, for a response that nobody asked for, any.
    pub(super) fn that_asked(&self, asked_by: Option<&str>) -> impl Iterator<Item = &LivingParty> {
        self.parties.iter().filter(move |party| asked_by.is_none_or(|name| party.name == name))
    }

    /// The one at which the user of a session signed in; none when that is not known any more.
    pub(super) fn of_session(&self, session: &Session) -> Option<&LivingParty> {
        if let [only] = &*self.parties {
            return Some(only);
        }
        let active = session.active()?;
        let context = SignOutContext::decode(active.token().context()?)?;
        // The session may have begun at another relying party with the same cookie.
        let (_, issuer) = context.relying_party.rsplit_once('/')?;
        self.named(issuer)
    }

    /// Which one a request is for, by its `whr` and by what the browser remembers.
    pub(super) fn decide(&self, whr: Option<&str>, headers: &HeaderMap) -> HomeRealmDecision<'_> {
        self.realms.decide(whr, self.remembered(headers))
    }

    /// What the browser remembers.
    pub(super) fn remembered<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        if self.remember.is_zero() {
            return None;
        }
        std::str::from_utf8(RequestCookies::new(headers).first(self.memory.name())?).ok()
    }

    /// The header that makes the browser remember.
    pub(super) fn remember(&self, issuer: &str, now: Timestamp) -> Option<HeaderValue> {
        if self.remember.is_zero() {
            return None;
        }
        let lifetime = CookieLifetime::Persistent { now, expires: now.saturating_add(self.remember) };
        SetCookie::new(&self.memory, issuer, lifetime).to_header_value().ok()
    }
}

/// What else `whr` may call an issuer. An entity id that two have, for two ways through one hub, names neither.
fn names(party: &LivingParty, all: &[LivingParty]) -> Vec<String> {
    let config::Issuer { name, entity_id, .. } = &party.issuer;
    let is_shared = all.iter().filter(|other| other.issuer.entity_id == *entity_id).count() > 1;
    let entity_id = entity_id.iter().filter(|_| !is_shared);
    let mut names: Vec<String> = name.iter().chain(entity_id).cloned().collect();
    names.dedup();
    names
}
