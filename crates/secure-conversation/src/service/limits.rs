//! What one address may ask for: requests for tokens cost an RSA operation before anybody is known, and refusals are what
//! oracles are asked with (SC 19.4, 19.13).

use handstamp_time::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many at once, and one more each `interval` after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// What may follow each other without a pause.
    pub burst: u32,
    /// How long it takes to earn one more.
    pub interval: Duration,
}

/// What one client address gets of a service, as far as [addresses are told](crate::Incoming::from_address).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressLimits {
    /// Requests for tokens, and negotiations: answered `ServerTooBusy` beyond that.
    pub token_requests: Allowance,
    /// Messages that are refused because something about their protection is wrong. Beyond that nothing from the address is looked
    /// at or answered.
    pub refusals: Allowance,
}

impl Default for AddressLimits {
    /// 1,000 requests for tokens and then a hundred a second; 1,000 refusals and then one a second. Behind one address there may be
    /// many clients, some of which open a session for every call, or have a clock that is wrong.
    fn default() -> Self {
        Self {
            token_requests: Allowance { burst: 1000, interval: Duration::from_millis(10) },
            refusals: Allowance { burst: 1000, interval: Duration::from_secs(1) },
        }
    }
}

/// What addresses have had of their [limits](AddressLimits), in bounded memory.
///
/// Services that are given the same count together, and one that takes the place of another goes on where that left off.
#[derive(Debug)]
pub struct AddressUse {
    pub(crate) token_requests: AddressMeter,
    pub(crate) refusals: AddressMeter,
}

impl AddressUse {
    /// Nobody has had anything yet.
    pub fn new(limits: AddressLimits) -> Self {
        let AddressLimits { token_requests, refusals } = limits;
        Self { token_requests: AddressMeter::new(token_requests), refusals: AddressMeter::new(refusals) }
    }
}

impl Default for AddressUse {
    fn default() -> Self {
        Self::new(AddressLimits::default())
    }
}

/// Counts what addresses do.
#[derive(Debug)]
pub(crate) struct AddressMeter {
    allowance: Allowance,
    /// For each address the time at which its allowance is whole again (generic cell rate algorithm).
    whole_at: Mutex<HashMap<IpAddr, Timestamp>>,
}

/// Addresses remembered.
const CAPACITY: usize = 16_384;

impl AddressMeter {
    fn new(allowance: Allowance) -> Self {
        Self { allowance, whole_at: Mutex::default() }
    }

    /// Takes one. False when the address has had its share; who has no address is not counted.
    pub(crate) fn take(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(client) = address.map(client) else { return true };
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        if whole_at.len() >= CAPACITY && !whole_at.contains_key(&client) {
            forget_half(&mut whole_at, now);
        }
        let entry = whole_at.entry(client).or_insert(now);
        let next = (*entry).max(now).saturating_add(self.allowance.interval);
        let is_granted = next.saturating_duration_since(now) <= self.tolerated();
        if is_granted {
            *entry = next;
        }
        is_granted
    }

    /// Whether one more could be taken.
    pub(crate) fn has_some(&self, address: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(client) = address.map(client) else { return true };
        let whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let next = whole_at.get(&client).copied().unwrap_or(now).max(now).saturating_add(self.allowance.interval);
        next.saturating_duration_since(now) <= self.tolerated()
    }

    fn tolerated(&self) -> Duration {
        self.allowance.interval.saturating_mul(self.allowance.burst)
    }
}

/// An address as far as it tells clients apart: of an IPv6 network of 64 bits one subscriber has all.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

/// Forgets those whose allowance is whole, and as many more as it takes to be half empty: those that have used least of it.
fn forget_half(whole_at: &mut HashMap<IpAddr, Timestamp>, now: Timestamp) {
    whole_at.retain(|_, whole_at| *whole_at > now);
    if whole_at.len() > CAPACITY / 2 {
        let mut times: Vec<Timestamp> = whole_at.values().copied().collect();
        times.sort_unstable();
        let middle = times.get(times.len() / 2).copied().unwrap_or(now);
        whole_at.retain(|_, whole_at| *whole_at > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn sc_19_13_an_address_gets_a_burst_and_then_one_by_one() {
        let meter = AddressMeter::new(Allowance { burst: 2, interval: Duration::from_secs(10) });
        let (one, other) = (address("192.0.2.1"), address("192.0.2.2"));
        assert!(meter.take(one, now()) && meter.take(one, now()) && !meter.has_some(one, now()));
        assert!(!meter.take(one, now()) && meter.take(other, now()) && meter.take(None, now()));
        let later = now().saturating_add(Duration::from_secs(10));
        assert!(!meter.take(one, later.saturating_sub(Duration::from_millis(1))));
        assert!(meter.has_some(one, later) && meter.take(one, later) && !meter.take(one, later));
    }

    #[test]
    fn sc_19_13_a_network_of_64_bits_is_one_client_and_so_is_a_mapped_address() {
        let meter = AddressMeter::new(Allowance { burst: 1, interval: Duration::from_secs(10) });
        assert!(meter.take(address("2001:db8::1"), now()) && !meter.take(address("2001:db8::2"), now()));
        assert!(meter.take(address("2001:db8:0:1::1"), now()));
        assert!(meter.take(address("192.0.2.1"), now()) && !meter.take(address("::ffff:192.0.2.1"), now()));
    }

    #[test]
    fn sc_19_13_memory_is_bounded_and_the_busiest_are_remembered() {
        let meter = AddressMeter::new(Allowance { burst: 2, interval: Duration::from_secs(10) });
        let busy = address("192.0.2.1");
        assert!(meter.take(busy, now()) && meter.take(busy, now()));
        for number in 0..40_000_u32 {
            meter.take(Some(IpAddr::V4((0x0a00_0000 | number).into())), now());
        }
        assert!(meter.whole_at.lock().unwrap().len() <= CAPACITY);
        assert!(!meter.take(busy, now()));
    }
}
