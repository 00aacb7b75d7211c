//! What was refused, how often, and lately.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use handstamp_time::{Clock, SystemClock, Timestamp};

use crate::gateway::request_id::RequestId;

/// Counts by code, and the latest ones.
#[derive(Debug, Default)]
pub(super) struct Rejections(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    counts: BTreeMap<&'static str, u64>,
    latest: VecDeque<Rejection>,
}

/// Something that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// When.
    pub at: Timestamp,
    /// The stable code of the reason.
    pub code: &'static str,
    /// Whose request it was, and what it is called in the log; none for a cookie whose request went on without it.
    pub request: Option<(IpAddr, RequestId)>,
}

/// So many are kept.
const LATEST: usize = 50;

impl Rejections {
    pub(super) fn add(&self, code: &'static str, request: Option<(IpAddr, RequestId)>) {
        let at = SystemClock.now();
        let mut kept = self.kept();
        *kept.counts.entry(code).or_default() += 1;
        if kept.latest.len() == LATEST {
            kept.latest.pop_back();
        }
        kept.latest.push_front(Rejection { at, code, request });
    }

    pub(super) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.kept().counts.clone()
    }

    pub(super) fn latest(&self) -> Vec<Rejection> {
        self.kept().latest.iter().copied().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
