//! What can go wrong with a session token, and who is at fault.

use handstamp_time::Timestamp;
use std::fmt;

/// Everything that can go wrong with session tokens.
///
/// [`Error::kind`] collapses it to the few cases that a program acts on (ST-27), [`Error::code`] is for people.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer sent something that is no session token: cut off, oversized, or another program's cookie.
    #[error("not a session token: {0}")]
    Malformed(Malformed),
    /// The token does not verify: changed, made with a key that this ring does not hold, or made for another cookie,
    /// audience or format version. All cryptographic failures look like this one.
    #[error(
        "the session token is not authentic, or was made with a key or for a purpose that this node does not accept"
    )]
    Unauthentic,
    /// A reference whose token is not in the cache: signed out, expired, or the cache was lost.
    #[error("the session token is not in the cache: the session was ended, or the cache was emptied")]
    NotFoundInCache,
    /// The session is over.
    #[error("the session ended at {valid_to}; it is now {now}")]
    Expired {
        /// Last instant of the session.
        valid_to: Timestamp,
        /// The clock of this node.
        now: Timestamp,
    },
    /// The session starts in the future: the clocks of two nodes differ by more than the clock skew allowed.
    #[error("the session starts at {valid_from}; it is now {now}: compare the clocks of the nodes")]
    NotYetValid {
        /// First instant of the session.
        valid_from: Timestamp,
        /// The clock of this node.
        now: Timestamp,
    },
    /// The token was made for another application, or for none where a scope is required (ST-33).
    #[error(
        "the session token is scoped to {token}, not to {expected}; give applications that share sessions one audience"
    )]
    WrongEndpoint {
        /// The scope of the token, quoted and shortened.
        token: Quoted,
        /// What this node accepts, quoted and shortened.
        expected: Quoted,
    },
    /// The session was revoked by sign-out or by an administrator.
    #[error("the session was revoked")]
    Revoked,
    /// The token names nobody: a principal without identities (ST-14).
    #[error("the session token names no identity")]
    NoIdentity,

    /// A token could not be constructed from these arguments (ST-1).
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// The token cannot be written in this format.
    #[error("the session token cannot be written: {0}")]
    NotWritable(&'static str),
    /// [`add`](crate::SessionTokenCache::add) found a token under the key.
    #[error("the cache holds a token under this key already; a new session needs a new context id")]
    AlreadyCached,
    /// [`update`](crate::SessionTokenCache::update) found no token under the key.
    #[error("the cache holds no token under this key to update")]
    NotCached,
    /// A bounded list of revocations is full; nothing was forgotten, and the new revocation was **not** recorded.
    #[error(
        "the revocation list is full ({capacity} entries); raise its capacity, or shorten the lifetime of sessions"
    )]
    RevocationListFull {
        /// How many entries it takes.
        capacity: usize,
    },

    /// The configuration is inconsistent.
    #[error("{0}")]
    Misconfigured(Misconfigured),

    /// A key could not be used for a reason that lies on this side: no current key, no randomness.
    #[error(transparent)]
    Keys(handstamp_keys::Error),
    /// The store of tokens, revocations or replays failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// What to do about it (ST-27).
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed(_) | Self::NoIdentity => ErrorKind::Malformed,
            Self::Unauthentic => ErrorKind::Unauthentic,
            Self::NotFoundInCache => ErrorKind::NotFoundInCache,
            Self::Expired { .. } => ErrorKind::Expired,
            Self::NotYetValid { .. } => ErrorKind::NotYetValid,
            Self::WrongEndpoint { .. } => ErrorKind::WrongEndpoint,
            Self::Revoked => ErrorKind::Revoked,
            Self::Argument(_) | Self::NotWritable(_) | Self::AlreadyCached | Self::NotCached => ErrorKind::Misuse,
            Self::Misconfigured(_) | Self::Keys(_) => ErrorKind::Misconfigured,
            Self::RevocationListFull { .. } | Self::Store(_) => ErrorKind::StoreUnavailable,
        }
    }

    /// A stable code for logs and scripts: the original's number where it has one (ST §8).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.code(),
            Self::Unauthentic => "HST-TOKEN-UNAUTHENTIC",
            Self::NotFoundInCache => "ID4243",
            Self::Expired { .. } | Self::NotYetValid { .. } => "ID4255",
            Self::WrongEndpoint { .. } => "ID4291",
            Self::Revoked => "HST-TOKEN-REVOKED",
            Self::NoIdentity => "HST-TOKEN-NO-IDENTITY",
            Self::Argument(argument) => argument.code(),
            Self::NotWritable(_) => "HST-TOKEN-NOT-WRITABLE",
            Self::AlreadyCached => "HST-CACHE-EXISTS",
            Self::NotCached => "HST-CACHE-ABSENT",
            Self::RevocationListFull { .. } => "HST-REVOCATION-FULL",
            Self::Misconfigured(misconfigured) => misconfigured.code(),
            Self::Keys(keys) => keys.code(),
            Self::Store(_) => "HST-STORE-FAILED",
        }
    }
}

impl From<handstamp_keys::Error> for Error {
    /// What the peer caused becomes [`Error::Unauthentic`] without detail; the rest lies on this side.
    fn from(error: handstamp_keys::Error) -> Self {
        use handstamp_keys::Error as Keys;
        match error {
            Keys::Unauthentic | Keys::UnknownKey(_) | Keys::KeyWithdrawn { .. } => Self::Unauthentic,
            other => Self::Keys(other),
        }
    }
}

/// The cases that a program tells apart (ST-27). Only [`ErrorKind::Misconfigured`] and [`ErrorKind::Misuse`] may become
/// a 5xx response; everything else means "no session".
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No session token at all.
    Malformed,
    /// A session token that does not verify here.
    Unauthentic,
    /// A reference to a session that no longer exists.
    NotFoundInCache,
    /// The session is over.
    Expired,
    /// The session has not begun.
    NotYetValid,
    /// The session belongs to another application.
    WrongEndpoint,
    /// The session was revoked.
    Revoked,
    /// The store does not answer. Fail closed: treat the request as anonymous.
    StoreUnavailable,
    /// The operator has to act.
    Misconfigured,
    /// The program has to be changed.
    Misuse,
}

/// Why bytes are no session token.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// Nothing at all.
    Empty,
    /// More bytes than the limit allows (ST-9).
    TooLarge,
    /// The text is no base64 of the kind that its format uses.
    NotBase64,
    /// The tag belongs to no format that this handler accepts (ST-42).
    UnknownFormat,
    /// A known format, damaged; the text says where.
    Structure(&'static str),
    /// A known format of a version that this program does not read.
    Version,
    /// An element that must be there is missing.
    MissingElement(&'static str),
    /// Text of the wrong form where a unique id was expected; empty, above all.
    UniqueId,
    /// A limit on depth, claims or properties was passed (ST-12).
    Limit(&'static str),
    /// The id inside the protected payload differs from the one around it.
    IdMismatch,
    /// The context id inside the protected payload differs from the one around it.
    ContextIdMismatch,
}

impl Malformed {
    /// A stable code: the original's number where it has one.
    pub fn code(self) -> &'static str {
        match self {
            Self::Empty => "HST-TOKEN-EMPTY",
            Self::TooLarge => "HST-TOKEN-TOO-LARGE",
            Self::NotBase64 => "HST-TOKEN-BASE64",
            Self::UnknownFormat => "HST-TOKEN-FORMAT",
            Self::Structure(_) => "HST-TOKEN-STRUCTURE",
            Self::Version => "ID4232",
            Self::MissingElement(_) => "ID4230",
            Self::UniqueId => "ID4242",
            Self::Limit(_) => "HST-TOKEN-LIMIT",
            Self::IdMismatch => "ID4227",
            Self::ContextIdMismatch => "ID4229",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLarge => f.write_str("it is larger than the limit"),
            Self::NotBase64 => f.write_str("it is not base64; a part of the cookie may be missing"),
            Self::UnknownFormat => f.write_str("it is in no format that is accepted here"),
            Self::Structure(what) => write!(f, "it is damaged: {what}"),
            Self::Version => f.write_str("its version is not supported"),
            Self::MissingElement(what) => write!(f, "{what} is missing"),
            Self::UniqueId => f.write_str("a unique id is empty"),
            Self::Limit(what) => write!(f, "too many or too deep: {what}"),
            Self::IdMismatch => f.write_str("the ids outside and inside the protected part differ"),
            Self::ContextIdMismatch => f.write_str("the context ids outside and inside the protected part differ"),
        }
    }
}

impl From<Malformed> for Error {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Which argument of a new token is wrong (ST §1.3). Rules 1, 2 and 6 hold by type: a principal, a context id and an
/// endpoint scope cannot be missing.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// Rule 4.
    #[error("validFrom: the session starts at {valid_from}, not before it ends at {valid_to}")]
    ValidFrom {
        /// The first instant given.
        valid_from: Timestamp,
        /// The last instant given.
        valid_to: Timestamp,
    },
    /// Rule 5.
    #[error("validTo: the session is over already: it ends at {valid_to} and it is {now}")]
    ValidTo {
        /// The last instant given.
        valid_to: Timestamp,
        /// The current time.
        now: Timestamp,
    },
    /// Rule 8.
    #[error("keyEffectiveTime: the key must become valid within the session and before it expires")]
    KeyEffectiveTime,
    /// Rule 9.
    #[error("keyExpirationTime: the key must not outlive the session")]
    KeyExpirationTime,
    /// A lifetime of zero.
    #[error("lifetime: it must be longer than zero")]
    Lifetime,
    /// A key without bytes.
    #[error("key: it must not be empty")]
    EmptyKey,
    /// An absolute expiry before the current end of the session.
    #[error("absoluteExpiry: the session ends after it")]
    AbsoluteExpiry,
    /// An idle timeout of zero.
    #[error("idleTimeout: it must be longer than zero")]
    IdleTimeout,
    /// An id that is no XML name.
    #[error("id: it must start with a letter or an underscore and hold no space or colon")]
    Id,
    /// Empty text where a unique id is needed.
    #[error("uniqueId: it must not be empty")]
    UniqueId,
}

impl ArgumentError {
    /// The name of the offending argument, as the original spells it where it has one.
    pub fn argument(self) -> &'static str {
        match self {
            Self::ValidFrom { .. } => "validFrom",
            Self::ValidTo { .. } => "validTo",
            Self::KeyEffectiveTime => "keyEffectiveTime",
            Self::KeyExpirationTime => "keyExpirationTime",
            Self::Lifetime => "lifetime",
            Self::EmptyKey => "key",
            Self::AbsoluteExpiry => "absoluteExpiry",
            Self::IdleTimeout => "idleTimeout",
            Self::Id => "id",
            Self::UniqueId => "uniqueId",
        }
    }

    /// A stable code: the original's number where it has one.
    pub fn code(self) -> &'static str {
        match self {
            Self::ValidFrom { .. } => "HST-TOKEN-VALID-FROM",
            Self::ValidTo { .. } => "HST-TOKEN-VALID-TO",
            Self::KeyEffectiveTime => "HST-TOKEN-KEY-EFFECTIVE",
            Self::KeyExpirationTime => "HST-TOKEN-KEY-EXPIRATION",
            Self::Lifetime => "ID2082",
            Self::EmptyKey => "HST-TOKEN-KEY-EMPTY",
            Self::AbsoluteExpiry => "HST-TOKEN-ABSOLUTE-EXPIRY",
            Self::IdleTimeout => "HST-TOKEN-IDLE-TIMEOUT",
            Self::Id => "HST-TOKEN-ID",
            Self::UniqueId => "ID4242",
        }
    }
}

/// Which setting is wrong.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// A maximum cache size that is too small to work with.
    #[error("the cache must hold at least 5 tokens")]
    CacheSize,
    /// A scope is required and there is none to write or accept.
    #[error("an endpoint scope is required, so name the audience that tokens are made for")]
    AudienceMissing,
    /// A reference-mode token arrived, and there is no cache to look it up in.
    #[error(
        "a reference to a cached session arrived, and no cache is configured; configure the store that the issuing node uses"
    )]
    NoCache,
}

impl Misconfigured {
    /// A stable code: the original's number where it has one.
    pub fn code(self) -> &'static str {
        match self {
            Self::CacheSize => "ID0008",
            Self::AudienceMissing => "HST-TOKEN-AUDIENCE",
            Self::NoCache => "HST-TOKEN-NO-CACHE",
        }
    }
}

impl From<Misconfigured> for Error {
    fn from(misconfigured: Misconfigured) -> Self {
        Self::Misconfigured(misconfigured)
    }
}

/// A store failed or did not answer in time.
#[derive(Debug, thiserror::Error)]
#[error("the session store failed to {action}: {source}")]
pub struct StoreError {
    /// What was tried, as in "failed to *read a token*".
    pub action: &'static str,
    /// What the store said.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Text from outside, shown between quotation marks, shortened and without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Quoted(String);

impl Quoted {
    /// Quotes at most 80 characters of `text`.
    pub fn new(text: &str) -> Self {
        let mut short: String = text.chars().take(80).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        Self(short)
    }
}

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
