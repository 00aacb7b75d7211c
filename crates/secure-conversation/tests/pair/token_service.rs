//! A client that obtains a token of a token service and opens a session with it: three parties and one clock.

use crate::support::{
    ADDRESS, PARTIES, Pair, VERSIONS, WSSE, client_builder, hours, minutes, sender, service_builder, start, stateful,
};
use handstamp_claims::{Claim, ClaimsIdentity, authentication_methods, claim_types};
use handstamp_keys::{CertificateTrust, DeterministicRandom, KeyKind, KeyPolicy, SigningIdentity};
use handstamp_saml::{
    IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TokenEncryption, TrustedIssuer, ValidationSettings, Version,
};
use handstamp_secure_conversation::{
    AddressLimits, AddressUse, Allowance, Answer, Error, Event, Incoming, ObtainedToken, Requestor, SamlTokens,
    TokenClient, TokenClientBuilder, TokenExchange, TokenGrant, TokenHandled, TokenRefusal, TokenService,
    TokenServiceBuilder,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Fault, FaultCode};
use handstamp_ws_security::{
    AuthenticationMode, ClaimTypeRequirement, Generation, IssuedKeyType, IssuedProof, IssuedToken,
    IssuedTokenParameters, MessageSecurityVersion, SecurityBinding, UserNameCredential,
};
use handstamp_xml::{Document, ParseOptions, names};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const ISSUER: &str = "https://sts.example/trust";

/// A certificate and key of alice's own.
static HOLDER: LazyLock<SigningIdentity> = LazyLock::new(|| {
    let (from, to, random) = (start(), start().saturating_add(hours(1000)), DeterministicRandom::new(3));
    SigningIdentity::self_signed("alice", KeyKind::Rsa { bits: 2048 }, from, to, &random).unwrap()
});

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
            service: builder(binding).build().unwrap(),
            encryption: Some(TokenEncryption::new(recipient, &KeyPolicy::default()).unwrap()),
            random: DeterministicRandom::new(5),
        }
    }

    fn answer(&self, envelope: &str, now: Timestamp) -> Answer {
        let handled = self.service.receive(Incoming::new(envelope).over_protected_channel(), now);
        let TokenHandled::Request(task) = handled else { return answered(handled) };
        let refuse = |refusal, reason: &str| self.service.refuse(&task, refusal, reason, now, &self.random);
        let is_alice = match task.requestor().unwrap() {
            Requestor::UserName { name, password } => (name, password) == ("alice", "secret"),
            Requestor::Certificate(certificate) => certificate == HOLDER.certificate(),
        };
        if !is_alice {
            return answered(refuse(TokenRefusal::FailedAuthentication, "wrong password"));
        }
        let Some(ADDRESS) = task.request().applies_to.as_deref() else {
            return answered(refuse(TokenRefusal::InvalidScope, "no such relying party"));
        };
        // Two statements: who, and how.
        let alice = ClaimsIdentity::new("Password")
            .with_claim(Claim::new(claim_types::NAME, "alice"))
            .with_claim(Claim::new(claim_types::AUTHENTICATION_METHOD, authentication_methods::PASSWORD));
        let grant = TokenGrant {
            identity: alice,
            audience: ADDRESS.to_owned(),
            version: Version::Saml11,
            lifetime: hours(1),
            encryption: self.encryption.clone(),
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

/// Its certificate is that of the recordings' client; it trusts that of alice.
fn builder(binding: &SecurityBinding) -> TokenServiceBuilder {
    TokenService::builder(binding.clone(), ISSUER, Arc::new(PARTIES.client.clone()))
        .trust(CertificateTrust::none().with_certificate(HOLDER.certificate()))
}

fn client_builder_of(binding: &SecurityBinding, password: &str) -> TokenClientBuilder {
    TokenClient::builder(binding.clone(), ISSUER)
        .service_certificate(PARTIES.client.certificate().clone())
        .user_name(UserNameCredential::new("alice", password))
}

fn client(binding: &SecurityBinding, password: &str) -> TokenClient {
    client_builder_of(binding, password).build().unwrap()
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
        assert_eq!(
            (told.namespace.as_str(), told.local_name.as_str()),
            (of_sts.version.generation.trust(), "FailedAuthentication")
        );
        // Protected like any answer: the client may believe it.
        let problem = client(&of_sts, "wrong").receive(&wrong_password, answer.envelope, start()).unwrap_err();
        assert!(matches!(problem, Error::Fault { is_authenticated: true, .. }), "{problem}");

        let client = client(&of_sts, "secret");
        let random = DeterministicRandom::new(6);
        let other_party = client.request(&symmetric, "https://other.example/", start(), &random).unwrap();
        assert_eq!(code(sts.answer(other_party.envelope(), start()).fault), "InvalidScope");
        let other_type = IssuedTokenParameters { token_type: Some("urn:jwt".into()), ..symmetric.clone() };
        assert_eq!(code(sts.answer(ask(&client, &other_type).envelope(), start()).fault), "RequestFailed");
        let without_certificate = Sts { encryption: None, ..Sts::new(&of_sts) };
        assert_eq!(
            code(without_certificate.answer(ask(&client, &symmetric).envelope(), start()).fault),
            "RequestFailed"
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
    let mode = |mode| SecurityBinding::for_mode(mode, version).unwrap();
    for binding in [
        SecurityBinding::anonymous_for_certificate(version).unwrap(),
        mode(AuthenticationMode::UserNameForSslNegotiated),
        mode(AuthenticationMode::IssuedTokenOverTransport),
        stateful(user_name.clone()),
    ] {
        let problem = builder(&binding).build().unwrap_err();
        assert!(problem.to_string().contains("UserNameOverTransport"), "{problem}");
    }
    let binding = SecurityBinding::certificate_over_transport(version);
    let problem = TokenService::builder(binding, ISSUER, Arc::new(PARTIES.client.clone())).build().unwrap_err();
    assert!(problem.to_string().contains("trusted"), "{problem}");
    let problem = TokenClient::builder(user_name.clone(), ISSUER).build().unwrap_err();
    assert!(problem.to_string().contains("password"), "{problem}");
    assert!(TokenClient::builder(stateful(user_name.clone()), ISSUER).build().is_err());
    // Assertions name RSA keys, and no others prove themselves.
    let (from, to, random) = (start(), start().saturating_add(hours(1)), DeterministicRandom::new(6));
    let curve = KeyKind::Ec(handstamp_keys::Curve::P256);
    let curve = SigningIdentity::self_signed("alice", curve, from, to, &random).unwrap();
    let client = client_builder_of(&user_name, "secret").identity(curve).build().unwrap();
    let problem = client.request(&wanted(IssuedKeyType::Asymmetric), ADDRESS, start(), &random).unwrap_err();
    assert!(problem.to_string().contains("RSA"), "{problem}");
}

/// The token opens sessions of every kind that takes it.
fn opens_sessions(version: MessageSecurityVersion, obtained: &ObtainedToken) {
    let asymmetric = wanted(IssuedKeyType::Asymmetric);
    for bootstrap in [
        SecurityBinding::issued_token_for_certificate(version, asymmetric.clone()).unwrap(),
        SecurityBinding::issued_token_over_transport(version, asymmetric),
    ] {
        let binding = stateful(bootstrap);
        let client = client_builder(&binding).issued_token(obtained.token.clone()).build().unwrap();
        let mut pair = Pair::of(service_of(&binding), client);
        pair.works();
        pair.service = service_of(&binding);
        pair.works();
        // Whoever has the token and another key gets nothing.
        let thief = IssuedProof::Private(PARTIES.service.key().clone());
        let assertion = Document::parse(obtained.token.to_xml(), &ParseOptions::default()).unwrap();
        pair.client.replace_issued_token(IssuedToken::new(assertion.root(), thief).unwrap());
        pair.client.forget();
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        assert_eq!(pair.deliver(exchange.envelope()).code(), sender(WSSE, "InvalidSecurity"));
    }
}

#[test]
fn wst_9_3_a_token_for_the_holder_of_a_private_key_names_the_key_or_its_certificate() {
    let asymmetric = wanted(IssuedKeyType::Asymmetric);
    for of_sts in bindings() {
        for identity in [None, Some(HOLDER.clone())] {
            let has_certificate = identity.is_some();
            let client = client_builder_of(&of_sts, "secret");
            let client = match identity {
                Some(identity) => client.identity(identity),
                None => client,
            };
            let client = client.build().unwrap();
            let exchange = ask(&client, &asymmetric);
            let answer = Sts::new(&of_sts).answer(exchange.envelope(), start());
            let obtained = client.receive(&exchange, answer.envelope, start()).unwrap();
            let assertion = obtained.token.to_xml();
            let mark = if has_certificate { "X509Certificate>" } else { "RSAKeyValue>" };
            let confirmation = assertion.split("SubjectConfirmation>").nth(1).unwrap();
            assert!(confirmation.contains(mark) && confirmation.contains("holder-of-key"), "{confirmation}");
            opens_sessions(of_sts.version, &obtained);
        }
    }
}

#[test]
fn wst_4_a_certificate_is_as_good_as_a_password() {
    let version = MessageSecurityVersion::default();
    let old = MessageSecurityVersion::WSS10_13_BSP;
    let mut duplex = SecurityBinding::mutual_certificate_duplex(version);
    duplex.allow_serialized_signing_token_on_reply = true;
    for of_sts in [
        SecurityBinding::certificate_over_transport(version),
        SecurityBinding::mutual_certificate(version),
        SecurityBinding::mutual_certificate(old),
        duplex,
    ] {
        for key_type in [IssuedKeyType::Symmetric, IssuedKeyType::Asymmetric, IssuedKeyType::Bearer] {
            let client = TokenClient::builder(of_sts.clone(), ISSUER)
                .service_certificate(PARTIES.client.certificate().clone())
                .identity(HOLDER.clone())
                .build()
                .unwrap();
            let exchange = ask(&client, &wanted(key_type));
            let sts = Sts::new(&of_sts);
            let answer = sts.answer(exchange.envelope(), start());
            let obtained = client.receive(&exchange, answer.envelope, start()).unwrap();
            if key_type == IssuedKeyType::Asymmetric {
                opens_sessions(MessageSecurityVersion::default(), &obtained);
            }
        }
        // A certificate that nobody trusts.
        let stranger = TokenClient::builder(of_sts.clone(), ISSUER)
            .service_certificate(PARTIES.client.certificate().clone())
            .identity(PARTIES.service.clone())
            .build()
            .unwrap();
        let answer = Sts::new(&of_sts).answer(ask(&stranger, &wanted(IssuedKeyType::Bearer)).envelope(), start());
        assert_eq!(code(answer.fault), "FailedAuthentication");
    }
}

/// Over transport the body is not signed, so a request can be changed in a test.
#[test]
fn wst_9_3_a_key_that_nothing_proves_gets_no_token() {
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::WSS11_13);
    let sts = Sts::new(&of_sts);
    let told = |envelope: &str| code(sts.answer(envelope, start()).fault);
    let client = client_builder_of(&of_sts, "secret").identity(HOLDER.clone()).build().unwrap();
    let good = ask(&client, &wanted(IssuedKeyType::Asymmetric)).envelope().to_owned();
    assert_eq!(told(&good), "");
    let (start_of, end_of) = (good.find("<Signature").unwrap(), good.find("</Signature>").unwrap());
    let without_signature = format!("{}{}", &good[..start_of], &good[end_of + "</Signature>".len()..]);
    assert_eq!(told(&without_signature), "InvalidRequest");
    let certificate = HOLDER.certificate().to_base64();
    let another = good.replace(&certificate, &PARTIES.service.certificate().to_base64());
    assert_eq!(told(&another), "InvalidRequest");
    let (start_of, end_of) = (good.find("<trust:UseKey").unwrap(), good.find("</trust:UseKey>").unwrap());
    let without_key = format!("{}{}", &good[..start_of], &good[end_of + "</trust:UseKey>".len()..]);
    assert_eq!(told(&without_key), "InvalidRequest");
    let other_time = good.replace("12:00:00.123Z</u:Created>", "12:00:01.123Z</u:Created>");
    assert_ne!(other_time, good);
    assert_eq!(told(&other_time), "InvalidSecurity");
    // A key that the message does not name is not taken from elsewhere: two signatures are one too many.
    let signature = &good[good.find("<Signature").unwrap()..good.find("</Signature>").unwrap() + "</Signature>".len()];
    assert_eq!(told(&good.replacen(signature, &signature.repeat(2), 1)), "InvalidSecurity");

    // Where the client signs with its certificate that key may be meant without a word, or by reference.
    let of_sts = SecurityBinding::certificate_over_transport(MessageSecurityVersion::WSS11_13);
    let sts = Sts::new(&of_sts);
    let client = TokenClient::builder(of_sts.clone(), ISSUER).identity(HOLDER.clone()).build().unwrap();
    let good = ask(&client, &wanted(IssuedKeyType::Asymmetric)).envelope().to_owned();
    let (start_of, end_of) = (good.find("<trust:UseKey").unwrap(), good.find("</trust:UseKey>").unwrap());
    let id = good.split("BinarySecurityToken ").nth(1).unwrap().split("u:Id=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap();
    let use_key = |content: &str| {
        let key = if content.is_empty() { String::new() } else { format!("<trust:UseKey>{content}") };
        let rest = if content.is_empty() { end_of + "</trust:UseKey>".len() } else { end_of };
        let changed = format!("{}{key}{}", &good[..start_of], &good[rest..]);
        let answer = sts.answer(&changed, start());
        (answer.envelope.contains("X509Certificate>"), code(answer.fault))
    };
    let reference = |target: &str| {
        format!("<o:SecurityTokenReference xmlns:o='{WSSE}'><o:Reference URI='#{target}'/></o:SecurityTokenReference>")
    };
    assert_eq!(use_key(""), (true, String::new()));
    assert_eq!(use_key(&reference(id)), (true, String::new()));
    assert_eq!(use_key(&reference("elsewhere")), (false, "InvalidRequest".to_owned()));
}

#[test]
fn wst_4_1_a_token_is_as_good_as_long_as_was_asked_within_bounds() {
    for of_sts in bindings() {
        let sts = Sts::new(&of_sts);
        let lasts = |asked: Duration| {
            let client = client_builder_of(&of_sts, "secret").lifetime(asked).build().unwrap();
            let exchange = ask(&client, &wanted(IssuedKeyType::Bearer));
            let answer = sts.answer(exchange.envelope(), start()).envelope;
            client.receive(&exchange, answer, start()).unwrap().lifetime.unwrap()
        };
        let lifetime = lasts(minutes(10));
        assert_eq!((lifetime.created, lifetime.expires), (start(), start().saturating_add(minutes(10))));
        assert_eq!(lasts(hours(5)).expires, start().saturating_add(hours(1)), "no longer than it gives");
    }
    // Over transport the body is not signed, so a request can be changed in a test.
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::WSS11_13);
    let sts = Sts::new(&of_sts);
    let client = client_builder_of(&of_sts, "secret").lifetime(minutes(10)).build().unwrap();
    let exchange = ask(&client, &wanted(IssuedKeyType::Bearer));
    let (head, body) = exchange.envelope().split_once("<s:Body>").unwrap();
    let told = |created: &str, expires: &str| {
        let body = body.replace("12:00:00.123Z", created).replace("12:10:00.123Z", expires);
        code(sts.answer(&format!("{head}<s:Body>{body}"), start()).fault)
    };
    assert_eq!(told("12:00:00.123Z", "12:10:00.123Z"), "");
    assert_eq!(told("11:00:00Z", "12:00:01Z"), "", "begun already");
    assert_eq!(told("12:05:00Z", "12:10:00Z"), "", "within the skew of the clocks");
    for (created, expires) in [("12:06:00Z", "12:10:00Z"), ("11:00:00Z", "12:00:00Z"), ("12:04:00Z", "12:03:00Z")] {
        assert_eq!(told(created, expires), "InvalidTimeRange", "{created} {expires}");
    }
    assert_eq!(told("12:00:00Z", "never"), "InvalidRequest");
}

#[test]
fn wst_4_a_token_speaks_of_whoever_asks_or_there_is_none() {
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::WSS11_13);
    for somebody_else in [
        format!("<t:OnBehalfOf xmlns:t=\"{}\"></t:OnBehalfOf>", names::WST_13),
        format!("<t:ActAs xmlns:t=\"{}\"></t:ActAs>", names::WST_14),
    ] {
        let parameters = IssuedTokenParameters { additional: vec![somebody_else], ..wanted(IssuedKeyType::Bearer) };
        let exchange = ask(&client(&of_sts, "secret"), &parameters);
        assert_eq!(code(Sts::new(&of_sts).answer(exchange.envelope(), start()).fault), "InvalidRequest");
    }
}

#[test]
fn sc_9_step_15_a_token_service_too_honours_must_understand() {
    for of_sts in bindings() {
        let exchange = ask(&client(&of_sts, "secret"), &wanted(IssuedKeyType::Bearer));
        let strange = "<x:Strange xmlns:x='urn:x' s:mustUnderstand='1'>1</x:Strange></s:Header>";
        let answer = Sts::new(&of_sts).answer(&exchange.envelope().replace("</s:Header>", strange), start());
        assert_eq!(answer.fault.unwrap().code, FaultCode::MustUnderstand);
    }
}

#[test]
fn sc_19_13_one_address_gets_its_share_of_tokens_and_of_refusals() {
    let of_sts = SecurityBinding::user_name_over_transport(MessageSecurityVersion::default());
    let allowance = |burst| Allowance { burst, interval: minutes(1) };
    let limited = |token_requests, refusals| Sts {
        service: builder(&of_sts)
            .address_limits(AddressLimits { token_requests: allowance(token_requests), refusals: allowance(refusals) })
            .build()
            .unwrap(),
        ..Sts::new(&of_sts)
    };
    let address = |last: u8| Some(std::net::IpAddr::from([192, 0, 2, last]));
    let asking = |password: &str| {
        let exchange = ask(&client(&of_sts, password), &wanted(IssuedKeyType::Bearer));
        exchange.envelope().to_owned()
    };
    let receive = |sts: &Sts, envelope: &str, from: u8, now| {
        sts.service.receive(Incoming::new(envelope).over_protected_channel().from_address(address(from)), now)
    };
    let (good, broken) = (asking("secret"), asking("secret").replace("UsernameToken", "OtherToken"));

    let sts = limited(2, 100);
    for _ in 0..2 {
        assert!(matches!(receive(&sts, &good, 1, start()), TokenHandled::Request(_)));
    }
    let TokenHandled::Answer(busy) = receive(&sts, &good, 1, start()) else { panic!("not busy") };
    assert_eq!(code(busy.fault), "ServerTooBusy");
    assert!(matches!(receive(&sts, &good, 2, start()), TokenHandled::Request(_)));
    let later = start().saturating_add(minutes(1));
    assert!(matches!(receive(&sts, &good, 1, later), TokenHandled::Request(_)));

    // A service that takes the place of another goes on where that left off.
    let addresses = Arc::new(AddressUse::new(AddressLimits { token_requests: allowance(1), refusals: allowance(1) }));
    let next =
        || Sts { service: builder(&of_sts).address_use(Arc::clone(&addresses)).build().unwrap(), ..Sts::new(&of_sts) };
    assert!(matches!(receive(&next(), &good, 1, start()), TokenHandled::Request(_)));
    assert!(matches!(receive(&next(), &good, 1, start()), TokenHandled::Answer(_)));

    // Messages that are not as they should be, and wrong passwords.
    let sts = limited(100, 2);
    assert!(matches!(receive(&sts, &broken, 1, start()), TokenHandled::Answer(_)));
    let TokenHandled::Request(task) = receive(&sts, &asking("wrong"), 1, start()) else { panic!("no request") };
    sts.service.refuse(&task, TokenRefusal::FailedAuthentication, "wrong password", start(), &sts.random);
    let over = receive(&sts, &good, 1, start());
    assert!(matches!(over, TokenHandled::Dropped(Error::TooManyRefusals)), "{over:?}");
    assert!(matches!(receive(&sts, &good, 2, start()), TokenHandled::Request(_)));
    assert!(matches!(receive(&sts, &good, 1, later), TokenHandled::Request(_)));
}
