//! Any bytes as a key file: what is read is written and read again alike, and rotates without a panic.
#![no_main]

use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy};
use handstamp_time::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(ring) = KeyRing::from_jwk_set(data, RotationPolicy::default()) else { return };
    let again = KeyRing::from_jwk_set(&ring.to_jwk_set(), RotationPolicy::default()).expect("our own");
    for now in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
        assert_eq!(ring.list(now), again.list(now));
        // Fails only when the ring is full.
        let _ = ring.upkeep(now, &DeterministicRandom::new(1));
    }
});
