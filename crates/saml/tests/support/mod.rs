//! An issuer, its trust, and documents to try on them.

#![allow(dead_code, unreachable_pub)] // each test file uses its part

use handstamp_claims::ClaimsIdentity;
use handstamp_keys::{Certificate, CertificateTrust, DeterministicRandom, KeyPolicy, SigningIdentity};
use handstamp_saml::{
    AcceptedToken, Assertion, Error, IssuerNameRegistry, SamlTokenHandler, TokenDescriptor, TrustedIssuer,
    ValidationSettings, Version,
};
use handstamp_time::Timestamp;
use handstamp_xml::{Document, Element, ParseOptions};
use serde_json::{Value, json};

pub const REALM: &str = "https://rp.example/";
pub const ISSUER: &str = "http://adfs.contoso.example/adfs/services/trust";
pub const VERSIONS: [Version; 2] = [Version::Saml11, Version::Saml20];

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The instant at which the documents under `vectors/saml/` are valid.
pub fn now() -> Timestamp {
    at("2030-01-01T08:00:00Z")
}

pub fn vector(file: &str) -> String {
    let path = handstamp_testkit::vectors::path(&format!("saml/{file}"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn identity(name: &str) -> SigningIdentity {
    let pem = [vector(&format!("{name}-key.pem")), vector(&format!("{name}-certificate.pem"))].concat();
    SigningIdentity::from_pem(pem.as_bytes(), &KeyPolicy::default()).unwrap()
}

pub fn certificate() -> Certificate {
    Certificate::read_all(vector("sts-certificate.pem").as_bytes()).unwrap().remove(0)
}

pub fn settings() -> ValidationSettings {
    let mut settings = ValidationSettings::new([REALM]);
    settings.recipients.push("https://rp.example/signin".into());
    settings
}

/// Trusts the issuer of the vectors by its pinned certificate.
pub fn handler() -> SamlTokenHandler {
    let trust = CertificateTrust::none().with_sha256(*certificate().sha256_thumbprint());
    SamlTokenHandler::new(IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("contoso", trust)), settings())
}

pub fn descriptor(version: Version) -> TokenDescriptor {
    TokenDescriptor {
        version,
        issuer: ISSUER.into(),
        audience: REALM.into(),
        issued_at: now(),
        not_before: now(),
        not_on_or_after: at("2030-01-01T09:00:00Z"),
        recipient: None,
    }
}

pub fn assertion(identity: &ClaimsIdentity, version: Version) -> Assertion {
    Assertion::from_identity(identity, &descriptor(version), &DeterministicRandom::new(7)).unwrap()
}

pub fn parse(xml: &str) -> Document {
    Document::parse(xml, &ParseOptions::default()).unwrap()
}

pub fn assertions(document: &Document) -> impl Iterator<Item = Element<'_>> {
    document.root().descendants().filter(|element| element.local_name() == "Assertion")
}

/// Accepts the one assertion in a document.
pub fn accept(handler: &SamlTokenHandler, xml: &str) -> Result<AcceptedToken, Error> {
    let document = parse(xml);
    let mut found = assertions(&document);
    let (element, more) = (found.next().expect("an assertion"), found.next());
    assert!(more.is_none(), "one assertion");
    handler.accept(element, None, now())
}

/// An identity as the golden files show it.
pub fn to_json(identity: &ClaimsIdentity) -> Value {
    let claims: Vec<Value> = identity
        .claims()
        .iter()
        .map(|claim| {
            let mut out = json!({"type": claim.claim_type().as_str(), "value": claim.value().as_str()});
            let mut set = |name: &str, value: Value| out[name] = value;
            if claim.value_type() != &handstamp_claims::value_types::STRING {
                set("valueType", json!(claim.value_type().as_str()));
            }
            if claim.original_issuer() != claim.issuer() {
                set("originalIssuer", json!(claim.original_issuer().as_str()));
            }
            if !claim.properties().is_empty() {
                let pairs = claim.properties().iter().map(|(name, value)| (name.to_string(), json!(value.as_str())));
                set("properties", Value::Object(pairs.collect()));
            }
            assert_eq!(claim.issuer(), "contoso", "every claim is the issuer's, under its registered name");
            out
        })
        .collect();
    let mut out = json!({
        "authenticationType": identity.authentication_type().map(handstamp_claims::ArcStr::as_str),
        "claims": claims,
    });
    if let Some(actor) = identity.actor() {
        out["actor"] = to_json(actor);
    }
    out
}

/// Compares with a golden file. With `BLESS=1` in the environment the file is written instead: then read the difference.
pub fn assert_golden(file: &str, actual: &str) {
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(handstamp_testkit::vectors::path(&format!("saml/{file}")), format!("{actual}\n")).unwrap();
    }
    assert_eq!(actual, vector(file).trim_end(), "{file}");
}
