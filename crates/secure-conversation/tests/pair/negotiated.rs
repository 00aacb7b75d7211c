//! Messages under a context that TLS negotiates in messages, without a session on top: wsHttpBinding with
//! `establishSecurityContext="false"` (SC §7, §15).

use crate::requests::Rules;
use crate::support::{
    ECHO, PARTIES, Pair, S05, VERSIONS, WSSE, client, client_builder, echo, hours, invalid_security, minutes, sender,
    service, service_builder, stateless,
};
use handstamp_keys::DeterministicRandom;
use handstamp_secure_conversation::{Contract, Error, Event, Outcome, SecureConversationClient};
use handstamp_session_token::{Revocation, RevocationList};
use handstamp_ws_security::{
    AuthenticationMode, MessageSecurityVersion, Protection, SecurityBinding, TokenKind, UserNameCredential,
};
use std::sync::Arc;

fn binding(mode: AuthenticationMode, version: MessageSecurityVersion, is_remembered: bool) -> SecurityBinding {
    let mut binding = SecurityBinding::for_mode(mode, version).unwrap();
    let Protection::Symmetric { token } = &mut binding.protection else { panic!("symmetric") };
    let TokenKind::SslNegotiated { require_cancellation, .. } = &mut token.kind else { panic!("negotiated") };
    *require_cancellation = is_remembered;
    binding
}

/// Both ways to keep the context of a binding whose clients have names and passwords.
fn both() -> [SecurityBinding; 2] {
    [true, false].map(|is_remembered| {
        binding(AuthenticationMode::UserNameForSslNegotiated, MessageSecurityVersion::default(), is_remembered)
    })
}

/// At a time when the certificates of the recordings are valid: TLS looks at that.
fn pair(binding: &SecurityBinding) -> Pair {
    let mut pair = Pair::of(service(binding), client(binding));
    pair.pass(hours(5));
    pair
}

#[test]
fn sc_75_every_negotiated_mode_works_without_a_session_in_both_generations() {
    use AuthenticationMode::{AnonymousForSslNegotiated, MutualSslNegotiated, UserNameForSslNegotiated};
    for version in VERSIONS {
        for (mode, caller) in [
            (AnonymousForSslNegotiated, "nobody".to_owned()),
            (UserNameForSslNegotiated, "alice".to_owned()),
            (MutualSslNegotiated, PARTIES.client.certificate().subject().spaced()),
        ] {
            for is_remembered in [true, false] {
                let mut pair = pair(&binding(mode, version, is_remembered));
                // Nothing but the negotiation comes before the first message.
                while pair.client.due(pair.now).is_some() {
                    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
                    assert!(exchange.is_negotiation());
                    pair.exchange(exchange).unwrap();
                }
                for text in ["one", "two"] {
                    let said = pair.call(text).unwrap();
                    assert!(said.starts_with(&format!("{text} as {caller}")), "{said}");
                }
                let sessions = pair.service.sessions(pair.now);
                assert_eq!((sessions.len(), sessions[0].is_cookie), (1, !is_remembered));
                assert_eq!(pair.service.is_stateful(), !is_remembered);
                // There is nothing to tell the service.
                assert!(pair.client.close(pair.now, &pair.random).unwrap().is_none());
            }
        }
    }
}

#[test]
fn sc_7_each_message_shows_the_context_and_the_credentials_of_its_sender() {
    for binding in both() {
        let mut pair = pair(&binding);
        pair.works();
        let request = pair.request("hello");
        let envelope = request.envelope();
        assert_eq!(envelope.matches("SecurityContextToken ").count(), 1, "{envelope}");
        // Timestamp, context, two keys, list, and encrypted the user name and the signature.
        assert_eq!(envelope.matches("<e:EncryptedData").count(), 3, "body, user name and signature: {envelope}");
        assert!(!envelope.contains("alice"), "{envelope}");
        // The context is anonymous; who speaks in it is told by each message.
        let (saved, now) = (pair.client.save().unwrap(), pair.now);
        let as_somebody = |name: &str, password: &str| {
            let mut client =
                client_builder(&binding).user_name(UserNameCredential::new(name, password)).build().unwrap();
            client.restore(&saved, now).unwrap();
            client
        };
        pair.client = as_somebody("bob", "secret");
        assert_eq!(pair.call("hello").unwrap(), "hello as bob");
        pair.client = as_somebody("bob", "wrong");
        let request = pair.request("hello");
        assert_eq!(pair.deliver(request.envelope()).code(), sender(WSSE, "FailedAuthentication"));
        // A client that leaves its credentials out.
        let TokenKind::SslNegotiated { require_cancellation, .. } = (match &binding.protection {
            Protection::Symmetric { token } => token.kind.clone(),
            _ => panic!("symmetric"),
        }) else {
            panic!("negotiated")
        };
        let anonymous =
            self::binding(AuthenticationMode::AnonymousForSslNegotiated, binding.version, require_cancellation);
        pair.client = client(&anonymous);
        pair.client.restore(&saved, pair.now).unwrap();
        let request = pair.request("hello");
        assert_eq!(pair.deliver(request.envelope()).code(), invalid_security());
        pair.client = as_somebody("alice", "secret");
        pair.works();
    }
}

#[test]
fn sc_81_a_message_counts_once_and_a_changed_one_not_at_all() {
    for binding in both() {
        let mut pair = pair(&binding);
        pair.works();
        let request = pair.request("hello");
        assert!(pair.deliver(request.envelope()).fault.is_none());
        assert_eq!(pair.deliver(request.envelope()).code(), invalid_security());
        let request = pair.request("hello");
        let changed = request.envelope().replace(">https://echo.example/<", ">https://echo.example/x<");
        assert_ne!(changed, request.envelope());
        assert_eq!(pair.deliver(&changed).code(), invalid_security());
    }
}

#[test]
fn sc_22_a_context_that_is_a_cookie_survives_a_restart_and_a_remembered_one_does_not() {
    for binding in both() {
        let mut pair = pair(&binding);
        pair.works();
        pair.restart();
        if pair.service.is_stateful() {
            pair.works();
            continue;
        }
        let request = pair.request("hello");
        let wire = pair.deliver(request.envelope());
        assert_eq!(wire.code(), sender(S05, "BadContextToken"));
        let error = pair.client.receive(request, wire.envelope.unwrap(), pair.now).unwrap_err();
        assert!(matches!(error, Error::Fault { is_authenticated: false, .. }), "{error}");
        // The client keeps to it, as the fault may be forged; a new one is the application's decision, or was made before.
        pair.client.forget();
        pair.works();
        pair.client = client_builder(&binding).reissue_lost_sessions().build().unwrap();
        pair.works();
        pair.restart();
        let exchange = pair.request("again");
        let Outcome::Again(message) = pair.exchange(exchange).unwrap() else { panic!("not again") };
        pair.establish().unwrap();
        let exchange = pair.client.again(*message, pair.now, &pair.random).unwrap();
        assert!(matches!(pair.exchange(exchange).unwrap(), Outcome::Reply(_)));
    }
}

#[test]
fn sc_11_1_a_service_goes_on_with_the_contexts_of_the_one_before() {
    let [remembered, _] = both();
    let mut pair = pair(&remembered);
    pair.works();
    pair.service = service_builder(&remembered).going_on_with(&pair.service).build().unwrap();
    pair.works();
}

#[test]
fn sc_28_a_context_is_replaced_after_a_share_of_its_life() {
    for mut binding in both() {
        binding.local_service.issued_cookie_lifetime = Some(minutes(15));
        let mut pair = pair(&binding);
        pair.works();
        let first = pair.client.context_id().unwrap().to_owned();
        pair.pass(minutes(8));
        pair.works();
        assert_eq!(pair.client.context_id(), Some(first.as_str()));
        pair.pass(minutes(1));
        pair.works();
        assert_ne!(pair.client.context_id(), Some(first.as_str()), "60 % of its life are over");
        pair.client.forget();
        pair.works();
        pair.pass(minutes(21));
        assert!(pair.client.due(pair.now).is_some());
        let stale = pair.request("hello");
        assert_eq!(pair.deliver(stale.envelope()).code(), sender(S05, "BadContextToken"));
    }
}

#[test]
fn sc_4_5_there_are_no_sessions_to_ask_for_renew_or_end() {
    for binding in both() {
        let mut pair = pair(&binding);
        pair.works();
        let generation = binding.version.generation;
        for action in ["RST/SCT", "RST/SCT/Renew", "RST/SCT/Cancel"] {
            let action = format!("{}/{action}", generation.trust());
            let exchange = pair.client.request(&action, echo("x"), pair.now, &pair.random).unwrap();
            assert_eq!(pair.deliver(exchange.envelope()).code(), invalid_security(), "{action}");
        }
        // Nor does a client with sessions get one here.
        let mut other = client(&stateless(binding.clone()));
        loop {
            let exchange = other.establish(pair.now, &pair.random).unwrap();
            let wire = pair.deliver(exchange.envelope());
            if !exchange.is_negotiation() {
                assert_eq!(wire.code(), invalid_security());
                break;
            }
            other.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
        }
    }
}

/// What a negotiation makes for another service of the same keys opens nothing here, and the other way round.
#[test]
fn sc_7_contexts_of_sessions_and_of_messages_do_not_pass_for_each_other() {
    let [_, direct] = both();
    let mut session = stateless(direct.clone());
    session.session_mut().unwrap().require_cancellation = false;
    let (mut of_messages, mut of_sessions) = (pair(&direct), pair(&session));
    of_messages.works();
    of_sessions.works();
    let (message, session_message) = (of_messages.client.save().unwrap(), of_sessions.client.save().unwrap());
    of_messages.client.restore(&session_message, of_messages.now).unwrap();
    let request = of_messages.request("hello");
    assert_eq!(of_messages.deliver(request.envelope()).code(), invalid_security());
    of_sessions.client.restore(&message, of_sessions.now).unwrap();
    let request = of_sessions.request("hello");
    assert_eq!(of_sessions.deliver(request.envelope()).code(), invalid_security());
}

#[test]
fn sc_31_the_caller_of_each_message_is_transformed_and_authorized() {
    for binding in both() {
        let mut pair = pair(&binding);
        let builder = service_builder(&binding).claims_transformation(Arc::new(Rules));
        pair.service = builder.authorization(Arc::new(Rules)).build().unwrap();
        pair.works();
        let denied = |pair: &Pair, client: &mut SecureConversationClient, action: &str, reason: &str| {
            let exchange = client.request(action, echo("x"), pair.now, &DeterministicRandom::new(9)).unwrap();
            let wire = pair.deliver(exchange.envelope());
            assert_eq!((wire.code(), wire.is_secured()), (sender(WSSE, "FailedAuthentication"), true));
            assert!(wire.refusal().contains(reason), "{}", wire.refusal());
            // Inside the protection, so the client may believe it.
            let outcome = client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
            assert!(matches!(outcome, Outcome::Fault { .. }), "{outcome:?}");
        };
        let saved = pair.client.save().unwrap();
        let mut alice = client(&binding);
        alice.restore(&saved, pair.now).unwrap();
        denied(&pair, &mut alice, "urn:echo/Other", "not for you");
        let mut bob = client_builder(&binding).user_name(UserNameCredential::new("bob", "secret")).build().unwrap();
        bob.restore(&saved, pair.now).unwrap();
        denied(&pair, &mut bob, ECHO, "on leave");
        pair.works();
    }
}

#[test]
fn sc_19_11_a_context_is_ended_before_its_time() {
    let [remembered, cookie] = both();
    let mut pair = pair(&remembered);
    pair.works();
    let context_id = pair.client.context_id().unwrap().parse().unwrap();
    assert!(pair.service.end(&context_id) && !pair.service.end(&context_id));
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"));

    let revocations = Arc::new(RevocationList::new());
    let mut pair = self::pair(&cookie);
    pair.service = service_builder(&cookie).revocations(revocations.clone()).build().unwrap();
    pair.works();
    let context_id = pair.client.context_id().unwrap().parse().unwrap();
    assert!(!pair.service.end(&context_id), "it would come back with the next message");
    revocations.apply(&Revocation::session(&context_id, pair.now.saturating_add(hours(11))), pair.now).unwrap();
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"));
}

#[test]
fn sc_11_1_a_closing_service_goes_on_serving_those_who_have_a_context() {
    for binding in both() {
        let mut pair = pair(&binding);
        pair.works();
        pair.service.close();
        pair.works();
        pair.client = client(&binding);
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        assert_eq!(pair.deliver(exchange.envelope()).code().2, "EndpointUnavailable");
    }
}

#[test]
fn sc_96_what_does_not_go_together_is_refused_beforehand() {
    let [remembered, cookie] = both();
    let contract = Contract::new("IEcho").requiring_session();
    for binding in [&remembered, &cookie] {
        let problem = service_builder(binding).contract(contract.clone()).build().unwrap_err().to_string();
        assert!(problem.contains("IEcho") && problem.contains("secureConversationBootstrap"), "{problem}");
        let problem = client_builder(binding).contract(contract.clone()).build().unwrap_err().to_string();
        assert!(problem.contains("IEcho"), "{problem}");
        let problem = SecureConversationClient::builder(binding.clone(), "http://echo/").build().unwrap_err();
        assert!(problem.to_string().contains("negotiates TLS"), "{problem}");
    }
    let without_cookies = handstamp_secure_conversation::SecureConversationService::builder(cookie)
        .identity(PARTIES.service.clone())
        .user_names(Arc::new(crate::support::Accounts))
        .build();
    assert!(without_cookies.unwrap_err().to_string().contains("seals"));
}

#[test]
fn sc_7_4_a_service_forgets_the_oldest_contexts_when_it_remembers_too_many() {
    let [remembered, _] = both();
    let mut pair = pair(&remembered);
    pair.service = service_builder(&remembered).max_sessions(5).build().unwrap();
    let mut clients: Vec<_> = (0..6_u64)
        .map(|number| {
            let mut client = client(&remembered);
            pair.pass(minutes(1));
            let random = DeterministicRandom::new(100 + number);
            while client.due(pair.now).is_some() {
                let exchange = client.establish(pair.now, &random).unwrap();
                let wire = pair.deliver(exchange.envelope());
                assert!(!matches!(wire.event, Some(Event::Refused(_))), "{wire:?}");
                client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
            }
            client
        })
        .collect();
    assert_eq!(pair.service.sessions(pair.now).len(), 5);
    pair.client = clients.pop().unwrap();
    pair.works();
    pair.client = clients.swap_remove(0);
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"));
}
