//! Tokens for the tests: a realistic one, and arbitrary ones.

use handstamp_claims::{BootstrapContext, Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{DeterministicRandom, KeyRing, RotationPolicy, SymmetricKey, SystemRandom};
use handstamp_session_token::{
    IssuerSession, SecureConversationVersion, SessionSecurityToken, SessionSecurityTokenBuilder,
};
use handstamp_testkit::principals::{ISSUER, alice};
use handstamp_time::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const AUDIENCE: &str = "https://orders.contoso.example/";

pub(crate) fn now() -> Timestamp {
    "2030-01-01T09:00:00.1234567Z".parse().unwrap()
}

pub(crate) fn ring() -> Arc<KeyRing> {
    Arc::new(KeyRing::in_memory(RotationPolicy::default(), now(), &DeterministicRandom::new(1)).unwrap())
}

/// A token as the web module makes it: sliding, and knowing the issuer's session.
pub(crate) fn alices_token() -> SessionSecurityToken {
    SessionSecurityToken::builder(alice().into())
        .endpoint(AUDIENCE)
        .lifetime(Duration::from_secs(3600))
        .absolute_expiry(now().saturating_add(Duration::from_secs(36_000)))
        .idle_timeout(Duration::from_secs(3600))
        .issuer_session(IssuerSession {
            issuer: ISSUER.into(),
            session_index: Some("_0c3f6b1e-7a55-4d27-9d2e-5b8e44f0a911".into()),
            sign_out_url: None,
        })
        .build(now(), &SystemRandom)
        .unwrap()
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(ISSUER.to_owned()),
        Just("Federation".to_owned()),
        Just(claim_types::NAME.to_string()),
        Just("http://www.w3.org/2001/XMLSchema#dateTime".to_owned()),
        "[a-c]{1,3}",
        ".{0,30}",
        "[A-Za-z0-9+/]{20,44}={0,2}",
        "_?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "20[0-9]{2}-0[1-9]-[0-2][1-9]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\\.[0-9]{3})?Z",
    ]
}

fn claim() -> impl Strategy<Value = Claim> {
    let properties = prop::collection::vec((text(), text()), 0..3);
    (text(), text(), prop::option::of(text()), text(), text(), properties).prop_map(
        |(claim_type, value, value_type, issuer, original_issuer, properties)| {
            let claim = Claim::new(claim_type, value).with_issuer(issuer).with_original_issuer(original_issuer);
            let claim = match value_type {
                Some(value_type) => claim.with_value_type(value_type),
                None => claim,
            };
            properties.into_iter().fold(claim, |claim, (name, value)| claim.with_property(name, value))
        },
    )
}

fn identity(depth: u32) -> BoxedStrategy<ClaimsIdentity> {
    let actor = if depth == 0 { Just(None).boxed() } else { prop::option::of(identity(depth - 1)).boxed() };
    let texts = (text(), text(), text(), text(), text());
    let bootstrap = prop::option::of(prop_oneof![
        text().prop_map(|text| BootstrapContext::Text(text.into())),
        any::<Vec<u8>>().prop_map(BootstrapContext::Bytes),
    ]);
    (texts, prop::collection::vec(claim(), 0..6), bootstrap, actor)
        .prop_map(|((authentication, label, name, role, account), claims, bootstrap, actor)| {
            let mut identity = ClaimsIdentity::new(authentication)
                .with_label(label)
                .with_name_claim_type(name)
                .with_role_claim_type(role)
                .with_windows_logon_name(account)
                .with_claims(claims);
            identity.set_actor(actor).unwrap();
            match bootstrap {
                Some(bootstrap) => identity.with_bootstrap_context(bootstrap),
                None => identity,
            }
        })
        .boxed()
}

/// Any token that satisfies ST §1.3.
pub(crate) fn any_token() -> impl Strategy<Value = SessionSecurityToken> {
    let times = (0..2_000_000_000i64, 1..100_000_000_000_000u64, 0..100_000_000_000u64, any::<bool>());
    let ids = (prop::option::of("[a-z:é]{1,50}"), prop::option::of("[a-z_][a-z0-9]{0,20}"), prop::option::of(text()));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let session = (prop::option::of((text(), prop::option::of(text()), prop::option::of(text()))), any::<u32>());
    let key = prop::option::of(prop::collection::vec(any::<u8>(), 1..64));
    let rest = (text(), prop::option::of(1..u64::MAX), key);
    (prop::collection::vec(identity(2), 0..3), times, ids, flags, session, rest).prop_map(
        |(identities, (start, lifetime, more, whole), ids, flags, (session, ago), (context, idle, key))| {
            let start = now().saturating_add(Duration::from_secs(start as u64));
            let start = if whole { start.whole_seconds() } else { start };
            let ticks = |n: u64| Duration::new(n / 10_000_000, (n % 10_000_000) as u32 * 100);
            let end = start.saturating_add(ticks(lifetime));
            let mut builder = SessionSecurityToken::builder(identities.into_iter().collect())
                .context(context)
                .endpoint(AUDIENCE)
                .valid_from(start)
                .valid_to(end)
                .key_validity(start, if whole { end } else { start })
                .absolute_expiry(end.saturating_add(ticks(more)))
                .signed_in_at(start.saturating_sub(ticks(u64::from(ago))))
                .persistent(flags.0);
            builder = set(builder, ids.0, |b, id| b.context_id(id.parse().unwrap()));
            builder = set(builder, ids.1, SessionSecurityTokenBuilder::id);
            let generation = ids.2.filter(|text| !text.is_empty());
            builder = set(builder, generation, |b, id| b.key_generation(id.parse().unwrap()));
            builder = set(builder, idle, |b, nanos| b.idle_timeout(Duration::from_nanos(nanos)));
            builder = set(builder, key, |b, key| b.key(SymmetricKey::from(key)));
            builder = set(builder, session, |b, (issuer, index, url)| {
                b.issuer_session(IssuerSession {
                    issuer: issuer.into(),
                    session_index: index.map(Into::into),
                    sign_out_url: url.map(Into::into),
                })
            });
            if flags.1 {
                builder = builder.secure_conversation_version(SecureConversationVersion::February2005);
            }
            builder.build(now(), &SystemRandom).unwrap()
        },
    )
}

fn set<T>(
    builder: SessionSecurityTokenBuilder,
    value: Option<T>,
    apply: impl FnOnce(SessionSecurityTokenBuilder, T) -> SessionSecurityTokenBuilder,
) -> SessionSecurityTokenBuilder {
    match value {
        Some(value) => apply(builder, value),
        None => builder,
    }
}
