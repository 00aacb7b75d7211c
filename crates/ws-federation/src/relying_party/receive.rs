//! The response to a sign-in.

use super::state::{self, SignInState, StateCookie};
use super::{RelyingParty, RequestCookies, Unsolicited};
use crate::{Error, Parameters, ReturnUrl, SignInResponse, TokenResponse, WifContext};
use handstamp_claims::ClaimsPrincipal;
use handstamp_saml::{AcceptedToken, Assertion, Rejection, ReplayEntry};
use handstamp_time::Timestamp;
use handstamp_xml::{Document, ParseOptions};
use std::time::Duration;

impl RelyingParty {
    /// Receives what the browser brings back from the issuer: the fields of a form, and the request's cookies.
    ///
    /// The state is looked at first, the token then: read where it stands in `wresult`, its signature, issuer, conditions,
    /// audience and confirmation checked (SM §3.7).
    ///
    /// # Errors
    /// [`Error::MethodNotAllowed`] unless `method` is `POST`; [`Error::UnknownState`] for a response that this browser did not ask for or
    /// asked for too long ago; everything that can be wrong with message and token. None of it creates a session. Show a page with a
    /// link to try again; do not redirect to the issuer by itself.
    pub fn receive_sign_in_response<'c>(
        &self,
        method: &str,
        form: &Parameters,
        cookies: impl IntoIterator<Item = (&'c str, &'c str)>,
        now: Timestamp,
    ) -> Result<UnconfirmedSignIn, Error> {
        if method != "POST" {
            return Err(Error::MethodNotAllowed(method.into()));
        }
        let response = SignInResponse::from_parameters(form)?;
        let cookies = RequestCookies::collect(self, cookies);
        let known = self.known_state(response.context.as_deref().unwrap_or_default(), &cookies, now);
        let (state, state_cookie) = match known {
            Some((state, name)) => (state, Some(name)),
            None => (self.unsolicited(response.context.as_deref(), now)?, None),
        };
        let token = self.accept_result(response.result, now)?;
        self.check_freshness(&token.assertion, &state, now)?;
        let entries = token.replay.iter().cloned().chain(state_cookie.iter().map(|name| ReplayEntry {
            key: (*name).to_owned(),
            expires_at: state.issued_at.saturating_add(self.settings.state_lifetime),
        }));
        Ok(UnconfirmedSignIn { entries: entries.collect(), sign_in: self.sign_in(token, state, state_cookie) })
    }

    /// The name of the relying party, among those that share cookies, whose sign-in a response ends: give it the response. None
    /// for a response that this browser did not ask for.
    pub fn asked_by<'c>(
        &self,
        form: &Parameters,
        cookies: impl IntoIterator<Item = (&'c str, &'c str)>,
        now: Timestamp,
    ) -> Option<String> {
        let cookies = RequestCookies::collect(self, cookies);
        self.sealed_state(form.get("wctx")?, &cookies, now).map(|(state, _)| state.asked_by)
    }

    /// The token in an issuer's answer (`wresult`), with every check but those of state, replay and freshness: to find out why an answer
    /// was refused. It signs nobody in.
    ///
    /// # Errors
    /// Everything that can be wrong with message and token.
    pub fn accept_result(&self, result: impl Into<Vec<u8>>, now: Timestamp) -> Result<AcceptedToken, Error> {
        let mut document = Document::parse(result, &ParseOptions::default()).map_err(Error::Xml)?;
        let token = TokenResponse::read(document.root())?.token.id();
        Ok(self.tokens.accept_in(&mut document, token, None, now)?)
    }

    /// The state of a sign-in that this relying party asked for: the answer of one issuer is none to what another was asked.
    fn known_state<'c>(
        &self,
        wctx: &str,
        cookies: &RequestCookies<'c>,
        now: Timestamp,
    ) -> Option<(SignInState, &'c str)> {
        self.sealed_state(wctx, cookies, now).filter(|(state, _)| state.asked_by == self.settings.name)
    }

    /// The state that `wctx` names, from this browser's cookie of that name.
    fn sealed_state<'c>(
        &self,
        wctx: &str,
        cookies: &RequestCookies<'c>,
        now: Timestamp,
    ) -> Option<(SignInState, &'c str)> {
        let id = match state::is_id(wctx) {
            true => wctx.to_owned(),
            false => WifContext::parse(wctx).ok()?.id,
        };
        let name = self.state_cookie_name(&id);
        // Several cookies of one name are possible without the __Host- prefix; the authentic one counts.
        let mut candidates = cookies.states.iter().filter(|(cookie, _)| *cookie == name);
        candidates.find_map(|(cookie, value)| Some((self.open_state(cookie, value, now)?, *cookie)))
    }

    /// Whether the user authenticated as lately as was asked for: a browser could leave `wfresh` out, or an issuer not know it.
    ///
    /// With a freshness of 0 that was after the challenge; the newest of several authentications counts. The issuer's clock may be
    /// off as for everything it says.
    fn check_freshness(&self, assertion: &Assertion, state: &SignInState, now: Timestamp) -> Result<(), Error> {
        let oldest = match self.settings.freshness {
            None => return Ok(()),
            Some(0) => state.issued_at,
            Some(minutes) => now.saturating_sub(Duration::from_secs(u64::from(minutes) * 60)),
        };
        let oldest = oldest.saturating_sub(self.tokens.validation().max_clock_skew);
        match assertion.authentications.iter().map(|statement| statement.instant).max() {
            Some(instant) if instant >= oldest => Ok(()),
            authenticated_at => Err(Error::NotFresh { authenticated_at, oldest }),
        }
    }

    /// What to do with a response that nobody asked for (SM-35).
    fn unsolicited(&self, wctx: Option<&str>, now: Timestamp) -> Result<SignInState, Error> {
        let Unsolicited::Accept { return_urls } = &self.settings.unsolicited else {
            return Err(Error::UnknownState);
        };
        let asked = wctx.and_then(|wctx| WifContext::parse(wctx).ok()).and_then(|context| context.return_url);
        let allowed = asked.and_then(|asked| return_urls.iter().find(|url| url.as_str() == asked));
        Ok(SignInState {
            asked_by: self.settings.name.clone(),
            issued_at: now,
            remember: false,
            return_url: allowed.cloned().unwrap_or_else(ReturnUrl::root),
            sign_in_context: None,
        })
    }

    fn sign_in(&self, token: AcceptedToken, state: SignInState, state_cookie: Option<&str>) -> SignIn {
        let subject = token.assertion.subject.and_then(|subject| subject.name_id);
        let sign_out = SignOutContext {
            relying_party: self.settings.name.clone(),
            issuer_url: self.settings.issuer.clone(),
            name_identifier: subject.map(|name| name.value),
            session_index: token.assertion.authentications.into_iter().find_map(|statement| statement.session_index),
        };
        SignIn {
            principal: ClaimsPrincipal::from(token.identity),
            issuer: token.issuer,
            expires_at: token.expires_at,
            remember: state.remember,
            return_url: state.return_url,
            sign_in_context: state.sign_in_context,
            solicited: state_cookie.is_some(),
            sign_out,
            cookies: state_cookie
                .map(|name| self.cookie(name.to_owned(), String::new(), Duration::ZERO))
                .into_iter()
                .collect(),
        }
    }
}

/// A sign-in that is good unless it was seen before. Only the caller can know: replay detection is shared by all nodes (SM-38).
///
/// ```no_run
/// # fn cache_adds(_: &handstamp_saml::ReplayEntry) -> bool { true }
/// # fn f(unconfirmed: handstamp_ws_federation::UnconfirmedSignIn) -> Result<(), handstamp_ws_federation::Error> {
/// let mut first_use = true;
/// for entry in unconfirmed.replay_entries() {
///     first_use &= cache_adds(entry); // atomically: add if absent
/// }
/// let sign_in = unconfirmed.confirm(first_use)?;
/// # Ok(()) }
/// ```
#[must_use = "a sign-in counts only once it is confirmed"]
#[derive(Debug)]
pub struct UnconfirmedSignIn {
    entries: Vec<ReplayEntry>,
    sign_in: SignIn,
}

impl UnconfirmedSignIn {
    /// What to add to the replay cache, each entry only if it is absent: the token (when replays are detected), and
    /// the state, which is for one use.
    pub fn replay_entries(&self) -> &[ReplayEntry] {
        &self.entries
    }

    /// The sign-in, if none of the entries was there before.
    ///
    /// # Errors
    /// [`Rejection::Replayed`] (ID1066) unless `first_use`.
    pub fn confirm(self, first_use: bool) -> Result<SignIn, Error> {
        match first_use {
            true => Ok(self.sign_in),
            false => Err(Error::Token(Rejection::Replayed.into())),
        }
    }
}

/// Somebody signed in. Start a session with a fresh context id, drop any earlier one of this browser (SM-36), then redirect.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SignIn {
    /// Who.
    pub principal: ClaimsPrincipal,
    /// The name that the registry knows the issuer by.
    pub issuer: String,
    /// When the issuer's word ends: the cap on the session's lifetime, unless the configuration lets sessions outlive it.
    pub expires_at: Option<Timestamp>,
    /// Whether the session's cookie outlives the browser.
    pub remember: bool,
    /// Where to go.
    pub return_url: ReturnUrl,
    /// The application's text from the beginning of the sign-in.
    pub sign_in_context: Option<String>,
    /// Whether this browser asked for it; false only where unsolicited responses are accepted.
    pub solicited: bool,
    /// What the session keeps for sign-out.
    pub sign_out: SignOutContext,
    /// Cookies to set: the deletion of the state.
    pub cookies: Vec<StateCookie>,
}

/// What a session keeps so that it can be ended at the issuer: for the `context` of a session token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignOutContext {
    /// The [name](crate::RelyingPartySettings::name) of the relying party that the user signed in with.
    pub relying_party: String,
    /// The issuer's passive endpoint.
    pub issuer_url: String,
    /// The subject's name at the issuer.
    pub name_identifier: Option<String>,
    /// The issuer's session.
    pub session_index: Option<String>,
}

impl SignOutContext {
    /// One line of text.
    pub fn encode(&self) -> String {
        let mut out = Parameters::new();
        out.set("iss", &self.issuer_url);
        let relying_party = Some(&self.relying_party).filter(|name| !name.is_empty()).cloned();
        for (name, value) in [("rp", &relying_party), ("sub", &self.name_identifier), ("sid", &self.session_index)] {
            if let Some(value) = value {
                out.set(name, value);
            }
        }
        out.to_query_string()
    }

    /// Reads what [`Self::encode`] wrote; none for the context of another program.
    pub fn decode(text: &str) -> Option<Self> {
        let parameters = Parameters::parse(text, &crate::Limits::default()).ok()?;
        let text = |name| parameters.get(name).map(str::to_owned);
        let relying_party = text("rp").unwrap_or_default();
        Some(Self { relying_party, issuer_url: text("iss")?, name_identifier: text("sub"), session_index: text("sid") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_out_contexts_survive() {
        let context = SignOutContext {
            relying_party: "shop/corp".into(),
            issuer_url: "https://sts.example/wsfed?a=b".into(),
            name_identifier: Some("alice & bob".into()),
            session_index: None,
        };
        assert_eq!(SignOutContext::decode(&context.encode()), Some(context));
        assert_eq!(SignOutContext::decode("free text of an application"), None);
    }
}
