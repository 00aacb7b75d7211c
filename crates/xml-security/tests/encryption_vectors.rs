//! Encryptions made by the .NET class, and broken ones that must be refused (`vectors/xmlenc.json`).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking")]

use handstamp_keys::{KeyPolicy, PrivateKey, SymmetricKey, SystemRandom};
use handstamp_testkit::vectors;
use handstamp_xml::{Document, Element, NodeId, ParseOptions, c14n, names};
use handstamp_xml_security::Error;
use handstamp_xml_security::algorithm::{DataEncryption, KeyEncryption};
use handstamp_xml_security::encryption::{
    DecryptPolicy, EncryptedData, EncryptedKey, EncryptedType, Encryptor, decrypt_in_place,
    encrypt_key_for_certificate, encrypt_key_with_key,
};
use handstamp_xml_security::key_info::KeyInfoClause;
use serde_json::Value;

#[test]
fn encryptions_of_the_reference_implementation_decrypt_in_place() {
    let vectors = vectors::load("xmlenc");
    let rsa = rsa(&vectors);
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let name = text(case, "name");
        let mut document = Document::parse(text(case, "encrypted"), &ParseOptions::default()).unwrap();
        let node = find(document.root()).unwrap().id();
        let plaintext = plaintext(&document, node, case, &rsa).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(String::from_utf8(plaintext).unwrap(), text(case, "plaintext"), "{name}");
        let key = data_key(&document, node, case, &rsa).unwrap();
        decrypt_in_place(&mut document, node, &key, &every()).unwrap_or_else(|e| panic!("{name}: {e}"));
        let original = Document::parse(text(case, "original"), &ParseOptions::default()).unwrap();
        assert_eq!(canonical(&document), canonical(&original), "{name}");
    }
    assert_eq!(cases.len(), 26);
}

#[test]
fn broken_encryptions_are_refused_alike() {
    let vectors = vectors::load("xmlenc");
    let rsa = rsa(&vectors);
    let cases = vectors["invalidCases"].as_array().unwrap();
    for case in cases {
        let name = text(case, "name");
        let mut document = Document::parse(text(case, "encrypted"), &ParseOptions::default()).unwrap();
        let node = find(document.root()).unwrap().id();
        let outcome = data_key(&document, node, case, &rsa)
            .and_then(|key| decrypt_in_place(&mut document, node, &key, &every()).map(|_| ()));
        assert!(matches!(outcome, Err(Error::Unauthentic)), "{name}: {outcome:?}");
    }
    assert_eq!(cases.len(), 13);
}

#[test]
fn what_we_encrypt_decrypts_to_what_it_was() {
    let vectors = vectors::load("xmlenc");
    let rsa = rsa(&vectors);
    let random = SystemRandom;
    for algorithm in DataEncryption::ALL {
        for key_algorithm in [KeyEncryption::RsaOaepMgf1p, KeyEncryption::Rsa15, KeyEncryption::KeyWrapAes256] {
            let key = SymmetricKey::generate(algorithm.key_length(), &random).unwrap();
            let wrapping = SymmetricKey::generate(32, &random).unwrap();
            let wrapped = match key_algorithm {
                KeyEncryption::KeyWrapAes256 => {
                    encrypt_key_with_key(key_algorithm, &wrapping, "ek", "", &key, &random).unwrap()
                }
                _ => encrypt_key_for_certificate(key_algorithm, rsa.public_key(), "ek", "", &key).unwrap(),
            };
            let data = Encryptor::new(*algorithm, &key)
                .unwrap()
                .encrypted_data("ed", EncryptedType::Element, &wrapped, b"<secret>42</secret>", &random)
                .unwrap();
            let mut document = Document::parse(format!("<r>{data}</r>"), &ParseOptions::default()).unwrap();
            let node = find(document.root()).unwrap().id();
            let case = serde_json::json!({ "wrapKey": base64_simd::STANDARD.encode_to_string(wrapping.as_bytes()) });
            let unwrapped = data_key(&document, node, &case, &rsa).unwrap();
            decrypt_in_place(&mut document, node, &unwrapped, &every()).unwrap();
            assert_eq!(document.root().source(), format!("<r>{data}</r>"));
            assert_eq!(document.root().child("", "secret").unwrap().text(), "42", "{algorithm:?} {key_algorithm:?}");
        }
    }
}

#[test]
fn the_message_does_not_choose_algorithms() {
    let vectors = vectors::load("xmlenc");
    let rsa = rsa(&vectors);
    let case =
        vectors["cases"].as_array().unwrap().iter().find(|case| text(case, "name") == "rsa-1_5-aes128-cbc").unwrap();
    let document = Document::parse(text(case, "encrypted"), &ParseOptions::default()).unwrap();
    let data = EncryptedData::parse(find(document.root()).unwrap()).unwrap();
    let Some(KeyInfoClause::EncryptedKey(element)) = data.key_info().unwrap().unwrap().clauses().first().cloned()
    else {
        panic!("no EncryptedKey");
    };
    let key = EncryptedKey::parse(element).unwrap();
    let refused = key.unwrap_with_private_key(&rsa, 16, &DecryptPolicy::modern());
    assert!(matches!(refused, Err(Error::AlgorithmNotAllowed { .. })));
    assert!(key.unwrap_with_private_key(&rsa, 16, &DecryptPolicy::modern().allow_rsa15()).is_ok());
    let only_gcm = DecryptPolicy::exactly([DataEncryption::Aes256Gcm], []);
    let any = SymmetricKey::from_bytes(&[0; 16]);
    assert!(matches!(data.decrypt(&any, &only_gcm), Err(Error::AlgorithmNotAllowed { .. })));
}

fn every() -> DecryptPolicy {
    DecryptPolicy::exactly(DataEncryption::ALL.to_vec(), KeyEncryption::ALL.to_vec())
}

fn plaintext(document: &Document, node: NodeId, case: &Value, rsa: &PrivateKey) -> Result<Vec<u8>, Error> {
    let key = data_key(document, node, case, rsa)?;
    let data = EncryptedData::parse(document.element(node).unwrap())?;
    data.decrypt(&key, &every()).map(|octets| octets.to_vec())
}

/// The content key: given, or unwrapped from the `EncryptedKey` in the data's `KeyInfo`.
fn data_key(document: &Document, node: NodeId, case: &Value, rsa: &PrivateKey) -> Result<SymmetricKey, Error> {
    let data = EncryptedData::parse(document.element(node).unwrap())?;
    let wrapped = data.key_info()?.and_then(|info| {
        info.clauses().iter().find_map(|clause| match clause {
            KeyInfoClause::EncryptedKey(element) => Some(*element),
            _ => None,
        })
    });
    let Some(wrapped) = wrapped else { return Ok(base64(&case["dataKey"])) };
    let wrapped = EncryptedKey::parse(wrapped)?;
    match wrapped.algorithm() {
        KeyEncryption::RsaOaepMgf1p | KeyEncryption::RsaOaep | KeyEncryption::Rsa15 => {
            wrapped.unwrap_with_private_key(rsa, data.algorithm().key_length(), &every())
        }
        _ => wrapped.unwrap_with_key(&base64(&case["wrapKey"]), &every()),
    }
}

fn base64(value: &Value) -> SymmetricKey {
    SymmetricKey::from(base64_simd::STANDARD.decode_to_vec(value.as_str().unwrap()).unwrap())
}

fn find(element: Element<'_>) -> Option<Element<'_>> {
    element.descendants().find(|element| element.is(names::XENC, "EncryptedData"))
}

fn canonical(document: &Document) -> String {
    let mut octets = Vec::new();
    c14n::canonicalize_document(document, &c14n::Method::exclusive().with_comments(), None, &mut octets);
    String::from_utf8(octets).unwrap()
}

fn rsa(vectors: &Value) -> PrivateKey {
    PrivateKey::from_pem(text(&vectors["keys"]["rsa"], "pkcs8Pem").as_bytes(), &KeyPolicy::default()).unwrap()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} is missing"))
}
