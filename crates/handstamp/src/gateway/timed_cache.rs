//! A token cache, and how long it takes.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, NewEntry, Revision, SessionTokenCache, SessionTokenCacheKey,
};
use handstamp_time::Timestamp;

use crate::admin::{Histogram, Metrics};

/// Passes everything on and measures it.
pub(super) struct TimedCache<S> {
    store: Arc<S>,
    reads: Arc<Histogram>,
    writes: Arc<Histogram>,
    removals: Arc<Histogram>,
    purges: Arc<Histogram>,
}

impl<S> TimedCache<S> {
    pub(super) fn new(store: Arc<S>, metrics: &Metrics) -> Self {
        Self {
            store,
            reads: metrics.store("read"),
            writes: metrics.store("write"),
            removals: metrics.store("remove"),
            purges: metrics.store("purge"),
        }
    }
}

async fn timed<T>(histogram: &Histogram, operation: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let result = operation.await;
    histogram.observe(began.elapsed().as_secs_f64());
    result
}

#[async_trait]
impl<S: SessionTokenCache> SessionTokenCache for TimedCache<S> {
    async fn add(&self, key: &SessionTokenCacheKey, entry: NewEntry, now: Timestamp) -> Result<Revision, Error> {
        timed(&self.writes, self.store.add(key, entry, now)).await
    }

    async fn update(&self, key: &SessionTokenCacheKey, entry: NewEntry, now: Timestamp) -> Result<Revision, Error> {
        timed(&self.writes, self.store.update(key, entry, now)).await
    }

    async fn add_or_update(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        now: Timestamp,
    ) -> Result<Revision, Error> {
        timed(&self.writes, self.store.add_or_update(key, entry, now)).await
    }

    async fn compare_and_set(
        &self,
        key: &SessionTokenCacheKey,
        expected: Revision,
        entry: NewEntry,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        timed(&self.writes, self.store.compare_and_set(key, expected, entry, now)).await
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        timed(&self.reads, self.store.get(key, now)).await
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        timed(&self.reads, self.store.get_all(endpoint, context_id, now)).await
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        timed(&self.removals, self.store.remove(key)).await
    }

    async fn remove_session(&self, endpoint: &EndpointScope, context_id: &ContextId) -> Result<(), Error> {
        timed(&self.removals, self.store.remove_session(endpoint, context_id)).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        timed(&self.removals, self.store.remove_endpoint(endpoint)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        timed(&self.purges, self.store.purge(now)).await
    }
}
