//! Any document as an issuer's metadata: it may be read, and is never trusted without a signature that was asked for.
#![no_main]

use handstamp_keys::CertificateTrust;
use handstamp_time::Timestamp;
use handstamp_ws_federation::{IssuerMetadata, MetadataPolicy};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let read = IssuerMetadata::read(data);
    let now = Timestamp::UNIX_EPOCH;
    let mut signed = MetadataPolicy::default();
    signed.signers = Some(CertificateTrust::none());
    assert!(IssuerMetadata::read_trusted(data, &signed, now).is_err());
    let mut policy = MetadataPolicy::default();
    if let Ok(trusted) = IssuerMetadata::read_trusted(data, &policy, now) {
        assert!(!trusted.signing_certificates.is_empty());
        assert_eq!(read.expect("what is trusted can be read"), trusted);
        policy.entity_id = Some(format!("{}x", trusted.entity_id));
        assert!(IssuerMetadata::read_trusted(data, &policy, now).is_err(), "another issuer's");
    }
});
