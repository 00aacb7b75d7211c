//! The session security token (ST §1.1).

use crate::{ArgumentError, ContextId, EndpointScope, KeyGeneration, SessionSecurityTokenBuilder, SubjectId};
use handstamp_claims::{ArcStr, ClaimsPrincipal};
use handstamp_keys::{SymmetricKey, sha256};
use handstamp_time::Timestamp;
use std::fmt;
use std::time::Duration;

/// Who somebody is, for how long, and where: the proof of a session (ST §1.1).
///
/// A token does not change once it is built, save whether it is [persistent](Self::set_persistent) and whether it
/// travels [by reference](Self::set_reference_mode). To slide a session, build a new token: with
/// [`reissue`](Self::reissue) when the token itself travels, with [`extend`](Self::extend) when it stays in a cache.
/// `Debug` shows neither key nor context id nor claims (ST-40).
///
/// ```
/// use handstamp_claims::{Claim, ClaimsIdentity, ClaimsPrincipal, claim_types};
/// use handstamp_keys::SystemRandom;
/// use handstamp_session_token::SessionSecurityToken;
/// use handstamp_time::Timestamp;
/// use std::time::Duration;
///
/// let alice = ClaimsIdentity::new("Federation").with_claim(Claim::new(claim_types::NAME, "alice"));
/// let now: Timestamp = "2030-01-01T09:00:00Z".parse()?;
/// let token = SessionSecurityToken::builder(ClaimsPrincipal::from(alice))
///     .endpoint("https://orders.example/")
///     .lifetime(Duration::from_secs(3600))
///     .build(now, &SystemRandom)?;
/// assert_eq!(token.valid_to().to_string(), "2030-01-01T10:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SessionSecurityToken {
    pub(crate) id: ArcStr,
    pub(crate) context_id: ContextId,
    pub(crate) context: Option<ArcStr>,
    pub(crate) endpoint: EndpointScope,
    pub(crate) key_generation: Option<KeyGeneration>,
    pub(crate) key: SymmetricKey,
    pub(crate) key_effective_time: Timestamp,
    pub(crate) key_expiration_time: Timestamp,
    pub(crate) valid_from: Timestamp,
    pub(crate) valid_to: Timestamp,
    pub(crate) secure_conversation_version: SecureConversationVersion,
    pub(crate) principal: ClaimsPrincipal,
    pub(crate) persistent: bool,
    pub(crate) reference_mode: bool,
    pub(crate) signed_in_at: Timestamp,
    pub(crate) absolute_expiry: Timestamp,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) issuer_session: Option<IssuerSession>,
}

impl SessionSecurityToken {
    /// How long a session lasts when nothing else is said: 10 hours.
    pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(10 * 3600);

    /// Starts a token about `principal`.
    pub fn builder(principal: ClaimsPrincipal) -> SessionSecurityTokenBuilder {
        SessionSecurityTokenBuilder::new(principal)
    }

    /// Starts a token that continues this session: everything is copied except the id, the context id, the key, its
    /// generation and the validity (ST-37). A fresh context id is what makes the new token win over a cached old one.
    pub fn reissue(&self) -> SessionSecurityTokenBuilder {
        SessionSecurityTokenBuilder::continuing(self)
    }

    /// Starts a token that takes this one's place in a cache: everything is copied except the validity, so handles that
    /// browsers hold lead to it. Only for a cache that compares and sets: the original's keeps the old entry (ST §5.4).
    pub fn extend(&self) -> SessionSecurityTokenBuilder {
        SessionSecurityTokenBuilder::extending(self)
    }

    /// Sets whether the session outlives the browser.
    pub fn set_persistent(&mut self, persistent: bool) {
        self.persistent = persistent;
    }

    /// Sets whether only a reference travels and the token stays in a cache.
    pub fn set_reference_mode(&mut self, reference_mode: bool) {
        self.reference_mode = reference_mode;
    }

    /// Identifies the token, an XML name: `wsu:Id` in XML.
    pub fn id(&self) -> &ArcStr {
        &self.id
    }

    /// Identifies the session.
    pub fn context_id(&self) -> &ContextId {
        &self.context_id
    }

    /// Text of the application, protected with the rest; never empty.
    pub fn context(&self) -> Option<&ArcStr> {
        self.context.as_ref()
    }

    /// Where the token is valid; the original's `endpoint_id`.
    pub fn endpoint(&self) -> &EndpointScope {
        &self.endpoint
    }

    /// Tells renewed keys of one session apart; only secure conversations have it.
    pub fn key_generation(&self) -> Option<&KeyGeneration> {
        self.key_generation.as_ref()
    }

    /// The session's key. Cookies carry it and never use it; secure conversations derive theirs from it.
    pub fn key(&self) -> &SymmetricKey {
        &self.key
    }

    /// First instant of the key. The handler does not check it.
    pub fn key_effective_time(&self) -> Timestamp {
        self.key_effective_time
    }

    /// Last instant of the key. The handler does not check it.
    pub fn key_expiration_time(&self) -> Timestamp {
        self.key_expiration_time
    }

    /// First instant of the session, or of its latest renewal.
    pub fn valid_from(&self) -> Timestamp {
        self.valid_from
    }

    /// Last instant of the session unless it is renewed: the one expiry that handler, cookie and cache go by.
    pub fn valid_to(&self) -> Timestamp {
        self.valid_to
    }

    /// The WS-SecureConversation version of the XML around the token.
    pub fn secure_conversation_version(&self) -> SecureConversationVersion {
        self.secure_conversation_version
    }

    /// Who it is about.
    pub fn principal(&self) -> &ClaimsPrincipal {
        &self.principal
    }

    /// Who it is about, taken out.
    pub fn into_principal(self) -> ClaimsPrincipal {
        self.principal
    }

    /// Whether the session outlives the browser.
    pub fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// Whether only a reference travels and the token stays in a cache.
    pub fn is_reference_mode(&self) -> bool {
        self.reference_mode
    }

    /// When the user signed in: the start of the first token of the session.
    pub fn signed_in_at(&self) -> Timestamp {
        self.signed_in_at
    }

    /// The instant past which the session is not renewed. [`Self::valid_to`] when it is never renewed.
    pub fn absolute_expiry(&self) -> Timestamp {
        self.absolute_expiry
    }

    /// How long the session lasts without a request; none when it does not slide.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// The session at the issuer, needed to sign out there.
    pub fn issuer_session(&self) -> Option<&IssuerSession> {
        self.issuer_session.as_ref()
    }

    /// Whose session it is, for "sign out everywhere"; none when no claim tells.
    pub fn subject(&self) -> Option<SubjectId> {
        SubjectId::of(&self.principal)
    }
}

impl fmt::Debug for SessionSecurityToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionSecurityToken")
            .field("context_id", &self.context_id)
            .field("endpoint", &self.endpoint)
            .field("valid_from", &self.valid_from)
            .field("valid_to", &self.valid_to)
            .field("identities", &self.principal.identities().len())
            .field("persistent", &self.persistent)
            .field("reference_mode", &self.reference_mode)
            .finish_non_exhaustive()
    }
}

/// The session of the same user at the issuer, kept so that a sign-out here can end it, and one there can end ours.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuerSession {
    /// The issuer's name, as in the claims.
    pub issuer: ArcStr,
    /// The issuer's own identifier of the session: `SessionIndex` in SAML 2.0.
    pub session_index: Option<ArcStr>,
    /// Where to send the browser to sign out at the issuer.
    pub sign_out_url: Option<ArcStr>,
}

impl IssuerSession {
    /// A digest of issuer and identifier, by which the session can be revoked; none without an identifier.
    pub fn digest(&self) -> Option<[u8; 32]> {
        Some(Self::digest_of(&self.issuer, self.session_index.as_deref()?))
    }

    /// The digest of the session that `issuer` calls `session_index`.
    pub fn digest_of(issuer: &str, session_index: &str) -> [u8; 32] {
        let mut input = b"handstamp issuer session v1".to_vec();
        input.extend_from_slice(&(issuer.len() as u64).to_be_bytes());
        input.extend_from_slice(issuer.as_bytes());
        input.extend_from_slice(session_index.as_bytes());
        sha256(&input)
    }
}

impl fmt::Debug for IssuerSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerSession").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A version of WS-SecureConversation: which namespace the XML around a token is in (ST §2.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SecureConversationVersion {
    /// February 2005.
    February2005,
    /// OASIS 1.3, the default.
    #[default]
    V1_3,
}

impl SecureConversationVersion {
    /// The namespace URI.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/sc",
            Self::V1_3 => "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512",
        }
    }

    /// The version of a namespace URI.
    pub fn from_namespace(namespace: &str) -> Option<Self> {
        [Self::February2005, Self::V1_3].into_iter().find(|version| version.namespace() == namespace)
    }

    /// The token type URI.
    pub fn token_type(self) -> &'static str {
        match self {
            Self::February2005 => "http://schemas.xmlsoap.org/ws/2005/02/sc/sct",
            Self::V1_3 => "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512/sct",
        }
    }
}

/// Rules 4, 5, 8 and 9 of ST §1.3.
pub(crate) fn check_times(
    valid_from: Timestamp,
    valid_to: Timestamp,
    key_effective: Timestamp,
    key_expiration: Timestamp,
    now: Timestamp,
) -> Result<(), ArgumentError> {
    if valid_from >= valid_to {
        return Err(ArgumentError::ValidFrom { valid_from, valid_to });
    }
    if valid_to < now {
        return Err(ArgumentError::ValidTo { valid_to, now });
    }
    if key_effective > key_expiration || key_effective < valid_from {
        return Err(ArgumentError::KeyEffectiveTime);
    }
    if key_expiration > valid_to {
        return Err(ArgumentError::KeyExpirationTime);
    }
    Ok(())
}
