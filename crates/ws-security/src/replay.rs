//! Replay detection: a message counts once (SC 13.2).

use crate::error::Error;
use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};

/// Remembers the signature values of accepted messages until their timestamps are stale.
///
/// An implementation that is shared by several processes makes replays to another one detectable too.
pub trait ReplayCache: Send + Sync {
    /// Whether this value was added and has not expired: asked before any cryptography.
    fn contains(&self, signature_value: &[u8], now: Timestamp) -> bool;

    /// Adds a value until `expires`. Of several that add the same value at once, one succeeds.
    ///
    /// # Errors
    /// [`Error::Replayed`] when it is there already, [`Error::ReplayCacheFull`] when there is no room, [`Error::ReplayMemory`] when a
    /// shared one does not answer: the message is refused.
    fn add(&self, signature_value: &[u8], expires: Timestamp, now: Timestamp) -> Result<(), Error>;
}

/// A [`ReplayCache`] in memory. A restart forgets it, as WCF's does.
///
/// Attackers choose the values, so it keeps them under two keyed hashes (128 bits together), never as they came; an
/// accidental collision refuses a message that is new, and never accepts an old one.
#[derive(Debug)]
pub struct MemoryReplayCache {
    capacity: usize,
    keys: [RandomState; 2],
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    expiries: HashMap<[u64; 2], Timestamp>,
    /// Nothing expires before this, so nothing needs to be looked for.
    first_expiry: Option<Timestamp>,
}

impl MemoryReplayCache {
    /// A cache of at most `capacity` messages (`replayCacheSize`, WCF's default is 900,000). Memory grows as it fills.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, keys: [RandomState::new(), RandomState::new()], entries: Mutex::default() }
    }

    fn hash(&self, signature_value: &[u8]) -> [u64; 2] {
        [self.keys[0].hash_one(signature_value), self.keys[1].hash_one(signature_value)]
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ReplayCache for MemoryReplayCache {
    fn contains(&self, signature_value: &[u8], now: Timestamp) -> bool {
        let hash = self.hash(signature_value);
        self.entries().expiries.get(&hash).is_some_and(|expires| *expires > now)
    }

    fn add(&self, signature_value: &[u8], expires: Timestamp, now: Timestamp) -> Result<(), Error> {
        let hash = self.hash(signature_value);
        let mut entries = self.entries();
        if entries.expiries.get(&hash).is_some_and(|expires| *expires > now) {
            return Err(Error::Replayed);
        }
        if entries.expiries.len() >= self.capacity && entries.first_expiry.is_some_and(|first| first <= now) {
            entries.expiries.retain(|_, expires| *expires > now);
            entries.first_expiry = entries.expiries.values().min().copied();
        }
        if entries.expiries.len() >= self.capacity {
            return Err(Error::ReplayCacheFull { capacity: self.capacity });
        }
        entries.expiries.insert(hash, expires);
        entries.first_expiry = Some(entries.first_expiry.map_or(expires, |first| first.min(expires)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::UNIX_EPOCH.saturating_add(Duration::from_secs(seconds))
    }

    #[test]
    fn sc_13_2_a_value_counts_once_until_it_expires() {
        let cache = MemoryReplayCache::new(10);
        cache.add(b"one", at(100), at(0)).unwrap();
        assert!(cache.contains(b"one", at(99)) && !cache.contains(b"two", at(99)));
        assert!(matches!(cache.add(b"one", at(200), at(99)), Err(Error::Replayed)));
        cache.add(b"one", at(200), at(100)).unwrap();
    }

    #[test]
    fn sc_13_2_a_full_cache_refuses_until_something_expires() {
        let cache = MemoryReplayCache::new(2);
        cache.add(b"one", at(100), at(0)).unwrap();
        cache.add(b"two", at(50), at(0)).unwrap();
        assert!(matches!(cache.add(b"three", at(100), at(49)), Err(Error::ReplayCacheFull { capacity: 2 })));
        cache.add(b"three", at(100), at(50)).unwrap();
        assert!(cache.contains(b"one", at(50)));
    }
}
