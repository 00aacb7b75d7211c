//! What opening a WIF session cookie costs: 20 claims, in the chains that sites use.
//!
//! `cargo bench -p handstamp-session-token --bench wif`
//!
//! No other Rust crate reads these cookies. The peer of the RSA chain is its RSA operations alone, in the same run.
#![allow(missing_docs)]

use criterion::{Criterion, criterion_group, criterion_main};
use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
use handstamp_keys::transport::Oaep;
use handstamp_keys::{KeyKind, PrivateKey, SignatureAlgorithm, SymmetricKey, SystemRandom};
use handstamp_session_token::wif::transforms::{
    CookieTransform, CookieTransforms, Deflate, MachineKey, MachineKeyTransform, RsaEncryption, RsaHash, RsaSignature,
};
use handstamp_session_token::wif::{Payload, WifFormat};
use handstamp_session_token::{SessionSecurityToken, SessionSecurityTokenHandler};
use handstamp_time::Timestamp;
use std::hint::black_box;
use std::sync::Arc;

const MACHINE_KEY: &str = r#"<machineKey validation="HMACSHA256" decryption="AES"
    decryptionKey="170F5FA76AD1A2293772508AF42AAFF7D89C98D1E874A3243AAE86E8DB8776A8"
    validationKey="41157FA21B46C7C1348BB5F0B077E7AC4D30F78CB4AAD80D743286F284CBD36ACD4B942874850D1AEF1EA7ACAEF6A1A9CF7F8DC3BB6EF5B6462C7CF4F1694066" />"#;

fn token(now: Timestamp) -> SessionSecurityToken {
    let roles = (0..19).map(|number| Claim::new(claim_types::ROLE, format!("Role of number {number}")));
    let identity = ClaimsIdentity::new("Federation")
        .with_claim(Claim::new(claim_types::NAME, "alice@contoso.example"))
        .with_claims(roles.map(|claim| claim.with_issuer("https://sts.contoso.example/adfs/services/trust")));
    let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(identity));
    builder.build(now, &SystemRandom).expect("a good token")
}

fn open(c: &mut Criterion, name: &str, transforms: Vec<Arc<dyn CookieTransform>>) {
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
    let format = Arc::new(WifFormat::new(CookieTransforms::new(transforms).expect("a good chain")));
    let handler = SessionSecurityTokenHandler::builder(format).build().expect("a good handler");
    let cookie = handler.write_text(&token(now), now, &SystemRandom).expect("writable");
    c.bench_function(&format!("open, {name}, {} bytes", cookie.len()), |b| {
        b.iter(|| handler.open_text(black_box(&cookie), now).expect("authentic"));
    });
    c.bench_function(&format!("write, {name}"), |b| {
        let token = token(now);
        b.iter(|| handler.write_text(black_box(&token), now, &SystemRandom).expect("writable"));
    });
}

fn wif(c: &mut Criterion) {
    let machine_key = MachineKey::from_xml(MACHINE_KEY).expect("a good element");
    let machine_key = Arc::new(MachineKeyTransform::new(&[machine_key]).expect("a key"));
    open(c, "deflate + machine key", vec![Arc::new(Deflate::default()), machine_key.clone()]);
    let chain = CookieTransforms::new(vec![Arc::new(Deflate::default()), machine_key]).expect("a good chain");
    let now: Timestamp = "2030-01-01T00:00:00Z".parse().expect("a time");
    let payload = Payload::from(&token(now)).write().expect("writable");
    let transformed = chain.encode(payload.clone(), &SystemRandom).expect("writable");
    c.bench_function("peer: HMAC, AES and inflating alone", |b| {
        b.iter(|| chain.decode(black_box(transformed.clone())).expect("authentic"));
    });
    c.bench_function(&format!("payload alone, {} bytes", payload.len()), |b| {
        b.iter(|| Payload::read(black_box(&payload), &Default::default()).expect("legal"));
    });

    let key = PrivateKey::generate(KeyKind::Rsa { bits: 2048 }).expect("random bytes");
    let signature = RsaSignature::new(key.clone(), RsaHash::Sha256).expect("RSA");
    let encryption = RsaEncryption::new(key.clone(), RsaHash::Sha256).expect("RSA");
    let (signature, encryption): (Arc<dyn CookieTransform>, Arc<dyn CookieTransform>) =
        (Arc::new(signature), Arc::new(encryption));
    open(c, "RSA", vec![Arc::clone(&signature), Arc::clone(&encryption)]);
    open(c, "deflate + RSA", vec![Arc::new(Deflate::default()), signature, encryption]);
    let blob = SymmetricKey::from_bytes(&[7; 48]);
    let wrapped = Oaep::default().encrypt(key.public_key(), &blob).expect("fits");
    let signed = key.sign(SignatureAlgorithm::RsaSha256, b"data").expect("RSA");
    c.bench_function("peer: the RSA operations of opening", |b| {
        b.iter(|| {
            key.public_key().verify(SignatureAlgorithm::RsaSha256, b"data", black_box(&signed)).expect("authentic");
            Oaep::default().decrypt(&key, black_box(&wrapped)).expect("authentic")
        });
    });
    c.bench_function("peer: the RSA operations of writing", |b| {
        b.iter(|| {
            black_box(key.sign(SignatureAlgorithm::RsaSha256, b"data").expect("RSA"));
            Oaep::default().encrypt(key.public_key(), black_box(&blob)).expect("fits")
        });
    });
}

criterion_group!(benches, wif);
criterion_main!(benches);
