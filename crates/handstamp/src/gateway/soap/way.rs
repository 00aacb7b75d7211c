//! The way to the service behind a route: whole messages out, whole messages in.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use handstamp_secure_conversation::http::holds_message;
use http::header::{ACCEPT_ENCODING, CONTENT_LENGTH};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::sessions::CallError;
use super::wire;
use crate::Error;
use crate::admin::Metrics;
use crate::config::{SoapRoute, UpstreamProtocol};
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::gateway::telemetry::RequestTrace;
use crate::gateway::upstream::{Upstream, UpstreamSettings};

/// For whom a message is sent.
#[derive(Debug, Clone)]
pub(super) struct Behalf {
    pub(super) client: IpAddr,
    /// The trace that the request to the service belongs to, if there is one.
    pub(super) trace: Option<RequestTrace>,
}

/// The servers of one service.
#[derive(Debug)]
pub(super) struct Way {
    upstream: Upstream,
    target: PathAndQuery,
    limit: usize,
    idle: Duration,
    is_tls: bool,
    /// The servers of the token service that vouches for us.
    token_service: Option<Box<Self>>,
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
        let mut way = Self::to(&settings, route, metrics)?;
        if let Some(service) = &route.token_service {
            let name = format!("{name}.token_service");
            let (servers, tls, protocol) = (&service.url, &service.tls, UpstreamProtocol::Auto);
            let settings = UpstreamSettings { name: &name, servers, tls, protocol, health: None, ..settings };
            way.token_service = Some(Box::new(Self::to(&settings, route, metrics)?));
        }
        Ok(way)
    }

    fn to(settings: &UpstreamSettings<'_>, route: &SoapRoute, metrics: &Metrics) -> Result<Self, Error> {
        let servers = settings.servers.servers();
        let first = servers.first().and_then(|server| server.url.as_str().parse::<Uri>().ok());
        let target = first.and_then(|uri| uri.path_and_query().cloned());
        Ok(Self {
            upstream: Upstream::open(settings, metrics)?,
            target: target.unwrap_or(PathAndQuery::from_static("/")),
            limit: route.max_message_size.in_memory(),
            idle: route.idle_timeout,
            is_tls: servers.iter().all(|server| server.url.is_https()),
            token_service: None,
        })
    }

    /// The way to the token service of the route.
    pub(super) fn token_service(&self) -> Option<&Self> {
        self.token_service.as_deref()
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
        behalf: Behalf,
    ) -> Result<WayAnswer, Problem> {
        let message = message.into();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let length = message.len() as u64;
        let answer = self.pass(headers, Body::whole(message), Some(length), behalf).await?;
        self.whole(answer).await
    }

    /// Sends a message whose body may still be on its way, and waits for the head of the answer. An unknown length is told by HTTP
    /// as it goes.
    ///
    /// # Errors
    /// As [`post`](Self::post).
    pub(super) async fn pass(
        &self,
        mut headers: HeaderMap,
        body: Body,
        length: Option<u64>,
        behalf: Behalf,
    ) -> Result<Response<Body>, Problem> {
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.target.clone());
        *request.headers_mut() = headers;
        if let Some(trace) = behalf.trace {
            request.extensions_mut().insert(trace);
        }
        let answer = self.upstream.send(&mut request, behalf.client, false).await?;
        let lease = answer.lease;
        Ok(answer.response.map(|body| Body::response(body, self.idle, lease)))
    }

    /// Waits for all of an answer.
    ///
    /// # Errors
    /// It breaks off, or is too large.
    pub(super) async fn whole(&self, answer: Response<Body>) -> Result<WayAnswer, Problem> {
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, self.limit).collect().await.map_err(|error| {
            tracing::warn!(%error, limit = self.limit, "the answer of the service cannot be read");
            match error.is::<LengthLimitError>() {
                true => answer_too_large(),
                false => Problem::upstream_broken(),
            }
        })?;
        let body = wire::decompressed(&head.headers, body.to_bytes().into(), self.limit).map_err(|error| {
            tracing::warn!(error, "the answer of the service cannot be decompressed");
            Problem::upstream_broken()
        })?;
        Ok(WayAnswer { status: head.status, headers: head.headers, body })
    }
}

/// More than is held of one message.
fn answer_too_large() -> Problem {
    Problem::new(
        StatusCode::BAD_GATEWAY,
        "HST-SOAP-SIZE",
        "The answer is too large",
        "The service's answer is larger than the route's max_message_size allows.",
    )
}

impl WayAnswer {
    /// The SOAP message that the service answered with, as text.
    ///
    /// # Errors
    /// [`CallError::Status`]: it answered with something else.
    pub(super) fn message(self, limit: usize) -> Result<Vec<u8>, CallError> {
        let other = CallError::Status(self.status);
        let Some(format) = wire::Format::of(&self.headers) else { return Err(other) };
        match format.to_text(self.body, &self.headers, limit) {
            Ok(text) if holds_message(self.status, &text) => Ok(text),
            Ok(_) => Err(other),
            Err(error) => {
                tracing::warn!(error, "the service's answer cannot be read");
                Err(other)
            }
        }
    }
}
