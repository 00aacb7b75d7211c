//! What messages look like, and what of that does not matter (SC 18, message layout).

use crate::support::{Pair, client, invalid_security, service, stateful, stateless, user_name};
use handstamp_ws_security::{MessageSecurityVersion, Protection, SecurityBinding, WssVersion};

fn both() -> [SecurityBinding; 2] {
    let bootstrap = user_name(MessageSecurityVersion::default());
    [stateful(bootstrap.clone()), stateless(bootstrap)]
}

fn between<'m>(message: &'m str, start: &str, end: &str) -> &'m str {
    let from = message.find(start).unwrap_or_else(|| panic!("{start} in {message}")) + start.len();
    &message[from..from + message[from..].find(end).unwrap()]
}

fn with_derived_keys(mut binding: SecurityBinding, derived: bool) -> SecurityBinding {
    let Protection::Symmetric { token } = &mut binding.protection else { panic!("symmetric") };
    token.require_derived_keys = derived;
    binding
}

/// A request in clear, in another hand: prefixes, order of attributes, declarations and white space.
#[test]
fn sc_05_the_hand_of_the_peer_does_not_matter() {
    let binding = stateful(SecurityBinding::user_name_over_transport(MessageSecurityVersion::default()));
    let pair = Pair::new(&binding);
    let request = client(&binding).establish(pair.now, &pair.random).unwrap().envelope().to_owned();
    let mut other = request.clone();
    for (from, to) in [("s", "soap-env"), ("a", "wsa"), ("u", "wsu"), ("o", "wsse"), ("t", "wst")] {
        other =
            other.replace(&format!("<{from}:"), &format!("<{to}:")).replace(&format!("</{from}:"), &format!("</{to}:"));
        other = other
            .replace(&format!("xmlns:{from}="), &format!("xmlns:{to}="))
            .replace(&format!(" {from}:"), &format!(" {to}:"));
    }
    let other =
        other.replace("><wst:", ">\n  <wst:").replace("<wsse:Username>", "<wsse:Username  xmlns:unused='urn:x' >");
    assert_ne!(other, request);
    assert!(pair.deliver(&other).fault.is_none(), "{other}");
}

#[test]
fn sc_51_requests_have_the_whole_token_and_replies_have_none() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.establish().unwrap();
        let context = pair.client.context_id().unwrap().to_owned();
        for _ in 0..2 {
            let request = pair.request("hello");
            assert!(request.envelope().contains("<c:SecurityContextToken"));
            assert_eq!(request.envelope().contains("Cookie>"), pair.service.is_stateful());
            let reply = pair.deliver(request.envelope()).envelope.unwrap();
            assert!(!reply.contains("SecurityContextToken>"), "{reply}");
            assert!(between(&reply, "<c:DerivedKeyToken", "</c:DerivedKeyToken>").contains(&context), "{reply}");
        }
    }
}

#[test]
fn sc_54_a_request_may_name_its_context_by_id_and_by_identifier() {
    for binding in both() {
        let mut pair = Pair::new(&binding);
        pair.establish().unwrap();
        let request = pair.request("hello").envelope().to_owned();
        let id = between(between(&request, "<c:SecurityContextToken", ">"), "u:Id=\"", "\"");
        let identifier = between(&request, "<c:Identifier>", "<");
        let value_type = "http://schemas.xmlsoap.org/ws/2005/02/sc/sct";
        let external =
            request.replace(&format!("URI=\"#{id}\""), &format!("URI=\"{identifier}\" ValueType=\"{value_type}\""));
        assert_ne!(external, request);
        let answer = pair.deliver(&external);
        // A cookie is found by its token only, unless an earlier message has brought it along: it has, in this one.
        assert!(answer.fault.is_none(), "{answer:?}");
    }
}

/// Finding 25: the two values do not go together, in either direction.
#[test]
fn sc_57_keys_are_derived_where_that_is_demanded() {
    for binding in both() {
        let (derived, direct) = (with_derived_keys(binding.clone(), true), with_derived_keys(binding, false));
        for (at_service, at_client, works) in [
            (&derived, &derived, true),
            (&direct, &direct, true),
            (&direct, &derived, false),
            (&derived, &direct, false),
        ] {
            let mut pair = Pair::of(service(at_service), client(at_client));
            pair.establish().unwrap();
            let request = pair.request("hello");
            let is_derived = request.envelope().contains("DerivedKeyToken");
            assert_eq!(is_derived, at_client == &derived);
            let answer = pair.deliver(request.envelope());
            assert_eq!(answer.fault.is_none(), works, "{answer:?}");
            if !works {
                assert_eq!(answer.code(), invalid_security());
            }
        }
    }
}

#[test]
fn sc_60_attributes_of_the_basic_profile_are_written_by_their_sets_only() {
    for version in [
        MessageSecurityVersion::WSS11_FEBRUARY2005,
        MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
        MessageSecurityVersion::WSS10_13_BSP,
        MessageSecurityVersion::WSS11_13,
        MessageSecurityVersion::WSS11_13_BSP,
    ] {
        let profile = version.basic_security_profile;
        let over_transport = stateful(SecurityBinding::user_name_over_transport(version));
        let pair = Pair::new(&over_transport);
        let request = client(&over_transport).establish(pair.now, &pair.random).unwrap();
        assert_eq!(request.envelope().contains("#PasswordText\""), profile, "{version:?}");
        assert!(pair.deliver(request.envelope()).fault.is_none());
        if version.wss == WssVersion::V11 {
            let binding = stateless(user_name(version));
            let mut pair = Pair::new(&binding);
            pair.works();
            let request = pair.request("hello");
            let derived = between(request.envelope(), "DerivedKeyToken ", "DerivedKeyToken>").to_owned();
            assert_eq!(derived.contains("ValueType=\""), profile, "{derived}");
            // Either way is read.
            let other = if profile { stateless(user_name(without_profile(version))) } else { binding };
            let mut pair = Pair::of(service(&stateless(user_name(version))), client(&other));
            pair.works();
        }
    }
}

fn without_profile(version: MessageSecurityVersion) -> MessageSecurityVersion {
    MessageSecurityVersion { basic_security_profile: false, ..version }
}

#[test]
fn sc_72_replies_to_bootstraps_name_the_key_of_the_request_by_its_digest() {
    for binding in both() {
        let pair = Pair::new(&binding);
        let request = client(&binding).establish(pair.now, &pair.random).unwrap();
        let value = between(request.envelope(), "<e:EncryptedKey", "</e:EncryptedKey>");
        let value = between(value, "CipherValue>", "<");
        let sha1 = handstamp_keys::sha1(&base64_simd::STANDARD.decode_to_vec(value).unwrap());
        let reply = pair.deliver(request.envelope()).envelope.unwrap();
        let named = between(&reply, "#EncryptedKeySHA1\"", "<");
        assert!(named.ends_with(&base64_simd::STANDARD.encode_to_string(sha1)), "{reply}");
        assert!(!reply.contains("<e:EncryptedKey"), "{reply}");
    }
}
