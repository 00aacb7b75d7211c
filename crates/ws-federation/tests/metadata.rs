//! Federation metadata of both ends.

#![allow(clippy::unwrap_used)] // tests fail by it

mod support;

use handstamp_keys::{CertificateTrust, KeyPolicy};
use handstamp_saml::Version;
use handstamp_ws_federation::{ClaimTypeDescription, IssuerMetadata, MetadataPolicy};
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

#[test]
fn sm_43_metadata_is_believed_when_whom_the_policy_names_has_signed_it() {
    let pair = Pair::new();
    let certificate = pair.issuer.signing_identity().certificate();
    let xml = pair.issuer.metadata(&[], &[]).unwrap();
    let mut policy = MetadataPolicy::default();
    let read = |xml: &str, policy: &MetadataPolicy| IssuerMetadata::read_trusted(xml.as_bytes(), policy, pair.now);
    assert!(read(&xml, &policy).unwrap().signing_certificates.iter().eq([certificate]));
    policy.entity_id = Some("https://sts.example/trust".into());
    policy.signers = Some(CertificateTrust::none().with_certificate(certificate));
    assert!(read(&xml, &policy).is_ok());

    let untrusted = |xml: &str, policy: &MetadataPolicy| {
        assert_eq!(Pair::code(read(xml, policy)), "HST-WSFED-METADATA-TRUST", "{xml}");
    };
    // What was changed is refused also where nobody asked for a signature.
    untrusted(&xml.replace("wsfed<", "other<"), &MetadataPolicy::default());
    let unsigned = {
        let start = xml.find("<ds:Signature").or_else(|| xml.find("<Signature")).unwrap();
        let end = xml.find("Signature>").unwrap() + "Signature>".len();
        format!("{}{}", &xml[..start], &xml[end..])
    };
    assert!(read(&unsigned, &MetadataPolicy::default()).is_ok());
    untrusted(&unsigned, &policy);
    let mut of_another = policy.clone();
    of_another.entity_id = Some("https://other.example/trust".into());
    untrusted(&xml, &of_another);
    let mut by_another = policy.clone();
    by_another.signers = Some(CertificateTrust::none().with_sha256([7; 32]));
    untrusted(&xml, &by_another);
    let old = unsigned.replacen(" entityID=", " validUntil=\"2001-01-01T00:00:00Z\" entityID=", 1);
    untrusted(&old, &MetadataPolicy::default());
    let (before, rest) = unsigned.split_once("<KeyDescriptor").unwrap();
    let without_keys = format!("{before}{}", rest.split_once("</KeyDescriptor>").unwrap().1);
    untrusted(&without_keys, &MetadataPolicy::default());
}
