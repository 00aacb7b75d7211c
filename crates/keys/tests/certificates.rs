//! Reading certificates and identities, and deciding whom to trust. The files are made by `data/make`.

use handstamp_keys::{
    Certificate, CertificateTrust, Curve, DeterministicRandom, Error, KeyKind, KeyPolicy, SignatureAlgorithm,
    SigningIdentity, TrustedBy,
};
use handstamp_time::Timestamp;
use proptest::prelude::*;

const POLICY: KeyPolicy = KeyPolicy::with_min_rsa_bits(2048);

#[test]
fn all_that_a_certificate_says() {
    let certificate = one("certificate.pem");
    assert_eq!(certificate.der(), data("certificate.der"));
    assert_eq!(certificate.subject().as_str(), r"E=sts@example.com,CN=sts.example,O=Example\, Inc.,ST=New York,C=US");
    assert_eq!(certificate.subject(), certificate.issuer());
    assert_eq!(certificate.serial(), 0x0123456789abcdef0123456789abcdef_u128.to_be_bytes());
    assert_eq!(certificate.serial_decimal(), 0x0123456789abcdef0123456789abcdef_u128.to_string());
    assert_eq!(certificate.subject_key_identifier().map(<[u8]>::len), Some(20));
    let usage = certificate.key_usage().expect("stated");
    assert!(usage.digital_signature() && usage.key_encipherment());
    assert!(!usage.certificate_signing() && !usage.data_encipherment() && !usage.non_repudiation());
    assert!(certificate.valid_from() < certificate.valid_to());
    assert!(certificate.is_valid_at(certificate.valid_from()) && certificate.is_valid_at(certificate.valid_to()));
    assert!(!certificate.is_valid_at(Timestamp::MIN) && !certificate.is_valid_at(Timestamp::MAX));
    assert_eq!(certificate.sha1_thumbprint(), &handstamp_keys::sha1(certificate.der()));
    assert_eq!(certificate.sha256_thumbprint(), &handstamp_keys::sha256(certificate.der()));
    assert_eq!(certificate.public_key(&POLICY).expect("2048 bits").kind(), KeyKind::Rsa { bits: 2048 });
    assert_eq!(
        Certificate::read_all(certificate.to_pem().as_bytes()).expect("our own"),
        std::slice::from_ref(&certificate)
    );
    assert_eq!(base64_simd::STANDARD.decode_to_vec(certificate.to_base64()).expect("base64"), certificate.der());
}

#[test]
fn issuer_and_serial_in_the_spellings_of_others() {
    let certificate = one("certificate.pem");
    let serial = certificate.serial_decimal();
    for issuer in [
        certificate.issuer().as_str(),
        r#"E=sts@example.com, CN=sts.example, O="Example, Inc.", S=New York, C=US"#,
        r"EMAILADDRESS=sts@example.com,CN=sts.example,O=Example\2C Inc.,ST=New York,C=US",
        r"1.2.840.113549.1.9.1=sts@example.com, CN=STS.example, O=Example\, Inc., ST=New York, C=US",
    ] {
        assert!(certificate.is_issued_as(issuer, serial), "{issuer}");
        assert!(!certificate.is_issued_as(issuer, "1"), "{issuer}");
    }
    assert!(!certificate.is_issued_as("CN=sts.example", serial));
    assert!(!certificate.is_issued_as("", serial));
}

#[test]
fn several_certificates_in_one_text() {
    let text = [data("leaf.pem"), b"comment\n".to_vec(), data("rsa-pkcs8.pem"), data("intermediate.pem")].concat();
    let read = Certificate::read_all(&text).expect("two certificates");
    assert_eq!(read, [one("leaf.pem"), one("intermediate.pem")]);
    for content in
        [&b""[..], b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &data("rsa-pkcs8.pem")]
    {
        assert!(matches!(Certificate::read_all(content), Err(Error::UnusableKey(_))));
    }
}

#[test]
fn no_trust_without_a_reason() {
    let certificate = one("certificate.pem");
    let now = certificate.valid_from();
    let error = CertificateTrust::none().check(&certificate, &[], now).expect_err("no reason");
    assert_eq!(error.code(), "HST-KEYS-UNTRUSTED");
    assert!(error.to_string().contains("it is not pinned"), "{error}");
    assert!(CertificateTrust::none().is_empty());
}

#[test]
fn pinned_certificates_may_be_signed_in_any_way() {
    for file in ["certificate.pem", "sha1.pem", "root.pem"] {
        let certificate = one(file);
        let now = certificate.valid_from();
        let other = one("leaf.pem");
        for (trust, by) in [
            (CertificateTrust::none().with_certificate(&certificate), TrustedBy::Sha256),
            (CertificateTrust::none().with_sha256(*certificate.sha256_thumbprint()), TrustedBy::Sha256),
            (CertificateTrust::none().with_sha1(*certificate.sha1_thumbprint()), TrustedBy::Sha1),
        ] {
            assert_eq!(trust.check(&certificate, &[], now).expect("pinned"), by);
            assert!(trust.check(&other, std::slice::from_ref(&certificate), now).is_err());
            let expired = trust.check(&certificate, &[], Timestamp::MAX).expect_err("expired").to_string();
            assert!(expired.contains("it is pinned, but valid from"), "{expired}");
            assert!(trust.allowing_expired_pins().check(&certificate, &[], Timestamp::MAX).is_ok());
        }
    }
}

#[test]
fn a_changed_certificate_is_not_the_pinned_one() {
    let certificate = one("certificate.pem");
    let trust = CertificateTrust::none().with_certificate(&certificate).allowing_expired_pins();
    let mut der = certificate.der().to_vec();
    *der.last_mut().expect("a signature") ^= 1;
    let changed = Certificate::from_der(&der).expect("its signature is not checked");
    assert_ne!(changed, certificate);
    assert!(trust.check(&changed, &[], certificate.valid_from()).is_err());
}

#[test]
fn chains_lead_to_given_roots_only() {
    let (root, intermediate, leaf) = (one("root.pem"), one("intermediate.pem"), one("leaf.pem"));
    let now = leaf.valid_from();
    let trust = CertificateTrust::none().with_root(&root).expect("a root");
    assert_eq!(trust.check(&leaf, std::slice::from_ref(&intermediate), now).expect("chained"), TrustedBy::Chain);
    assert!(trust.check(&leaf, &[], now).is_err(), "without the intermediate");
    assert!(trust.check(&leaf, std::slice::from_ref(&intermediate), Timestamp::MAX).is_err(), "after its time");
    assert!(trust.check(&leaf, std::slice::from_ref(&intermediate), Timestamp::MIN).is_err(), "before its time");
    assert!(trust.check(&one("certificate.pem"), std::slice::from_ref(&intermediate), now).is_err(), "self-signed");
    let other = CertificateTrust::none().with_root(&one("certificate.pem")).expect("a root");
    assert!(other.check(&leaf, &[intermediate, root], now).is_err(), "roots that come along are not trusted");
}

#[test]
fn chains_of_an_authority_count_for_the_named_signers_only() {
    let (root, intermediate, leaf) = (one("root.pem"), one("intermediate.pem"), one("leaf.pem"));
    let (now, others) = (leaf.valid_from(), [intermediate.clone()]);
    let trust = CertificateTrust::none().with_root(&root).expect("a root");
    let signers = |subjects: &[&str]| trust.clone().with_chained_signers(subjects.iter().copied());
    assert_eq!(signers(&["CN=sts", "CN=leaf"]).check(&leaf, &others, now).expect("named"), TrustedBy::Chain);
    for subjects in [&[][..], &["CN=sts"], &["CN=Leaf"], &["CN=leaf "], &["leaf"], &["CN=leaf,O=Example"]] {
        let error = signers(subjects).check(&leaf, &others, now).expect_err("not named").to_string();
        assert!(error.contains("its subject is none of those"), "{subjects:?}: {error}");
    }
    assert!(signers(&["CN=Root"]).check(&leaf, &[], now).is_err(), "a chain is needed all the same");
    assert!(signers(&["CN=intermediate"]).check(&intermediate, &[], now).is_err(), "an authority signs no tokens");
    assert!(signers(&["CN=sts"]).with_certificate(&leaf).check(&leaf, &[], now).is_ok(), "pins are not concerned");
}

#[test]
fn a_chained_signer_must_be_allowed_to_sign() {
    use rcgen::KeyUsagePurpose::{DigitalSignature, KeyEncipherment};
    let root_key = rcgen::KeyPair::generate().expect("a key");
    let mut root = rcgen::CertificateParams::default();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key).expect("a root");
    let authority = rcgen::Issuer::from_params(&root, &root_key);
    let trust = CertificateTrust::none().with_root(&Certificate::from_der(root_certificate.der()).expect("read"));
    let trust = trust.expect("a root").with_chained_signers(["CN=sts"]);
    for (usages, accepted) in [
        (&[][..], true),
        (&[DigitalSignature], true),
        (&[DigitalSignature, KeyEncipherment], true),
        (&[KeyEncipherment], false),
    ] {
        let mut signer = rcgen::CertificateParams::default();
        signer.distinguished_name = rcgen::DistinguishedName::new();
        signer.distinguished_name.push(rcgen::DnType::CommonName, "sts");
        signer.key_usages = usages.to_vec();
        // What templates for servers say of other uses does not matter.
        signer.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        let key = rcgen::KeyPair::generate().expect("a key");
        let signer = signer.signed_by(&key, &authority).expect("a certificate");
        let signer = Certificate::from_der(signer.der()).expect("read");
        let checked = trust.check(&signer, &[], signer.valid_from());
        assert_eq!(checked.is_ok(), accepted, "{usages:?}: {checked:?}");
    }
}

#[test]
fn revoked_certificates_and_missing_lists() {
    let (root, intermediate) = (one("root.pem"), one("intermediate.pem"));
    let (leaf, revoked) = (one("leaf.pem"), one("revoked.pem"));
    let now = leaf.valid_from().saturating_add(std::time::Duration::from_secs(3600));
    let others = [intermediate];
    let unaware = CertificateTrust::none().with_root(&root).expect("a root");
    assert!(unaware.check(&revoked, &others, now).is_ok());
    let half = unaware.clone().with_revocations(&data("intermediate.crl")).expect("a list");
    assert!(half.check(&leaf, &others, now).is_err(), "nothing is known of the intermediate");
    let aware = half.with_revocations(&data("root.crl")).expect("a list");
    assert!(aware.check(&leaf, &others, now).is_ok());
    let error = aware.check(&revoked, &others, now).expect_err("revoked").to_string();
    assert!(error.contains("no chain to a root"), "{error}");
    assert!(CertificateTrust::none().with_revocations(b"no list").is_err());
}

#[test]
fn identities_from_pem_find_the_certificate_of_the_key() {
    let text = [data("intermediate.pem"), data("leaf.pem"), data("rsa-pkcs8.pem")].concat();
    let identity = SigningIdentity::from_pem(&text, &POLICY).expect("key and certificate");
    assert_eq!(identity.certificate(), &one("leaf.pem"));
    assert_eq!(identity.chain(), [one("intermediate.pem")]);
    let again = SigningIdentity::from_pem(identity.to_pem().expect("PEM").as_bytes(), &POLICY).expect("our own");
    assert_eq!((again.certificate(), again.chain()), (identity.certificate(), identity.chain()));

    let foreign = [data("revoked.pem"), data("rsa-pkcs8.pem")].concat();
    let error = SigningIdentity::from_pem(&foreign, &POLICY).expect_err("another key's").to_string();
    assert!(error.contains("none of the certificates belongs to the private key"), "{error}");
    let error = SigningIdentity::new(identity.key().clone(), one("revoked.pem"), vec![]).expect_err("another key's");
    assert!(error.to_string().contains("CN=revoked"), "{error}");
}

#[test]
fn identities_from_pkcs12_of_many_writers() {
    for (file, password) in [
        ("modern.p12", "secrét"),
        ("aes128.p12", "secret"),
        ("tripledes.p12", "secret"),
        ("legacy.p12", "secret"),
        ("rc2-128.p12", "secret"),
        ("no-password.p12", ""),
        ("plain.p12", "secret"),
    ] {
        let identity = SigningIdentity::from_pkcs12(&data(file), password, &POLICY).expect(file);
        assert_eq!(identity.certificate(), &one("leaf.pem"), "{file}");
        assert_eq!(identity.chain(), [one("intermediate.pem")], "{file}");
        let signature = identity.key().sign(SignatureAlgorithm::RsaSha256, b"data").expect("RSA");
        let public = identity.certificate().public_key(&POLICY).expect("RSA");
        assert!(public.verify(SignatureAlgorithm::RsaSha256, b"data", &signature).is_ok());
        let wrong = SigningIdentity::from_pkcs12(&data(file), "other", &POLICY);
        assert!(matches!(wrong, Err(Error::Unauthentic)), "{file}");
    }
}

#[test]
fn identities_live_in_files_of_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("signing.pem");
    let made = SigningIdentity::from_pkcs12(&data("modern.p12"), "secrét", &POLICY).expect("readable");
    made.create(&path).expect("a new file");
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    assert!(matches!(made.create(&path), Err(Error::KeyFileExists(_))));
    let read = SigningIdentity::read(&path, "", &POLICY).expect("our own");
    assert_eq!((read.certificate(), read.chain()), (made.certificate(), made.chain()));

    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let error = SigningIdentity::read(&path, "", &POLICY).expect_err("exposed").to_string();
    assert!(error.contains("chmod 600"), "{error}");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
    std::fs::write(&path, data("legacy.p12")).expect("ours");
    assert!(SigningIdentity::read(&path, "secret", &POLICY).is_ok());
    let error = SigningIdentity::read(&path, "wrong", &POLICY).expect_err("wrong password").to_string();
    assert!(error.contains("signing.pem: the password is wrong"), "{error}");
    std::fs::write(&path, "hello").expect("ours");
    let error = SigningIdentity::read(&path, "", &POLICY).expect_err("no key");
    assert_eq!(error.code(), "HST-KEYS-FILE-UNUSABLE");
}

#[test]
fn changed_pkcs12_is_refused() {
    let file = data("tripledes.p12");
    for at in (0..file.len()).step_by(7) {
        let mut changed = file.clone();
        changed[at] ^= 0x10;
        assert!(SigningIdentity::from_pkcs12(&changed, "secret", &POLICY).is_err(), "{at}");
        assert!(SigningIdentity::from_pkcs12(&file[..at], "secret", &POLICY).is_err(), "{at}");
    }
    assert!(SigningIdentity::from_pkcs12(&data("leaf.pem"), "", &POLICY).is_err());
}

#[test]
fn self_signed_identities_of_each_kind() {
    let (start, end): (Timestamp, Timestamp) =
        ("2030-01-01T00:00:00Z".parse().expect("time"), "2060-06-01T00:00:00Z".parse().expect("time"));
    for kind in
        [KeyKind::Rsa { bits: 2048 }, KeyKind::Ec(Curve::P256), KeyKind::Ec(Curve::P384), KeyKind::Ec(Curve::P521)]
    {
        let random = DeterministicRandom::new(1);
        let identity = SigningIdentity::self_signed("Handstamp STS", kind, start, end, &random).expect("made");
        let certificate = identity.certificate();
        assert_eq!(certificate.subject().as_str(), "CN=Handstamp STS");
        assert_eq!(certificate.issuer(), certificate.subject());
        assert_eq!((certificate.valid_from(), certificate.valid_to()), (start, end));
        assert_eq!(certificate.serial().len(), 16);
        assert!(certificate.subject_key_identifier().is_some());
        let usage = certificate.key_usage().expect("stated");
        assert!(usage.digital_signature() && !usage.certificate_signing());
        assert_eq!(usage.key_encipherment(), matches!(kind, KeyKind::Rsa { .. }));
        // Taken as its own root, its signature is checked.
        let trust = CertificateTrust::none().with_root(certificate).expect("a root");
        assert_eq!(trust.check(certificate, &[], start).expect("its own signature"), TrustedBy::Chain);
        let mut forged = certificate.der().to_vec();
        *forged.last_mut().expect("a signature") ^= 1;
        let forged = Certificate::from_der(&forged).expect("its signature is not checked");
        assert!(trust.check(&forged, &[], start).is_err());
        let again = SigningIdentity::from_pem(identity.to_pem().expect("PEM").as_bytes(), &POLICY).expect("our own");
        assert_eq!(again.certificate(), certificate);
    }
    let weak = KeyKind::Rsa { bits: 1024 };
    let random = DeterministicRandom::new(1);
    assert!(matches!(SigningIdentity::self_signed("weak", weak, start, end, &random), Err(Error::UnusableKey(_))));
}

proptest! {
    #[test]
    fn no_certificate_panics(at in 0usize..1200, with: u8, cut in 0usize..1200) {
        let mut der = data("certificate.der");
        der.truncate(cut.max(100));
        if let Some(byte) = der.get_mut(at) {
            *byte = with;
        }
        let _ = Certificate::from_der(&der);
        let _ = Certificate::read_all(&der);
    }

    #[test]
    fn no_pkcs12_panics(bytes: Vec<u8>) {
        prop_assert!(SigningIdentity::from_pkcs12(&bytes, "secret", &POLICY).is_err());
    }
}

fn one(file: &str) -> Certificate {
    let mut certificates = Certificate::read_all(&data(file)).expect(file);
    assert_eq!(certificates.len(), 1);
    certificates.remove(0)
}

fn data(file: &str) -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/").to_owned() + file;
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}
