//! The session security token of WIF and WCF: data model, handler, formats, caches.
//!
//! A [`SessionSecurityToken`] says who somebody is, for how long and where. A [`SessionSecurityTokenHandler`] protects it
//! so that it can travel in a cookie or a SOAP header, and decides later whether what comes back is good. A token travels
//! whole, or it stays in a [`SessionTokenCache`] and a sealed reference travels.
//!
//! This crate has no clock and no randomness of its own, and does no I/O: the time and a
//! [`SecureRandom`](handstamp_keys::SecureRandom) come in as arguments.
//!
//! # What the original gets wrong, and this crate does not
//!
//! * The original believes a cached token when a cookie merely names it. Here everything is verified first; a reference is
//!   itself sealed (ST-31).
//! * The original's sign-out deletes the cookie and leaves copies of it valid. A [`RevocationList`] ends them (SM-13).
//! * The original tries to deserialize objects. Here formats are told apart by their tags, and every decoder is strict and
//!   bounded (ST-12, ST-42).

mod builder;
pub mod cache;
mod endpoint;
mod error;
mod format;
mod handler;
pub mod json;
pub mod native;
mod replay;
mod revocation;
pub mod sct_state;
mod subject;
mod token;
mod unique_id;
pub mod wif;

pub use builder::SessionSecurityTokenBuilder;
pub use cache::{
    CachedToken, MruCache, NewEntry, Revision, SessionTokenCache, SessionTokenCacheKey, TwoLevelCache, WriteCondition,
};
pub use endpoint::EndpointScope;
pub use error::{ArgumentError, Error, ErrorKind, Malformed, Misconfigured, Quoted, StoreError};
pub use format::{Carrier, Expected, Opened, TextEncoding, TokenFormat};
pub use handler::{SessionSecurityTokenHandler, SessionSecurityTokenHandlerBuilder};
pub use replay::ReplayCache;
pub use revocation::{
    ReplicatedRevocations, Revocation, RevocationCursor, RevocationList, RevocationStore, RevocationTarget,
};
pub use subject::SubjectId;
pub use token::{IssuerSession, SecureConversationVersion, SessionSecurityToken};
pub use unique_id::{ContextId, KeyGeneration, UniqueId};
