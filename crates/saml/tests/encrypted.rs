//! Encrypted assertions, in all the forms that issuers send them in (SM-30).

#![allow(clippy::unwrap_used)]

mod support;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{DeterministicRandom, KeyKind, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_saml::{AcceptedToken, Error, SamlTokenHandler, TokenDecryption, TokenEncryption, Version};
use handstamp_xml_security::algorithm::{DataEncryption, KeyEncryption};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedType, Encryptor, encrypt_key_for_certificate};
use std::sync::LazyLock;
use support::{VERSIONS, assertion, at, handler, identity, now, parse};

static CURRENT: LazyLock<SigningIdentity> = LazyLock::new(|| recipient("current"));
static PREVIOUS: LazyLock<SigningIdentity> = LazyLock::new(|| recipient("previous"));
static STRANGER: LazyLock<SigningIdentity> = LazyLock::new(|| recipient("stranger"));

fn recipient(name: &str) -> SigningIdentity {
    let (from, to) = (at("2029-01-01T00:00:00Z"), at("2031-01-01T00:00:00Z"));
    SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, from, to, &DeterministicRandom::new(3)).unwrap()
}

fn ours() -> TokenDecryption {
    TokenDecryption::new([CURRENT.clone(), PREVIOUS.clone()])
}

fn relying_party() -> SamlTokenHandler {
    handler().with_decryption(ours())
}

fn signed(version: Version) -> String {
    let alice = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "Alice"));
    assertion(&alice, version).sign(&identity("sts")).unwrap()
}

fn encrypted_for(recipient: &SigningIdentity, version: Version, algorithm: DataEncryption, token: &str) -> String {
    let encryption = TokenEncryption::new(recipient.certificate().clone(), &KeyPolicy::default()).unwrap();
    encryption.with_algorithm(algorithm).encrypt(version, token, &DeterministicRandom::new(11)).unwrap()
}

/// Accepts the token in a `RequestedSecurityToken`.
fn accept(handler: &SamlTokenHandler, token: &str) -> Result<AcceptedToken, Error> {
    let mut document = parse(&format!("<r><token>{token}</token></r>"));
    let token = document.root().child("", "token").unwrap().children().next().unwrap().id();
    handler.accept_in(&mut document, token, None, now())
}

fn code(handler: &SamlTokenHandler, token: &str) -> &'static str {
    accept(handler, token).map_or_else(
        |error| error.code(),
        |token| {
            assert_eq!(token.identity.name(), Some("Alice"));
            "accepted"
        },
    )
}

fn key(recipient: &SigningIdentity, algorithm: KeyEncryption, id: &str, key_info: &str, key: &SymmetricKey) -> String {
    let public = recipient.certificate().public_key(&KeyPolicy::default()).unwrap();
    encrypt_key_for_certificate(algorithm, public, id, key_info, key).unwrap()
}

fn data(token: &str, key_info: &str, key: &SymmetricKey) -> String {
    Encryptor::new(DataEncryption::Aes256Gcm, key)
        .unwrap()
        .encrypted_data("_d", EncryptedType::Element, key_info, token.as_bytes(), &DeterministicRandom::new(5))
        .unwrap()
}

fn session_key() -> SymmetricKey {
    SymmetricKey::from_bytes(&[7; 32])
}

const SAML20: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

#[test]
fn sm_30_what_an_issuer_encrypts_is_read_with_the_current_and_the_previous_key() {
    for version in VERSIONS {
        for algorithm in [DataEncryption::Aes128Cbc, DataEncryption::Aes256Cbc, DataEncryption::Aes256Gcm] {
            for recipient in [&*CURRENT, &*PREVIOUS] {
                let token = encrypted_for(recipient, version, algorithm, &signed(version));
                assert!(!token.contains("Alice"));
                assert_eq!(code(&relying_party(), &token), "accepted", "{version} {algorithm:?}");
            }
        }
    }
}

#[test]
fn sm_30_the_next_key_decrypts_already_and_previous_ones_are_published_no_more() {
    let decryption = ours().with_next([STRANGER.clone()]);
    let published: Vec<_> = decryption.published_certificates().cloned().collect();
    assert_eq!(published, [&*CURRENT, &*STRANGER].map(|identity| identity.certificate().clone()));
    let handler = handler().with_decryption(decryption);
    for recipient in [&*CURRENT, &*PREVIOUS, &*STRANGER] {
        let version = Version::Saml20;
        let token = encrypted_for(recipient, version, DataEncryption::Aes256Gcm, &signed(version));
        assert_eq!(code(&handler, &token), "accepted");
    }
}

#[test]
fn sm_30_a_key_that_is_not_ours_is_named() {
    for (version, expected) in [(Version::Saml11, "ID4036"), (Version::Saml20, "ID4022")] {
        let token = encrypted_for(&STRANGER, version, DataEncryption::Aes256Gcm, &signed(version));
        let error = accept(&relying_party(), &token).unwrap_err();
        assert_eq!(error.code(), expected);
        assert!(error.to_string().contains("stranger"), "{error}");
    }
    let token = encrypted_for(&CURRENT, Version::Saml20, DataEncryption::Aes256Gcm, &signed(Version::Saml20));
    assert_eq!(code(&handler(), &token), "HST-SAML-ENCRYPTED", "no keys are configured");
}

#[test]
fn sm_30_the_key_stands_inside_beside_or_elsewhere() {
    let (token, session) = (signed(Version::Saml20), session_key());
    let beside = key(&CURRENT, KeyEncryption::RsaOaepMgf1p, "_k", "", &session);
    let retrieval =
        "<RetrievalMethod URI=\"#_k\" Type=\"http://www.w3.org/2001/04/xmlenc#EncryptedKey\"></RetrievalMethod>";
    let wrap = |content: &str| format!("<s:EncryptedAssertion xmlns:s='{SAML20}'>{content}</s:EncryptedAssertion>");
    let inside = wrap(&data(&token, &beside, &session));
    let named = wrap(&[data(&token, retrieval, &session), beside.clone()].concat());
    let unnamed = wrap(&[data(&token, "", &session), beside.clone()].concat());
    let elsewhere = format!("{}{}", data(&token, retrieval, &session), beside);
    for (what, xml) in [("inside", inside), ("named", named), ("unnamed", unnamed), ("elsewhere", elsewhere)] {
        assert_eq!(code(&relying_party(), &xml), "accepted", "{what}");
    }
    let dangling = wrap(&data(&token, retrieval, &session));
    assert_eq!(code(&relying_party(), &dangling), "HST-SAML-MALFORMED");
    let keyless = wrap(&data(&token, "<KeyName>us</KeyName>", &session));
    assert_eq!(code(&relying_party(), &keyless), "ID4022");
}

#[test]
fn sm_30_one_of_several_recipients_is_enough_and_the_number_is_bounded() {
    let (token, session) = (signed(Version::Saml20), session_key());
    let certificate = |identity: &SigningIdentity| {
        format!("<X509Data><X509Certificate>{}</X509Certificate></X509Data>", identity.certificate().to_base64())
    };
    let theirs = key(&STRANGER, KeyEncryption::RsaOaepMgf1p, "_s", &certificate(&STRANGER), &session);
    let mine = key(&PREVIOUS, KeyEncryption::RsaOaepMgf1p, "_p", &certificate(&PREVIOUS), &session);
    let wrap = |keys: &str| {
        format!("<s:EncryptedAssertion xmlns:s='{SAML20}'>{}{keys}</s:EncryptedAssertion>", data(&token, "", &session))
    };
    assert_eq!(code(&relying_party(), &wrap(&[theirs.as_str(), &mine].concat())), "accepted");
    assert_eq!(code(&relying_party(), &wrap(&theirs)), "ID4022");
    let many = |count: usize| {
        let keys = (0..count).map(|n| key(&STRANGER, KeyEncryption::RsaOaepMgf1p, &format!("_{n}"), "", &session));
        wrap(&keys.collect::<String>())
    };
    assert_eq!(code(&relying_party(), &many(4)), "HST-SAML-DECRYPTION");
    assert_eq!(code(&relying_party(), &many(5)), "HST-SAML-MALFORMED", "private-key operations are bounded");
    assert_eq!(code(&relying_party(), &many(17)), "HST-SAML-MALFORMED");
}

#[test]
fn sm_30_the_recipient_is_named_as_wcf_names_it() {
    let (token, session) = (signed(Version::Saml11), session_key());
    let certificate = CURRENT.certificate();
    let base64 = |bytes: &[u8]| base64_simd::STANDARD.encode_to_string(bytes);
    let reference = |content: &str| {
        let wsse = handstamp_xml::names::WSSE;
        format!("<o:SecurityTokenReference xmlns:o=\"{wsse}\">{content}</o:SecurityTokenReference>")
    };
    let identifier = |kind: &str, octets: &[u8]| {
        reference(&format!("<o:KeyIdentifier ValueType=\"{kind}\">{}</o:KeyIdentifier>", base64(octets)))
    };
    let thumbprint = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";
    let subject_key =
        "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509SubjectKeyIdentifier";
    let serial = format!(
        "<X509Data xmlns=\"{}\"><X509IssuerSerial><X509IssuerName>CN=current</X509IssuerName><X509SerialNumber>{}\
         </X509SerialNumber></X509IssuerSerial></X509Data>",
        handstamp_xml::names::DSIG,
        certificate.serial_decimal()
    );
    for (info, expected) in [
        (identifier(thumbprint, certificate.sha1_thumbprint()), "accepted"),
        (identifier(thumbprint, STRANGER.certificate().sha1_thumbprint()), "ID4036"),
        (identifier(subject_key, certificate.subject_key_identifier().unwrap_or(&[1])), "accepted"),
        (reference(&serial), "accepted"),
        (serial.clone(), "accepted"),
        (serial.replace("CN=current", "CN=other"), "ID4036"),
        (identifier(thumbprint, b"?").replace("Pw==", "?"), "HST-SAML-MALFORMED"),
    ] {
        let wrapped = key(&CURRENT, KeyEncryption::RsaOaepMgf1p, "_k", &info, &session);
        assert_eq!(code(&relying_party(), &data(&token, &wrapped, &session)), expected, "{info}");
    }
}

#[test]
fn sm_30_configuration_decides_algorithms() {
    let token = signed(Version::Saml20);
    let cbc = encrypted_for(&CURRENT, Version::Saml20, DataEncryption::Aes256Cbc, &token);
    let gcm_only =
        ours().with_policy(DecryptPolicy::exactly([DataEncryption::Aes256Gcm], [KeyEncryption::RsaOaepMgf1p]));
    assert_eq!(code(&handler().with_decryption(gcm_only), &cbc), "HST-XSEC-ALGORITHM");

    let session = session_key();
    let rsa15 = data(&token, &key(&CURRENT, KeyEncryption::Rsa15, "_k", "", &session), &session);
    assert_eq!(code(&relying_party(), &rsa15), "HST-XSEC-ALGORITHM");
    let lenient = handler().with_decryption(ours().with_policy(DecryptPolicy::modern().allow_rsa15()));
    assert_eq!(code(&lenient, &rsa15), "accepted");
    // A bad padding gives a key that does not fit, and so the same answer as a bad ciphertext.
    let wrong = data(&token, &key(&STRANGER, KeyEncryption::Rsa15, "_k", "", &session), &session);
    assert_eq!(code(&lenient, &wrong), "HST-SAML-DECRYPTION");
}

#[test]
fn sm_30_changed_ciphertexts_have_one_answer() {
    let session = session_key();
    let wrapped = key(&CURRENT, KeyEncryption::RsaOaepMgf1p, "_k", "", &session);
    let cbc = |plaintext: &str| {
        Encryptor::new(DataEncryption::Aes256Cbc, &session)
            .unwrap()
            .encrypted_data("_d", EncryptedType::Element, &wrapped, plaintext.as_bytes(), &DeterministicRandom::new(5))
            .unwrap()
    };
    let token = signed(Version::Saml20);
    let unsigned = assertion(&ClaimsIdentity::new("x"), Version::Saml20).to_xml().unwrap();
    let altered = token.replace("Alice", "Mallory");
    let other_issuer = assertion(&ClaimsIdentity::new("x"), Version::Saml20).sign(&STRANGER).unwrap();
    let replaced = |xml: &str, at: usize| {
        let start = xml.rfind("<e:CipherValue>").unwrap() + 15 + at;
        let other = if &xml[start..=start] == "A" { "B" } else { "A" };
        [&xml[..start], other, &xml[start + 1..]].concat()
    };
    let sound = cbc(&token);
    assert_eq!(code(&relying_party(), &sound), "accepted");
    for (what, xml) in [
        ("not signed", cbc(&unsigned)),
        ("another text than was signed", cbc(&altered)),
        ("not a trusted issuer", cbc(&other_issuer)),
        ("no assertion", cbc("<x/>")),
        ("no XML", cbc("<x")),
        ("nothing", cbc("")),
        ("encrypted twice", cbc(&sound)),
        ("the first block", replaced(&sound, 30)),
        ("some block", replaced(&sound, 400)),
    ] {
        assert_eq!(code(&relying_party(), &xml), "HST-SAML-DECRYPTION", "{what}");
    }
    // The encryption itself has integrity here, so operators may learn more.
    let gcm = encrypted_for(&CURRENT, Version::Saml20, DataEncryption::Aes256Gcm, &other_issuer);
    assert_eq!(code(&relying_party(), &gcm), "ID4175");
    let gcm = encrypted_for(&CURRENT, Version::Saml20, DataEncryption::Aes256Gcm, &token);
    assert_eq!(code(&relying_party(), &replaced(&gcm, 400)), "HST-SAML-DECRYPTION");
}

#[test]
fn sm_30_encryption_is_no_proof_and_times_are_checked_inside() {
    let token = encrypted_for(&CURRENT, Version::Saml20, DataEncryption::Aes256Cbc, &signed(Version::Saml20));
    let mut document = parse(&token);
    let root = document.root().id();
    let late = relying_party().accept_in(&mut document, root, None, at("2030-01-01T11:00:00Z")).unwrap_err();
    assert_eq!(late.code(), "ID4148", "what is authentic is told from");
    let plain = signed(Version::Saml20);
    assert_eq!(code(&relying_party(), &plain), "accepted", "tokens in clear are read as before");
}
