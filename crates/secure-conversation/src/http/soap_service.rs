//! A secure conversation service as a tower service.

use super::intake::{Intake, answered, dropped, empty, unreadable, with_envelope};
use crate::error::Error;
use crate::service::{ApplicationRequest, Handled, SecureConversationService};
use bytes::Bytes;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::Body;
use handstamp_ws_security::soap::Fault;
use http::{Request, Response, StatusCode};
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

/// What an application answers.
#[derive(Debug)]
pub enum Reply {
    /// A reply with this action and the content of its body.
    Message {
        /// `Action`.
        action: String,
        /// The content of the body.
        body: Body,
    },
    /// A fault; without an action it has that of faults.
    Fault {
        /// The fault.
        fault: Fault,
        /// `Action`.
        action: Option<String>,
    },
    /// Nothing: the operation is one-way (HTTP 202).
    None,
}

/// The application behind a service. Functions of the right shape are applications.
pub trait Application: Send + Sync + 'static {
    /// Serves one verified message.
    fn call(&self, request: Arc<ApplicationRequest>) -> impl Future<Output = Reply> + Send;
}

impl<F, R> Application for F
where
    F: Fn(Arc<ApplicationRequest>) -> R + Send + Sync + 'static,
    R: Future<Output = Reply> + Send,
{
    fn call(&self, request: Arc<ApplicationRequest>) -> impl Future<Output = Reply> + Send {
        self(request)
    }
}

/// A [`SecureConversationService`] and the application behind it, for HTTP servers.
///
/// Credentials are verified on the task that serves the request. Where that takes long (password hashes), run the service on a
/// runtime with several threads.
pub struct SoapService<A> {
    shared: Arc<Shared<A>>,
    /// See [`SoapService::for_connection_from`].
    address: Option<IpAddr>,
}

struct Shared<A> {
    service: Arc<SecureConversationService>,
    application: A,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
    intake: Intake,
}

impl<A: Application> SoapService<A> {
    /// A service with the clock and the randomness of the system.
    pub fn new(service: Arc<SecureConversationService>, application: A) -> Self {
        let shared = Shared {
            intake: Intake::new(service.max_message_size()),
            service,
            application,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        Self { shared: Arc::new(shared), address: None }
    }

    /// Says that requests come over TLS: to this listener, or to a proxy in front of it that nobody can go around.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.intake.set_behind_tls();
        }
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
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.intake.set_content_limit(limit, sleep);
        }
        self
    }

    /// The same service for a connection from this address, so that no address gets more than
    /// [its share](crate::AddressLimits). Behind a proxy it is the address that the proxy tells.
    #[must_use]
    pub fn for_connection_from(&self, address: IpAddr) -> Self {
        Self { address: Some(address), ..self.clone() }
    }

    /// Another clock and source of randomness, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>, random: Arc<dyn SecureRandom>) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            (shared.clock, shared.random) = (clock, random);
        }
        self
    }
}

impl<A> Clone for SoapService<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), address: self.address }
    }
}

impl<A> fmt::Debug for SoapService<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoapService").field("service", &self.shared.service).finish_non_exhaustive()
    }
}

impl<A, B> Service<Request<B>> for SoapService<A>
where
    A: Application,
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
        let (shared, address) = (Arc::clone(&self.shared), self.address);
        Box::pin(async move { Ok(shared.serve(request, address).await) })
    }
}

impl<A: Application> Shared<A> {
    async fn serve<B>(&self, request: Request<B>, address: Option<IpAddr>) -> Response<Full<Bytes>>
    where
        B: http_body::Body + Send,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let posted = match self.intake.read(request).await {
            Ok(posted) => posted,
            Err(response) => return response,
        };
        let request = match self.service.handle(posted.incoming(address), self.clock.now(), self.random.as_ref()) {
            Handled::Request(request) => Arc::from(request),
            Handled::Answer(answer) => return answered(answer),
            Handled::Unreadable(error) => return unreadable(&error),
            Handled::Dropped(error) => return dropped(&error),
        };
        let reply = self.application.call(Arc::clone(&request)).await;
        self.reply(&request, reply).unwrap_or_else(|error| dropped(&error))
    }

    fn reply(&self, request: &ApplicationRequest, reply: Reply) -> Result<Response<Full<Bytes>>, Error> {
        let (message, status) = match reply {
            Reply::None => return Ok(empty(StatusCode::ACCEPTED)),
            Reply::Message { action, body } => (request.reply(action, body), StatusCode::OK),
            Reply::Fault { fault, action } => {
                (self.service.fault(request, &fault, action.as_deref())?, StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        let envelope = self.service.protect(request, &message, self.clock.now(), self.random.as_ref())?;
        Ok(with_envelope(status, message.soap, envelope))
    }
}
