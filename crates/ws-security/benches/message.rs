//! What protecting and unprotecting one message of 4 KB costs, and how much of that is hashing and encryption alone.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handstamp_keys::{
    DeterministicRandom, DigestAlgorithm, HmacKey, KeyKind, SigningIdentity, SymmetricKey, SystemRandom, derivation,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AddressingVersion, Body, ContextKey, Expectation, Message, MessageSecurityVersion, ProtectionOrder, Receiver,
    SecurityBinding, Sender, SessionKeyError, SessionKeys, UserNameCredential, UserNameError, UserNameValidator,
};
use handstamp_xml::{Document, ParseOptions, Parser};
use handstamp_xml_security::algorithm::DataEncryption;
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedData, EncryptedType, Encryptor};
use std::hint::black_box;

/// A session: Basic256, derived keys, signed and encrypted, signature encrypted. No replay cache, which is another matter.
fn session(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("session message of 4 KB");
    let (binding, context, message, now) = given();
    group.throughput(Throughput::Bytes(message.body.xml().len() as u64));

    let kept = context.clone().reuse_derived_keys(&binding.suite, &SystemRandom).unwrap();
    for (name, context) in [("protect, new derived keys", &context), ("protect, derived keys of the session", &kept)] {
        let sender = Sender::client(&binding).with_context(context);
        group.bench_function(name, |b| b.iter(|| sender.protect(black_box(&message), &SystemRandom, now).unwrap()));
    }
    let plain = SecurityBinding { protection_order: ProtectionOrder::EncryptBeforeSign, ..binding.clone() };
    let sender = Sender::client(&plain).with_context(&context);
    group.bench_function("protect, encrypted before signed", |b| {
        b.iter(|| sender.protect(black_box(&message), &SystemRandom, now).unwrap());
    });

    let sent = Sender::client(&binding).with_context(&context).protect(&message, &SystemRandom, now).unwrap().envelope;
    let sessions = OneSession(context.key().clone());
    let receiver = Receiver::service(&binding).with_sessions(&sessions);
    let mut parser = Parser::new(ParseOptions::default());
    group.bench_function("parse", |b| {
        b.iter(|| {
            let document = parser.parse(black_box(sent.as_str())).unwrap();
            parser.recycle(document);
        });
    });
    group.bench_function("parse and unprotect", |b| {
        b.iter(|| {
            let document = Receiver::parse(black_box(sent.as_bytes()), &ParseOptions::default()).unwrap();
            receiver.open(document, &Expectation::request(), now).unwrap()
        });
    });
    // How much of that is the structure of the body: the same length in one element.
    let text = format!(r#"<order xmlns="urn:shop">{}</order>"#, "x".repeat(message.body.xml().len() - 32));
    let message = message.with_body(Body::canonical(text));
    let sent = Sender::client(&binding).with_context(&context).protect(&message, &SystemRandom, now).unwrap().envelope;
    group.bench_function("parse, one text", |b| {
        b.iter(|| {
            let document = parser.parse(black_box(sent.as_str())).unwrap();
            parser.recycle(document);
        });
    });
    group.bench_function("parse and unprotect, one text", |b| {
        b.iter(|| {
            let document = Receiver::parse(black_box(sent.as_bytes()), &ParseOptions::default()).unwrap();
            receiver.open(document, &Expectation::request(), now).unwrap()
        });
    });
    group.finish();
}

/// The hashing and encryption of the same messages: two derived keys, six digests, one HMAC, two encryptions with their
/// initialization vectors from the system.
fn floor(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hashing and encryption alone");
    let (_, context, message, _) = given();
    let body = message.body.xml().as_bytes();
    group.throughput(Throughput::Bytes(body.len() as u64));
    let secret = context.key().as_bytes().to_vec();
    let signature = vec![b'x'; 2400];
    let hash = |encryption_key: &mut [u8; 32]| {
        let mut signing_key = [0; 24];
        derivation::p_sha1(&secret, &[&[1; 42], &[2; 16]], 0, &mut signing_key);
        derivation::p_sha1(&secret, &[&[1; 42], &[3; 16]], 0, encryption_key);
        let headers = signature.chunks(300).take(5);
        let digests = headers.chain([body]).fold(0, |sum, part| sum ^ DigestAlgorithm::Sha1.digest(part).as_bytes()[0]);
        digests ^ HmacKey::new(DigestAlgorithm::Sha1, &signing_key).sign(black_box(&signature)).as_bytes()[0]
    };
    group.bench_function("protect", |b| {
        b.iter(|| {
            let mut key = [0; 32];
            let sum = hash(&mut key);
            let key = SymmetricKey::from_bytes(&key);
            let encryptor = Encryptor::new(DataEncryption::Aes256Cbc, &key).unwrap();
            let body = encryptor.encrypt(black_box(body), &SystemRandom).unwrap();
            (sum, body, encryptor.encrypt(black_box(&signature), &SystemRandom).unwrap())
        });
    });
    let key = SymmetricKey::from_bytes(&[7; 32]);
    let encryptor = Encryptor::new(DataEncryption::Aes256Cbc, &key).unwrap();
    let encrypted = [body, &signature].map(|plaintext| {
        let xml = encryptor.encrypted_data("_1", EncryptedType::Element, "", plaintext, &SystemRandom).unwrap();
        Document::parse(xml, &ParseOptions::default()).unwrap()
    });
    let policy = DecryptPolicy::exactly([DataEncryption::Aes256Cbc], []);
    let data = encrypted.each_ref().map(|document| EncryptedData::parse(document.root()).unwrap());
    group.bench_function("unprotect", |b| {
        b.iter(|| {
            let sum = hash(&mut [0; 32]);
            let plaintexts = data.each_ref().map(|data| data.clone().decrypt(black_box(&key), &policy).unwrap());
            (sum, plaintexts)
        });
    });
    group.finish();
}

/// A request for a security context, whose RSA operation is nearly all of it.
fn bootstrap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bootstrap message");
    let version = MessageSecurityVersion::default();
    let binding = SecurityBinding::user_name_for_certificate(version).unwrap();
    let (_, _, message, now) = given();
    let message = message.with_body(Body::canonical("<a></a>"));
    let random = DeterministicRandom::new(1);
    let (from, to) = ("2026-01-01T00:00:00Z".parse().unwrap(), "2027-01-01T00:00:00Z".parse().unwrap());
    let service = SigningIdentity::self_signed("s", KeyKind::Rsa { bits: 2048 }, from, to, &random).unwrap();
    let user_name = UserNameCredential::new("alice", "secret");
    let sender = Sender::client(&binding).with_peer_certificate(service.certificate()).with_user_name(&user_name);
    group.bench_function("protect", |b| {
        b.iter(|| sender.protect(black_box(&message), &SystemRandom, now).unwrap());
    });
    let mut binding = binding.clone();
    binding.local_service.detect_replays = false;
    let sent = sender.protect(&message, &SystemRandom, now).unwrap().envelope;
    let receiver = Receiver::service(&binding).with_identity(&service).with_user_names(&Anybody);
    group.bench_function("parse and unprotect", |b| {
        b.iter(|| {
            let document = Receiver::parse(black_box(sent.as_bytes()), &ParseOptions::default()).unwrap();
            receiver.open(document, &Expectation::request(), now).unwrap()
        });
    });
    let key = SymmetricKey::from_bytes(&[7; 32]);
    let public = service.certificate().public_key(&handstamp_keys::KeyPolicy::default()).unwrap();
    let oaep = handstamp_keys::transport::Oaep::default();
    let wrapped = oaep.encrypt(public, &key).unwrap();
    group.bench_function("RSA decryption alone", |b| {
        b.iter(|| oaep.decrypt(service.key(), black_box(&wrapped)).unwrap());
    });
    group.finish();
}

fn given() -> (SecurityBinding, ContextKey, Message, Timestamp) {
    let version = MessageSecurityVersion::default();
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.local_service.detect_replays = false;
    let context = ContextReference {
        generation: version.generation,
        identifier: "urn:uuid:55b79f64-51a3-4bb6-8785-49c7121b02c3".to_owned(),
        instance: None,
    };
    let token = SecurityContextToken {
        id: Some("uuid-884743bd-5c0d-4346-87da-384acd4c448d-84".to_owned()),
        context,
        cookie: Some(vec![5; 300]),
    };
    let context = ContextKey::new(token, SymmetricKey::from_bytes(&[7; 32])).unwrap();
    let item = r#"<item sku="4711"><name>Ledger, hard cover</name><price currency="EUR">12.50</price></item>"#;
    let content = format!(r#"<order xmlns="urn:shop">{}</order>"#, item.repeat(4096 / item.len()));
    let message = Message::request(
        SoapVersion::Soap12,
        AddressingVersion::V10,
        "http://tempuri.org/IEcho/Echo",
        "http://server.example/ledger",
        "urn:uuid:03f2e56d-96c5-4c29-beed-e428fafb07ab",
    );
    (binding, context, message.with_body(Body::canonical(content)), "2026-11-21T17:23:15.324Z".parse().unwrap())
}

struct OneSession(SymmetricKey);

impl SessionKeys for OneSession {
    fn by_token(&self, _token: &SecurityContextToken, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(self.0.clone())
    }

    fn by_reference(&self, _context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(self.0.clone())
    }
}

struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

criterion_group!(benches, session, floor, bootstrap);
criterion_main!(benches);
