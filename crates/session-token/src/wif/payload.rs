use crate::wif::system_claim::SystemClaim;
use crate::{SecureConversationVersion, UniqueId};
use handstamp_claims::{ArcStr, Claim};
use handstamp_keys::SymmetricKey;
use handstamp_time::Timestamp;

/// What the payload of a session token says, all of it (ST §2.4).
///
/// [`SessionSecurityToken`](crate::SessionSecurityToken) is what a program works with; this is what travels. The
/// difference: tokens that wrap a security context token, its authorization policy, and bootstrap contexts in the exact
/// kind in which they were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// Whether the token stands for a WCF security context token. Such a payload carries neither persistence, nor
    /// reference mode, nor context.
    pub is_sct_wrapper: bool,
    /// The version of the XML around the cookie.
    pub secure_conversation_version: SecureConversationVersion,
    /// Whether the session outlives the browser.
    pub is_persistent: bool,
    /// Whether only a reference travels.
    pub is_reference_mode: bool,
    /// Text of the application; empty text is not written and reads back as none.
    pub context: Option<ArcStr>,
    /// The token's `wsu:Id`, never empty.
    pub id: ArcStr,
    /// Identifies the session.
    pub context_id: UniqueId,
    /// The session's key.
    pub key: SymmetricKey,
    /// Tells renewed keys of one session apart.
    pub key_generation: Option<UniqueId>,
    /// First instant of the session.
    pub valid_from: Timestamp,
    /// Last instant of the session.
    pub valid_to: Timestamp,
    /// First instant of the key.
    pub key_effective_time: Timestamp,
    /// Last instant of the key.
    pub key_expiration_time: Timestamp,
    /// The identities of the principal. None at all means nobody (ST-14).
    pub identities: Vec<Identity>,
    /// The claim of a wrapped security context that identifies its caller.
    pub sct_authorization_policy: Option<SystemClaim>,
    /// The scope; empty means everywhere, none reads like empty.
    pub endpoint_id: Option<ArcStr>,
}

/// One identity as it travels.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The account of a Windows identity, `DOMAIN\user`.
    pub windows_logon_name: Option<ArcStr>,
    /// How the subject was authenticated; never empty.
    pub authentication_type: Option<ArcStr>,
    /// Free text; never empty.
    pub label: Option<ArcStr>,
    /// The type of the claim that holds the name; none means the default.
    pub name_claim_type: ArcStr,
    /// The type of the claims that hold roles; none means the default.
    pub role_claim_type: ArcStr,
    /// The claims. Those that Windows itself supplies for a Windows identity are not written.
    pub claims: Vec<Claim>,
    /// Who acts for this identity.
    pub actor: Option<Box<Identity>>,
    /// The token that the identity was made from.
    pub bootstrap_context: Option<Bootstrap>,
}

/// A bootstrap context in the kind in which it travels (ST §2.6).
#[derive(Clone, PartialEq, Eq)]
pub enum Bootstrap {
    /// Kind `S`: the token's text.
    Text(ArcStr),
    /// Kind `B`: the token's bytes.
    Bytes(Vec<u8>),
    /// Kind `T`: the XML of a token that the original's token handler wrote. Reads back as text there.
    SecurityToken(ArcStr),
    /// A plain string object, which the original writes and then cannot read.
    StringObject(ArcStr),
}

impl std::fmt::Debug for Bootstrap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, length) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Bytes(bytes) => ("Bytes", bytes.len()),
            Self::SecurityToken(text) => ("SecurityToken", text.len()),
            Self::StringObject(text) => ("StringObject", text.len()),
        };
        write!(f, "{kind}({length} bytes, redacted)")
    }
}
