//! What each operation costs; the library's own form in the same run where ours adds something.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use handstamp_keys::cipher::{CbcAlgorithm, Padding};
use handstamp_keys::transport::{Oaep, RsaPkcs1};
use handstamp_keys::{
    Curve, DigestAlgorithm, HmacKey, KeyKind, KeyRing, PrivateKey, RotationPolicy, SignatureAlgorithm, SymmetricKey,
    SystemRandom, derivation,
};
use handstamp_time::Timestamp;
use std::hint::black_box;

fn sealing(c: &mut Criterion) {
    let now = Timestamp::UNIX_EPOCH;
    let ring = KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom).expect("made");
    let mut sealed = vec![7; 512];
    let key = ring.sealing_key(now).expect("current");
    let id = key.id();
    key.seal_in_place(&[1; 12], b"aad", &mut sealed).expect("short");
    c.bench_function("ring: seal 512 bytes", |b| {
        let mut message = Vec::with_capacity(1024);
        b.iter(|| {
            message.clear();
            message.resize(512, 7);
            let key = ring.sealing_key(black_box(now)).expect("current");
            key.seal_in_place(&[1; 12], b"aad", &mut message).expect("short");
        });
    });
    c.bench_function("ring: open 512 bytes", |b| {
        let mut message = sealed.clone();
        b.iter(|| {
            message.copy_from_slice(&sealed);
            let key = ring.opening_key(black_box(id), now).expect("current");
            key.open_in_place(&[1; 12], b"aad", &mut message).expect("authentic").len()
        });
    });
}

fn macs(c: &mut Criterion) {
    let message = [7; 64];
    let kept = HmacKey::new(DigestAlgorithm::Sha1, &[1; 24]);
    c.bench_function("HMAC-SHA1 of 64 bytes, kept key", |b| b.iter(|| kept.sign(black_box(&message))));
    c.bench_function("HMAC-SHA1 of 64 bytes, new key", |b| {
        b.iter(|| HmacKey::new(DigestAlgorithm::Sha1, black_box(&[1; 24])).sign(&message));
    });
    c.bench_function("HMAC-SHA1 of 64 bytes, new key, aws-lc-rs", |b| {
        use aws_lc_rs::hmac;
        b.iter(|| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, black_box(&[1; 24])), &message));
    });
    c.bench_function("P_SHA1, 32 bytes", |b| {
        let label = b"WS-SecureConversationWS-SecureConversation";
        b.iter(|| {
            let mut key = [0; 32];
            derivation::p_sha1(black_box(&[1; 32]), &[label, &[2; 16]], 0, &mut key);
            key
        });
    });
}

fn signatures(c: &mut Criterion) {
    for (name, kind, algorithm) in [
        ("RSA-2048 SHA-1", KeyKind::Rsa { bits: 2048 }, SignatureAlgorithm::RsaSha1),
        ("RSA-2048 SHA-256", KeyKind::Rsa { bits: 2048 }, SignatureAlgorithm::RsaSha256),
        ("ECDSA P-256 SHA-256", KeyKind::Ec(Curve::P256), SignatureAlgorithm::EcdsaSha256),
    ] {
        let key = PrivateKey::generate(kind).expect("random bytes");
        let signature = key.sign(algorithm, b"data").expect("its algorithm");
        c.bench_function(&format!("{name}: sign"), |b| b.iter(|| key.sign(algorithm, black_box(b"data"))));
        c.bench_function(&format!("{name}: verify"), |b| {
            b.iter(|| key.public_key().verify(algorithm, black_box(b"data"), &signature));
        });
    }
}

fn encryption(c: &mut Criterion) {
    let key = SymmetricKey::from_bytes(&[1; 32]);
    for length in [1024, 65536] {
        let mut sealed = vec![7; length];
        CbcAlgorithm::Aes256.encrypt(&key, &[2; 16], Padding::Pkcs7, &mut sealed).expect("right lengths");
        c.bench_function(&format!("AES-256-CBC: decrypt {length} bytes"), |b| {
            b.iter_batched_ref(
                || sealed.clone(),
                |data| CbcAlgorithm::Aes256.decrypt(&key, &[2; 16], Padding::Iso10126, data).map(|data| data.len()),
                BatchSize::SmallInput,
            );
        });
    }
    let recipient = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).expect("random bytes");
    let oaep = Oaep::default().encrypt(recipient.public_key(), &key).expect("fits");
    c.bench_function("RSA-2048 OAEP: decrypt", |b| b.iter(|| Oaep::default().decrypt(&recipient, black_box(&oaep))));
    let pkcs1 = RsaPkcs1.encrypt(recipient.public_key(), &key).expect("fits");
    c.bench_function("RSA-2048 PKCS#1: decrypt", |b| b.iter(|| RsaPkcs1.decrypt(&recipient, black_box(&pkcs1), 32)));
}

criterion_group!(benches, sealing, macs, signatures, encryption);
criterion_main!(benches);
