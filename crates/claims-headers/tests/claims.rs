//! What is believed, and what is not.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests may")]

use std::sync::Arc;
use std::time::Duration;

use handstamp_claims::claim_types;
use handstamp_claims_headers::{ClaimHeaders, Error, GatewayClaims, SignedClaims};
use handstamp_keys::jose::{JwkSet, JwsSigner};
use handstamp_keys::{Curve, KeyKind, SigningIdentity, SystemRandom};
use handstamp_time::{Timestamp, VirtualClock};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

const ISSUER: &str = "https://shop.example";
const JWT: HeaderName = HeaderName::from_static("x-jwt");
const NOON: i64 = 1_900_000_000;

fn signer() -> JwsSigner {
    let (from, to) =
        (Timestamp::from_unix_seconds(0).unwrap(), Timestamp::from_unix_seconds(i64::from(u32::MAX)).unwrap());
    let identity = SigningIdentity::self_signed("JWT", KeyKind::Ec(Curve::P256), from, to, &SystemRandom).unwrap();
    JwsSigner::new(identity.key().clone())
}

fn published(signers: &[&JwsSigner]) -> String {
    JwkSet::new(signers.iter().map(|signer| signer.public_key())).to_json()
}

fn token(signer: &JwsSigner, issuer: &str, audience: &str, claims: &str) -> String {
    let statement =
        format!(r#"{{"iss":"{issuer}","aud":"{audience}","iat":{NOON},"exp":{},"claims":{claims}}}"#, NOON + 300);
    signer.sign("JWT", statement.as_bytes()).unwrap()
}

fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

#[test]
fn a_token_is_believed_from_the_issuer_for_the_audience_in_its_time() {
    let signer = signer();
    let claims = SignedClaims::new(JWT, ISSUER, "shop", &published(&[&signer])).unwrap();
    let good = token(&signer, ISSUER, "shop", r#"{"urn:name":"Ada","urn:role":["a","b"]}"#);
    let ask = |text: &str, now| claims.principal(&headers(&JWT, &[text]), at(now));
    let principal = ask(&good, NOON).unwrap().expect("somebody");
    let found: Vec<_> = principal.claims().map(|claim| (claim.claim_type().as_str(), claim.value().as_str())).collect();
    assert_eq!(found, [("urn:name", "Ada"), ("urn:role", "a"), ("urn:role", "b")]);
    assert!(principal.is_authenticated());
    assert!(principal.claims().all(|claim| claim.issuer() == ISSUER));

    for (now, believed) in [(NOON - 31, false), (NOON - 30, true), (NOON + 329, true), (NOON + 330, false)] {
        assert_eq!(ask(&good, now).is_ok(), believed, "{}", now - NOON);
    }
    for (issuer, audience) in [("https://evil.example", "shop"), (ISSUER, "admin")] {
        assert!(matches!(ask(&token(&signer, issuer, audience, "{}"), NOON), Err(Error::Purpose { .. })));
    }
    assert_eq!(ask(&token(&signer, ISSUER, "shop", r#"{"urn:name":7}"#), NOON).unwrap_err(), Error::Content);
    assert_eq!(ask(&good.replace('.', ".A"), NOON).unwrap_err(), Error::Unauthentic);
    assert_eq!(claims.principal(&HeaderMap::new(), at(NOON)).unwrap(), None);
}

#[test]
fn a_second_line_is_nobodys() {
    let signer = signer();
    let claims = SignedClaims::new(JWT, ISSUER, "shop", &published(&[&signer])).unwrap();
    let good = token(&signer, ISSUER, "shop", "{}");
    let twice = claims.principal(&headers(&JWT, &[&good, &good]), at(NOON));
    assert_eq!(twice.unwrap_err(), Error::Header { name: JWT });
}

#[test]
fn new_keys_are_taken_over_and_useless_ones_are_not() {
    let (old, new) = (signer(), signer());
    let claims = SignedClaims::new(JWT, ISSUER, "shop", &published(&[&old])).unwrap();
    let signed = headers(&JWT, &[&token(&new, ISSUER, "shop", "{}")]);
    assert_eq!(claims.principal(&signed, at(NOON)).unwrap_err(), Error::Unauthentic);
    assert!(matches!(claims.set_keys(r#"{"keys":[]}"#), Err(Error::Keys(_))));
    assert_eq!(claims.principal(&signed, at(NOON)).unwrap_err(), Error::Unauthentic);
    claims.set_keys(&published(&[&old, &new])).unwrap();
    assert!(claims.principal(&signed, at(NOON)).unwrap().is_some());
}

#[test]
fn a_bearer_token_follows_the_word() {
    let signer = signer();
    let claims = SignedClaims::new(AUTHORIZATION, ISSUER, "shop", &published(&[&signer])).unwrap();
    let clock = Arc::new(VirtualClock::new(at(NOON)));
    let claims = GatewayClaims::from(claims).with_clock(Arc::clone(&clock) as _);
    let token = token(&signer, ISSUER, "shop", "{}");
    let bearer = headers(&AUTHORIZATION, &[&format!("Bearer {token}")]);
    assert!(claims.principal(&bearer).unwrap().is_some());
    assert_eq!(claims.principal(&headers(&AUTHORIZATION, &[&token])).unwrap_err(), Error::Unauthentic);
    clock.advance(Duration::from_secs(600));
    assert_eq!(claims.principal(&bearer).unwrap_err(), Error::Time);
}

#[test]
fn plain_headers_are_read_as_the_gateway_writes_them() {
    let (user, roles) = (HeaderName::from_static("x-user"), HeaderName::from_static("x-roles"));
    let claims = ClaimHeaders::new([(user.clone(), claim_types::NAME), (roles.clone(), claim_types::ROLE)]);
    let mut sent = headers(&user, &["M%C3%BCller%2C Hans"]);
    sent.insert(roles, HeaderValue::from_static("a,b%2Cc"));
    let principal = GatewayClaims::from(claims.clone()).principal(&sent).unwrap().expect("somebody");
    assert_eq!(principal.name(), Some("Müller, Hans"));
    assert!(principal.is_in_role("a") && principal.is_in_role("b,c") && !principal.is_in_role("b"));
    assert_eq!(claims.principal(&HeaderMap::new()).unwrap(), None);
    let twice = headers(&user, &["ada", "root"]);
    assert_eq!(claims.principal(&twice).unwrap_err(), Error::Header { name: user.clone() });
    assert!(claims.principal(&headers(&user, &["%FF"])).is_err());
}
