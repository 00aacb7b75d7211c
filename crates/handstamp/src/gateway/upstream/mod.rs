//! The way to an application: its servers, connections kept to them, deadlines held, failures told apart, and second attempts where
//! they are safe.

mod balance;
mod connections;
mod health;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};
use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body::Body as _;
use hyper::body::Incoming;

use self::balance::{NoServer, RetryBudget, Server, Servers, Slot, Tried};
use self::connections::{Connections, Failure, Returnable};
use self::health::Checks;
use super::body::{Body, BodyError};
use super::problem::Problem;
use super::telemetry::{CallTrace, RequestTrace};
use crate::Error;
use crate::admin::Metrics;
use crate::config::{Balance, HealthCheck, UpstreamProtocol, UpstreamTls, Upstreams, WebRoute};

/// What there is to say about an application's servers.
#[derive(PartialEq)]
pub(crate) struct UpstreamSettings<'s> {
    /// Of the route: what metrics call it.
    pub(crate) name: &'s str,
    pub(crate) servers: &'s Upstreams,
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) tls: &'s UpstreamTls,
    pub(crate) balance: &'s Balance,
    pub(crate) health: Option<&'s HealthCheck>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

impl<'s> UpstreamSettings<'s> {
    pub(crate) fn of(name: &'s str, route: &'s WebRoute) -> Self {
        Self {
            name,
            servers: &route.upstream,
            protocol: route.upstream_protocol,
            tls: &route.upstream_tls,
            balance: &route.balance,
            health: route.health.as_ref(),
            connect_timeout: route.connect_timeout,
            response_timeout: route.response_timeout,
        }
    }
}

/// An application and the connections to it.
#[derive(Debug)]
pub(crate) struct Upstream {
    servers: Servers,
    response_timeout: Duration,
    retries: u32,
    budget: RetryBudget,
    _checks: Option<Checks>,
}

/// The head of an answer, and what is to be kept until its body has passed.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
}

/// A place at a server, and the connection to give back. Dropped early, it closes the connection.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Option<Returnable>,
    _slot: Slot,
}

impl Lease {
    /// The body has passed: the connection can be used again.
    pub(crate) fn finish(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.give_back();
        }
    }
}

impl Upstream {
    /// Reads what TLS needs and begins to ask whether servers are well, in the runtime that this is called in.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(crate) fn open(settings: &UpstreamSettings<'_>, metrics: &Metrics) -> Result<Self, Error> {
        let mut servers = Vec::new();
        for server in settings.servers.servers() {
            let connections = Connections::open(server, settings.protocol, settings.tls, settings.connect_timeout)?;
            let host = server.url.authority().map_or("", |authority| authority.as_str());
            servers.push(Server {
                connections: connections.into(),
                // An authority is a header value.
                host: HeaderValue::from_str(host).unwrap_or(HeaderValue::from_static("localhost")),
                metrics: metrics.upstream(settings.name, &server.to_string()),
                weight: server.weight as usize,
                requests: AtomicUsize::new(0),
                unwell: AtomicBool::new(false),
                failures: AtomicU32::new(0),
                ejected_until: AtomicU64::new(0),
                ejections: AtomicU32::new(0),
            });
        }
        let servers = Servers::new(servers, settings.balance);
        Ok(Self {
            _checks: settings.health.map(|health| Checks::start(servers.all(), health)),
            servers,
            response_timeout: settings.response_timeout,
            retries: settings.balance.retries,
            budget: RetryBudget::new(settings.balance.retry_budget),
        })
    }

    /// Sends a request, of which nothing is left, and waits for the head of the answer. The deadline for it begins when the body of
    /// the request last moved. A request without `Host` gets that of the server.
    ///
    /// # Errors
    /// What to tell the client when there is no answer.
    pub(crate) async fn send(
        &self,
        request: &mut Request<Body>,
        client: IpAddr,
        upgrade: bool,
    ) -> Result<Answer, Problem> {
        self.budget.earn();
        let own_host = !request.headers().contains_key(http::header::HOST);
        let trace = request.extensions_mut().remove::<RequestTrace>();
        let method = request.method().clone();
        let mut tried = Tried::default();
        let mut attempts_left = self.retries;
        loop {
            let slot = self.servers.choose(client, tried).map_err(|none| match none {
                NoServer::AllUnwell => Problem::upstream_unwell(),
                NoServer::AllFull => Problem::upstream_full(),
            })?;
            let server = slot.server();
            if own_host {
                request.headers_mut().insert(http::header::HOST, server.host.clone());
            }
            let call = trace.as_ref().map(|trace| {
                let call = trace.ask();
                call.write(request.headers_mut());
                call
            });
            let told = |call: Option<CallTrace>, status| {
                if let Some(call) = call {
                    call.end(&method, &server.host, self.retries - attempts_left, status);
                }
            };
            // What only reads and has no body can be asked again.
            let again = (attempts_left > 0 && !upgrade).then(|| Again::of(request)).flatten();
            let progress = request.body_mut().progress();
            let answer = tokio::select! {
                answer = server.connections.send(request, upgrade) => answer,
                () = progress.stalled_for(self.response_timeout) => {
                    self.servers.failed(server);
                    told(call, None);
                    return Err(Problem::upstream_slow());
                }
            };
            told(call, answer.as_ref().ok().map(|answer| answer.response.status()));
            let (is_whole, problem) = match answer {
                Ok(answer) => {
                    self.servers.succeeded(server);
                    let lease = Lease { connection: answer.connection, _slot: slot };
                    return Ok(Answer { response: answer.response, lease });
                }
                Err(Failure::NotSent(error)) => (true, unreachable(server, &error)),
                Err(Failure::Sent(error)) => match problem_of_body(&error) {
                    Some(problem) => return Err(problem),
                    None => {
                        tracing::warn!(server = ?server.host, error = %chain(&error), "the application did not answer");
                        let again = again.filter(|_| is_early_end(&error)).map(Again::into_request);
                        (again.map(|again| *request = again).is_some(), Problem::upstream_broken())
                    }
                },
            };
            self.servers.failed(server);
            if !is_whole || attempts_left == 0 || !self.budget.take() {
                return Err(problem);
            }
            attempts_left -= 1;
            server.metrics.retries.add();
            tried.add(&self.servers, server);
        }
    }
}

/// What it takes to make a request once more that only reads and has no body. Nearly every request has this beside it and is rid of
/// it unused: a text is made and dropped in less time than a map of headers.
struct Again {
    method: Method,
    uri: Uri,
    /// Lines of name, colon and value. There is no colon in a name, and no line break in a value.
    headers: Vec<u8>,
}

impl Again {
    fn of(request: &Request<Body>) -> Option<Self> {
        let only_reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !only_reads || !request.body().is_end_stream() || request.headers().contains_key(CONTENT_LENGTH) {
            return None;
        }
        let lines = || request.headers().iter().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()));
        let mut headers = Vec::with_capacity(lines().map(|(name, value)| name.len() + value.len() + 2).sum());
        for (name, value) in lines() {
            headers.extend_from_slice(name);
            headers.push(b':');
            headers.extend_from_slice(value);
            headers.push(b'\n');
        }
        Some(Self { method: request.method().clone(), uri: request.uri().clone(), headers })
    }

    fn into_request(self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for line in self.headers.split(|byte| *byte == b'\n') {
            let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
            let name = HeaderName::from_bytes(name).ok();
            let value = value.get(1..).and_then(|value| HeaderValue::from_bytes(value).ok());
            if let (Some(name), Some(value)) = (name, value) {
                request.headers_mut().append(name, value);
            }
        }
        request
    }
}

/// Whether the connection ended before anything of an answer came, as a server's does that ends or restarts.
fn is_early_end(error: &hyper::Error) -> bool {
    error.is_incomplete_message() || error.is_canceled() || error.is_closed() || is_reset(error)
}

fn is_reset(error: &hyper::Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<io::Error>())
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe))
}

fn unreachable(server: &Server, error: &io::Error) -> Problem {
    tracing::warn!(server = ?server.host, error = %chain(error), "the application cannot be reached");
    match error.kind() {
        io::ErrorKind::TimedOut => Problem::upstream_slow(),
        _ => Problem::upstream_unreachable(),
    }
}

/// What is wrong with the body of the request, if that is the reason.
fn problem_of_body(error: &hyper::Error) -> Option<Problem> {
    Some(match BodyError::in_chain(error)? {
        BodyError::TooLarge { limit } => Problem::body_too_large(*limit),
        BodyError::Idle(_) => Problem::body_stalled(),
        BodyError::Connection(_) => Problem::body_cut_off(),
        BodyError::SessionOver => return None,
    })
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use http::header::{ACCEPT, COOKIE};

    use super::*;

    #[test]
    fn what_only_reads_can_be_made_again_as_it_was() {
        let mut request =
            Request::builder().method(Method::OPTIONS).uri("/a?b=c:d").body(Body::empty()).expect("a request");
        let headers = request.headers_mut();
        for (name, value) in [
            (ACCEPT, &b"text/html"[..]),
            (ACCEPT, b""),
            (COOKIE, b"a=b:c; d=\xff\xfe"),
            (HeaderName::from_static("x-1"), b"\t: \t x"),
        ] {
            headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        let again = Again::of(&request).expect("it only reads").into_request();
        assert_eq!((again.method(), again.uri()), (request.method(), request.uri()));
        assert_eq!(again.headers(), request.headers());
    }

    #[test]
    fn what_may_change_something_is_made_once() {
        let request = |method, body| Request::builder().method(method).body(body).expect("a request");
        assert!(Again::of(&request(Method::POST, Body::empty())).is_none());
        assert!(Again::of(&request(Method::DELETE, Body::empty())).is_none());
        assert!(Again::of(&request(Method::GET, Body::whole("x"))).is_none());
    }
}
