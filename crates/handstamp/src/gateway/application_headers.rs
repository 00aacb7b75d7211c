//! What an application is told about who is there: headers that nobody else can have set.

use std::sync::Arc;

use bytes::Bytes;
use handstamp_time::Timestamp;
use handstamp_web_session::ActiveSession;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::claim_headers::ClaimHeaderWriter;
use super::session_header;
use crate::application_token::{ApplicationTokens, SessionFacts};
use crate::config::ClaimHeaders;

/// The headers of one route.
#[derive(Debug, Default)]
pub(super) struct ApplicationHeaders {
    claims: ClaimHeaderWriter,
    session: Option<HeaderName>,
    token: Option<TokenHeader>,
}

/// A header with a signed token in it.
#[derive(Debug)]
pub(super) struct TokenHeader {
    pub(super) name: HeaderName,
    pub(super) audience: String,
    pub(super) tokens: Arc<ApplicationTokens>,
}

impl ApplicationHeaders {
    /// These headers, on a route on which clients can send none of `reserved` either.
    pub(super) fn new(
        claims: &ClaimHeaders,
        session: Option<&HeaderName>,
        token: Option<TokenHeader>,
        reserved: &[HeaderName],
    ) -> Self {
        let own = session.into_iter().chain(token.as_ref().map(|token| &token.name));
        let others: Vec<HeaderName> = own.chain(reserved).cloned().collect();
        Self { claims: ClaimHeaderWriter::new(claims, &others), session: session.cloned(), token }
    }

    /// Removes what somebody else wrote under these names, and tells who is there.
    pub(super) fn write(
        &self,
        headers: &mut HeaderMap,
        active: Option<&ActiveSession>,
        now: impl FnOnce() -> Timestamp,
    ) {
        let Some(active) = active else { return self.claims.write(headers, None) };
        self.claims.write_session(headers, active);
        if let Some(name) = &self.session
            && let Some(value) = session_header::value(active)
        {
            headers.insert(name, value);
        }
        if let Some(token) = &self.token
            && let Some(value) = token.value(active, now())
        {
            headers.insert(&token.name, value);
        }
    }
}

impl TokenHeader {
    fn value(&self, active: &ActiveSession, now: Timestamp) -> Option<HeaderValue> {
        active.memo(|issued: &mut IssuedTokens| issued.of(self, active, now))
    }

    fn issue(&self, active: &ActiveSession, now: Timestamp) -> Option<HeaderValue> {
        let session = SessionFacts {
            fingerprint: &active.token().context_id().fingerprint(),
            signed_in: active.signed_in_at(),
            ends: active.expires_at(),
        };
        let token = self.tokens.issue(active.principal(), &self.audience, session, now)?;
        let text = if self.name == AUTHORIZATION { format!("Bearer {token}") } else { token };
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(text.as_bytes())).ok()
    }
}

/// The tokens that were issued last about a session. They tell times in seconds: another one in the same second would say the
/// same, and a signature takes longer than all the rest of a request.
#[derive(Clone, Default)]
struct IssuedTokens(Vec<IssuedToken>);

#[derive(Clone)]
struct IssuedToken {
    by: Arc<ApplicationTokens>,
    header: HeaderName,
    audience: String,
    second: i64,
    value: HeaderValue,
}

impl IssuedTokens {
    fn of(&mut self, wanted: &TokenHeader, active: &ActiveSession, now: Timestamp) -> Option<HeaderValue> {
        let second = now.unix_seconds();
        self.0.retain(|issued| issued.second == second);
        let is_wanted = |issued: &&IssuedToken| {
            Arc::ptr_eq(&issued.by, &wanted.tokens)
                && issued.header == wanted.name
                && issued.audience == wanted.audience
        };
        if let Some(issued) = self.0.iter().find(is_wanted) {
            return Some(issued.value.clone());
        }
        let value = wanted.issue(active, now)?;
        let (by, header, audience) = (Arc::clone(&wanted.tokens), wanted.name.clone(), wanted.audience.clone());
        self.0.push(IssuedToken { by, header, audience, second, value: value.clone() });
        Some(value)
    }
}
