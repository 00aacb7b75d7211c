//! Tokens that were verified a moment ago.

use crate::module::active::Known;
use crate::module::carrier::Place;
use foldhash::quality::RandomState;
use handstamp_time::Timestamp;
use http::header::{COOKIE, HeaderMap, HeaderValue};
use lru::LruCache;
use std::borrow::Cow;
use std::fmt;
use std::hash::BuildHasher as _;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Remembers in which cookies there was which authentic token, so that the next request with the very same cookies costs no
/// decryption, and no look into them at all: a page makes many requests within a second.
///
/// What is remembered is what a token says, not that it is good: times, scope and revocations are looked at for every request.
/// After [`MEMORY`] the cookies are read anew, so that a key that was revoked serves nobody for longer.
pub(crate) struct VerifiedTokens {
    scatter: RandomState,
    /// By the hash of the cookies.
    shards: [Mutex<LruCache<u64, Remembered>>; SHARDS],
}

/// All cookies of a request, as they were sent.
pub(super) struct SentCookies<'r> {
    line: Cow<'r, [u8]>,
    hash: u64,
}

/// What cookies were found to hold.
#[derive(Clone)]
pub(super) struct Verified {
    pub(super) token: Arc<Known>,
    /// How long the token was in its cookie, in bytes.
    pub(super) size: usize,
    pub(super) place: Place,
    /// When that was.
    pub(super) at: Timestamp,
}

struct Remembered {
    line: Box<[u8]>,
    verified: Verified,
}

/// How long a token is taken for authentic without a look at the keys.
const MEMORY: Duration = Duration::from_secs(10);

/// Requests of different sessions rarely wait for each other.
const SHARDS: usize = 16;

/// Longer ones are not remembered, so that the memory that all of them take is bounded.
const LONGEST: usize = 8 << 10;

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
        Some(Self { scatter: RandomState::default(), shards: std::array::from_fn(|_| shard()) })
    }

    /// The cookies in `headers`; none when there are none, or too many to be remembered.
    pub(super) fn cookies<'r>(&self, headers: &'r HeaderMap) -> Option<SentCookies<'r>> {
        let mut lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let first = lines.next()?;
        let line = match lines.next() {
            None => Cow::Borrowed(first),
            Some(second) => {
                let lines: Vec<&[u8]> = [first, second].into_iter().chain(lines).collect();
                Cow::Owned(lines.join(&b"; "[..]))
            }
        };
        (line.len() <= LONGEST).then(|| SentCookies { hash: self.scatter.hash_one(&*line), line })
    }

    /// What was found in these cookies, if that was not long before `now`.
    pub(super) fn get(&self, cookies: &SentCookies<'_>, now: Timestamp) -> Option<Verified> {
        let mut tokens = self.shard(cookies).lock().unwrap_or_else(PoisonError::into_inner);
        let Remembered { line, verified } = tokens.get(&cookies.hash)?;
        if !is_same(line, &cookies.line) {
            return None;
        }
        if verified.holds_at(now) {
            return Some(verified.clone());
        }
        tokens.pop(&cookies.hash);
        None
    }

    /// Remembers what was just found in cookies.
    pub(super) fn put(&self, cookies: &SentCookies<'_>, verified: Verified) {
        let mut tokens = self.shard(cookies).lock().unwrap_or_else(PoisonError::into_inner);
        while tokens.peek_lru().is_some_and(|(_, oldest)| !oldest.verified.holds_at(verified.at)) {
            tokens.pop_lru();
        }
        tokens.put(cookies.hash, Remembered { line: cookies.line.as_ref().into(), verified });
    }

    fn shard(&self, cookies: &SentCookies<'_>) -> &Mutex<LruCache<u64, Remembered>> {
        &self.shards[cookies.hash as usize % SHARDS]
    }
}

/// Takes a time that tells nothing of the cookies that are remembered but their length.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |found, (one, other)| found | (one ^ other)) == 0
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

    fn found(at: Timestamp) -> Verified {
        let builder = SessionSecurityToken::builder(ClaimsPrincipal::from(ClaimsIdentity::new("Federation")));
        let token = Arc::new(builder.build(at, &DeterministicRandom::new(1)).unwrap());
        Verified { token: Arc::new(token.into()), size: 7, place: Place::default(), at }
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    fn now() -> Timestamp {
        "2026-11-29T10:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_token_is_remembered_for_ten_seconds_of_either_direction_of_the_clock() {
        let (verified, now) = (VerifiedTokens::new(100).unwrap(), now());
        let headers = headers(&["session=abc; theme=dark"]);
        let cookies = verified.cookies(&headers).unwrap();
        assert!(verified.get(&cookies, now).is_none());
        let token = found(now);
        verified.put(&cookies, token.clone());
        let last = now.saturating_add(MEMORY).saturating_sub(Duration::from_millis(1));
        let again = verified.get(&cookies, last).unwrap();
        assert!(Arc::ptr_eq(&again.token, &token.token) && again.size == 7);
        assert!(verified.get(&cookies, now.saturating_add(MEMORY)).is_none());
        verified.put(&cookies, token);
        assert!(verified.get(&cookies, now.saturating_sub(Duration::from_millis(1))).is_none(), "a clock set back");
    }

    #[test]
    fn only_the_very_same_cookies_are_known_in_however_many_lines() {
        let (verified, now) = (VerifiedTokens::new(100).unwrap(), now());
        let is_known = |lines: &[&str]| {
            let headers = headers(lines);
            verified.cookies(&headers).is_some_and(|cookies| verified.get(&cookies, now).is_some())
        };
        verified.put(&verified.cookies(&headers(&["session=abc; theme=dark"])).unwrap(), found(now));
        assert!(is_known(&["session=abc; theme=dark"]) && is_known(&["session=abc", "theme=dark"]));
        for other in [
            &["session=abc"][..],
            &["session=abd; theme=dark"],
            &["session=abc; theme=darK"],
            &["theme=dark; session=abc"],
            &["session=abc; theme=dark", ""],
            &[""],
            &[],
        ] {
            assert!(!is_known(other), "{other:?}");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_goes_when_it_is_too_old() {
        let (verified, now) = (VerifiedTokens::new(64).unwrap(), now());
        let put = |number: u32, at| {
            verified.put(&verified.cookies(&headers(&[&format!("session={number}")])).unwrap(), found(at));
        };
        let count = || verified.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>();
        (0..1_000).for_each(|number| put(number, now));
        assert!((32..=64).contains(&count()), "{}", count());
        let later = now.saturating_add(MEMORY);
        (1_000..1_200).for_each(|number| put(number, later));
        let stale = |shard: &Mutex<LruCache<_, Remembered>>| {
            shard.lock().unwrap().iter().any(|(_, entry)| entry.verified.at == now)
        };
        assert!(!verified.shards.iter().any(stale));
        let long = headers(&[&"x".repeat(LONGEST), "y=1"]);
        assert!(verified.cookies(&long).is_none());
    }

    #[test]
    fn zero_is_none_and_no_memory_is_taken_ahead() {
        assert!(VerifiedTokens::new(0).is_none());
        assert!(VerifiedTokens::new(usize::MAX).is_some());
    }
}
