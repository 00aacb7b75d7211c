//! Any bytes as certificates, private keys and PKCS#12 files.
#![no_main]

use handstamp_keys::{Certificate, KeyPolicy, PrivateKey, SigningIdentity};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let policy = KeyPolicy::default();
    for certificate in Certificate::read_all(data).into_iter().flatten() {
        let again = Certificate::read_all(certificate.to_pem().as_bytes()).expect("our own");
        assert_eq!(again, [certificate.clone()]);
        let _ = certificate.is_issued_as(certificate.issuer().as_str(), &certificate.serial_decimal());
        if let Ok(key) = certificate.public_key(&policy) {
            assert_ne!(key.rsa_components().is_some(), key.ec_point().is_some());
        }
    }
    let _ = PrivateKey::from_pem(data, &policy);
    let _ = PrivateKey::from_sec1(data, &policy);
    let _ = SigningIdentity::from_pkcs12(data, "", &policy);
    if let Ok(text) = std::str::from_utf8(data) {
        let known =
            Certificate::from_der(include_bytes!("../../crates/keys/tests/data/certificate.der")).expect("good");
        let _ = known.issuer().matches(text);
    }
});
