//! The state of WCF's security context token, as its cookie holds it (ST §2.9).
//!
//! A WCF service in stateful mode keeps no sessions: it puts the state of each into the `<Cookie>` of the security
//! context token, protected by a [`SecurityStateEncoder`]. A neighbor of the [WIF](crate::wif) payload: the same binary
//! XML with other words, no object envelope, elements in any order.

mod data_contract;
mod reader;
mod vocabulary;
mod writer;

pub use data_contract::{DataContractClaim, DataType};
pub use vocabulary::SCT_STATE_DICTIONARY;

use crate::UniqueId;
use crate::wif::transforms::CookieTransforms;
use crate::wif::{Error, OuterXml, SystemClaim};
use handstamp_claims::ArcStr;
use handstamp_keys::{SecureRandom, SymmetricKey};
use handstamp_time::Timestamp;

/// What the cookie of a security context token says.
#[derive(Debug, Clone, PartialEq)]
pub struct SctState {
    /// The token's `wsu:Id`.
    pub id: Option<ArcStr>,
    /// Identifies the secure conversation.
    pub context_id: UniqueId,
    /// The key that all keys of the conversation are derived from; never empty.
    pub key: SymmetricKey,
    /// Tells renewed keys apart.
    pub key_generation: Option<UniqueId>,
    /// First instant of the conversation.
    pub effective_time: Timestamp,
    /// Last instant of the conversation.
    pub expiry_time: Timestamp,
    /// First instant of the key.
    pub key_effective_time: Timestamp,
    /// Last instant of the key.
    pub key_expiry_time: Timestamp,
    /// Who the caller is, to the platform. Not written without claim sets.
    pub identities: Vec<PrimaryIdentity>,
    /// What is claimed of the caller.
    pub claim_sets: Vec<ClaimSet>,
    /// Whether the cookie may be used again. The original never writes it; without it, yes.
    pub is_cookie_mode: bool,
}

/// An identity of the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrimaryIdentity {
    /// A name, and how it was proven. An X.509 caller has the type `X509` and the name `subject; thumbprint`.
    Generic {
        /// The name.
        name: ArcStr,
        /// How it was proven; may be empty.
        authentication_type: ArcStr,
    },
    /// A Windows account.
    WindowsSid {
        /// The account, `DOMAIN\user`.
        name: ArcStr,
        /// How it was proven; may be empty.
        authentication_type: ArcStr,
        /// The binary SID.
        sid: Vec<u8>,
    },
}

/// Claims and who issued them.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimSet {
    /// Claims in full.
    Default {
        /// Who issued them; none when nobody else did.
        issuer: Option<Box<ClaimSet>>,
        /// The claims.
        claims: Vec<SctClaim>,
    },
    /// The claims of a certificate, DER.
    X509Certificate(Vec<u8>),
    /// The system itself.
    System,
    /// Windows.
    Windows,
    /// Anybody.
    Anonymous,
}

/// One claim.
#[derive(Debug, Clone, PartialEq)]
pub enum SctClaim {
    /// A claim whose type has a short form.
    Short(SystemClaim),
    /// Any other.
    DataContract(DataContractClaim),
}

/// Protects the state on its way through the client: WCF's extension point of the same name.
///
/// The original's default uses the Windows account's keys; a farm replaces it, and so do we.
pub trait SecurityStateEncoder: Send + Sync + std::fmt::Debug {
    /// Protects a state.
    ///
    /// # Errors
    /// When a key or randomness is missing.
    fn encode(&self, state: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, Error>;

    /// Undoes it.
    ///
    /// # Errors
    /// When the state was not protected with one of the accepted keys.
    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, Error>;
}

/// Any authenticating chain of cookie transforms is a state encoder.
impl SecurityStateEncoder for CookieTransforms {
    fn encode(&self, state: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, Error> {
        Ok(Self::encode(self, state, random)?)
    }

    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, Error> {
        Ok(Self::decode(self, state)?)
    }
}

impl SctState {
    /// What the original assumes where a first instant is missing: one day after the beginning of the calendar.
    pub const DEFAULT_EFFECTIVE_TICKS: i64 = 864_000_000_000;
    /// What the original assumes where a last instant is missing: one day before the end of the calendar.
    pub const DEFAULT_EXPIRY_TICKS: i64 = 3_155_378_111_999_999_999;

    /// Opens the cookie of a token and checks that it belongs to the token.
    ///
    /// # Errors
    /// When the cookie does not open, or says another context id, generation or id than the token. Answer all of them
    /// alike.
    pub fn open(token: &OuterXml, encoder: &dyn SecurityStateEncoder) -> Result<Self, Error> {
        let cookie = token.cookie.clone().ok_or(Error::Reference)?;
        let state = Self::read(&encoder.decode(cookie)?)?;
        state.check(&token.context_id, token.key_generation.as_ref(), token.id.as_deref())?;
        Ok(state)
    }

    /// Checks that the state belongs to a token with these ids.
    ///
    /// # Errors
    /// When one differs; a missing one differs from one that is there.
    pub fn check(
        &self,
        context_id: &UniqueId,
        key_generation: Option<&UniqueId>,
        id: Option<&str>,
    ) -> Result<(), Error> {
        if self.context_id != *context_id {
            Err(Error::ContextIdMismatch)
        } else if self.key_generation.as_ref() != key_generation {
            Err(Error::KeyGenerationMismatch)
        } else if self.id.as_deref() != id {
            Err(Error::IdMismatch)
        } else {
            Ok(())
        }
    }

    /// The times must lie in order, the key's within the token's.
    fn check_times(&self) -> Result<(), Error> {
        if self.effective_time > self.expiry_time {
            Err(Error::Times("the token starts after it ends"))
        } else if self.key_effective_time > self.key_expiry_time {
            Err(Error::Times("the key starts after it ends"))
        } else if self.key_effective_time < self.effective_time || self.key_expiry_time > self.expiry_time {
            Err(Error::Times("the key is valid outside of the token"))
        } else {
            Ok(())
        }
    }
}
