//! Signature wrapping and its relatives: SM-28, "the verified element is the only one parsed for claims".
//!
//! Each document holds an assertion of Mallory's making beside or around a genuine one. Whichever `Assertion` element a
//! program picks, it must never learn that its user is Mallory.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{DeterministicRandom, SigningIdentity};
use handstamp_saml::{Assertion, Version};
use handstamp_xml::names;
use handstamp_xml_security::algorithm::SignatureMethod;
use handstamp_xml_security::signature::{Place, Signer, SigningKey};
use std::sync::LazyLock;
use support::{VERSIONS, accept, assertions, descriptor, handler, identity, now, parse};

static STS: LazyLock<SigningIdentity> = LazyLock::new(|| identity("sts"));

/// What an attacker has: a genuine signed assertion, its parts, and a forged one.
struct Parts {
    /// The genuine assertion, signed.
    genuine: String,
    /// Its signature.
    signature: String,
    /// The genuine assertion without its signature.
    unsigned: String,
    /// A forged assertion with another id.
    forged: String,
}

fn named(name: &str, id: &str, version: Version) -> Assertion {
    let identity = ClaimsIdentity::new("x")
        .with_claim(Claim::new(claim_types::NAME_IDENTIFIER, name))
        .with_claim(Claim::new(claim_types::NAME, name));
    let mut assertion =
        Assertion::from_identity(&identity, &descriptor(version), &DeterministicRandom::new(1)).unwrap();
    assertion.id = id.into();
    assertion
}

fn parts(version: Version) -> Parts {
    let genuine = named("alice", "_genuine", version).sign(&STS).unwrap();
    let end = "</Signature>";
    let signature = &genuine[genuine.find("<Signature ").unwrap()..genuine.find(end).unwrap() + end.len()];
    Parts {
        signature: signature.into(),
        unsigned: genuine.replace(signature, ""),
        forged: named("mallory", "_forged", version).to_xml().unwrap(),
        genuine,
    }
}

/// Puts markup behind an element's start tag (SAML 2.0: behind Issuer, where a signature belongs).
fn inside(element: &str, content: &str) -> String {
    let at = element.find("</Issuer>").map_or_else(|| element.find('>').unwrap() + 1, |i| i + "</Issuer>".len());
    format!("{}{content}{}", &element[..at], &element[at..])
}

fn at_end_of(element: &str, content: &str) -> String {
    let at = element.rfind("</").unwrap();
    format!("{}{content}{}", &element[..at], &element[at..])
}

fn response(content: &str) -> String {
    format!("<samlp:Response xmlns:samlp=\"{}\" ID=\"_response\">{content}</samlp:Response>", names::SAML20_PROTOCOL)
}

/// Tries every assertion in a document. Returns the codes of refusals; a token of anybody but Alice fails the test.
fn refusals(xml: &str) -> Vec<&'static str> {
    let document = match handstamp_xml::Document::parse(xml, &handstamp_xml::ParseOptions::default()) {
        Ok(document) => document,
        Err(error) => return vec![error.code()],
    };
    let mut codes = Vec::new();
    let mut tried = 0;
    for element in assertions(&document) {
        tried += 1;
        match handler().accept(element, None, now()) {
            Ok(token) => assert_eq!(token.identity.name(), Some("alice"), "{xml}"),
            Err(error) => codes.push(error.code()),
        }
    }
    assert!(tried > 0, "no assertion in {xml}");
    codes
}

fn missing(version: Version) -> &'static str {
    match version {
        Version::Saml11 => "ID4220",
        Version::Saml20 => "ID4152",
    }
}

#[test]
fn the_genuine_assertion_is_accepted() {
    for version in VERSIONS {
        assert_eq!(accept(&handler(), &parts(version).genuine).unwrap().identity.name(), Some("alice"));
        assert!(refusals(&response(&parts(version).genuine)).is_empty());
    }
}

/// A response that is signed as a whole, with an unsigned assertion in it: parts for XSW1 and XSW2.
fn signed_response(version: Version) -> (String, String) {
    let document = parse(&response(&parts(version).unsigned));
    let signed = Signer::new(SignatureMethod::RsaSha256, SigningKey::Private(STS.key()))
        .with_certificate(STS.certificate())
        .sign_enveloped("_response", document.root(), Place::LastChild)
        .unwrap();
    let signature = &signed[signed.find("<Signature ").unwrap()..signed.find("</samlp:Response>").unwrap()];
    (signature.into(), signed)
}

#[test]
fn xsw1_the_original_response_inside_its_signature() {
    for version in VERSIONS {
        let (signature, _) = signed_response(version);
        let original = response(&parts(version).unsigned);
        let forged = response(&format!("{}{}", at_end_of(&signature, &original), parts(version).forged));
        let forged = forged.replacen("\"_response\"", "\"_forged_response\"", 1);
        assert_eq!(refusals(&forged), [missing(version); 2]);
    }
}

#[test]
fn xsw2_the_original_response_before_its_detached_signature() {
    for version in VERSIONS {
        let (signature, _) = signed_response(version);
        let original = response(&parts(version).unsigned);
        let forged = response(&format!("{original}{signature}{}", parts(version).forged));
        let forged = forged.replacen("\"_response\"", "\"_forged_response\"", 1);
        assert_eq!(refusals(&forged), [missing(version); 2]);
    }
}

#[test]
fn xsw3_a_forged_assertion_before_the_genuine_one() {
    for version in VERSIONS {
        let Parts { genuine, forged, .. } = parts(version);
        assert_eq!(refusals(&response(&format!("{forged}{genuine}"))), [missing(version)]);
        assert_eq!(refusals(&response(&format!("{genuine}{forged}"))), [missing(version)]);
    }
}

#[test]
fn xsw4_a_forged_assertion_around_the_genuine_one() {
    for version in VERSIONS {
        let Parts { genuine, forged, .. } = parts(version);
        assert_eq!(refusals(&at_end_of(&forged, &genuine)), [missing(version)]);
        assert_eq!(refusals(&inside(&forged, &genuine)), [missing(version)]);
    }
}

#[test]
fn xsw5_the_signature_moved_into_a_forged_assertion() {
    for version in VERSIONS {
        let Parts { signature, unsigned, forged, .. } = parts(version);
        let moved = inside(&forged, &signature);
        for xml in [response(&format!("{moved}{unsigned}")), response(&format!("{unsigned}{moved}"))] {
            let mut codes = refusals(&xml);
            codes.sort_unstable();
            assert_eq!(codes, ["HST-SAML-WRAPPED", missing(version)]);
        }
    }
}

#[test]
fn xsw6_the_genuine_assertion_inside_the_moved_signature() {
    for version in VERSIONS {
        let Parts { signature, unsigned, forged, .. } = parts(version);
        let xml = inside(&forged, &at_end_of(&signature, &unsigned));
        assert_eq!(refusals(&xml), ["HST-SAML-WRAPPED", missing(version)]);
    }
}

#[test]
fn xsw7_a_forged_assertion_in_an_extension() {
    for version in VERSIONS {
        let Parts { genuine, forged, .. } = parts(version);
        let extension = format!("<samlp:Extensions>{forged}</samlp:Extensions>{genuine}");
        assert_eq!(refusals(&response(&extension)), [missing(version)]);
        // As published, the forged one has the genuine one's id.
        let same_id = extension.replace("_forged", "_genuine");
        assert_eq!(refusals(&response(&same_id)), ["HST-XML-DUPLICATE-ID"]);
    }
}

#[test]
fn xsw8_the_genuine_assertion_in_an_object_of_the_moved_signature() {
    for version in VERSIONS {
        let Parts { signature, unsigned, forged, .. } = parts(version);
        let object = format!("<Object xmlns=\"{}\">{unsigned}</Object>", names::DSIG);
        let xml = inside(&forged, &at_end_of(&signature, &object));
        assert_eq!(refusals(&xml), ["HST-SAML-WRAPPED", missing(version)]);
    }
}

#[test]
fn a_signed_wrapper_does_not_sign_the_assertion() {
    for version in VERSIONS {
        let (_, signed) = signed_response(version);
        assert_eq!(refusals(&signed), [missing(version)]);
    }
}

#[test]
fn comments_do_not_cut_names() {
    for version in VERSIONS {
        let document = named("alice@corp.example.evil.example", "_a", version).sign(&STS).unwrap();
        let cut = document.replace("alice@corp.example.evil", "alice@corp.example<!-- -->.evil");
        let token = accept(&handler(), &cut).expect("canonical form has no comments, so the signature holds");
        assert_eq!(token.identity.name(), Some("alice@corp.example.evil.example"));
        let subject = token.identity.find_first(&claim_types::NAME_IDENTIFIER).unwrap();
        assert_eq!(subject.value(), "alice@corp.example.evil.example");
    }
}

#[test]
fn one_id_per_document() {
    for version in VERSIONS {
        let Parts { genuine, unsigned, .. } = parts(version);
        assert_eq!(refusals(&response(&format!("{unsigned}{genuine}"))), ["HST-XML-DUPLICATE-ID"]);
    }
}

#[test]
fn a_signature_over_another_element_or_the_whole_document_is_not_one_of_the_assertion() {
    for version in VERSIONS {
        let unsigned = named("alice", "_a", version).to_xml().unwrap();
        let signer =
            Signer::new(SignatureMethod::RsaSha256, SigningKey::Private(STS.key())).with_certificate(STS.certificate());
        // Over an element inside: the conditions, marked with an id.
        let marked = unsigned.replacen("Conditions NotBefore", "Conditions Id=\"_c\" NotBefore", 1);
        let document = parse(&marked);
        let conditions = document.root().children().find(|child| child.local_name() == "Conditions").unwrap();
        let reference = signer.reference("_c", conditions);
        let signature = signer.sign(std::slice::from_ref(&reference)).unwrap();
        assert_eq!(refusals(&inside(&marked, &signature)), ["HST-SAML-WRAPPED"]);
        // Over the whole document, which here even is the assertion.
        let document = parse(&unsigned);
        let signed = signer.sign_enveloped("", document.root(), Place::LastChild).unwrap();
        assert_eq!(refusals(&signed), ["HST-SAML-WRAPPED"]);
    }
}

#[test]
fn two_signatures_are_one_too_many() {
    for version in VERSIONS {
        let Parts { genuine, signature, .. } = parts(version);
        let twice = genuine.replace(&signature, &format!("{signature}{signature}"));
        assert_eq!(refusals(&twice), ["HST-XSEC-MALFORMED"]);
    }
}

#[test]
fn document_types_are_refused() {
    let Parts { genuine, .. } = parts(Version::Saml20);
    assert_eq!(refusals(&format!("<!DOCTYPE a [<!ENTITY e 'x'>]>{genuine}")), ["HST-XML-DTD"]);
}

#[test]
fn sm_28_who_may_sign() {
    for version in VERSIONS {
        let assertion = named("mallory", "_m", version);
        let mallory = identity("mallory");
        // A key of one's own with its own certificate.
        assert_eq!(refusals(&assertion.sign(&mallory).unwrap()), ["ID4175"]);
        // A key of one's own under the trusted certificate.
        let forged = assertion
            .sign(&mallory)
            .unwrap()
            .replace(&mallory.certificate().to_base64(), &STS.certificate().to_base64());
        assert_eq!(refusals(&forged), ["HST-XSEC-UNAUTHENTIC"]);
    }
}

#[test]
fn every_changed_byte_of_content_is_noticed() {
    for version in VERSIONS {
        let Parts { genuine, .. } = parts(version);
        for (from, to) in [("alice", "alicf"), ("2030-01-01T09:00", "2031-01-01T09:00"), ("rp.example", "rq.example")] {
            let changed = genuine.replacen(from, to, 1);
            assert_ne!(changed, genuine);
            assert_eq!(refusals(&changed), ["HST-XSEC-UNAUTHENTIC"], "{from}");
        }
    }
}
