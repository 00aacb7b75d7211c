//! A name for each request, the same in the log, in the application and on an error page.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderName, HeaderValue};

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A name for a request: unique, and telling nothing. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The value of the header.
    pub fn header(self) -> HeaderValue {
        // 16 hexadecimal digits are always a header value.
        HeaderValue::try_from(self.to_string()).unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Makes names: a counter, scrambled by a bijection that differs in each process.
#[derive(Debug)]
pub(super) struct RequestIds {
    next: AtomicU64,
    seed: u64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self { next: AtomicU64::new(0), seed: RandomState::new().hash_one(std::process::id()) }
    }

    pub(super) fn next(&self) -> RequestId {
        // SplitMix64's finalizer: every step can be undone, so no two counts give one name.
        let mut bits = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(self.seed);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        RequestId(bits ^ (bits >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_sixteen_digits() {
        let ids = RequestIds::new();
        let names: std::collections::BTreeSet<String> = (0..1000).map(|_| ids.next().to_string()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.len() == 16));
    }
}
