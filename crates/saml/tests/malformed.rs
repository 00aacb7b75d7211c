//! Assertions that do not follow their schema, and attributes that cannot become claims.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_saml::{Assertion, Version};
use handstamp_xml_security::signature::VerifiedElement;
use support::{VERSIONS, assertion, handler, now, parse};

/// The outcome of reading, and of mapping what was read.
fn code(xml: &str) -> &'static str {
    let document = parse(xml);
    Assertion::read(VerifiedElement::trusted_without_signature(document.root()))
        .and_then(|assertion| assertion.to_identity("contoso", &Default::default()))
        .map_or_else(|error| error.code(), |_| "accepted")
}

fn base(version: Version) -> String {
    let identity = ClaimsIdentity::new("x")
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, "alice"))
        .with_claim(Claim::new(claim_types::ROLE, "Clerk"))
        .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, "urn:m"));
    assertion(&identity, version).to_xml().unwrap()
}

/// Replaces the first occurrence, and fails the test when there is none.
fn with(xml: &str, from: &str, to: &str) -> String {
    assert!(xml.contains(from), "{from} is not in {xml}");
    xml.replacen(from, to, 1)
}

#[test]
fn what_the_tests_change_is_accepted_unchanged() {
    for version in VERSIONS {
        assert_eq!(code(&base(version)), "accepted");
    }
}

#[test]
fn sm_28_unknown_conditions_are_refused() {
    let base20 = base(Version::Saml20);
    for unknown in ["<Condition/>", "<x xmlns='urn:x'/>", "<OneTimeUse xmlns='urn:x'/>", "<DoNotCacheCondition/>"] {
        assert_eq!(
            code(&with(&base20, "<AudienceRestriction>", &format!("{unknown}<AudienceRestriction>"))),
            "HST-SAML-CONDITION"
        );
    }
    let base11 = base(Version::Saml11);
    for unknown in ["<saml:Condition/>", "<saml:OneTimeUse/>"] {
        let xml = with(
            &base11,
            "<saml:AudienceRestrictionCondition>",
            &format!("{unknown}<saml:AudienceRestrictionCondition>"),
        );
        assert_eq!(code(&xml), "HST-SAML-CONDITION");
    }
    let xml = with(
        &base11,
        "<saml:AudienceRestrictionCondition>",
        "<saml:DoNotCacheCondition/><saml:AudienceRestrictionCondition>",
    );
    assert_eq!(code(&xml), "accepted");
}

#[test]
fn what_does_not_belong_is_refused_and_what_is_not_for_us_is_skipped() {
    let base20 = base(Version::Saml20);
    for (from, to, expected) in [
        ("Version=\"2.0\"", "Version=\"2.1\"", "HST-SAML-MALFORMED"),
        (" ID=\"", " id=\"", "HST-SAML-MALFORMED"),
        ("IssueInstant=\"2030", "IssueInstant=\"x2030", "HST-SAML-MALFORMED"),
        ("<Conditions ", "<Conditions/><Conditions ", "HST-SAML-MALFORMED"),
        ("<Conditions ", "<Unknown/><Conditions ", "HST-SAML-MALFORMED"),
        ("<Conditions ", "<x xmlns='urn:x'/><Conditions ", "HST-SAML-MALFORMED"),
        ("<Conditions ", "<Advice><x xmlns='urn:x'/></Advice><Conditions ", "accepted"),
        ("<AttributeStatement>", "<AuthzDecisionStatement Resource='x'/><AttributeStatement>", "accepted"),
        ("<Subject>", "<Issuer>b</Issuer><Subject>", "HST-SAML-MALFORMED"),
        ("<NameID>alice", "<NameID><b>alice</b>", "HST-SAML-MALFORMED"),
        ("<NameID>alice</NameID>", "<EncryptedID/>", "HST-SAML-ENCRYPTED"),
        ("<AttributeStatement>", "<AttributeStatement><EncryptedAttribute/>", "HST-SAML-ENCRYPTED"),
        ("<AuthnContextClassRef>", "<AuthnContextDeclRef>urn:d</AuthnContextDeclRef><AuthnContextClassRef>", "ID4180"),
    ] {
        assert_eq!(code(&with(&base20, from, to)), expected, "{to}");
    }
    let base11 = base(Version::Saml11);
    for (from, to, expected) in [
        ("MinorVersion=\"1\"", "MinorVersion=\"0\"", "HST-SAML-MALFORMED"),
        ("AssertionID=", "ID=", "HST-SAML-MALFORMED"),
        ("Issuer=", "issuer=", "HST-SAML-MALFORMED"),
        ("<saml:AttributeStatement>", "<saml:AuthorizationDecisionStatement/><saml:AttributeStatement>", "accepted"),
        ("<saml:AttributeStatement>", "<saml:Statement/><saml:AttributeStatement>", "HST-SAML-MALFORMED"),
        ("</saml:SubjectConfirmation>", "</saml:SubjectConfirmation><saml:SubjectConfirmation/>", "HST-SAML-MALFORMED"),
        (
            "<saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer</saml:ConfirmationMethod>",
            "",
            "HST-SAML-MALFORMED",
        ),
        (">alice<", ">mallory<", "HST-SAML-MALFORMED"), // two statements about two subjects
    ] {
        assert_eq!(code(&with(&base11, from, to)), expected, "{to}");
    }
}

#[test]
fn an_assertion_of_11_without_statements_is_malformed() {
    let base11 = base(Version::Saml11);
    let bare = format!("{}</saml:Assertion>", &base11[..base11.find("<saml:AttributeStatement>").unwrap()]);
    assert_eq!(code(&bare), "HST-SAML-MALFORMED");
}

#[test]
fn sm_29_attributes_that_cannot_become_claims() {
    let base11 = base(Version::Saml11);
    for (from, to, expected) in [
        (" AttributeName=\"role\"", "", "ID4094"),
        (" AttributeNamespace=\"http://schemas.microsoft.com/ws/2008/06/identity/claims\"", "", "ID4095"),
        ("<saml:AttributeValue>Clerk</saml:AttributeValue>", "", "ID4212"),
        ("AttributeName=\"role\"", "AttributeName=\"NameIdentifier\"", "HST-SAML-NAME-ATTRIBUTE"),
        (
            "AttributeNamespace=\"http://schemas.microsoft.com/ws/2008/06/identity/claims\"",
            "AttributeNamespace=\"\"",
            "accepted",
        ),
    ] {
        assert_eq!(code(&with(&base11, from, to)), expected, "{to}");
    }
    let base20 = base(Version::Saml20);
    let name = "Name=\"http://schemas.microsoft.com/ws/2008/06/identity/claims/role\"";
    for (to, expected) in [
        ("", "ID4094"),
        ("Name=\"\"", "ID4094"),
        (
            "Name=\"r\" a:OriginalIssuer=\"\" xmlns:a=\"http://schemas.xmlsoap.org/ws/2009/09/identity/claims\"",
            "ID4252",
        ),
        ("Name=\"r\" a:OriginalIssuer=\"\" xmlns:a=\"urn:other\"", "accepted"),
    ] {
        assert_eq!(code(&with(&base20, name, to)), expected, "{to}");
    }
    let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let typed = format!("<AttributeValue {xsi} xsi:type=\"undeclared:string\">Clerk");
    assert_eq!(code(&with(&base20, "<AttributeValue>Clerk", &typed)), "HST-SAML-VALUE-TYPE");
    assert_eq!(code(&with(&base20, "<AttributeValue>Clerk</AttributeValue>", "")), "accepted");
}

#[test]
fn sm_29_actors() {
    for (version, several) in [(Version::Saml11, "ID4034"), (Version::Saml20, "ID4218")] {
        let shop = ClaimsIdentity::new("x").with_claim(Claim::new(claim_types::NAME, "shop"));
        let identity = ClaimsIdentity::new("x").with_actor(shop).unwrap();
        let xml = assertion(&identity, version).to_xml().unwrap();
        assert_eq!(code(&xml), "accepted");
        let (open, close) = match version {
            Version::Saml11 => ("<saml:AttributeValue>", "</saml:AttributeValue>"),
            Version::Saml20 => ("<AttributeValue>", "</AttributeValue>"),
        };
        let value = &xml[xml.find(open).unwrap()..xml.find(close).unwrap() + close.len()];
        assert_eq!(code(&with(&xml, value, &value.repeat(2))), several);
        for wrong in ["", "shop", "&lt;Other/&gt;", "&lt;Actor&gt;&lt;x/&gt;&lt;/Actor&gt;", "&lt;Actor&gt;"] {
            assert_eq!(code(&with(&xml, value, &format!("{open}{wrong}{close}"))), "HST-SAML-ACTOR", "{wrong}");
        }
        assert_eq!(code(&with(&xml, value, &format!("{open}&lt;Actor/&gt;{close}"))), "accepted");
    }
}

#[test]
fn other_tokens_and_encrypted_ones_are_told_apart() {
    for (xml, expected) in [
        ("<Assertion/>", "ID4014"),
        ("<Assertion xmlns='urn:oasis:names:tc:SAML:2.0:protocol'/>", "ID4014"),
        ("<x:EncryptedAssertion xmlns:x='urn:oasis:names:tc:SAML:2.0:assertion'/>", "HST-SAML-ENCRYPTED"),
        ("<x:EncryptedData xmlns:x='http://www.w3.org/2001/04/xmlenc#'/>", "HST-SAML-ENCRYPTED"),
    ] {
        let document = parse(xml);
        assert_eq!(handler().accept(document.root(), None, now()).unwrap_err().code(), expected);
    }
}
