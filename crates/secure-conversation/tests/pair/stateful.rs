//! Sessions that are cookies: what survives, and what does not open.

use crate::support::{
    ADDRESS, DNSE, Pair, S05, VERSIONS, client, client_builder, deliver, hours, invalid_security, minutes, ring,
    sender, service, service_builder, start, stateful, user_name,
};
use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy};
use handstamp_secure_conversation::{Error, NativeCookies, Outcome, SecureConversationClient};
use handstamp_session_token::{Revocation, RevocationList};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, Message, MessageSecurityVersion, SecurityBinding, UserNameCredential};
use std::sync::Arc;

fn binding() -> SecurityBinding {
    stateful(user_name(MessageSecurityVersion::default()))
}

/// The cookie in a request, and where it stands.
fn cookie(envelope: &str) -> &str {
    let start = envelope.find("<dnse:Cookie").unwrap();
    let start = start + envelope[start..].find('>').unwrap() + 1;
    let length = envelope[start..].find('<').unwrap();
    &envelope[start..start + length]
}

#[test]
fn sc_22_every_bootstrap_makes_sessions_that_survive_a_restart_with_the_caller() {
    for version in VERSIONS {
        let certificate = "CN=client.example, O=Vector Test, C=XX; F36A503D7B4A12B1C4A3258D777D22B60D95D171";
        let mut wss10 = SecurityBinding::mutual_certificate(MessageSecurityVersion::WSS10_13_BSP);
        wss10.version.generation = version.generation;
        let mut duplex = SecurityBinding::mutual_certificate_duplex(version);
        duplex.allow_serialized_signing_token_on_reply = true;
        for (bootstrap, name) in [
            (SecurityBinding::anonymous_for_certificate(version).unwrap(), "nobody"),
            (user_name(version), "alice"),
            (SecurityBinding::mutual_certificate(version), certificate),
            (wss10, certificate),
            (duplex, certificate),
            (SecurityBinding::user_name_over_transport(version), "alice"),
            (SecurityBinding::certificate_over_transport(version), certificate),
        ] {
            let mut pair = Pair::new(&stateful(bootstrap));
            let expected = format!("hello as {name}");
            assert_eq!(pair.call("hello").unwrap(), expected);
            pair.restart();
            assert_eq!(pair.call("hello").unwrap(), expected, "after a restart");
            pair.pass(minutes(1));
            assert_eq!(pair.call("hello").unwrap(), expected);
            assert!(matches!(pair.close().unwrap(), Outcome::Closed { was_cancelled: false }), "SC-28");
        }
    }
}

#[test]
fn sc_20_the_token_has_a_cookie_and_no_instance() {
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    let request = pair.request("hello");
    let envelope = request.envelope();
    assert!(!cookie(envelope).is_empty() && !envelope.contains("Instance>"), "{envelope}");
    let second = pair.request("hello");
    assert_eq!(cookie(envelope), cookie(second.envelope()), "SC-21");
    let nonce = |envelope: &str| envelope.split("Nonce>").nth(1).map(str::to_owned);
    assert_ne!(nonce(envelope), nonce(second.envelope()), "each message has keys of its own (SC §3)");
}

#[test]
fn sc_26_nodes_share_nothing_but_keys() {
    let nodes = [service(&binding()), service(&binding())];
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    for node in nodes.iter().cycle().take(6) {
        let exchange = pair.request("hello");
        let answer = deliver(node, exchange.envelope(), pair.now, &pair.random).envelope.unwrap();
        assert!(matches!(pair.client.receive(exchange, answer, pair.now), Ok(Outcome::Reply(_))));
    }
}

#[test]
fn sc_26_more_sessions_than_the_cache_holds_all_work() {
    for capacity in [1, 2, 5] {
        let mut binding = binding();
        binding.local_service.max_cached_cookies = capacity;
        let mut pair = Pair::new(&binding);
        let mut clients: Vec<SecureConversationClient> = (0..4).map(|_| client(&binding)).collect();
        for _round in 0..2 {
            for client in &mut clients {
                std::mem::swap(&mut pair.client, client);
                pair.works();
                std::mem::swap(&mut pair.client, client);
                assert!(pair.service.sessions(pair.now).len() <= capacity, "memory that grows");
            }
        }
    }
}

#[test]
fn sc_23_a_cookie_of_other_keys_or_another_service_is_refused() {
    for version in VERSIONS {
        let binding = stateful(user_name(version));
        let mut pair = Pair::new(&binding);
        pair.works();
        let others = KeyRing::in_memory(RotationPolicy::default(), start(), &DeterministicRandom::new(2)).unwrap();
        for cookies in
            [NativeCookies::new(Arc::new(others), ADDRESS), NativeCookies::new(ring(), "https://other.example/")]
        {
            pair.service = service_builder(&binding).cookies(Arc::new(cookies)).build().unwrap();
            let request = pair.request("hello");
            let wire = pair.deliver(request.envelope());
            assert_eq!((wire.code(), wire.is_secured()), (invalid_security(), false));
        }
    }
}

#[test]
fn sc_23_a_changed_token_is_refused_alike_whatever_was_changed() {
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    let request = pair.request("hello");
    let envelope = request.envelope();
    let cookie = cookie(envelope).to_owned();
    let flip = |at: usize| {
        let mut octets = cookie.clone().into_bytes();
        octets[at] = if octets[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(octets).unwrap()
    };
    let mut changed: Vec<String> =
        (0..cookie.len() - 4).step_by(13).map(|at| envelope.replace(&cookie, &flip(at))).collect();
    changed.push(envelope.replace(&cookie, &cookie[..cookie.len() / 8 * 4]));
    changed.push(envelope.replace(&cookie, "not base64"));
    changed.push(envelope.replacen("Identifier>urn:uuid:", "Identifier>urn:uuid:0", 1));
    changed.push(envelope.replacen("</dnse:Cookie>", "</dnse:Cookie><x xmlns=\"urn:x\"/>", 1));
    let texts: Vec<_> = changed
        .iter()
        .map(|changed| {
            assert_ne!(changed, envelope);
            let wire = pair.deliver(changed);
            assert_eq!((wire.code(), wire.is_secured()), (invalid_security(), false), "{changed}");
            wire.fault.unwrap().reason
        })
        .collect();
    assert!(texts.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(pair.deliver(envelope).fault.is_none(), "the original is good all the time");
}

/// Finding 36.
#[test]
fn sc_25_a_token_without_cookie_is_unknown_unless_the_session_is_cached() {
    for version in VERSIONS {
        let mut pair = Pair::new(&stateful(user_name(version)));
        pair.establish().unwrap();
        let without = |pair: &mut Pair| {
            let request = pair.request("hello");
            let envelope = request.envelope();
            let start = envelope.find("<dnse:Cookie").unwrap();
            let end = envelope.find("</dnse:Cookie>").unwrap() + "</dnse:Cookie>".len();
            pair.deliver(&format!("{}{}", &envelope[..start], &envelope[end..]))
        };
        let wire = without(&mut pair);
        assert_eq!((wire.code(), wire.is_secured()), (sender(S05, "BadContextToken"), false), "February 2005 always");
        pair.works();
        assert!(without(&mut pair).fault.is_none(), "cached");
    }
}

#[test]
fn sc_24_a_session_ends_with_its_cookie_and_using_it_does_not_prolong_it() {
    let mut binding = binding();
    binding.local_client.cookie_renewal_threshold_percentage = 100;
    let mut pair = Pair::new(&binding);
    let lifetime = hours(10);
    let skew = minutes(5);
    pair.works();
    pair.pass(lifetime.checked_sub(minutes(1)).unwrap());
    pair.works();
    let at = |pair: &mut Pair, time: handstamp_time::Timestamp| {
        // The client does not look at its clock.
        pair.now = time;
        let request = pair.request("hello");
        pair.deliver(request.envelope())
    };
    let expiry = start().saturating_add(lifetime);
    assert!(at(&mut pair, expiry.saturating_add(skew)).fault.is_none(), "the last instant within the skew");
    let late = expiry.saturating_add(skew).saturating_add(std::time::Duration::from_millis(1));
    let wire = at(&mut pair, late);
    assert_eq!((wire.code(), wire.is_secured()), (sender(S05, "BadContextToken"), false));
    pair.restart();
    assert_eq!(at(&mut pair, late).code(), sender(S05, "BadContextToken"), "not cached");
}

#[test]
fn sc_10_4_a_node_whose_clock_is_behind_serves_within_the_skew() {
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    for (behind, good) in [(4, true), (6, false)] {
        let request = pair.request("hello");
        let now = pair.now.saturating_sub(minutes(behind));
        let wire = deliver(&service(&binding()), request.envelope(), now, &pair.random);
        assert_eq!(wire.fault.is_none(), good, "{behind} minutes");
    }
}

#[test]
fn sc_27_cancel_is_refused_before_anything_is_verified_and_renew_is_unknown() {
    for version in VERSIONS {
        let mut pair = Pair::new(&stateful(user_name(version)));
        // A client that takes the service for one that remembers sessions.
        pair.client = client(&crate::support::stateless(user_name(version)));
        pair.works();
        let cancel = pair.client.close(pair.now, &pair.random).unwrap().unwrap();
        let expected = sender(DNSE, "SecureConversationCancellationNotAllowed");
        let wire = pair.deliver(cancel.envelope());
        assert_eq!((wire.code(), wire.is_secured()), (expected.clone(), false));
        let trust = version.generation.trust();
        let bare = format!(
            "<s:Envelope xmlns:s='{}' xmlns:a='{}'><s:Header><a:Action>{trust}/RST/SCT/Cancel</a:Action></s:Header><s:Body/></s:Envelope>",
            handstamp_xml::names::SOAP12,
            handstamp_xml::names::WSA
        );
        assert_eq!(pair.deliver(&bare).code(), expected, "without any security");
        let renew = pair.client.establish(pair.now, &pair.random).unwrap();
        assert!(renew.action().ends_with("/Renew"));
        assert_eq!(pair.deliver(renew.envelope()).code(), invalid_security());
        assert!(matches!(pair.exchange(cancel).unwrap(), Outcome::Closed { was_cancelled: false }), "finding 15");
    }
}

#[test]
fn sc_81_a_request_counts_once_and_again_after_a_restart() {
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    let request = pair.request("hello");
    assert!(pair.deliver(request.envelope()).fault.is_none());
    assert_eq!(pair.deliver(request.envelope()).code(), invalid_security());
    pair.pass(minutes(1));
    pair.restart();
    assert!(pair.deliver(request.envelope()).fault.is_none(), "the gap that WCF has (SC 13.2)");
    assert_eq!(pair.deliver(request.envelope()).code(), invalid_security());
}

#[test]
fn sc_13_2_the_gap_can_be_closed() {
    let mut pair = Pair::new(&binding());
    pair.establish().unwrap();
    let (old, window) = (pair.request("hello"), minutes(10));
    pair.pass(minutes(1));
    pair.service = service_builder(&binding()).refuse_messages_from_before(pair.now).build().unwrap();
    let wire = pair.deliver(old.envelope());
    assert_eq!(wire.code(), invalid_security());
    assert!(wire.refusal().contains("before this service started"));
    pair.works();
    pair.pass(window);
    pair.works();
}

#[test]
fn sc_19_11_a_revoked_session_is_over() {
    let revocations = Arc::new(RevocationList::new());
    let mut pair = Pair::new(&binding());
    pair.service = service_builder(&binding()).revocations(revocations.clone()).build().unwrap();
    pair.works();
    let context_id = pair.client.context_id().unwrap().parse().unwrap();
    let expires = pair.now.saturating_add(hours(11));
    revocations.apply(&Revocation::session(&context_id, expires), pair.now).unwrap();
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"), "cached");
    pair.service = service_builder(&binding()).revocations(revocations).build().unwrap();
    let request = pair.request("hello");
    assert_eq!(pair.deliver(request.envelope()).code(), sender(S05, "BadContextToken"), "from the cookie");
    pair.client = client(&binding());
    pair.works();
}

#[test]
fn sc_28_the_client_replaces_its_token_after_a_share_of_its_life() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let first = pair.client.context_id().unwrap().to_owned();
    pair.pass(hours(6).checked_sub(minutes(1)).unwrap());
    pair.works();
    assert_eq!(pair.client.context_id(), Some(first.as_str()));
    pair.pass(minutes(1));
    pair.works();
    assert_ne!(pair.client.context_id(), Some(first.as_str()), "60 % of 10 hours");
}

#[test]
fn sc_12_4_without_caching_every_message_has_its_own_session() {
    let mut binding = binding();
    binding.local_client.cache_cookies = false;
    let mut pair = Pair::new(&binding);
    let contexts: Vec<_> = (0..3)
        .map(|_| {
            pair.works();
            pair.client.context_id().unwrap().to_owned()
        })
        .collect();
    assert!(contexts[0] != contexts[1] && contexts[1] != contexts[2]);
    binding.local_client.cache_cookies = true;
    binding.local_client.max_cookie_caching_time = Some(minutes(2));
    let mut pair = Pair::new(&binding);
    pair.works();
    pair.pass(minutes(1));
    assert_eq!(pair.client.due(pair.now), None);
    pair.pass(minutes(1));
    assert!(pair.client.due(pair.now).is_some());
}

#[test]
fn sc_12_4_a_lost_session_is_an_error_and_again_only_when_asked_for() {
    let mut pair = Pair::new(&binding());
    pair.works();
    let others = KeyRing::in_memory(RotationPolicy::default(), start(), &DeterministicRandom::new(2)).unwrap();
    let others = Arc::new(others);
    let lost =
        || service_builder(&binding()).cookies(Arc::new(NativeCookies::new(others.clone(), ADDRESS))).build().unwrap();
    pair.service = lost();
    let error = pair.call("hello").unwrap_err();
    assert!(matches!(error, Error::Fault { is_authenticated: false, .. }), "{error}");
    assert!(pair.call("hello").is_err(), "the token stays cached");
    pair.client.forget();
    pair.works();

    let mut pair = Pair::new(&binding());
    pair.client = client_builder(&binding()).reissue_lost_sessions().build().unwrap();
    pair.works();
    pair.service = lost();
    let exchange = pair.request("hello");
    let Ok(Outcome::Again(message)) = pair.exchange(exchange) else { panic!("no second try") };
    assert!(pair.client.due(pair.now).is_some());
    pair.establish().unwrap();
    let exchange = pair.client.again(*message, pair.now, &pair.random).unwrap();
    // The service loses its keys once more: there is no third try.
    pair.service = service(&binding());
    assert!(matches!(pair.exchange(exchange), Err(Error::Fault { is_authenticated: false, .. })));
}

#[test]
fn a_session_is_taken_up_by_the_next_run_of_a_program() {
    for binding in [binding(), crate::support::stateless(user_name(MessageSecurityVersion::default()))] {
        let mut pair = Pair::new(&binding);
        pair.works();
        let context = pair.client.context_id().unwrap().to_owned();
        let saved = pair.client.save().unwrap();
        pair.client = client(&binding);
        assert!(pair.client.save().is_none());
        pair.client.restore(&saved, pair.now).unwrap();
        assert_eq!((pair.client.due(pair.now), pair.client.context_id()), (None, Some(context.as_str())));
        pair.works();
        let mut other = SecureConversationClient::builder(binding.clone(), "https://other.example/")
            .service_certificate(crate::support::PARTIES.service.certificate().clone())
            .user_name(UserNameCredential::new("alice", "secret"))
            .build()
            .unwrap();
        assert!(matches!(other.restore(&saved, pair.now), Err(Error::SavedSession(_))), "another service");
        for bad in ["", "{}", "[]", "{\"version\":1}"] {
            assert!(matches!(other.restore(bad, pair.now), Err(Error::SavedSession(_))), "{bad}");
        }
        let mut late = client(&binding);
        late.restore(&saved, pair.now.saturating_add(hours(24))).unwrap();
        assert!(!late.has_session(), "it has ended meanwhile");
    }
}

#[test]
fn sc_02_all_versions_of_soap_and_addressing_work() {
    for soap in [SoapVersion::Soap11, SoapVersion::Soap12] {
        for addressing in [AddressingVersion::V10, AddressingVersion::August2004] {
            for binding in [binding(), crate::support::stateless(user_name(MessageSecurityVersion::WSS11_13))] {
                let client = client_builder(&binding).message_version(soap, addressing).build().unwrap();
                let mut pair = Pair::of(service(&binding), client);
                pair.works();
                let message = Message::request(soap, addressing, crate::support::ECHO, ADDRESS, "urn:uuid:1");
                let bare = message.to_unprotected().unwrap();
                let wire = pair.deliver(&bare);
                assert!(wire.envelope.unwrap().contains(addressing.fault_action()));
                assert!(pair.close().is_ok());
            }
        }
    }
}
