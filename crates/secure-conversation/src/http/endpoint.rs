//! What services and token services have in common, as tower services.

use super::intake::{Intake, Posted};
use bytes::Bytes;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use http::{Request, Response};
use http_body_util::Full;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_service::Service;

/// Reads SOAP messages from HTTP requests and answers them: a [`SoapService`](super::SoapService) or a
/// [`TokenEndpoint`](super::TokenEndpoint). Cloning it is cheap.
pub struct Endpoint<R> {
    pub(super) respondent: Arc<R>,
    terms: Arc<Terms>,
    /// See [`Endpoint::for_connection_from`].
    address: Option<IpAddr>,
}

/// Answers messages.
pub trait Respondent: Send + Sync + 'static {
    /// The answer to a message from this address, if that is known.
    fn respond(
        &self,
        posted: Posted,
        address: Option<IpAddr>,
        terms: &Terms,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// What comes from outside of the protocol.
#[derive(Clone)]
pub struct Terms {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn SecureRandom>,
    intake: Intake,
}

impl<R: Respondent> Endpoint<R> {
    /// With the clock and the randomness of the system.
    pub(super) fn of(respondent: R, max_message_size: usize) -> Self {
        let terms = Terms {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            intake: Intake::new(max_message_size),
        };
        Self { respondent: Arc::new(respondent), terms: Arc::new(terms), address: None }
    }

    /// Says that requests come over TLS: to this listener, or to a proxy in front of it that nobody can go around.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        Arc::make_mut(&mut self.terms).intake.set_behind_tls();
        self
    }

    /// Cuts off senders who take longer than `limit` from the head of a request to the end of its content: they are told 408, and
    /// their connection ends. `sleep` is the timer of the runtime, such as `tokio::time::sleep`; there is none in this crate.
    ///
    /// Use it wherever the server in front does not limit that itself: a message is kept until it is whole, so whoever sends one
    /// octet a minute holds a connection and its memory for days (SC §19).
    #[must_use]
    pub fn with_content_limit<F>(
        mut self,
        limit: Duration,
        sleep: impl Fn(Duration) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Arc::make_mut(&mut self.terms).intake.set_content_limit(limit, sleep);
        self
    }

    /// The same for a connection from this address, so that no address gets more than
    /// [its share](crate::AddressLimits). Behind a proxy it is the address that the proxy tells.
    #[must_use]
    pub fn for_connection_from(&self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self.clone() }
    }

    /// Another clock and source of randomness, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>, random: Arc<dyn SecureRandom>) -> Self {
        let terms = Arc::make_mut(&mut self.terms);
        (terms.clock, terms.random) = (clock, random);
        self
    }
}

impl<R> Clone for Endpoint<R> {
    fn clone(&self) -> Self {
        Self { respondent: Arc::clone(&self.respondent), terms: Arc::clone(&self.terms), address: self.address }
    }
}

impl<R: fmt::Debug> fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.respondent).finish()
    }
}

impl<R, B> Service<Request<B>> for Endpoint<R>
where
    R: Respondent,
    B: http_body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Self { respondent, terms, address } = self.clone();
        Box::pin(async move {
            Ok(match terms.intake.read(request).await {
                Ok(posted) => respondent.respond(posted, address, &terms).await,
                Err(response) => response,
            })
        })
    }
}
