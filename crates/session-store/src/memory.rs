//! A store that ends with the process.

use crate::{SessionDirectory, SessionFilter, StoredSession};
use async_trait::async_trait;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, MruCache, NewEntry, ReplayCache, Revision, Revocation,
    RevocationCursor, RevocationStore, SessionTokenCache, SessionTokenCacheKey, StoreError, WriteCondition,
};
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sessions, replays and revocations in memory.
///
/// It holds at most 20,000 tokens, the most recently used ones, and 500,000 replays; a full replay cache refuses, because
/// what cannot be remembered must not be accepted.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tokens: MruCache,
    replays: Mutex<HashMap<[u8; 32], Timestamp>>,
    revocations: Mutex<RevocationLog>,
}

#[derive(Debug, Default)]
struct RevocationLog {
    entries: Vec<(u64, Revocation)>,
    last: u64,
}

impl MemoryStore {
    /// How many replays are remembered (ST §5.3).
    pub const MAX_REPLAYS: usize = 500_000;

    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that keeps tokens in `tokens`.
    pub fn with_tokens(tokens: MruCache) -> Self {
        Self { tokens, ..Self::default() }
    }

    fn replays(&self) -> MutexGuard<'_, HashMap<[u8; 32], Timestamp>> {
        self.replays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn revocations(&self) -> MutexGuard<'_, RevocationLog> {
        self.revocations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SessionTokenCache for MemoryStore {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        self.tokens.write(key, entry, condition, now).await
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        self.tokens.get(key, now).await
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        self.tokens.get_all(endpoint, context_id, now).await
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        self.tokens.remove(key).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        self.tokens.remove_endpoint(endpoint).await
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        self.tokens.purge(now).await
    }
}

#[async_trait]
impl ReplayCache for MemoryStore {
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let mut replays = self.replays();
        if replays.get(&key).is_some_and(|until| *until >= now) {
            return Ok(false);
        }
        if replays.len() >= Self::MAX_REPLAYS {
            replays.retain(|_, until| *until >= now);
        }
        if replays.len() >= Self::MAX_REPLAYS {
            return Err(
                StoreError { action: "remember a token against replay", source: "the cache is full".into() }.into()
            );
        }
        replays.insert(key, expires);
        Ok(true)
    }

    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error> {
        let mut replays = self.replays();
        let before = replays.len();
        replays.retain(|_, until| *until >= now);
        Ok(before - replays.len())
    }
}

#[async_trait]
impl RevocationStore for MemoryStore {
    async fn publish(&self, revocation: &Revocation, _now: Timestamp) -> Result<(), Error> {
        let mut log = self.revocations();
        log.last += 1;
        let position = log.last;
        log.entries.push((position, *revocation));
        Ok(())
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        let log = self.revocations();
        let new = log.entries.iter().filter(|(position, entry)| *position > cursor.0 && entry.expires >= now);
        Ok((new.map(|(_, entry)| *entry).collect(), RevocationCursor(log.last.max(cursor.0))))
    }

    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error> {
        let mut log = self.revocations();
        let before = log.entries.len();
        log.entries.retain(|(_, entry)| entry.expires >= now);
        Ok(before - log.entries.len())
    }
}

#[async_trait]
impl SessionDirectory for MemoryStore {
    async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, Error> {
        let mut entries = self.tokens.entries(now, |entry| chooses(filter, entry));
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.token.signed_in_at()));
        entries.truncate(limit);
        Ok(entries.into_iter().map(|entry| StoredSession::of(entry.token, entry.expires)).collect())
    }

    async fn end_sessions(&self, filter: &SessionFilter, _now: Timestamp) -> Result<usize, Error> {
        Ok(self.tokens.evict_where(|entry| chooses(filter, entry)))
    }
}

fn chooses(filter: &SessionFilter, entry: &CachedToken) -> bool {
    match filter {
        SessionFilter::All => true,
        SessionFilter::Subject(subject) => entry.token.subject() == Some(*subject),
        SessionFilter::Context(context_id) => entry.token.context_id() == context_id,
        SessionFilter::Endpoint(endpoint) => entry.token.endpoint() == endpoint,
    }
}
