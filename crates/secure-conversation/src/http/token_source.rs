//! Tokens of a token service over HTTP.

use super::{CallError, post};
use crate::token_client::{ObtainedToken, TokenClient};
use bytes::Bytes;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::IssuedTokenParameters;
use http::{Request, Response};
use http_body_util::Full;
use std::fmt;
use std::sync::Arc;
use tower_service::Service;

/// Obtains tokens of a token service. Calls may overlap.
///
/// `S` is the HTTP client: a tower service that can be cloned.
pub struct TokenSource<S> {
    client: TokenClient,
    http: S,
    address: http::Uri,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
}

impl<S, B> TokenSource<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A source that sends its messages with `http`, with the clock and the randomness of the system.
    ///
    /// # Errors
    /// [`CallError::Http`] when the client's address is no URL.
    pub fn new(client: TokenClient, http: S) -> Result<Self, CallError> {
        Ok(Self {
            address: client.address().parse().map_err(|error| CallError::Http(Box::new(error)))?,
            client,
            http,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        })
    }

    /// Obtains a token that the service at `applies_to` accepts.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn obtain(&self, wanted: &IssuedTokenParameters, applies_to: &str) -> Result<ObtainedToken, CallError> {
        let exchange = self.client.request(wanted, applies_to, self.clock.now(), self.random.as_ref())?;
        let sent = (exchange.action(), exchange.envelope());
        let answer = post(self.http.clone(), &self.address, self.client.soap_version(), sent).await?;
        Ok(self.client.receive(&exchange, answer, self.clock.now())?)
    }
}

impl<S> TokenSource<S> {
    /// Another clock and source of randomness, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>, random: Arc<dyn SecureRandom>) -> Self {
        (self.clock, self.random) = (clock, random);
        self
    }
}

impl<S> fmt::Debug for TokenSource<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSource").field("client", &self.client).finish_non_exhaustive()
    }
}
