//! A key of one's own: kept in a file, published as JWK, and signing statements that others verify.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

use handstamp_keys::jose::{JwkSet, JwsSigner, JwsVerifier};
use handstamp_keys::{Certificate, CertificateTrust, Curve, KeyKind, KeyPolicy, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let (now, folder) = (SystemClock.now(), tempfile::tempdir()?);
    let year = now.saturating_add(Duration::from_secs(365 * 24 * 3600));

    // Key and certificate, in one file that only its owner may read; others are refused when it is read again.
    let path = folder.path().join("identity.pem");
    SigningIdentity::self_signed("Shop", KeyKind::Ec(Curve::P256), now, year, &SystemRandom)?.create(&path)?;
    let identity = SigningIdentity::read(&path, "", &KeyPolicy::default())?;

    // Somebody else knows the public key, and nothing more.
    let signer = JwsSigner::new(identity.key().clone());
    let published = JwkSet::new([signer.public_key()]).to_json();
    let statement = signer.sign("JWT", br#"{"sub":"ada"}"#)?;
    println!("{published}\n{statement}");
    let verifier = JwsVerifier::new(JwkSet::parse(published.as_bytes(), &KeyPolicy::default())?);
    assert_eq!(verifier.verify("JWT", &statement)?, br#"{"sub":"ada"}"#);
    let error = verifier.verify("JWT", &statement.replace('.', ".A")).expect_err("changed on the way");
    println!("{}: {error}", error.code());

    // Whom to believe is said by certificates: here exactly one, by its fingerprint.
    let certificate: &Certificate = identity.certificate();
    let trust = CertificateTrust::none().with_sha256(*certificate.sha256_thumbprint());
    let stranger = SigningIdentity::self_signed("Shop", KeyKind::Ec(Curve::P256), now, year, &SystemRandom)?;
    assert!(trust.check(certificate, &[], now).is_ok());
    assert!(trust.check(stranger.certificate(), &[], now).is_err(), "the name does not make it");
    Ok(())
}

#[test]
fn runs() {
    main().expect("the example runs");
}
