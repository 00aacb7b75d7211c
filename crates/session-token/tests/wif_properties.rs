//! Every token that can be built survives the payload, the envelope and a whole protected cookie (ST-39).

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use handstamp_claims::{BootstrapContext, Claim, ClaimsIdentity, ClaimsPrincipal};
use handstamp_keys::{DeterministicRandom, SymmetricKey};
use handstamp_session_token::wif::transforms::{CookieTransforms, Deflate, MachineKey, MachineKeyTransform};
use handstamp_session_token::wif::{Payload, PayloadPolicy, WifFormat};
use handstamp_session_token::{Carrier, Expected, Opened, SessionSecurityToken, TokenFormat};
use handstamp_time::Timestamp;
use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

static FORMAT: LazyLock<WifFormat> = LazyLock::new(|| {
    let digits = "00112233445566778899AABBCCDDEEFF";
    let element = format!("<machineKey decryptionKey='{digits}' validationKey='{digits}'/>");
    let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&element).unwrap()]).unwrap();
    WifFormat::new(CookieTransforms::new(vec![Arc::new(Deflate::default()), Arc::new(machine_key)]).unwrap())
});

fn claim() -> impl Strategy<Value = Claim> {
    let properties = prop::collection::vec((".{1,8}", ".{1,8}"), 0..3);
    (".{0,40}", ".{0,400}", ".{1,20}", ".{1,20}", ".{1,20}", properties).prop_map(
        |(claim_type, value, value_type, issuer, original_issuer, properties)| {
            let claim = Claim::new(claim_type, value).with_value_type(value_type).with_issuer(issuer);
            let claim = claim.with_original_issuer(original_issuer);
            properties.into_iter().fold(claim, |claim, (name, value)| claim.with_property(name, value))
        },
    )
}

fn identity() -> impl Strategy<Value = ClaimsIdentity> {
    let bootstrap = prop_oneof![
        Just(None),
        ".{0,300}".prop_map(|text| Some(BootstrapContext::Text(text.into()))),
        prop::collection::vec(any::<u8>(), 0..300).prop_map(|bytes| Some(BootstrapContext::Bytes(bytes))),
    ];
    let leaf = (".{0,10}", ".{0,10}", prop::collection::vec(claim(), 0..4), bootstrap).prop_map(
        |(authentication_type, label, claims, bootstrap)| {
            let identity = ClaimsIdentity::new(authentication_type).with_label(label).with_claims(claims);
            match bootstrap {
                Some(context) => identity.with_bootstrap_context(context),
                None => identity,
            }
        },
    );
    leaf.prop_recursive(4, 8, 1, |actor| {
        (actor, "[a-z]{1,5}").prop_map(|(actor, kind)| ClaimsIdentity::new(kind).with_actor(actor).unwrap())
    })
}

fn token() -> impl Strategy<Value = SessionSecurityToken> {
    let identities = prop::collection::vec(identity(), 1..3);
    let key = prop::collection::vec(any::<u8>(), 1..600);
    (identities, key, ".{0,600}", ".{0,40}", any::<bool>(), 1u64..1_000_000).prop_map(
        |(identities, key, context, endpoint, persistent, seconds)| {
            SessionSecurityToken::builder(ClaimsPrincipal::new(identities))
                .key(SymmetricKey::from(key))
                .context(context)
                .endpoint(endpoint)
                .persistent(persistent)
                .lifetime(Duration::from_secs(seconds))
                .build(now(), &DeterministicRandom::new(seconds))
                .unwrap()
        },
    )
}

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

#[test]
fn st_39_as_many_actors_as_an_identity_can_have_survive() {
    let claim = || Claim::new("t", "v").with_property("name", "value");
    let mut identity = ClaimsIdentity::new("innermost").with_claim(claim());
    while let Ok(longer) = ClaimsIdentity::new("actor").with_claim(claim()).with_actor(identity.clone()) {
        identity = longer;
    }
    let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(identity));
    let token = builder.build(now(), &DeterministicRandom::new(1)).unwrap();
    let written = Payload::from(&token).write().unwrap();
    assert_eq!(Payload::read(&written, &PayloadPolicy::default()).unwrap().into_token().unwrap(), token);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn st_39_decoding_what_was_encoded_gives_the_token(token in token()) {
        let payload = Payload::from(&token);
        let written = payload.write().unwrap();
        let read = Payload::read(&written, &PayloadPolicy::default()).unwrap();
        prop_assert_eq!(&read, &payload);
        prop_assert_eq!(read.write().unwrap(), written);
        prop_assert_eq!(read.into_token().unwrap(), token);
    }

    #[test]
    fn st_39_a_protected_cookie_gives_the_token(token in token()) {
        let carrier = Carrier::Cookie("FedAuth".into());
        let cookie = FORMAT.write(&token, &carrier, now(), &DeterministicRandom::new(1)).unwrap();
        prop_assert!(FORMAT.recognizes(&cookie) && FORMAT.recognizes_text(&FORMAT.text_encoding().encode(&cookie)));
        let expected = Expected { carrier: &carrier, scopes: &[], now: now() };
        prop_assert_eq!(FORMAT.read(cookie, &expected).unwrap(), Opened::Token(Box::new(token)));
    }

    #[test]
    fn st_12_no_bytes_make_the_payload_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Payload::read(&[&[0x42, 0x44], &bytes[..]].concat(), &PayloadPolicy::default());
    }
}
