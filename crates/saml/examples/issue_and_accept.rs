//! An issuer states who Alice is; a relying party believes it, and nothing else.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{CertificateTrust, Curve, KeyKind, SigningIdentity, SystemRandom};
use handstamp_saml::{
    AcceptedToken, Assertion, IssuerNameRegistry, SamlTokenHandler, TokenDescriptor, TrustedIssuer, ValidationSettings,
    Version,
};
use handstamp_time::Timestamp;
use handstamp_xml::{Document, ParseOptions};
use std::error::Error;

const SHOP: &str = "https://shop.example/";

fn accept(handler: &SamlTokenHandler, xml: &str, now: Timestamp) -> Result<AcceptedToken, Box<dyn Error>> {
    let document = Document::parse(xml.to_owned(), &ParseOptions::default())?;
    Ok(handler.accept(document.root(), None, now)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (now, later): (Timestamp, Timestamp) = ("2030-01-01T08:00:00Z".parse()?, "2030-01-01T09:00:00Z".parse()?);
    let sts = SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), now, later, &SystemRandom)?;
    let alice = ClaimsIdentity::new("Password")
        .with_claim(Claim::new(claim_types::NAME, "Alice"))
        .with_claim(Claim::new(claim_types::ROLE, "Buyer"));
    let issue = |audience: &str| -> Result<String, Box<dyn Error>> {
        let descriptor = TokenDescriptor {
            version: Version::Saml20,
            issuer: "https://sts.example/trust".into(),
            audience: audience.into(),
            issued_at: now,
            not_before: now,
            not_on_or_after: later,
            recipient: None,
        };
        Ok(Assertion::from_identity(&alice, &descriptor, &SystemRandom)?.sign(&sts)?)
    };

    let pinned = CertificateTrust::none().with_sha256(*sts.certificate().sha256_thumbprint());
    let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("Contoso", pinned));
    let handler = SamlTokenHandler::new(issuers, ValidationSettings::new([SHOP]));

    let token = accept(&handler, &issue(SHOP)?, now)?;
    for claim in token.identity.claims() {
        println!("{}: {} (says {})", claim.claim_type(), claim.value(), claim.issuer());
    }
    assert_eq!(token.identity.name(), Some("Alice"));

    println!("{}", accept(&handler, &issue("https://other.example/")?, now).expect_err("for somebody else"));
    println!("{}", accept(&handler, &issue(SHOP)?.replace("Buyer", "Owner"), now).expect_err("changed"));
    let next_day = "2030-01-02T08:00:00Z".parse()?;
    println!("{}", accept(&handler, &issue(SHOP)?, next_day).expect_err("over"));
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
