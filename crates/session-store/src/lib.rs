//! Token caches, replay cache and revocations in memory, SQLite, Redis and PostgreSQL.
//!
//! Sessions in reference mode, revocations and replayed tokens need a place that outlives a request. Every store here
//! implements the traits of `handstamp-session-token`
//! ([`SessionTokenCache`](handstamp_session_token::SessionTokenCache), [`ReplayCache`](handstamp_session_token::ReplayCache),
//! [`RevocationStore`](handstamp_session_token::RevocationStore)) and [`SessionDirectory`], which together are a [`Store`],
//! and passes the one suite in [`conformance`]. A new store is done when it passes, too.
//!
//! | Store | Outlives the process | Shared by processes | For |
//! |---|---|---|---|
//! | [`MemoryStore`] | no | no | tests, and sessions that may end with the process |
//! | [`SqliteStore`] | yes, also `kill -9` | of one host, by one file | a gateway on one host |
//! | `PostgresStore` (feature `postgresql`) | yes | of any number of hosts | several gateways |
//! | `RedisStore` (feature `redis`) | as Redis persists | of any number of hosts | several gateways |
//!
//! Stores hold no plaintext: tokens are sealed with the key ring before they are written, and sessions, subjects and
//! replays are known by digests.

pub mod conformance;
mod directory;
mod follow;
mod memory;
#[cfg(feature = "postgresql")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod sealing;
mod sqlite;
mod store;

#[cfg(feature = "redis")]
pub use crate::redis::{RedisOptions, RedisStore};
pub use directory::{SessionDirectory, SessionFilter, StoredSession};
pub use follow::follow_revocations;
pub use memory::MemoryStore;
#[cfg(feature = "postgresql")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteOptions, SqliteStore};
pub use store::Store;
