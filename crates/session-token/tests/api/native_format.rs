//! The native format through its public face (ST-39, ST-42, `docs/native-token.md`).

use crate::support::{AUDIENCE, alices_token, any_token, now, ring};
use coset::{CborSerializable, CoseEncrypt0, TaggedCborSerializable, iana};
use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
use handstamp_keys::{Aes256Gcm, DeterministicRandom, KeyRing, SymmetricKey, SystemRandom};
use handstamp_session_token::native::{Compression, NativeFormat};
use handstamp_session_token::{
    Carrier, EndpointScope, Error, ErrorKind, Expected, Malformed, Opened, SessionSecurityToken,
    SessionSecurityTokenHandler, SessionTokenCacheKey, TokenFormat,
};
use handstamp_testkit::principals::alice;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn cookie(name: &'static str) -> Carrier {
    Carrier::Cookie(name.into())
}

fn seal(format: &NativeFormat, token: &SessionSecurityToken) -> Vec<u8> {
    format.write(token, &cookie("__Host-session"), now(), &SystemRandom).unwrap()
}

fn open_as(format: &NativeFormat, bytes: &[u8], carrier: Carrier, scopes: &[&str]) -> Result<Opened, Error> {
    let scopes: Vec<EndpointScope> = scopes.iter().map(|scope| EndpointScope::from(*scope)).collect();
    format.read(bytes.to_vec(), &Expected { carrier: &carrier, scopes: &scopes, now: now() })
}

fn open(format: &NativeFormat, bytes: &[u8]) -> Result<Opened, Error> {
    open_as(format, bytes, cookie("__Host-session"), &[AUDIENCE])
}

fn token_of(opened: Opened) -> SessionSecurityToken {
    match opened {
        Opened::Token(token) => *token,
        other => panic!("{other:?}"),
    }
}

/// The key of the ring, for an independent implementation.
fn raw_key(ring: &KeyRing) -> SymmetricKey {
    let jwks: serde_json::Value = serde_json::from_slice(&ring.to_jwk_set()).unwrap();
    let secret = jwks["keys"][0]["k"].as_str().unwrap();
    SymmetricKey::from(base64_simd::URL_SAFE_NO_PAD.decode_to_vec(secret).unwrap())
}

#[test]
fn a_token_of_twelve_claims_takes_at_most_480_characters() {
    let handler =
        SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring()))).audience(AUDIENCE).build().unwrap();
    let token = alices_token();
    assert_eq!(token.principal().claims().count(), 12);
    let text = handler.write_text(&token, now(), &SystemRandom).unwrap();
    assert!(text.len() <= 480, "{} characters", text.len());
    assert_eq!(handler.open_text(&text, now()).unwrap(), Opened::Token(Box::new(token)));

    let plain = handler.token(alice().into()).build(now(), &SystemRandom).unwrap();
    let text = handler.write_text(&plain, now(), &SystemRandom).unwrap();
    assert!(text.len() <= 480 - 40, "{} characters without sliding and issuer session", text.len());
}

#[test]
fn a_reference_is_small_and_says_where_the_token_lies() {
    let format = NativeFormat::new(ring());
    let mut token = alices_token();
    token.set_reference_mode(true);
    let sealed = seal(&format, &token);
    assert!(sealed.len() * 4 / 3 <= 90, "{} bytes", sealed.len());
    assert_eq!(open(&format, &sealed).unwrap(), Opened::Reference(SessionTokenCacheKey::of(&token)));

    let renewed = SessionSecurityToken::builder(alice().into())
        .endpoint(AUDIENCE)
        .context_id("session".parse().unwrap())
        .key_generation("urn:uuid:01020304-0506-0708-090a-0b0c0d0e0f10".parse().unwrap())
        .reference_mode(true)
        .build(now(), &SystemRandom)
        .unwrap();
    let opened = open(&format, &seal(&format, &renewed)).unwrap();
    assert_eq!(opened, Opened::Reference(SessionTokenCacheKey::of(&renewed)));
}

#[test]
fn a_store_keeps_the_whole_token_also_in_reference_mode() {
    let format = NativeFormat::new(ring());
    let mut token = alices_token();
    token.set_reference_mode(true);
    let sealed = format.write_whole(&token, &Carrier::Store, now(), &SystemRandom).unwrap();
    assert_eq!(token_of(open_as(&format, &sealed, Carrier::Store, &[AUDIENCE]).unwrap()), token);
    assert!(matches!(open(&format, &sealed), Err(Error::Unauthentic)), "what is at rest is no cookie");
}

#[test]
fn cookie_name_and_audience_are_bound() {
    let format = NativeFormat::new(ring());
    let sealed = seal(&format, &alices_token());
    let read = |carrier, scopes: &[&str]| open_as(&format, &sealed, carrier, scopes).map_err(|error| error.kind());
    assert!(read(cookie("__Host-session"), &[AUDIENCE]).is_ok());
    assert!(read(cookie("__Host-session"), &["https://other.example/", AUDIENCE]).is_ok());
    for (carrier, scopes) in [
        (cookie("__Host-session"), &["https://other.example/"][..]),
        (cookie("__Host-session"), &[]),
        (cookie("__Host-sessioo"), &[AUDIENCE]),
        (cookie(""), &[AUDIENCE]),
        (Carrier::SecurityHeader, &[AUDIENCE]),
        (Carrier::Store, &[AUDIENCE]),
    ] {
        assert_eq!(read(carrier, scopes), Err(ErrorKind::Unauthentic));
    }
}

#[test]
fn an_unscoped_token_opens_and_says_so() {
    let format = NativeFormat::new(ring());
    let token = SessionSecurityToken::builder(alice().into()).build(now(), &SystemRandom).unwrap();
    let read = token_of(open(&format, &seal(&format, &token)).unwrap());
    assert!(read.endpoint().is_unscoped());
    assert_eq!(read, token);
}

#[test]
fn every_flipped_bit_and_every_cut_gives_the_same_error() {
    let format = NativeFormat::new(ring());
    let mut token = alices_token();
    for reference_mode in [false, true] {
        token.set_reference_mode(reference_mode);
        let sealed = seal(&format, &token);
        let uniform = open(&format, b"").unwrap_err().to_string();
        for bit in 0..sealed.len() * 8 {
            let mut other = sealed.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let error = open(&format, &other).expect_err("a changed token is never accepted");
            assert_eq!((error.kind(), error.to_string()), (ErrorKind::Unauthentic, uniform.clone()), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(open(&format, &sealed[..length]).unwrap_err().to_string(), uniform);
        }
        let mut longer = sealed.clone();
        longer.push(0);
        assert_eq!(open(&format, &longer).unwrap_err().to_string(), uniform);
        assert!(open(&format, &sealed).is_ok());
    }
}

#[test]
fn a_foreign_key_ring_gives_that_error_too() {
    let sealed = seal(&NativeFormat::new(ring()), &alices_token());
    let other = KeyRing::in_memory(Default::default(), now(), &DeterministicRandom::new(2)).unwrap();
    assert!(matches!(open(&NativeFormat::new(Arc::new(other)), &sealed), Err(Error::Unauthentic)));
}

#[test]
fn tokens_outlive_a_rotation_but_not_a_revocation_of_their_key() {
    let ring = ring();
    let format = NativeFormat::new(ring.clone());
    let sealed = seal(&format, &alices_token());
    let first = ring.sealing_key(now()).unwrap().id();
    let later = now().saturating_add(Duration::from_secs(60));
    ring.rotate_now(later, &DeterministicRandom::new(9)).unwrap();
    assert_ne!(ring.sealing_key(later).unwrap().id(), first);
    let scopes = [EndpointScope::from(AUDIENCE)];
    let expected = Expected { carrier: &cookie("__Host-session"), scopes: &scopes, now: later };
    assert!(format.read(sealed.clone(), &expected).is_ok());
    ring.revoke(first, later, &DeterministicRandom::new(9)).unwrap();
    assert!(matches!(format.read(sealed, &expected), Err(Error::Unauthentic)));
}

#[test]
fn two_seals_of_one_token_differ() {
    let format = NativeFormat::new(ring());
    let token = alices_token();
    assert_ne!(seal(&format, &token), seal(&format, &token));
}

#[test]
fn coset_reads_the_message_and_opens_it() {
    let ring = ring();
    let format = NativeFormat::new(ring.clone());
    let token = alices_token();
    let sealed = seal(&format, &token);

    let message = CoseEncrypt0::from_tagged_slice(&sealed).unwrap();
    let protected = &message.protected.header;
    assert_eq!(protected.alg, Some(coset::Algorithm::Assigned(iana::Algorithm::A256GCM)));
    assert_eq!(protected.key_id, ring.sealing_key(now()).unwrap().id().as_bytes());
    let iv: [u8; 12] = message.unprotected.iv.clone().try_into().unwrap();

    let external = ciborium::Value::Array(vec![1.into(), 0.into(), "__Host-session".into(), AUDIENCE.into()]);
    let mut aad = Vec::new();
    ciborium::into_writer(&external, &mut aad).unwrap();
    let key = Aes256Gcm::new(&raw_key(&ring)).unwrap();
    let content = message
        .decrypt_ciphertext(
            &aad,
            || unreachable!("there is a ciphertext"),
            |ciphertext, aad| {
                let mut buffer = ciphertext.to_vec();
                key.open_in_place(&iv, aad, &mut buffer).map(|content| content.to_vec())
            },
        )
        .unwrap();
    let body: ciborium::Value = ciborium::from_reader(content.as_slice()).unwrap();
    let mut again = Vec::new();
    ciborium::into_writer(&body, &mut again).unwrap();
    assert_eq!(content, again, "the content is what another CBOR writer writes, byte for byte");
    let fields: Vec<i128> = body.as_map().unwrap().iter().map(|(key, _)| key.as_integer().unwrap().into()).collect();
    assert_eq!(fields, [2, 3, 4, 12, 13, 14, 15], "defaults are left out, keys ascend");
}

#[test]
fn what_coset_seals_is_read() {
    let ring = ring();
    let format = NativeFormat::new(ring.clone());
    let mut body = Vec::new();
    let text = |text: &str| ciborium::Value::from(text);
    let claims = ciborium::Value::Array(vec![0.into(), text("alice")]);
    let identity = ciborium::Value::Map(vec![(1.into(), 10.into()), (7.into(), claims)]);
    let token = ciborium::Value::Map(vec![
        (1.into(), text("session 7")),
        (2.into(), ciborium::Value::Bytes(vec![7; 16])),
        (3.into(), now().unix_seconds().into()),
        (4.into(), 3600.into()),
        (15.into(), ciborium::Value::Array(vec![identity])),
    ]);
    ciborium::into_writer(&token, &mut body).unwrap();
    let read = token_of(open(&format, &seal_with_coset(&ring, &body)).unwrap());
    assert_eq!(read.principal().name(), Some("alice"));
    assert_eq!(read.context_id().as_unique_id().to_string(), "session 7");
    assert_eq!(read.valid_to(), now().whole_seconds().saturating_add(Duration::from_secs(3600)));
}

#[test]
fn authentic_nonsense_is_malformed_and_never_more() {
    let ring = ring();
    let format = NativeFormat::new(ring.clone());
    for body in [
        &[][..],
        &[0xa0],
        &[0x80],
        &[0x83, 0x61, b'a', 0x61, b'a', 0x61, b'a'],
        &[0x81, 0x60],
        &[0xf6],
        &[0x40],
        &[0x43, 1, 2, 3],
        &[0xbf, 0xff],
        &[0xa1, 0x18, 0x63, 0],
        &[0xa1, 2, 0x40, 0],
    ] {
        let error = open(&format, &seal_with_coset(&ring, body)).expect_err("not a token");
        assert_eq!(error.kind(), ErrorKind::Malformed, "{body:x?}: {error}");
    }
}

#[test]
fn st_12_claims_and_actors_are_limited_both_ways() {
    let format = NativeFormat::new(ring());
    let many = |n| ClaimsIdentity::new("x").with_claims((0..n).map(|_| Claim::new("t", "")));
    let build = |identity: ClaimsIdentity| {
        SessionSecurityToken::builder(identity.into()).endpoint(AUDIENCE).build(now(), &SystemRandom).unwrap()
    };
    let most = build(many(10_000));
    assert_eq!(token_of(open(&format, &seal(&format, &most)).unwrap()), most);
    let too_many = build(many(10_001));
    let refused = format.write(&too_many, &cookie("c"), now(), &SystemRandom);
    assert!(matches!(refused, Err(Error::NotWritable(_))));

    let mut chain = ClaimsIdentity::new("0");
    for n in 1..=ClaimsIdentity::MAX_ACTOR_DEPTH {
        chain = ClaimsIdentity::new(n.to_string()).with_actor(chain).unwrap();
    }
    let deepest = build(chain);
    assert_eq!(token_of(open(&format, &seal(&format, &deepest)).unwrap()), deepest);

    let ring = format.ring();
    let mut body = vec![0xa4, 2, 0x41, 1, 3, 0, 4, 1, 15, 0x81];
    body.extend([0xa1, 9].repeat(40));
    body.push(0xa0);
    let error = open(&format, &seal_with_coset(ring, &body)).unwrap_err();
    assert!(matches!(error, Error::Malformed(Malformed::Limit("actors"))), "{error}");
}

#[test]
fn large_tokens_shrink_unless_told_not_to() {
    let mut identity = alice();
    identity.add_claims((0..200).map(|n| Claim::new(claim_types::ROLE, format!("CONTOSO\\Department {n} Staff"))));
    let token = SessionSecurityToken::builder(identity.into()).endpoint(AUDIENCE).build(now(), &SystemRandom).unwrap();
    let compressed = seal(&NativeFormat::new(ring()), &token);
    let format = NativeFormat::new(ring()).with_compression(Compression::Never);
    let plain = seal(&format, &token);
    assert!(compressed.len() * 2 < plain.len(), "{} of {}", compressed.len(), plain.len());
    for sealed in [compressed, plain] {
        assert_eq!(token_of(open(&format, &sealed).unwrap()), token);
    }
}

#[test]
fn a_bomb_does_not_inflate() {
    use std::io::Write;
    let ring = ring();
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 8 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let mut body = Vec::new();
    ciborium::into_writer(&ciborium::Value::Bytes(bomb), &mut body).unwrap();
    let error = open(&NativeFormat::new(ring.clone()), &seal_with_coset(&ring, &body)).unwrap_err();
    assert!(matches!(error, Error::Malformed(Malformed::TooLarge)), "{error}");
}

#[test]
fn st_14_a_principal_without_identities_survives_and_is_refused_by_validation() {
    let handler = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(ring()))).build().unwrap();
    let token = handler.token(ClaimsPrincipal::anonymous()).build(now(), &SystemRandom).unwrap();
    let opened = handler.open(handler.write(&token, now(), &SystemRandom).unwrap(), now()).unwrap();
    let read = token_of(opened);
    assert_eq!(read, token);
    assert!(matches!(handler.validate(&read, now()), Err(Error::NoIdentity)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn st_39_every_token_reads_back_as_it_was(token in any_token()) {
        let format = NativeFormat::new(ring());
        let random = DeterministicRandom::new(3);
        let sealed = format.write(&token, &cookie("c"), now(), &random).unwrap();
        let read = token_of(open_as(&format, &sealed, cookie("c"), &[AUDIENCE]).unwrap());
        prop_assert_eq!(&read, &token);
        prop_assert!(read.principal() == token.principal());
        let again = format.write(&read, &cookie("c"), now(), &DeterministicRandom::new(3)).unwrap();
        prop_assert_eq!(sealed, again, "encode(decode(b)) = b");
    }

    #[test]
    fn arbitrary_content_never_panics(body: Vec<u8>) {
        let ring = ring();
        let _ = open(&NativeFormat::new(ring.clone()), &seal_with_coset(&ring, &body));
    }

    #[test]
    fn arbitrary_bytes_are_never_accepted(bytes: Vec<u8>) {
        prop_assert!(open(&NativeFormat::new(ring()), &bytes).is_err());
    }
}

/// An independent writer of the message: coset's layout, our cipher.
fn seal_with_coset(ring: &KeyRing, body: &[u8]) -> Vec<u8> {
    let key = Aes256Gcm::new(&raw_key(ring)).unwrap();
    let external = ciborium::Value::Array(vec![1.into(), 0.into(), "__Host-session".into(), AUDIENCE.into()]);
    let mut aad = Vec::new();
    ciborium::into_writer(&external, &mut aad).unwrap();
    let protected = coset::HeaderBuilder::new()
        .algorithm(iana::Algorithm::A256GCM)
        .key_id(ring.sealing_key(now()).unwrap().id().as_bytes().to_vec())
        .build();
    assert_eq!(protected.clone().to_vec().unwrap().len(), 9);
    coset::CoseEncrypt0Builder::new()
        .protected(protected)
        .unprotected(coset::HeaderBuilder::new().iv(vec![5; 12]).build())
        .create_ciphertext(body, &aad, |plaintext, aad| {
            let mut buffer = plaintext.to_vec();
            key.seal_in_place(&[5; 12], aad, &mut buffer).unwrap();
            buffer
        })
        .build()
        .to_tagged_vec()
        .unwrap()
}
