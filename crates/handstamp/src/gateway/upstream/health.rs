//! Asking servers whether they are well.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request};
use tokio::task::JoinSet;

use super::balance::Server;
use crate::config::HealthCheck;
use crate::gateway::body::Body;

/// Asks every server, until this is dropped.
#[derive(Debug)]
pub(super) struct Checks {
    _running: JoinSet<()>,
}

impl Checks {
    pub(super) fn start(servers: &[Arc<Server>], settings: &HealthCheck) -> Self {
        let mut running = JoinSet::new();
        for server in servers {
            running.spawn(Check { server: Arc::clone(server), settings: settings.clone() }.run());
        }
        Self { _running: running }
    }
}

struct Check {
    server: Arc<Server>,
    settings: HealthCheck,
}

impl Check {
    async fn run(self) {
        let mut ticks = tokio::time::interval(self.settings.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // How often in a row it was not as it is thought to be.
        let mut surprises = 0;
        loop {
            ticks.tick().await;
            let unwell = self.server.unwell.load(Ordering::Relaxed);
            let asked = tokio::time::timeout(self.settings.timeout, self.ask()).await;
            let found_unwell = !asked.unwrap_or(false);
            surprises = if found_unwell == unwell { 0 } else { surprises + 1 };
            let enough = if unwell { self.settings.healthy_after } else { self.settings.unhealthy_after };
            if surprises >= enough {
                surprises = 0;
                self.server.unwell.store(found_unwell, Ordering::Relaxed);
                self.server.metrics.unwell.store(found_unwell, Ordering::Relaxed);
                if found_unwell {
                    tracing::warn!(server = ?self.server.host, "the server is unwell and gets no requests");
                } else {
                    tracing::info!(server = ?self.server.host, "the server is well and gets requests");
                }
            }
        }
    }

    async fn ask(&self) -> bool {
        let mut request = Request::new(Body::empty());
        let Ok(target) = self.settings.path.as_str().parse() else { return false };
        *request.uri_mut() = target;
        request.headers_mut().insert(HOST, self.server.host.clone());
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("handstamp-health"));
        match self.server.connections.send(&mut request, false).await {
            Ok(answer) => answer.response.status().as_u16() < 400,
            Err(_) => false,
        }
    }
}
