//! What signatures of SOAP messages need beyond those of assertions: verification in two steps around a decryption, and
//! nothing but references by id.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_keys::{DeterministicRandom, SymmetricKey};
use handstamp_xml::{Document, NodeId, ParseOptions, names};
use handstamp_xml_security::Error;
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, SignatureMethod};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedType, Encryptor, decrypt_in_place};
use handstamp_xml_security::signature::{Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};

const SECRET: &[u8] = b"a key that both ends hold";
const BODY: &str = r#"<body Id="b"><ping>hello</ping></body>"#;

/// SC 9 step 8, sign-then-encrypt: value first, then the decryption, then the digests over the plaintext.
#[test]
fn a_signature_over_plaintext_is_verified_around_the_decryption() {
    let mut document = parse(&message(&sign(BODY, &["b"]), &encrypted_body()));
    let references = signature(&document).verify_value(VerificationKey::Symmetric(SECRET), &policy()).unwrap();
    let body = document.element_by_id("b").unwrap().id();
    assert_eq!(references.targets().collect::<Vec<_>>(), [body]);
    assert!(matches!(references.verify_references(&document), Err(Error::Unauthentic)), "it is not decrypted yet");
    decrypt(&mut document);
    let verified = references.verify_references(&document).unwrap();
    assert_eq!(verified.element(document.root().child("", "body").unwrap()).unwrap().text(), "hello");
}

/// Encrypt-then-sign: what takes the place of signed ciphertext is covered; what stands beside it is not.
#[test]
fn covered_nodes_survive_the_decryption_of_their_content() {
    let body = encrypted_body();
    let signature_over_ciphertext = sign(&body, &["b", "e"]);
    let mut document = parse(&message(&signature_over_ciphertext, &body));
    let nodes = {
        let verified = signature(&document).verify(VerificationKey::Symmetric(SECRET), &policy()).unwrap();
        verified.nodes()
    };
    assert_eq!((nodes.len(), nodes.is_empty(), nodes.ids().count()), (2, false, 2));
    decrypt(&mut document);
    let body = document.root().child("", "body").unwrap();
    assert_eq!(nodes.element(body).unwrap().child("", "ping").unwrap().text(), "hello");
    assert!(nodes.element(document.root()).is_none());
    assert!(nodes.element(body.child("", "ping").unwrap()).is_none(), "content takes the place of no single element");
}

/// A digest is of the element that stood there when the signature was read, not of what replaced it.
#[test]
fn a_replaced_element_is_not_the_one_that_was_signed() {
    let plain = r#"<item Id="i">gold</item>"#;
    let mut document =
        parse(&message(&sign(&format!("<body>{plain}</body>"), &["i"]), &format!("<body>{plain}</body>")));
    let references = signature(&document).verify_value(VerificationKey::Symmetric(SECRET), &policy()).unwrap();
    let item = document.element_by_id("i").unwrap().id();
    document.replace_with_fragment(item, plain.as_bytes(), handstamp_xml::Fragment::Element).unwrap();
    assert!(matches!(references.verify_references(&document), Err(Error::Unauthentic)));
}

#[test]
fn sc_9_only_references_by_id_and_exclusive_canonicalization_are_accepted() {
    let signed = message(&sign(BODY, &["b"]), BODY);
    let exclusive = names::EXC_C14N;
    let inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    let verify = |text: &str| {
        let document = parse(text);
        let verified = signature(&document).verify_value(VerificationKey::Symmetric(SECRET), &policy());
        verified.map(drop)
    };
    assert!(verify(&signed).is_ok());
    // The value is checked after the policy, so these are refused for what they ask for.
    let whole = signed.replacen("URI=\"#b\"", "URI=\"\"", 1);
    assert!(matches!(verify(&whole), Err(Error::Malformed { structure: "Reference", .. })));
    let with_envelope =
        signed.replacen("<Transforms>", &format!("<Transforms><Transform Algorithm=\"{enveloped}\"/>"), 1);
    assert!(matches!(verify(&with_envelope), Err(Error::Malformed { structure: "Reference", .. })));
    for changed in [
        signed.replacen(exclusive, inclusive, 1),
        signed.replacen(
            &format!("Transform Algorithm=\"{exclusive}\""),
            &format!("Transform Algorithm=\"{inclusive}\""),
            1,
        ),
        signed.replacen(exclusive, &format!("{exclusive}WithComments"), 1),
    ] {
        assert_ne!(changed, signed);
        assert!(matches!(verify(&changed), Err(Error::AlgorithmNotAllowed { .. })), "{changed}");
    }
}

fn policy() -> VerifyPolicy {
    VerifyPolicy::exactly([SignatureMethod::HmacSha256], [DigestMethod::Sha256]).by_id_and_exclusive_c14n()
}

/// A signature over elements of this body.
fn sign(body: &str, ids: &[&str]) -> String {
    let document = parse(&message("", body));
    let signer = Signer::new(SignatureMethod::HmacSha256, SigningKey::Symmetric(SECRET));
    let references: Vec<_> = ids.iter().map(|id| signer.reference(id, document.element_by_id(id).unwrap())).collect();
    signer.sign(&references).unwrap()
}

fn message(signature: &str, body: &str) -> String {
    format!("<message><header>{signature}</header>{body}</message>")
}

fn encrypted_body() -> String {
    let key = content_key();
    let encryptor = Encryptor::new(DataEncryption::Aes256Cbc, &key).unwrap();
    let random = DeterministicRandom::new(1);
    let data = encryptor.encrypted_data("e", EncryptedType::Content, "", b"<ping>hello</ping>", &random).unwrap();
    format!(r#"<body Id="b">{data}</body>"#)
}

fn decrypt(document: &mut Document) -> Vec<NodeId> {
    let node = document.element_by_id("e").unwrap().id();
    decrypt_in_place(document, node, &content_key(), &DecryptPolicy::modern()).unwrap()
}

fn content_key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[7; 32])
}

fn signature(document: &Document) -> Signature<'_> {
    let header = document.root().child("", "header").unwrap();
    Signature::of_child(header).unwrap().unwrap()
}

fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}
