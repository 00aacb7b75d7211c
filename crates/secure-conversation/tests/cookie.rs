//! The cookies of security context tokens: sealed, bound to their token, and in WCF's own form.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy, SecureRandom, SymmetricKey};
use handstamp_secure_conversation::{ContextCookies, NativeCookies, WcfStateCookies};
use handstamp_session_token::sct_state::SecurityStateEncoder;
use handstamp_session_token::{SecureConversationVersion, SessionSecurityToken};
use handstamp_time::Timestamp;
use handstamp_ws_security::Generation;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn now() -> Timestamp {
    "2030-01-02T03:04:05.678Z".parse().unwrap()
}

fn ring(seed: u64) -> Arc<KeyRing> {
    Arc::new(KeyRing::in_memory(RotationPolicy::default(), now(), &DeterministicRandom::new(seed)).unwrap())
}

fn principal() -> ClaimsPrincipal {
    let identity = ClaimsIdentity::new("Password")
        .with_claim(Claim::new(claim_types::NAME, "alice"))
        .with_claim(Claim::new(claim_types::ROLE, "teller").with_issuer("urn:ledger"))
        .with_claim(Claim::new("urn:limit", "1000"));
    identity.into()
}

/// A session, and the token that its cookie goes into.
fn session(scope: &str, generation: Generation) -> (SessionSecurityToken, SecurityContextToken) {
    let version = match generation {
        Generation::February2005 => SecureConversationVersion::February2005,
        Generation::V13 => SecureConversationVersion::V1_3,
    };
    let session = SessionSecurityToken::builder(principal())
        .id("uuid-7d0c9e52-0000-4000-8000-000000000001-1")
        .context_id("urn:uuid:3f1c7c1e-0000-4000-8000-000000000002".parse().unwrap())
        .key(SymmetricKey::from_bytes(&[7; 32]))
        .endpoint(scope.to_owned())
        .lifetime(Duration::from_secs(36_000))
        .secure_conversation_version(version)
        .build(now(), &DeterministicRandom::new(5))
        .unwrap();
    let context =
        ContextReference { generation, identifier: session.context_id().as_unique_id().to_string(), instance: None };
    let token = SecurityContextToken { id: Some(session.id().to_string()), context, cookie: None };
    (session, token)
}

const SERVICE: &str = "https://ledger.example/";

fn sealed(cookies: &dyn ContextCookies, generation: Generation) -> (SessionSecurityToken, SecurityContextToken) {
    let (session, token) = session(cookies.scope().as_str(), generation);
    let cookie = cookies.seal(&session, now(), &DeterministicRandom::new(9)).unwrap();
    (session, SecurityContextToken { cookie: Some(cookie), ..token })
}

#[test]
fn sc_22_a_cookie_brings_the_session_back_with_its_caller() {
    for generation in [Generation::February2005, Generation::V13] {
        let (session, token) = sealed(&NativeCookies::new(ring(1), SERVICE), generation);
        // Another process with the same keys.
        let opened = NativeCookies::new(ring(1), SERVICE).open(&token, now()).unwrap();
        assert_eq!(opened, session);
        assert_eq!(opened.principal(), &principal());
    }
}

#[test]
fn sc_23_a_cookie_opens_in_its_own_token_and_service_only() {
    let cookies = NativeCookies::new(ring(1), SERVICE);
    let (_, token) = sealed(&cookies, Generation::V13);
    let context = |change: fn(&mut ContextReference)| {
        let mut moved = token.clone();
        change(&mut moved.context);
        moved
    };
    let moved = [
        context(|context| context.identifier = "urn:uuid:3f1c7c1e-0000-4000-8000-000000000003".to_owned()),
        context(|context| context.generation = Generation::February2005),
        context(|context| context.instance = Some("urn:uuid:1".to_owned())),
        context(|context| context.identifier.push_str("\nuuid-7d0c9e52-0000-4000-8000-000000000001-1")),
        SecurityContextToken { id: Some("uuid-2".to_owned()), ..token.clone() },
        SecurityContextToken { id: None, ..token.clone() },
        SecurityContextToken { cookie: None, ..token.clone() },
        SecurityContextToken { cookie: Some(Vec::new()), ..token.clone() },
        SecurityContextToken { cookie: Some(vec![0; 20_000]), ..token.clone() },
    ];
    for token in moved {
        assert_eq!(cookies.open(&token, now()).unwrap_err().code(), "HST-SC-COOKIE", "{token:?}");
    }
    assert!(NativeCookies::new(ring(1), "https://other.example/").open(&token, now()).is_err(), "another service");
    assert!(NativeCookies::new(ring(1), "").open(&token, now()).is_err(), "a service without identifier");
    assert!(NativeCookies::new(ring(2), SERVICE).open(&token, now()).is_err(), "other keys");
    assert!(cookies.open(&token, now()).is_ok());
}

#[test]
fn sc_23_an_unscoped_cookie_does_not_open_in_a_service_with_an_identifier() {
    let (_, token) = sealed(&NativeCookies::new(ring(1), ""), Generation::V13);
    assert!(NativeCookies::new(ring(1), SERVICE).open(&token, now()).is_err());
}

#[test]
fn sc_10_5_every_changed_bit_and_every_cut_is_refused() {
    let cookies = NativeCookies::new(ring(1), SERVICE);
    let (_, token) = sealed(&cookies, Generation::V13);
    let good = token.cookie.clone().unwrap();
    let refused =
        |cookie: Vec<u8>| cookies.open(&SecurityContextToken { cookie: Some(cookie), ..token.clone() }, now()).is_err();
    for bit in 0..good.len() * 8 {
        let mut changed = good.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(refused(changed), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(refused(good[..length].to_vec()), "{length} bytes");
    }
}

#[test]
fn sc_19_13_a_session_with_too_many_claims_is_not_issued() {
    let (session, _) = session(SERVICE, Generation::V13);
    let claims = (0..2000).map(|number| Claim::new(claim_types::ROLE, format!("role {}", number * 7919)));
    let crowd = ClaimsIdentity::new("Password").with_claims(claims);
    let large = session.reissue().principal(crowd.into()).id("a").build(now(), &DeterministicRandom::new(5)).unwrap();
    let cookies = NativeCookies::new(ring(1), SERVICE);
    let error = cookies.seal(&large, now(), &DeterministicRandom::new(9)).unwrap_err();
    assert!(error.to_string().contains("4096"), "{error}");
    assert!(cookies.with_max_size(16_384).seal(&large, now(), &DeterministicRandom::new(9)).is_ok());
}

/// The encoder of the recordings: it protects nothing.
#[derive(Debug)]
struct Plain;

impl SecurityStateEncoder for Plain {
    fn encode(
        &self,
        state: Vec<u8>,
        _random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, handstamp_session_token::wif::Error> {
        Ok(state)
    }

    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, handstamp_session_token::wif::Error> {
        Ok(state)
    }
}

#[test]
fn sc_10_3_wcf_state_keeps_names_and_claims() {
    let cookies = WcfStateCookies::new(Arc::new(Plain));
    for generation in [Generation::February2005, Generation::V13] {
        let (session, token) = sealed(&cookies, generation);
        let opened = cookies.open(&token, now()).unwrap();
        assert_eq!(
            (opened.key(), opened.context_id(), opened.id()),
            (session.key(), session.context_id(), session.id())
        );
        assert_eq!((opened.valid_from(), opened.valid_to()), (session.valid_from(), session.valid_to()));
        let principal = opened.principal();
        assert_eq!(principal.name(), Some("alice"));
        assert!(principal.is_in_role("teller") && principal.has_claim("urn:limit", "1000"));
        assert_eq!(principal.claims().count(), 3);
        let moved = SecurityContextToken { id: Some("uuid-2".to_owned()), ..token };
        assert!(cookies.open(&moved, now()).is_err(), "moved to another token");
    }
}

/// SC 10.3: the cookies that WCF made, with the identities that it had.
#[test]
fn sc_10_3_recorded_wcf_states_name_their_callers() {
    let cookies = WcfStateCookies::new(Arc::new(Plain));
    let vectors = handstamp_testkit::vectors::load("wcf_messages");
    let mut callers = Vec::new();
    for case in vectors["cases"].as_array().unwrap() {
        let states = case["sctStates"].as_array().unwrap();
        let Some(state) = states.first() else { continue };
        let cookie = base64_simd::STANDARD.decode_to_vec(state.as_str().unwrap()).unwrap();
        let issued =
            case["messages"].as_array().unwrap().iter().find_map(|message| message["issued"]["identifier"].as_str());
        let Some(identifier) = issued else { continue };
        let read = handstamp_session_token::sct_state::SctState::read(&cookie).unwrap();
        let generation =
            if case["name"].as_str().unwrap().contains("-13") { Generation::V13 } else { Generation::February2005 };
        let context = ContextReference { generation, identifier: identifier.to_owned(), instance: None };
        let token =
            SecurityContextToken { id: read.id.as_ref().map(ToString::to_string), context, cookie: Some(cookie) };
        let session = cookies.open(&token, now()).unwrap();
        callers.push((case["bootstrap"].as_str().unwrap().to_owned(), session.principal().name().map(str::to_owned)));
    }
    assert!(callers.len() > 10, "{callers:?}");
    for (bootstrap, name) in callers {
        let expected = match bootstrap.as_str() {
            "user" => Some("alice"),
            "mutual" => Some("CN=client.example, O=Vector Test, C=XX; F36A503D7B4A12B1C4A3258D777D22B60D95D171"),
            _ => None,
        };
        assert_eq!(name.as_deref(), expected, "{bootstrap}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn native_cookies_survive_sealing_and_opening(
        claims in proptest::collection::vec(("[a-z:/]{0,20}", "\\PC{0,30}"), 0..8),
        key in proptest::collection::vec(any::<u8>(), 1..33),
        seconds in 1_u64..1_000_000,
    ) {
        let claims = claims.into_iter().map(|(kind, value)| Claim::new(kind, value));
        let identity = ClaimsIdentity::new("Password").with_claims(claims);
        let random = DeterministicRandom::new(seconds);
        let cookies = NativeCookies::new(ring(1), SERVICE);
        let session = SessionSecurityToken::builder(identity.into())
            .key(SymmetricKey::from_bytes(&key))
            .endpoint(SERVICE)
            .lifetime(Duration::from_secs(seconds))
            .build(now(), &random)
            .unwrap();
        let context = ContextReference {
            generation: Generation::V13,
            identifier: session.context_id().as_unique_id().to_string(),
            instance: None,
        };
        let cookie = cookies.seal(&session, now(), &random).unwrap();
        let token = SecurityContextToken { id: Some(session.id().to_string()), context, cookie: Some(cookie) };
        prop_assert_eq!(cookies.open(&token, now()).unwrap(), session);
    }
}
