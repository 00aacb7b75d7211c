//! Refusing what was seen before.

use crate::Error;
use async_trait::async_trait;
use handstamp_time::Timestamp;

/// Remembers what was seen, until it expires (SM-38).
///
/// A key is a digest of whatever must not come twice: for an issuer's token, of its id and issuer (SM §3.7).
#[async_trait]
pub trait ReplayCache: Send + Sync {
    /// Remembers `key` until `expires`, atomically: of any number of callers with one key, on any number of nodes, exactly
    /// one is told `true`. A key that has expired by `now` counts as never seen.
    ///
    /// # Errors
    /// [`Error::Store`] when the store fails, which includes being full: what cannot be remembered must not be accepted.
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error>;

    /// Forgets what has expired and tells how much that was.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error>;
}
