//! Reads input in three ways: as a sealed message, as cookie text, and as content that was sealed by whoever holds the
//! key. The last is what a decoder bug would need; what it accepts must be written and read back as the same token.

#![no_main]

use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Carrier, Opened, SessionSecurityTokenHandler};
use handstamp_time::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, LazyLock};

struct Fixture {
    ring: Arc<KeyRing>,
    handler: SessionSecurityTokenHandler,
    now: Timestamp,
}

static FIXTURE: LazyLock<Fixture> = LazyLock::new(|| {
    let now = Timestamp::from_unix_seconds(1_893_488_400).expect("within range");
    let ring = KeyRing::in_memory(RotationPolicy::default(), now, &DeterministicRandom::new(1)).expect("deterministic");
    let ring = Arc::new(ring);
    let handler = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring.clone())))
        .carrier(Carrier::SecurityHeader)
        .build()
        .expect("consistent settings");
    Fixture { ring, handler, now }
});

fuzz_target!(|data: &[u8]| {
    let Fixture { handler, now, .. } = &*FIXTURE;
    assert!(handler.open(data, *now).is_err(), "nobody forges a token");
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(handler.open_text(text, *now).is_err());
    }
    if let Ok(Opened::Token(token)) = handler.open(sealed(data), *now) {
        if token.is_reference_mode() {
            return;
        }
        let Ok(again) = handler.write(&token, *now, &DeterministicRandom::new(2)) else { return };
        let read = handler.open(again, *now).expect("what is written is read");
        assert!(read == Opened::Token(token), "a token reads back as it was");
    }
});

fn sealed(content: &[u8]) -> Vec<u8> {
    let Fixture { ring, now, .. } = &*FIXTURE;
    let key = ring.sealing_key(*now).expect("the ring has a current key");
    let protected = [&[0xa2, 0x01, 0x03, 0x04, 0x44], &key.id().as_bytes()[..]].concat();
    // ["Encrypt0", protected, [1, 1, "", null]]
    let aad = [b"\x83\x68Encrypt0\x49", protected.as_slice(), b"\x45\x84\x01\x01\x60\xf6"].concat();
    let mut ciphertext = content.to_vec();
    key.seal_in_place(&[7; 12], &aad, &mut ciphertext).expect("few messages");
    let mut message = [b"\xd0\x83\x49", protected.as_slice(), b"\xa1\x05\x4c", &[7; 12]].concat();
    let len = ciphertext.len();
    match len {
        0..=23 => message.push(0x40 | len as u8),
        24..=0xff => message.extend([0x58, len as u8]),
        0x100..=0xffff => message.extend([0x59, (len >> 8) as u8, len as u8]),
        _ => message.extend([&[0x5a][..], &(len as u32).to_be_bytes()].concat()),
    }
    message.extend(ciphertext);
    message
}
