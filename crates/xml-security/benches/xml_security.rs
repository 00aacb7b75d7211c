//! Parse, verify and decrypt: what one received message costs, and how much of that is the cryptography itself.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark fails by panicking")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use handstamp_keys::{Curve, DigestAlgorithm, HmacKey, KeyKind, PrivateKey, SymmetricKey, SystemRandom};
use handstamp_xml::{Document, ParseOptions, names};
use handstamp_xml_security::algorithm::{DataEncryption, DigestMethod, SignatureMethod};
use handstamp_xml_security::encryption::{DecryptPolicy, EncryptedType, Encryptor, decrypt_in_place};
use handstamp_xml_security::signature::{Place, Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};
use std::hint::black_box;

fn verify(criterion: &mut Criterion) {
    let options = ParseOptions::default();
    let mut group = criterion.benchmark_group("verify");

    let hmac = [7; 24];
    let message = soap_message(&hmac);
    let policy = VerifyPolicy::exactly([SignatureMethod::HmacSha1], [DigestMethod::Sha1]);
    group.throughput(Throughput::Bytes(message.len() as u64));
    group.bench_function("parse", |b| b.iter(|| Document::parse(black_box(message.as_str()), &options).unwrap()));
    group.bench_function("parse + verify HMAC-SHA1 over six parts", |b| {
        b.iter(|| {
            let document = Document::parse(black_box(message.as_str()), &options).unwrap();
            let header = document.root().child(names::SOAP12, "Header").unwrap();
            let signature = Signature::of_child(header.child(names::WSSE, "Security").unwrap()).unwrap().unwrap();
            signature.verify(VerificationKey::Symmetric(&hmac), &policy).unwrap().elements().len()
        });
    });
    group.bench_function("the same octets, hashing alone", |b| {
        let key = HmacKey::new(DigestAlgorithm::Sha1, &hmac);
        b.iter(|| {
            let parts = black_box(message.as_bytes()).chunks(message.len() / 6);
            parts.fold(0, |sum, part| sum ^ DigestAlgorithm::Sha1.digest(part).as_bytes()[0])
                ^ key.sign(&message.as_bytes()[..1600]).as_bytes()[0]
        });
    });

    for (name, kind, method) in [
        ("RSA-2048 SHA-256", KeyKind::Rsa { bits: 2048 }, SignatureMethod::RsaSha256),
        ("ECDSA P-256 SHA-256", KeyKind::Ec(Curve::P256), SignatureMethod::EcdsaSha256),
    ] {
        let key = PrivateKey::generate(kind).unwrap();
        let assertion = Document::parse(ASSERTION, &options).unwrap();
        let signer = Signer::new(method, SigningKey::Private(&key));
        let signed = signer.sign_enveloped("_a1", assertion.root(), Place::LastChild).unwrap();
        group.throughput(Throughput::Bytes(signed.len() as u64));
        group.bench_function(format!("parse + verify assertion, {name}"), |b| {
            b.iter(|| {
                let document = Document::parse(black_box(signed.as_str()), &options).unwrap();
                let signature = Signature::of_child(document.root()).unwrap().unwrap();
                let key = VerificationKey::Public(key.public_key());
                signature.verify(key, &VerifyPolicy::asymmetric()).unwrap().elements().len()
            });
        });
    }
    group.finish();
}

fn decrypt(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decrypt in place");
    for algorithm in [DataEncryption::Aes256Cbc, DataEncryption::Aes256Gcm] {
        let key = SymmetricKey::generate(32, &SystemRandom).unwrap();
        let body = format!("<Echo xmlns=\"http://tempuri.org/\"><text>{}</text></Echo>", "payload ".repeat(512));
        let data = Encryptor::new(algorithm, &key)
            .unwrap()
            .encrypted_data("ed", EncryptedType::Content, "", body.as_bytes(), &SystemRandom)
            .unwrap();
        let message = format!("<Body>{data}</Body>");
        group.throughput(Throughput::Bytes(message.len() as u64));
        group.bench_function(format!("4 KiB, {algorithm:?}"), |b| {
            b.iter(|| {
                let mut document = Document::parse(black_box(message.as_str()), &ParseOptions::default()).unwrap();
                let node = document.root().child(names::XENC, "EncryptedData").unwrap().id();
                decrypt_in_place(&mut document, node, &key, &DecryptPolicy::modern()).unwrap().len()
            });
        });
    }
    group.finish();
}

/// A SOAP message of about 5 KB whose addressing headers, timestamp and body are signed.
fn soap_message(key: &[u8]) -> String {
    let body = "0123456789abcdef".repeat(120);
    let template = format!(
        concat!(
            r#"<s:Envelope xmlns:s="{s}" xmlns:a="{a}" xmlns:u="{u}"><s:Header>"#,
            r#"<a:Action s:mustUnderstand="1" u:Id="_2">http://tempuri.org/IEcho/Echo</a:Action>"#,
            r#"<a:MessageID u:Id="_3">urn:uuid:1c8f5e2e-7f0a-4b0e-9a53-0c6a6b8f4f11</a:MessageID>"#,
            r#"<a:ReplyTo u:Id="_4"><a:Address>http://www.w3.org/2005/08/addressing/anonymous</a:Address></a:ReplyTo>"#,
            r#"<a:To s:mustUnderstand="1" u:Id="_5">http://localhost:8080/echo</a:To>"#,
            r#"<o:Security s:mustUnderstand="1" xmlns:o="{o}"><u:Timestamp u:Id="uuid-1"><u:Created>2030-01-01T00:00:00.000Z</u:Created>"#,
            r#"<u:Expires>2030-01-01T00:05:00.000Z</u:Expires></u:Timestamp>SIGNATURE</o:Security></s:Header>"#,
            r#"<s:Body u:Id="_1"><Echo xmlns="http://tempuri.org/"><text>{body}</text></Echo></s:Body></s:Envelope>"#,
        ),
        s = names::SOAP12,
        a = names::WSA,
        u = names::WSU,
        o = names::WSSE,
        body = body,
    );
    let unsigned = Document::parse(template.as_str(), &ParseOptions::default()).unwrap();
    let signer =
        Signer::new(SignatureMethod::HmacSha1, SigningKey::Symmetric(key)).with_digest_method(DigestMethod::Sha1);
    let references: Vec<_> = ["_1", "_2", "_3", "_4", "_5", "uuid-1"]
        .iter()
        .map(|id| signer.reference(id, unsigned.element_by_id(id).unwrap()))
        .collect();
    template.replace("SIGNATURE", &signer.sign(&references).unwrap())
}

const ASSERTION: &str = concat!(
    r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="_a1" Version="2.0" IssueInstant="2030-01-01T00:00:00Z">"#,
    r#"<saml:Issuer>https://sts.contoso.example/trust</saml:Issuer><saml:Subject><saml:NameID>alice</saml:NameID></saml:Subject>"#,
    r#"<saml:AttributeStatement><saml:Attribute Name="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name">"#,
    r#"<saml:AttributeValue>alice@contoso.example</saml:AttributeValue></saml:Attribute></saml:AttributeStatement></saml:Assertion>"#,
);

criterion_group!(benches, verify, decrypt);
criterion_main!(benches);
