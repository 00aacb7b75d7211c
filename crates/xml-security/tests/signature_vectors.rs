//! Signatures made by the .NET class, and changed ones that must be refused (`vectors/xmldsig.json`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use handstamp_keys::{KeyPolicy, PrivateKey, PublicKey};
use handstamp_testkit::vectors;
use handstamp_xml::{Document, Element, ParseOptions, names};
use handstamp_xml_security::Error;
use handstamp_xml_security::algorithm::{DigestMethod, SignatureMethod};
use handstamp_xml_security::signature::{Signature, VerificationKey, Verified, VerifyPolicy};
use serde_json::Value;

#[test]
fn signatures_of_the_reference_implementation_verify() {
    let vectors = vectors::load("xmldsig");
    let keys = Keys::new(&vectors["keys"]);
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let name = text(case, "name");
        let document = Document::parse(text(case, "signed"), &ParseOptions::default()).unwrap();
        let verified = keys.verify(&document, text(case, "key")).unwrap_or_else(|e| panic!("{name}: {e}"));
        let inputs = case["referenceInputs"].as_array().unwrap();
        assert_eq!(verified.elements().len(), inputs.len(), "{name}");
        for (element, input) in verified.elements().iter().zip(inputs) {
            let canonical = Document::parse(text(input, "canonical"), &ParseOptions::default()).unwrap();
            assert_eq!(element.local_name(), canonical.root().local_name(), "{name}");
            assert_eq!(element.text(), canonical.root().text(), "{name}: the signature itself must not be read");
        }
    }
    assert_eq!(cases.len(), 14);
}

#[test]
fn changed_signatures_are_refused() {
    let vectors = vectors::load("xmldsig");
    let keys = Keys::new(&vectors["keys"]);
    let cases = vectors["invalidCases"].as_array().unwrap();
    for case in cases {
        let name = text(case, "name");
        let outcome = Document::parse(text(case, "signed"), &ParseOptions::default())
            .map_err(Error::from)
            .and_then(|document| keys.verify(&document, text(case, "key")).map(|_| ()));
        let error = outcome.expect_err(name);
        let failure = text(case, "failure");
        match error {
            Error::Unauthentic => assert!(failure.starts_with("digest") || failure == "signature value", "{name}"),
            Error::UnresolvedReference { .. } | Error::Xml(_) => assert!(failure.starts_with("reference"), "{name}"),
            Error::Malformed { .. } => assert_eq!(failure, "no signature", "{name}"),
            other => panic!("{name}: {other}"),
        }
    }
    assert_eq!(cases.len(), 21);
}

struct Keys {
    rsa: PublicKey,
    other: PublicKey,
    hmac: Vec<u8>,
}

impl Keys {
    fn new(keys: &Value) -> Self {
        let public = |name: &str| {
            let pem = text(&keys[name], "pkcs8Pem").as_bytes();
            PrivateKey::from_pem(pem, &KeyPolicy::default()).unwrap().public_key().clone()
        };
        Self { rsa: public("rsa"), other: public("rsaOther"), hmac: hex(text(keys, "hmac")) }
    }

    fn verify<'d>(&self, document: &'d Document, key: &str) -> Result<Verified<'d>, Error> {
        let policy = VerifyPolicy::exactly(SignatureMethod::ALL.to_vec(), DigestMethod::ALL.to_vec());
        let element = find_signature(document.root())
            .ok_or_else(|| Error::Malformed { structure: "Signature", problem: "there is none".into() })?;
        let signature = Signature::parse(element)?;
        let zeros = vec![0; 20];
        let key = match key {
            "rsa" => VerificationKey::Public(&self.rsa),
            "rsaOther" => VerificationKey::Public(&self.other),
            "hmac" => VerificationKey::Symmetric(&self.hmac),
            "hmacOther" => VerificationKey::Symmetric(&zeros),
            other => panic!("unknown key {other}"),
        };
        signature.verify(key, &policy)
    }
}

fn find_signature(element: Element<'_>) -> Option<Element<'_>> {
    if element.is(names::DSIG, "Signature") {
        return Some(element);
    }
    element.children().find_map(find_signature)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing"))
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
