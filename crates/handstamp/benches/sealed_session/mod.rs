//! A session that needs no sign-in, for benchmarks.

use std::path::Path;
use std::sync::Arc;

use handstamp_claims::{Claim, ClaimsIdentity, claim_types};
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{Carrier, SessionSecurityTokenHandler};
use handstamp_time::{Clock, SystemClock};
use handstamp_web_session::cookie::{
    ChunkedCookieHandler, CookieHandler, CookieLifetime, CookieSettings, RequestCookies,
};
use http::HeaderMap;

/// The relying party that it is for.
pub(crate) const REALM: &str = "https://shop.example/";

/// The `Cookie` header of a session as the gateway would have begun it: 12 claims, sealed with the ring in the file `keys`.
pub(crate) fn cookie(keys: &Path) -> String {
    let ring = KeyRing::open(keys, RotationPolicy::default()).expect("keys");
    let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
        .audience(REALM)
        .carrier(Carrier::Cookie("__Host-session".into()))
        .build()
        .expect("settings");
    let mut identity = ClaimsIdentity::new("Federation");
    for (claim_type, value) in [
        (claim_types::NAME, "alice"),
        (claim_types::EMAIL, "alice@example.com"),
        (claim_types::UPN, "alice@corp.example.com"),
        (claim_types::NAME_IDENTIFIER, "Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6"),
        (claim_types::ROLE, "role0"),
        (claim_types::ROLE, "role1"),
        (claim_types::ROLE, "role2"),
        (claim_types::ROLE, "role3"),
        (claim_types::GIVEN_NAME, "Alice"),
        (claim_types::SURNAME, "Example"),
        (
            claim_types::AUTHENTICATION_METHOD,
            "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password",
        ),
        (claim_types::AUTHENTICATION_INSTANT, "2030-01-01T09:00:00.000Z"),
    ] {
        identity = identity.with_claim(Claim::new(claim_type, value).with_issuer("urn:sts"));
    }
    let now = SystemClock.now();
    let token = tokens.token(identity.into()).build(now, &SystemRandom).expect("a token");
    let bytes = tokens.write(&token, now, &SystemRandom).expect("sealed");
    let cookies = ChunkedCookieHandler::native(CookieSettings::builder("__Host-session").build().expect("settings"));
    let none = HeaderMap::new();
    let lines = cookies.write(&bytes, CookieLifetime::BrowserSession, RequestCookies::new(&none)).expect("cookies");
    let pairs: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .filter(|pair| !pair.ends_with('='))
        .collect();
    pairs.join("; ")
}
