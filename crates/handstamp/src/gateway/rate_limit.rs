//! How many requests one client may make, in bounded memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::config::RateLimit;
use crate::sts::ClientKey;

/// Counts requests by client, by the generic cell rate algorithm: for each the time at which its allowance is whole again.
#[derive(Debug)]
pub(super) struct RateLimiter {
    shards: Vec<Mutex<LruCache<ClientKey, Duration>>>,
    scatter: RandomState,
    began: Instant,
    /// In which one more request is earned.
    interval: Duration,
    /// What may be used in advance.
    tolerance: Duration,
}

impl RateLimiter {
    pub(super) fn new(settings: &RateLimit) -> Self {
        let interval = settings.per / settings.requests.max(1);
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(LruCache::new(CLIENTS_IN_SHARD))).collect(),
            scatter: RandomState::new(),
            began: Instant::now(),
            interval,
            tolerance: interval.saturating_mul(settings.burst.unwrap_or(settings.requests)),
        }
    }

    /// Takes one request out of a client's allowance.
    ///
    /// # Errors
    /// How long the client has to wait for the next.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), Duration> {
        self.take_at(client, self.began.elapsed())
    }

    fn take_at(&self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let client = ClientKey::from(client);
        let shard = self.scatter.hash_one(client) as usize % SHARDS;
        // There are that many.
        let Some(shard) = self.shards.get(shard) else { return Ok(()) };
        let mut clients = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_at = clients.get_or_insert_mut(client, || now);
        let next = (*whole_at).max(now) + self.interval;
        let ahead = next.saturating_sub(now);
        if ahead > self.tolerance {
            return Err(ahead - self.tolerance);
        }
        *whole_at = next;
        Ok(())
    }
}

const SHARDS: usize = 16;
/// Clients remembered in each. Beyond that the one not seen for longest is forgotten.
const CLIENTS_IN_SHARD: NonZeroUsize = NonZeroUsize::new(4096).expect("a positive number");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_burst_then_its_rate_and_does_not_take_anothers() {
        let limiter = RateLimiter::new(&RateLimit { requests: 2, per: Duration::from_secs(1), burst: Some(3) });
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let now = Duration::from_secs(10);
        let taken = (0..10).filter(|_| limiter.take_at(one, now).is_ok()).count();
        assert_eq!(taken, 3);
        assert_eq!(limiter.take_at(one, now), Err(Duration::from_millis(500)));
        assert!(limiter.take_at(other, now).is_ok());
        assert!(limiter.take_at(one, now + Duration::from_millis(500)).is_ok());
        assert!(limiter.take_at(one, now + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn a_million_clients_take_no_more_memory_than_some_thousands() {
        let limiter = RateLimiter::new(&RateLimit { requests: 1, per: Duration::from_secs(1), burst: None });
        for client in 0..200_000_u32 {
            let _ = limiter.take_at(IpAddr::from(client.to_be_bytes()), Duration::ZERO);
        }
        let remembered: usize = limiter.shards.iter().map(|shard| shard.lock().expect("no panic").len()).sum();
        assert!(remembered <= SHARDS * CLIENTS_IN_SHARD.get(), "{remembered}");
    }
}
