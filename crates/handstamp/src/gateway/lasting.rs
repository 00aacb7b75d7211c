//! What goes on when the configuration changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::rate_limit::RateLimiter;
use super::soap::LiveSessions;
use super::upstream::{Upstream, UpstreamSettings};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{RateLimit, UpstreamTls, WebRoute};

/// What a configuration leaves to the next one: sessions, counts of clients, connections, and how servers do. Whatever is not taken
/// over is dropped with the last request that uses it.
#[derive(Default)]
pub(super) struct Lasting {
    pub(super) soap: LiveSessions,
    limiters: BTreeMap<String, RateLimiter>,
    upstreams: BTreeMap<String, (WebRoute, Arc<Upstream>)>,
}

impl Lasting {
    /// The limiter of a route, in `self`; it remembers the clients that it counted in `before`.
    pub(super) fn limiter(&mut self, before: &Self, route: &str, settings: Option<&RateLimit>) -> Option<RateLimiter> {
        let settings = settings?;
        let limiter = match before.limiters.get(route) {
            Some(limiter) => limiter.with_settings(settings),
            None => RateLimiter::new(settings),
        };
        self.limiters.insert(route.to_owned(), limiter.clone());
        Some(limiter)
    }

    /// The way to the application of a route, in `self`. It is that of `before` where nothing about it changed; one that reads files
    /// is made anew, because they may have.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn upstream(
        &mut self,
        before: &Self,
        route: &str,
        settings: &WebRoute,
        metrics: &Metrics,
    ) -> Result<Arc<Upstream>, Error> {
        let wanted = UpstreamSettings::of(route, settings);
        let upstream = match before.upstreams.get(route) {
            Some((old, upstream)) if UpstreamSettings::of(route, old) == wanted && !reads_files(wanted.tls) => {
                Arc::clone(upstream)
            }
            _ => Arc::new(Upstream::open(&wanted, metrics)?),
        };
        self.upstreams.insert(route.to_owned(), (settings.clone(), Arc::clone(&upstream)));
        Ok(upstream)
    }
}

fn reads_files(tls: &UpstreamTls) -> bool {
    !tls.authorities.is_empty() || tls.certificate.is_some() || tls.key.is_some()
}
