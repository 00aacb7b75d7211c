//! The way to the service behind a route: whole messages out, whole messages in.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};

use super::wire;
use crate::Error;
use crate::admin::Metrics;
use crate::config::SoapRoute;
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::gateway::upstream::{Upstream, UpstreamSettings};

/// The servers of one service.
#[derive(Debug)]
pub(super) struct Way {
    upstream: Upstream,
    target: PathAndQuery,
    limit: usize,
    idle: Duration,
    is_tls: bool,
}

/// What a service answered.
#[derive(Debug)]
pub(super) struct WayAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Not compressed any more.
    pub(super) body: Vec<u8>,
}

impl Way {
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(name: &str, route: &SoapRoute, metrics: &Metrics) -> Result<Self, Error> {
        let settings = UpstreamSettings {
            name,
            servers: &route.upstream,
            protocol: route.upstream_protocol,
            tls: &route.upstream_tls,
            balance: &route.balance,
            health: route.health.as_ref(),
            connect_timeout: route.connect_timeout,
            response_timeout: route.response_timeout,
        };
        let first = route.upstream.servers().first().and_then(|server| server.url.as_str().parse::<Uri>().ok());
        let target = first.and_then(|uri| uri.path_and_query().cloned());
        Ok(Self {
            upstream: Upstream::open(&settings, metrics)?,
            target: target.unwrap_or(PathAndQuery::from_static("/")),
            limit: route.max_message_size.in_memory(),
            idle: route.idle_timeout,
            is_tls: route.upstream.servers().iter().all(|server| server.url.is_https()),
        })
    }

    /// Whether all servers are reached over TLS, so that what answers is the service.
    pub(super) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// The size of a message, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Sends a message, and waits for all of the answer. Nothing that was sent is sent again.
    ///
    /// # Errors
    /// What the client may know when there is no answer.
    pub(super) async fn post(
        &self,
        mut headers: HeaderMap,
        message: impl Into<Bytes>,
        client: IpAddr,
    ) -> Result<WayAnswer, Problem> {
        let message = message.into();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(message.len()));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let mut request = Request::new(Body::whole(message));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.clone());
        *request.headers_mut() = headers;
        let answer = self.upstream.send(request, client, false).await?;
        let (head, body) = answer.response.into_parts();
        let body = Limited::new(Body::response(body, self.idle, answer.lease), self.limit).collect().await;
        let body = body.map_err(|error| {
            tracing::warn!(%error, "the answer of the service cannot be read");
            Problem::upstream_broken()
        })?;
        let body = wire::decompressed(&head.headers, body.to_bytes().into(), self.limit).map_err(|error| {
            tracing::warn!(error, "the answer of the service cannot be decompressed");
            Problem::upstream_broken()
        })?;
        Ok(WayAnswer { status: head.status, headers: head.headers, body })
    }
}
