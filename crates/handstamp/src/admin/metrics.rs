//! What the program counts, in the text format of Prometheus.
//!
//! What is counted on every request is an atomic number behind a handle that its place holds; no map is asked and no lock taken. Only
//! what happens rarely, such as rejections by code, goes through a lock.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use handstamp_time::{Clock, SystemClock, Timestamp};

use super::history::{History, Sample, Totals};
use super::rejections::{Rejection, Rejections};
use super::seen::SeenSessions;
use super::soap_metrics::SoapMetrics;
use crate::gateway::request_id::RequestId;

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Open connections, by listener.
    connections: Family<Gauge>,
    /// Requests, by route.
    routes: Family<RouteMetrics>,
    /// Servers of applications, by route and address.
    upstreams: Family<UpstreamMetrics>,
    /// Sign-ins and sessions, by federation.
    federations: Family<FederationMetrics>,
    /// Metadata, by issuer.
    metadata: Family<PublishedMetrics>,
    key_sets: Family<PublishedMetrics>,
    /// Secure sessions, by SOAP route.
    soap: Family<SoapMetrics>,
    /// Operations of the store, by name.
    store: Family<StoreMetrics>,
    /// Configurations taken over while running.
    pub reloads: Counter,
    /// Configurations that could not be taken over.
    pub failed_reloads: Counter,
    /// Lines that should be in the audit log and are not.
    pub audit_lost: Arc<Counter>,
    /// Spans that should be at the collector of traces and are not.
    pub spans_lost: Counter,
    /// Refused requests, cookies and tokens, by code.
    rejections: Rejections,
    /// The last day.
    history: History,
}

impl Metrics {
    /// The open connections of a listener.
    pub fn connections(&self, listener: &str) -> Arc<Gauge> {
        self.connections.of(listener, Gauge::default)
    }

    /// What is counted for a route.
    pub fn route(&self, route: &str) -> Arc<RouteMetrics> {
        self.routes.of(route, RouteMetrics::default)
    }

    /// What is counted for a server of a route's application.
    pub fn upstream(&self, route: &str, server: &str) -> Arc<UpstreamMetrics> {
        self.upstreams.of(&format!("{route} {server}"), UpstreamMetrics::default)
    }

    /// What is counted for a federation.
    pub fn federation(&self, federation: &str) -> Arc<FederationMetrics> {
        self.federations.of(federation, FederationMetrics::default)
    }

    /// The metadata of an issuer.
    pub fn metadata(&self, issuer: &str) -> Arc<PublishedMetrics> {
        self.metadata.of(issuer, PublishedMetrics::default)
    }

    /// The keys of an issuer's logout tokens.
    pub fn key_set(&self, issuer: &str) -> Arc<PublishedMetrics> {
        self.key_sets.of(issuer, PublishedMetrics::default)
    }

    /// What is counted for the secure sessions of a SOAP route.
    pub fn soap(&self, route: &str) -> Arc<SoapMetrics> {
        self.soap.of(route, SoapMetrics::default)
    }

    /// Each SOAP route and what is counted for it.
    pub fn each_soap(&self, visit: impl FnMut(&str, &SoapMetrics)) {
        self.soap.each(visit);
    }

    /// What is counted for an operation of the store.
    pub fn store(&self, operation: &str) -> Arc<StoreMetrics> {
        self.store.of(operation, StoreMetrics::default)
    }

    /// Counts a rejection.
    pub fn reject(&self, code: &'static str) {
        self.rejections.add(code, None);
    }

    /// Counts a rejection of a request.
    pub fn reject_request(&self, code: &'static str, client: IpAddr, request: RequestId) {
        self.rejections.add(code, Some((client, request)));
    }

    /// How often each code was given, and the last rejections, the latest first.
    pub fn rejections(&self) -> (BTreeMap<&'static str, u64>, Vec<Rejection>) {
        (self.rejections.counts(), self.rejections.latest())
    }

    /// Adds to the history what happened since the last time; to be called every [`History::INTERVAL`].
    pub fn sample(&self, now: Timestamp) {
        let mut active = 0;
        self.federations.each(|_, metrics| {
            let seen = metrics.seen.take();
            metrics.active.store(seen, Ordering::Relaxed);
            active += seen;
        });
        self.soap.each(|_, metrics| metrics.step());
        self.history.add(now, active, self.totals());
    }

    /// The last day, the oldest sample first; the last one is that of the step that still runs.
    pub fn history(&self, now: Timestamp) -> Vec<Sample> {
        let mut active = 0;
        self.federations.each(|_, metrics| active += metrics.seen.count());
        self.history.samples(now, active, self.totals())
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.federations.each(|_, metrics| {
            totals.sign_ins += metrics.sign_ins.value();
            totals.ends += metrics.sign_outs.value() + metrics.issuer_sign_outs.value() + metrics.expirations.value();
        });
        totals.rejections = self.rejections.counts().values().sum();
        totals
    }

    /// Each federation and what is counted for it.
    pub fn each_federation(&self, visit: impl FnMut(&str, &FederationMetrics)) {
        self.federations.each(visit);
    }

    /// The state of all counters.
    pub fn render(&self) -> String {
        let mut text = Exposition::default();
        text.family("handstamp_build_info", "gauge", "The version that runs.");
        text.sample("handstamp_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);

        text.family("handstamp_reloads_total", "counter", "Configurations read while running.");
        for (result, counter) in [("ok", &self.reloads), ("failed", &self.failed_reloads)] {
            text.sample("handstamp_reloads_total", &[("result", result)], counter.value());
        }
        text.family("handstamp_audit_lost_total", "counter", "Lines that could not be written to the audit log.");
        text.sample("handstamp_audit_lost_total", &[], self.audit_lost.value());
        text.family("handstamp_spans_lost_total", "counter", "Spans that the collector of traces did not take.");
        text.sample("handstamp_spans_lost_total", &[], self.spans_lost.value());
        text.family("handstamp_connections", "gauge", "Open connections.");
        self.connections.each(|listener, gauge| {
            text.sample("handstamp_connections", &[("listener", listener)], gauge.value());
        });
        self.render_routes(&mut text);
        self.render_upstreams(&mut text);
        self.render_federations(&mut text);

        SoapMetrics::render(&self.soap, &mut text);
        self.render_issuers(&mut text);
        text.family("handstamp_store_seconds", "histogram", "Time an operation of the store took.");
        self.store.each(|operation, metrics| {
            text.histogram("handstamp_store_seconds", &[("operation", operation)], &metrics.seconds);
        });
        text.family("handstamp_store_failures_total", "counter", "Operations that the store did not do.");
        self.store.each(|operation, metrics| {
            text.sample("handstamp_store_failures_total", &[("operation", operation)], metrics.failures.value());
        });
        text.family("handstamp_rejections_total", "counter", "Refused requests, cookies and tokens.");
        for (code, count) in self.rejections.counts() {
            text.sample("handstamp_rejections_total", &[("code", code)], count);
        }
        text.0
    }

    fn render_routes(&self, text: &mut Exposition) {
        text.family("handstamp_requests_total", "counter", "Requests answered.");
        self.routes.each(|route, metrics| {
            for (class, counter) in ["1xx", "2xx", "3xx", "4xx", "5xx"].iter().zip(&metrics.by_class) {
                text.sample("handstamp_requests_total", &[("route", route), ("status", class)], counter.value());
            }
        });
        text.family("handstamp_requests_in_flight", "gauge", "Requests whose answer has not begun.");
        self.routes.each(|route, metrics| {
            text.sample("handstamp_requests_in_flight", &[("route", route)], metrics.in_flight.value());
        });
        text.family("handstamp_request_seconds", "histogram", "Time until an answer began.");
        self.routes.each(|route, metrics| {
            text.histogram("handstamp_request_seconds", &[("route", route)], &metrics.seconds);
        });
    }

    fn render_upstreams(&self, text: &mut Exposition) {
        let name = "handstamp_upstream_well";
        text.family(name, "gauge", "Whether health checks find a server well.");
        self.upstreams.each(|upstream, metrics| {
            text.sample(name, &[("upstream", upstream)], u8::from(!metrics.unwell.load(Ordering::Relaxed)));
        });
        let name = "handstamp_upstream_failures_total";
        text.family(name, "counter", "Requests that a server did not answer.");
        self.upstreams.each(|upstream, metrics| {
            text.sample(name, &[("upstream", upstream)], metrics.failures.value());
        });
        let name = "handstamp_upstream_retries_total";
        text.family(name, "counter", "Requests that were sent again after a server did not answer.");
        self.upstreams.each(|upstream, metrics| {
            text.sample(name, &[("upstream", upstream)], metrics.retries.value());
        });
    }

    fn render_issuers(&self, text: &mut Exposition) {
        let now = SystemClock.now();
        for (family, age, age_help, refreshes, help) in [
            (
                &self.metadata,
                "handstamp_metadata_age_seconds",
                "Time since an issuer's metadata was last found good.",
                "handstamp_metadata_refreshes_total",
                "Looks at an issuer's metadata.",
            ),
            (
                &self.key_sets,
                "handstamp_key_set_age_seconds",
                "Time since the keys of an issuer's logout tokens were last found good.",
                "handstamp_key_set_refreshes_total",
                "Looks at the keys of an issuer's logout tokens.",
            ),
        ] {
            text.family(age, "gauge", age_help);
            family.each(|issuer, metrics| {
                // Without any, there is no age.
                if let Some(at) = metrics.found_good() {
                    text.sample(age, &[("issuer", issuer)], now.saturating_duration_since(at).as_secs());
                }
            });
            text.family(refreshes, "counter", help);
            family.each(|issuer, metrics| {
                for (result, counter) in [("ok", &metrics.refreshes), ("failed", &metrics.failures)] {
                    text.sample(refreshes, &[("issuer", issuer), ("result", result)], counter.value());
                }
            });
        }
    }

    fn render_federations(&self, text: &mut Exposition) {
        for Named { name, help, counter } in FederationMetrics::COUNTERS {
            text.family(name, "counter", help);
            self.federations.each(|federation, metrics| {
                text.sample(name, &[("federation", federation)], counter(metrics).value());
            });
        }
        let name = "handstamp_sessions_active";
        text.family(name, "gauge", "Sessions seen in the last full five minutes, estimated.");
        self.federations.each(|federation, metrics| {
            text.sample(name, &[("federation", federation)], metrics.active.load(Ordering::Relaxed));
        });
        let name = "handstamp_session_bytes";
        text.family(name, "histogram", "Size of session tokens when written, sealed, in bytes.");
        self.federations.each(|federation, metrics| {
            text.histogram(name, &[("federation", federation)], &metrics.bytes);
        });
    }
}

/// What is counted for a route.
#[derive(Debug)]
pub struct RouteMetrics {
    by_class: [Counter; 5],
    in_flight: Gauge,
    seconds: Histogram,
}

impl Default for RouteMetrics {
    fn default() -> Self {
        Self { by_class: Default::default(), in_flight: Gauge::default(), seconds: Histogram::of_seconds() }
    }
}

impl RouteMetrics {
    /// Requests whose answer has not begun.
    pub fn in_flight(&self) -> &Gauge {
        &self.in_flight
    }

    /// Counts an answer that began after `elapsed`.
    pub fn answered(&self, status: http::StatusCode, elapsed: Duration) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(counter) = self.by_class.get(class.wrapping_sub(1)) {
            counter.add();
        }
        self.seconds.observe(elapsed.as_secs_f64());
    }
}

/// What is counted for something that an issuer publishes.
#[derive(Debug, Default)]
pub struct PublishedMetrics {
    /// How often it was fetched and held.
    pub refreshes: Counter,
    /// How often it could not be fetched, or did not hold.
    pub failures: Counter,
    /// When it was last fetched and held, in seconds of Unix time; 0 before.
    pub fetched_at: Gauge,
}

impl PublishedMetrics {
    /// When it was last found good, if ever.
    pub fn found_good(&self) -> Option<Timestamp> {
        Some(self.fetched_at.value()).filter(|at| *at > 0).and_then(Timestamp::from_unix_seconds)
    }
}

/// What is counted for an operation of the store.
#[derive(Debug)]
pub struct StoreMetrics {
    /// How long it takes.
    pub seconds: Histogram,
    /// How often the store fails, or does not answer in time.
    pub failures: Counter,
}

impl Default for StoreMetrics {
    fn default() -> Self {
        Self { seconds: Histogram::of_seconds(), failures: Counter::default() }
    }
}

/// What is counted for a server of an application.
#[derive(Debug, Default)]
pub struct UpstreamMetrics {
    /// Whether health checks find it unwell.
    pub unwell: AtomicBool,
    /// Requests it did not answer.
    pub failures: Counter,
    /// Of those, the ones sent again.
    pub retries: Counter,
}

/// What is counted for a federation.
#[derive(Debug)]
pub struct FederationMetrics {
    /// Browsers sent to the issuer.
    pub challenges: Counter,
    /// Sessions begun.
    pub sign_ins: Counter,
    /// Sessions extended because they were used.
    pub slides: Counter,
    /// Sessions that arrived in another format than the one that is written.
    pub take_overs: Counter,
    /// Sessions too large for cookies.
    pub overflows: Counter,
    /// Sessions ended by their users.
    pub sign_outs: Counter,
    /// Sessions ended by the issuer.
    pub issuer_sign_outs: Counter,
    /// Sessions found expired.
    pub expirations: Counter,
    /// Sizes of session tokens, in bytes.
    pub bytes: Histogram,
    /// Sessions that requests came with.
    pub seen: SeenSessions,
    /// How many those were, in the last full interval of the history.
    pub active: AtomicU64,
}

impl FederationMetrics {
    const COUNTERS: [Named; 8] = [
        Named::new("handstamp_challenges_total", "Browsers sent to the issuer.", |metrics| &metrics.challenges),
        Named::new("handstamp_sign_ins_total", "Sessions begun.", |metrics| &metrics.sign_ins),
        Named::new("handstamp_sessions_slid_total", "Sessions extended because they were used.", |metrics| {
            &metrics.slides
        }),
        Named::new("handstamp_sessions_taken_over_total", "Sessions taken over from another format.", |metrics| {
            &metrics.take_overs
        }),
        Named::new(
            "handstamp_sessions_overflowed_total",
            "Sessions too large for cookies, kept in the store.",
            |metrics| &metrics.overflows,
        ),
        Named::new("handstamp_sign_outs_total", "Sessions ended by their users.", |metrics| &metrics.sign_outs),
        Named::new("handstamp_issuer_sign_outs_total", "Sessions ended by the issuer.", |metrics| {
            &metrics.issuer_sign_outs
        }),
        Named::new("handstamp_sessions_expired_total", "Sessions found expired.", |metrics| &metrics.expirations),
    ];
}

/// A counter of a federation, and what it is called.
struct Named {
    name: &'static str,
    help: &'static str,
    counter: fn(&FederationMetrics) -> &Counter,
}

impl Named {
    const fn new(name: &'static str, help: &'static str, counter: fn(&FederationMetrics) -> &Counter) -> Self {
        Self { name, help, counter }
    }
}

impl Default for FederationMetrics {
    fn default() -> Self {
        Self {
            challenges: Counter::default(),
            sign_ins: Counter::default(),
            slides: Counter::default(),
            take_overs: Counter::default(),
            overflows: Counter::default(),
            sign_outs: Counter::default(),
            issuer_sign_outs: Counter::default(),
            expirations: Counter::default(),
            bytes: Histogram::new(&[128.0, 256.0, 512.0, 1024.0, 2048.0, 4096.0, 8192.0]),
            seen: SeenSessions::default(),
            active: AtomicU64::new(0),
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// So many more.
    pub fn add_many(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// One more, until the guard is dropped.
    pub fn enter(&self) -> Entered<'_> {
        self.change(1);
        Entered(self)
    }

    /// Exactly so many.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// More or fewer.
    pub fn change(&self, by: i64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    /// How many.
    pub fn value(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One that is counted in a [`Gauge`] as long as this lives.
#[derive(Debug)]
pub struct Entered<'g>(&'g Gauge);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.change(-1);
    }
}

/// How often a value fell below each of some bounds.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [f64],
    /// One for each bound, one for what is above all; each counts its own range only.
    buckets: Box<[AtomicU64]>,
    /// In millionths, so that it fits an integer.
    sum: AtomicU64,
}

impl Histogram {
    /// A histogram with these bounds, in ascending order.
    pub fn new(bounds: &'static [f64]) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self { bounds, buckets, sum: AtomicU64::new(0) }
    }

    /// A histogram of durations, from half a millisecond to ten seconds.
    pub fn of_seconds() -> Self {
        Self::new(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
    }

    /// Counts a value, not negative.
    pub fn observe(&self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    /// Each range's upper bound, none for the last, and how many values fell into it.
    pub fn ranges(&self) -> impl Iterator<Item = (Option<f64>, u64)> {
        let bounds = self.bounds.iter().copied().map(Some).chain([None]);
        bounds.zip(&self.buckets).map(|(bound, bucket)| (bound, bucket.load(Ordering::Relaxed)))
    }
}

/// Metrics of one kind, by the value of their label.
#[derive(Debug)]
pub(super) struct Family<M>(Mutex<BTreeMap<String, Arc<M>>>);

impl<M> Default for Family<M> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<M> Family<M> {
    fn of(&self, label: &str, make: impl FnOnce() -> M) -> Arc<M> {
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(members.entry(label.to_owned()).or_insert_with(|| Arc::new(make())))
    }

    pub(super) fn each(&self, mut visit: impl FnMut(&str, &M)) {
        for (label, metrics) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            visit(label, metrics);
        }
    }
}

/// The text format of Prometheus. Writing into a `String` does not fail.
#[derive(Default)]
pub(super) struct Exposition(String);

impl Exposition {
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.0.push(if index == 0 { '{' } else { ',' });
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    pub(super) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let mut below = 0;
        for (index, bucket) in histogram.buckets.iter().enumerate() {
            below += bucket.load(Ordering::Relaxed);
            let bound = histogram.bounds.get(index).map_or_else(|| "+Inf".to_owned(), f64::to_string);
            let labels: Vec<(&str, &str)> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &labels, below);
        }
        self.sample(&format!("{name}_sum"), labels, histogram.sum.load(Ordering::Relaxed) as f64 / 1e6);
        self.sample(&format!("{name}_count"), labels, below);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_rendered_in_the_text_format() {
        let metrics = Metrics::default();
        let route = metrics.route("a\"b");
        route.answered(http::StatusCode::OK, Duration::from_millis(3));
        route.answered(http::StatusCode::BAD_GATEWAY, Duration::from_secs(60));
        metrics.federation("shop").sign_ins.add();
        metrics.reject("ID4243");
        metrics.reject("ID4243");
        let text = metrics.render();
        for line in [
            "# TYPE handstamp_requests_total counter",
            "handstamp_requests_total{route=\"a\\\"b\",status=\"2xx\"} 1",
            "handstamp_requests_total{route=\"a\\\"b\",status=\"5xx\"} 1",
            "handstamp_request_seconds_bucket{route=\"a\\\"b\",le=\"0.0025\"} 0",
            "handstamp_request_seconds_bucket{route=\"a\\\"b\",le=\"0.005\"} 1",
            "handstamp_request_seconds_bucket{route=\"a\\\"b\",le=\"10\"} 1",
            "handstamp_request_seconds_bucket{route=\"a\\\"b\",le=\"+Inf\"} 2",
            "handstamp_request_seconds_sum{route=\"a\\\"b\"} 60.003",
            "handstamp_request_seconds_count{route=\"a\\\"b\"} 2",
            "handstamp_sign_ins_total{federation=\"shop\"} 1",
            "handstamp_rejections_total{code=\"ID4243\"} 2",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&[1.0, 2.0]);
        histogram.observe(1.0);
        let mut text = Exposition::default();
        text.histogram("h", &[], &histogram);
        assert!(text.0.starts_with("h_bucket{le=\"1\"} 1\n"), "{}", text.0);
    }

    #[test]
    fn a_gauge_counts_what_lives() {
        let gauge = Gauge::default();
        let (one, two) = (gauge.enter(), gauge.enter());
        assert_eq!(gauge.value(), 2);
        drop((one, two));
        assert_eq!(gauge.value(), 0);
    }
}
