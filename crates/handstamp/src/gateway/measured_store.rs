//! The store, how long it takes, and how often it fails.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use handstamp_session_store::Store;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, NewEntry, ReplayCache, Revision, Revocation, RevocationCursor,
    RevocationStore, SessionTokenCache, SessionTokenCacheKey, WriteCondition,
};
use handstamp_time::Timestamp;

use crate::admin::{Metrics, StoreMetrics};

/// Passes everything on and measures it.
pub(super) struct MeasuredStore {
    store: Arc<dyn Store>,
    reads: Arc<StoreMetrics>,
    writes: Arc<StoreMetrics>,
    removals: Arc<StoreMetrics>,
    purges: Arc<StoreMetrics>,
    replays: Arc<StoreMetrics>,
    revocations: Arc<StoreMetrics>,
}

impl MeasuredStore {
    pub(super) fn new(store: Arc<dyn Store>, metrics: &Metrics) -> Self {
        Self {
            store,
            reads: metrics.store("read"),
            writes: metrics.store("write"),
            removals: metrics.store("remove"),
            purges: metrics.store("purge"),
            replays: metrics.store("replay"),
            revocations: metrics.store("revocation"),
        }
    }
}

async fn timed<T>(metrics: &StoreMetrics, operation: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let began = Instant::now();
    let result = operation.await;
    metrics.seconds.observe(began.elapsed().as_secs_f64());
    if matches!(result, Err(Error::Store(_))) {
        metrics.failures.add();
    }
    result
}

#[async_trait]
impl SessionTokenCache for MeasuredStore {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        timed(&self.writes, self.store.write(key, entry, condition, now)).await
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

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        timed(&self.removals, self.store.remove_endpoint(endpoint)).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        timed(&self.purges, self.store.purge(now)).await
    }
}

#[async_trait]
impl ReplayCache for MeasuredStore {
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        timed(&self.replays, self.store.add_if_absent(key, expires, now)).await
    }

    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error> {
        timed(&self.purges, self.store.purge_replays(now)).await
    }
}

#[async_trait]
impl RevocationStore for MeasuredStore {
    async fn publish(&self, revocation: &Revocation, now: Timestamp) -> Result<(), Error> {
        timed(&self.revocations, self.store.publish(revocation, now)).await
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        timed(&self.revocations, self.store.changes_since(cursor, now)).await
    }

    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error> {
        timed(&self.purges, self.store.purge_revocations(now)).await
    }
}
