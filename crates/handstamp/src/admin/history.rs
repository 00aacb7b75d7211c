//! What happened in the last day, in steps of five minutes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use handstamp_time::Timestamp;

/// The last day.
#[derive(Debug, Default)]
pub struct History(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    samples: VecDeque<Sample>,
    /// When the last sample was taken.
    totals: Totals,
}

/// What happened in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Its end.
    pub at: Timestamp,
    /// Sessions that were used, estimated.
    pub active: u64,
    /// Sessions that began.
    pub sign_ins: u64,
    /// Sessions that were ended, or found expired.
    pub ends: u64,
    /// Refused requests, cookies and tokens.
    pub rejections: u64,
}

/// Counters since the program started.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Totals {
    pub(super) sign_ins: u64,
    pub(super) ends: u64,
    pub(super) rejections: u64,
}

impl History {
    /// How long a step is.
    pub const INTERVAL: Duration = Duration::from_secs(300);
    /// How many steps are kept.
    pub const LENGTH: usize = 288;

    /// Adds a step that ends now.
    pub(super) fn add(&self, now: Timestamp, active: u64, totals: Totals) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut kept.totals, totals);
        if kept.samples.len() == Self::LENGTH {
            kept.samples.pop_front();
        }
        kept.samples.push_back(Sample {
            at: now,
            active,
            sign_ins: totals.sign_ins.saturating_sub(before.sign_ins),
            ends: totals.ends.saturating_sub(before.ends),
            rejections: totals.rejections.saturating_sub(before.rejections),
        });
    }

    /// The oldest first.
    pub(super) fn samples(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).samples.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_what_came_since_the_one_before_and_a_day_is_kept() {
        let history = History::default();
        for step in 1..=300 {
            let totals = Totals { sign_ins: step * 2, ends: step, rejections: 0 };
            history.add(Timestamp::MIN, step, totals);
        }
        let samples = history.samples();
        assert_eq!(samples.len(), History::LENGTH);
        assert!(samples.iter().all(|sample| (sample.sign_ins, sample.ends) == (2, 1)));
        assert_eq!(samples.last().map(|sample| sample.active), Some(300));
    }
}
