//! A client that obtains a token of a token service and opens a session with it: three parties and one clock.

use crate::support::{
    ADDRESS, PARTIES, Pair, T05, VERSIONS, WSSE, client_builder, hours, minutes, sender, service_builder, start,
    stateful,
};
use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_types};
use handstamp_keys::{CertificateTrust, DeterministicRandom, KeyPolicy};
use handstamp_saml::{
    IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TokenEncryption, TrustedIssuer, ValidationSettings, Version,
};
use handstamp_secure_conversation::{
    Answer, Error, Event, Incoming, ObtainedToken, SamlTokens, TokenClient, TokenExchange, TokenGrant, TokenHandled,
    TokenRefusal, TokenService,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::Fault;
use handstamp_ws_security::{
    ClaimTypeRequirement, Generation, IssuedKeyType, IssuedTokenParameters, MessageSecurityVersion, SecurityBinding,
    UserNameCredential,
};
use handstamp_xml::names;
use std::sync::Arc;

const ISSUER: &str = "https://sts.example/trust";

/// The token service: it has one relying party, and alice. Its certificate is that of the recordings' client.
struct Sts {
    service: TokenService,
    encryption: Option<TokenEncryption>,
    random: DeterministicRandom,
}

impl Sts {
    fn new(binding: &SecurityBinding) -> Self {
        let recipient = PARTIES.service.certificate().clone();
        Self {
            service: TokenService::new(binding.clone(), ISSUER, Arc::new(PARTIES.client.clone())).unwrap(),
            encryption: Some(TokenEncryption::new(recipient, &KeyPolicy::default()).unwrap()),
            random: DeterministicRandom::new(5),
        }
    }

    fn answer(&self, envelope: &str, now: Timestamp) -> Answer {
        let handled = self.service.receive(Incoming::new(envelope).over_protected_channel(), now);
        let TokenHandled::Request(task) = handled else { return answered(handled) };
        let refuse = |refusal, reason: &str| self.service.refuse(&task, refusal, reason, now, &self.random);
        if (task.user_name(), task.password()) != ("alice", "secret") {
            return answered(refuse(TokenRefusal::FailedAuthentication, "wrong password"));
        }
        let Some(ADDRESS) = task.request().applies_to.as_deref() else {
            return answered(refuse(TokenRefusal::InvalidRequest, "no such relying party"));
        };
        // Two statements: who, and how.
        let alice = ClaimsIdentity::new("Password")
            .with_claim(Claim::new(claim_types::NAME, "alice"))
            .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD));
        let grant = TokenGrant {
            identity: &alice,
            audience: ADDRESS,
            version: Version::Saml11,
            lifetime: hours(1),
            encryption: self.encryption.as_ref(),
        };
        answered(self.service.grant(&task, &grant, now, &self.random))
    }
}

fn answered(handled: TokenHandled) -> Answer {
    match handled {
        TokenHandled::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn client(binding: &SecurityBinding, password: &str) -> TokenClient {
    TokenClient::builder(binding.clone(), ISSUER)
        .service_certificate(PARTIES.client.certificate().clone())
        .user_name(UserNameCredential::new("alice", password))
        .build()
        .unwrap()
}

fn ask(client: &TokenClient, wanted: &IssuedTokenParameters) -> TokenExchange {
    client.request(wanted, ADDRESS, start(), &DeterministicRandom::new(6)).unwrap()
}

fn obtain(binding: &SecurityBinding, wanted: &IssuedTokenParameters) -> Result<ObtainedToken, Error> {
    let client = client(binding, "secret");
    let exchange = ask(&client, wanted);
    let answer = Sts::new(binding).answer(exchange.envelope(), start());
    client.receive(&exchange, answer.envelope, start())
}

fn wanted(key_type: IssuedKeyType) -> IssuedTokenParameters {
    IssuedTokenParameters { key_type, ..IssuedTokenParameters::default() }
}

/// The bindings of the token service: over transport, and with message security.
fn bindings() -> Vec<SecurityBinding> {
    let of = |version| {
        [
            SecurityBinding::user_name_over_transport(version),
            SecurityBinding::user_name_for_certificate(version).unwrap(),
        ]
    };
    VERSIONS.into_iter().flat_map(of).collect()
}

fn service_of(binding: &SecurityBinding) -> handstamp_secure_conversation::SecureConversationService {
    let pinned = CertificateTrust::none().with_sha256(*PARTIES.client.certificate().sha256_thumbprint());
    // It was made in the evening of the day on which this plays.
    let pinned = pinned.allowing_expired_pins();
    let issuers = IssuerNameRegistry::new().with_issuer(TrustedIssuer::new("sts", pinned));
    let handler = SamlTokenHandler::new(issuers, ValidationSettings::new([ADDRESS]))
        .with_decryption(TokenDecryption::new([PARTIES.service.clone()]));
    let tokens = SamlTokens::new(handler, binding).unwrap();
    service_builder(binding).issued_tokens(Arc::new(tokens)).build().unwrap()
}

#[test]
fn wst_4_a_token_is_obtained_and_opens_a_session_that_survives_a_restart_with_the_caller() {
    use IssuedKeyType::{Bearer, Symmetric};
    for of_sts in bindings() {
        let version = of_sts.version;
        for (bootstrap, key_type) in [
            (SecurityBinding::issued_token(version, wanted(Symmetric)).unwrap(), Symmetric),
            (SecurityBinding::issued_token_for_certificate(version, wanted(Symmetric)).unwrap(), Symmetric),
            (SecurityBinding::issued_token_for_certificate(version, wanted(Bearer)).unwrap(), Bearer),
            (SecurityBinding::issued_token_over_transport(version, wanted(Symmetric)), Symmetric),
            (SecurityBinding::issued_token_over_transport(version, wanted(Bearer)), Bearer),
        ] {
            for saml in [None, Some(Version::Saml11), Some(Version::Saml20)] {
                let token_type = saml.map(|saml| saml.token_type().to_owned());
                let obtained = obtain(&of_sts, &IssuedTokenParameters { token_type, ..wanted(key_type) }).unwrap();
                assert_eq!(obtained.lifetime.unwrap().expires, start().saturating_add(hours(1)));
                let binding = stateful(bootstrap.clone());
                let client = client_builder(&binding).issued_token(obtained.token).build().unwrap();
                let mut pair = Pair::of(service_of(&binding), client);
                pair.works();
                pair.service = service_of(&binding);
                pair.pass(hours(2));
                pair.works();
            }
        }
    }
}

#[test]
fn wst_4_4_the_key_is_computed_of_what_both_ends_contribute_or_made_by_the_service() {
    for mode in [handstamp_ws_security::KeyEntropyMode::Combined, handstamp_ws_security::KeyEntropyMode::Server] {
        let mut of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::default());
        of_sts.key_entropy = mode;
        let bootstrap = SecurityBinding::issued_token(of_sts.version, wanted(IssuedKeyType::Symmetric)).unwrap();
        let obtained = obtain(&of_sts, &wanted(IssuedKeyType::Symmetric)).unwrap();
        let binding = stateful(bootstrap);
        let client = client_builder(&binding).issued_token(obtained.token).build().unwrap();
        Pair::of(service_of(&binding), client).works();
    }
}

#[test]
fn wst_4_4_answers_have_the_children_and_the_action_of_their_generation() {
    for of_sts in bindings().into_iter().filter(SecurityBinding::is_transport) {
        let client = client(&of_sts, "secret");
        let exchange = ask(&client, &wanted(IssuedKeyType::Symmetric));
        let answer = Sts::new(&of_sts).answer(exchange.envelope(), start());
        let (action, collection) = match of_sts.version.generation {
            Generation::February2005 => (format!("{}/RSTR/Issue", names::WST_2005), false),
            Generation::V13 => (format!("{}/RSTRC/IssueFinal", names::WST_13), true),
        };
        assert!(answer.envelope.contains(&action), "{}", answer.envelope);
        assert_eq!(answer.envelope.contains("RequestSecurityTokenResponseCollection"), collection);
        for part in [
            "SAMLAssertionID",
            "RequestedAttachedReference",
            "RequestedUnattachedReference",
            "ComputedKey",
            "KeySize>256<",
        ] {
            assert!(answer.envelope.contains(part), "{part}: {}", answer.envelope);
        }
        assert!(matches!(answer.event, Event::TokenIssued { caller: Some(caller), .. } if caller == "alice"));
    }
}

fn code(fault: Option<Fault>) -> String {
    fault.and_then(|fault| fault.subcode).map(|subcode| subcode.local_name).unwrap_or_default()
}

#[test]
fn wst_11_whom_the_token_service_does_not_serve_is_told_by_a_fault() {
    for of_sts in bindings() {
        let sts = Sts::new(&of_sts);
        let symmetric = wanted(IssuedKeyType::Symmetric);
        let wrong_password = ask(&client(&of_sts, "wrong"), &symmetric);
        let answer = sts.answer(wrong_password.envelope(), start());
        let told = answer.fault.as_ref().and_then(|fault| fault.subcode.clone()).unwrap();
        assert_eq!((told.namespace.as_str(), told.local_name.as_str()), (T05, "FailedAuthentication"));
        // Protected like any answer: the client may believe it.
        let problem = client(&of_sts, "wrong").receive(&wrong_password, answer.envelope, start()).unwrap_err();
        assert!(matches!(problem, Error::Fault { is_authenticated: true, .. }), "{problem}");

        let client = client(&of_sts, "secret");
        let random = DeterministicRandom::new(6);
        let other_party = client.request(&symmetric, "https://other.example/", start(), &random).unwrap();
        assert_eq!(code(sts.answer(other_party.envelope(), start()).fault), "InvalidRequest");
        let other_type = IssuedTokenParameters { token_type: Some("urn:jwt".into()), ..symmetric.clone() };
        assert_eq!(code(sts.answer(ask(&client, &other_type).envelope(), start()).fault), "InvalidRequest");
        let without_certificate = Sts { encryption: None, ..Sts::new(&of_sts) };
        assert_eq!(
            code(without_certificate.answer(ask(&client, &symmetric).envelope(), start()).fault),
            "InvalidRequest"
        );
        // Too late.
        let stale = sts.answer(ask(&client, &symmetric).envelope(), start().saturating_add(hours(1)));
        assert_eq!(code(stale.fault), "InvalidSecurity");
    }
}

#[test]
fn sc_81_a_request_for_a_token_counts_once_under_message_security() {
    let of_sts = SecurityBinding::user_name_for_certificate(MessageSecurityVersion::default()).unwrap();
    let (sts, client) = (Sts::new(&of_sts), client(&of_sts, "secret"));
    let exchange = ask(&client, &wanted(IssuedKeyType::Symmetric));
    assert_eq!(sts.answer(exchange.envelope(), start()).fault, None);
    let again = sts.answer(exchange.envelope(), start().saturating_add(minutes(1)));
    let told = again.fault.and_then(|fault| fault.subcode).unwrap();
    assert_eq!((told.namespace.as_str(), told.local_name.as_str()), (WSSE, sender(WSSE, "InvalidSecurity").2.as_str()));
}

#[test]
fn wst_4_1_a_request_in_the_other_version_of_ws_trust_is_refused() {
    let [old, new] = VERSIONS;
    let sts = Sts::new(&SecurityBinding::user_name_over_transport(old));
    let client = client(&SecurityBinding::user_name_over_transport(new), "secret");
    let answer = sts.answer(ask(&client, &wanted(IssuedKeyType::Bearer)).envelope(), start());
    assert_eq!(code(answer.fault), "InvalidRequest");
}

#[test]
fn wst_4_4_a_client_refuses_what_it_did_not_ask_for() {
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::default());
    let (sts, client) = (Sts::new(&of_sts), client(&of_sts, "secret"));
    let symmetric = ask(&client, &wanted(IssuedKeyType::Symmetric));
    let good = sts.answer(symmetric.envelope(), start()).envelope;
    assert!(client.receive(&symmetric, good.as_str(), start()).is_ok());
    let without_token = good.replace("RequestedSecurityToken>", "RequestedOther>");
    let without_proof = good.replace("RequestedProofToken>", "RequestedOther>");
    let shorter = good.replace("KeySize>256<", "KeySize>64<");
    for changed in [without_token, without_proof, shorter] {
        assert!(matches!(client.receive(&symmetric, changed, start()), Err(Error::Trust { .. })));
    }
    // An answer to another request.
    let bearer = ask(&client, &wanted(IssuedKeyType::Bearer));
    assert!(matches!(client.receive(&bearer, good, start()), Err(Error::Security(_))));
}

#[test]
fn sc_14_8_claims_and_additional_parameters_are_passed_on() {
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::default());
    let parameters = IssuedTokenParameters {
        claim_types: vec![ClaimTypeRequirement { claim_type: "urn:badge".into(), is_optional: true }],
        additional: vec!["<x xmlns=\"urn:x\">1</x>".into()],
        ..wanted(IssuedKeyType::Bearer)
    };
    let exchange = ask(&client(&of_sts, "secret"), &parameters);
    for part in ["Uri=\"urn:badge\"", "<x xmlns=\"urn:x\">1</x>"] {
        assert!(exchange.envelope().contains(part), "{}", exchange.envelope());
    }
}

#[test]
fn sc_14_9_bindings_that_a_token_service_cannot_have_are_refused() {
    let version = MessageSecurityVersion::default();
    let user_name = SecurityBinding::user_name_over_transport(version);
    for binding in [
        SecurityBinding::certificate_over_transport(version),
        SecurityBinding::mutual_certificate(version),
        SecurityBinding::anonymous_for_certificate(version).unwrap(),
        stateful(user_name.clone()),
    ] {
        let problem = TokenService::new(binding, ISSUER, Arc::new(PARTIES.client.clone())).unwrap_err();
        assert!(problem.to_string().contains("UserNameOverTransport"), "{problem}");
    }
    let problem = TokenClient::builder(user_name.clone(), ISSUER).build().unwrap_err();
    assert!(problem.to_string().contains("password"), "{problem}");
    assert!(TokenClient::builder(stateful(user_name.clone()), ISSUER).build().is_err());
    let asymmetric = wanted(IssuedKeyType::Asymmetric);
    let client = client(&user_name, "secret");
    assert!(matches!(
        client.request(&asymmetric, ADDRESS, start(), &DeterministicRandom::new(6)),
        Err(Error::Configuration(_))
    ));
}
