//! Federation metadata of both ends.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_keys::KeyPolicy;
use handstamp_saml::Version;
use handstamp_ws_federation::{ClaimTypeDescription, IssuerMetadata};
use handstamp_xml::{Document, ParseOptions, names};
use handstamp_xml_security::signature::{Signature, VerificationKey, VerifyPolicy};
use support::{Pair, REALM, STS};

fn claims() -> Vec<ClaimTypeDescription> {
    let describe =
        |uri: &str, name: &str, optional| ClaimTypeDescription { uri: uri.into(), display_name: name.into(), optional };
    vec![describe("urn:name", "Name", false), describe("urn:mail", "E-Mail & <more>", true)]
}

#[test]
fn sm_42_the_issuers_metadata_is_signed_and_read_again() {
    let pair = Pair::new();
    let next = Pair::new().issuer.signing_identity().certificate().clone();
    let xml = pair.issuer.metadata(&claims(), std::slice::from_ref(&next)).unwrap();
    let document = Document::parse(xml.as_str(), &ParseOptions::default()).unwrap();
    let first = document.root().children().next().unwrap();
    assert!(first.is(names::DSIG, "Signature"), "the schema wants it first");
    let certificate = pair.issuer.signing_identity().certificate();
    let key = VerificationKey::Public(certificate.public_key(&KeyPolicy::default()).unwrap());
    let verified = Signature::parse(first).unwrap().verify(key, &VerifyPolicy::asymmetric()).unwrap();
    assert!(verified.element(document.root()).is_some());
    let read = IssuerMetadata::read(xml.as_bytes()).unwrap();
    assert_eq!(read.entity_id, "https://sts.example/trust");
    assert_eq!(read.signing_certificates, [certificate.clone(), next]);
    assert_eq!(read.passive_endpoint.as_deref(), Some(STS));
    assert_eq!(read.claim_types, ["urn:name", "urn:mail"]);
}

#[test]
fn sm_30_the_application_publishes_the_certificate_to_encrypt_for() {
    let pair = Pair::encrypting(Version::Saml20);
    let xml = pair.relying_party.metadata(&claims(), None).unwrap();
    let document = Document::parse(xml.as_str(), &ParseOptions::default()).unwrap();
    let role = document.root().children().next().unwrap();
    let key = role.children().next().unwrap();
    assert_eq!(
        (key.local_name(), key.attribute("use")),
        ("KeyDescriptor", Some("encryption")),
        "the schema wants it first"
    );
    let certificate = pair.relying_party.tokens().decryption().unwrap().identities()[0].certificate();
    assert_eq!(key.text(), certificate.to_base64());
}

#[test]
fn sm_42_the_applications_metadata_follows_the_schemas_order() {
    let pair = Pair::with(|s| s.reply = Some("https://rp.example/signin".into()), |_| ());
    let xml = pair.relying_party.metadata(&claims(), None).unwrap();
    let document = Document::parse(xml.as_str(), &ParseOptions::default()).unwrap();
    assert_eq!(document.root().attribute("entityID"), Some(REALM));
    let role = document.root().children().next().unwrap();
    assert_eq!(role.attribute_ns(names::XSI, "type"), Some("fed:ApplicationServiceType"));
    assert_eq!(role.namespace_of_prefix("fed"), Some(names::WSFED));
    let children: Vec<_> = role.children().map(|child| (child.local_name(), child.text().into_owned())).collect();
    assert_eq!(
        children,
        [
            ("ClaimTypesRequested", "NameE-Mail & <more>".to_owned()),
            ("TargetScopes", REALM.to_owned()),
            ("ApplicationServiceEndpoint", "https://rp.example/signin".to_owned()),
            ("PassiveRequestorEndpoint", "https://rp.example/signin".to_owned()),
        ]
    );
    assert_eq!(Pair::code(IssuerMetadata::read(xml.as_bytes())), "HST-WSFED-METADATA", "an application is no issuer");
}

#[test]
fn other_documents_are_no_metadata() {
    for (xml, code) in [
        ("", "HST-XML-SYNTAX"),
        ("<EntityDescriptor entityID='a'/>", "HST-WSFED-METADATA"),
        ("<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata'/>", "HST-WSFED-METADATA"),
        ("<EntityDescriptor xmlns='urn:oasis:names:tc:SAML:2.0:metadata' entityID='a'/>", "HST-WSFED-METADATA"),
    ] {
        assert_eq!(Pair::code(IssuerMetadata::read(xml.as_bytes())), code, "{xml}");
    }
}
