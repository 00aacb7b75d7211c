//! Negotiations that a service has begun and not ended: few, short, and from one address fewer (SC 7.4).

use crate::negotiation::Transcript;
use crate::trust::AppliesTo;
use handstamp_keys::tls::TlsRecords;
use handstamp_time::Timestamp;
use handstamp_ws_security::LocalServiceSettings;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The half-open negotiations of a service.
#[derive(Debug)]
pub(crate) struct PendingNegotiations {
    max: usize,
    timeout: Duration,
    table: Mutex<HashMap<String, Pending>>,
}

/// What a service knows of a negotiation between two messages.
#[derive(Debug)]
pub(crate) struct Negotiation {
    pub(crate) records: TlsRecords,
    pub(crate) transcript: Transcript,
    /// The spelling of the client, which answers repeat.
    pub(crate) value_type: String,
    pub(crate) applies_to: Option<AppliesTo>,
    /// Of the key that is to come, in bytes.
    pub(crate) key_length: usize,
    /// How many octets of the handshake have come.
    pub(crate) received: usize,
}

#[derive(Debug)]
struct Pending {
    begun: Timestamp,
    address: Option<IpAddr>,
    /// None while one of its messages is worked on.
    negotiation: Option<Box<Negotiation>>,
}

/// Why a negotiation is not begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotBegun {
    /// There are too many.
    Busy,
    /// There is one with this `Context`.
    Repeated,
}

/// How many one address may have open at a time, of all: an eighth.
const SHARE_OF_ADDRESS: usize = 8;

impl PendingNegotiations {
    pub(crate) fn new(settings: &LocalServiceSettings) -> Self {
        let (max, timeout) = (settings.max_stateful_negotiations, settings.negotiation_timeout);
        Self { max, timeout, table: Mutex::default() }
    }

    /// Takes a place, before anything is computed.
    pub(crate) fn begin(&self, context: &str, address: Option<IpAddr>, now: Timestamp) -> Result<(), NotBegun> {
        let mut table = self.table();
        table.retain(|_, pending| !self.is_over(pending, now));
        let of_address = table.values().filter(|pending| address.is_some() && pending.address == address).count();
        if table.len() >= self.max || of_address >= (self.max / SHARE_OF_ADDRESS).max(1) {
            return Err(NotBegun::Busy);
        }
        if table.contains_key(context) {
            return Err(NotBegun::Repeated);
        }
        table.insert(context.to_owned(), Pending { begun: now, address, negotiation: None });
        Ok(())
    }

    /// Takes a negotiation out to work on it. None when there is none of this `Context`, its time is over, or somebody works
    /// on it.
    pub(crate) fn take(&self, context: &str, now: Timestamp) -> Option<Box<Negotiation>> {
        let mut table = self.table();
        let pending = table.get_mut(context)?;
        if self.is_over(pending, now) {
            table.remove(context);
            return None;
        }
        pending.negotiation.take()
    }

    /// Keeps it for its next message.
    pub(crate) fn keep(&self, context: &str, negotiation: Box<Negotiation>) {
        if let Some(pending) = self.table().get_mut(context) {
            pending.negotiation = Some(negotiation);
        }
    }

    /// Gives its place back: it has come to its end, or to nothing.
    pub(crate) fn end(&self, context: &str) {
        self.table().remove(context);
    }

    fn is_over(&self, pending: &Pending, now: Timestamp) -> bool {
        pending.begun.saturating_add(self.timeout) <= now
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn pending(max: usize) -> PendingNegotiations {
        let settings = LocalServiceSettings { max_stateful_negotiations: max, ..LocalServiceSettings::default() };
        PendingNegotiations::new(&settings)
    }

    #[test]
    fn sc_7_4_places_are_limited_and_given_back() {
        let pending = pending(2);
        assert_eq!(pending.begin("a", None, now()), Ok(()));
        assert_eq!(pending.begin("a", None, now()), Err(NotBegun::Repeated));
        assert_eq!(pending.begin("b", None, now()), Ok(()));
        assert_eq!(pending.begin("c", None, now()), Err(NotBegun::Busy));
        pending.end("a");
        assert_eq!(pending.begin("c", None, now()), Ok(()));
        let just_before = now().saturating_add(Duration::from_millis(59_999));
        assert_eq!(pending.begin("d", None, just_before), Err(NotBegun::Busy));
        let later = now().saturating_add(Duration::from_secs(60));
        assert_eq!(pending.begin("d", None, later), Ok(()), "the time of all others is over");
        assert_eq!(self::pending(0).begin("a", None, now()), Err(NotBegun::Busy));
    }

    #[test]
    fn sc_7_4_one_address_cannot_take_all_places() {
        let pending = pending(16);
        let address = |last| Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        assert_eq!(pending.begin("a", address(1), now()), Ok(()));
        assert_eq!(pending.begin("b", address(1), now()), Ok(()));
        assert_eq!(pending.begin("c", address(1), now()), Err(NotBegun::Busy));
        assert_eq!(pending.begin("c", address(2), now()), Ok(()));
    }
}
