//! How many requests one client may make, in bounded memory.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lru::LruCache;
use tokio::time::Instant;

use crate::config::RateLimit;
use crate::sts::ClientKey;

/// Counts requests by client, by the generic cell rate algorithm. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct RateLimiter {
    clients: Arc<Clients>,
    /// In which one more request is earned.
    interval: Duration,
    /// What may be used in advance.
    tolerance: Duration,
}

/// For each client the time at which its allowance is whole again.
#[derive(Debug)]
struct Clients {
    shards: Vec<Mutex<LruCache<ClientKey, Duration>>>,
    scatter: RandomState,
    began: Instant,
}

impl RateLimiter {
    pub(super) fn new(settings: &RateLimit) -> Self {
        let clients = Clients {
            shards: (0..SHARDS).map(|_| Mutex::new(LruCache::new(CLIENTS_IN_SHARD))).collect(),
            scatter: RandomState::new(),
            began: Instant::now(),
        };
        Self::of(Arc::new(clients), settings)
    }

    /// Other settings for the same clients, who have what they have of their allowance, and no more than the new one gives.
    pub(super) fn with_settings(&self, settings: &RateLimit) -> Self {
        Self::of(Arc::clone(&self.clients), settings)
    }

    fn of(clients: Arc<Clients>, settings: &RateLimit) -> Self {
        let interval = settings.per / settings.requests.max(1);
        Self { clients, interval, tolerance: interval.saturating_mul(settings.burst.unwrap_or(settings.requests)) }
    }

    /// Takes one request out of a client's allowance.
    ///
    /// # Errors
    /// How long the client has to wait for the next.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), Duration> {
        self.take_at(client, self.clients.began.elapsed())
    }

    fn take_at(&self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let client = ClientKey::from(client);
        let shard = self.clients.scatter.hash_one(client) as usize % SHARDS;
        // There are that many.
        let Some(shard) = self.clients.shards.get(shard) else { return Ok(()) };
        let mut clients = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let whole_at = clients.get_or_insert_mut(client, || now);
        // Settings with a longer memory may have been in force before; from now on these count.
        *whole_at = (*whole_at).clamp(now, now + self.tolerance);
        let next = *whole_at + self.interval;
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
    fn other_settings_forget_nobody_and_hold_nobody_back_for_longer() {
        let (client, now) = (IpAddr::from([192, 0, 2, 1]), Duration::from_secs(10));
        let settings = |requests, per| RateLimit { requests, per: Duration::from_secs(per), burst: None };
        let hourly = RateLimiter::new(&settings(2, 3600));
        assert!(hourly.take_at(client, now).is_ok() && hourly.take_at(client, now).is_ok());
        assert!(hourly.with_settings(&settings(2, 3600)).take_at(client, now).is_err());
        let secondly = hourly.with_settings(&settings(2, 1));
        assert_eq!(secondly.take_at(client, now), Err(Duration::from_millis(500)));
        assert!(secondly.take_at(client, now + Duration::from_millis(500)).is_ok());
    }

    #[test]
    fn a_million_clients_take_no_more_memory_than_some_thousands() {
        let limiter = RateLimiter::new(&RateLimit { requests: 1, per: Duration::from_secs(1), burst: None });
        for client in 0..200_000_u32 {
            let _ = limiter.take_at(IpAddr::from(client.to_be_bytes()), Duration::ZERO);
        }
        let remembered: usize = limiter.clients.shards.iter().map(|shard| shard.lock().expect("no panic").len()).sum();
        assert!(remembered <= SHARDS * CLIENTS_IN_SHARD.get(), "{remembered}");
    }
}
