//! Where tokens in reference mode stay, and where the store is remembered for a moment (ST §5).

mod key;
mod mru;
mod two_level;

pub use key::SessionTokenCacheKey;
pub use mru::MruCache;
pub use two_level::TwoLevelCache;

use crate::{ContextId, EndpointScope, Error, SessionSecurityToken};
use async_trait::async_trait;
use handstamp_time::Timestamp;
use std::sync::Arc;

/// A place for session tokens (ST §5.2).
///
/// Every entry has one expiry, past which it reads as absent. Replacing is atomic: nobody sees a gap (ST-36). Creating and
/// updating are different operations, so that two sessions can never be given one key unnoticed, and an update cannot
/// bring back what a sign-out removed. A store that goes over a network bounds each call by its own timeout (ST-35).
#[async_trait]
pub trait SessionTokenCache: Send + Sync {
    /// Writes an entry where `condition` holds of what has not expired under its key. None: it does not, and nothing
    /// changed.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error>;

    /// Creates an entry.
    ///
    /// # Errors
    /// [`Error::AlreadyCached`] when the key is taken by an entry that has not expired; [`Error::Store`].
    async fn add(&self, key: &SessionTokenCacheKey, entry: NewEntry, now: Timestamp) -> Result<Revision, Error> {
        self.write(key, entry, WriteCondition::Absent, now).await?.ok_or(Error::AlreadyCached)
    }

    /// Replaces an entry that exists.
    ///
    /// # Errors
    /// [`Error::NotCached`] when there is none that has not expired; [`Error::Store`].
    async fn update(&self, key: &SessionTokenCacheKey, entry: NewEntry, now: Timestamp) -> Result<Revision, Error> {
        self.write(key, entry, WriteCondition::Present, now).await?.ok_or(Error::NotCached)
    }

    /// Creates or replaces an entry.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn add_or_update(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        now: Timestamp,
    ) -> Result<Revision, Error> {
        self.write(key, entry, WriteCondition::Anything, now).await?.ok_or(Error::NotCached)
    }

    /// Replaces an entry if it still is what the caller read; none when it changed or went away meanwhile.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn compare_and_set(
        &self,
        key: &SessionTokenCacheKey,
        expected: Revision,
        entry: NewEntry,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        self.write(key, entry, WriteCondition::Revision(expected), now).await
    }

    /// The entry of a key. A key that [ignores the generation](SessionTokenCacheKey::ignoring_generation) finds the entry
    /// that was written last.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error>;

    /// All generations of one session.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error>;

    /// Removes an entry, or all generations when the key ignores them. Absence is no error.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error>;

    /// Removes all generations of one session, scoped or not.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn remove_session(&self, endpoint: &EndpointScope, context_id: &ContextId) -> Result<(), Error> {
        let all = SessionTokenCacheKey::new(endpoint.clone(), context_id.clone(), None).ignoring_generation();
        self.remove(&all).await
    }

    /// Removes all sessions of one endpoint, or all unscoped ones.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error>;

    /// Forgets what has expired and tells how much that was.
    ///
    /// # Errors
    /// [`Error::Store`].
    async fn purge(&self, now: Timestamp) -> Result<usize, Error>;
}

/// What has to be under the key for a write to happen. Entries that have expired count as absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteCondition {
    /// Nothing.
    Absent,
    /// An entry.
    Present,
    /// An entry or nothing.
    Anything,
    /// The entry that this write made.
    Revision(Revision),
}

impl WriteCondition {
    /// Whether it holds where this entry is, or none.
    pub fn holds(self, existing: Option<Revision>) -> bool {
        match self {
            Self::Absent => existing.is_none(),
            Self::Present => existing.is_some(),
            Self::Anything => true,
            Self::Revision(expected) => existing == Some(expected),
        }
    }
}

/// What to put into a cache.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// The token.
    pub token: Arc<SessionSecurityToken>,
    /// The last instant at which the entry is found.
    pub expires: Timestamp,
}

impl NewEntry {
    /// An entry that lives as long as the token: until its `valid_to`.
    pub fn new(token: Arc<SessionSecurityToken>) -> Self {
        Self { expires: token.valid_to(), token }
    }
}

/// What a cache holds.
#[derive(Debug, Clone)]
pub struct CachedToken {
    /// The token.
    pub token: Arc<SessionSecurityToken>,
    /// The last instant at which the entry is found.
    pub expires: Timestamp,
    /// Which write made it.
    pub revision: Revision,
}

/// Names one write of an entry; another write of the same key never has the same revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(pub u64);
