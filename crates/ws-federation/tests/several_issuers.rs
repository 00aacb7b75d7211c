//! One application, two issuers, one browser, in virtual time.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_keys::{Curve, DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, ValidationSettings};
use handstamp_time::Timestamp;
use handstamp_ws_federation::{
    Error, FormPost, Issuer, IssuerSettings, Parameters, RelyingParty, RelyingPartySettings, RelyingPartyTrust,
    SignInOptions, SignOutContext, UnconfirmedSignIn,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use support::{Pair, REALM, REPLY, alice, query_of, to};

/// An application that believes two issuers, each as another relying party with the same cookies.
struct Application {
    now: Timestamp,
    random: DeterministicRandom,
    ends: Vec<(RelyingParty, Issuer)>,
    cookies: BTreeMap<String, String>,
}

impl Application {
    fn new() -> Self {
        let now: Timestamp = "2030-01-01T08:00:00Z".parse().unwrap();
        let random = DeterministicRandom::new(7);
        let keys = Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &random).unwrap());
        let (from, to) = ("2029-01-01T00:00:00Z".parse().unwrap(), "2031-01-01T00:00:00Z".parse().unwrap());
        let end = |name: &str| {
            let signing = SigningIdentity::self_signed(name, KeyKind::Ec(Curve::P256), from, to, &random).unwrap();
            let trusted = TrustedIssuer::new(format!("urn:{name}"), Default::default())
                .with_certificate(signing.certificate().clone());
            let tokens =
                SamlTokenHandler::new(IssuerNameRegistry::new().with_issuer(trusted), ValidationSettings::new([REALM]));
            let address = format!("https://{name}.example/wsfed");
            let mut settings = RelyingPartySettings::new(address.as_str(), REALM);
            settings.name = name.to_owned();
            settings.reply = Some(REPLY.to_owned());
            settings.sign_out_reply = Some(format!("{REALM}signed-out"));
            let party = RelyingParty::new(settings, tokens, Arc::clone(&keys)).unwrap();
            let trust = vec![RelyingPartyTrust::new(REALM, [REPLY])];
            (party, Issuer::new(IssuerSettings::new(name, address), Arc::new(signing), trust).unwrap())
        };
        Self { now, ends: vec![end("a"), end("b")], random, cookies: BTreeMap::new() }
    }

    /// Asks one of the issuers, which answers.
    fn sign_in_at(&mut self, end: usize, options: SignInOptions) -> FormPost {
        let (party, issuer) = &self.ends[end];
        let cookies = self.cookies.clone();
        let challenge = party.begin_sign_in(options, pairs(&cookies), self.now, &self.random).unwrap();
        self.cookies.extend(challenge.cookies.iter().map(|cookie| (cookie.name.clone(), cookie.value.clone())));
        let task = issuer.receive_sign_in_request(&query_of(&challenge.location)).unwrap();
        issuer.respond(&task, &alice(self.now), self.now, &self.random).unwrap()
    }

    fn receive(&self, end: usize, form: &Parameters) -> Result<UnconfirmedSignIn, Error> {
        self.ends[end].0.receive_sign_in_response("POST", form, pairs(&self.cookies), self.now)
    }
}

fn pairs(cookies: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    cookies.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[test]
fn sm_42_each_issuer_answers_what_it_was_asked_itself() {
    let mut application = Application::new();
    for (end, name) in [(0, "a"), (1, "b")] {
        let form = application.sign_in_at(end, to("/orders")).parameters;
        // Any of them can tell whose answer it is.
        for (party, _) in &application.ends {
            let asked_by = party.asked_by(&form, pairs(&application.cookies), application.now);
            assert_eq!(asked_by.as_deref(), Some(name));
        }
        assert_eq!(Pair::code(application.receive(1 - end, &form)), "HST-WSFED-STATE");
        let sign_in = application.receive(end, &form).unwrap().confirm(true).unwrap();
        assert_eq!(sign_in.issuer, format!("urn:{name}"), "claims say the issuer");
        assert_eq!(sign_in.principal.identity().unwrap().claims()[0].issuer().as_str(), format!("urn:{name}"));
        let context = SignOutContext::decode(&sign_in.sign_out.encode()).unwrap();
        assert_eq!(context.relying_party, name);
        let (party, _) = application.ends.iter().find(|(party, _)| party.settings().name == name).unwrap();
        let location = party.sign_out_url(None).unwrap();
        assert!(location.starts_with(&format!("https://{name}.example/wsfed?wa=wsignout1.0")), "{location}");
    }
}

#[test]
fn sm_42_a_token_of_one_issuer_is_none_of_the_other() {
    let mut application = Application::new();
    let asked_a = application.sign_in_at(0, to("/")).parameters;
    let asked_b = application.sign_in_at(1, to("/")).parameters;
    // The token that b signed, in the answer that a was asked for; and the other way round.
    for (end, asked, token) in [(0, &asked_a, &asked_b), (1, &asked_b, &asked_a)] {
        let mut mixed = asked.clone();
        mixed.set("wresult", token.get("wresult").unwrap());
        assert_eq!(Pair::code(application.receive(end, &mixed)), "ID4175");
        assert_eq!(Pair::code(application.receive(1 - end, &mixed)), "HST-WSFED-STATE");
    }
    assert_eq!(application.ends[0].0.asked_by(&asked_a, [], application.now), None, "another browser");
}

#[test]
fn sm_42_sign_ins_at_both_issuers_at_once_disturb_nobody() {
    let mut application = Application::new();
    let forms: Vec<_> = (0..6).map(|i| (i % 2, application.sign_in_at(i % 2, to("/")).parameters)).take(5).collect();
    for (end, form) in &forms {
        assert!(application.receive(*end, form).is_ok(), "no state was taken for an old one");
    }
}

#[test]
fn sm_24_the_home_realm_of_one_sign_in_reaches_the_request() {
    let mut pair = Pair::with(|s| s.home_realm = Some("urn:usual".into()), |_| ());
    let usual = pair.challenge(to("/")).unwrap();
    assert_eq!(query_of(&usual.location).get("whr"), Some("urn:usual"));
    let other = SignInOptions { home_realm: Some("urn:partner".into()), ..to("/") };
    assert_eq!(query_of(&pair.challenge(other).unwrap().location).get("whr"), Some("urn:partner"));
}
