//! Both ends of a federation and a browser between them, in virtual time.

#![allow(dead_code, unreachable_pub)] // each test file uses its part

use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_types, value_types};
use handstamp_keys::{
    CertificateTrust, Curve, DeterministicRandom, KeyKind, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity,
};
use handstamp_saml::{
    IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TokenEncryption, TrustedIssuer, ValidationSettings, Version,
};
use handstamp_time::Timestamp;
use handstamp_ws_federation::{
    Challenge, Error, FormPost, Issuer, IssuerSettings, Limits, Parameters, RelyingParty, RelyingPartySettings,
    RelyingPartyTrust, ReturnUrl, SignIn, SignInOptions, StateCookie,
};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

pub const REALM: &str = "https://rp.example/";
pub const REPLY: &str = "https://rp.example/signin";
pub const STS: &str = "https://sts.example/wsfed";

/// A relying party, an issuer, a browser, a clock and a replay cache.
pub struct Pair {
    pub now: Timestamp,
    pub random: DeterministicRandom,
    pub relying_party: RelyingParty,
    pub issuer: Issuer,
    pub cookies: BTreeMap<String, String>,
    pub seen: HashSet<String>,
}

impl Pair {
    pub fn new() -> Self {
        Self::with(|_| (), |_| ())
    }

    /// A pair whose issuer encrypts.
    pub fn encrypting(version: Version) -> Self {
        let (from, to) = ("2029-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
        let random = DeterministicRandom::new(9);
        let ours = SigningIdentity::self_signed("rp", KeyKind::Rsa { bits: 2048 }, from, to, &random).unwrap();
        let encryption = TokenEncryption::new(ours.certificate().clone(), &KeyPolicy::default()).unwrap();
        let trust = |trust: &mut RelyingPartyTrust| {
            trust.encryption = Some(encryption);
            trust.token_version = version;
        };
        Self::with_decryption(|_| (), trust, Some(TokenDecryption::new([ours])))
    }

    pub fn with(settings: impl FnOnce(&mut RelyingPartySettings), trust: impl FnOnce(&mut RelyingPartyTrust)) -> Self {
        Self::with_decryption(settings, trust, None)
    }

    fn with_decryption(
        settings: impl FnOnce(&mut RelyingPartySettings),
        trust: impl FnOnce(&mut RelyingPartyTrust),
        decryption: Option<TokenDecryption>,
    ) -> Self {
        let now: Timestamp = "2030-01-01T08:00:00Z".parse().unwrap();
        let random = DeterministicRandom::new(42);
        let years = |n: u64| Duration::from_secs(n * 365 * 86_400);
        let signing = SigningIdentity::self_signed(
            "sts.example",
            KeyKind::Ec(Curve::P256),
            now.saturating_sub(years(1)),
            now.saturating_add(years(1)),
            &random,
        )
        .unwrap();
        let mut registered = RelyingPartyTrust::new(REALM, [REPLY]);
        trust(&mut registered);
        let pinned = CertificateTrust::none().with_certificate(signing.certificate());
        let mut handler = SamlTokenHandler::new(
            IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("our-sts", pinned)),
            ValidationSettings::new([REALM]),
        );
        if let Some(decryption) = decryption {
            handler = handler.with_decryption(decryption);
        }
        let mut rp_settings = RelyingPartySettings::new(STS, REALM);
        settings(&mut rp_settings);
        let keys = KeyRing::in_memory(RotationPolicy::default(), now, &random).unwrap();
        let other = RelyingPartyTrust::new("urn:other", ["https://other.example/"]);
        Self {
            now,
            random,
            relying_party: RelyingParty::new(rp_settings, handler, Arc::new(keys)).unwrap(),
            issuer: Issuer::new(
                IssuerSettings::new("https://sts.example/trust", STS),
                Arc::new(signing),
                vec![other, registered],
            )
            .unwrap(),
            cookies: BTreeMap::new(),
            seen: HashSet::new(),
        }
    }

    pub fn advance(&mut self, seconds: u64) {
        self.now = self.now.saturating_add(Duration::from_secs(seconds));
    }

    /// The relying party challenges; the browser keeps the cookies.
    pub fn challenge(&mut self, options: SignInOptions) -> Result<Challenge, Error> {
        let cookies = self.cookies.clone();
        let pairs = cookies.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let challenge = self.relying_party.begin_sign_in(options, pairs, self.now, &self.random)?;
        self.keep(&challenge.cookies);
        Ok(challenge)
    }

    pub fn keep(&mut self, cookies: &[StateCookie]) {
        for cookie in cookies {
            if cookie.max_age.is_zero() {
                self.cookies.remove(&cookie.name);
            } else {
                self.cookies.insert(cookie.name.clone(), cookie.value.clone());
            }
        }
    }

    /// The issuer answers the redirect for Alice.
    pub fn issue(&self, location: &str) -> Result<FormPost, Error> {
        let task = self.issuer.receive_sign_in_request(&query_of(location))?;
        self.issuer.respond(&task, &alice(self.now), self.now, &self.random)
    }

    /// The issuer answers a request for Alice, who authenticated at some time before.
    pub fn issue_to(&self, request: &Parameters, authenticated_at: Timestamp) -> Result<FormPost, Error> {
        let task = self.issuer.receive_sign_in_request(request)?;
        self.issuer.respond(&task, &alice(authenticated_at), self.now, &self.random)
    }

    /// The browser posts a form to the relying party, which consults its replay cache.
    pub fn post(&mut self, form: &FormPost) -> Result<SignIn, Error> {
        // Over the wire and back.
        let body = form.parameters.to_query_string();
        let fields = Parameters::parse(body, &self.relying_party.settings().limits)?;
        let cookies = self.cookies.clone();
        let pairs = cookies.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let unconfirmed = self.relying_party.receive_sign_in_response("POST", &fields, pairs, self.now)?;
        let mut first_use = true;
        for entry in unconfirmed.replay_entries() {
            first_use &= self.seen.insert(entry.key.clone());
        }
        let sign_in = unconfirmed.confirm(first_use)?;
        self.keep(&sign_in.cookies);
        Ok(sign_in)
    }

    pub fn code<T>(result: Result<T, Error>) -> &'static str {
        result.map_or_else(|error| error.code(), |_| "accepted")
    }
}

pub fn query_of(location: &str) -> Parameters {
    Parameters::parse(location.split_once('?').unwrap().1, &Limits::default()).unwrap()
}

pub fn to(path: &str) -> SignInOptions {
    SignInOptions::new(ReturnUrl::new(path).unwrap())
}

pub fn alice(now: Timestamp) -> ClaimsIdentity {
    ClaimsIdentity::new("Password")
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "u-1"))
        .with_claim(Claim::new(claim_types::NAME, "Alice"))
        .with_claim(Claim::new(claim_types::ROLE, "Order Clerk"))
        .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD))
        .with_claim(
            Claim::new(claim_types::AUTHENTICATION_INSTANT, now.milliseconds().to_string())
                .with_value_type(value_types::DATE_TIME),
        )
}
