//! Attacks on signatures that must come to nothing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use handstamp_keys::{KeyKind, PrivateKey};
use handstamp_xml::{Document, ParseOptions};
use handstamp_xml_security::Error;
use handstamp_xml_security::algorithm::{DigestMethod, SignatureMethod};
use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};

const ORDER: &str = r#"<order xmlns="urn:shop" ID="_1"><item>book</item><price>12.50</price></order>"#;

#[test]
fn what_was_signed_is_what_is_read() {
    let signed = signed_order();
    let document = parse(&signed);
    let verified = verify(&document).unwrap();
    let order = verified.element(document.root()).unwrap();
    assert_eq!(order.child("urn:shop", "price").unwrap().text(), "12.50");
    assert_eq!(order.text(), "book12.50", "the signature is not part of what was signed");
    assert!(order.children().all(|child| child.local_name() != "Signature"));
}

#[test]
fn a_wrapped_original_does_not_lend_its_signature_to_the_wrapper() {
    // The signed order moves into a place nobody reads; a forged one stands where it was.
    let signed = signed_order();
    let forged = format!(r#"<order xmlns="urn:shop" ID="_2"><price>0.01</price><old>{signed}</old></order>"#);
    let document = parse(&forged);
    let inner = document.root().child("urn:shop", "old").unwrap().children().next().unwrap();
    let signature = Signature::of_child(inner).unwrap().unwrap();
    let verified = signature.verify(VerificationKey::Public(key().public_key()), &policy()).unwrap();
    assert!(verified.element(document.root()).is_none(), "the forged root is not covered");
    assert_eq!(verified.elements().len(), 1);
    assert_eq!(verified.elements()[0].attribute("ID"), Some("_1"));
}

#[test]
fn a_moved_signature_covers_only_what_it_names() {
    let signed = signed_order();
    let at = signed.find("<Signature").unwrap();
    let end = signed.find("</Signature>").unwrap() + "</Signature>".len();
    let (signature, original) = (signed[at..end].to_owned(), format!("{}{}", &signed[..at], &signed[end..]));
    let forged =
        format!(r#"<order xmlns="urn:shop" ID="_2"><price>0.01</price>{signature}<old>{original}</old></order>"#);
    let document = parse(&forged);
    // The reference leads to the original, but the transform then leaves out a signature that is not inside it.
    if let Ok(verified) = verify(&document) {
        assert!(verified.element(document.root()).is_none());
    }
}

#[test]
fn two_elements_with_one_id_are_refused_before_anything_is_verified() {
    let signed = signed_order();
    let forged = format!(r#"<orders>{signed}<order xmlns="urn:shop" ID="_1"><price>0.01</price></order></orders>"#);
    assert!(Document::parse(forged, &ParseOptions::default()).is_err());
}

#[test]
fn the_message_does_not_choose_algorithms() {
    let document = parse(&signed_order());
    let only_ecdsa = VerifyPolicy::exactly([SignatureMethod::EcdsaSha256], [DigestMethod::Sha256]);
    let signature = Signature::of_child(document.root()).unwrap().unwrap();
    let error = signature.verify(VerificationKey::Public(key().public_key()), &only_ecdsa).unwrap_err();
    assert!(matches!(error, Error::AlgorithmNotAllowed { .. }), "{error}");
    let only_sha512 = VerifyPolicy::exactly([SignatureMethod::RsaSha256], [DigestMethod::Sha512]);
    let error = signature.verify(VerificationKey::Public(key().public_key()), &only_sha512).unwrap_err();
    assert!(matches!(error, Error::AlgorithmNotAllowed { .. }), "{error}");
}

#[test]
fn a_public_key_is_never_used_as_hmac_key() {
    // The classic confusion: sign with HMAC under the octets of the verifier's public key.
    let key = key();
    let octets = key.public_key().spki().to_vec();
    let document = parse(ORDER);
    let forged = Signer::new(SignatureMethod::HmacSha256, SigningKey::Symmetric(&octets))
        .sign_enveloped("_1", document.root(), Place::LastChild)
        .unwrap();
    let document = parse(&forged);
    let signature = Signature::of_child(document.root()).unwrap().unwrap();
    let every = VerifyPolicy::exactly(SignatureMethod::ALL.to_vec(), DigestMethod::ALL.to_vec());
    let error = signature.verify(VerificationKey::Public(key.public_key()), &every).unwrap_err();
    assert!(matches!(error, Error::KeyMismatch { .. }), "{error}");
}

#[test]
fn malformed_structures_are_refused() {
    let signed = signed_order();
    let broken = [
        ("<SignatureValue>", "<SignatureValue>!"),
        ("#_1", "#_9"),
        ("#_1", "http://example.com/order.xml"),
        ("#_1", "#xpointer(/)"),
        (
            "<Transforms>",
            r#"<Transforms><Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116"></Transform>"#,
        ),
        (
            "<Transforms>",
            r#"<Transforms><Transform Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"></Transform>"#,
        ),
        ("</SignatureMethod>", "<HMACOutputLength>8</HMACOutputLength></SignatureMethod>"),
        ("<SignedInfo>", "<Other></Other><SignedInfo>"),
        ("<KeyInfo>", "<KeyInfo>"),
    ];
    for (from, to) in &broken[..broken.len() - 1] {
        let document = parse(&signed.replacen(from, to, 1));
        let outcome = Signature::of_child(document.root()).map(Option::unwrap);
        assert!(outcome.is_err(), "{from} -> {to}");
    }
    let reference_at = signed.find("<Reference").unwrap();
    let reference_end = signed.find("</Reference>").unwrap() + "</Reference>".len();
    let reference = &signed[reference_at..reference_end];
    let many = signed.replacen(reference, &reference.repeat(101), 1);
    assert!(matches!(Signature::of_child(parse(&many).root()).unwrap_err(), Error::TooMany { .. }));
    let none = signed.replacen(reference, "", 1);
    assert!(matches!(Signature::of_child(parse(&none).root()).unwrap_err(), Error::Malformed { .. }));
}

#[test]
fn every_changed_bit_of_what_is_signed_is_noticed() {
    let signed = signed_order();
    let content = 0..signed.find("<Signature").unwrap();
    let policy = policy();
    let public = key().public_key();
    let mut refused = 0;
    for at in content {
        for bit in 0..8 {
            let mut bytes = signed.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let Ok(document) = Document::parse(bytes, &ParseOptions::default()) else {
                refused += 1;
                continue;
            };
            let verified = Signature::of_child(document.root())
                .and_then(|signature| {
                    signature.ok_or(Error::Unauthentic)?.verify(VerificationKey::Public(public), &policy)
                })
                .map(|_| ());
            assert!(verified.is_err(), "byte {at} bit {bit}");
            refused += 1;
        }
    }
    assert_eq!(refused, signed.find("<Signature").unwrap() * 8);
}

fn key() -> &'static PrivateKey {
    static KEY: std::sync::OnceLock<PrivateKey> = std::sync::OnceLock::new();
    KEY.get_or_init(|| PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).unwrap())
}

fn policy() -> VerifyPolicy {
    VerifyPolicy::asymmetric()
}

fn signed_order() -> String {
    let document = parse(ORDER);
    Signer::new(SignatureMethod::RsaSha256, SigningKey::Private(key()))
        .sign_enveloped("_1", document.root(), Place::LastChild)
        .unwrap()
}

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}

fn verify(document: &Document) -> Result<handstamp_xml_security::signature::Verified<'_>, Error> {
    let signature = Signature::of_child(document.root())?.ok_or(Error::Unauthentic)?;
    signature.verify(VerificationKey::Public(key().public_key()), &policy())
}
