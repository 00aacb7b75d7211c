//! Cookie transforms and whole cookies of the golden data (ST-7 … ST-9, ST-21 … ST-27).

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_keys::{KeyPolicy, PrivateKey, SecureRandom, SystemRandom};
use handstamp_session_token::json::{Codec, Description, Encoding, Format, TokenDescription};
use handstamp_session_token::wif::transforms::{
    ConfigurationError, CookieTransform, CookieTransforms, Deflate, MachineKey, MachineKeyTransform, ProtectedData,
    RsaEncryption, RsaHash, RsaSignature, TransformError,
};
use handstamp_session_token::wif::{OuterXml, WifFormat};
use handstamp_session_token::{Carrier, Error, ErrorKind, Expected, Opened, TokenFormat};
use handstamp_testkit::vectors;
use handstamp_time::Timestamp;
use serde_json::Value as Json;
use std::sync::{Arc, LazyLock};

static VECTORS: LazyLock<Json> = LazyLock::new(|| vectors::load("session_token"));
static MACHINE_KEYS: LazyLock<Json> = LazyLock::new(|| vectors::load("machine_key"));
static KEY: LazyLock<PrivateKey> = LazyLock::new(|| {
    let pem = VECTORS["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap();
    PrivateKey::from_pem(pem.as_bytes(), &KeyPolicy::default()).unwrap()
});

fn list(json: &'static Json, name: &str) -> &'static [Json] {
    json[name].as_array().unwrap()
}

fn base64(json: &Json) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(json.as_str().unwrap()).unwrap()
}

fn hash(case: &Json) -> RsaHash {
    case["hashName"].as_str().unwrap_or("SHA256").parse().unwrap()
}

fn transform(case: &Json) -> Arc<dyn CookieTransform> {
    match case["transform"].as_str().unwrap() {
        "Deflate" => Arc::new(Deflate::default()),
        "RsaSignature" => Arc::new(RsaSignature::new(KEY.clone(), hash(case)).unwrap()),
        "RsaEncryption" => Arc::new(RsaEncryption::new(KEY.clone(), hash(case)).unwrap()),
        other => panic!("transform {other}"),
    }
}

fn chain(name: &str) -> CookieTransforms {
    let rsa = |hash| -> Vec<Arc<dyn CookieTransform>> {
        vec![
            Arc::new(Deflate::default()),
            Arc::new(RsaSignature::new(KEY.clone(), hash).unwrap()),
            Arc::new(RsaEncryption::new(KEY.clone(), hash).unwrap()),
        ]
    };
    match name {
        "none" => CookieTransforms::default(),
        "deflate" => CookieTransforms::unprotected(vec![Arc::new(Deflate::default())]).unwrap(),
        "deflateRsaSha256" => CookieTransforms::new(rsa(RsaHash::Sha256)).unwrap(),
        "deflateRsaSha1" => CookieTransforms::new(rsa(RsaHash::Sha1)).unwrap(),
        other => panic!("chain {other}"),
    }
}

fn machine_key(case: &Json) -> MachineKey {
    let attribute = |name: &str| format!("{name}=\"{}\"", case[name].as_str().unwrap());
    let attributes = ["validation", "decryption", "validationKey", "decryptionKey"].map(attribute).join(" ");
    MachineKey::from_xml(&format!("<machineKey {attributes} />")).unwrap()
}

fn machine_key_transform(case: &Json) -> MachineKeyTransform {
    let purposes: Vec<_> = case["purposes"].as_array().unwrap().iter().map(|p| p.as_str().unwrap()).collect();
    MachineKeyTransform::for_purposes(&[machine_key(case)], &purposes).unwrap()
}

/// Gives out the golden initialization vector.
struct Given(Vec<u8>);

impl SecureRandom for Given {
    fn fill(&self, out: &mut [u8]) -> Result<(), handstamp_keys::Error> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

#[test]
fn every_golden_transform_decodes_and_what_is_encoded_decodes() {
    assert_eq!(list(&VECTORS, "transformCases").len(), 26);
    for case in list(&VECTORS, "transformCases") {
        let input = match case["inputIsZeroBytes"].as_u64() {
            Some(length) => vec![0; length as usize],
            None => base64(&case["input"]),
        };
        let transform = transform(case);
        assert!(transform.decode(base64(&case["encoded"])).unwrap() == input, "{}", case["name"]);
        let encoded = transform.encode(input.clone(), &SystemRandom).unwrap();
        if case["transform"] == "RsaSignature" {
            assert!(encoded == base64(&case["encoded"]), "{}: signatures are deterministic", case["name"]);
        }
        assert!(transform.decode(encoded).unwrap() == input, "{}", case["name"]);
    }
}

#[test]
fn every_golden_failure_has_its_code() {
    assert_eq!(list(&VECTORS, "transformFailures").len(), 19);
    for case in list(&VECTORS, "transformFailures") {
        let error = transform(case).decode(base64(&case["encoded"])).unwrap_err();
        let code = case["error"].as_str().unwrap().split_once(' ').map_or("HST-TOKEN-CRYPTOGRAPHIC", |(_, code)| code);
        assert_eq!(error.code(), code, "{}", case["name"]);
    }
}

#[test]
fn st_25_machine_key_protection_is_byte_identical_both_ways() {
    assert_eq!(list(&MACHINE_KEYS, "cases").len(), 26);
    for case in list(&MACHINE_KEYS, "cases") {
        let transform = machine_key_transform(case);
        let iv = case["iv"].as_str().unwrap();
        let iv = (0..iv.len()).step_by(2).map(|at| u8::from_str_radix(&iv[at..at + 2], 16).unwrap()).collect();
        let protected = transform.protect(base64(&case["data"]), &Given(iv)).unwrap();
        assert!(protected == base64(&case["protected"]), "{}", case["name"]);
        assert!(transform.unprotect(protected).unwrap() == base64(&case["data"]), "{}", case["name"]);
    }
}

#[test]
fn every_machine_key_failure_is_the_same_failure() {
    assert_eq!(list(&MACHINE_KEYS, "invalidCases").len(), 11);
    for case in list(&MACHINE_KEYS, "invalidCases") {
        let error = machine_key_transform(case).unprotect(base64(&case["protected"])).unwrap_err();
        assert_eq!(error, TransformError::Cryptographic, "{}", case["name"]);
    }
}

#[test]
fn st_26_all_machine_keys_read_and_the_first_one_writes() {
    let [old, new] = [&list(&MACHINE_KEYS, "cases")[0], &list(&MACHINE_KEYS, "cases")[8]].map(machine_key);
    let written_before = MachineKeyTransform::new(std::slice::from_ref(&old)).unwrap();
    let rotated = MachineKeyTransform::new(&[new.clone(), old]).unwrap();
    let after = MachineKeyTransform::new(&[new]).unwrap();
    let cookie = written_before.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(rotated.decode(cookie.clone()).unwrap(), b"session");
    assert_eq!(after.decode(cookie), Err(TransformError::Cryptographic));
    let cookie = rotated.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(after.decode(cookie).unwrap(), b"session");
}

#[test]
fn st_23_all_verification_and_decryption_keys_are_tried() {
    let new = PrivateKey::generate(handstamp_keys::KeyKind::Rsa { bits: 2048 }).unwrap();
    let old_signature = RsaSignature::new(KEY.clone(), RsaHash::Sha256).unwrap();
    let verification = vec![new.public_key().clone(), KEY.public_key().clone()];
    let rotated = RsaSignature::with_keys(Some(new.clone()), verification, RsaHash::Sha256).unwrap();
    let cookie = old_signature.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(rotated.decode(cookie).unwrap(), b"session");
    let cookie = rotated.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(old_signature.decode(cookie), Err(TransformError::SignatureInvalid));

    let old_encryption = RsaEncryption::new(KEY.clone(), RsaHash::Sha256).unwrap();
    let keys = vec![new.clone(), KEY.clone()];
    let rotated = RsaEncryption::with_keys(Some(new.public_key().clone()), keys, RsaHash::Sha256).unwrap();
    let cookie = old_encryption.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(rotated.decode(cookie).unwrap(), b"session");
    let cookie = rotated.encode(b"session".to_vec(), &SystemRandom).unwrap();
    assert_eq!(old_encryption.decode(cookie), Err(TransformError::NoMatchingKey));
}

#[test]
fn st_24_chains_that_protect_nothing_or_only_encrypt_are_refused() {
    let encryption: Arc<dyn CookieTransform> = Arc::new(RsaEncryption::new(KEY.clone(), RsaHash::Sha256).unwrap());
    let deflate: Arc<dyn CookieTransform> = Arc::new(Deflate::default());
    for new in [CookieTransforms::new, CookieTransforms::unprotected] {
        assert_eq!(new(vec![deflate.clone(), encryption.clone()]).unwrap_err(), ConfigurationError::EncryptionAlone);
    }
    assert_eq!(CookieTransforms::new(vec![]).unwrap_err(), ConfigurationError::Unauthenticated);
    assert_eq!(CookieTransforms::new(vec![deflate]).unwrap_err(), ConfigurationError::Unauthenticated);
}

#[test]
fn st_22_dpapi_is_refused_with_a_way_out() {
    let error = ProtectedData::new().unwrap_err();
    assert!(error.to_string().contains("machine key"), "{error}");
}

#[test]
fn st_7_the_xml_is_byte_identical_and_reads_back_through_every_chain() {
    for case in list(&VECTORS, "cases") {
        let expected: TokenDescription = serde_json::from_value(case["token"].clone()).unwrap();
        let reference = expected.is_reference_mode;
        for (name, golden) in case["tokenXml"].as_object().into_iter().flatten() {
            let golden = golden.as_str().unwrap();
            let xml = OuterXml::read(golden.as_bytes()).unwrap();
            // All but the protected bytes must come out the same.
            assert_eq!(xml.to_text(), golden, "{} {name}", case["name"]);
            assert_eq!(xml.cookie.is_none(), reference, "{}", case["name"]);
            let mut codec = Codec::default();
            codec.format = Some(Format::Wif);
            codec.transforms = Some(chain(name));
            let json = serde_json::to_vec(&case["token"]).unwrap();
            if name == "none" && case["name"] != "claim-properties-with-empty-entries" {
                let written = codec.encode(&json, Encoding::Xml, Timestamp::MIN, &SystemRandom).unwrap();
                assert!(written == golden.as_bytes(), "{}", case["name"]);
            }
            if reference {
                let error = codec.decode(golden.as_bytes(), None, Timestamp::MIN, None).unwrap_err();
                assert_eq!(error.code(), "ID4243");
                continue;
            }
            let decoded = codec.decode(golden.as_bytes(), None, Timestamp::MIN, None);
            let Description::Token(decoded) = decoded.unwrap_or_else(|e| panic!("{} {name}: {e}", case["name"])) else {
                panic!("not a token")
            };
            assert_eq!((&decoded.id, &decoded.key), (&expected.id, &expected.key), "{} {name}", case["name"]);
            assert_eq!(decoded.identities.len(), expected.identities.len());
        }
    }
}

#[test]
fn deflated_cookies_are_recognized_without_being_told() {
    let case = &list(&VECTORS, "cases")[3];
    for name in ["none", "deflate"] {
        let xml = case["tokenXml"][name].as_str().unwrap();
        let cookie = base64_simd::STANDARD.encode_to_string([b"\xEF\xBB\xBF", xml.as_bytes()].concat());
        let raw = OuterXml::read(xml.as_bytes()).unwrap().cookie.unwrap();
        for input in
            [xml.as_bytes(), cookie.as_bytes(), &raw[..], base64_simd::STANDARD.encode_to_string(&raw).as_bytes()]
        {
            let decoded = Codec::default().decode(input, None, Timestamp::MIN, None).unwrap();
            assert_eq!(serde_json::to_value(&decoded).unwrap(), case["token"], "{name}");
        }
    }
    let payload = case["payload"].as_str().unwrap();
    let decoded = Codec::default().decode(payload.as_bytes(), None, Timestamp::MIN, None).unwrap();
    assert_eq!(serde_json::to_value(&decoded).unwrap(), case["token"]);
}

#[test]
fn invalid_xml_is_refused_with_its_code() {
    let invalid = list(&VECTORS, "invalidCases").iter().filter(|case| case["level"] == "tokenXml");
    let mut count = 0;
    for case in invalid {
        count += 1;
        let mut codec = Codec::default();
        codec.format = Some(Format::Wif);
        codec.transforms = Some(chain(case["transforms"].as_str().unwrap()));
        let xml = case["tokenXml"].as_str().unwrap();
        let code = codec.decode(xml.as_bytes(), None, Timestamp::MIN, None).unwrap_err().code();
        match case["error"].as_str().unwrap().split_once(' ') {
            Some((_, golden)) => assert_eq!(code, golden, "{}", case["name"]),
            None => assert!(["HST-TOKEN-BASE64", "HST-TOKEN-ELEMENT"].contains(&code), "{}: {code}", case["name"]),
        }
    }
    assert_eq!(count, 8);
}

#[test]
fn machine_key_session_tokens_read_and_write() {
    assert_eq!(list(&MACHINE_KEYS, "sessionTokenCases").len(), 2);
    for case in list(&MACHINE_KEYS, "sessionTokenCases") {
        let transforms: Vec<Arc<dyn CookieTransform>> =
            vec![Arc::new(Deflate::default()), Arc::new(machine_key_transform(case))];
        let mut codec = Codec::default();
        codec.format = Some(Format::Wif);
        codec.transforms = Some(CookieTransforms::new(transforms).unwrap());
        let golden = case["tokenXml"].as_str().or(case["xml"].as_str()).unwrap();
        let decoded = codec.decode(golden.as_bytes(), None, Timestamp::MIN, None).unwrap();
        assert_eq!(serde_json::to_value(&decoded).unwrap(), case["token"], "{}", case["name"]);
        let json = serde_json::to_vec(&case["token"]).unwrap();
        let written = codec.encode(&json, Encoding::Cookie, Timestamp::MIN, &SystemRandom).unwrap();
        assert_eq!(codec.decode(&written, Some(Encoding::Cookie), Timestamp::MIN, None).unwrap(), decoded);
    }
}

/// Flips every bit of the protected bytes of a cookie. Whatever is wrong, the answer is one and the same.
#[test]
fn st_24_no_changed_bit_is_accepted_and_all_failures_are_one() {
    let case = &list(&MACHINE_KEYS, "sessionTokenCases")[0];
    let payload = serde_json::from_value::<TokenDescription>(case["token"].clone()).unwrap().to_payload().unwrap();
    let deflate: Arc<dyn CookieTransform> = Arc::new(Deflate::default());
    let machine_key: Arc<dyn CookieTransform> = Arc::new(machine_key_transform(case));
    let signature: Arc<dyn CookieTransform> = Arc::new(RsaSignature::new(KEY.clone(), RsaHash::Sha256).unwrap());
    for transforms in [
        vec![deflate.clone(), machine_key.clone()],
        vec![machine_key],
        vec![deflate, signature.clone()],
        vec![signature],
    ] {
        let format = WifFormat::new(CookieTransforms::new(transforms).unwrap());
        let xml = format.write_xml(&payload, &SystemRandom).unwrap();
        let (carrier, now) = (Carrier::Cookie("FedAuth".into()), Timestamp::MIN);
        let expected = Expected { carrier: &carrier, scopes: &[], now };
        let protected = xml.cookie.clone().unwrap();
        assert!(format.read(xml.to_bytes(), &expected).is_ok());
        for bit in 0..protected.len() * 8 {
            let mut changed = xml.clone();
            let cookie = changed.cookie.as_mut().unwrap();
            cookie[bit / 8] ^= 1 << (bit % 8);
            let error = format.read(changed.to_bytes(), &expected).unwrap_err();
            assert_eq!((error.kind(), error.code()), (ErrorKind::Unauthentic, "HST-TOKEN-UNAUTHENTIC"), "bit {bit}");
        }
        for length in 0..protected.len() {
            let mut changed = xml.clone();
            changed.cookie.as_mut().unwrap().truncate(length);
            let error = format.read(changed.to_bytes(), &expected).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthentic, "cut to {length}");
        }
    }
}

/// Outside of the protection, deflate's padding bits are nobody's: a change there may pass, but changes no token.
#[test]
fn st_24_compression_outside_of_the_protection_changes_no_token() {
    let case = &list(&MACHINE_KEYS, "sessionTokenCases")[0];
    let payload = serde_json::from_value::<TokenDescription>(case["token"].clone()).unwrap().to_payload().unwrap();
    let outside: Vec<Arc<dyn CookieTransform>> =
        vec![Arc::new(machine_key_transform(case)), Arc::new(Deflate::default())];
    let format = WifFormat::new(CookieTransforms::new(outside).unwrap());
    let xml = format.write_xml(&payload, &SystemRandom).unwrap();
    let (carrier, now) = (Carrier::Cookie("FedAuth".into()), Timestamp::MIN);
    let expected = Expected { carrier: &carrier, scopes: &[], now };
    let read = |bytes| match format.read(bytes, &expected)? {
        Opened::Token(token) => Ok::<_, Error>(token),
        other => panic!("not a token: {other:?}"),
    };
    let original = read(xml.to_bytes()).unwrap();
    for bit in 0..xml.cookie.as_ref().unwrap().len() * 8 {
        let mut changed = xml.clone();
        changed.cookie.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
        match read(changed.to_bytes()) {
            Ok(token) => assert_eq!(token, original, "bit {bit}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unauthentic, "bit {bit}"),
        }
    }
}

/// The same with RSA encryption, whose many ways to fail must not show: outermost, and below the signature.
#[test]
fn st_24_with_encryption_all_failures_are_one_too() {
    let payload = serde_json::from_value::<TokenDescription>(list(&VECTORS, "cases")[0]["token"].clone());
    let payload = payload.unwrap().to_payload().unwrap();
    let encryption_below: Vec<Arc<dyn CookieTransform>> = vec![
        Arc::new(Deflate::default()),
        Arc::new(RsaEncryption::new(KEY.clone(), RsaHash::Sha256).unwrap()),
        Arc::new(RsaSignature::new(KEY.clone(), RsaHash::Sha256).unwrap()),
    ];
    let (carrier, now) = (Carrier::Cookie("FedAuth".into()), Timestamp::MIN);
    let expected = Expected { carrier: &carrier, scopes: &[], now };
    for transforms in [chain("deflateRsaSha256"), CookieTransforms::new(encryption_below).unwrap()] {
        let format = WifFormat::new(transforms);
        let xml = format.write_xml(&payload, &SystemRandom).unwrap();
        assert!(format.read(xml.to_bytes(), &expected).is_ok());
        let bytes: Vec<usize> = (0..xml.cookie.as_ref().unwrap().len()).collect();
        // RSA takes its time.
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            for bytes in bytes.chunks(bytes.len().div_ceil(threads)) {
                scope.spawn(|| {
                    for bit in bytes.iter().flat_map(|byte| byte * 8..byte * 8 + 8) {
                        let mut changed = xml.clone();
                        changed.cookie.as_mut().unwrap()[bit / 8] ^= 1 << (bit % 8);
                        let error = format.read(changed.to_bytes(), &expected).unwrap_err();
                        let found = (error.kind(), error.code());
                        assert_eq!(found, (ErrorKind::Unauthentic, "HST-TOKEN-UNAUTHENTIC"), "bit {bit}");
                    }
                });
            }
        });
    }
}

/// Changes of the XML around the cookie never give another token.
#[test]
fn st_31_no_changed_bit_of_the_xml_gives_another_token() {
    let case = &list(&MACHINE_KEYS, "sessionTokenCases")[0];
    let payload = serde_json::from_value::<TokenDescription>(case["token"].clone()).unwrap().to_payload().unwrap();
    let transforms: Vec<Arc<dyn CookieTransform>> =
        vec![Arc::new(Deflate::default()), Arc::new(machine_key_transform(case))];
    let format = WifFormat::new(CookieTransforms::new(transforms).unwrap());
    let bytes = format.write_xml(&payload, &SystemRandom).unwrap().to_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(xml) = OuterXml::read(&changed)
            && let Ok(Some(read)) = format.read_xml(&xml)
        {
            assert_eq!(read, payload, "bit {bit}");
        }
    }
}

#[test]
fn references_are_refused_unless_they_are_asked_for() {
    let case = list(&VECTORS, "cases").iter().find(|case| case["name"] == "reference-mode").unwrap();
    let payload = serde_json::from_value::<TokenDescription>(case["token"].clone()).unwrap().to_payload().unwrap();
    let token = payload.into_token().unwrap();
    let (carrier, now) = (Carrier::Cookie("FedAuth".into()), Timestamp::MIN);
    let expected = Expected { carrier: &carrier, scopes: &[], now };
    let format = WifFormat::new(chain("deflateRsaSha256"));
    assert_eq!(format.write(&token, &carrier, now, &SystemRandom).unwrap_err().code(), "HST-TOKEN-NOT-WRITABLE");
    let golden = case["tokenXml"]["none"].as_str().unwrap().as_bytes().to_vec();
    assert_eq!(format.read(golden.clone(), &expected).unwrap_err().kind(), ErrorKind::Malformed);

    let format = format.with_unauthenticated_references();
    let written = format.write(&token, &carrier, now, &SystemRandom).unwrap();
    assert_eq!(written.strip_prefix(b"\xEF\xBB\xBF"), Some(&golden[..]));
    let Opened::Reference(key) = format.read(golden, &expected).unwrap() else { panic!("a reference is no token") };
    assert_eq!(key.context_id(), token.context_id());
}

/// Initialization vectors are chance: a token may start like XML, like a payload, or like a state.
#[test]
fn protected_bytes_are_never_taken_for_what_they_start_like() {
    struct Fixed(&'static [u8]);
    impl SecureRandom for Fixed {
        fn fill(&self, out: &mut [u8]) -> Result<(), handstamp_keys::Error> {
            out.fill(0x20);
            out[..self.0.len()].copy_from_slice(self.0);
            Ok(())
        }
    }
    let case = &list(&MACHINE_KEYS, "sessionTokenCases")[0];
    let transforms: Vec<Arc<dyn CookieTransform>> =
        vec![Arc::new(Deflate::default()), Arc::new(machine_key_transform(case))];
    let mut codec = Codec::default();
    codec.transforms = Some(CookieTransforms::new(transforms).unwrap());
    let json = serde_json::to_vec(&case["token"]).unwrap();
    for start in [&b"<"[..], b" \n<", b"\xEF\xBB\xBF<", b"\x42\x44", b"\x42\x46", b"\x42\x00", b"{", b"AAAA"] {
        for encoding in [Encoding::Raw, Encoding::Base64] {
            codec.format = Some(Format::Wif);
            let token = codec.encode(&json, encoding, Timestamp::MIN, &Fixed(start)).unwrap();
            for (format, told) in [(Some(Format::Wif), Some(encoding)), (None, Some(encoding)), (None, None)] {
                codec.format = format;
                let decoded = codec.decode(&token, told, Timestamp::MIN, None);
                let decoded = decoded.unwrap_or_else(|error| panic!("{start:?} {format:?} {told:?}: {error}"));
                assert_eq!(serde_json::to_value(&decoded).unwrap(), case["token"], "{start:?} {format:?} {told:?}");
            }
        }
    }
}

#[test]
fn sm_17_pieces_are_joined_from_a_cookie_header() {
    let case = &list(&VECTORS, "cases")[3];
    let xml = case["tokenXml"]["none"].as_str().unwrap();
    let cookie = base64_simd::STANDARD.encode_to_string([b"\xEF\xBB\xBF", xml.as_bytes()].concat());
    let (first, rest) = cookie.split_at(1001);
    let (second, third) = rest.split_at(500);
    for header in [
        format!("FedAuth={cookie}"),
        format!("Cookie: theme=dark; FedAuth={first}; other=x; FedAuth2={third}; FedAuth1={second}\r\n"),
        format!("theme=dark; ASP.NET_SessionId=a.b; FedAuth={cookie}; z=1"),
    ] {
        for told in [None, Some(Encoding::Cookie)] {
            let decoded = Codec::default().decode(header.as_bytes(), told, Timestamp::MIN, None);
            let decoded = decoded.unwrap_or_else(|error| panic!("{header}: {error}"));
            assert_eq!(serde_json::to_value(&decoded).unwrap(), case["token"], "{header}");
        }
    }
    for header in [format!("FedAuth={first}; FedAuth2={third}"), format!("FedAuth1={second}"), "a=b; c".to_owned()] {
        assert!(Codec::default().decode(header.as_bytes(), None, Timestamp::MIN, None).is_err(), "{header}");
    }
}
