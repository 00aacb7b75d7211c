//! What is written, signed and read again says the same.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_properties, claim_types, value_types};
use handstamp_keys::{Curve, DeterministicRandom, KeyKind, SigningIdentity};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, Version};
use handstamp_xml_security::algorithm::SignatureMethod;
use handstamp_xml_security::signature::VerifyPolicy;
use proptest::prelude::*;
use std::sync::LazyLock;
use support::{VERSIONS, accept, assert_golden, assertion, at, handler, identity, parse, settings, to_json};

static STS: LazyLock<SigningIdentity> = LazyLock::new(|| identity("sts"));

fn alice() -> ClaimsIdentity {
    let claim = |claim_type: &str, value: &str| Claim::new(claim_type, value).with_issuer("contoso");
    ClaimsIdentity::new("Federation")
        .with_claim(
            claim(&claim_types::NAME_IDENTIFIER, "alice")
                .with_property(
                    claim_properties::NAME_IDENTIFIER_FORMAT,
                    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
                )
                .with_property(claim_properties::NAME_QUALIFIER, "https://contoso.example/"),
        )
        .with_claim(claim(&claim_types::NAME, "Alice <&> \"Ä\"\r\n\t"))
        .with_claim(claim(&claim_types::ROLE, "Order Clerk"))
        .with_claim(claim(&claim_types::ROLE, ""))
        .with_claim(claim(&claim_types::ROLE, " Auditor "))
        .with_claim(claim(&claim_types::UPN, "alice@corp").with_original_issuer("AD AUTHORITY"))
        .with_claim(claim("http://claims.example/age", "42").with_value_type(value_types::INTEGER))
        .with_claim(claim("http://claims.example/born", "1988-02-29").with_value_type(value_types::DATE))
        .with_claim(claim("http://claims.example/shoe", "38").with_value_type("urn:contoso:types#shoe-size"))
        .with_claim(claim("http://claims.example/xml", "<a b='c'>]]></a>"))
        .with_claim(claim(&claim_types::AUTHENTICATION_METHOD, &authentication_methods::PASSWORD))
        .with_claim(
            claim(&claim_types::AUTHENTICATION_INSTANT, "2030-01-01T07:59:58.250Z")
                .with_value_type(value_types::DATE_TIME),
        )
        .with_actor(
            ClaimsIdentity::new("Federation")
                .with_claim(claim(&claim_types::NAME_IDENTIFIER, "shop"))
                .with_claim(claim(&claim_types::ROLE, "<Front & End>"))
                .with_actor(ClaimsIdentity::new("Federation").with_claim(claim(&claim_types::NAME, "Scheduler")))
                .unwrap(),
        )
        .unwrap()
}

#[test]
fn sm_29_an_identity_survives_both_versions() {
    for version in VERSIONS {
        let signed = assertion(&alice(), version).sign(&STS).unwrap();
        let token = accept(&handler(), &signed).unwrap();
        assert_eq!(to_json(&token.identity), to_json(&alice()), "{version}");
    }
}

#[test]
fn sm_29_the_model_survives_both_versions() {
    for version in VERSIONS {
        let written = assertion(&alice(), version);
        let signed = written.sign(&STS).unwrap();
        assert_eq!(accept(&handler(), &signed).unwrap().assertion, written);
    }
}

#[test]
fn assertions_of_ours_look_as_they_always_did() {
    for (version, file) in [(Version::Saml11, "own-saml11.xml"), (Version::Saml20, "own-saml20.xml")] {
        let signed = assertion(&alice(), version).sign(&STS).unwrap();
        assert_golden(file, &signed);
    }
}

#[test]
fn a_plain_user_without_claims_is_possible_in_both_versions() {
    for version in VERSIONS {
        let bob = ClaimsIdentity::new("x").with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "bob"));
        let signed = assertion(&bob, version).sign(&STS).unwrap();
        let token = accept(&handler(), &signed).unwrap();
        assert_eq!(token.identity.find_first(&claim_types::NAME_IDENTIFIER).unwrap().value(), "bob");
    }
}

#[test]
fn every_signature_algorithm_holds_and_configuration_decides() {
    let (from, to) = (at("2029-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let signer =
            SigningIdentity::self_signed("sts", KeyKind::Ec(curve), from, to, &DeterministicRandom::new(1)).unwrap();
        let issuer = TrustedIssuer::new("contoso", Default::default()).with_certificate(signer.certificate().clone());
        let handler = SamlTokenHandler::new(IssuerNameRegistry::new().with_issuer(issuer), settings());
        let signed = assertion(&alice(), Version::Saml20).sign(&signer).unwrap();
        accept(&handler, &signed).unwrap();
    }
    let sha1 = assertion(&alice(), Version::Saml11).sign_with(&STS, SignatureMethod::RsaSha1).unwrap();
    assert_eq!(accept(&handler(), &sha1).unwrap_err().code(), "HST-XSEC-ALGORITHM");
    let lenient = handler().with_signature_policy(VerifyPolicy::asymmetric().allow_rsa_sha1());
    accept(&lenient, &sha1).unwrap();
}

#[test]
fn a_signature_without_a_certificate_is_tried_with_those_we_have() {
    let signed = assertion(&alice(), Version::Saml20).sign(&STS).unwrap();
    let start = signed.find("<KeyInfo>").unwrap();
    let end = signed.find("</KeyInfo>").unwrap() + "</KeyInfo>".len();
    let bare = format!("{}{}", &signed[..start], &signed[end..]);
    assert_eq!(accept(&handler(), &bare).unwrap_err().code(), "ID4175");
    let issuer = TrustedIssuer::new("contoso", Default::default())
        .with_certificate(identity("mallory").certificate().clone())
        .with_certificate(support::certificate());
    let knowing = SamlTokenHandler::new(IssuerNameRegistry::new().with_issuer(issuer), settings());
    accept(&knowing, &bare).unwrap();
}

#[test]
fn claims_that_cannot_be_said_are_the_callers_errors() {
    let code = |version, claim: Claim| {
        let identity = ClaimsIdentity::new("x").with_claim(claim);
        let descriptor = support::descriptor(version);
        handstamp_saml::Assertion::from_identity(&identity, &descriptor, &DeterministicRandom::new(1))
            .map_or_else(|error| error.code(), |_| "written")
    };
    for claim_type in ["name", "/name", "http://claims.example/", ""] {
        assert_eq!(code(Version::Saml11, Claim::new(claim_type, "v")), "ID4216", "{claim_type}");
    }
    assert_eq!(code(Version::Saml20, Claim::new("name", "v")), "written");
    for value_type in ["http://schemas.xmlsoap.org/claims/UPN", "#integer", "urn:x#a b", "urn:x#"] {
        assert_eq!(code(Version::Saml20, Claim::new("t", "v").with_value_type(value_type)), "ID4254", "{value_type}");
    }
    assert_eq!(code(Version::Saml20, Claim::new("t", "\u{1}")), "HST-SAML-CLAIM-CHARACTER");
    assert_eq!(code(Version::Saml20, Claim::new(claim_types::AUTHENTICATION_INSTANT, "soon")), "HST-SAML-CLAIM-TIME");
    let two = ClaimsIdentity::new("x")
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "a"))
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "b"));
    let descriptor = support::descriptor(Version::Saml20);
    let error = handstamp_saml::Assertion::from_identity(&two, &descriptor, &DeterministicRandom::new(1)).unwrap_err();
    assert_eq!(error.code(), "ID4139");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sm_29_any_text_survives(
        values in proptest::collection::vec("[\t\n\r -\u{D7FF}\u{E000}-\u{FFFD}]{0,20}", 1..5),
        name in "[a-z<>&\"' é\r\n]{1,12}",
    ) {
        for version in VERSIONS {
            let claims = values.iter().map(|value| Claim::new("http://c.example/t", value.as_str()).with_issuer("contoso"));
            let identity = ClaimsIdentity::new("Federation")
                .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, name.as_str()).with_issuer("contoso"))
                .with_claims(claims);
            let xml = assertion(&identity, version).to_xml().unwrap();
            let document = parse(&xml);
            let element = handstamp_xml_security::signature::VerifiedElement::trusted_without_signature(document.root());
            let read = handstamp_saml::Assertion::read(element).unwrap();
            let mut back = read.to_identity("contoso", &Default::default()).unwrap();
            back.retain_claims(|claim| !claim.is(&claim_types::AUTHENTICATION_INSTANT));
            prop_assert_eq!(to_json(&back), to_json(&identity));
        }
    }
}
