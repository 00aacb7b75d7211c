//! Which session at the issuer a token in WIF's format goes back to (SM §8.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use handstamp_claims::ArcStr;
use handstamp_session_token::wif::IssuerSessionSource;
use handstamp_session_token::{IssuerSession, SessionSecurityToken};
use handstamp_ws_federation::SignOutContext;

use crate::config;

/// Tells by what a sign-in here left in the token's context, as it travels with the session wherever that goes. A session that a .NET
/// application began has no such context; there the claim tells that the configuration names.
#[derive(Debug)]
pub(super) struct IssuerSessions {
    /// Those that sign logout tokens, by their names in the configuration.
    issuers: BTreeMap<String, Issuer>,
}

#[derive(Debug)]
struct Issuer {
    /// Under which name claims know it.
    name: ArcStr,
    session_claim: Option<String>,
}

impl IssuerSessions {
    /// None when no issuer signs logout tokens: then nobody needs to know.
    pub(super) fn of(issuers: &[(&str, &config::Issuer)]) -> Option<Arc<Self>> {
        let issuers = issuers.iter().filter_map(|(name, issuer)| {
            let known = Issuer {
                session_claim: issuer.logout_tokens.as_ref()?.session_claim.clone(),
                name: issuer.name.as_deref()?.into(),
            };
            Some(((*name).to_owned(), known))
        });
        let issuers: BTreeMap<_, _> = issuers.collect();
        (!issuers.is_empty()).then(|| Arc::new(Self { issuers }))
    }

    fn by_context(&self, token: &SessionSecurityToken) -> Option<IssuerSession> {
        let context = SignOutContext::decode(token.context()?)?;
        // The session may have begun at another relying party with the same cookie.
        let (_, issuer) = context.relying_party.rsplit_once('/')?;
        Some(self.issuers.get(issuer)?.session(context.session_index?.into()))
    }

    fn by_claim(&self, token: &SessionSecurityToken) -> Option<IssuerSession> {
        self.issuers.values().find_map(|issuer| {
            let claims = token.principal().find_all(issuer.session_claim.as_deref()?);
            let claim = claims.into_iter().find(|claim| *claim.issuer() == issuer.name)?;
            Some(issuer.session(claim.value().clone()))
        })
    }
}

impl IssuerSessionSource for IssuerSessions {
    fn issuer_session(&self, token: &SessionSecurityToken) -> Option<IssuerSession> {
        self.by_context(token).or_else(|| self.by_claim(token))
    }
}

impl Issuer {
    fn session(&self, session_index: ArcStr) -> IssuerSession {
        IssuerSession { issuer: self.name.clone(), session_index: Some(session_index), sign_out_url: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal};
    use handstamp_keys::SystemRandom;
    use handstamp_time::{Clock, SystemClock};

    #[test]
    fn context_and_claims_tell_only_of_issuers_that_sign_logout_tokens() {
        let issuer =
            |name: &str, claim: Option<&str>| Issuer { name: name.into(), session_claim: claim.map(str::to_owned) };
        let issuers = [("corp", issuer("urn:corp", Some("urn:session"))), ("partners", issuer("urn:partners", None))];
        let sessions = IssuerSessions { issuers: issuers.map(|(name, issuer)| (name.to_owned(), issuer)).into() };
        let found = |context: &str, claim: (&str, &str)| {
            let claim = Claim::new(claim.0, "by claim").with_issuer(claim.1);
            let identity = ClaimsIdentity::new("Federation").with_claim(claim);
            let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(identity)).context(context);
            let token = builder.build(SystemClock.now(), &SystemRandom).expect("a token");
            let session = sessions.issuer_session(&token)?;
            Some((session.issuer.to_string(), session.session_index.expect("an identifier").to_string()))
        };
        let context = |relying_party: &str, session_index: Option<&str>| {
            let session_index = session_index.map(str::to_owned);
            let issuer_url = "https://sts.example/".to_owned();
            SignOutContext { relying_party: relying_party.to_owned(), issuer_url, session_index, name_identifier: None }
                .encode()
        };
        let some = |issuer: &str, session: &str| Some((issuer.to_owned(), session.to_owned()));
        let none = ("urn:other", "urn:corp");
        for (context, claim, expected) in [
            (context("shop/corp", Some("s-1")), none, some("urn:corp", "s-1")),
            (context("wiki/partners", Some("s-1")), none, some("urn:partners", "s-1")),
            (context("shop/others", Some("s-1")), none, None),
            (context("corp", Some("s-1")), none, None),
            (context("shop/corp", None), none, None),
            (context("shop/corp", Some("s-1")), ("urn:session", "urn:corp"), some("urn:corp", "s-1")),
            (context("shop/corp", None), ("urn:session", "urn:corp"), some("urn:corp", "by claim")),
            ("text of a .NET application".to_owned(), ("urn:session", "urn:corp"), some("urn:corp", "by claim")),
            ("text of a .NET application".to_owned(), ("urn:session", "urn:partners"), None),
        ] {
            assert_eq!(found(&context, claim), expected, "{context} {claim:?}");
        }
    }
}
