//! Building a token: the constructors of ST §1.2 and the rules of ST §1.3.

use crate::token::check_times;
use crate::unique_id::guid_text;
use crate::{
    ArgumentError, ContextId, EndpointScope, Error, IssuerSession, KeyGeneration, SecureConversationVersion,
    SessionSecurityToken, UniqueId,
};
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_keys::{SecureRandom, SymmetricKey, sha256};
use handstamp_time::Timestamp;
use std::fmt;
use std::time::Duration;
use zeroize::Zeroizing;

/// Builds a [`SessionSecurityToken`]. Whatever is not said gets the default of ST §1.2.
///
/// | Setting | Default |
/// |---|---|
/// | context id, key, id | fresh random ones; the key has 128 bits |
/// | endpoint | unscoped |
/// | valid from, valid to | now, and 10 hours after it |
/// | key validity | that of the session |
/// | context, key generation, idle timeout, issuer session | none |
/// | signed in at, absolute expiry | the session's start and end |
/// | persistent, reference mode | no |
///
/// The original's constructors 1 to 8 are combinations of these settings; [`lifetime`](Self::lifetime) and
/// [`valid_to`](Self::valid_to) exclude each other, and the later call wins.
#[must_use]
pub struct SessionSecurityTokenBuilder {
    principal: ClaimsPrincipal,
    id: Option<ArcStr>,
    context_id: Option<ContextId>,
    context: Option<ArcStr>,
    endpoint: EndpointScope,
    key_generation: Option<KeyGeneration>,
    key: Option<SymmetricKey>,
    key_effective_time: Option<Timestamp>,
    key_expiration_time: Option<Timestamp>,
    valid_from: Option<Timestamp>,
    end: End,
    secure_conversation_version: SecureConversationVersion,
    persistent: bool,
    reference_mode: bool,
    signed_in_at: Option<Timestamp>,
    absolute_expiry: Option<Timestamp>,
    idle_timeout: Option<Duration>,
    issuer_session: Option<IssuerSession>,
}

#[derive(Clone, Copy)]
enum End {
    At(Timestamp),
    After(Duration),
}

impl SessionSecurityTokenBuilder {
    pub(crate) fn new(principal: ClaimsPrincipal) -> Self {
        Self {
            principal,
            id: None,
            context_id: None,
            context: None,
            endpoint: EndpointScope::Unscoped,
            key_generation: None,
            key: None,
            key_effective_time: None,
            key_expiration_time: None,
            valid_from: None,
            end: End::After(SessionSecurityToken::DEFAULT_LIFETIME),
            secure_conversation_version: SecureConversationVersion::default(),
            persistent: false,
            reference_mode: false,
            signed_in_at: None,
            absolute_expiry: None,
            idle_timeout: None,
            issuer_session: None,
        }
    }

    pub(crate) fn continuing(token: &SessionSecurityToken) -> Self {
        Self {
            context: token.context.clone(),
            endpoint: token.endpoint.clone(),
            secure_conversation_version: token.secure_conversation_version,
            persistent: token.persistent,
            reference_mode: token.reference_mode,
            signed_in_at: Some(token.signed_in_at),
            absolute_expiry: Some(token.absolute_expiry),
            idle_timeout: token.idle_timeout,
            issuer_session: token.issuer_session.clone(),
            ..Self::new(token.principal.clone())
        }
    }

    pub(crate) fn extending(token: &SessionSecurityToken) -> Self {
        Self {
            id: Some(token.id.clone()),
            context_id: Some(token.context_id.clone()),
            key_generation: token.key_generation.clone(),
            key: Some(token.key.clone()),
            ..Self::continuing(token)
        }
    }

    /// Replaces the principal.
    pub fn principal(mut self, principal: ClaimsPrincipal) -> Self {
        self.principal = principal;
        self
    }

    /// Sets the id, an XML name.
    pub fn id(mut self, id: impl Into<ArcStr>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the context id. Leave it out for a new session: a reused one is how sessions are fixed (SM-36).
    pub fn context_id(mut self, context_id: ContextId) -> Self {
        self.context_id = Some(context_id);
        self
    }

    /// Sets text of the application; empty text means none.
    pub fn context(mut self, context: impl Into<ArcStr>) -> Self {
        self.context = Some(context.into()).filter(|context| !context.is_empty());
        self
    }

    /// Sets where the token is valid; empty text means everywhere.
    pub fn endpoint(mut self, endpoint: impl Into<EndpointScope>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Sets the key generation.
    pub fn key_generation(mut self, generation: KeyGeneration) -> Self {
        self.key_generation = Some(generation);
        self
    }

    /// Sets the key.
    pub fn key(mut self, key: SymmetricKey) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets first and last instant of the key.
    pub fn key_validity(mut self, effective: Timestamp, expiration: Timestamp) -> Self {
        (self.key_effective_time, self.key_expiration_time) = (Some(effective), Some(expiration));
        self
    }

    /// Sets the first instant.
    pub fn valid_from(mut self, from: Timestamp) -> Self {
        self.valid_from = Some(from);
        self
    }

    /// Sets the last instant.
    pub fn valid_to(mut self, to: Timestamp) -> Self {
        self.end = End::At(to);
        self
    }

    /// Sets how long the token is valid from its first instant; it must be longer than zero.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.end = End::After(lifetime);
        self
    }

    /// Sets the WS-SecureConversation version of the XML around the token.
    pub fn secure_conversation_version(mut self, version: SecureConversationVersion) -> Self {
        self.secure_conversation_version = version;
        self
    }

    /// Sets whether the session outlives the browser.
    pub fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = persistent;
        self
    }

    /// Sets whether only a reference travels.
    pub fn reference_mode(mut self, reference_mode: bool) -> Self {
        self.reference_mode = reference_mode;
        self
    }

    /// Sets when the user signed in.
    pub fn signed_in_at(mut self, at: Timestamp) -> Self {
        self.signed_in_at = Some(at);
        self
    }

    /// Sets the instant past which the session is not renewed; not before the end of the token.
    pub fn absolute_expiry(mut self, at: Timestamp) -> Self {
        self.absolute_expiry = Some(at);
        self
    }

    /// Sets how long the session lasts without a request; it must be longer than zero.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = Some(timeout);
        self
    }

    /// Sets the session at the issuer.
    pub fn issuer_session(mut self, session: IssuerSession) -> Self {
        self.issuer_session = Some(session);
        self
    }

    /// Checks the rules of ST §1.3 and builds the token.
    ///
    /// # Errors
    /// [`Error::Argument`] naming the first argument that breaks a rule; [`Error::Keys`] when randomness fails.
    pub fn build(self, now: Timestamp, random: &dyn SecureRandom) -> Result<SessionSecurityToken, Error> {
        let valid_from = self.valid_from.unwrap_or(now);
        let valid_to = match self.end {
            End::At(to) => to,
            End::After(lifetime) if lifetime.is_zero() => return Err(ArgumentError::Lifetime.into()),
            End::After(lifetime) => valid_from.saturating_add(lifetime),
        };
        let key_effective_time = self.key_effective_time.unwrap_or(valid_from);
        let key_expiration_time = self.key_expiration_time.unwrap_or(valid_to);
        check_times(valid_from, valid_to, key_effective_time, key_expiration_time, now)?;
        let absolute_expiry = self.absolute_expiry.unwrap_or(valid_to);
        if absolute_expiry < valid_to {
            return Err(ArgumentError::AbsoluteExpiry.into());
        }
        if self.idle_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(ArgumentError::IdleTimeout.into());
        }
        if self.key.as_ref().is_some_and(|key| key.as_bytes().is_empty()) {
            return Err(ArgumentError::EmptyKey.into());
        }
        if self.id.as_ref().is_some_and(|id| !is_xml_name(id)) {
            return Err(ArgumentError::Id.into());
        }

        let fresh = self.context_id.is_none() || self.key.is_none();
        let fresh_key = self.key.is_none();
        let key = match self.key {
            Some(key) => key,
            None => SymmetricKey::generate(DEFAULT_KEY_LENGTH, random)?,
        };
        let context_id = match self.context_id {
            Some(context_id) => context_id,
            None if fresh_key => derived_context_id(&key),
            None => ContextId::generate(random)?,
        };
        let id = match self.id {
            Some(id) => id,
            None if fresh => derived_id(&context_id, &key),
            None => random_id(random)?,
        };
        Ok(SessionSecurityToken {
            id,
            context_id,
            context: self.context,
            endpoint: self.endpoint,
            key_generation: self.key_generation,
            key,
            key_effective_time,
            key_expiration_time,
            valid_from,
            valid_to,
            secure_conversation_version: self.secure_conversation_version,
            principal: self.principal,
            persistent: self.persistent,
            reference_mode: self.reference_mode,
            signed_in_at: self.signed_in_at.unwrap_or(valid_from),
            absolute_expiry,
            idle_timeout: self.idle_timeout,
            issuer_session: self.issuer_session,
        })
    }
}

impl fmt::Debug for SessionSecurityTokenBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSecurityTokenBuilder").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// The context id of a token whose key is fresh: 122 bits of a digest of the key, so it is as random as the key, does not
/// betray it, and compact formats need not carry it.
///
/// The first 16 bytes of SHA-256 of a label and the key, as a GUID of version 4.
pub(crate) fn derived_context_id(key: &SymmetricKey) -> ContextId {
    let mut input = Zeroizing::new(Vec::with_capacity(64));
    input.extend_from_slice(b"handstamp context id v1");
    input.extend_from_slice(key.as_bytes());
    let mut guid = [0; 16];
    guid.copy_from_slice(&sha256(&input)[..16]);
    ContextId::from(UniqueId::random_guid(guid))
}

/// The id of a token whose context id or key is fresh: it is as random as they are, and compact formats need not carry it.
///
/// SHA-256 of a label, the length of the key as one byte, the key, and the text of the context id. The first 16 bytes
/// are the GUID of the id, the last 16 its second part (ST §1.1).
pub(crate) fn derived_id(context_id: &ContextId, key: &SymmetricKey) -> ArcStr {
    let mut input = Zeroizing::new(Vec::with_capacity(160));
    input.extend_from_slice(b"handstamp token id v1");
    input.push(key.as_bytes().len() as u8);
    input.extend_from_slice(key.as_bytes());
    context_id.as_unique_id().with_text(|text| input.extend_from_slice(text.as_bytes()));
    id_of(&sha256(&input))
}

fn random_id(random: &dyn SecureRandom) -> Result<ArcStr, Error> {
    let mut bytes = [0; 32];
    random.fill(&mut bytes)?;
    Ok(id_of(&bytes))
}

/// `_`, a lower-case GUID, `-`, 32 upper-case hexadecimal digits.
fn id_of(bytes: &[u8; 32]) -> ArcStr {
    let mut guid = [0; 16];
    guid.copy_from_slice(&bytes[..16]);
    let mut text = [0; 70];
    text[0] = b'_';
    text[1..37].copy_from_slice(&guid_text(&guid));
    text[37] = b'-';
    for (digits, byte) in text[38..].chunks_exact_mut(2).zip(&bytes[16..]) {
        digits[0] = UPPER_HEX[usize::from(byte >> 4)];
        digits[1] = UPPER_HEX[usize::from(byte & 15)];
    }
    ArcStr::from(std::str::from_utf8(&text).unwrap_or("_"))
}

/// Whether `id` is an NCName, checked for ASCII and generous to other letters.
fn is_xml_name(id: &str) -> bool {
    let starts = |c: char| c == '_' || c.is_ascii_alphabetic() || (!c.is_ascii() && c.is_alphabetic());
    let continues = |c: char| starts(c) || matches!(c, '-' | '.' | '\u{b7}') || c.is_numeric();
    id.chars().next().is_some_and(starts) && id.chars().all(continues)
}

/// 128 bits (ST §1.2).
const DEFAULT_KEY_LENGTH: usize = 16;
const UPPER_HEX: &[u8; 16] = b"0123456789ABCDEF";
