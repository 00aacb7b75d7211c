//! Logging a bad cookie once, however often the browser sends it.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

/// Remembers which cookies were logged, in a fixed amount of memory. Forgets the older of two cookies that fall on
/// one slot, and so logs some of them again.
pub(crate) struct LogOnce {
    hasher: RandomState,
    slots: Box<[AtomicU64]>,
}

impl LogOnce {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Whether these values are seen for the first time.
    pub(crate) fn is_first<'a>(&self, values: impl Iterator<Item = &'a [u8]>) -> bool {
        let hash = values.fold(1, |hash, value| self.hasher.hash_one((hash, value))) | 1;
        match self.slots.get(hash as usize / 2 % SLOTS) {
            Some(slot) => slot.swap(hash, Ordering::Relaxed) != hash,
            None => true,
        }
    }
}

impl fmt::Debug for LogOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogOnce")
    }
}

/// 8 KiB in all.
const SLOTS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_first_once() {
        let once = LogOnce::new();
        let first = |value: &str| once.is_first([value.as_bytes()].into_iter());
        assert!(first("a"));
        assert!(!first("a"));
        assert!(first("b"));
        assert!(!once.is_first([&b"b"[..]].into_iter()));
        assert!(once.is_first([&b"b"[..], b"c"].into_iter()));
    }
}
