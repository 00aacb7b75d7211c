//! A name for each request, the same in the log, in the application and on an error page.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that carries it.
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A name for a request: one of ours, unique and telling nothing, or that of a proxy in front. Not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(Name);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Ours(u64),
    /// The rest is zeros.
    Theirs([u8; RequestId::MAX_LENGTH]),
}

impl RequestId {
    /// The longest name of somebody else that is taken over. A UUID has 36 characters.
    pub const MAX_LENGTH: usize = 39;

    /// The name that whoever sent these headers has given: letters, digits and a few signs, so that it stands out in a log. None
    /// when there is another one, or several.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(HEADER).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else { return None };
        let is_good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte);
        if line.is_empty() || !line.as_bytes().iter().all(is_good) {
            return None;
        }
        let mut name = [0; Self::MAX_LENGTH];
        name.get_mut(..line.len())?.copy_from_slice(line.as_bytes());
        Some(Self(Name::Theirs(name)))
    }

    /// The value of the header.
    pub fn header(self) -> HeaderValue {
        // Letters, digits and signs are always a header value.
        let value = match &self.0 {
            Name::Ours(number) => HeaderValue::from_bytes(&hexadecimal(*number)),
            Name::Theirs(_) => HeaderValue::try_from(self.to_string()),
        };
        value.unwrap_or(HeaderValue::from_static("-"))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Name::Ours(number) => f.write_str(str::from_utf8(&hexadecimal(*number)).unwrap_or_default()),
            Name::Theirs(name) => f.write_str(str::from_utf8(name).unwrap_or_default().trim_end_matches('\0')),
        }
    }
}

/// Every request has a name, so that is written without what formatting takes.
fn hexadecimal(number: u64) -> [u8; 16] {
    std::array::from_fn(|at| b"0123456789abcdef"[(number >> (60 - 4 * at) & 0xf) as usize])
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
        RequestId(Name::Ours(bits ^ (bits >> 31)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_taken_over_where_they_are_short_and_plain() {
        let of = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (HEADER, HeaderValue::try_from(*line).expect("a value")));
            RequestId::of(&lines.fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            }))
        };
        for good in
            ["x", "67e55044-10b1-426f-9247-bb680e5fe0c8", "Root=1-67891233-abcdef012345678912345", &"a".repeat(39)]
        {
            let id = of(&[good]).expect(good);
            assert_eq!((id.to_string().as_str(), id.header().as_bytes()), (good, good.as_bytes()));
        }
        for bad in [&[][..], &[""], &["a b"], &["<a>"], &["a", "b"], &["ü"], &[&"a".repeat(40)]] {
            assert_eq!(of(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn names_are_distinct_and_sixteen_digits() {
        let ids = RequestIds::new();
        let names: std::collections::BTreeSet<String> = (0..1000).map(|_| ids.next().to_string()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.len() == 16));
    }
}
