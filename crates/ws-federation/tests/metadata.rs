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

/// A file of a federation with two issuers and an application, each document as its owner publishes it.
fn federation_of(documents: &[&str]) -> String {
    let strip = |xml: &str| xml.split_once("?>").map_or(xml, |(_, rest)| rest).to_owned();
    let entity = |(index, xml): (usize, &&str)| strip(xml).replace("_metadata", &format!("_of{index}"));
    let entities: String = documents.iter().enumerate().map(entity).collect();
    format!("<EntitiesDescriptor xmlns=\"{MD}\" Name=\"urn:federation\">{entities}</EntitiesDescriptor>")
}

const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";

#[test]
fn sm_42_one_file_may_hold_several_issuers() {
    let pair = Pair::new();
    let unsigned = |xml: &str| {
        let start = xml.find("<ds:Signature").or_else(|| xml.find("<Signature")).unwrap();
        let end = xml.find("Signature>").unwrap() + "Signature>".len();
        format!("{}{}", &xml[..start], &xml[end..])
    };
    let ours = unsigned(&pair.issuer.metadata(&[], &[]).unwrap());
    let theirs = ours.replace("https://sts.example/trust", "urn:their-sts").replace(STS, "https://their.example/wsfed");
    let application = pair.relying_party.metadata(&[], None).unwrap();
    let file = federation_of(&[&ours, &application, &theirs]);
    let named = |entity_id: &str| {
        let mut policy = MetadataPolicy::default();
        policy.entity_id = Some(entity_id.into());
        policy
    };
    let read = |xml: &str, policy: &MetadataPolicy| IssuerMetadata::read_trusted(xml.as_bytes(), policy, pair.now);
    for (entity_id, endpoint) in [("https://sts.example/trust", STS), ("urn:their-sts", "https://their.example/wsfed")]
    {
        let issuer = read(&file, &named(entity_id)).unwrap();
        assert_eq!((issuer.entity_id.as_str(), issuer.passive_endpoint.as_deref()), (entity_id, Some(endpoint)));
    }
    // Without a name it must be clear, and an application is no issuer.
    let problem = read(&file, &MetadataPolicy::default()).unwrap_err().to_string();
    assert!(problem.contains("2 issuers") && problem.contains("urn:their-sts"), "{problem}");
    let one = federation_of(&[&application, &theirs]);
    assert_eq!(read(&one, &MetadataPolicy::default()).unwrap().entity_id, "urn:their-sts");
    assert_eq!(Pair::code(read(&one, &named("https://sts.example/trust"))), "HST-WSFED-METADATA-TRUST");
    assert_eq!(Pair::code(read(&one, &named(REALM))), "HST-WSFED-METADATA");
    let twice = federation_of(&[&ours, &theirs, &ours.replace(STS, "https://attacker.example/")]);
    assert_eq!(Pair::code(read(&twice, &named("https://sts.example/trust"))), "HST-WSFED-METADATA-TRUST");
    assert!(read(&twice, &named("urn:their-sts")).is_ok());
    // What is around an entity ends with it.
    let old = file.replacen(" Name=", " validUntil=\"2001-01-01T00:00:00Z\" Name=", 1);
    assert_eq!(Pair::code(read(&old, &named("urn:their-sts"))), "HST-WSFED-METADATA-TRUST");
    let deep = (0..6).fold(file, |inner, _| format!("<EntitiesDescriptor xmlns=\"{MD}\">{inner}</EntitiesDescriptor>"));
    assert_eq!(Pair::code(read(&deep, &named("urn:their-sts"))), "HST-WSFED-METADATA");
}

#[test]
fn sm_42_an_issuer_among_others_is_believed_when_its_own_signature_is_of_whom_the_policy_names() {
    let pair = Pair::new();
    let signed = pair.issuer.metadata(&[], &[]).unwrap();
    let certificate = pair.issuer.signing_identity().certificate();
    let application = pair.relying_party.metadata(&[], None).unwrap().replace("_metadata", "_application");
    let strip = |xml: &str| xml.split_once("?>").map_or(xml, |(_, rest)| rest).to_owned();
    let file = |entity: &str| {
        format!("<EntitiesDescriptor xmlns=\"{MD}\">{}{}</EntitiesDescriptor>", strip(&application), strip(entity))
    };
    let mut policy = MetadataPolicy::default();
    policy.signers = Some(CertificateTrust::none().with_certificate(certificate));
    let read = |xml: &str, policy: &MetadataPolicy| IssuerMetadata::read_trusted(xml.as_bytes(), policy, pair.now);
    assert!(read(&file(&signed), &policy).is_ok());
    let changed = file(&signed.replace("wsfed<", "other<"));
    assert_eq!(Pair::code(read(&changed, &policy)), "HST-WSFED-METADATA-TRUST");
    policy.signers = Some(CertificateTrust::none().with_sha256([7; 32]));
    assert_eq!(Pair::code(read(&file(&signed), &policy)), "HST-WSFED-METADATA-TRUST");
}
