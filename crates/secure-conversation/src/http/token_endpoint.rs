//! A token service as a tower service.

use super::intake::{Intake, answered, dropped, unreadable};
use crate::token_service::{TokenGrant, TokenHandled, TokenRefusal, TokenService, TokenTask};
use bytes::Bytes;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Request, Response};
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

/// What becomes of a request for a token.
#[derive(Debug)]
pub enum TokenDecision {
    /// It is granted.
    Grant(TokenGrant),
    /// It is refused.
    Refuse {
        /// What the client is told.
        refusal: TokenRefusal,
        /// Why, for the log.
        reason: String,
    },
}

/// Decides about requests for tokens: who asks, for which relying party, and what the token says. Functions of the right shape do.
pub trait TokenAuthority: Send + Sync + 'static {
    /// Decides about one request whose message is good. Nothing is proven yet about who has the name and password in it.
    fn decide(&self, request: Arc<TokenTask>) -> impl Future<Output = TokenDecision> + Send;
}

impl<F, R> TokenAuthority for F
where
    F: Fn(Arc<TokenTask>) -> R + Send + Sync + 'static,
    R: Future<Output = TokenDecision> + Send,
{
    fn decide(&self, request: Arc<TokenTask>) -> impl Future<Output = TokenDecision> + Send {
        self(request)
    }
}

/// A [`TokenService`] and the authority behind it, for HTTP servers.
pub struct TokenEndpoint<A> {
    shared: Arc<Shared<A>>,
    /// See [`TokenEndpoint::for_connection_from`].
    address: Option<IpAddr>,
}

struct Shared<A> {
    service: Arc<TokenService>,
    authority: A,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
    intake: Intake,
}

impl<A: TokenAuthority> TokenEndpoint<A> {
    /// An endpoint with the clock and the randomness of the system.
    pub fn new(service: Arc<TokenService>, authority: A) -> Self {
        let shared = Shared {
            intake: Intake::new(service.max_message_size()),
            service,
            authority,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        Self { shared: Arc::new(shared), address: None }
    }

    /// As [`SoapService::behind_tls`](super::SoapService::behind_tls).
    #[must_use]
    pub fn behind_tls(mut self) -> Self {
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.intake.set_behind_tls();
        }
        self
    }

    /// As [`SoapService::with_content_limit`](super::SoapService::with_content_limit).
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

    /// As [`SoapService::for_connection_from`](super::SoapService::for_connection_from).
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

impl<A> Clone for TokenEndpoint<A> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), address: self.address }
    }
}

impl<A> fmt::Debug for TokenEndpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenEndpoint").field("service", &self.shared.service).finish_non_exhaustive()
    }
}

impl<A, B> Service<Request<B>> for TokenEndpoint<A>
where
    A: TokenAuthority,
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

impl<A: TokenAuthority> Shared<A> {
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
        let handled = match self.service.receive(posted.incoming(address), self.clock.now()) {
            TokenHandled::Request(task) => self.decide(Arc::from(task)).await,
            handled => handled,
        };
        match handled {
            TokenHandled::Answer(answer) => {
                let mut response = answered(answer);
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            TokenHandled::Unreadable(error) => unreadable(&error),
            TokenHandled::Dropped(error) => dropped(&error),
            TokenHandled::Request(_) => super::intake::empty(http::StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    async fn decide(&self, task: Arc<TokenTask>) -> TokenHandled {
        let decision = self.authority.decide(Arc::clone(&task)).await;
        let (now, random) = (self.clock.now(), self.random.as_ref());
        match decision {
            TokenDecision::Grant(grant) => self.service.grant(&task, &grant, now, random),
            TokenDecision::Refuse { refusal, reason } => self.service.refuse(&task, refusal, reason, now, random),
        }
    }
}
