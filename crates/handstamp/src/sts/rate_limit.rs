//! How many guesses an account and a client get.

use super::UserName;
use handstamp_time::Timestamp;
use lru::LruCache;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many attempts at once, and one more each `interval` after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Attempts that may follow each other without a pause.
    pub burst: u32,
    /// How long it takes to earn one more.
    pub interval: Duration,
}

/// The allowances of a sign-in page. A successful sign-in costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignInLimits {
    /// For one user name, known or not, from anywhere.
    pub account: Allowance,
    /// For one client address, whatever the names.
    pub client: Allowance,
}

impl Default for SignInLimits {
    /// Ten guesses at a name and then one a minute; fifty from an address and then one every ten seconds.
    fn default() -> Self {
        Self {
            account: Allowance { burst: 10, interval: Duration::from_secs(60) },
            client: Allowance { burst: 50, interval: Duration::from_secs(10) },
        }
    }
}

/// The allowance is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyAttempts {
    /// When the next attempt will be looked at.
    pub retry_after: Duration,
}

/// A client as far as its address tells: one IPv4 address, or the 64-bit network of an IPv6 address, of which one
/// subscriber has all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientKey(IpAddr);

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(network.into())
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Counts attempts to sign in, in bounded memory.
#[derive(Debug)]
pub struct SignInLimiter {
    limits: SignInLimits,
    accounts: Mutex<Meter<String>>,
    clients: Mutex<Meter<ClientKey>>,
}

impl Default for SignInLimiter {
    /// A limiter with the usual allowances.
    fn default() -> Self {
        Self::new(SignInLimits::default())
    }
}

impl SignInLimiter {
    /// A limiter with nobody counted yet.
    pub fn new(limits: SignInLimits) -> Self {
        Self { limits, accounts: Mutex::new(Meter::new()), clients: Mutex::new(Meter::new()) }
    }

    /// Takes one attempt out of both allowances, before the password is looked at: attempts at the same moment cannot slip
    /// through together.
    ///
    /// # Errors
    /// [`TooManyAttempts`] when either is used up; then neither is charged.
    pub fn attempt(&self, name: &UserName, client: ClientKey, now: Timestamp) -> Result<(), TooManyAttempts> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.take(client, self.limits.client, now)?;
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts
            .take(name.key().to_owned(), self.limits.account, now)
            .inspect_err(|_| clients.give_back(&client, self.limits.client))
    }

    /// Gives back what [`attempt`](Self::attempt) took, because the password was right. The client gets back that one
    /// attempt only: an account of one's own buys no guesses at others.
    pub fn succeeded(&self, name: &UserName, client: ClientKey) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).forget(name.key());
        self.clients.lock().unwrap_or_else(PoisonError::into_inner).give_back(&client, self.limits.client);
    }
}

/// The generic cell rate algorithm: for each key the time at which its allowance is whole again.
#[derive(Debug)]
struct Meter<K: Hash + Eq>(LruCache<K, Timestamp>);

impl<K: Hash + Eq> Meter<K> {
    /// Keys remembered. Beyond that the one not seen for longest is forgotten.
    const CAPACITY: NonZeroUsize = NonZeroUsize::new(16_384).expect("a positive number");

    fn new() -> Self {
        Self(LruCache::new(Self::CAPACITY))
    }

    fn take(&mut self, key: K, allowance: Allowance, now: Timestamp) -> Result<(), TooManyAttempts> {
        let whole_at = self.0.get_or_insert_mut(key, || now);
        let next = (*whole_at).max(now).saturating_add(allowance.interval);
        let tolerated = allowance.interval.saturating_mul(allowance.burst);
        let ahead = next.saturating_duration_since(now);
        if ahead > tolerated {
            return Err(TooManyAttempts { retry_after: ahead.saturating_sub(tolerated) });
        }
        *whole_at = next;
        Ok(())
    }

    fn give_back<Q>(&mut self, key: &Q, allowance: Allowance)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(whole_at) = self.0.get_mut(key) {
            *whole_at = whole_at.saturating_sub(allowance.interval);
        }
    }

    fn forget<Q>(&mut self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.pop(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_gets_its_burst_and_then_one_attempt_an_interval() {
        let limiter = SignInLimiter::new(SignInLimits::default());
        for attempt in 0..10 {
            assert!(limiter.attempt(&alice(), client(attempt), at(0)).is_ok());
        }
        let refused = limiter.attempt(&alice(), client(99), at(0)).unwrap_err();
        assert_eq!(refused.retry_after, Duration::from_secs(60));
        assert!(limiter.attempt(&alice(), client(99), at(59)).is_err());
        assert!(limiter.attempt(&alice(), client(99), at(60)).is_ok());
        assert!(limiter.attempt(&alice(), client(99), at(60)).is_err());
        assert!(limiter.attempt(&name("bob"), client(99), at(60)).is_ok(), "others are not affected");
    }

    #[test]
    fn a_client_is_limited_over_all_names() {
        let limiter = SignInLimiter::new(SignInLimits::default());
        for guess in 0..50 {
            assert!(limiter.attempt(&name(&format!("user{guess}")), client(1), at(0)).is_ok());
        }
        assert!(limiter.attempt(&name("another"), client(1), at(0)).is_err());
        assert!(limiter.attempt(&name("another"), client(2), at(0)).is_ok());
    }

    #[test]
    fn success_frees_the_account_and_gives_the_client_back_one_attempt() {
        let limiter = SignInLimiter::new(SignInLimits {
            account: Allowance { burst: 2, interval: Duration::from_secs(60) },
            client: Allowance { burst: 3, interval: Duration::from_secs(60) },
        });
        limiter.attempt(&alice(), client(1), at(0)).unwrap();
        limiter.attempt(&alice(), client(1), at(0)).unwrap();
        limiter.succeeded(&alice(), client(1));
        limiter.attempt(&alice(), client(1), at(0)).unwrap();
        limiter.attempt(&name("bob"), client(1), at(0)).unwrap();
        assert!(limiter.attempt(&name("carol"), client(1), at(0)).is_err(), "three failures were charged");
    }

    #[test]
    fn a_refused_account_does_not_charge_the_client() {
        let limiter = SignInLimiter::new(SignInLimits {
            account: Allowance { burst: 1, interval: Duration::from_secs(60) },
            client: Allowance { burst: 2, interval: Duration::from_secs(60) },
        });
        limiter.attempt(&alice(), client(1), at(0)).unwrap();
        assert!(limiter.attempt(&alice(), client(1), at(0)).is_err());
        assert!(limiter.attempt(&name("bob"), client(1), at(0)).is_ok());
    }

    #[test]
    fn an_ipv6_network_is_one_client_and_a_mapped_address_is_its_ipv4_self() {
        let key = |text: &str| ClientKey::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), key("2001:db8:1:2:ffff::1"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.7"), key("192.0.2.7"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out_for_longer() {
        let limiter = SignInLimiter::new(SignInLimits::default());
        limiter.attempt(&alice(), client(1), at(1000)).unwrap();
        let refused = limiter.attempt(&alice(), client(1), at(0)).unwrap_err();
        assert!(refused.retry_after <= Duration::from_secs(1000));
    }

    fn alice() -> UserName {
        name("alice")
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    fn client(number: u8) -> ClientKey {
        IpAddr::from([192, 0, 2, number]).into()
    }

    fn at(second: u64) -> Timestamp {
        "2030-01-01T00:00:00Z".parse::<Timestamp>().unwrap().saturating_add(Duration::from_secs(second))
    }
}
