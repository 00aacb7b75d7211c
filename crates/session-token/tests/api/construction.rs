//! ST §1.2 and §1.3: what a new token holds, and which arguments are refused.

use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
use handstamp_keys::{DeterministicRandom, SymmetricKey, SystemRandom};
use handstamp_session_token::{
    ArgumentError, ContextId, EndpointScope, Error, IssuerSession, SessionSecurityToken, SessionSecurityTokenBuilder,
    SessionTokenCacheKey,
};
use handstamp_time::Timestamp;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

fn now() -> Timestamp {
    "2030-01-01T09:00:00Z".parse().unwrap()
}

fn builder() -> SessionSecurityTokenBuilder {
    let alice = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "alice"));
    SessionSecurityToken::builder(alice.into())
}

fn build(builder: SessionSecurityTokenBuilder) -> Result<SessionSecurityToken, ArgumentError> {
    match builder.build(now(), &SystemRandom) {
        Ok(token) => Ok(token),
        Err(Error::Argument(argument)) => Err(argument),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn st_2_constructors_1_to_4_fill_in_the_documented_defaults() {
    let token = build(builder()).unwrap();
    assert_eq!((token.valid_from(), token.valid_to()), (now(), now().saturating_add(10 * HOUR)));
    assert_eq!((token.key_effective_time(), token.key_expiration_time()), (token.valid_from(), token.valid_to()));
    assert_eq!((token.context(), token.key_generation(), token.issuer_session()), (None, None, None));
    assert_eq!(token.endpoint(), &EndpointScope::Unscoped);
    assert_eq!(token.key().as_bytes().len(), 16);
    assert!(!token.is_persistent() && !token.is_reference_mode());
    assert_eq!((token.signed_in_at(), token.absolute_expiry(), token.idle_timeout()), (now(), token.valid_to(), None));
}

#[test]
fn st_2_one_given_time_leaves_the_other_at_its_default() {
    let later = now().saturating_add(HOUR);
    let token = build(builder().valid_from(later)).unwrap();
    assert_eq!(token.valid_to(), later.saturating_add(10 * HOUR));
    let token = build(builder().valid_to(later)).unwrap();
    assert_eq!((token.valid_from(), token.valid_to()), (now(), later));
}

#[test]
fn constructors_5_to_8_take_everything() {
    let context_id: ContextId = "urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10".parse().unwrap();
    let key = SymmetricKey::from_bytes(&[7; 32]);
    let token = build(
        builder()
            .context("cart")
            .context_id(context_id.clone())
            .endpoint("https://orders.example/")
            .valid_from(now().saturating_sub(HOUR))
            .lifetime(2 * HOUR)
            .key(key.clone())
            .key_generation("urn:g".parse().unwrap())
            .persistent(true)
            .reference_mode(true),
    )
    .unwrap();
    assert_eq!((token.context_id(), token.key()), (&context_id, &key));
    assert_eq!(token.context().unwrap(), "cart");
    assert_eq!(token.valid_to(), now().saturating_add(HOUR));
    assert!(token.is_persistent() && token.is_reference_mode());
    assert_eq!(build(builder().context("")).unwrap().context(), None);
}

#[test]
fn st_1_rule_4_valid_from_must_precede_valid_to() {
    for to in [now(), now().saturating_sub(HOUR)] {
        let refused = build(builder().valid_from(now()).valid_to(to)).unwrap_err();
        assert_eq!(refused, ArgumentError::ValidFrom { valid_from: now(), valid_to: to });
        assert_eq!(refused.argument(), "validFrom");
    }
}

#[test]
fn st_1_rule_5_a_token_may_start_in_the_future_but_not_be_over() {
    let past = now().saturating_sub(2 * HOUR);
    let refused = build(builder().valid_from(past).lifetime(HOUR)).unwrap_err();
    assert_eq!(refused.argument(), "validTo");
    assert!(build(builder().valid_from(past).lifetime(2 * HOUR)).is_ok(), "ending now is fine");
    assert!(build(builder().valid_from(now().saturating_add(HOUR))).is_ok());
}

#[test]
fn st_1_rules_8_and_9_the_key_lives_within_the_session() {
    let (from, to) = (now(), now().saturating_add(HOUR));
    let with_key = |effective, expiration| {
        let refused = build(builder().lifetime(HOUR).key_validity(effective, expiration)).err();
        refused.map(ArgumentError::argument)
    };
    assert_eq!(with_key(from, to), None);
    assert_eq!(with_key(to, from), Some("keyEffectiveTime"));
    assert_eq!(with_key(from.saturating_sub(HOUR), to), Some("keyEffectiveTime"));
    assert_eq!(with_key(from, to.saturating_add(Duration::from_nanos(100))), Some("keyExpirationTime"));
}

#[test]
fn st_1_every_other_argument_has_its_own_error() {
    let refused = |builder| build(builder).unwrap_err();
    assert_eq!(refused(builder().lifetime(Duration::ZERO)).code(), "ID2082");
    assert_eq!(refused(builder().key(SymmetricKey::from_bytes(b""))), ArgumentError::EmptyKey);
    assert_eq!(refused(builder().absolute_expiry(now())), ArgumentError::AbsoluteExpiry);
    assert_eq!(refused(builder().idle_timeout(Duration::ZERO)), ArgumentError::IdleTimeout);
    for id in ["", "1a", "a b", "a:b", "-a", "<a"] {
        assert_eq!(refused(builder().id(id)), ArgumentError::Id, "{id:?}");
    }
    assert!(build(builder().id("_1-é.x")).is_ok());
}

#[test]
fn lifetimes_saturate() {
    assert_eq!(build(builder().lifetime(Duration::MAX)).unwrap().valid_to(), Timestamp::MAX);
}

#[test]
fn st_3_context_id_and_id_are_fresh_each_time() {
    let (a, b) = (build(builder()).unwrap(), build(builder()).unwrap());
    assert_ne!(a.context_id(), b.context_id());
    assert_ne!(a.id(), b.id());
    assert_ne!(a.key(), b.key());
    let same_key = || build(builder().key(SymmetricKey::from_bytes(&[1; 16]))).unwrap();
    assert_ne!(same_key().context_id(), same_key().context_id());
    let fixed = || build(builder().context_id("s".parse().unwrap()).key(SymmetricKey::from_bytes(&[1; 16]))).unwrap();
    assert_ne!(fixed().id(), fixed().id(), "also when nothing else is random");
}

#[test]
fn a_generated_id_has_the_form_of_the_original() {
    let id = build(builder()).unwrap().id().clone();
    let (guid, random) = id.strip_prefix('_').unwrap().split_at(36);
    assert!(guid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f' | b'-')), "{id}");
    let random = random.strip_prefix('-').unwrap();
    assert!(random.len() == 32 && random.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F')), "{id}");
}

#[test]
fn st_37_a_reissued_token_continues_the_session_under_a_new_context_id() {
    let issuer = IssuerSession { issuer: "sts".into(), session_index: None, sign_out_url: None };
    let old = builder()
        .context("cart")
        .endpoint("/app")
        .lifetime(HOUR)
        .persistent(true)
        .reference_mode(true)
        .idle_timeout(HOUR)
        .absolute_expiry(now().saturating_add(10 * HOUR))
        .issuer_session(issuer);
    let old = build(old).unwrap();
    let later = now().saturating_add(HOUR / 2);
    let new = old.reissue().lifetime(HOUR).build(later, &SystemRandom).unwrap();
    assert_ne!(new.context_id(), old.context_id());
    assert_ne!(new.id(), old.id());
    assert_ne!(new.key(), old.key());
    assert_eq!((new.valid_from(), new.valid_to()), (later, later.saturating_add(HOUR)));
    assert_eq!((new.signed_in_at(), new.absolute_expiry()), (old.signed_in_at(), old.absolute_expiry()));
    assert_eq!((new.principal(), new.context(), new.endpoint()), (old.principal(), old.context(), old.endpoint()));
    assert_eq!((new.idle_timeout(), new.issuer_session()), (old.idle_timeout(), old.issuer_session()));
    assert!(new.is_persistent() && new.is_reference_mode());
}

#[test]
fn an_extended_token_takes_the_place_of_the_old_one() {
    let generation: handstamp_session_token::KeyGeneration = "7".parse().unwrap();
    let old = build(builder().reference_mode(true).key_generation(generation)).unwrap();
    let later = now().saturating_add(HOUR / 2);
    let new = old.extend().valid_from(later).lifetime(HOUR).absolute_expiry(later.saturating_add(HOUR));
    let new = new.build(later, &SystemRandom).unwrap();
    assert_eq!((new.id(), new.context_id(), new.key()), (old.id(), old.context_id(), old.key()));
    assert_eq!(SessionTokenCacheKey::of(&new), SessionTokenCacheKey::of(&old));
    assert_eq!((new.valid_from(), new.valid_to()), (later, later.saturating_add(HOUR)));
    assert!(new.is_reference_mode());
}

#[test]
fn st_40_debug_shows_no_key_no_context_id_and_no_claims() {
    let builder = builder().context("secret context").key(SymmetricKey::from_bytes(b"0123456789abcdef"));
    let mut shown = format!("{builder:?}");
    let token = builder.build(now(), &DeterministicRandom::new(1)).unwrap();
    shown += &format!("{token:?}");
    let context_id = token.context_id().as_unique_id().to_string();
    for secret in ["alice", "secret", "0123456789", "48, 49", &context_id, token.id()] {
        assert!(!shown.contains(secret), "{shown} shows {secret}");
    }
}

#[test]
fn anybody_and_nobody_can_have_a_token() {
    let token = SessionSecurityToken::builder(ClaimsPrincipal::anonymous()).build(now(), &SystemRandom).unwrap();
    assert_eq!(token.subject(), None);
    assert!(build(builder()).unwrap().subject().is_some());
}
