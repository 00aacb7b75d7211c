//! Telling the application everything about a session, in one header.

use base64_simd::URL_SAFE_NO_PAD;
use handstamp_web_session::ActiveSession;
use http::HeaderValue;
use serde::Serialize;

/// What the header says: JSON in base64url. Applications may rely on these names.
#[derive(Serialize)]
struct SessionView<'s> {
    /// `self-contained` or `reference`.
    mode: String,
    /// Bytes that travel in the cookie, before their encoding as text.
    cookie_size: usize,
    /// When the user signed in.
    signed_in: String,
    /// When the token was last renewed.
    valid_from: String,
    /// When the session ends unless it is renewed.
    valid_to: String,
    claims: Vec<ClaimView<'s>>,
}

#[derive(Serialize)]
struct ClaimView<'s> {
    #[serde(rename = "type")]
    claim_type: &'s str,
    value: &'s str,
    issuer: &'s str,
}

/// The value of the header; none in the case that JSON cannot say it, which does not happen.
pub(super) fn value(session: &ActiveSession) -> Option<HeaderValue> {
    let token = session.token();
    let view = SessionView {
        mode: session.mode().to_string(),
        cookie_size: session.size(),
        signed_in: session.signed_in_at().to_string(),
        valid_from: token.valid_from().to_string(),
        valid_to: token.valid_to().to_string(),
        claims: session
            .principal()
            .claims()
            .map(|claim| ClaimView { claim_type: claim.claim_type(), value: claim.value(), issuer: claim.issuer() })
            .collect(),
    };
    let json = serde_json::to_vec(&view).ok()?;
    HeaderValue::try_from(URL_SAFE_NO_PAD.encode_to_string(json)).ok()
}
