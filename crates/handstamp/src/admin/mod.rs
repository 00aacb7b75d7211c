//! The admin listener: is it alive, is it ready, what does it count.
//!
//! | Path | Answer |
//! |---|---|
//! | `/healthz` | 200 as long as the process can answer |
//! | `/readyz` | 200 when requests should be sent here; 503 with the reasons while it ends, or while something it needs is missing |
//! | `/reload` | on POST, reads the configuration file again: 200, or 422 with what is wrong, and nothing changed |
//! | `/metrics` | counters in the text format of Prometheus |
//! | everything else | the page for operators, where the configuration says who they are |

mod history;
mod metrics;
mod rejections;
mod seen;
mod soap_metrics;

use std::sync::Arc;

use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

pub use history::{History, Sample};
pub use metrics::{
    Counter, Entered, FederationMetrics, Gauge, Histogram, Metrics, PublishedMetrics, RouteMetrics, StoreMetrics,
    UpstreamMetrics,
};
pub use rejections::Rejection;
pub use seen::SeenSessions;
pub use soap_metrics::SoapMetrics;

use crate::gateway::Reloader;
use crate::gateway::body::Body;
use crate::gateway::server::{Connection, Handler};

/// Why no requests should be sent here; asked on every `/readyz`.
pub trait Readiness: Send + Sync + 'static {
    /// The reason, in a few words without secrets; none when everything is fine.
    fn obstacle(&self) -> Option<String>;
}

/// Answers on the admin listener.
pub(crate) struct Admin<P> {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Vec<Box<dyn Readiness>>,
    pub(crate) reloader: Reloader,
    /// What answers everything else.
    pub(crate) page: Option<Arc<P>>,
}

impl<P> Admin<P> {
    fn answer(&self, method: &Method, path: &str) -> Response<Body> {
        let answer = match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => {
                let obstacles: Vec<String> = self.readiness.iter().filter_map(|check| check.obstacle()).collect();
                if obstacles.is_empty() {
                    text(StatusCode::OK, "ready\n")
                } else {
                    text(StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n")
                }
            }
            "/metrics" => text(StatusCode::OK, self.metrics.render()),
            _ => {
                let there = "nothing here: try /healthz, /readyz or /metrics; for a page, set admin.federation\n";
                return text(StatusCode::NOT_FOUND, there);
            }
        };
        if matches!(*method, Method::GET | Method::HEAD) {
            return answer;
        }
        let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        refusal
    }
}

impl<P> Admin<P> {
    /// Reads the configuration file again. No page of another site may ask for that through somebody's browser.
    async fn reload(&self, method: &Method, headers: &HeaderMap) -> Response<Body> {
        if *method != Method::POST {
            let mut refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
            refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return refusal;
        }
        if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
            return text(StatusCode::FORBIDDEN, "not from a browser: try curl -X POST\n");
        }
        match self.reloader.reload_file().await {
            Ok(()) => text(StatusCode::OK, "the configuration was taken over\n"),
            Err(error) => text(StatusCode::UNPROCESSABLE_ENTITY, format!("nothing changed:\n{error}\n")),
        }
    }
}

impl<P: Handler> Handler for Admin<P> {
    async fn handle(&self, request: &mut Request<Body>, connection: &Connection) -> Response<Body> {
        match (request.uri().path(), &self.page) {
            ("/reload", _) => self.reload(request.method(), request.headers()).await,
            ("/healthz" | "/readyz" | "/metrics", _) | (_, None) => self.answer(request.method(), request.uri().path()),
            (_, Some(page)) => page.handle(request, connection).await,
        }
    }
}

fn text(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::whole(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
