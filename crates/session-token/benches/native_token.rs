//! What sealing and opening a session costs: twelve claims, sliding, with the session at the issuer.
//!
//! ```text
//! cargo bench -p handstamp-session-token --bench native_token -- --quick
//! ```

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark may panic, and its entry point is generated")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    IssuerSession, MruCache, NewEntry, Opened, Revocation, RevocationList, SessionSecurityToken,
    SessionSecurityTokenHandler, SessionTokenCache, SessionTokenCacheKey,
};
use handstamp_testkit::principals::{ISSUER, alice};
use handstamp_time::Timestamp;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

fn now() -> Timestamp {
    "2030-01-01T09:00:00Z".parse().unwrap()
}

fn handler(revocations: Arc<RevocationList>) -> SessionSecurityTokenHandler {
    let ring = KeyRing::in_memory(RotationPolicy::default(), now(), &SystemRandom).unwrap();
    SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
        .audience("https://orders.contoso.example/")
        .revocations(revocations)
        .build()
        .unwrap()
}

fn token(handler: &SessionSecurityTokenHandler) -> SessionSecurityToken {
    let hour = Duration::from_secs(3600);
    let session = IssuerSession {
        issuer: ISSUER.into(),
        session_index: Some("_0c3f6b1e-7a55-4d27-9d2e-5b8e44f0a911".into()),
        sign_out_url: None,
    };
    let builder = handler.token(alice().into()).lifetime(hour).absolute_expiry(now().saturating_add(10 * hour));
    builder.idle_timeout(hour).issuer_session(session).build(now(), &SystemRandom).unwrap()
}

fn open(handler: &SessionSecurityTokenHandler, text: &str) -> Box<SessionSecurityToken> {
    match handler.open_text(text, now()).unwrap() {
        Opened::Token(token) => token,
        other => panic!("{other:?}"),
    }
}

fn native_token(c: &mut Criterion) {
    let revocations = Arc::new(RevocationList::new());
    let handler = handler(revocations.clone());
    let token = token(&handler);
    let text = handler.write_text(&token, now(), &SystemRandom).unwrap();

    let mut group = c.benchmark_group("native token");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("seal", |b| b.iter(|| handler.write_text(black_box(&token), now(), &SystemRandom).unwrap()));
    group.bench_function("open", |b| b.iter(|| open(&handler, black_box(&text))));
    group.bench_function("seal and open", |b| {
        b.iter(|| open(&handler, &handler.write_text(black_box(&token), now(), &SystemRandom).unwrap()));
    });
    let principal = |text: &str| {
        let token = open(&handler, text);
        handler.validate(&token, now()).unwrap();
        token.into_principal()
    };
    group.bench_function("cookie to principal", |b| b.iter(|| principal(black_box(&text))));
    for n in 0..1000 {
        let other = format!("session {n}").parse().unwrap();
        revocations.apply(&Revocation::session(&other, Timestamp::MAX), now()).unwrap();
    }
    group.bench_function("cookie to principal, 1000 revocations", |b| b.iter(|| principal(black_box(&text))));
    group.finish();

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let cache = MruCache::new();
    let mut reference = token.clone();
    reference.set_reference_mode(true);
    let key = SessionTokenCacheKey::of(&reference);
    let handle = handler.write_text(&reference, now(), &SystemRandom).unwrap();
    runtime.block_on(cache.add(&key, NewEntry::new(Arc::new(reference)), now())).unwrap();
    c.bench_function("reference to principal", |b| {
        b.iter(|| {
            let token = runtime.block_on(handler.read_text(black_box(&handle), now(), Some(&cache))).unwrap();
            handler.validate(&token, now()).unwrap();
            token
        });
    });
}

criterion_group!(benches, native_token);
criterion_main!(benches);
