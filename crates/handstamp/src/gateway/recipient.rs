//! Those whom the gateway itself has something to tell: a collector of traces, relying parties of the token service.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::body::Body;
use super::upstream::{Upstream, UpstreamSettings};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{Balance, BalanceStrategy, UpstreamProtocol, UpstreamTls, Upstreams};

/// An address, with all servers that stand for it.
pub(super) struct Recipient {
    servers: Upstream,
    target: PathAndQuery,
}

/// How long a recipient may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// More than a recipient has to say.
const MAX_ANSWER: usize = 64 << 10;

impl Recipient {
    /// At most `at_once` messages are under way to one server. With `again`, what certainly did not arrive is sent once more.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(
        name: &str,
        servers: &Upstreams,
        tls: &UpstreamTls,
        at_once: u32,
        again: bool,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let (retries, retry_budget) = if again { (1, 100) } else { (0, 0) };
        let strategy = BalanceStrategy::LeastRequests;
        let (max_requests, eject_for) = (at_once, PATIENCE);
        let balance = Balance { strategy, max_requests, eject_after: 5, eject_for, retries, retry_budget };
        let settings = UpstreamSettings {
            name,
            servers,
            protocol: UpstreamProtocol::Http1,
            tls,
            balance: &balance,
            health: None,
            connect_timeout: PATIENCE,
            response_timeout: PATIENCE,
        };
        let first = servers.servers().first().and_then(|server| server.url.as_str().parse::<Uri>().ok());
        let target = first.and_then(|url| url.path_and_query().cloned());
        let target = target.unwrap_or(PathAndQuery::from_static("/"));
        Ok(Self { servers: Upstream::open(&settings, metrics)?, target })
    }

    /// The same where its address says no path.
    pub(super) fn at(mut self, path: &'static str) -> Self {
        if self.target == "/" {
            self.target = PathAndQuery::from_static(path);
        }
        self
    }

    /// Posts `body`; what the recipient says to it is its status alone.
    ///
    /// # Errors
    /// Why there is no answer, for the log.
    pub(super) async fn post(&self, content_type: &'static str, body: impl Into<Bytes>) -> Result<StatusCode, String> {
        let posted = timeout(PATIENCE, self.exchange(content_type, body.into())).await;
        posted.unwrap_or_else(|_| Err("it takes too long".to_owned()))
    }

    async fn exchange(&self, content_type: &'static str, body: Bytes) -> Result<StatusCode, String> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.clone());
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *request.body_mut() = Body::whole(body);
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let answer =
            self.servers.send(&mut request, nobody, false).await.map_err(|problem| problem.code().to_owned())?;
        let (head, body) = answer.response.into_parts();
        // Read, so that the connection can be used again.
        let body = Limited::new(Body::response(body, PATIENCE, answer.lease), MAX_ANSWER).collect().await;
        body.map_err(|error| error.to_string())?;
        Ok(head.status)
    }
}
