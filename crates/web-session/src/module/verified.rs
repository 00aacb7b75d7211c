//! Tokens that were verified a moment ago.

use crate::module::active::Known;
use handstamp_time::Timestamp;
use lru::LruCache;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Remembers which cookies turned out to be authentic tokens, so that the next request with the very same cookie costs no
/// decryption: a page makes many requests within a second.
///
/// What is remembered is what a token says, not that it is good: times, scope and revocations are looked at for every request.
/// After [`MEMORY`] a cookie is opened anew, so that a key that was revoked serves nobody for longer.
pub(crate) struct VerifiedTokens {
    shards: [Mutex<LruCache<SealedToken, Verified>>; SHARDS],
}

/// A token as it arrived, in a kind of cookie.
#[derive(Eq)]
pub(super) struct SealedToken {
    pub(super) carrier: usize,
    pub(super) bytes: Vec<u8>,
}

struct Verified {
    token: Arc<Known>,
    at: Timestamp,
}

/// How long a token is taken for authentic without a look at the keys.
const MEMORY: Duration = Duration::from_secs(10);

/// Requests of different sessions rarely wait for each other.
const SHARDS: usize = 16;

impl PartialEq for SealedToken {
    /// In a time that tells nothing of what is remembered but its length.
    fn eq(&self, other: &Self) -> bool {
        let differences = || self.bytes.iter().zip(&other.bytes).fold(0, |found, (one, other)| found | (one ^ other));
        self.carrier == other.carrier && self.bytes.len() == other.bytes.len() && differences() == 0
    }
}

impl Hash for SealedToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes);
    }
}

impl VerifiedTokens {
    /// Remembers about `capacity` tokens; none at all for zero.
    pub(super) fn new(capacity: usize) -> Option<Self> {
        let of_shard = NonZeroUsize::new(capacity.div_ceil(SHARDS))?;
        let shard = || {
            // Unlike `LruCache::new`, this takes no memory ahead.
            let mut shard = LruCache::unbounded();
            shard.resize(of_shard);
            Mutex::new(shard)
        };
        Some(Self { shards: std::array::from_fn(|_| shard()) })
    }

    /// The token, if it was verified not long before `now`.
    pub(super) fn get(&self, sealed: &SealedToken, now: Timestamp) -> Option<Arc<Known>> {
        let mut tokens = self.shard(sealed).lock().unwrap_or_else(PoisonError::into_inner);
        let verified = tokens.get(sealed)?;
        if verified.holds_at(now) {
            return Some(Arc::clone(&verified.token));
        }
        tokens.pop(sealed);
        None
    }

    /// Remembers a token that was just verified.
    pub(super) fn put(&self, sealed: SealedToken, token: &Arc<Known>, now: Timestamp) {
        let verified = Verified { token: Arc::clone(token), at: now };
        let mut tokens = self.shard(&sealed).lock().unwrap_or_else(PoisonError::into_inner);
        while tokens.peek_lru().is_some_and(|(_, oldest)| !oldest.holds_at(now)) {
            tokens.pop_lru();
        }
        tokens.put(sealed, verified);
    }

    /// Where every kind of token ends, it is as good as random.
    fn shard(&self, sealed: &SealedToken) -> &Mutex<LruCache<SealedToken, Verified>> {
        let last = sealed.bytes.last().copied().unwrap_or_default();
        &self.shards[usize::from(last) % SHARDS]
    }
}

impl Verified {
    fn holds_at(&self, now: Timestamp) -> bool {
        self.at <= now && now < self.at.saturating_add(MEMORY)
    }
}

/// Nothing of anybody.
impl fmt::Debug for VerifiedTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedTokens").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal};
    use handstamp_keys::DeterministicRandom;
    use handstamp_session_token::SessionSecurityToken;

    fn token(now: Timestamp) -> Arc<Known> {
        let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(ClaimsIdentity::new("Federation")));
        Arc::new(Arc::new(builder.build(now, &DeterministicRandom::new(1)).unwrap()).into())
    }

    fn sealed(carrier: usize, bytes: &[u8]) -> SealedToken {
        SealedToken { carrier, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_token_is_remembered_for_ten_seconds_of_either_direction_of_the_clock() {
        let verified = VerifiedTokens::new(100).unwrap();
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let token = token(now);
        let cookie = sealed(0, b"cookie");
        assert!(verified.get(&cookie, now).is_none());
        verified.put(sealed(0, b"cookie"), &token, now);
        let last = now.saturating_add(MEMORY).saturating_sub(Duration::from_millis(1));
        assert!(Arc::ptr_eq(&verified.get(&cookie, last).unwrap(), &token));
        assert!(verified.get(&sealed(1, b"cookie"), now).is_none(), "another kind of cookie");
        for other in [&b"Cookie"[..], b"cookiE", b"cooki", b"ccookie", b"cookie ", b""] {
            assert!(verified.get(&sealed(0, other), now).is_none(), "another cookie");
        }
        assert!(verified.get(&cookie, now.saturating_add(MEMORY)).is_none());
        verified.put(sealed(0, b"cookie"), &token, now);
        assert!(verified.get(&cookie, now.saturating_sub(Duration::from_millis(1))).is_none(), "a clock set back");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes_when_it_is_too_old() {
        let verified = VerifiedTokens::new(64).unwrap();
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let token = token(now);
        let count = || verified.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>();
        for number in 0..1_000_u32 {
            verified.put(sealed(0, &number.to_be_bytes()), &token, now);
        }
        assert!((32..=64).contains(&count()), "{}", count());
        let later = now.saturating_add(MEMORY);
        for number in 1_000..1_200_u32 {
            verified.put(sealed(0, &number.to_be_bytes()), &token, later);
        }
        let stale =
            |shard: &Mutex<LruCache<_, Verified>>| shard.lock().unwrap().iter().any(|(_, entry)| entry.at == now);
        assert!(!verified.shards.iter().any(stale));
    }

    #[test]
    fn zero_is_none_and_no_memory_is_taken_ahead() {
        assert!(VerifiedTokens::new(0).is_none());
        assert!(VerifiedTokens::new(usize::MAX).is_some());
    }
}
