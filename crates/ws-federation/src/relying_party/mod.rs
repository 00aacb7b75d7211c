//! The relying party: asks who a user is, and believes one issuer.

mod loop_guard;
mod receive;
mod settings;
mod sign_out;
mod state;

pub use receive::{SignIn, SignOutContext, UnconfirmedSignIn};
pub use settings::{ContextMode, RelyingPartySettings, Unsolicited};
pub use sign_out::{CleanupResponse, SIGN_OUT_IMAGE};
pub use state::StateCookie;

use crate::{Error, ReturnUrl, SignInRequest, WifContext};
use handstamp_keys::{KeyRing, SecureRandom};
use handstamp_saml::SamlTokenHandler;
use handstamp_time::Timestamp;
use loop_guard::{LoopGuard, MAX_CHALLENGES, WINDOW};
use state::SignInState;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// The relying party's half of passive sign-in and sign-out, without I/O.
///
/// Between challenge and response nothing is kept here: the state of a sign-in travels in a sealed cookie of the browser that
/// started it, under a random name that `wctx` repeats. So any node can take the response, two tabs do not disturb each other, and a response
/// in another browser than the challenge is refused (SM-33, SM-35).
pub struct RelyingParty {
    settings: RelyingPartySettings,
    issuer_url: Url,
    tokens: SamlTokenHandler,
    keys: Arc<KeyRing>,
}

impl RelyingParty {
    /// Checks the settings (SM-25). `tokens` says whom to believe and under what conditions; `keys` seal the state of sign-ins under
    /// way.
    ///
    /// # Errors
    /// [`Error::Configuration`]: start-up should stop.
    pub fn new(settings: RelyingPartySettings, tokens: SamlTokenHandler, keys: Arc<KeyRing>) -> Result<Self, Error> {
        let issuer_url = settings.verify()?;
        Ok(Self { settings, issuer_url, tokens, keys })
    }

    /// The settings.
    pub fn settings(&self) -> &RelyingPartySettings {
        &self.settings
    }

    /// What reads its tokens.
    pub fn tokens(&self) -> &SamlTokenHandler {
        &self.tokens
    }

    /// Sends the browser to the issuer. `cookies` are the names and values that the request carried.
    ///
    /// # Errors
    /// [`Error::SignInLoop`] when this browser was sent there five times within a minute (SM-31): show a page. Also when keys or
    /// randomness fail.
    pub fn begin_sign_in<'c>(
        &self,
        options: SignInOptions,
        cookies: impl IntoIterator<Item = (&'c str, &'c str)>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Challenge, Error> {
        let cookies = RequestCookies::collect(self, cookies);
        let guard = LoopGuard::read(cookies.guard, now)
            .count(now)
            .ok_or(Error::SignInLoop { challenges: MAX_CHALLENGES, seconds: WINDOW.as_secs() })?;
        if options.sign_in_context.as_ref().is_some_and(|context| context.len() > state::MAX_CONTEXT_LEN) {
            return Err(Error::TooLarge { what: "sign-in context", limit: state::MAX_CONTEXT_LEN, unit: "bytes" });
        }
        let id = state::new_id(random)?;
        let context = match self.settings.context_mode {
            ContextMode::Opaque => id.clone(),
            ContextMode::Wif => WifContext {
                remember: options.remember,
                id: id.clone(),
                sign_in_context: options.sign_in_context.clone(),
                return_url: Some(options.return_url.as_str().to_owned()),
            }
            .encode(),
        };
        let state = SignInState {
            asked_by: self.settings.name.clone(),
            issued_at: now,
            remember: options.remember,
            return_url: options.return_url,
            sign_in_context: options.sign_in_context,
        };
        let name = self.state_cookie_name(&id);
        let value = state.seal(&name, &self.keys, now, random)?;
        let mut set = self.surplus(&cookies, now);
        set.push(self.cookie(name, value, self.settings.state_lifetime));
        set.push(self.cookie(self.guard_cookie_name(), guard.to_cookie_value(), WINDOW));
        Ok(Challenge {
            location: self
                .sign_in_request(context, options.home_realm, now)
                .to_parameters()
                .append_to(&self.settings.issuer),
            cookies: set,
        })
    }

    fn sign_in_request(&self, context: String, home_realm: Option<String>, now: Timestamp) -> SignInRequest {
        let settings = &self.settings;
        SignInRequest {
            realm: Some(settings.realm.clone()),
            reply: settings.reply.clone(),
            context: Some(context),
            current_time: Some(now),
            freshness: settings.freshness,
            authentication_type: settings.authentication_type.clone(),
            home_realm: home_realm.or_else(|| settings.home_realm.clone()),
            policy: settings.policy.clone(),
            resource: settings.resource.clone(),
            request: settings.request.clone(),
            request_ptr: settings.request_ptr.clone(),
            encoding: None,
            other: settings.sign_in_query.clone(),
        }
    }

    /// Deletions of states that are over, or too many: all but the newest [`MAX_STATES`] less one.
    fn surplus(&self, cookies: &RequestCookies<'_>, now: Timestamp) -> Vec<StateCookie> {
        let mut issued: Vec<(Option<Timestamp>, &str)> = cookies
            .states
            .iter()
            .map(|(name, value)| (self.open_state(name, value, now).map(|s| s.issued_at), *name))
            .collect();
        issued.sort_by(|one, other| other.cmp(one));
        let keep = issued.iter().take(MAX_STATES - 1).take_while(|(at, _)| at.is_some()).count();
        issued
            .iter()
            .skip(keep)
            .take(MAX_DELETIONS)
            .map(|(_, name)| self.cookie((*name).to_owned(), String::new(), Duration::ZERO))
            .collect()
    }

    /// The state in a cookie of this name, if it is authentic and not over.
    fn open_state(&self, name: &str, value: &str, now: Timestamp) -> Option<SignInState> {
        let state = SignInState::open(name, value, &self.keys, now)?;
        (now <= state.issued_at.saturating_add(self.settings.state_lifetime)).then_some(state)
    }

    fn cookie(&self, name: String, value: String, max_age: Duration) -> StateCookie {
        StateCookie { name, value, max_age, secure: self.settings.secure_cookies }
    }

    fn state_cookie_name(&self, id: &str) -> String {
        let prefix = if self.settings.secure_cookies { "__Host-" } else { "" };
        format!("{prefix}{}-{id}", self.settings.state_cookie)
    }

    fn guard_cookie_name(&self) -> String {
        self.state_cookie_name("guard")
    }
}

/// How many sign-ins of one browser may be under way at a time; a new one ends the oldest.
const MAX_STATES: usize = 8;
/// How many surplus cookies one response deletes: a bound on the response's size.
const MAX_DELETIONS: usize = 32;

/// What an application asks for when it sends somebody to sign in.
#[derive(Clone, Debug)]
pub struct SignInOptions {
    /// Where to go afterwards.
    pub return_url: ReturnUrl,
    /// Whether the session's cookie outlives the browser.
    pub remember: bool,
    /// Text of the application that comes back with the response, at most 1024 bytes. No secrets: in
    /// [`ContextMode::Wif`] the issuer sees it.
    pub sign_in_context: Option<String>,
    /// `whr` for this sign-in; none takes the setting.
    pub home_realm: Option<String>,
}

impl SignInOptions {
    /// Returns to `return_url`; the session ends with the browser.
    pub fn new(return_url: ReturnUrl) -> Self {
        Self { return_url, remember: false, sign_in_context: None, home_realm: None }
    }
}

/// The way to the issuer: a redirect, and cookies to set with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The value of `Location`.
    pub location: String,
    /// Cookies to set.
    pub cookies: Vec<StateCookie>,
}

/// The cookies of a request that are ours.
struct RequestCookies<'c> {
    guard: Option<&'c str>,
    states: Vec<(&'c str, &'c str)>,
}

impl<'c> RequestCookies<'c> {
    fn collect(party: &RelyingParty, cookies: impl IntoIterator<Item = (&'c str, &'c str)>) -> Self {
        let guard_name = party.guard_cookie_name();
        let prefix = party.state_cookie_name("");
        let mut ours = Self { guard: None, states: Vec::new() };
        for (name, value) in cookies {
            if name == guard_name {
                ours.guard = Some(value);
            } else if name.strip_prefix(&prefix).is_some_and(state::is_id) {
                ours.states.push((name, value));
            }
        }
        ours
    }
}
