//! A remote store with a short memory in front of it (SM §5).

use crate::cache::{CachedToken, MruCache, NewEntry, Revision, SessionTokenCache, WriteCondition};
use crate::{ContextId, EndpointScope, Error, SessionTokenCacheKey};
use async_trait::async_trait;
use handstamp_time::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A store behind a local cache whose entries are believed for a bounded time, 60 seconds by default (SM-47).
///
/// Writes and removals go to the store and take effect on this node at once. Another node sees them when its own copy
/// has aged, or when it is told to [`invalidate`](Self::invalidate). Absence is never remembered.
#[derive(Debug)]
pub struct TwoLevelCache<S> {
    local: MruCache,
    store: Arc<S>,
    staleness: Duration,
    invalidations: AtomicU64,
}

impl<S: SessionTokenCache> TwoLevelCache<S> {
    /// The longest that a local copy is believed, 60 seconds.
    pub const MAX_STALENESS: Duration = Duration::from_secs(60);

    /// Puts a local cache in front of `store`.
    pub fn new(store: Arc<S>) -> Self {
        Self::with_local(store, MruCache::new(), Self::MAX_STALENESS)
    }

    /// The same with a local cache of another size and a shorter staleness; longer than [`Self::MAX_STALENESS`] is cut.
    pub fn with_local(store: Arc<S>, local: MruCache, staleness: Duration) -> Self {
        let staleness = staleness.min(Self::MAX_STALENESS);
        Self { local, store, staleness, invalidations: AtomicU64::new(0) }
    }

    /// The store behind.
    pub fn store(&self) -> &Arc<S> {
        &self.store
    }

    /// Drops the local copy, because another node changed the session.
    pub fn invalidate(&self, key: &SessionTokenCacheKey) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        self.local.evict(key);
    }

    /// Drops all local copies.
    pub fn invalidate_all(&self) {
        self.invalidations.fetch_add(1, Ordering::SeqCst);
        self.local.clear();
    }

    fn remember(&self, key: &SessionTokenCacheKey, entry: CachedToken, now: Timestamp) {
        let until = entry.expires.min(now.saturating_add(self.staleness));
        self.local.put(key, entry, until, now);
    }

    /// A local copy may be wrong as soon as a write begins, and again once it is done: a reader in between may have
    /// brought the old state back.
    async fn around<T>(
        &self,
        invalidate: impl Fn(&Self) + Send + Sync,
        write: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        invalidate(self);
        let result = write.await;
        invalidate(self);
        result
    }
}

#[async_trait]
impl<S: SessionTokenCache> SessionTokenCache for TwoLevelCache<S> {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        self.around(|cache| cache.invalidate(key), self.store.write(key, entry, condition, now)).await
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        // The newest of several generations is known to the store only.
        if !key.ignores_key_generation()
            && let Some(entry) = self.local.find(key, now)
        {
            return Ok(Some(entry));
        }
        let before = self.invalidations.load(Ordering::SeqCst);
        let entry = self.store.get(key, now).await?;
        if let Some(entry) = &entry
            && !key.ignores_key_generation()
        {
            self.remember(key, entry.clone(), now);
            // Somebody invalidated while the store was asked or the copy was put away: it may be the old state.
            if self.invalidations.load(Ordering::SeqCst) != before {
                self.local.evict(key);
            }
        }
        Ok(entry)
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        self.store.get_all(endpoint, context_id, now).await
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        self.around(|cache| cache.invalidate(key), self.store.remove(key)).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        self.around(Self::invalidate_all, self.store.remove_endpoint(endpoint)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        self.local.purge(now).await?;
        self.store.purge(now).await
    }
}
