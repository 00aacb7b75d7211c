//! The in-memory cache (ST §5.3), without the original's single lock and with an eye on expiry.

use crate::cache::{CachedToken, NewEntry, Revision, SessionTokenCache, WriteCondition};
use crate::{ContextId, EndpointScope, Error, KeyGeneration, Misconfigured, SessionTokenCacheKey};
use async_trait::async_trait;
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

/// Tokens in memory, the most recently used ones.
///
/// It holds at most 20,000 tokens by default. An insert that finds it full evicts the least recently used tokens down to
/// four fifths, 16,000. Expired tokens are never returned, and are dropped once a minute of use. Reading takes the read
/// lock of one shard among 32, so readers do not wait for each other.
pub struct MruCache {
    shards: Box<[Shard]>,
    hasher: RandomState,
    maximum: usize,
    len: AtomicUsize,
    uses: AtomicU64,
    revisions: AtomicU64,
    purged_at: AtomicI64,
    evicting: RwLock<()>,
}

type Shard = RwLock<HashMap<SessionKey, Vec<Slot>>>;

#[derive(PartialEq, Eq, Hash, Clone)]
struct SessionKey {
    endpoint: EndpointScope,
    context_id: ContextId,
}

struct Slot {
    generation: Option<KeyGeneration>,
    entry: CachedToken,
    visible_until: Timestamp,
    used: AtomicU64,
}

impl MruCache {
    /// How many tokens a cache holds by default.
    pub const DEFAULT_MAXIMUM: usize = 20_000;

    /// A cache of [`Self::DEFAULT_MAXIMUM`] tokens.
    pub fn new() -> Self {
        Self::sized(Self::DEFAULT_MAXIMUM)
    }

    /// A cache of `maximum` tokens.
    ///
    /// # Errors
    /// [`Misconfigured::CacheSize`] (ID0008) below 5.
    pub fn with_maximum(maximum: usize) -> Result<Self, Error> {
        if maximum < 5 {
            return Err(Misconfigured::CacheSize.into());
        }
        Ok(Self::sized(maximum))
    }

    /// How many tokens there are, expired ones included.
    pub fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything.
    pub fn clear(&self) {
        for shard in &self.shards {
            let mut map = write(shard);
            self.len.fetch_sub(map.values().map(Vec::len).sum(), Ordering::Relaxed);
            map.clear();
        }
    }

    /// [`SessionTokenCache::get`] without the future.
    pub fn find(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Option<CachedToken> {
        let session = SessionKey::of(key);
        let map = read(self.shard(&session));
        let slot = map
            .get(&session)?
            .iter()
            .filter(|slot| slot.is_for(key) && slot.visible_until >= now)
            .max_by_key(|slot| slot.entry.revision.0)?;
        slot.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        Some(slot.entry.clone())
    }

    /// What `choose` accepts of the entries that have not expired.
    pub fn entries(&self, now: Timestamp, choose: impl Fn(&CachedToken) -> bool) -> Vec<CachedToken> {
        let mut entries = Vec::new();
        for shard in &self.shards {
            let map = read(shard);
            let slots = map.values().flatten().filter(|slot| slot.visible_until >= now && choose(&slot.entry));
            entries.extend(slots.map(|slot| slot.entry.clone()));
        }
        entries
    }

    /// Removes what `choose` accepts and tells how much that was.
    pub fn evict_where(&self, choose: impl Fn(&CachedToken) -> bool) -> usize {
        self.retain(|_, slot| !choose(&slot.entry))
    }

    /// Puts an entry as it is, to be found until `visible_until` at the latest.
    pub(crate) fn put(&self, key: &SessionTokenCacheKey, entry: CachedToken, visible_until: Timestamp, now: Timestamp) {
        self.make_room(now);
        let session = SessionKey::of(key);
        let mut map = write(self.shard(&session));
        self.place(map.entry(session).or_default(), key, entry, visible_until);
    }

    /// Removes an entry, or all generations when the key ignores them.
    pub fn evict(&self, key: &SessionTokenCacheKey) {
        self.retain_in(SessionKey::of(key), |slot| !slot.is_for(key));
    }

    fn sized(maximum: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            hasher: RandomState::new(),
            maximum,
            len: AtomicUsize::new(0),
            uses: AtomicU64::new(0),
            revisions: AtomicU64::new(1),
            purged_at: AtomicI64::new(0),
            evicting: RwLock::new(()),
        }
    }

    fn place(&self, slots: &mut Vec<Slot>, key: &SessionTokenCacheKey, entry: CachedToken, visible_until: Timestamp) {
        let used = AtomicU64::new(self.uses.fetch_add(1, Ordering::Relaxed));
        let slot = Slot { generation: key.key_generation().cloned(), entry, visible_until, used };
        match slots.iter_mut().find(|existing| existing.generation == slot.generation) {
            Some(existing) => *existing = slot,
            None => {
                slots.push(slot);
                self.len.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Drops what has expired once a minute, and the least recently used when full.
    fn make_room(&self, now: Timestamp) {
        let purged_at = Timestamp::from_ticks(self.purged_at.load(Ordering::Relaxed)).unwrap_or(Timestamp::MIN);
        let full = self.len() >= self.maximum;
        if !full && now.saturating_duration_since(purged_at) < PURGE_INTERVAL {
            return;
        }
        let _one_at_a_time = match self.evicting.try_write() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it; the cache may pass its maximum by the number of writers for a moment.
            Err(TryLockError::WouldBlock) => return,
        };
        self.drop_expired(now);
        if self.len() >= self.maximum {
            self.drop_least_recently_used(self.maximum / 5 * 4);
        }
    }

    fn drop_expired(&self, now: Timestamp) -> usize {
        self.purged_at.store(now.ticks(), Ordering::Relaxed);
        self.retain(|_, slot| slot.visible_until >= now)
    }

    /// Every use has its own number, so the number of the last one to go separates the old from the recent exactly.
    fn drop_least_recently_used(&self, keep: usize) {
        let mut used = Vec::with_capacity(self.len());
        for shard in &self.shards {
            used.extend(read(shard).values().flatten().map(|slot| slot.used.load(Ordering::Relaxed)));
        }
        let Some(surplus) = used.len().checked_sub(keep).filter(|surplus| *surplus > 0) else { return };
        let (_, last_to_go, _) = used.select_nth_unstable(surplus - 1);
        let last_to_go = *last_to_go;
        self.retain(|_, slot| slot.used.load(Ordering::Relaxed) > last_to_go);
    }

    fn retain(&self, keep: impl Fn(&SessionKey, &Slot) -> bool) -> usize {
        let mut dropped = 0;
        for shard in &self.shards {
            write(shard).retain(|session, slots| {
                let before = slots.len();
                slots.retain(|slot| keep(session, slot));
                dropped += before - slots.len();
                !slots.is_empty()
            });
        }
        self.len.fetch_sub(dropped, Ordering::Relaxed);
        dropped
    }

    fn retain_in(&self, session: SessionKey, keep: impl Fn(&Slot) -> bool) {
        let mut map = write(self.shard(&session));
        let Some(slots) = map.get_mut(&session) else { return };
        let before = slots.len();
        slots.retain(keep);
        self.len.fetch_sub(before - slots.len(), Ordering::Relaxed);
        if slots.is_empty() {
            map.remove(&session);
        }
    }

    fn shard(&self, session: &SessionKey) -> &Shard {
        &self.shards[self.hasher.hash_one(session) as usize % SHARDS]
    }
}

impl Default for MruCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MruCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MruCache").field("len", &self.len()).field("maximum", &self.maximum).finish_non_exhaustive()
    }
}

#[async_trait]
impl SessionTokenCache for MruCache {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        self.make_room(now);
        let session = SessionKey::of(key);
        let mut map = write(self.shard(&session));
        let existing = map
            .get(&session)
            .and_then(|slots| slots.iter().find(|slot| slot.generation.as_ref() == key.key_generation()))
            .filter(|slot| slot.visible_until >= now);
        if !condition.holds(existing.map(|slot| slot.entry.revision)) {
            return Ok(None);
        }
        let revision = Revision(self.revisions.fetch_add(1, Ordering::Relaxed));
        let visible_until = entry.expires;
        let entry = CachedToken { token: entry.token, expires: entry.expires, revision };
        self.place(map.entry(session).or_default(), key, entry, visible_until);
        Ok(Some(revision))
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        Ok(self.find(key, now))
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        let session = SessionKey { endpoint: endpoint.clone(), context_id: context_id.clone() };
        let map = read(self.shard(&session));
        let slots = map.get(&session).into_iter().flatten();
        Ok(slots.filter(|slot| slot.visible_until >= now).map(|slot| slot.entry.clone()).collect())
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        self.evict(key);
        Ok(())
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        self.retain(|session, _| session.endpoint != *endpoint);
        Ok(())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        Ok(self.drop_expired(now))
    }
}

impl SessionKey {
    fn of(key: &SessionTokenCacheKey) -> Self {
        Self { endpoint: key.endpoint().clone(), context_id: key.context_id().clone() }
    }
}

impl Slot {
    fn is_for(&self, key: &SessionTokenCacheKey) -> bool {
        key.ignores_key_generation() || self.generation.as_ref() == key.key_generation()
    }
}

/// The maps are whole between any two statements, so a panic elsewhere does not spoil them.
fn read(shard: &Shard) -> RwLockReadGuard<'_, HashMap<SessionKey, Vec<Slot>>> {
    shard.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(shard: &Shard) -> RwLockWriteGuard<'_, HashMap<SessionKey, Vec<Slot>>> {
    shard.write().unwrap_or_else(PoisonError::into_inner)
}

const SHARDS: usize = 32;
const PURGE_INTERVAL: Duration = Duration::from_secs(60);
