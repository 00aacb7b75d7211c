//! Bootstraps under a context that TLS negotiates in messages (SC §7).

use crate::support::{
    ADDRESS, Accounts, PARTIES, Pair, S05, T05, VERSIONS, Wire, client, client_builder, hours, invalid_security,
    minutes, ring, sender, service, service_builder, stateful, stateless,
};
use handstamp_keys::{CertificateTrust, DeterministicRandom};
use handstamp_secure_conversation::{
    Error, Event, Exchange, Incoming, NativeCookies, Outcome, SecureConversationClient, SecureConversationService,
};
use handstamp_ws_security::soap::FaultCode;
use handstamp_ws_security::{
    AuthenticationMode, Generation, MessageSecurityVersion, Protection, SecurityBinding, TokenKind,
};
use handstamp_xml::names;
use std::sync::Arc;
use std::time::Duration;

const MODES: [AuthenticationMode; 3] = [
    AuthenticationMode::AnonymousForSslNegotiated,
    AuthenticationMode::UserNameForSslNegotiated,
    AuthenticationMode::MutualSslNegotiated,
];

/// At a time when the certificates of the recordings are valid: TLS looks at that.
fn pair(binding: &SecurityBinding) -> Pair {
    pair_of(service(binding), client(binding))
}

fn pair_of(service: SecureConversationService, client: SecureConversationClient) -> Pair {
    let mut pair = Pair::of(service, client);
    pair.pass(hours(5));
    pair
}

fn bootstrap(mode: AuthenticationMode, version: MessageSecurityVersion) -> SecurityBinding {
    SecurityBinding::for_mode(mode, version).unwrap()
}

fn user_name() -> SecurityBinding {
    bootstrap(AuthenticationMode::UserNameForSslNegotiated, MessageSecurityVersion::default())
}

/// The negotiated context as a cookie.
fn as_cookie(mut bootstrap: SecurityBinding) -> SecurityBinding {
    let Protection::Symmetric { token } = &mut bootstrap.protection else { panic!("symmetric") };
    let TokenKind::SslNegotiated { require_cancellation, .. } = &mut token.kind else { panic!("negotiated") };
    *require_cancellation = false;
    bootstrap
}

/// The next message on the way to a session, without sending it.
fn next(pair: &mut Pair) -> Exchange {
    pair.client.establish(pair.now, &pair.random).unwrap()
}

/// Goes on until the negotiation has ended, and gives the request that follows.
fn negotiated(pair: &mut Pair) -> Exchange {
    loop {
        let exchange = next(pair);
        if !exchange.is_negotiation() {
            return exchange;
        }
        assert!(matches!(pair.exchange(exchange), Ok(Outcome::Negotiating)));
    }
}

fn issued(wire: &Wire) -> bool {
    matches!(wire.event, Some(Event::Issued { .. }))
}

#[test]
fn sc_75_every_mode_in_both_generations_and_engines() {
    for version in VERSIONS {
        for mode in MODES {
            let caller = match mode {
                AuthenticationMode::AnonymousForSslNegotiated => "nobody".to_owned(),
                AuthenticationMode::UserNameForSslNegotiated => "alice".to_owned(),
                _ => {
                    let subject = PARTIES.client.certificate().subject();
                    subject.spaced()
                }
            };
            let bootstrap = bootstrap(mode, version);
            for bootstrap in [bootstrap.clone(), as_cookie(bootstrap)] {
                for binding in [stateless(bootstrap.clone()), stateful(bootstrap)] {
                    let mut pair = pair(&binding);
                    let said = pair.call("hello").unwrap_or_else(|error| panic!("{mode:?} {version:?}: {error}"));
                    assert!(said.starts_with(&format!("hello as {caller}")), "{said}");
                    pair.close().unwrap();
                }
            }
        }
    }
}

#[test]
fn sc_75_messages_are_those_of_section_7() {
    for version in VERSIONS {
        let mut pair = pair(&stateless(bootstrap(AuthenticationMode::UserNameForSslNegotiated, version)));
        let (trust, is_2005) = (version.generation.trust(), version.generation == Generation::February2005);
        let first = next(&mut pair);
        assert_eq!(first.action(), format!("{trust}/RST/Issue"));
        let envelope = first.envelope();
        assert!(!envelope.contains("Security "), "{envelope}");
        let value_type = if is_2005 { "ValueType=\" http://" } else { "ValueType=\"http://" };
        for part in ["Context=\"", "/sct<", "/Issue<", "KeySize>256<", "#Base64Binary\"", value_type, ">FgMB"] {
            assert!(envelope.contains(part), "{part} in {envelope}");
        }
        let answer = pair.deliver(envelope).envelope.unwrap();
        assert!(answer.contains(&format!("{trust}/RSTR/Issue<")) && answer.contains(value_type), "{answer}");
        assert!(!answer.contains("Collection"), "{answer}");
        pair.client.receive(first, answer, pair.now).unwrap();

        let second = next(&mut pair);
        assert_eq!(second.action(), format!("{trust}/RSTR/Issue"));
        let answer = pair.deliver(second.envelope()).envelope.unwrap();
        let last = if is_2005 { format!("{trust}/RSTR/Issue<") } else { format!("{trust}/RSTRC/IssueFinal<") };
        for part in [&last, "ResponseCollection", "tlsnego#TLS_Wrap", "CombinedHash>", "Lifetime", "BinaryExchange"] {
            assert!(answer.contains(part), "{part} in {answer}");
        }
        pair.client.receive(second, answer, pair.now).unwrap();
        let request = next(&mut pair);
        assert!(issued(&pair.deliver(request.envelope())));
    }
}

#[test]
fn sc_75_a_service_answers_in_the_spelling_of_the_client() {
    let mut pair = pair(&stateless(user_name()));
    let plain = next(&mut pair).envelope().replace("ValueType=\" http", "ValueType=\"http");
    let answer = pair.deliver(&plain).envelope.unwrap();
    assert!(answer.contains("ValueType=\"http"), "{answer}");
}

#[test]
fn sc_75_the_negotiated_context_is_for_one_request_and_not_when_it_is_old() {
    let mut bootstrap = user_name();
    bootstrap.local_service.issued_cookie_lifetime = Some(minutes(15));
    let mut pair = pair(&stateless(bootstrap));
    pair.works();
    let renewal = next(&mut pair);
    assert!(renewal.is_negotiation(), "a WCF service has forgotten the one before");
    pair.exchange(renewal).unwrap();
    pair.establish().unwrap();
    pair.works();
    pair.client.forget();
    // One that was negotiated and has protected nothing yet.
    for _ in 0..2 {
        let leg = next(&mut pair);
        assert!(matches!(pair.exchange(leg), Ok(Outcome::Negotiating)));
    }
    pair.pass(minutes(9));
    assert!(next(&mut pair).is_negotiation(), "60 % of its life are over");
    pair.client.forget();
    pair.works();
}

#[test]
fn sc_38_sessions_with_negotiated_bootstraps_are_renewed_by_the_same_caller() {
    for mode in MODES {
        let mut binding = stateless(bootstrap(mode, MessageSecurityVersion::default()));
        binding.local_client.session_key_renewal_interval = Some(minutes(5));
        binding.local_client.session_key_rollover_interval = minutes(1);
        let mut pair = pair(&binding);
        let before = pair.call("hello").unwrap();
        pair.pass(minutes(6));
        assert_eq!(pair.call("hello").unwrap(), before);
        let session = pair.service.sessions(pair.now).remove(0);
        assert_eq!(session.renewals, 1, "{mode:?}");
        pair.close().unwrap();
    }
}

#[test]
fn sc_7_a_lost_negotiated_context_is_told_and_the_next_try_negotiates_again() {
    let mut pair = pair(&stateful(user_name()));
    let request = negotiated(&mut pair);
    pair.restart();
    let wire = pair.deliver(request.envelope());
    assert_eq!(wire.code(), sender(S05, "BadContextToken"));
    assert!(pair.client.receive(request, wire.envelope.unwrap(), pair.now).is_err());
    pair.works();
}

#[test]
fn sc_7_a_negotiated_cookie_survives_a_restart() {
    let mut pair = pair(&stateful(as_cookie(user_name())));
    let request = negotiated(&mut pair);
    assert!(request.envelope().contains("Cookie"));
    pair.restart();
    assert!(issued(&pair.deliver(request.envelope())));
}

#[test]
fn sc_7_3_nobody_is_believed_without_reason() {
    let binding = stateless(bootstrap(AuthenticationMode::MutualSslNegotiated, MessageSecurityVersion::default()));
    // The client expects another service.
    let stranger = SecureConversationClient::builder(binding.clone(), ADDRESS)
        .identity(PARTIES.client.clone())
        .service_certificate(PARTIES.client.certificate().clone())
        .build()
        .unwrap();
    let mut pair = pair_of(service(&binding), stranger);
    assert!(matches!(pair.call("hello"), Err(Error::Keys(handstamp_keys::Error::TlsPeer(_)))));
    // The service does not know the client.
    let other = SecureConversationService::builder(binding.clone())
        .identity(PARTIES.service.clone())
        .trust(CertificateTrust::none().with_certificate(PARTIES.service.certificate()))
        .user_names(Arc::new(Accounts))
        .cookies(Arc::new(NativeCookies::new(ring(), ADDRESS)))
        .build()
        .unwrap();
    let mut pair = pair_of(other, client(&binding));
    let first = next(&mut pair);
    pair.exchange(first).unwrap();
    let exchange = next(&mut pair);
    let wire = pair.deliver(exchange.envelope());
    assert_eq!(wire.code(), sender(T05, "FailedAuthentication"));
    assert!(!wire.is_secured());
}

#[test]
fn sc_12_2_what_is_no_good_leg_is_refused_without_protection() {
    let mut pair = pair(&stateless(user_name()));
    let first = next(&mut pair).envelope().to_owned();
    let invalid = sender(T05, "InvalidRequest");
    let refused = |envelope: String| {
        let wire = pair.deliver(&envelope);
        assert_eq!(wire.code(), invalid, "{envelope}");
        assert!(!wire.is_secured());
    };
    let octets = first.split("BinaryExchange").nth(1).unwrap().split('>').nth(1).unwrap().split('<').next().unwrap();
    refused(first.replace(octets, "AAAA"));
    refused(first.replace("Context=", "Other="));
    refused(first.replace("tlsnego", "spnego"));
    refused(first.replace("KeySize>256", "KeySize>64"));
    refused(first.replace("/sct<", "/other<"));
    refused(first.replace("/trust/Issue<", "/trust/Renew<"));
    // A next leg of a negotiation that nobody has begun.
    refused(
        first
            .replace("/RST/Issue<", "/RSTR/Issue<")
            .replace("RequestSecurityToken ", "RequestSecurityTokenResponse ")
            .replace("</t:RequestSecurityToken>", "</t:RequestSecurityTokenResponse>"),
    );
    assert!(pair.deliver(&first).fault.is_none(), "none of them was begun");
    assert_eq!(pair.deliver(&first).code(), invalid, "it is under way");
}

#[test]
fn sc_9_step_15_a_leg_with_a_header_that_nobody_understands_is_told_so_on_both_ends() {
    for version in VERSIONS {
        let mut pair = pair(&stateless(bootstrap(AuthenticationMode::UserNameForSslNegotiated, version)));
        let with_header =
            |envelope: &str, header: &str| envelope.replace("</s:Header>", &format!("{header}</s:Header>"));
        let mandatory = "<x:Strange xmlns:x='urn:x' s:mustUnderstand='1'>1</x:Strange>";
        let optional = "<x:Strange xmlns:x='urn:x'>1</x:Strange>";
        let refused = |pair: &Pair, exchange: &Exchange| {
            let wire = pair.deliver(&with_header(exchange.envelope(), mandatory));
            let fault = wire.fault.as_ref().unwrap();
            assert_eq!((fault.code, &fault.subcode), (FaultCode::MustUnderstand, &None));
            assert!(!wire.is_secured() && wire.refusal().contains("Strange"), "{}", wire.refusal());
        };
        // The request, and the answer to it.
        let first = next(&mut pair);
        refused(&pair, &first);
        let answer = pair.deliver(&with_header(first.envelope(), optional)).envelope.unwrap();
        let error = pair.client.receive(first, with_header(&answer, mandatory), pair.now).unwrap_err();
        assert_eq!(error.code(), "HST-WSS-MUST-UNDERSTAND");
        // The second leg; what was refused costs the negotiation nothing.
        let first = next(&mut pair);
        let answer = pair.deliver(first.envelope()).envelope.unwrap();
        pair.client.receive(first, answer, pair.now).unwrap();
        let second = next(&mut pair);
        refused(&pair, &second);
        let answer = pair.deliver(second.envelope()).envelope.unwrap();
        pair.client.receive(second, answer, pair.now).unwrap();
        let request = next(&mut pair);
        assert!(issued(&pair.deliver(request.envelope())));
    }
}

#[test]
fn sc_7_1_with_a_security_header_it_is_no_negotiation() {
    let mut pair = pair(&stateful(user_name()));
    let header = format!("<o:Security xmlns:o='{}'/></s:Header>", names::WSSE);
    let envelope = next(&mut pair).envelope().replace("</s:Header>", &header);
    assert_eq!(pair.deliver(&envelope).code(), invalid_security());
}

#[test]
fn sc_7_4_half_open_negotiations_are_limited_in_number_and_time() {
    let mut bootstrap = user_name();
    bootstrap.local_service.max_stateful_negotiations = 2;
    let binding = stateless(bootstrap);
    let mut pair = pair(&binding);
    let begin = |pair: &Pair, seed| {
        let mut client = client(&binding);
        let exchange = client.establish(pair.now, &DeterministicRandom::new(seed)).unwrap();
        (pair.deliver(exchange.envelope()), client, exchange)
    };
    assert!(begin(&pair, 1).0.fault.is_none());
    let (answer, mut late, exchange) = begin(&pair, 2);
    let (code, namespace, name) = begin(&pair, 3).0.code();
    assert_eq!((code, namespace.as_str(), name.as_str()), (FaultCode::Receiver, names::WCF_SECURITY, "ServerTooBusy"));
    // Their time is over: the places are free, and the late one finds nothing.
    late.receive(exchange, answer.envelope.unwrap(), pair.now).unwrap();
    pair.pass(Duration::from_secs(60));
    let second = late.establish(pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(second.envelope()).code(), sender(T05, "InvalidRequest"));
    assert!(begin(&pair, 4).0.fault.is_none());
}

#[test]
fn sc_7_4_one_address_does_not_lock_out_the_others() {
    let mut bootstrap = user_name();
    bootstrap.local_service.max_stateful_negotiations = 8;
    let binding = stateless(bootstrap);
    let pair = pair(&binding);
    let begin = |seed, address: &str| {
        let mut client = client(&binding);
        let exchange = client.establish(pair.now, &DeterministicRandom::new(seed)).unwrap();
        let incoming = Incoming::new(exchange.envelope()).from_address(Some(address.parse().unwrap()));
        match pair.service.handle(incoming, pair.now, &pair.random) {
            handstamp_secure_conversation::Handled::Answer(answer) => answer.fault.is_none(),
            other => panic!("{other:?}"),
        }
    };
    assert!(begin(1, "192.0.2.1"));
    assert!(!begin(2, "192.0.2.1"), "an eighth of all");
    assert!(begin(3, "192.0.2.2"));
}

#[test]
fn sc_7_2_a_client_believes_only_what_both_have_heard() {
    let changes: [fn(&str) -> String; 6] = [
        |answer| change(answer, "CombinedHash>"),
        |answer| change(answer, "CipherValue>"),
        |answer| answer.replacen("KeySize>256", "KeySize>192", 1),
        |answer| answer.replacen("Lifetime>", "Lifetome>", 2),
        |answer| answer.replace("TLS_Wrap", "GSS_Wrap"),
        |answer| {
            let cut = answer.rfind("<t:RequestSecurityTokenResponse ").unwrap();
            let end = answer.rfind("</t:RequestSecurityTokenResponseCollection>").unwrap();
            format!("{}{}", &answer[..cut], &answer[end..])
        },
    ];
    for change in changes {
        let mut pair = pair(&stateless(user_name()));
        let first = next(&mut pair);
        pair.exchange(first).unwrap();
        let second = next(&mut pair);
        let answer = change(&pair.deliver(second.envelope()).envelope.unwrap());
        assert!(pair.client.receive(second, answer.clone(), pair.now).is_err(), "{answer}");
        pair.works();
    }
}

#[test]
fn sc_9_the_answer_to_another_leg_is_refused() {
    let mut pair = pair(&stateless(user_name()));
    let first = next(&mut pair);
    let answer = pair.deliver(first.envelope()).envelope.unwrap();
    let id = first.envelope().split("MessageID>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(pair.client.receive(first, answer.replace(&id, "urn:uuid:other"), pair.now).is_err());
    pair.works();
}

#[test]
fn sc_96_both_ends_say_what_a_negotiation_needs() {
    let binding = stateless(user_name());
    let service = SecureConversationService::builder(binding.clone()).user_names(Arc::new(Accounts)).build();
    assert!(service.unwrap_err().to_string().contains("negotiates TLS"));
    let client = SecureConversationClient::builder(binding, ADDRESS);
    let client = client.user_name(handstamp_ws_security::UserNameCredential::new("alice", "secret")).build();
    assert!(client.unwrap_err().to_string().contains("negotiates TLS"));
    let mutual = stateless(bootstrap(AuthenticationMode::MutualSslNegotiated, MessageSecurityVersion::default()));
    let service = SecureConversationService::builder(mutual).identity(PARTIES.service.clone()).build();
    assert!(service.unwrap_err().to_string().contains("trusted"));
}

#[test]
fn sc_11_1_a_closing_service_begins_no_negotiation() {
    let mut pair = pair_of(service_builder(&stateless(user_name())).build().unwrap(), {
        client_builder(&stateless(user_name())).build().unwrap()
    });
    pair.service.close();
    let exchange = next(&mut pair);
    let wire = pair.deliver(exchange.envelope());
    assert_eq!(wire.code().2, "EndpointUnavailable");
}

/// Changes one octet of base64 behind `tag`.
fn change(text: &str, tag: &str) -> String {
    let at = text.find(tag).unwrap() + tag.len() + 10;
    let other = if &text[at..=at] == "A" { "B" } else { "A" };
    format!("{}{other}{}", &text[..at], &text[at + 1..])
}
