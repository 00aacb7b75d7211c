//! What signatures of SOAP messages need beyond those of assertions: verification in two steps around a decryption, and
//! nothing but references by id.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_keys::{DeterministicRandom, DigestAlgorithm, HmacKey, SymmetricKey};
use handstamp_xml::{Document, NodeId, ParseOptions, names};
use handstamp_xml_security::Error;
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, STR_TRANSFORM, SignatureMethod};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedType, Encryptor, decrypt_in_place};
use handstamp_xml_security::signature::{Signature, SignedInfo, Signer, SigningKey, VerificationKey, VerifyPolicy};

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

/// WSS 8.3: a token is covered through a reference to it, with the default namespace declared as WSS has it, and without.
#[test]
fn wss_8_3_a_reference_is_replaced_by_the_token_that_it_names() {
    let token = r#"<t:token xmlns:t="urn:t" Id="t"><t:value>1</t:value></t:token>"#;
    let declared = token.replacen("<t:token", "<t:token xmlns=\"\"", 1);
    let in_default_namespace = r#"<token xmlns="urn:t" Id="t"></token>"#;
    let policy = policy().allow_str_transform();
    for (token, digested) in [(token, token), (token, &declared), (in_default_namespace, in_default_namespace)] {
        let document = parse(&message(&sign_through_reference(digested), &format!(r#"<str Id="r"></str>{token}"#)));
        let (reference, token) = (document.element_by_id("r").unwrap(), document.element_by_id("t").unwrap());
        let signature = signature(&document);
        let key = VerificationKey::Symmetric(SECRET);
        assert!(matches!(signature.verify(key, &self::policy()), Err(Error::AlgorithmNotAllowed { .. })));
        assert!(matches!(signature.verify(key, &policy), Err(Error::UnresolvedReference { .. })));
        let mut references = signature.verify_value(key, &policy).unwrap();
        assert_eq!(references.targets().collect::<Vec<_>>(), [reference.id()]);
        assert!(references.clone().dereference(|_| None).is_err());
        references.clone().dereference(|_| Some(reference.id())).unwrap();
        references.dereference(|node| (node == reference.id()).then_some(token.id())).unwrap();
        let verified = references.verify_references(&document).unwrap();
        assert!(verified.element(token).is_some() && verified.element(reference).is_none());
    }
    let other = declared.replace('1', "2");
    let document = parse(&message(&sign_through_reference(&other), &format!(r#"<str Id="r"></str>{token}"#)));
    let mut references = signature(&document).verify_value(VerificationKey::Symmetric(SECRET), &policy).unwrap();
    references.dereference(|_| Some(document.element_by_id("t").unwrap().id())).unwrap();
    assert!(matches!(references.verify_references(&document), Err(Error::Unauthentic)));
}

/// What `SignedInfo::token_reference` writes has the declaration.
#[test]
fn wss_8_3_what_is_written_is_what_wss_has() {
    let token = r#"<t:token xmlns:t="urn:t" Id="t"></t:token>"#;
    let mut written = SignedInfo::new(SignatureMethod::HmacSha256, DigestMethod::Sha256);
    written.token_reference("r", token);
    let mut ours = String::new();
    written.sign(SigningKey::Symmetric(SECRET), None, "", &mut ours).unwrap();
    assert_eq!(ours, sign_through_reference(&token.replacen("<t:token", "<t:token xmlns=\"\"", 1)));
}

/// A signature by hand, over the octets that the transform is said to give.
fn sign_through_reference(digested: &str) -> String {
    let digest = DigestMethod::Sha256.algorithm().digest(digested.as_bytes());
    let base64 = |octets: &[u8]| base64_simd::STANDARD.encode_to_string(octets);
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let content = format!(
        r##"<CanonicalizationMethod Algorithm="{exclusive}"></CanonicalizationMethod><SignatureMethod Algorithm="{}"></SignatureMethod><Reference URI="#r"><Transforms><Transform Algorithm="{STR_TRANSFORM}"><o:TransformationParameters xmlns:o="{}"><CanonicalizationMethod Algorithm="{exclusive}"></CanonicalizationMethod></o:TransformationParameters></Transform></Transforms><DigestMethod Algorithm="{}"></DigestMethod><DigestValue>{}</DigestValue></Reference>"##,
        SignatureMethod::HmacSha256.uri(),
        names::WSSE,
        DigestMethod::Sha256.uri(),
        base64(digest.as_bytes()),
    );
    let octets = format!(r#"<SignedInfo xmlns="{}">{content}</SignedInfo>"#, names::DSIG);
    let value = HmacKey::new(DigestAlgorithm::Sha256, SECRET).sign(octets.as_bytes());
    format!(
        r#"<Signature xmlns="{}"><SignedInfo>{content}</SignedInfo><SignatureValue>{}</SignatureValue></Signature>"#,
        names::DSIG,
        base64(value.as_bytes())
    )
}
