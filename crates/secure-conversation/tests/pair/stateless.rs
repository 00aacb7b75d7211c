//! Sessions that the service remembers: keys that are renewed and roll over, limits, and how sessions end.

use crate::support::{
    DNSE, Pair, S05, T05, VERSIONS, Wire, client, client_builder, deliver, hours, invalid_security, minutes, sender,
    service, service_builder, stateless, user_name,
};
use handstamp_secure_conversation::trust::{RequestSecurityToken, RequestType, TrustAction};
use handstamp_secure_conversation::{Error, Event, Outcome, SecureConversationClient};
use handstamp_ws_security::soap::FaultCode;
use handstamp_ws_security::token::ContextReference;
use handstamp_ws_security::{
    AddressingVersion, Body, Generation, MessageSecurityVersion, ProtectionLevel, SecurityBinding, UserNameCredential,
};
use std::time::Duration;

fn binding() -> SecurityBinding {
    stateless(user_name(MessageSecurityVersion::default()))
}

/// A pair whose session lasts however long nothing is said.
fn patient(binding: &SecurityBinding) -> Pair {
    let service = service_builder(binding).receive_timeout(hours(1000)).build().unwrap();
    Pair::of(service, client(binding))
}

fn bad_context(generation: Generation) -> (FaultCode, String, String) {
    sender(generation.conversation(), "BadContextToken")
}

#[test]
fn sc_35_every_bootstrap_makes_sessions_that_are_cancelled() {
    for version in VERSIONS {
        let mut duplex = SecurityBinding::mutual_certificate_duplex(version);
        duplex.allow_serialized_signing_token_on_reply = true;
        for bootstrap in [
            SecurityBinding::anonymous_for_certificate(version).unwrap(),
            user_name(version),
            SecurityBinding::mutual_certificate(version),
            duplex,
            SecurityBinding::user_name_over_transport(version),
            SecurityBinding::certificate_over_transport(version),
        ] {
            let mut pair = Pair::new(&stateless(bootstrap));
            pair.call("hello").unwrap();
            let request = pair.request("hello");
            assert!(!request.envelope().contains("Cookie"), "SC-35");
            assert!(pair.deliver(request.envelope()).fault.is_none());
            assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: true }), "SC-42");
            assert!(pair.service.sessions(pair.now).is_empty());
            assert!(matches!(pair.call("hello"), Err(Error::SessionClosed)));
        }
    }
}

/// Whatever is in it, it is not looked at.
#[test]
fn sc_35_a_cookie_is_ignored_where_the_context_is_known() {
    let mut pair = Pair::new(&binding());
    pair.works();
    for cookie in ["AAAA", "", "no base64"] {
        let request = pair.request("hello");
        let (before, _) = request.envelope().split_once("SecurityContextToken>").unwrap();
        let end = before.rfind("</").unwrap();
        let (before, behind) = request.envelope().split_at(end);
        let cookie = format!("<d:Cookie xmlns:d='{DNSE}'>{cookie}</d:Cookie>");
        let wire = pair.deliver(&format!("{before}{cookie}{behind}"));
        assert!(wire.fault.is_none() && wire.envelope.is_some(), "{cookie}: {wire:?}");
    }
}

#[test]
fn sc_3_all_messages_under_one_key_share_their_derived_keys() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let nonces = |envelope: &str| envelope.split("Nonce>").skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let (first, second) = (pair.request("a"), pair.request("b"));
    assert_eq!(nonces(first.envelope()), nonces(second.envelope()));
    let replies = [first, second].map(|request| pair.deliver(request.envelope()).envelope.unwrap());
    assert_eq!(nonces(&replies[0]), nonces(&replies[1]));
    pair.establish().unwrap();
    let renewed = pair.request("c");
    assert_ne!(nonces(renewed.envelope()), nonces(&replies[0]));
}

#[test]
fn sc_36_after_a_restart_the_context_is_unknown_in_the_generation_of_the_endpoint() {
    for version in VERSIONS {
        for soap in [handstamp_ws_security::soap::SoapVersion::Soap11, handstamp_ws_security::soap::SoapVersion::Soap12]
        {
            let binding = stateless(user_name(version));
            let client = client_builder(&binding).message_version(soap, AddressingVersion::V10).build().unwrap();
            let mut pair = Pair::of(service(&binding), client);
            pair.works();
            pair.restart();
            let request = pair.request("hello");
            let wire = pair.deliver(request.envelope());
            assert_eq!((wire.code(), wire.is_secured()), (bad_context(version.generation), false));
            assert!(wire.envelope.as_ref().unwrap().contains("RelatesTo"));
            // SC-37: the session is over, and nothing is obtained silently; SOAP 1.1 as well (finding 5).
            let error = pair.exchange(request).unwrap_err();
            assert!(matches!(error, Error::Fault { is_authenticated: false, .. }), "{error}");
            assert!(matches!(pair.call("hello"), Err(Error::SessionFaulted)));
            assert_eq!(pair.client.due(pair.now), None);
            assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: false }), "nothing is sent");
        }
    }
}

#[test]
fn sc_42_messages_after_cancel_are_unknown() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let late = pair.request("late");
    let cancel = pair.client.close(pair.now, &pair.random).unwrap().unwrap();
    let envelope = cancel.envelope().to_owned();
    assert!(!envelope.contains("EncryptedData") && !envelope.contains("ReferenceList"), "signed only (finding 22)");
    assert!(matches!(pair.exchange(cancel).unwrap(), Outcome::Closed { was_cancelled: true }));
    assert_eq!(pair.deliver(late.envelope()).code(), bad_context(Generation::February2005));
    assert_eq!(pair.deliver(&envelope).code(), bad_context(Generation::February2005), "and so is a second cancel");
}

#[test]
fn sc_42_a_cancel_of_another_context_is_not_answered() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let other = ContextReference {
        generation: Generation::February2005,
        identifier: "urn:uuid:00000000-0000-4000-8000-000000000000".to_owned(),
        instance: None,
    };
    let requests = [
        RequestSecurityToken::cancel(Generation::February2005, other).to_xml().unwrap(),
        format!("<t:RequestSecurityToken xmlns:t=\"{T05}\"/>"),
        String::new(),
    ];
    for body in requests {
        let body = if body.is_empty() { Body::empty() } else { Body::from_xml(body).unwrap() };
        let wire = cancel(&mut pair, body);
        assert!(wire.envelope.is_none(), "{wire:?}");
    }
    pair.works();
}

/// As WCF does it: the action says what is asked.
#[test]
fn sc_42_a_cancel_need_not_say_twice_what_it_is_and_its_context_is_repeated() {
    for (request_type, is_good) in [(None, true), (Some(RequestType::Cancel), true), (Some(RequestType::Renew), false)]
    {
        let mut pair = Pair::new(&binding());
        pair.works();
        let target = ContextReference {
            generation: Generation::February2005,
            identifier: pair.client.context_id().unwrap().to_owned(),
            instance: None,
        };
        let request = RequestSecurityToken {
            context: Some("uuid-7".to_owned()),
            request_type,
            ..RequestSecurityToken::cancel(Generation::February2005, target)
        };
        let wire = cancel(&mut pair, Body::from_xml(request.to_xml().unwrap()).unwrap());
        assert_eq!(wire.envelope.is_some_and(|envelope| envelope.contains("Context=\"uuid-7\"")), is_good);
        assert_eq!(pair.service.sessions(pair.now).is_empty(), is_good);
    }
}

/// What the service makes of a Cancel with this body.
fn cancel(pair: &mut Pair, body: Body) -> Wire {
    let message = handstamp_ws_security::Message::request(
        handstamp_ws_security::soap::SoapVersion::Soap12,
        AddressingVersion::V10,
        TrustAction::Cancel.request(Generation::February2005),
        crate::support::ADDRESS,
        "urn:uuid:1",
    );
    let message = message.with_body(body).with_protection(ProtectionLevel::Sign);
    let exchange = pair.client.send(message, pair.now, &pair.random).unwrap();
    pair.deliver(exchange.envelope())
}

#[test]
fn sc_43_sessions_that_wait_are_limited_and_swept() {
    let mut binding = binding();
    binding.local_service.max_pending_sessions = 2;
    let mut pair = Pair::new(&binding);
    let mut clients: Vec<SecureConversationClient> = (0..3).map(|_| client(&binding)).collect();
    let mut obtain = |pair: &mut Pair, number: usize| {
        std::mem::swap(&mut pair.client, &mut clients[number]);
        let result = pair.establish();
        std::mem::swap(&mut pair.client, &mut clients[number]);
        result
    };
    obtain(&mut pair, 0).unwrap();
    obtain(&mut pair, 1).unwrap();
    let error = obtain(&mut pair, 2).unwrap_err();
    let Error::Fault { fault, is_authenticated: true } = error else { panic!("{error}") };
    assert_eq!(fault.code, FaultCode::Receiver);
    let subcode = fault.subcode.unwrap();
    assert_eq!((subcode.namespace.as_str(), subcode.local_name.as_str()), (DNSE, "ServerTooBusy"), "finding 40");
    std::mem::swap(&mut pair.client, &mut clients[0]);
    pair.works();
    std::mem::swap(&mut pair.client, &mut clients[0]);
    pair.establish().unwrap();
    pair.client.forget();
    pair.pass(minutes(2).checked_sub(Duration::from_secs(1)).unwrap());
    assert!(pair.establish().is_err(), "an unused session lasts two minutes at least");
    pair.pass(minutes(2).saturating_add(Duration::from_secs(1)));
    pair.establish().unwrap();
    assert_eq!(pair.service.sessions(pair.now).len(), 2, "one active, one new");
    std::mem::swap(&mut pair.client, &mut clients[1]);
    let error = pair.call("hello").unwrap_err();
    assert!(matches!(error, Error::Fault { is_authenticated: false, .. }), "{error}");
}

#[test]
fn sc_43_an_active_session_ends_when_nothing_comes_for_the_receive_timeout() {
    let mut pair = Pair::new(&binding());
    pair.works();
    pair.pass(minutes(10).checked_sub(Duration::from_millis(1)).unwrap());
    pair.works();
    pair.pass(minutes(10));
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), bad_context(Generation::February2005));
}

/// `receiveTimeout="Infinite"` (SC 14.1).
#[test]
fn sc_43_without_a_receive_timeout_only_a_cancel_ends_an_active_session() {
    let service = service_builder(&binding()).receive_timeout(None).build().unwrap();
    let mut pair = Pair::of(service, client(&binding()));
    pair.works();
    pair.pass(hours(8));
    pair.works();
    assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: true }));
    assert!(pair.service.sessions(pair.now).is_empty());
}

#[test]
fn sc_40_the_client_renews_after_a_share_of_the_key_or_its_own_interval() {
    let mut pair = patient(&binding());
    pair.works();
    pair.pass(hours(9).checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(pair.client.due(pair.now), None);
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.client.due(pair.now), Some(TrustAction::Renew), "60 % of 15 hours");
    let mut binding = binding();
    binding.local_client.session_key_renewal_interval = Some(hours(2));
    let mut pair = patient(&binding);
    pair.works();
    pair.pass(hours(2));
    assert_eq!(pair.client.due(pair.now), Some(TrustAction::Renew));
    binding.local_client.session_key_renewal_interval = None;
    binding.local_client.cookie_renewal_threshold_percentage = 80;
    let mut pair = patient(&binding);
    pair.works();
    pair.pass(hours(12).checked_sub(Duration::from_secs(1)).unwrap());
    assert_eq!(pair.client.due(pair.now), None);
    pair.pass(Duration::from_secs(1));
    assert_eq!(pair.client.due(pair.now), Some(TrustAction::Renew), "80 % of 15 hours");
    binding.local_service.session_key_renewal_interval = None;
    let mut pair = patient(&binding);
    pair.works();
    pair.pass(hours(900));
    assert_eq!(pair.client.due(pair.now), None, "a key forever");
}

#[test]
fn sc_38_a_renewed_key_has_the_same_context_and_another_instance() {
    for version in VERSIONS {
        for bootstrap in [user_name(version), SecurityBinding::user_name_over_transport(version)] {
            let mut pair = patient(&stateless(bootstrap));
            pair.works();
            let context = pair.client.context_id().unwrap().to_owned();
            for renewal in 1..=3 {
                pair.pass(hours(9));
                pair.works();
                assert_eq!(pair.client.context_id(), Some(context.as_str()));
                assert!(pair.request("x").envelope().contains("Instance>urn:uuid:"));
                let sessions = pair.service.sessions(pair.now);
                assert_eq!((sessions.len(), sessions[0].renewals, sessions[0].pending_keys), (1, renewal, 0));
            }
            assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: true }));
        }
    }
}

/// Finding 16: which key a reply has.
#[test]
fn sc_38_the_old_key_works_for_the_rollover_time_and_replies_have_the_current_one() {
    for version in VERSIONS {
        let mut pair = patient(&stateless(user_name(version)));
        pair.works();
        let (before, within, late) = (pair.request("before"), pair.request("within"), pair.request("late"));
        pair.establish().unwrap();
        let wire = pair.deliver(before.envelope()).envelope.unwrap();
        assert!(!wire.contains("Instance="), "the old key is current until the new one is used");
        assert!(matches!(pair.client.receive(before, wire, pair.now), Ok(Outcome::Reply(_))));
        pair.works();
        pair.pass(minutes(5));
        let wire = pair.deliver(within.envelope()).envelope.unwrap();
        assert!(wire.contains("Instance="), "the new key is current");
        assert!(matches!(pair.client.receive(within, wire, pair.now), Ok(Outcome::Reply(_))));
        pair.pass(Duration::from_millis(1));
        let wire = pair.deliver(late.envelope());
        assert_eq!((wire.code(), wire.is_secured()), (sender(S05, "BadContextToken"), false), "finding 17");
        let error = pair.exchange(late).unwrap_err();
        assert!(matches!(error, Error::Fault { is_authenticated: false, .. }), "{error}");
        pair.works();
    }
}

#[test]
fn sc_11_2_a_client_accepts_the_old_key_in_replies_for_the_rollover_time() {
    let mut pair = patient(&binding());
    pair.works();
    let [in_time, late] = ["in time", "late"].map(|text| {
        let request = pair.request(text);
        let reply = pair.deliver(request.envelope()).envelope.unwrap();
        (request, reply)
    });
    pair.establish().unwrap();
    pair.pass(minutes(5));
    assert!(matches!(pair.client.receive(in_time.0, in_time.1, pair.now), Ok(Outcome::Reply(_))));
    pair.pass(Duration::from_millis(1));
    assert!(pair.client.receive(late.0, late.1, pair.now).is_err());
}

#[test]
fn sc_39_five_renewed_keys_may_wait_and_the_first_that_is_used_drops_the_others() {
    let mut pair = patient(&binding());
    pair.works();
    let saved = pair.client.save().unwrap();
    let renew = |pair: &mut Pair| {
        // Each renewal by a client that has the first key only.
        pair.client.restore(&saved, pair.now).unwrap();
        pair.establish()
    };
    let mut clients = Vec::new();
    for _ in 0..5 {
        renew(&mut pair).unwrap();
        clients.push(pair.client.save().unwrap());
    }
    assert_eq!(pair.service.sessions(pair.now)[0].pending_keys, 5);
    let error = renew(&mut pair).unwrap_err();
    let Error::Fault { fault, is_authenticated: true } = error else { panic!("{error}") };
    assert_eq!(fault.subcode.unwrap().local_name, "InvalidRequest");
    // The third is taken into use: all others are dropped, as WCF drops them.
    pair.client.restore(&clients[2], pair.now).unwrap();
    pair.works();
    assert_eq!(pair.service.sessions(pair.now)[0].pending_keys, 0);
    for (number, good) in [(0, false), (1, false), (3, false), (4, false), (2, true)] {
        pair.client.restore(&clients[number], pair.now).unwrap();
        let request = pair.request("hello");
        assert_eq!(pair.deliver(request.envelope()).fault.is_none(), good, "key {number}");
    }
}

#[test]
fn sc_39_only_the_caller_of_a_session_renews_it_and_only_under_its_current_key() {
    let mut pair = patient(&binding());
    pair.establish().unwrap();
    let refused = |pair: &mut Pair| {
        let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
        let wire = pair.deliver(exchange.envelope());
        assert_eq!((wire.code(), wire.is_secured()), (sender(T05, "InvalidRequest"), true), "{wire:?}");
        wire.refusal()
    };
    assert!(refused(&mut pair).contains("not been used"), "not active yet");
    pair.works();
    let saved = pair.client.save().unwrap();
    let mut bob = client_builder(&binding()).user_name(UserNameCredential::new("bob", "secret")).build().unwrap();
    bob.restore(&saved, pair.now).unwrap();
    std::mem::swap(&mut pair.client, &mut bob);
    assert!(refused(&mut pair).contains("caller"));
    std::mem::swap(&mut pair.client, &mut bob);
    pair.establish().unwrap();
    pair.works();
    pair.client.restore(&saved, pair.now).unwrap();
    assert!(refused(&mut pair).contains("current"));
}

#[test]
fn sc_39_a_renewal_of_an_unknown_context_or_where_it_is_not_allowed_is_refused() {
    let mut pair = Pair::new(&binding());
    pair.works();
    pair.restart();
    let renew = pair.client.establish(pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(renew.envelope()).code(), sender(S05, "BadContextToken"));
    let mut strict = binding();
    strict.session_mut().unwrap().can_renew = false;
    let mut pair = Pair::of(service(&strict), client(&binding()));
    pair.works();
    let renew = pair.client.establish(pair.now, &pair.random).unwrap();
    assert_eq!(pair.deliver(renew.envelope()).code(), invalid_security());
}

/// Finding 18, 19.
#[test]
fn sc_41_an_expired_key_is_to_be_renewed() {
    for version in VERSIONS {
        let mut lazy = stateless(user_name(version));
        lazy.local_client.session_key_renewal_interval = Some(hours(100));
        let mut pair = patient(&lazy);
        pair.works();
        // Made in time, held back on the way.
        let held = pair.request("held");
        let expiry = pair.now.saturating_add(hours(15));
        let wire = |pair: &Pair, envelope: &str, now| deliver(&pair.service, envelope, now, &pair.random);
        let made = expiry.saturating_sub(minutes(1));
        pair.now = made;
        let [last, next] = ["last", "next"].map(|text| pair.request(text));
        assert!(wire(&pair, held.envelope(), made).fault.is_some(), "stale by now");
        assert!(wire(&pair, last.envelope(), expiry).fault.is_none(), "the last instant");
        pair.now = expiry.saturating_add(Duration::from_millis(1));
        let answer: Wire = wire(&pair, next.envelope(), pair.now);
        assert_eq!(
            (answer.code(), answer.is_secured()),
            (sender(version.generation.conversation(), "RenewNeeded"), true)
        );
        let error = pair.client.receive(next, answer.envelope.unwrap(), pair.now).unwrap_err();
        assert!(matches!(error, Error::RenewNeeded), "{error}");
        assert_eq!(pair.client.due(pair.now), Some(TrustAction::Renew));
        pair.works();
        assert_eq!(pair.service.sessions(pair.now)[0].renewals, 1);
    }
}

/// An expired key is not taken into use: the current one goes on, and says that it is to be renewed (SC 11.2).
#[test]
fn sc_41_a_renewed_key_that_was_used_too_late_does_not_replace_the_current_one() {
    let mut binding = binding();
    binding.local_service.session_key_renewal_interval = Some(minutes(10));
    let mut pair = patient(&binding);
    pair.works();
    pair.establish().unwrap();
    pair.pass(minutes(10));
    let late = pair.request("late");
    pair.pass(Duration::from_secs(1));
    let wire = pair.deliver(late.envelope());
    assert_eq!(wire.code(), sender(S05, "RenewNeeded"));
    assert!(!wire.envelope.unwrap().contains("Instance="), "the first key is current");
    assert_eq!(pair.service.sessions(pair.now)[0].renewals, 0);
}

#[test]
fn sc_41_cancel_works_with_an_expired_key_and_nothing_else_when_renewing_is_not_allowed() {
    let mut strict = binding();
    strict.session_mut().unwrap().can_renew = false;
    let mut pair = patient(&strict);
    pair.works();
    let made_in_time = hours(15).checked_sub(minutes(1)).unwrap();
    pair.pass(made_in_time);
    let held = pair.request("held");
    pair.pass(minutes(2));
    let wire = pair.deliver(held.envelope());
    assert_eq!((wire.code(), wire.is_secured()), (invalid_security(), false));
    assert_eq!(pair.client.due(pair.now), None);
    assert!(matches!(pair.call("hello"), Err(Error::KeyExpired)), "finding 19");
    assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: true }));
}

#[test]
fn sc_12_2_a_closing_service_serves_its_sessions_and_issues_none() {
    let mut pair = Pair::new(&binding());
    pair.works();
    pair.service.close();
    pair.works();
    let old = std::mem::replace(&mut pair.client, client(&binding()));
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    let unavailable = (FaultCode::Receiver, handstamp_xml::names::WSA.to_owned(), "EndpointUnavailable".to_owned());
    assert_eq!((wire.code(), wire.is_secured()), (unavailable, true));
    pair.client = old;
    assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: true }));
}

#[test]
fn an_operator_ends_a_session() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let context_id = pair.client.context_id().unwrap().parse().unwrap();
    assert!(pair.service.end(&context_id) && !pair.service.end(&context_id));
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), bad_context(Generation::February2005));
}

/// Finding 15: a client that does not know that the service remembers.
#[test]
fn sc_3_a_stateful_client_works_with_a_stateless_service() {
    let mut pair = Pair::new(&binding());
    pair.client = client(&crate::support::stateful(user_name(MessageSecurityVersion::default())));
    pair.works();
    pair.works();
    assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: false }));
}

#[test]
fn events_tell_what_happened() {
    let mut pair = patient(&binding());
    let mut happened = Vec::new();
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    happened.push(wire.event);
    pair.client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
    pair.works();
    let exchange = pair.client.establish(pair.now, &pair.random).unwrap();
    let wire = pair.deliver(exchange.envelope());
    happened.push(wire.event);
    pair.client.receive(exchange, wire.envelope.unwrap(), pair.now).unwrap();
    let exchange = pair.client.close(pair.now, &pair.random).unwrap().unwrap();
    happened.push(pair.deliver(exchange.envelope()).event);
    let id = pair.client.context_id().unwrap();
    match &happened[..] {
        [
            Some(Event::Issued { context_id, caller }),
            Some(Event::Renewed { context_id: renewed }),
            Some(Event::Cancelled { context_id: cancelled }),
        ] => {
            assert_eq!((context_id.as_str(), caller.as_deref()), (id, Some("alice")));
            assert_eq!((renewed.as_str(), cancelled.as_str()), (id, id));
        }
        other => panic!("{other:?}"),
    }
}
