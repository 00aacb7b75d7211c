//! Tokens that were verified a moment ago.

use handstamp_keys::{DigestAlgorithm, Error, SecureRandom};
use handstamp_session_token::SessionSecurityToken;
use handstamp_time::Timestamp;
use lru::LruCache;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Remembers which cookies turned out to be authentic tokens, so that the next request with the very same cookie costs no
/// decryption: a page makes many requests within a second.
///
/// What is remembered is what a token says, not that it is good: times, scope and revocations are looked at for every request.
/// After [`MEMORY`] a cookie is opened anew, so that a key that was revoked serves nobody for longer. Cookies themselves are
/// not kept; they are found again by a salted digest, whose comparison tells nobody anything.
pub(crate) struct VerifiedTokens {
    salt: [u8; 32],
    shards: [Mutex<Shard>; SHARDS],
}

type Shard = LruCache<Fingerprint, Verified, BuildHasherDefault<FingerprintHasher>>;

/// What finds a cookie again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let [.., a, b, c, d, e, f, g, h] = self.0;
        state.write_u64(u64::from_ne_bytes([a, b, c, d, e, f, g, h]));
    }
}

/// A salted digest is a good hash already.
#[derive(Default)]
struct FingerprintHasher(u64);

impl Hasher for FingerprintHasher {
    fn write_u64(&mut self, end: u64) {
        self.0 = end;
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

struct Verified {
    token: Arc<SessionSecurityToken>,
    at: Timestamp,
}

/// How long a token is taken for authentic without a look at the keys.
const MEMORY: Duration = Duration::from_secs(10);

/// Requests of different sessions rarely wait for each other.
const SHARDS: usize = 16;

impl VerifiedTokens {
    /// Remembers about `capacity` tokens; none at all for zero.
    pub(super) fn new(capacity: usize, random: &dyn SecureRandom) -> Result<Option<Self>, Error> {
        let Some(of_shard) = NonZeroUsize::new(capacity.div_ceil(SHARDS)) else { return Ok(None) };
        let mut salt = [0; 32];
        random.fill(&mut salt)?;
        let shard = || {
            // Unlike `LruCache::new`, this takes no memory ahead.
            let mut shard = LruCache::unbounded_with_hasher(BuildHasherDefault::default());
            shard.resize(of_shard);
            Mutex::new(shard)
        };
        Ok(Some(Self { salt, shards: std::array::from_fn(|_| shard()) }))
    }

    /// Finds what arrived in this kind of cookie.
    pub(super) fn fingerprint(&self, carrier: usize, bytes: &[u8]) -> Fingerprint {
        let mut hasher = DigestAlgorithm::Sha256.hasher();
        hasher.update(&self.salt);
        hasher.update(&carrier.to_le_bytes());
        hasher.update(bytes);
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hasher.finish().as_bytes());
        Fingerprint(fingerprint)
    }

    /// The token, if it was verified not long before `now`.
    pub(super) fn get(&self, fingerprint: &Fingerprint, now: Timestamp) -> Option<Arc<SessionSecurityToken>> {
        let mut tokens = self.shard(fingerprint).lock().unwrap_or_else(PoisonError::into_inner);
        let verified = tokens.get(fingerprint)?;
        if verified.holds_at(now) {
            return Some(Arc::clone(&verified.token));
        }
        tokens.pop(fingerprint);
        None
    }

    /// Remembers a token that was just verified.
    pub(super) fn put(&self, fingerprint: Fingerprint, token: &Arc<SessionSecurityToken>, now: Timestamp) {
        let verified = Verified { token: Arc::clone(token), at: now };
        let mut tokens = self.shard(&fingerprint).lock().unwrap_or_else(PoisonError::into_inner);
        while tokens.peek_lru().is_some_and(|(_, oldest)| !oldest.holds_at(now)) {
            tokens.pop_lru();
        }
        tokens.put(fingerprint, verified);
    }

    fn shard(&self, fingerprint: &Fingerprint) -> &Mutex<Shard> {
        let [first, ..] = fingerprint.0;
        &self.shards[usize::from(first) % SHARDS]
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

    fn token(now: Timestamp) -> Arc<SessionSecurityToken> {
        let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(ClaimsIdentity::new("Federation")));
        Arc::new(builder.build(now, &DeterministicRandom::new(1)).unwrap())
    }

    #[test]
    fn a_token_is_remembered_for_ten_seconds_of_either_direction_of_the_clock() {
        let verified = VerifiedTokens::new(100, &DeterministicRandom::new(1)).unwrap().unwrap();
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let token = token(now);
        let fingerprint = verified.fingerprint(0, b"cookie");
        assert!(verified.get(&fingerprint, now).is_none());
        verified.put(fingerprint, &token, now);
        let last = now.saturating_add(MEMORY).saturating_sub(Duration::from_millis(1));
        assert!(Arc::ptr_eq(&verified.get(&fingerprint, last).unwrap(), &token));
        assert!(verified.get(&verified.fingerprint(1, b"cookie"), now).is_none(), "another kind of cookie");
        assert!(verified.get(&verified.fingerprint(0, b"cookiE"), now).is_none(), "another cookie");
        assert!(verified.get(&fingerprint, now.saturating_add(MEMORY)).is_none());
        verified.put(fingerprint, &token, now);
        assert!(verified.get(&fingerprint, now.saturating_sub(Duration::from_millis(1))).is_none(), "a clock set back");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes_when_it_is_too_old() {
        let verified = VerifiedTokens::new(64, &DeterministicRandom::new(1)).unwrap().unwrap();
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let token = token(now);
        let count = || verified.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>();
        for number in 0..1_000_u32 {
            verified.put(verified.fingerprint(0, &number.to_le_bytes()), &token, now);
        }
        assert!((32..=64).contains(&count()), "{}", count());
        let later = now.saturating_add(MEMORY);
        for number in 1_000..1_200_u32 {
            verified.put(verified.fingerprint(0, &number.to_le_bytes()), &token, later);
        }
        let stale =
            |shard: &Mutex<Shard>| shard.lock().unwrap().iter().any(|(_, entry)| entry.at == now);
        assert!(!verified.shards.iter().any(stale));
    }

    #[test]
    fn two_of_them_know_the_same_cookie_by_different_fingerprints_and_zero_is_none() {
        let one = VerifiedTokens::new(1, &DeterministicRandom::new(1)).unwrap().unwrap();
        let other = VerifiedTokens::new(1, &DeterministicRandom::new(2)).unwrap().unwrap();
        assert!(one.fingerprint(0, b"cookie") != other.fingerprint(0, b"cookie"));
        assert!(VerifiedTokens::new(0, &DeterministicRandom::new(1)).unwrap().is_none());
        assert!(
            VerifiedTokens::new(usize::MAX, &DeterministicRandom::new(1)).unwrap().is_some(),
            "no memory is taken ahead"
        );
    }
}
