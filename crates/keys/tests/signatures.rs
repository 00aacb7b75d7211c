//! Signing and verifying, across key forms and algorithms, and against XML signatures made by others.

use handstamp_keys::{
    Curve, DeterministicRandom, Error, KeyKind, KeyPolicy, PrivateKey, PublicKey, SignatureAlgorithm, SigningIdentity,
};
use handstamp_testkit::vectors;

const RSA: [SignatureAlgorithm; 4] = [
    SignatureAlgorithm::RsaSha1,
    SignatureAlgorithm::RsaSha256,
    SignatureAlgorithm::RsaSha384,
    SignatureAlgorithm::RsaSha512,
];
const ECDSA: [SignatureAlgorithm; 3] =
    [SignatureAlgorithm::EcdsaSha256, SignatureAlgorithm::EcdsaSha384, SignatureAlgorithm::EcdsaSha512];

fn vector_key() -> PrivateKey {
    let pem = vectors::load("xmldsig")["keys"]["rsa"]["pkcs8Pem"].as_str().expect("PEM").to_owned();
    PrivateKey::from_pem(pem.as_bytes(), &KeyPolicy::default()).expect("the vectors' key")
}

fn base64(text: &str) -> Vec<u8> {
    let text: String = text.split_ascii_whitespace().collect();
    base64_simd::STANDARD.decode_to_vec(text).expect("base64")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).expect(start);
    rest.split_once(end).expect(end).0
}

#[test]
fn rsa_signatures_of_dotnet_verify_and_are_made_alike() {
    let key = vector_key();
    let data = vectors::load("xmldsig");
    let mut seen = 0;
    for case in data["cases"].as_array().expect("cases").iter().filter(|case| case["key"] == "rsa") {
        let (signed, signed_info) =
            (case["signed"].as_str().expect("XML"), case["signedInfoC14n"].as_str().expect("XML"));
        let algorithm = match between(signed_info, "SignatureMethod Algorithm=\"", "\"") {
            "http://www.w3.org/2000/09/xmldsig#rsa-sha1" => SignatureAlgorithm::RsaSha1,
            "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256" => SignatureAlgorithm::RsaSha256,
            other => panic!("{other}"),
        };
        let signature = base64(between(signed, "<SignatureValue>", "</SignatureValue>"));
        key.public_key().verify(algorithm, signed_info.as_bytes(), &signature).expect("made by .NET");
        // PKCS#1 v1.5 has no randomness.
        assert_eq!(key.sign(algorithm, signed_info.as_bytes()).expect("an RSA key"), signature, "{}", case["name"]);
        seen += 1;
    }
    assert!(seen >= 5, "{seen}");
}

#[test]
fn rsa_in_every_algorithm_both_ways() {
    let key = vector_key();
    for algorithm in RSA {
        let signature = key.sign(algorithm, b"data").expect("an RSA key");
        assert!(key.public_key().verify(algorithm, b"data", &signature).is_ok());
        refused_when_changed(key.public_key(), algorithm, &signature);
        for other in RSA.into_iter().filter(|other| *other != algorithm) {
            assert!(key.public_key().verify(other, b"data", &signature).is_err());
        }
    }
}

#[test]
fn ecdsa_in_every_algorithm_on_every_curve_as_raw_numbers() {
    for curve in [Curve::P256, Curve::P384, Curve::P521] {
        let key = PrivateKey::generate(KeyKind::Ec(curve)).expect("random bytes");
        for algorithm in ECDSA {
            // Often enough that some numbers begin with a zero byte.
            for round in 0..20u8 {
                let signature = key.sign(algorithm, &[round]).expect("an EC key");
                assert_eq!(signature.len(), 2 * curve.coordinate_len());
                assert!(key.public_key().verify(algorithm, &[round], &signature).is_ok());
                assert!(key.public_key().verify(algorithm, &[round, 0], &signature).is_err());
            }
            let signature = key.sign(algorithm, b"data").expect("an EC key");
            refused_when_changed(key.public_key(), algorithm, &signature);
            assert!(key.public_key().verify(algorithm, b"data", &vec![0; signature.len()]).is_err());
        }
    }
}

// RFC 6979 A.2.5: P-256 with SHA-256, message "sample".
#[test]
fn a_published_ecdsa_signature_verifies() {
    let point = hex("0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
         7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299");
    let key = PublicKey::from_ec_point(Curve::P256, &point).expect("on the curve");
    let signature = hex("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
         f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8");
    assert!(key.verify(SignatureAlgorithm::EcdsaSha256, b"sample", &signature).is_ok());
    assert!(key.verify(SignatureAlgorithm::EcdsaSha256, b"Sample", &signature).is_err());
    assert_eq!(key.ec_point(), Some(&point[..]));
    let mut off_the_curve = point;
    off_the_curve[64] ^= 1;
    assert!(matches!(PublicKey::from_ec_point(Curve::P256, &off_the_curve), Err(Error::UnusableKey(_))));
}

#[test]
fn key_and_algorithm_must_fit() {
    let (rsa, ec) = (vector_key(), PrivateKey::generate(KeyKind::Ec(Curve::P256)).expect("random bytes"));
    assert!(matches!(rsa.sign(SignatureAlgorithm::EcdsaSha256, b""), Err(Error::Misuse(_))));
    assert!(matches!(ec.sign(SignatureAlgorithm::RsaSha256, b""), Err(Error::Misuse(_))));
    let signature = rsa.sign(SignatureAlgorithm::RsaSha256, b"").expect("an RSA key");
    assert!(matches!(ec.public_key().verify(SignatureAlgorithm::RsaSha256, b"", &signature), Err(Error::Unauthentic)));
}

#[test]
fn a_key_is_the_same_in_every_form() {
    let policy = KeyPolicy::default();
    let rsa = vector_key();
    let (modulus, exponent) = rsa.public_key().rsa_components().expect("RSA");
    let xml = vectors::load("xmldsig")["keys"]["rsa"]["xml"].as_str().expect("XML").to_owned();
    assert_eq!(modulus, base64(between(&xml, "<Modulus>", "</Modulus>")));
    let same = PublicKey::from_rsa_components(modulus, exponent, &policy).expect("its components");
    assert_eq!(&same, rsa.public_key());
    assert_eq!(&PublicKey::from_spki(rsa.public_key().spki(), &policy).expect("its SPKI"), rsa.public_key());
    let padded = [&[0], modulus].concat();
    assert_eq!(PublicKey::from_rsa_components(&padded, exponent, &policy).expect("a leading zero"), same);
    let pkcs8 = rsa.to_pkcs8().expect("DER");
    assert_eq!(PrivateKey::from_pkcs8(&pkcs8, &policy).expect("its PKCS#8").public_key(), rsa.public_key());
}

#[test]
fn keys_of_openssl_in_every_form() {
    let policy = KeyPolicy::default();
    for (file, kind) in [
        ("rsa-pkcs8.pem", KeyKind::Rsa { bits: 2048 }),
        ("rsa-pkcs1.pem", KeyKind::Rsa { bits: 2048 }),
        ("p256-pkcs8.pem", KeyKind::Ec(Curve::P256)),
        ("p384-sec1.pem", KeyKind::Ec(Curve::P384)),
        ("p521-sec1.pem", KeyKind::Ec(Curve::P521)),
    ] {
        let key = PrivateKey::from_pem(&data(file), &policy).expect(file);
        assert_eq!(key.kind(), kind, "{file}");
    }
    for file in ["rsa-encrypted.pem", "rsa-1024.pem", "ed25519.pem", "certificate.pem"] {
        assert!(matches!(PrivateKey::from_pem(&data(file), &policy), Err(Error::UnusableKey(_))), "{file}");
    }
    let encrypted = PrivateKey::from_pem(&data("rsa-encrypted.pem"), &policy).expect_err("encrypted").to_string();
    assert!(encrypted.contains("openssl pkcs8"), "{encrypted}");
    let lenient = KeyPolicy::with_min_rsa_bits(1024);
    assert!(PrivateKey::from_pem(&data("rsa-1024.pem"), &lenient).is_ok());
    let short = PrivateKey::from_pem(&data("rsa-1024.pem"), &policy).expect_err("short").to_string();
    assert!(short.contains("1024 bits is too short"), "{short}");
}

#[test]
fn nothing_secret_is_printed() {
    let (start, end) = ("2030-01-01T00:00:00Z".parse().expect("time"), "2031-01-01T00:00:00Z".parse().expect("time"));
    let identity =
        SigningIdentity::self_signed("me", KeyKind::Ec(Curve::P256), start, end, &DeterministicRandom::new(1))
            .expect("made");
    let text = format!("{identity:?}");
    assert!(text.contains("PrivateKey(Ec(P256))") && text.contains("CN=me") && text.len() < 300, "{text}");
}

fn refused_when_changed(key: &PublicKey, algorithm: SignatureAlgorithm, signature: &[u8]) {
    for index in 0..signature.len() {
        let mut other = signature.to_vec();
        other[index] ^= 1;
        assert!(matches!(key.verify(algorithm, b"data", &other), Err(Error::Unauthentic)), "{algorithm:?} {index}");
    }
    for wrong in [&signature[..signature.len() - 1], &[signature, &[0]].concat(), &[&[0], signature].concat(), &[]] {
        assert!(matches!(key.verify(algorithm, b"data", wrong), Err(Error::Unauthentic)), "{algorithm:?}");
    }
    assert!(key.verify(algorithm, b"date", signature).is_err());
}

fn hex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("hex")).collect()
}

fn data(file: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/").to_owned() + file;
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}
