//! What issuing a security context costs a service, request in and response out, and how much of that are RSA operations.
//!
//! RSA-2048 on both sides, stateful contexts. Replays are detected, so every request is a new one; making it is not measured.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use criterion::{BatchSize, Criterion, SamplingMode, criterion_group, criterion_main};
use handstamp_keys::transport::Oaep;
use handstamp_keys::{
    CertificateTrust, KeyKind, KeyRing, RotationPolicy, SignatureAlgorithm, SigningIdentity, SymmetricKey, SystemRandom,
};
use handstamp_secure_conversation::{
    Event, Handled, Incoming, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError, UserNameValidator,
};
use std::hint::black_box;
use std::sync::Arc;

const ADDRESS: &str = "https://ledger.example/";

fn issue(criterion: &mut Criterion) {
    let version = MessageSecurityVersion::default();
    let wss10 = MessageSecurityVersion::WSS10_FEBRUARY2005_BSP;
    let operations = RsaOperations::new();
    let user_name = SecurityBinding::user_name_for_certificate(version).unwrap();
    for (name, bootstrap, alone) in [
        ("user name for certificate", user_name, RsaOperations::decrypt as fn(&RsaOperations)),
        ("mutual certificate", SecurityBinding::mutual_certificate(version), RsaOperations::decrypt_and_verify),
        ("mutual certificate, WSS 1.0", SecurityBinding::mutual_certificate(wss10), RsaOperations::all),
    ] {
        let mut group = criterion.benchmark_group(format!("issue a context: {name}"));
        // RSA is blinded anew each 32 operations: every sample has to hold its share of that.
        group.sampling_mode(SamplingMode::Flat);
        let version = bootstrap.version;
        let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
        binding.session_mut().unwrap().require_cancellation = false;
        let parties = &operations.parties;
        let service = parties.service(&binding);
        group.bench_function("request to response", |b| {
            let request = || parties.request(&binding);
            let respond = |request: Vec<u8>| match service.handle(Incoming::new(request), now(), &SystemRandom) {
                Handled::Answer(answer) if matches!(answer.event, Event::Issued { .. }) => answer.envelope,
                other => panic!("{other:?}"),
            };
            b.iter_batched(request, respond, BatchSize::SmallInput);
        });
        group.bench_function("RSA operations alone", |b| b.iter(|| alone(&operations)));
        group.finish();
    }
}

/// Both certificates with their keys.
struct Parties {
    service: SigningIdentity,
    client: SigningIdentity,
}

impl Parties {
    fn new() -> Self {
        let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
        let identity =
            |name| SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom).unwrap();
        Self { service: identity("ledger.example"), client: identity("alice") }
    }

    fn service(&self, binding: &SecurityBinding) -> SecureConversationService {
        let keys = KeyRing::in_memory(RotationPolicy::default(), now(), &SystemRandom).unwrap();
        SecureConversationService::builder(binding.clone())
            .identity(self.service.clone())
            .trust(CertificateTrust::none().with_certificate(self.client.certificate()))
            .user_names(Arc::new(Anybody))
            .cookies(Arc::new(NativeCookies::new(Arc::new(keys), ADDRESS)))
            .build()
            .unwrap()
    }

    /// A new client's request for a context.
    fn request(&self, binding: &SecurityBinding) -> Vec<u8> {
        let mut client = SecureConversationClient::builder(binding.clone(), ADDRESS)
            .service_certificate(self.service.certificate().clone())
            .identity(self.client.clone())
            .user_name(UserNameCredential::new("alice", "secret"))
            .build()
            .unwrap();
        client.establish(now(), &SystemRandom).unwrap().envelope().into()
    }
}

/// What RSA does in the service: a key is decrypted; where the client has a certificate, its signature is verified; without shared
/// keys the response is signed, and its key encrypted.
struct RsaOperations {
    parties: Parties,
    key: SymmetricKey,
    wrapped: Vec<u8>,
    signature: Vec<u8>,
}

impl RsaOperations {
    fn new() -> Self {
        let (parties, key) = (Parties::new(), SymmetricKey::from_bytes(&[7; 32]));
        let wrapped = Oaep::default().encrypt(parties.service.key().public_key(), &key).unwrap();
        let signature = parties.client.key().sign(SignatureAlgorithm::RsaSha1, SIGNED).unwrap();
        Self { parties, key, wrapped, signature }
    }

    fn decrypt(&self) {
        black_box(Oaep::default().decrypt(self.parties.service.key(), black_box(&self.wrapped)).unwrap());
    }

    fn decrypt_and_verify(&self) {
        self.decrypt();
        let public = self.parties.client.key().public_key();
        public.verify(SignatureAlgorithm::RsaSha1, SIGNED, black_box(&self.signature)).unwrap();
    }

    fn all(&self) {
        self.decrypt_and_verify();
        black_box(self.parties.service.key().sign(SignatureAlgorithm::RsaSha1, black_box(SIGNED)).unwrap());
        black_box(Oaep::default().encrypt(self.parties.client.key().public_key(), black_box(&self.key)).unwrap());
    }
}

const SIGNED: &[u8] = &[b'x'; 1500];

struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

fn now() -> Timestamp {
    "2026-11-21T17:23:15Z".parse().unwrap()
}

criterion_group!(benches, issue);
criterion_main!(benches);
