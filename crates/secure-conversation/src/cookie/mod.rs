//! The cookie of a stateful security context token: all that a service has to know of a session, sealed, so that it can
//! forget the session (SC §10).

mod wcf_state;

pub use wcf_state::WcfStateCookies;

use crate::error::Error;
use handstamp_claims::ArcStr;
use handstamp_keys::{KeyRing, SecureRandom};
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::{
    Carrier, ContextId, EndpointScope, Expected, Opened, SecureConversationVersion, SessionSecurityToken, TokenFormat,
};
use handstamp_time::Timestamp;
use handstamp_ws_security::Generation;
use handstamp_ws_security::token::SecurityContextToken;
use std::fmt;
use std::sync::Arc;

/// Seals sessions into cookies and opens them again.
///
/// An implementation authenticates whatever it opens. What comes out belongs to the token around the cookie: the caller of
/// [`open`](Self::open) need not compare identifiers again.
pub trait ContextCookies: Send + Sync + fmt::Debug {
    /// Seals a session. Its [`id`](SessionSecurityToken::id) and [`context_id`](SessionSecurityToken::context_id) are those of
    /// the token that the cookie goes into.
    ///
    /// # Errors
    /// [`Error::Cookie`] when the session does not fit or cannot be written: the context must not be issued.
    fn seal(&self, session: &SessionSecurityToken, now: Timestamp, random: &dyn SecureRandom)
    -> Result<Vec<u8>, Error>;

    /// Opens the cookie of a token. Whether the session is still good is not looked at.
    ///
    /// # Errors
    /// [`Error::Cookie`], the same for whatever is wrong.
    fn open(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SessionSecurityToken, Error>;

    /// The identifier of this service that its sessions are scoped to.
    fn scope(&self) -> &EndpointScope;

    /// What seals the contexts that TLS negotiates for bootstraps (SC §7). Whoever holds one of those has not said yet who it
    /// is, so what one of the two seals the other must not open. None when that cannot be told, the default: then negotiated
    /// contexts are remembered, and not cookies.
    fn for_negotiation(&self) -> Option<Arc<dyn ContextCookies>> {
        None
    }
}

/// Cookies in the native format, sealed with the keys of a ring (`docs/native-token.md`).
///
/// The key that seals a cookie survives restarts when the ring is that of a file, and other nodes open it when they share
/// the file. Let the ring accept its keys as long as sessions live and clocks may differ
/// ([`RotationPolicy::for_lifetime`](handstamp_keys::RotationPolicy::for_lifetime) of `issuedCookieLifetime` plus twice
/// `maxClockSkew`).
///
/// A cookie is bound to the context id, the `wsu:Id` and the generation of its token and to the scope of the service.
#[derive(Debug, Clone)]
pub struct NativeCookies {
    format: NativeFormat,
    scope: EndpointScope,
    max_size: usize,
}

/// What a client of WCF reads without complaint, and a message bears easily (SC 19.13).
const DEFAULT_MAX_SIZE: usize = 4096;
/// What a service reads, WCF as well as ours (SC 10.4, 19.13).
const MAX_SIZE: usize = 16_384;

impl NativeCookies {
    /// Cookies of the service with this identifier, such as its address: another service with the same keys refuses them.
    pub fn new(ring: Arc<KeyRing>, service: impl Into<ArcStr>) -> Self {
        Self { format: NativeFormat::new(ring), scope: EndpointScope::from(service), max_size: DEFAULT_MAX_SIZE }
    }

    /// Sets the size in bytes that a cookie may have: a session with more claims is not issued. Default 4 KiB, at most 16 KiB.
    #[must_use]
    pub fn with_max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes.min(MAX_SIZE);
        self
    }
}

impl ContextCookies for NativeCookies {
    fn seal(
        &self,
        session: &SessionSecurityToken,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Vec<u8>, Error> {
        let namespace = session.secure_conversation_version().namespace();
        let carrier = carrier(namespace, &session.context_id().as_unique_id().to_text(), session.id());
        let cookie = self.format.write_whole(session, &carrier, now, random)?;
        check_size(cookie, self.max_size)
    }

    fn open(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SessionSecurityToken, Error> {
        let cookie = cookie_of(token)?;
        let id = token.id.as_deref().unwrap_or_default();
        let carrier = carrier(token.context.generation.conversation(), &token.context.identifier, id);
        let expected = Expected { carrier: &carrier, scopes: std::slice::from_ref(&self.scope), now };
        match self.format.read(cookie, &expected) {
            Ok(Opened::Token(session)) => check_token(token, &self.scope, *session),
            Ok(_) => Err(Error::cookie("it holds a reference")),
            Err(error) => Err(Error::cookie(error.to_string())),
        }
    }

    fn scope(&self) -> &EndpointScope {
        &self.scope
    }

    /// Those of another service, whose identifier is this one's with `#negotiation` behind it.
    fn for_negotiation(&self) -> Option<Arc<dyn ContextCookies>> {
        let EndpointScope::Endpoint(service) = &self.scope else { return None };
        Some(Arc::new(Self { scope: EndpointScope::from(format!("{service}#negotiation")), ..self.clone() }))
    }
}

/// Each part ends in a line feed, which none of them holds when it is one of ours.
fn carrier(namespace: &str, identifier: &str, id: &str) -> Carrier {
    Carrier::SecurityContext([namespace, "\n", identifier, "\n", id, "\n"].concat().into())
}

fn cookie_of(token: &SecurityContextToken) -> Result<Vec<u8>, Error> {
    let cookie = token.cookie.clone().ok_or_else(|| Error::cookie("there is none"))?;
    check_size(cookie, MAX_SIZE)
}

fn check_size(cookie: Vec<u8>, max_size: usize) -> Result<Vec<u8>, Error> {
    if cookie.len() > max_size {
        let problem = format!("it has {} bytes, and {max_size} are allowed: issue fewer claims", cookie.len());
        return Err(Error::cookie(problem));
    }
    Ok(cookie)
}

/// What the cookie says of itself is what the token around it says (SC 10.4 step 3).
fn check_token(
    token: &SecurityContextToken,
    scope: &EndpointScope,
    session: SessionSecurityToken,
) -> Result<SessionSecurityToken, Error> {
    let same_context = token.context.identifier.parse::<ContextId>().is_ok_and(|id| id == *session.context_id());
    let same_instance = match (&token.context.instance, session.key_generation()) {
        (None, None) => true,
        (Some(said), Some(sealed)) => sealed.as_unique_id().with_text(|sealed| sealed == said),
        _ => false,
    };
    if !same_context
        || !same_instance
        || token.id.as_deref() != Some(session.id().as_str())
        || session.secure_conversation_version() != version(token.context.generation)
        || session.endpoint() != scope
    {
        return Err(Error::cookie("it is that of another token or service"));
    }
    Ok(session)
}

/// The generation as session tokens have it.
pub(crate) const fn version(generation: Generation) -> SecureConversationVersion {
    match generation {
        Generation::February2005 => SecureConversationVersion::February2005,
        Generation::V13 => SecureConversationVersion::V1_3,
    }
}
