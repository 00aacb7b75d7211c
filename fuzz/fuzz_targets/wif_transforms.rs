//! Any bytes through each cookie transform, and as the XML of a token in any form. What a transform encodes, it decodes.
#![no_main]

use handstamp_keys::{KeyKind, PrivateKey, SystemRandom};
use handstamp_session_token::json::Codec;
use handstamp_session_token::wif::OuterXml;
use handstamp_session_token::wif::transforms::{
    CookieTransform, Deflate, MachineKey, MachineKeyTransform, RsaEncryption, RsaHash, RsaSignature,
};
use handstamp_time::Timestamp;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static TRANSFORMS: LazyLock<[Box<dyn CookieTransform>; 4]> = LazyLock::new(|| {
    let key = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).expect("random bytes");
    let digits = "00112233445566778899AABBCCDDEEFF";
    let element = format!("<machineKey decryptionKey='{digits}' validationKey='{digits}'/>");
    let machine_key = MachineKey::from_xml(&element).expect("a good element");
    [
        Box::new(Deflate::default()),
        Box::new(MachineKeyTransform::new(&[machine_key]).expect("a key")),
        Box::new(RsaSignature::new(key.clone(), RsaHash::Sha256).expect("RSA")),
        Box::new(RsaEncryption::new(key, RsaHash::Sha256).expect("RSA")),
    ]
});

fuzz_target!(|data: &[u8]| {
    let [deflate, protecting @ ..] = &*TRANSFORMS;
    let [machine_key, ..] = protecting;
    for transform in [deflate, machine_key] {
        // Empty input has no encoding.
        if let Ok(encoded) = transform.encode(data.to_vec(), &SystemRandom) {
            assert_eq!(transform.decode(encoded).as_deref(), Ok(data));
        }
    }
    if let Ok(inflated) = deflate.decode(data.to_vec()) {
        assert!(inflated.len() <= Deflate::DEFAULT_MAX_DECOMPRESSED_SIZE);
    }
    for transform in protecting {
        assert!(transform.decode(data.to_vec()).is_err(), "nobody knows the key");
    }
    if let Ok(xml) = OuterXml::read(data) {
        assert_eq!(OuterXml::read(&xml.to_bytes()).expect("our own"), xml);
    }
    let _ = Codec::default().decode(data, None, Timestamp::MIN, None);
    let _ = MachineKey::from_xml(&String::from_utf8_lossy(data));
});
