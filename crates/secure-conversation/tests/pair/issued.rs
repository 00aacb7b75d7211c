//! Sessions of callers who show a token of a token service.

use crate::support::{
    PARTIES, Pair, VERSIONS, client_builder, hours, minutes, sender, service_builder, start, stateful, stateless,
};
use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_types, value_types};
use handstamp_keys::{CertificateTrust, Curve, DeterministicRandom, KeyKind, KeyPolicy, SigningIdentity, SymmetricKey};
use handstamp_saml::{
    Assertion, IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TokenDescriptor, TokenEncryption, TrustedIssuer,
    ValidationSettings, Version,
};
use handstamp_secure_conversation::{Error, SamlTokens, SecureConversationService};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    ClaimTypeRequirement, IssuedKeyType, IssuedProof, IssuedToken, IssuedTokenParameters, MemoryReplayCache,
    MessageSecurityVersion, SecurityBinding,
};
use handstamp_xml::{Document, ParseOptions, names};
use std::sync::{Arc, LazyLock};

const AUDIENCE: &str = "urn:echo";

static ISSUER: LazyLock<SigningIdentity> = LazyLock::new(|| issuer(1));

fn issuer(seed: u64) -> SigningIdentity {
    let (from, to) = (start(), start().saturating_add(hours(10_000)));
    SigningIdentity::self_signed("sts", KeyKind::Ec(Curve::P256), from, to, &DeterministicRandom::new(seed)).unwrap()
}

/// What an issuer was told to say.
#[derive(Clone)]
struct Said<'i> {
    version: Version,
    key_type: IssuedKeyType,
    audience: &'static str,
    issued_at: Timestamp,
    by: &'i SigningIdentity,
    subject: &'static str,
    role: &'static str,
    /// The key that the issuer puts into the assertion, and the one that the client uses.
    keys: [SymmetricKey; 2],
}

impl Default for Said<'_> {
    fn default() -> Self {
        let key = SymmetricKey::from_bytes(&[9; 32]);
        Self {
            version: Version::Saml20,
            key_type: IssuedKeyType::Symmetric,
            audience: AUDIENCE,
            issued_at: start(),
            by: &ISSUER,
            subject: "alice",
            role: "teller",
            keys: [key.clone(), key],
        }
    }
}

impl Said<'_> {
    /// A token for the subject, for an hour.
    fn token(&self) -> IssuedToken {
        let (assertion, proof) = self.assertion();
        held_by(&assertion, proof)
    }

    /// The assertion, and what its holder has.
    fn assertion(&self) -> (String, IssuedProof) {
        let subject = ClaimsIdentity::new("Password")
            .with_claim(Claim::new(claim_types::NAME, self.subject))
            .with_claim(Claim::new(claim_types::ROLE, self.role))
            .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD))
            .with_claim(
                Claim::new(claim_types::AUTHENTICATION_INSTANT, self.issued_at.to_string())
                    .with_value_type(value_types::DATE_TIME),
            );
        let descriptor = TokenDescriptor {
            version: self.version,
            issuer: "urn:sts".into(),
            audience: self.audience.into(),
            issued_at: self.issued_at,
            not_before: self.issued_at,
            not_on_or_after: self.issued_at.saturating_add(hours(1)),
            recipient: None,
        };
        let assertion = Assertion::from_identity(&subject, &descriptor, &DeterministicRandom::new(4)).unwrap();
        let (assertion, proof) = match self.key_type {
            IssuedKeyType::Symmetric => {
                let recipient = PARTIES.service.certificate().clone();
                let encryption = TokenEncryption::new(recipient, &KeyPolicy::default()).unwrap();
                let key_info = encryption.key_info(&self.keys[0]).unwrap();
                (assertion.for_holder_of_key(key_info), IssuedProof::Symmetric(self.keys[1].clone()))
            }
            IssuedKeyType::Asymmetric => {
                let key_info = format!(
                    "<KeyInfo xmlns=\"{}\"><X509Data><X509Certificate>{}</X509Certificate></X509Data></KeyInfo>",
                    names::DSIG,
                    PARTIES.client.certificate().to_base64()
                );
                (assertion.for_holder_of_key(key_info), IssuedProof::Private(PARTIES.client.key().clone()))
            }
            IssuedKeyType::Bearer => (assertion, IssuedProof::Bearer),
        };
        (assertion.sign(self.by).unwrap(), proof)
    }
}

fn held_by(assertion: &str, proof: IssuedProof) -> IssuedToken {
    IssuedToken::new(Document::parse(assertion, &ParseOptions::default()).unwrap().root(), proof).unwrap()
}

fn handler() -> SamlTokenHandler {
    let pinned = CertificateTrust::none().with_sha256(*ISSUER.certificate().sha256_thumbprint());
    let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("contoso", pinned));
    SamlTokenHandler::new(issuers, ValidationSettings::new([AUDIENCE]))
        .with_decryption(TokenDecryption::new([PARTIES.service.clone()]))
}

fn tokens(binding: &SecurityBinding) -> SamlTokens {
    SamlTokens::new(handler(), binding).unwrap()
}

fn service(binding: &SecurityBinding) -> SecureConversationService {
    service_builder(binding).issued_tokens(Arc::new(tokens(binding))).build().unwrap()
}

fn pair(binding: &SecurityBinding, said: &Said<'_>) -> Pair {
    Pair::of(service(binding), client_builder(binding).issued_token(said.token()).build().unwrap())
}

fn parameters(key_type: IssuedKeyType) -> IssuedTokenParameters {
    IssuedTokenParameters { key_type, ..IssuedTokenParameters::default() }
}

/// Every bootstrap that takes an issued token, and the kind of its key.
fn bootstraps(version: MessageSecurityVersion) -> Vec<(SecurityBinding, IssuedKeyType)> {
    use IssuedKeyType::{Asymmetric, Bearer, Symmetric};
    let mut bootstraps = vec![(SecurityBinding::issued_token(version, parameters(Symmetric)).unwrap(), Symmetric)];
    for key_type in [Symmetric, Asymmetric, Bearer] {
        let issued = parameters(key_type);
        bootstraps.push((SecurityBinding::issued_token_for_certificate(version, issued.clone()).unwrap(), key_type));
        bootstraps.push((SecurityBinding::issued_token_over_transport(version, issued), key_type));
    }
    bootstraps
}

/// What the service says to itself about a request for a session, and to the client.
fn refusal(binding: &SecurityBinding, said: &Said<'_>, now: Timestamp) -> String {
    let mut pair = pair(binding, said);
    pair.now = now;
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    let (_, _, name) = wire.code();
    assert!(!wire.is_secured());
    format!("{name}: {}", wire.refusal())
}

#[test]
fn sc_6_sessions_of_issued_tokens_work_in_every_mode_and_survive_a_restart_with_the_caller() {
    for version in VERSIONS {
        for (bootstrap, key_type) in bootstraps(version) {
            for saml in [Version::Saml11, Version::Saml20] {
                let said = Said { version: saml, key_type, ..Said::default() };
                let binding = stateful(bootstrap.clone());
                let mut pair = pair(&binding, &said);
                pair.works();
                pair.service = service(&binding);
                pair.works();
                // The token is over, the session is not.
                pair.pass(hours(2));
                pair.works();
                assert_eq!(pair.service.sessions(pair.now)[0].caller.as_deref(), Some("alice"));
            }
        }
    }
}

#[test]
fn sc_4_3_the_key_of_a_session_is_renewed_under_the_token() {
    for (bootstrap, key_type) in bootstraps(MessageSecurityVersion::default()) {
        let mut binding = stateless(bootstrap);
        binding.local_service.session_key_renewal_interval = Some(minutes(20));
        binding.local_client.session_key_renewal_interval = Some(minutes(10));
        binding.local_service.session_key_rollover_interval = minutes(5);
        binding.local_client.session_key_rollover_interval = minutes(5);
        let mut pair = pair(&binding, &Said { key_type, ..Said::default() });
        pair.works();
        for _ in 0..3 {
            pair.pass(minutes(9));
            pair.works();
        }
        assert!(pair.service.sessions(pair.now)[0].renewals > 0);
        pair.close().unwrap();
    }
}

/// A token obtained anew says of its subject that it signed in later, and may say other things of it.
#[test]
fn sc_39_a_key_is_renewed_under_a_new_token_of_the_same_subject_and_of_no_other() {
    for (bootstrap, key_type) in bootstraps(MessageSecurityVersion::default()) {
        for version in [Version::Saml11, Version::Saml20] {
            let first = Said { version, key_type, ..Said::default() };
            let mut pair = pair(&stateless(bootstrap.clone()), &first);
            pair.works();
            pair.pass(minutes(5));
            let later = Said { issued_at: pair.now, role: "auditor", ..first };
            pair.client.replace_issued_token(later.token());
            pair.establish().unwrap();
            pair.works();
            assert_eq!(pair.service.sessions(pair.now)[0].renewals, 1);
            pair.client.replace_issued_token(Said { subject: "mallory", ..later }.token());
            let renewal = pair.client.establish(pair.now, &pair.random).unwrap();
            assert!(pair.deliver(renewal.envelope()).refusal().contains("caller"), "{key_type:?}");
        }
    }
}

#[test]
fn sm_28_a_token_for_another_audience_or_time_or_of_another_issuer_opens_nothing() {
    let stranger = issuer(2);
    for (bootstrap, key_type) in bootstraps(MessageSecurityVersion::default()) {
        let good = Said { key_type, ..Said::default() };
        let binding = stateful(bootstrap);
        for (said, now, problem) in [
            (Said { audience: "urn:other", ..good.clone() }, start(), "urn:other"),
            (good.clone(), start().saturating_add(hours(2)), "has expired"),
            (Said { issued_at: start().saturating_add(hours(1)), ..good.clone() }, start(), "not yet valid"),
            (Said { by: &stranger, ..good.clone() }, start(), "not that of a trusted issuer"),
        ] {
            let refusal = refusal(&binding, &said, now);
            assert!(refusal.contains(problem), "{key_type:?}: {refusal}");
        }
    }
}

#[test]
fn sc_14_8_a_bearer_is_no_holder_of_a_key_and_a_holder_no_bearer() {
    use IssuedKeyType::{Asymmetric, Bearer, Symmetric};
    let version = MessageSecurityVersion::default();
    for (asked, shown) in [
        (Symmetric, Bearer),
        (Symmetric, Asymmetric),
        (Asymmetric, Bearer),
        (Asymmetric, Symmetric),
        (Bearer, Symmetric),
    ] {
        let said = Said { key_type: shown, ..Said::default() };
        let of_service = stateful(SecurityBinding::issued_token_over_transport(version, parameters(asked)));
        let of_client = stateful(SecurityBinding::issued_token_over_transport(version, parameters(shown)));
        let mut pair = pair(&of_client, &said);
        pair.service = service(&of_service);
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert!(wire.refusal().contains("keyType asks for"), "{asked:?} {shown:?}: {}", wire.refusal());
    }
}

#[test]
fn sc_6_whoever_has_the_token_without_its_key_is_refused() {
    let said = Said { keys: [9, 8].map(|octet| SymmetricKey::from_bytes(&[octet; 32])), ..Said::default() };
    for (bootstrap, key_type) in bootstraps(MessageSecurityVersion::default()) {
        if key_type == IssuedKeyType::Symmetric {
            let refusal = refusal(&stateful(bootstrap), &said, start());
            assert!(refusal.starts_with("InvalidSecurity"), "{refusal}");
        }
    }
    // Another holder's private key.
    let asymmetric = IssuedKeyType::Asymmetric;
    let version = MessageSecurityVersion::default();
    let binding = stateful(SecurityBinding::issued_token_over_transport(version, parameters(asymmetric)));
    let said = Said { key_type: asymmetric, ..Said::default() };
    let mut pair = pair(&binding, &said);
    let stolen = held_by(&said.assertion().0, IssuedProof::Private(PARTIES.service.key().clone()));
    pair.client.replace_issued_token(stolen);
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(exchange.envelope()).code().2, "InvalidSecurity");
}

#[test]
fn sm_28_a_token_that_was_changed_is_refused() {
    let version = MessageSecurityVersion::default();
    let bearer = IssuedKeyType::Bearer;
    let binding = stateful(SecurityBinding::issued_token_over_transport(version, parameters(bearer)));
    let mut pair = pair(&binding, &Said { key_type: bearer, ..Said::default() });
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let changed = exchange.envelope().replace(">alice<", ">admin<");
    assert_ne!(changed, exchange.envelope());
    let wire = pair.deliver(&changed);
    assert_eq!(wire.code(), sender(names::WSSE, "FailedAuthentication"));
    assert!(wire.refusal().contains("signature"), "{}", wire.refusal());
}

#[test]
fn sc_81_a_message_with_a_token_counts_once() {
    for (bootstrap, key_type) in bootstraps(MessageSecurityVersion::default()) {
        if bootstrap.is_transport() {
            continue;
        }
        let mut pair = pair(&stateful(bootstrap), &Said { key_type, ..Said::default() });
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        assert!(pair.deliver(exchange.envelope()).fault.is_none());
        let wire = pair.deliver(exchange.envelope());
        assert!(wire.refusal().contains("replay"), "{key_type:?}: {}", wire.refusal());
    }
}

#[test]
fn sm_38_a_bearer_is_admitted_once_where_that_is_wanted() {
    let version = MessageSecurityVersion::default();
    for key_type in [IssuedKeyType::Bearer, IssuedKeyType::Symmetric] {
        let binding = stateful(SecurityBinding::issued_token_over_transport(version, parameters(key_type)));
        let seen = Arc::new(MemoryReplayCache::new(100));
        let mut pair = pair(&binding, &Said { key_type, ..Said::default() });
        pair.service = service_builder(&binding)
            .issued_tokens(Arc::new(tokens(&binding).refusing_repeated_bearers(seen)))
            .build()
            .unwrap();
        pair.works();
        pair.client.forget();
        let second = pair.establish();
        match key_type {
            IssuedKeyType::Bearer => assert!(matches!(second, Err(Error::Fault { .. })), "{second:?}"),
            // Its holder proves anew to hold the key.
            _ => second.unwrap(),
        }
    }
}

/// A message that was tampered with, and that anybody on the line can deliver first, does not use up the bearer in it.
#[test]
fn sm_38_a_bearer_counts_when_its_message_was_verified() {
    let version = MessageSecurityVersion::default();
    let bearer = IssuedKeyType::Bearer;
    let binding = stateful(SecurityBinding::issued_token_for_certificate(version, parameters(bearer)).unwrap());
    let mut pair = pair(&binding, &Said { key_type: bearer, ..Said::default() });
    let seen = Arc::new(MemoryReplayCache::new(100));
    let tokens = tokens(&binding).refusing_repeated_bearers(seen);
    pair.service = service_builder(&binding).issued_tokens(Arc::new(tokens)).build().unwrap();
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let (before, body) = exchange.envelope().split_once("<s:Body").unwrap();
    let tampered = format!("{before}<s:Body{}", body.replacen("CipherValue>", "CipherValue>AAAA", 1));
    assert_eq!(pair.deliver(&tampered).code().2, "InvalidSecurity");
    pair.exchange(exchange).unwrap();
    pair.works();
    pair.client.forget();
    let second = pair.client.establish(pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(second.envelope()).code(), sender(names::WSSE, "FailedAuthentication"));
}

#[test]
fn sc_14_8_the_token_has_to_be_what_the_parameters_ask_for() {
    let version = MessageSecurityVersion::default();
    let claim = |claim_type: &str, is_optional| ClaimTypeRequirement { claim_type: claim_type.to_owned(), is_optional };
    let with = |change: &dyn Fn(&mut IssuedTokenParameters)| {
        let mut parameters = parameters(IssuedKeyType::Symmetric);
        change(&mut parameters);
        stateful(SecurityBinding::issued_token(version, parameters).unwrap())
    };
    let said = Said::default();
    let lacks = with(&|parameters| parameters.claim_types = vec![claim("urn:badge", false)]);
    assert!(refusal(&lacks, &said, start()).contains("urn:badge"));
    let other = with(&|parameters| parameters.token_type = Some(Version::Saml11.token_type().to_owned()));
    assert!(refusal(&other, &said, start()).contains("tokenType"));
    let fits = with(&|parameters| {
        parameters.claim_types = vec![claim(&claim_types::NAME, false), claim("urn:badge", true)];
        parameters.token_type = Some(Version::Saml20.token_type().to_owned());
    });
    pair(&fits, &said).works();
}

#[test]
fn sc_96_a_binding_without_issued_tokens_accepts_none() {
    let binding = stateful(SecurityBinding::user_name_over_transport(MessageSecurityVersion::default()));
    assert!(matches!(SamlTokens::new(handler(), &binding), Err(Error::Configuration(_))));
}

#[test]
fn sm_30_a_proof_key_for_another_service_opens_nothing() {
    let version = MessageSecurityVersion::default();
    let binding = stateful(SecurityBinding::issued_token(version, parameters(IssuedKeyType::Symmetric)).unwrap());
    let mut pair = pair(&binding, &Said::default());
    let other = handler().with_decryption(TokenDecryption::new([PARTIES.client.clone()]));
    let other = SamlTokens::new(other, &binding).unwrap();
    pair.service = service_builder(&binding).issued_tokens(Arc::new(other)).build().unwrap();
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    assert_eq!(wire.code(), sender(names::WSSE, "FailedAuthentication"));
    assert!(wire.refusal().contains("thumbprint"), "{}", wire.refusal());
}
