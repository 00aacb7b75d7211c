//! What a sign-in costs: the POST at the relying party until there is a principal, and the signed form at the issuer.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use handstamp_keys::{
    Certificate, CertificateTrust, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom,
};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TrustedIssuer, ValidationSettings, Version};
use handstamp_testkit::vectors;
use handstamp_ws_federation::{
    Issuer, IssuerSettings, Limits, Parameters, RelyingParty, RelyingPartySettings, RelyingPartyTrust, SignInOptions,
};
use std::hint::black_box;
use std::sync::Arc;
use support::{REALM, REPLY, STS, alice, query_of, to};

/// RSA with 2048 bits, as most issuers have.
fn signing() -> SigningIdentity {
    let read = |file: &str| std::fs::read(vectors::path(&format!("saml/{file}"))).unwrap();
    let pem = [read("sts-key.pem"), read("sts-certificate.pem")].concat();
    SigningIdentity::from_pem(&pem, &KeyPolicy::default()).unwrap()
}

fn sign_in(criterion: &mut Criterion) {
    let now = "2030-01-01T08:00:00Z".parse().unwrap();
    let signing = Arc::new(signing());
    let certificate: &Certificate = signing.certificate();
    let pinned = CertificateTrust::none().with_certificate(certificate);
    let keys = KeyRing::in_memory(RotationPolicy::default(), now, &SystemRandom).unwrap();
    let tokens = SamlTokenHandler::new(
        IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("sts", pinned)),
        ValidationSettings::new([REALM]),
    );
    let relying_party = RelyingParty::new(RelyingPartySettings::new(STS, REALM), tokens, Arc::new(keys)).unwrap();
    let mut group = criterion.benchmark_group("sign-in");
    for version in [Version::Saml11, Version::Saml20] {
        let mut trust = RelyingPartyTrust::new(REALM, [REPLY]);
        trust.token_version = version;
        let settings = IssuerSettings::new("https://sts.example/trust", STS);
        let issuer = Issuer::new(settings, Arc::clone(&signing), vec![trust]).unwrap();
        let options: SignInOptions = to("/orders");
        let challenge = relying_party.begin_sign_in(options, [], now, &SystemRandom).unwrap();
        let cookies: Vec<(&str, &str)> =
            challenge.cookies.iter().map(|cookie| (cookie.name.as_str(), cookie.value.as_str())).collect();
        let query = query_of(&challenge.location);
        let task = issuer.receive_sign_in_request(&query).unwrap();
        let identity = alice(now);
        let form = issuer.respond(&task, &identity, now, &SystemRandom).unwrap();
        let body = form.parameters.to_query_string();
        group.bench_function(format!("POST to principal, {version}"), |bencher| {
            bencher.iter(|| {
                let fields = Parameters::parse(black_box(&body), &Limits::default()).unwrap();
                let unconfirmed =
                    relying_party.receive_sign_in_response("POST", &fields, cookies.iter().copied(), now).unwrap();
                unconfirmed.confirm(true).unwrap()
            });
        });
        group.bench_function(format!("request to signed form, {version}"), |bencher| {
            bencher.iter(|| {
                let task = issuer.receive_sign_in_request(black_box(&query)).unwrap();
                issuer.respond(&task, &identity, now, &SystemRandom).unwrap()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sign_in);
criterion_main!(benches);
