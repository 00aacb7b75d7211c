//! Sending spans to the collector.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::otlp::{Span, document};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{Balance, BalanceStrategy, Telemetry, UpstreamProtocol};
use crate::gateway::body::Body;
use crate::gateway::upstream::{Upstream, UpstreamSettings};

/// Sends spans until nobody makes any more.
pub(in crate::gateway) struct Exporter {
    spans: mpsc::Receiver<Span>,
    collector: Upstream,
    target: PathAndQuery,
    service_name: String,
    metrics: Arc<Metrics>,
    /// Whether the collector did not take the last ones, which has been said then.
    fails: bool,
}

/// Most spans in one request.
const MOST: usize = 512;
/// How long the first of them waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a collector has to say.
const MAX_ANSWER: usize = 64 << 10;

impl Exporter {
    pub(super) fn open(
        settings: &Telemetry,
        spans: mpsc::Receiver<Span>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Error> {
        let balance = Balance {
            strategy: BalanceStrategy::LeastRequests,
            max_requests: 1,
            eject_after: 5,
            eject_for: PATIENCE,
            retries: 1,
            retry_budget: 100,
        };
        let collector = UpstreamSettings {
            name: "telemetry",
            servers: &settings.collector,
            protocol: UpstreamProtocol::Http1,
            tls: &settings.tls,
            balance: &balance,
            health: None,
            connect_timeout: PATIENCE,
            response_timeout: PATIENCE,
        };
        let first = settings.collector.servers().first().and_then(|server| server.url.as_str().parse::<Uri>().ok());
        let target = first.and_then(|url| url.path_and_query().cloned()).filter(|path| path != "/");
        Ok(Self {
            spans,
            collector: Upstream::open(&collector, metrics)?,
            target: target.unwrap_or(PathAndQuery::from_static("/v1/traces")),
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
            let sent =
                timeout(PATIENCE, self.send(&batch)).await.unwrap_or_else(|_| Err("it takes too long".to_owned()));
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
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *request.body_mut() = Body::whole(body);
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let answer = self.collector.send(request, nobody, false).await.map_err(|problem| problem.code().to_owned())?;
        let (head, body) = answer.response.into_parts();
        // Read, so that the connection can be used again.
        let body = Limited::new(Body::response(body, PATIENCE, answer.lease), MAX_ANSWER).collect().await;
        body.map_err(|error| error.to_string())?;
        if head.status.is_success() { Ok(()) } else { Err(format!("status {}", head.status)) }
    }
}
