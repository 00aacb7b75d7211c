//! A secure conversation service as a tower service.

use super::{media_type, soap_action};
use crate::error::Error;
use crate::service::{Answer, ApplicationRequest, Event, Handled, Incoming, SecureConversationService};
use bytes::Bytes;
use futures_util::future::{BoxFuture, Either, select};
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::Body;
use handstamp_ws_security::soap::{Fault, SoapVersion};
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::pin::{Pin, pin};
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
    behind_tls: bool,
    max_message_size: usize,
    content_limit: Option<TimeLimit>,
}

/// How long something may take, and who wakes us.
struct TimeLimit {
    limit: Duration,
    sleep: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl<A: Application> SoapService<A> {
    /// A service with the clock and the randomness of the system.
    pub fn new(service: Arc<SecureConversationService>, application: A) -> Self {
        let max_message_size = service.max_message_size();
        let shared = Shared {
            service,
            application,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            behind_tls: false,
            max_message_size,
            content_limit: None,
        };
        Self { shared: Arc::new(shared), address: None }
    }

    /// Says that requests come over TLS: to this listener, or to a proxy in front of it that nobody can go around.
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.behind_tls = true;
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
            let sleep = Box::new(move |time| -> BoxFuture<'static, ()> { Box::pin(sleep(time)) });
            shared.content_limit = Some(TimeLimit { limit, sleep });
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
        let (head, body) = request.into_parts();
        if head.method != Method::POST {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            return response;
        }
        let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !["text/xml", "application/soap+xml"].iter().any(|known| media_type.eq_ignore_ascii_case(known)) {
            return empty(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let content = match self.content(body).await {
            Ok(content) => content,
            Err(status) => {
                tracing::info!(%status, "the content of a request was not read to its end");
                return ending(status);
            }
        };
        let incoming = Incoming::new(content).with_soap_action(soap_action(&head.headers));
        let incoming = incoming.from_address(address);
        let incoming = if self.behind_tls { incoming.over_protected_channel() } else { incoming };
        let request = match self.service.handle(incoming, self.clock.now(), self.random.as_ref()) {
            Handled::Request(request) => Arc::from(request),
            Handled::Answer(answer) => return answered(answer),
            Handled::Unreadable(error) => {
                tracing::info!(code = error.code(), %error, "not a SOAP message");
                return empty(StatusCode::BAD_REQUEST);
            }
            Handled::Dropped(error) => return dropped(&error),
        };
        let reply = self.application.call(Arc::clone(&request)).await;
        self.reply(&request, reply).unwrap_or_else(|error| dropped(&error))
    }

    /// All of it, or the status that says why not.
    async fn content<B>(&self, body: B) -> Result<Bytes, StatusCode>
    where
        B: http_body::Body + Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let reading = pin!(Limited::new(body, self.max_message_size).collect());
        let read = match &self.content_limit {
            None => reading.await,
            Some(TimeLimit { limit, sleep }) => match select(reading, sleep(*limit)).await {
                Either::Left((read, _)) => read,
                Either::Right(_) => return Err(StatusCode::REQUEST_TIMEOUT),
            },
        };
        Ok(read.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes())
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

fn answered(answer: Answer) -> Response<Full<Bytes>> {
    match &answer.event {
        Event::Issued { context_id, caller } => {
            tracing::info!(context_id, caller, "security context issued");
        }
        Event::Negotiating => tracing::debug!("negotiating"),
        Event::Negotiated { context_id, certificate } => {
            tracing::info!(context_id, certificate, "bootstrap context negotiated");
        }
        Event::Renewed { context_id } => tracing::info!(context_id, "security context renewed"),
        Event::Cancelled { context_id } => tracing::info!(context_id, "security context cancelled"),
        Event::TokenIssued { token_id, audience, caller } => {
            tracing::info!(token_id, audience, caller, "token issued");
        }
        Event::Refused(error) => tracing::warn!(code = error.code(), %error, "message refused"),
    }
    let status = if answer.fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
    with_envelope(status, answer.soap, answer.envelope)
}

fn dropped(error: &Error) -> Response<Full<Bytes>> {
    tracing::warn!(code = error.code(), %error, "message dropped");
    ending(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer after which nothing more is read from the connection.
fn ending(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = empty(status);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn with_envelope(status: StatusCode, soap: SoapVersion, envelope: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(envelope));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type(soap)));
    response
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
