//! The way to an application: connections kept, deadlines held, failures told apart.

use std::time::Duration;

use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::body::{Body, BodyError};
use super::problem::Problem;
use crate::config::WebRoute;

/// Unused connections are kept for so long: less than the 60 seconds after which most servers close
/// theirs, so that few requests meet a closing connection.
const KEEP_UNUSED: Duration = Duration::from_secs(50);

/// An application and the connections to it.
#[derive(Debug)]
pub(super) struct Upstream {
    client: Client<HttpConnector, Body>,
    authority: Authority,
    host: HeaderValue,
    response_timeout: Duration,
    idle_timeout: Duration,
}

impl Upstream {
    /// None when the upstream of the route has no host; the configuration check refuses such.
    pub(super) fn of(route: &WebRoute) -> Option<Self> {
        let authority = route.upstream.authority()?.clone();
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(route.connect_timeout));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_UNUSED)
            .set_host(false)
            .build(connector);
        Some(Self {
            client,
            authority,
            host,
            response_timeout: route.response_timeout,
            idle_timeout: route.idle_timeout,
        })
    }

    /// The application's own name for itself.
    pub(super) fn host(&self) -> &HeaderValue {
        &self.host
    }

    /// How long a body may stand still.
    pub(super) fn idle_timeout(&self) -> Duration {
        self.idle_timeout
    }

    /// Sends a request and waits for the head of the answer. The deadline for it begins when the
    /// body of the request last moved.
    ///
    /// # Errors
    /// What to tell the client when there is no answer.
    pub(super) async fn send(&self, mut request: Request<Body>) -> Result<Response<Incoming>, Problem> {
        *request.uri_mut() = self.target(request.uri());
        let progress = request.body_mut().progress();
        tokio::select! {
            answer = self.client.request(request) => answer.map_err(|error| problem_of(&error)),
            () = progress.stalled_for(self.response_timeout) => Err(Problem::upstream_slow()),
        }
    }

    fn target(&self, requested: &Uri) -> Uri {
        let path = requested.path_and_query().cloned();
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = path.or(Some(PathAndQuery::from_static("/")));
        // All three parts are there and were parts of addresses before.
        Uri::from_parts(parts).unwrap_or_default()
    }
}

fn problem_of(error: &Error) -> Problem {
    match BodyError::in_chain(error) {
        Some(BodyError::TooLarge { limit }) => return Problem::body_too_large(*limit),
        Some(BodyError::Idle(_)) => return Problem::body_stalled(),
        Some(_) => return Problem::body_cut_off(),
        None => {}
    }
    tracing::warn!(error = %chain(error), "the application did not answer");
    if error.is_connect() {
        if is_timeout(error) { Problem::upstream_slow() } else { Problem::upstream_unreachable() }
    } else {
        Problem::upstream_broken()
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && error.kind() == std::io::ErrorKind::TimedOut
        {
            return true;
        }
        next = error.source();
    }
    false
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
