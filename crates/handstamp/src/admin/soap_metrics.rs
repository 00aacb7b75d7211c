//! What is counted on SOAP routes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::metrics::{Counter, Exposition, Family, Histogram};
use super::seen::SeenSessions;

/// What is counted for a SOAP route: of sessions that clients have with us (`terminate`), or that we have with the service (`initiate`).
#[derive(Debug)]
pub struct SoapMetrics {
    /// Sessions that were issued or obtained.
    pub issued: Counter,
    /// Keys of sessions that were renewed.
    pub renewed: Counter,
    /// Sessions that their clients cancelled.
    pub cancelled: Counter,
    /// Messages of applications that were passed on.
    pub messages: Counter,
    /// Sessions that messages came in.
    pub seen: SeenSessions,
    active: AtomicU64,
    faults: Mutex<BTreeMap<String, u64>>,
    upstream: Histogram,
}

impl Default for SoapMetrics {
    fn default() -> Self {
        Self {
            issued: Counter::default(),
            renewed: Counter::default(),
            cancelled: Counter::default(),
            messages: Counter::default(),
            seen: SeenSessions::default(),
            active: AtomicU64::new(0),
            faults: Mutex::default(),
            upstream: Histogram::of_seconds(),
        }
    }
}

impl SoapMetrics {
    /// Counts a fault that callers are told. There are few reasons, and nobody outside invents one.
    pub fn fault(&self, reason: &str) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        match faults.get_mut(reason) {
            Some(count) => *count += 1,
            None => drop(faults.insert(reason.to_owned(), 1)),
        }
    }

    /// How often each reason was told.
    pub fn faults(&self) -> BTreeMap<String, u64> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts how long the service took to answer.
    pub fn answered(&self, elapsed: Duration) {
        self.upstream.observe(elapsed.as_secs_f64());
    }

    /// Sessions in use lately, about.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed).max(self.seen.count())
    }

    /// A step of the history is over.
    pub(super) fn step(&self) {
        self.active.store(self.seen.take(), Ordering::Relaxed);
    }

    /// All routes, for Prometheus.
    pub(super) fn render(routes: &Family<Self>, text: &mut Exposition) {
        let name = "handstamp_soap_sessions_total";
        text.family(name, "counter", "Secure sessions issued or obtained, renewed and cancelled.");
        routes.each(|route, metrics| {
            for (what, counter) in
                [("issued", &metrics.issued), ("renewed", &metrics.renewed), ("cancelled", &metrics.cancelled)]
            {
                text.sample(name, &[("route", route), ("event", what)], counter.value());
            }
        });
        let name = "handstamp_soap_sessions_active";
        text.family(name, "gauge", "Secure sessions with messages in the last full five minutes, estimated.");
        routes.each(|route, metrics| {
            text.sample(name, &[("route", route)], metrics.active.load(Ordering::Relaxed));
        });
        let name = "handstamp_soap_messages_total";
        text.family(name, "counter", "Messages of applications passed on to a service.");
        routes.each(|route, metrics| text.sample(name, &[("route", route)], metrics.messages.value()));
        let name = "handstamp_soap_faults_total";
        text.family(name, "counter", "Faults that callers were told, by reason.");
        routes.each(|route, metrics| {
            for (reason, count) in metrics.faults() {
                text.sample(name, &[("route", route), ("reason", &reason)], count);
            }
        });
        let name = "handstamp_soap_upstream_seconds";
        text.family(name, "histogram", "Time until the service's answer was there as a whole.");
        routes.each(|route, metrics| text.histogram(name, &[("route", route)], &metrics.upstream));
    }
}
