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
    /// As they were when the last sample was taken.
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
    /// How many steps are kept, besides the one that runs.
    pub const LENGTH: usize = 287;

    /// Adds a step that ends now.
    pub(super) fn add(&self, now: Timestamp, active: u64, totals: Totals) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut kept.totals, totals);
        if kept.samples.len() == Self::LENGTH {
            kept.samples.pop_front();
        }
        kept.samples.push_back(totals.since(before, now, active));
    }

    /// The oldest first, and last the one that still runs.
    pub(super) fn samples(&self, now: Timestamp, active: u64, totals: Totals) -> Vec<Sample> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.samples.iter().copied().chain([totals.since(kept.totals, now, active)]).collect()
    }
}

impl Totals {
    fn since(self, before: Self, now: Timestamp, active: u64) -> Sample {
        Sample {
            at: now,
            active,
            sign_ins: self.sign_ins.saturating_sub(before.sign_ins),
            ends: self.ends.saturating_sub(before.ends),
            rejections: self.rejections.saturating_sub(before.rejections),
        }
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
        let samples = history.samples(Timestamp::MIN, 7, Totals { sign_ins: 605, ends: 300, rejections: 1 });
        let (running, past) = samples.split_last().expect("a step runs");
        assert_eq!(past.len(), History::LENGTH);
        assert!(past.iter().all(|sample| (sample.sign_ins, sample.ends) == (2, 1)));
        assert_eq!(past.last().map(|sample| sample.active), Some(300));
        assert_eq!((running.active, running.sign_ins, running.ends, running.rejections), (7, 5, 0, 1));
    }
}
