//! A whole sign-in without a network: what the browser would carry goes from function to function.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{CertificateTrust, Curve, KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, ValidationSettings};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_federation::{
    Issuer, IssuerSettings, Limits, Parameters, RelyingParty, RelyingPartySettings, RelyingPartyTrust, ReturnUrl,
    SignInOptions,
};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

const SHOP: &str = "https://shop.example/";

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemClock.now();
    let year = now.saturating_add(Duration::from_secs(365 * 24 * 3600));
    let signing = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), now, year, &SystemRandom)?;
    let pinned = CertificateTrust::none().with_certificate(signing.certificate());
    let shop = RelyingParty::new(
        RelyingPartySettings::new("https://sts.example/wsfed", SHOP),
        SamlTokenHandler::new(
            IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("Contoso", pinned)),
            ValidationSettings::new([SHOP]),
        ),
        Arc::new(KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom)?),
    )?;
    let sts = Issuer::new(
        IssuerSettings::new("https://sts.example/trust", "https://sts.example/wsfed"),
        Arc::new(signing),
        vec![RelyingPartyTrust::new(SHOP, ["https://shop.example/signin"])],
    )?;

    // The shop sends a browser away, and gives it a cookie that remembers why.
    let challenge = shop.begin_sign_in(SignInOptions::new(ReturnUrl::new("/orders")?), [], now, &SystemRandom)?;
    println!("302 {}", challenge.location);
    let cookies: Vec<_> = challenge.cookies.iter().map(|c| (c.name.as_str(), c.value.as_str())).collect();

    // The issuer asks for a password, then lets the browser post what it says.
    let query = challenge.location.split_once('?').ok_or("no query")?.1;
    let task = sts.receive_sign_in_request(&Parameters::parse(query, &Limits::default())?)?;
    let alice = ClaimsIdentity::new("Password").with_claim(Claim::new(claim_types::NAME, "Alice"));
    let form = sts.respond(&task, &alice, now, &SystemRandom)?;
    println!("POST {} with {} characters", form.action, form.parameters.get("wresult").unwrap_or_default().len());

    // The shop believes it, once the replay cache has said that it is new.
    let unconfirmed = shop.receive_sign_in_response("POST", &form.parameters, cookies, now)?;
    let sign_in = unconfirmed.confirm(true)?;
    println!("303 {} as {}", sign_in.return_url.as_str(), sign_in.principal.name().unwrap_or("?"));
    assert_eq!(sign_in.principal.name(), Some("Alice"));

    // Another browser has no such cookie: nobody can be signed in as somebody else behind his back.
    let elsewhere = shop.receive_sign_in_response("POST", &form.parameters, [], now);
    println!("{}", elsewhere.err().ok_or("a stranger's answer was taken")?);
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
