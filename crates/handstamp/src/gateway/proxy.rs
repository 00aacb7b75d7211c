//! Passing a request on to the application and its answer back.

use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;

use super::body::Body;
use super::forwarding::{prepare_request, remove_hop_by_hop};
use super::origin::Origin;
use super::problem::Problem;
use super::request_id::{self, RequestId};
use super::session_life::SessionLife;
use super::upstream::{Upstream, UpstreamSettings};
use super::websocket::{Handshake, Terms};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{HostHeader, WebRoute};

/// One application behind the gateway.
#[derive(Debug)]
pub(super) struct Proxy {
    upstream: Upstream,
    host_header: HostHeader,
    max_body_size: u64,
    idle_timeout: Duration,
    stream_idle_timeout: Duration,
    pass_client_certificate: bool,
}

impl Proxy {
    /// Sets up the way to the application of a route.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(name: &str, route: &WebRoute, metrics: &Metrics) -> Result<Self, Error> {
        Ok(Self {
            upstream: Upstream::open(&UpstreamSettings::of(name, route), metrics)?,
            host_header: route.host_header,
            max_body_size: route.max_body_size.0,
            idle_timeout: route.idle_timeout,
            stream_idle_timeout: route.stream_idle_timeout,
            pass_client_certificate: route.pass_client_certificate,
        })
    }

    /// Takes a request in: from here on its body is bounded in size and time.
    ///
    /// # Errors
    /// The request itself says that its body is too large.
    pub(super) fn admit(&self, request: Request<Incoming>) -> Result<Request<Body>, Problem> {
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|line| line.to_str().ok())
            .and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.max_body_size) {
            return Err(Problem::body_too_large(self.max_body_size));
        }
        Ok(request.map(|body| Body::request(body, self.max_body_size, self.idle_timeout)))
    }

    /// Passes a request on. What lasts, a WebSocket or a stream of events, ends with `life`.
    ///
    /// # Errors
    /// What to tell the client when there is no answer.
    pub(super) async fn forward(
        &self,
        mut request: Request<Body>,
        origin: &Origin,
        id: RequestId,
        life: Option<SessionLife>,
    ) -> Result<Response<Body>, Problem> {
        let handshake = Handshake::of(&mut request)?;
        let certificate = origin.certificate.as_ref().filter(|_| self.pass_client_certificate);
        prepare_request(request.headers_mut(), origin, certificate);
        if self.host_header == HostHeader::Upstream {
            // The server that is chosen puts its own there.
            request.headers_mut().remove(HOST);
        }
        request.headers_mut().insert(request_id::HEADER, id.header());
        if handshake.is_some() {
            Handshake::ask(request.headers_mut());
        }
        // What the server kept beside the request belongs to this connection, not to the next.
        *request.extensions_mut() = http::Extensions::new();
        *request.version_mut() = Version::HTTP_11;
        if request.uri().scheme().is_some() {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        }

        let mut answer = self.upstream.send(request, origin.client, handshake.is_some()).await?;
        // Which HTTP the application speaks is no matter of the client's.
        *answer.response.version_mut() = Version::HTTP_11;
        if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let terms = Terms { idle: self.stream_idle_timeout, life, hold: origin.hold.clone() };
            return handshake.ok_or_else(Problem::upstream_broken)?.switch(answer, terms);
        }
        let (mut response, lease) = (answer.response, answer.lease);
        remove_hop_by_hop(response.headers_mut());
        let lasts = is_event_stream(response.headers());
        let idle = if lasts { self.stream_idle_timeout } else { self.idle_timeout };
        let mut response = response.map(|body| Body::response(body, idle, lease));
        if let Some(life) = life.filter(|_| lasts) {
            response.body_mut().end_with(life);
        }
        Ok(response)
    }
}

/// Whether an answer is meant to last.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().split(|byte| *byte == b';').next());
    media.flatten().is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}
