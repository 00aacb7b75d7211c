//! Stops a browser that is sent to the issuer again and again.

use handstamp_time::Timestamp;
use std::time::Duration;

/// The challenges of one browser within the last minute (SM-31), as its cookie remembers them.
///
/// The cookie is not sealed: whoever forges it only spares or spoils their own redirects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LoopGuard {
    /// Seconds since 1970, oldest first.
    challenges: Vec<i64>,
}

/// How many challenges a browser gets within [`WINDOW`].
pub(super) const MAX_CHALLENGES: usize = 5;
/// The time that is looked at.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

impl LoopGuard {
    /// Reads a cookie. What is no past second of the window is dropped.
    pub(super) fn read(cookie: Option<&str>, now: Timestamp) -> Self {
        let now = now.unix_seconds();
        let window = WINDOW.as_secs() as i64;
        let recent = |at: &i64| (now - window..=now).contains(at);
        let numbers = cookie.unwrap_or_default().split('.').take(MAX_CHALLENGES);
        Self { challenges: numbers.filter_map(|text| text.parse().ok()).filter(recent).collect() }
    }

    /// Counts a challenge. None when it would be one too many.
    pub(super) fn count(mut self, now: Timestamp) -> Option<Self> {
        if self.challenges.len() >= MAX_CHALLENGES {
            return None;
        }
        self.challenges.push(now.unix_seconds());
        Some(self)
    }

    /// The cookie's value.
    pub(super) fn to_cookie_value(&self) -> String {
        self.challenges.iter().map(i64::to_string).collect::<Vec<_>>().join(".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sm_31_five_challenges_a_minute_and_no_more() {
        let start: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let mut cookie = None;
        for second in 0..5 {
            let now = start.saturating_add(Duration::from_secs(second));
            let guard = LoopGuard::read(cookie.as_deref(), now).count(now).expect("within the limit");
            cookie = Some(guard.to_cookie_value());
        }
        let late = start.saturating_add(Duration::from_secs(60));
        assert!(LoopGuard::read(cookie.as_deref(), late).count(late).is_none());
        let later = start.saturating_add(Duration::from_secs(61));
        assert!(LoopGuard::read(cookie.as_deref(), later).count(later).is_some(), "the first one is forgotten");
    }

    #[test]
    fn sm_31_nonsense_in_the_cookie_counts_nothing() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        for text in ["", "....", "x.y", "99999999999999999999", "-1", "253402300799.253402300799"] {
            assert_eq!(LoopGuard::read(Some(text), now), LoopGuard::default(), "{text}");
        }
        let many = vec![now.unix_seconds().to_string(); 1000].join(".");
        assert!(LoopGuard::read(Some(&many), now).count(now).is_none());
    }
}
