//! A token service as a tower service.

use super::endpoint::{Endpoint, Respondent, Terms};
use super::intake::{Posted, answered, dropped, empty, unreadable};
use crate::token_service::{TokenGrant, TokenHandled, TokenRefusal, TokenService, TokenTask};
use bytes::Bytes;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use std::fmt;
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

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
pub type TokenEndpoint<A> = Endpoint<Issuing<A>>;

/// A token service and the authority behind it.
pub struct Issuing<A> {
    service: Arc<TokenService>,
    authority: A,
}

impl<A: TokenAuthority> TokenEndpoint<A> {
    /// An endpoint with the clock and the randomness of the system.
    pub fn new(service: Arc<TokenService>, authority: A) -> Self {
        let max_message_size = service.max_message_size();
        Self::of(Issuing { service, authority }, max_message_size)
    }
}

impl<A> fmt::Debug for Issuing<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuing").field("service", &self.service).finish_non_exhaustive()
    }
}

impl<A: TokenAuthority> Respondent for Issuing<A> {
    async fn respond(&self, posted: Posted, address: Option<IpAddr>, terms: &Terms) -> Response<Full<Bytes>> {
        let handled = match self.service.receive(posted.incoming(address), terms.clock.now()) {
            TokenHandled::Request(task) => self.decide(Arc::from(task), terms).await,
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
            TokenHandled::Request(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

impl<A: TokenAuthority> Issuing<A> {
    async fn decide(&self, task: Arc<TokenTask>, terms: &Terms) -> TokenHandled {
        let decision = self.authority.decide(Arc::clone(&task)).await;
        let (now, random) = (terms.clock.now(), terms.random.as_ref());
        match decision {
            TokenDecision::Grant(grant) => self.service.grant(&task, &grant, now, random),
            TokenDecision::Refuse { refusal, reason } => self.service.refuse(&task, refusal, reason, now, random),
        }
    }
}
