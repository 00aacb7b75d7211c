//! Golden data of the reference implementation, as far as it is about primitives.

use handstamp_keys::cipher::{CbcAlgorithm, Padding};
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::wrap::KeyWrap;
use handstamp_keys::{
    DeterministicRandom, DigestAlgorithm, Error, HmacKey, KeyPolicy, PrivateKey, SymmetricKey, derivation,
};
use handstamp_testkit::vectors;
use serde_json::Value;

#[test]
fn derived_keys_of_secure_conversation() {
    let data = vectors::load("derived_keys");
    let default_label = text(&data["defaultLabel"]).to_owned();
    for case in array(&data["cases"]) {
        let length = number(&case["length"]);
        let offset = match &case["generation"] {
            Value::Null => number(&case["offset"]),
            generation => number(generation) * length,
        };
        let label = case["label"].as_str().unwrap_or(&default_label);
        let mut key = vec![0; length];
        derivation::p_sha1(&hex(&case["secret"]), &[label.as_bytes(), &hex(&case["nonce"])], offset, &mut key);
        assert_eq!(key, hex(&case["key"]), "{}", case["name"]);
    }
}

#[test]
fn computed_keys_of_trust() {
    let data = vectors::load("derived_keys");
    for case in array(&data["computedKeyCases"]) {
        let mut key = vec![0; number(&case["keySizeBits"]) / 8];
        derivation::p_sha1(&hex(&case["requestorEntropy"]), &[&hex(&case["issuerEntropy"])], 0, &mut key);
        assert_eq!(key, hex(&case["key"]), "{}", case["name"]);
    }
}

#[test]
fn machine_keys_are_derived_checked_and_decrypted() {
    let data = vectors::load("machine_key");
    for case in array(&data["cases"]) {
        let derived = |master: &str| {
            let master = hex(&case[master]);
            let mut key = vec![0; master.len()];
            derivation::sp800_108_hmac_sha512(&master, &hex(&case["kdfLabel"]), &hex(&case["kdfContext"]), &mut key)
                .expect("short");
            key
        };
        let (decryption, validation) = (derived("decryptionKey"), derived("validationKey"));
        assert_eq!(decryption, hex(&case["derivedEncryptionKey"]), "{}", case["name"]);
        assert_eq!(validation, hex(&case["derivedValidationKey"]), "{}", case["name"]);

        let digest = match text(&case["validation"]) {
            "SHA1" => DigestAlgorithm::Sha1,
            "HMACSHA256" => DigestAlgorithm::Sha256,
            "HMACSHA384" => DigestAlgorithm::Sha384,
            "HMACSHA512" => DigestAlgorithm::Sha512,
            other => panic!("{other}"),
        };
        // DES is Triple DES with one key three times.
        let (algorithm, key) = match (text(&case["decryption"]), decryption.len()) {
            ("AES", 16) => (CbcAlgorithm::Aes128, decryption),
            ("AES", 24) => (CbcAlgorithm::Aes192, decryption),
            ("AES", 32) => (CbcAlgorithm::Aes256, decryption),
            ("3DES", 24) => (CbcAlgorithm::TripleDes, decryption),
            ("DES", 8) => (CbcAlgorithm::TripleDes, decryption.repeat(3)),
            other => panic!("{other:?}"),
        };
        let mut protected = base64(text(&case["protected"]));
        let sealed_len = protected.len() - digest.output_len();
        let (sealed, tag) = protected.split_at_mut(sealed_len);
        HmacKey::new(digest, &validation).verify(sealed, tag).expect("made by the reference");
        let (iv, ciphertext) = sealed.split_at_mut(algorithm.block_len());
        let plaintext = algorithm.decrypt(&SymmetricKey::from(key), iv, Padding::Pkcs7, ciphertext);
        assert_eq!(plaintext.expect("made by the reference"), base64(text(&case["data"])), "{}", case["name"]);
    }
}

#[test]
fn encrypted_xml_of_dotnet_opens() {
    let data = vectors::load("xmlenc");
    for case in array(&data["cases"]) {
        let plaintext =
            decrypt(case, &data, text(&case["dataAlgorithm"])).unwrap_or_else(|e| panic!("{}: {e}", case["name"]));
        assert_eq!(plaintext, text(&case["plaintext"]).as_bytes(), "{}", case["name"]);
    }
}

#[test]
fn changed_encrypted_xml_of_dotnet_does_not() {
    let data = vectors::load("xmlenc");
    for case in array(&data["invalidCases"]) {
        let encrypted = text(&case["encrypted"]);
        let algorithm = methods(encrypted).first().copied().expect("a method").to_owned();
        match decrypt(case, &data, &algorithm) {
            Err(error) => assert!(matches!(error, Error::Unauthentic), "{}: {error}", case["name"]),
            // CBC authenticates nothing: what decrypts must at least be no content.
            Ok(plaintext) => assert!(
                !plaintext.starts_with(b"<p:secret") || !plaintext.ends_with(b"</p:secret>"),
                "{}: {}",
                case["name"],
                String::from_utf8_lossy(&plaintext)
            ),
        }
    }
}

#[test]
fn keys_are_wrapped_as_dotnet_does() {
    let data = vectors::load("xmlenc");
    let mut seen = 0;
    for case in array(&data["cases"]) {
        let Some(algorithm) = case["keyAlgorithm"].as_str().and_then(key_wrap) else { continue };
        if algorithm == KeyWrap::TripleDes {
            continue; // Its IV is random.
        }
        let (kek, key) = (base64(text(&case["wrapKey"])), base64(text(&case["dataKey"])));
        let wrapped = algorithm.wrap(&kek.into(), &key.into(), &DeterministicRandom::new(1)).expect("right lengths");
        assert_eq!(wrapped, values(text(&case["encrypted"])).first().cloned().expect("a value"), "{}", case["name"]);
        seen += 1;
    }
    assert!(seen >= 4, "{seen}");
}

#[test]
fn oaep_of_openssl_with_unequal_digests_and_a_label() {
    let read = |file: &str| std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/").to_owned() + file);
    let pem = read("rsa-pkcs8.pem").expect("made by data/make");
    let ciphertext = read("oaep.bin").expect("made by data/make");
    let recipient = PrivateKey::from_pem(&pem, &KeyPolicy::default()).expect("a key");
    let oaep = Oaep { digest: DigestAlgorithm::Sha256, mgf1: DigestAlgorithm::Sha1, label: b"label" };
    assert_eq!(oaep.decrypt(&recipient, &ciphertext).expect("made for us").as_bytes(), b"0123456789abcdef");
    assert!(matches!(Oaep { label: b"", ..oaep }.decrypt(&recipient, &ciphertext), Err(Error::Unauthentic)));
}

fn decrypt(case: &Value, data: &Value, algorithm: &str) -> Result<Vec<u8>, Error> {
    let algorithm = match algorithm.rsplit('#').next() {
        Some("aes128-cbc") => CbcAlgorithm::Aes128,
        Some("aes192-cbc") => CbcAlgorithm::Aes192,
        Some("aes256-cbc") => CbcAlgorithm::Aes256,
        Some("tripledes-cbc") => CbcAlgorithm::TripleDes,
        other => panic!("{other:?}"),
    };
    let encrypted = text(&case["encrypted"]);
    let values = values(encrypted);
    let key = match (methods(encrypted).get(1), values.as_slice()) {
        (None, _) => base64(text(&case["dataKey"])).into(),
        (Some(method), [wrapped, _]) => match key_wrap(method) {
            Some(wrap) => wrap.unwrap(&base64(text(&case["wrapKey"])).into(), wrapped)?,
            None => {
                let pem = text(&data["keys"]["rsa"]["pkcs8Pem"]);
                let recipient = PrivateKey::from_pem(pem.as_bytes(), &KeyPolicy::default()).expect("the vectors' key");
                match method.rsplit('#').next() {
                    Some("rsa-oaep-mgf1p") => Oaep::default().decrypt(&recipient, wrapped)?,
                    Some("rsa-1_5") => RsaPkcs1.decrypt(&recipient, wrapped, algorithm.key_len())?,
                    other => panic!("{other:?}"),
                }
            }
        },
        other => panic!("{other:?}"),
    };
    let mut value = values.last().cloned().expect("a value");
    let (iv, ciphertext) = value.split_at_mut_checked(algorithm.block_len()).ok_or(Error::Unauthentic)?;
    algorithm.decrypt(&key, iv, Padding::Iso10126, ciphertext).map(|plaintext| plaintext.to_vec())
}

fn key_wrap(method: &str) -> Option<KeyWrap> {
    match method.rsplit('#').next() {
        Some("kw-aes128") => Some(KeyWrap::Aes128),
        Some("kw-aes192") => Some(KeyWrap::Aes192),
        Some("kw-aes256") => Some(KeyWrap::Aes256),
        Some("kw-tripledes") => Some(KeyWrap::TripleDes),
        _ => None,
    }
}

fn methods(xml: &str) -> Vec<&str> {
    xml.split("EncryptionMethod Algorithm=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// In document order: the key's, if there is one, then the data's.
fn values(xml: &str) -> Vec<Vec<u8>> {
    xml.split("<CipherValue>").skip(1).filter_map(|rest| rest.split('<').next()).map(base64).collect()
}

fn array(value: &Value) -> &Vec<Value> {
    let cases = value.as_array().expect("a list");
    assert!(!cases.is_empty());
    cases
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn number(value: &Value) -> usize {
    value.as_u64().expect("a number") as usize
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = text(value);
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("hex")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text.split_ascii_whitespace().collect::<String>()).expect("base64")
}
