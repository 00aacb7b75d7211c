//! How many different sessions were seen, in memory that does not grow.

use std::hash::{BuildHasher, Hash};
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;

/// Counts different sessions without remembering any: each sets one bit of a fixed number, and how many stay clear tells how many there
/// were ("linear counting"). Off by about one percent up to 100,000 sessions.
pub struct SeenSessions {
    words: Box<[AtomicU64]>,
    scatter: RandomState,
}

const BITS: usize = 1 << 16;

impl Default for SeenSessions {
    fn default() -> Self {
        Self { words: (0..BITS / 64).map(|_| AtomicU64::new(0)).collect(), scatter: RandomState::default() }
    }
}

impl std::fmt::Debug for SeenSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeenSessions").finish_non_exhaustive()
    }
}

impl SeenSessions {
    /// A request came with this session.
    pub fn note(&self, session: &impl Hash) {
        let bit = self.scatter.hash_one(session) as usize % BITS;
        let mask = 1 << (bit % 64);
        // Most requests come with a session that was just seen: reading does not take the line from other processors.
        if let Some(word) = self.words.get(bit / 64)
            && word.load(Ordering::Relaxed) & mask == 0
        {
            word.fetch_or(mask, Ordering::Relaxed);
        }
    }

    /// About how many there were since they were last taken.
    pub fn count(&self) -> u64 {
        estimate(self.words.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum())
    }

    /// The same; then it begins anew.
    pub fn take(&self) -> u64 {
        estimate(self.words.iter().map(|word| word.swap(0, Ordering::Relaxed).count_ones()).sum())
    }
}

fn estimate(set: u32) -> u64 {
    let bits = BITS as f64;
    // With every bit set there is no telling how many more there were.
    let clear = (bits - f64::from(set)).max(0.5);
    (-bits * (clear / bits).ln()).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_session_counts_once_and_only_until_it_is_taken() {
        let seen = SeenSessions::default();
        assert_eq!(seen.take(), 0);
        for _ in 0..1000 {
            (0..3).for_each(|session| seen.note(&session));
        }
        assert_eq!((seen.count(), seen.take()), (3, 3));
        assert_eq!(seen.take(), 0);
    }

    #[test]
    fn large_numbers_are_estimated() {
        let seen = SeenSessions::default();
        for number in [1_000_u64, 50_000] {
            (0..number).for_each(|session| seen.note(&session));
            let found = seen.take() as f64;
            assert!((found / number as f64 - 1.0).abs() < 0.05, "{found} of {number}");
        }
        (0..2_000_000).for_each(|session| seen.note(&session));
        assert!(seen.take() > 500_000);
    }
}
