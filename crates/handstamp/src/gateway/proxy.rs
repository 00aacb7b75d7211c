//! Passing a request on to the application and its answer back.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, Version};

use super::body::Body;
use super::forwarding::{prepare_request, remove_hop_by_hop, take_in_request};
use super::origin::Origin;
use super::problem::Problem;
use super::request_id::{self, RequestId};
use super::session_life::SessionLife;
use super::telemetry::RequestTrace;
use super::upstream::Upstream;
use super::websocket::{Handshake, Terms};
use crate::config::{HostHeader, PathPrefix, WebRoute};

/// One application behind the gateway.
#[derive(Debug)]
pub(super) struct Proxy {
    upstream: Arc<Upstream>,
    host_header: HostHeader,
    /// What is taken off the path.
    prefix: Option<Prefix>,
    max_body_size: u64,
    idle_timeout: Duration,
    stream_idle_timeout: Duration,
    pass_client_certificate: bool,
}

impl Proxy {
    /// Passes the requests of a route on by `upstream`.
    pub(super) fn new(route: &WebRoute, upstream: Arc<Upstream>) -> Self {
        Self {
            upstream,
            host_header: route.host_header,
            prefix: route.strip_path.then(|| Prefix::new(&route.path)).flatten(),
            max_body_size: route.max_body_size.0,
            idle_timeout: route.idle_timeout,
            stream_idle_timeout: route.stream_idle_timeout,
            pass_client_certificate: route.pass_client_certificate,
        }
    }

    /// Takes a request in, with its wish for a WebSocket if it has one: from here on its body is bounded in size and time, and its
    /// headers are those that pass.
    ///
    /// # Errors
    /// The request itself says that its body is too large.
    pub(super) fn admit(&self, request: &mut Request<Body>) -> Result<Option<Handshake>, Problem> {
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|line| line.to_str().ok())
            .and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.max_body_size) {
            return Err(Problem::body_too_large(self.max_body_size));
        }
        request.body_mut().bound(self.max_body_size, self.idle_timeout);
        let handshake = Handshake::of(request)?;
        take_in_request(request.headers_mut());
        Ok(handshake)
    }

    /// Passes a request on that was taken in, and leaves nothing of it. What lasts, a WebSocket or a stream of events, asks for its
    /// `life` and ends with it.
    ///
    /// # Errors
    /// What to tell the client when there is no answer.
    pub(super) async fn forward(
        &self,
        request: &mut Request<Body>,
        handshake: Option<Handshake>,
        origin: &Origin,
        id: RequestId,
        life: impl FnOnce() -> Option<SessionLife>,
    ) -> Result<Response<Body>, Problem> {
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
        let trace = request.extensions_mut().remove::<RequestTrace>();
        *request.extensions_mut() = http::Extensions::new();
        if let Some(trace) = trace {
            request.extensions_mut().insert(trace);
        }
        *request.version_mut() = Version::HTTP_11;
        if request.uri().scheme().is_some() {
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        }

        if let Some(prefix) = &self.prefix {
            prefix.take_off(request);
        }

        let mut answer = self.upstream.send(request, origin.client, handshake.is_some()).await?;
        // Which HTTP the application speaks is no matter of the client's.
        *answer.response.version_mut() = Version::HTTP_11;
        if answer.response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let terms = Terms { idle: self.stream_idle_timeout, life: life(), hold: origin.hold.clone() };
            return handshake.ok_or_else(Problem::upstream_broken)?.switch(answer, terms);
        }
        let (mut response, lease) = (answer.response, answer.lease);
        remove_hop_by_hop(response.headers_mut());
        let lasts = is_event_stream(response.headers());
        let idle = if lasts { self.stream_idle_timeout } else { self.idle_timeout };
        let mut response = response.map(|body| Body::response(body, idle, lease));
        if lasts && let Some(life) = life() {
            response.body_mut().end_with(life);
        }
        Ok(response)
    }
}

/// Where on the site an application is that believes to be at its root.
#[derive(Debug)]
struct Prefix {
    path: String,
    header: HeaderValue,
}

const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

impl Prefix {
    /// None at the root.
    fn new(path: &PathPrefix) -> Option<Self> {
        let path = path.as_str().trim_end_matches('/');
        let header = HeaderValue::from_str(path).ok().filter(|path| !path.is_empty())?;
        Some(Self { path: path.to_owned(), header })
    }

    /// The route matched: the path begins with the prefix, in whatever case, and then ends or goes on with a slash.
    fn take_off(&self, request: &mut Request<Body>) {
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        let rest = target.get(self.path.len()..).unwrap_or(target);
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        if let Ok(target) = PathAndQuery::try_from(rest) {
            *request.uri_mut() = Uri::from(target);
        }
        request.headers_mut().insert(X_FORWARDED_PREFIX, self.header.clone());
    }
}

/// Whether an answer is meant to last.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let media = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().split(|byte| *byte == b';').next());
    media.flatten().is_some_and(|media| media.trim_ascii().eq_ignore_ascii_case(b"text/event-stream"))
}
