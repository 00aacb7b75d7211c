//! What a service makes of requests for contexts and of messages that are not what they should be.

use crate::support::{
    ADDRESS, ECHO, PARTIES, Pair, T05, VERSIONS, Wire, client_builder, echo, invalid_security, minutes, sender,
    service, service_builder, stateful, stateless, user_name, with_role,
};
use handstamp_claims::ClaimsPrincipal;
use handstamp_secure_conversation::trust::{RequestSecurityTokenResponse, TrustAction};
use handstamp_secure_conversation::{
    Authorization, ClaimsTransformation, Contract, Error, Handled, Incoming, Operation, Outcome,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, Fault, FaultCode, QualifiedName, SoapVersion};
use handstamp_ws_security::{
    AddressingVersion, Body, Expectation, Generation, HeaderBlock, KeyEntropyMode, MemoryReplayCache, Message,
    MessageSecurityVersion, Protected, ProtectionLevel, Receiver, SecurityBinding, Sender, UserNameCredential,
};
use handstamp_xml::{Document, ParseOptions, names};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A message under bootstrap security with any action and body.
fn under_bootstrap(pair: &Pair, action: &str, body: &str) -> Protected {
    let binding = pair.service.binding();
    let bootstrap = &binding.session().unwrap().bootstrap;
    let id = format!("urn:uuid:{}", action.len() * 31 + body.len());
    let message = Message::request(SoapVersion::Soap12, AddressingVersion::V10, action, ADDRESS, id)
        .with_body(Body::from_xml(body).unwrap());
    Sender::client(bootstrap)
        .with_peer_certificate(PARTIES.service.certificate())
        .with_user_name(&UserNameCredential::new("alice", "secret"))
        .over_protected_channel()
        .protect(&message, &pair.random, pair.now)
        .unwrap()
}

/// What a service answers to a request for a context, and what the answer says.
fn ask(pair: &Pair, content: &str) -> (Wire, Option<RequestSecurityTokenResponse>) {
    let generation = pair.service.binding().version.generation;
    ask_with(
        pair,
        &format!("<t:RequestSecurityToken xmlns:t='{}' {content}</t:RequestSecurityToken>", generation.trust()),
    )
}

fn ask_with(pair: &Pair, body: &str) -> (Wire, Option<RequestSecurityTokenResponse>) {
    let generation = pair.service.binding().version.generation;
    let sent = under_bootstrap(pair, TrustAction::Issue.request(generation), body);
    let wire = pair.deliver(&sent.envelope);
    let document = Document::parse(wire.envelope.clone().unwrap(), &ParseOptions::default()).unwrap();
    let bootstrap = &pair.service.binding().session().unwrap().bootstrap;
    let replays = MemoryReplayCache::new(10);
    let receiver = Receiver::client(bootstrap)
        .with_peer_certificate(PARTIES.service.certificate())
        .with_replay_cache(&replays)
        .over_protected_channel();
    let opened = receiver.open(document, &Expectation::reply(&sent.request), pair.now);
    let response = opened.ok().and_then(|opened| {
        let content = opened.body()?.children().next()?;
        RequestSecurityTokenResponse::parse(content.element(), generation).ok()
    });
    (wire, response)
}

const ENTROPY: &str =
    "<t:Entropy><t:BinarySecret>AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=</t:BinarySecret></t:Entropy>";

/// Finding 9.
#[test]
fn sc_11_what_other_clients_write_is_served() {
    for version in VERSIONS {
        let trust = version.generation.trust();
        let sct = version.generation.context_token_type();
        let requested = [
            format!(">{ENTROPY}"),
            format!(
                ">{ENTROPY}<t:RequestType> {trust}/Issue </t:RequestType><t:KeySize>256</t:KeySize><t:TokenType>{sct}</t:TokenType>"
            ),
            format!("><t:Lifetime/><x xmlns='urn:x'/>{ENTROPY}<t:Renewing/><t:KeySize>0</t:KeySize>"),
            format!("><t:TokenType>urn:first</t:TokenType>{ENTROPY}<t:TokenType>{sct}</t:TokenType>"),
            format!("><t:Entropy><t:BinarySecret Type='{trust}/SymmetricKey'>AA==</t:BinarySecret></t:Entropy>"),
            format!("Context='urn:context'>{ENTROPY}"),
            format!(
                "><p:AppliesTo xmlns:p='{}'><a:EndpointReference xmlns:a='{}'><a:Address>{ADDRESS}</a:Address></a:EndpointReference></p:AppliesTo>{ENTROPY}",
                names::WSP,
                names::WSA
            ),
        ];
        for binding in [stateful(user_name(version)), stateless(user_name(version))] {
            let pair = Pair::new(&binding);
            for content in &requested {
                let (wire, response) = ask(&pair, content);
                let response = response.unwrap_or_else(|| panic!("{content}: {wire:?}"));
                assert_eq!(response.context.is_some(), content.starts_with("Context"), "echoed");
                assert_eq!(response.key_size, Some(256));
                let token = response.token.unwrap();
                assert_eq!(token.element.contains("Cookie"), pair.service.is_stateful(), "SC-20, SC-35");
                assert_eq!(token.context.instance, None);
            }
        }
    }
}

#[test]
fn sc_18_each_context_is_new() {
    let pair = Pair::new(&stateful(user_name(MessageSecurityVersion::default())));
    let issued: Vec<_> =
        (0..5).map(|number| ask(&pair, &format!("Context='c{}'>{ENTROPY}", "x".repeat(number))).1.unwrap()).collect();
    for (at, first) in issued.iter().enumerate() {
        for second in &issued[at + 1..] {
            assert_ne!(first.entropy, second.entropy);
            assert_ne!(first.token, second.token);
        }
        assert_eq!(first.entropy.as_ref().unwrap().secret.len(), 32);
    }
}

#[test]
fn sc_17_the_lifetime_is_that_of_the_token_or_of_its_key() {
    let version = MessageSecurityVersion::default();
    let lifetime = |binding: &SecurityBinding| {
        let pair = Pair::new(binding);
        let lifetime = ask(&pair, &format!(">{ENTROPY}")).1.unwrap().lifetime.unwrap();
        assert_eq!(lifetime.created, pair.now, "cut to milliseconds");
        lifetime.expires.saturating_duration_since(lifetime.created).as_secs() / 3600
    };
    assert_eq!(lifetime(&stateful(user_name(version))), 10);
    assert_eq!(lifetime(&stateless(user_name(version))), 15);
    let mut forever = stateful(user_name(version));
    forever.local_service.issued_cookie_lifetime = None;
    let pair = Pair::new(&forever);
    let (wire, response) = ask(&pair, &format!(">{ENTROPY}"));
    assert_eq!(
        response.unwrap().lifetime.unwrap().expires.to_string(),
        "9999-12-31T23:59:59.999Z",
        "finding 39: {wire:?}"
    );
}

/// Finding 10.
#[test]
fn sc_12_what_cannot_be_served_is_a_request_failed_fault_under_the_bootstrap() {
    for version in VERSIONS {
        let (trust, other) = match version.generation {
            Generation::February2005 => (names::WST_2005, names::WST_13),
            Generation::V13 => (names::WST_13, names::WST_2005),
        };
        let rst =
            |content: &str| format!("<t:RequestSecurityToken xmlns:t='{trust}'>{content}</t:RequestSecurityToken>");
        let bodies = [
            rst(&format!("<t:TokenType>urn:other</t:TokenType>{ENTROPY}")),
            rst(&format!("<t:TokenType>{other}</t:TokenType>{ENTROPY}")),
            rst(&format!("<t:RequestType>{trust}/Validate</t:RequestType>{ENTROPY}")),
            rst(&format!("<t:RequestType>{trust}/Renew</t:RequestType>{ENTROPY}")),
            rst(&format!("<t:KeySize>128</t:KeySize>{ENTROPY}")),
            rst(&format!("<t:KeySize>512</t:KeySize>{ENTROPY}")),
            rst(&format!("<t:KeySize>250</t:KeySize>{ENTROPY}")),
            rst(&format!("<t:KeySize>-1</t:KeySize>{ENTROPY}")),
            rst(&format!("<t:KeySize>abc</t:KeySize>{ENTROPY}")),
            rst(""),
            rst("<t:Entropy><t:BinarySecret Type='urn:unknown'>AAAA</t:BinarySecret></t:Entropy>"),
            "<x xmlns='urn:x'/>".to_owned(),
            format!("<t:RequestSecurityTokenResponse xmlns:t='{trust}'/>"),
            format!("<t:RequestSecurityToken xmlns:t='{other}'>{ENTROPY}</t:RequestSecurityToken>"),
        ];
        for binding in [stateful(user_name(version)), stateless(user_name(version))] {
            let pair = Pair::new(&binding);
            for body in &bodies {
                let (wire, _) = ask_with(&pair, body);
                assert_eq!(wire.code(), sender(T05, "InvalidRequest"), "{body}");
                assert!(wire.is_secured(), "{body}");
                let envelope = wire.envelope.unwrap();
                assert!(envelope.contains("EncryptedData") && !envelope.contains("InvalidRequest"), "encrypted");
            }
        }
    }
}

#[test]
fn sc_12_2_under_a_transport_bootstrap_the_fault_has_a_timestamp_only() {
    let binding = stateful(SecurityBinding::user_name_over_transport(MessageSecurityVersion::default()));
    let pair = Pair::new(&binding);
    let (wire, _) = ask(&pair, ">");
    assert_eq!(wire.code(), sender(T05, "InvalidRequest"));
    let envelope = wire.envelope.unwrap();
    assert!(envelope.contains("Timestamp") && envelope.contains("InvalidRequest") && !envelope.contains("Signature"));
}

#[test]
fn sc_16_the_three_entropy_modes_work_and_do_not_mix() {
    let version = MessageSecurityVersion::default();
    let modes = [KeyEntropyMode::Combined, KeyEntropyMode::Client, KeyEntropyMode::Server];
    for binding in [stateful(user_name(version)), stateless(user_name(version))] {
        for of_service in modes {
            for of_client in modes {
                let with = |mode| SecurityBinding { key_entropy: mode, ..binding.clone() };
                let mut pair = Pair::of(service(&with(of_service)), crate::support::client(&with(of_client)));
                let result = pair.call("hello");
                assert_eq!(result.is_ok(), of_service == of_client, "{of_service:?} {of_client:?} {result:?}");
            }
        }
    }
}

#[test]
fn sc_73_a_wrong_password_fails_the_authentication_unsecured() {
    for version in VERSIONS {
        for bootstrap in [user_name(version), SecurityBinding::user_name_over_transport(version)] {
            for binding in [stateful(bootstrap.clone()), stateless(bootstrap)] {
                let client =
                    client_builder(&binding).user_name(UserNameCredential::new("alice", "wrong")).build().unwrap();
                let mut pair = Pair::of(service(&binding), client);
                let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
                let wire = pair.deliver(exchange.envelope());
                assert_eq!((wire.code(), wire.is_secured()), (sender(names::WSSE, "FailedAuthentication"), false));
                let error = pair.exchange(exchange).unwrap_err();
                assert!(matches!(error, Error::Fault { is_authenticated: false, .. } | Error::Security(_)), "{error}");
            }
        }
    }
}

/// Findings 11 and 12.
#[test]
fn sc_4_5_actions_that_do_not_belong_are_refused() {
    for version in VERSIONS {
        let own = version.generation.trust();
        let other = if own == names::WST_2005 { names::WST_13 } else { names::WST_2005 };
        let strange = [
            format!("{other}/RST/SCT"),
            format!("{own}/RSTR/SCT"),
            format!("{own}/RST/Issue"),
            "urn:unknown".to_owned(),
        ];
        let contract = || Contract::new("IEcho").with_operation(ECHO, Operation::default());
        for binding in [stateful(user_name(version)), stateless(user_name(version))] {
            let mut pair = Pair::new(&binding);
            pair.service = service_builder(&binding).contract(contract()).build().unwrap();
            pair.works();
            for action in &strange {
                let exchange = pair.client.request(action, echo("x"), pair.now, &pair.random).unwrap();
                let wire = pair.deliver(exchange.envelope());
                assert_eq!((wire.code(), wire.is_secured()), (invalid_security(), false), "{action} in a session");
                let sent = under_bootstrap(&pair, action, "<x xmlns='urn:x'/>");
                let expected = match pair.service.is_stateful() {
                    true => invalid_security(),
                    false => sender(version.generation.conversation(), "BadContextToken"),
                };
                assert_eq!(pair.deliver(&sent.envelope).code(), expected, "{action} under the bootstrap");
            }
            let issue = TrustAction::Issue.request(version.generation);
            let exchange = pair.client.request(issue, echo("x"), pair.now, &pair.random).unwrap();
            assert_eq!(pair.deliver(exchange.envelope()).code(), invalid_security(), "issue in a session");
            let renew = under_bootstrap(&pair, TrustAction::Renew.request(version.generation), "<x xmlns='urn:x'/>");
            assert_eq!(pair.deliver(&renew.envelope).code(), invalid_security(), "renewal without endorsement");
            pair.works();
        }
    }
}

/// Finding 13.
#[test]
fn sc_9_messages_without_security_are_refused_as_each_engine_does() {
    let bare = |action: &str, id: &str| {
        format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header>{action}{id}</s:Header><s:Body/></s:Envelope>",
            names::SOAP12,
            names::WSA
        )
    };
    for version in VERSIONS {
        let rst = TrustAction::Issue.request(version.generation);
        for action in [format!("<a:Action>{rst}</a:Action>"), format!("<a:Action>{ECHO}</a:Action>"), String::new()] {
            let id = "<a:MessageID>urn:uuid:1</a:MessageID>";
            let wire = Pair::new(&stateful(user_name(version))).deliver(&bare(&action, id));
            assert_eq!(wire.code(), invalid_security());
            assert!(wire.envelope.unwrap().contains(">urn:uuid:1</a:RelatesTo>"));
            let wire = Pair::new(&stateless(user_name(version))).deliver(&bare(&action, ""));
            assert_eq!(wire.code(), sender(version.generation.conversation(), "BadContextToken"));
            assert!(!wire.envelope.unwrap().contains("RelatesTo"));
        }
    }
}

#[test]
fn sc_04_a_soap_action_is_nothing_or_the_action() {
    let mut pair = Pair::new(&stateful(user_name(MessageSecurityVersion::default())));
    pair.establish().unwrap();
    for (said, good) in [
        (None, true),
        (Some(""), true),
        (Some("\"\""), true),
        (Some("\"urn:echo/Echo\""), true),
        (Some(ECHO), true),
        (Some("urn:other"), false),
    ] {
        let exchange = pair.request("hello");
        let incoming = Incoming::new(exchange.envelope()).with_soap_action(said).over_protected_channel();
        match pair.service.handle(incoming, pair.now, &pair.random) {
            Handled::Request(_) => assert!(good, "{said:?}"),
            Handled::Answer(answer) => {
                assert!(!good, "{said:?} {answer:?}");
                assert_eq!(answer.fault.unwrap().subcode.unwrap().namespace, names::WSA);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The fault of WCF (SC 1.3): addressing 1.0 names the header, SOAP 1.1 in a header.
#[test]
fn sc_04_the_fault_about_another_soap_action_names_the_header() {
    for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
        for (addressing, subcode) in [
            (AddressingVersion::V10, "ActionMismatch"),
            (AddressingVersion::August2004, "InvalidMessageInformationHeader"),
        ] {
            let binding = stateful(user_name(MessageSecurityVersion::default()));
            let client = client_builder(&binding).message_version(soap, addressing).build().unwrap();
            let mut pair = Pair::of(service(&binding), client);
            pair.establish().unwrap();
            let exchange = pair.request("hello");
            let incoming = Incoming::new(exchange.envelope()).with_soap_action(Some("urn:other"));
            let Handled::Answer(answer) = pair.service.handle(incoming, pair.now, &pair.random) else {
                panic!("answered")
            };
            let document = Document::parse(answer.envelope.as_bytes(), &ParseOptions::default()).unwrap();
            let envelope = Envelope::of(&document).unwrap();
            let fault = Fault::parse(envelope.body().children().next().unwrap()).unwrap();
            assert_eq!(fault.subcode, Some(QualifiedName::new(addressing.namespace(), subcode)));
            let blocks: Vec<_> = envelope.header_blocks().map(|block| block.local_name().to_owned()).collect();
            let problem = document.root().descendants().find(|element| element.local_name() == "ProblemHeaderQName");
            let Some(problem) = problem else {
                assert_eq!(addressing, AddressingVersion::August2004);
                continue;
            };
            assert_eq!((&*problem.text(), problem.namespace_of_prefix("a")), ("a:Action", Some(names::WSA)));
            let is_in_header = problem.parent().unwrap().is(names::WSA, "FaultDetail");
            assert_eq!(is_in_header, soap == SoapVersion::Soap11);
            let with_detail = ["Action", "RelatesTo", "FaultDetail"];
            assert_eq!(blocks, with_detail[..if is_in_header { 3 } else { 2 }]);
        }
    }
}

#[test]
fn sc_06_what_is_no_message_is_not_answered() {
    let pair = Pair::new(&stateful(user_name(MessageSecurityVersion::default())));
    let large = format!("<s:Envelope xmlns:s='{}'><s:Body>{}</s:Body></s:Envelope>", names::SOAP12, "x".repeat(70_000));
    for bad in [
        "",
        "no XML",
        "<x/>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
        "<?pi?><s:Envelope xmlns:s='http://www.w3.org/2003/05/soap-envelope'><s:Body/></s:Envelope>",
        large.as_str(),
    ] {
        assert!(
            matches!(pair.service.handle(Incoming::new(bad), pair.now, &pair.random), Handled::Unreadable(_)),
            "{bad:.50}"
        );
    }
}

#[test]
fn sc_61_mixed_mode_is_refused_over_plain_http() {
    let binding = stateful(SecurityBinding::user_name_over_transport(MessageSecurityVersion::default()));
    let mut pair = Pair::new(&binding);
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let Handled::Answer(answer) = pair.service.handle(Incoming::new(exchange.envelope()), pair.now, &pair.random)
    else {
        panic!("no answer")
    };
    assert_eq!(answer.fault.unwrap().subcode.unwrap().local_name, "InvalidSecurity");
}

/// One rule for all callers.
pub(crate) struct Rules;

impl ClaimsTransformation for Rules {
    fn transform(&self, principal: ClaimsPrincipal, _now: Timestamp) -> Result<ClaimsPrincipal, String> {
        match principal.name() {
            Some("bob") => Err("bob is on leave".to_owned()),
            _ => Ok(with_role(principal, "teller")),
        }
    }
}

impl Authorization for Rules {
    fn authorize(
        &self,
        caller: &ClaimsPrincipal,
        action: &str,
        to: Option<&str>,
        _now: Timestamp,
    ) -> Result<(), String> {
        assert_eq!(to, Some(ADDRESS));
        if caller.is_in_role("teller") && action == ECHO { Ok(()) } else { Err("not for you".to_owned()) }
    }
}

/// Tellers until somebody thinks otherwise.
#[derive(Default)]
struct Staff {
    are_dismissed: AtomicBool,
}

impl ClaimsTransformation for Staff {
    fn transform(&self, principal: ClaimsPrincipal, _now: Timestamp) -> Result<ClaimsPrincipal, String> {
        Ok(if self.are_dismissed.load(Ordering::Relaxed) { principal } else { with_role(principal, "teller") })
    }
}

/// The token of a renewed key carries what the renewing bootstrap says (SC 4.3).
#[test]
fn sc_38_a_role_that_was_withdrawn_is_gone_with_the_renewed_key() {
    let binding = stateless(user_name(MessageSecurityVersion::default()));
    let staff = Arc::new(Staff::default());
    let builder = service_builder(&binding).claims_transformation(Arc::clone(&staff) as Arc<_>);
    let mut pair = Pair::new(&binding);
    pair.service = builder.authorization(Arc::new(Rules)).build().unwrap();
    pair.works();
    staff.are_dismissed.store(true, Ordering::Relaxed);
    pair.works();
    let issued = pair.service.sessions(pair.now)[0].issued;
    pair.pass(minutes(1));
    pair.establish().unwrap();
    let error = pair.client.request(ECHO, echo("x"), pair.now, &pair.random).map(|exchange| pair.exchange(exchange));
    assert!(matches!(error, Ok(Ok(Outcome::Fault { .. }))), "{error:?}");
    assert_eq!(pair.service.sessions(pair.now)[0].issued, issued);
}

#[test]
fn sc_31_the_application_sees_the_transformed_caller_and_decides() {
    for binding in [
        stateful(user_name(MessageSecurityVersion::default())),
        stateless(user_name(MessageSecurityVersion::default())),
    ] {
        let build = || {
            let builder = service_builder(&binding).claims_transformation(Arc::new(Rules));
            builder.authorization(Arc::new(Rules)).build().unwrap()
        };
        let mut pair = Pair::new(&binding);
        pair.service = build();
        pair.works();
        if pair.service.is_stateful() {
            pair.service = build();
            pair.works();
        }
        let exchange = pair.client.request("urn:echo/Other", echo("x"), pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert_eq!((wire.code(), wire.is_secured()), (sender(names::WSSE, "FailedAuthentication"), true));
        let outcome = pair.client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
        assert!(matches!(outcome, Outcome::Fault { .. }), "the session goes on");
        pair.works();

        let bob = client_builder(&binding).user_name(UserNameCredential::new("bob", "secret")).build().unwrap();
        pair.client = bob;
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert_eq!((wire.code(), wire.is_secured()), (sender(T05, "FailedAuthentication"), true));
        assert!(wire.refusal().contains("on leave"));
        let error = pair.client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap_err();
        assert!(matches!(error, Error::Fault { is_authenticated: true, .. }), "{error}");
    }
}

#[test]
fn sc_12_2_faults_of_the_application_are_secured_like_replies() {
    for binding in [
        stateful(user_name(MessageSecurityVersion::default())),
        stateless(user_name(MessageSecurityVersion::default())),
    ] {
        let mut pair = Pair::new(&binding);
        pair.establish().unwrap();
        let exchange = pair.request("fail");
        match pair.exchange(exchange).unwrap() {
            Outcome::Fault { fault, message } => {
                assert_eq!(fault.subcode.unwrap().local_name, "Failed");
                assert_eq!(message.action().as_deref(), Some("urn:echo/Fault"));
                assert!(message.body_was_encrypted());
            }
            other => panic!("{other:?}"),
        }
        pair.works();
    }
}

#[test]
fn sc_63_protection_levels_are_those_of_the_contract() {
    let contract = || {
        let sign = Operation { request: ProtectionLevel::Sign, reply: ProtectionLevel::Sign };
        Contract::new("IEcho").with_operation(ECHO, Operation::default()).with_operation("urn:echo/Sign", sign)
    };
    let binding = stateful(user_name(MessageSecurityVersion::default()));
    let service = service_builder(&binding).contract(contract()).build().unwrap();
    let client = client_builder(&binding).contract(contract()).build().unwrap();
    let mut pair = Pair::of(service, client);
    pair.works();
    let exchange = pair.client.request("urn:echo/Sign", echo("hello"), pair.now, &pair.random).unwrap();
    assert!(exchange.envelope().contains(">hello<"), "signed, not encrypted");
    let wire = pair.deliver(exchange.envelope());
    assert!(wire.envelope.as_ref().unwrap().contains("hello as alice"));
    assert!(matches!(pair.client.receive(exchange, wire.envelope.unwrap(), pair.now), Ok(Outcome::Reply(_))));
    // Signed only is too little where the contract wants encryption.
    let message = Message::request(SoapVersion::Soap12, AddressingVersion::V10, ECHO, ADDRESS, "urn:uuid:1");
    let message = message.with_body(echo("hello")).with_protection(ProtectionLevel::Sign);
    let exchange = pair.client.send(message, pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(exchange.envelope()).code(), invalid_security());
}

#[test]
fn sc_9_step_15_headers_that_have_to_be_understood_are() {
    let version = MessageSecurityVersion::default();
    for binding in [stateful(user_name(version)), stateless(user_name(version))] {
        let mut pair = Pair::new(&binding);
        pair.works();
        let message = || {
            let header =
                format!("<h:Priority xmlns:h='urn:h' xmlns:s='{}' s:mustUnderstand='1'>1</h:Priority>", names::SOAP12);
            let id = "urn:uuid:1";
            let mut message = Message::request(SoapVersion::Soap12, AddressingVersion::V10, ECHO, ADDRESS, id);
            message.headers.push(HeaderBlock::from_xml(header, ProtectionLevel::Sign).unwrap());
            message.with_body(echo("hello"))
        };
        let exchange = pair.client.send(message(), pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert_eq!(wire.fault.as_ref().unwrap().code, FaultCode::MustUnderstand);
        assert!(wire.is_secured(), "the message was authentic");
        let outcome = pair.client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
        assert!(matches!(outcome, Outcome::Fault { .. }));
        let understanding = Contract::default().understanding("urn:h", "Priority");
        pair.service = service_builder(&binding).contract(understanding).build().unwrap();
        pair.client = crate::support::client(&binding);
        pair.works();
        let exchange = pair.client.send(message(), pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert!(wire.fault.is_none(), "{wire:?}");
    }
}

#[test]
fn finding_31_one_way_messages_have_no_reply() {
    let mut pair = Pair::new(&stateful(user_name(MessageSecurityVersion::default())));
    pair.establish().unwrap();
    let exchange = pair.client.one_way(ECHO, echo("hello"), pair.now, &pair.random).unwrap();
    assert!(!exchange.is_answered() && !exchange.envelope().contains("MessageID"));
    let handled = pair.service.handle(Incoming::new(exchange.envelope()), pair.now, &pair.random);
    assert!(matches!(handled, Handled::Request(_)));
}

#[test]
fn sc_81_a_request_for_a_context_counts_once() {
    for binding in [
        stateful(user_name(MessageSecurityVersion::default())),
        stateless(user_name(MessageSecurityVersion::default())),
    ] {
        let mut pair = Pair::new(&binding);
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        assert!(pair.deliver(exchange.envelope()).fault.is_none());
        assert_eq!(pair.deliver(exchange.envelope()).code(), invalid_security());
    }
}

#[test]
fn sc_82_a_full_replay_cache_refuses() {
    let mut binding = stateful(user_name(MessageSecurityVersion::default()));
    binding.local_service.replay_cache_size = 2;
    let mut pair = Pair::new(&binding);
    pair.works();
    pair.works();
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), invalid_security());
    pair.pass(minutes(16));
    pair.works();
}

#[test]
fn sc_28_suites_work_and_do_not_mix() {
    use handstamp_ws_security::AlgorithmSuite;
    for suite in AlgorithmSuite::ALL {
        let mut bootstrap = user_name(MessageSecurityVersion::default());
        bootstrap.suite = *suite;
        for binding in [stateful(bootstrap.clone()), stateless(bootstrap)] {
            let mut pair = Pair::new(&binding);
            assert_eq!(pair.call("hello").unwrap(), "hello as alice", "{}", suite.name());
        }
    }
    // Finding 28.
    let binding = stateful(user_name(MessageSecurityVersion::default()));
    let mut other = binding.clone();
    other.suite = AlgorithmSuite::BASIC128;
    let mut pair = Pair::of(service(&binding), crate::support::client(&other));
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    assert_eq!((wire.code(), wire.is_secured()), (sender(T05, "InvalidRequest"), true));
}

#[test]
fn faults_have_the_code_of_their_soap_version() {
    // SC-91: in SOAP 1.1 the subcode stands in place of the code.
    let binding = stateful(user_name(MessageSecurityVersion::default()));
    let pair = Pair::new(&binding);
    let bare = format!("<s:Envelope xmlns:s='{}'><s:Body/></s:Envelope>", names::SOAP11);
    let envelope = pair.deliver(&bare).envelope.unwrap();
    assert!(
        envelope.contains("<faultcode xmlns:a=\"") && envelope.contains(">a:InvalidSecurity</faultcode>"),
        "{envelope}"
    );
    assert_eq!(pair.deliver(&bare).code().0, FaultCode::Sender);
}

/// What is there for somebody else on the way is not the receiver's (SC 9 step 4).
#[test]
fn sc_9_a_security_header_for_another_role_is_none() {
    for version in [SoapVersion::Soap11, SoapVersion::Soap12] {
        let role = if version == SoapVersion::Soap11 { "actor" } else { "role" };
        let foreign = format!("<o:Security xmlns:o='{}' s:{role}='urn:other'/>", names::WSSE);
        let with = |envelope: &str| envelope.replacen("<s:Header>", &format!("<s:Header>{foreign}"), 1);
        for binding in [
            stateful(user_name(MessageSecurityVersion::default())),
            stateless(user_name(MessageSecurityVersion::default())),
        ] {
            let client = client_builder(&binding).message_version(version, AddressingVersion::V10).build().unwrap();
            let mut pair = Pair::of(service(&binding), client);
            let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
            let answer = pair.deliver(&with(exchange.envelope())).envelope.unwrap();
            pair.client.receive(exchange, answer, pair.now).unwrap();
            let request = pair.request("hello");
            let message = with(request.envelope());
            assert_ne!(message, request.envelope());
            assert!(pair.deliver(&message).fault.is_none());
            // With one for another role only it is as without any (finding 13).
            let message = with(&format!(
                "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>{ECHO}</a:Action></s:Header><s:Body/></s:Envelope>",
                version.namespace(),
                names::WSA,
            ));
            let expected = if pair.service.is_stateful() { "InvalidSecurity" } else { "BadContextToken" };
            assert_eq!(pair.deliver(&message).code().2, expected);
        }
    }
}
