//! Sending spans to the collector.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::otlp::{Span, document};
use crate::Error;
use crate::admin::Metrics;
use crate::config::Telemetry;
use crate::gateway::recipient::Recipient;

/// Sends spans until nobody makes any more.
pub(in crate::gateway) struct Exporter {
    spans: mpsc::Receiver<Span>,
    collector: Recipient,
    service_name: String,
    metrics: Arc<Metrics>,
    /// Whether the collector did not take the last ones, which has been said then.
    fails: bool,
}

/// Most spans in one request.
const MOST: usize = 512;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);

impl Exporter {
    pub(super) fn open(
        settings: &Telemetry,
        spans: mpsc::Receiver<Span>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Error> {
        let collector = Recipient::open("telemetry", &settings.collector, &settings.tls, 1, true, metrics)?;
        Ok(Self {
            spans,
            collector: collector.at("/v1/traces"),
            service_name: settings.service_name.clone(),
            metrics: Arc::clone(metrics),
            fails: false,
        })
    }

    pub(in crate::gateway) async fn run(mut self) {
        let mut batch = Vec::new();
        while self.spans.recv_many(&mut batch, MOST).await > 0 {
            let more = async {
                loop {
                    let room = MOST - batch.len();
                    if room == 0 || self.spans.recv_many(&mut batch, room).await == 0 {
                        return;
                    }
                }
            };
            // Out of time or not, there are some.
            let _ = timeout(GATHER, more).await;
            let sent = self.send(&batch).await;
            if let Err(error) = &sent {
                self.metrics.spans_lost.add_many(batch.len() as u64);
                if !self.fails {
                    tracing::warn!(error, "the collector of traces does not take spans; they are dropped");
                }
            }
            self.fails = sent.is_err();
            batch.clear();
        }
    }

    async fn send(&self, spans: &[Span]) -> Result<(), String> {
        let body = document(&self.service_name, spans);
        let status = self.collector.post("application/json", body).await?;
        if status.is_success() { Ok(()) } else { Err(format!("status {status}")) }
    }
}
