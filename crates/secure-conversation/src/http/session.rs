//! A client's session over HTTP.

use super::post;
use crate::client::{Exchange, Outcome, SecureConversationClient};
use crate::error::Error;
use bytes::Bytes;
use futures_util::lock::Mutex as AsyncMutex;
use handstamp_keys::{SecureRandom, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::soap::{Fault, SoapVersion};
use handstamp_ws_security::{Body, Unprotected};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tower_service::Service;

/// Why a call came to nothing.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The conversation failed: the service refused, or its answer was not good.
    #[error(transparent)]
    Conversation(#[from] Error),
    /// The application answered with a fault.
    #[error("the application answers with a fault: {fault}")]
    Fault {
        /// What every fault says.
        fault: Fault,
        /// The whole message, with the details.
        message: Box<Unprotected>,
    },
    /// The message did not get through.
    #[error("HTTP: {0}")]
    Http(Box<dyn std::error::Error + Send + Sync>),
    /// Something on the way answered, and it was no SOAP message.
    #[error("HTTP status {0}")]
    Status(StatusCode),
}

/// A session with a service, obtained when it is first needed and kept young. Calls may overlap.
///
/// `S` is the HTTP client: a tower service that can be cloned.
pub struct SecureSession<S> {
    client: Mutex<SecureConversationClient>,
    /// Held by whoever obtains a session or renews its key, so that one does it for all.
    establishing: AsyncMutex<()>,
    http: S,
    address: http::Uri,
    soap: SoapVersion,
    clock: Arc<dyn Clock>,
    random: Arc<dyn SecureRandom>,
}

impl<S, B> SecureSession<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// A session that sends its messages with `http`, with the clock and the randomness of the system.
    ///
    /// # Errors
    /// [`CallError::Http`] when the client's address is no URL.
    pub fn new(client: SecureConversationClient, http: S) -> Result<Self, CallError> {
        Ok(Self {
            address: client.address().parse().map_err(|error| CallError::Http(Box::new(error)))?,
            soap: client.soap_version(),
            client: Mutex::new(client),
            establishing: AsyncMutex::new(()),
            http,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        })
    }

    /// Calls an operation. Obtains a session or a younger key first, when that is due.
    ///
    /// A service that wants a younger key says so before it processes the message; the call is then made again, once.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&self, action: &str, body: Body) -> Result<Unprotected, CallError> {
        self.establish().await?;
        let exchange = self.client().request(action, body.clone(), self.clock.now(), self.random.as_ref())?;
        let outcome = match self.exchange(exchange).await {
            Err(CallError::Conversation(Error::RenewNeeded)) => {
                self.establish().await?;
                let exchange = self.client().request(action, body, self.clock.now(), self.random.as_ref())?;
                self.exchange(exchange).await?
            }
            outcome => outcome?,
        };
        let outcome = match outcome {
            Outcome::Again(message) => {
                self.establish().await?;
                let exchange = self.client().again(*message, self.clock.now(), self.random.as_ref())?;
                self.exchange(exchange).await?
            }
            outcome => outcome,
        };
        match outcome {
            Outcome::Reply(reply) => Ok(*reply),
            Outcome::Fault { fault, message } => Err(CallError::Fault { fault, message }),
            _ => Err(Error::NoSession.into()),
        }
    }

    /// Obtains a session, or renews its key, when that is due; otherwise does nothing.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn establish(&self) -> Result<(), CallError> {
        if self.client().due(self.clock.now()).is_none() {
            return Ok(());
        }
        let _one_at_a_time = self.establishing.lock().await;
        loop {
            let exchange = {
                let mut client = self.client();
                let now = self.clock.now();
                // Whoever was before us may have done it.
                if client.due(now).is_none() {
                    return Ok(());
                }
                client.establish(now, self.random.as_ref())?
            };
            if !matches!(self.exchange(exchange).await?, Outcome::Negotiating) {
                return Ok(());
            }
        }
    }

    /// Ends the session, and tells the service when it remembers it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn close(&self) -> Result<(), CallError> {
        let exchange = self.client().close(self.clock.now(), self.random.as_ref())?;
        match exchange {
            Some(exchange) => self.exchange(exchange).await.map(drop),
            None => Ok(()),
        }
    }

    async fn exchange(&self, exchange: Exchange) -> Result<Outcome, CallError> {
        let sent = (exchange.action(), exchange.envelope());
        let answer = post(self.http.clone(), &self.address, self.soap, sent).await?;
        let now = self.clock.now();
        if exchange.is_negotiation() {
            return Ok(self.client().receive(exchange, answer, now)?);
        }
        // Beside the lock: calls overlap, and this is what takes time.
        let opener = self.client().opener(&exchange);
        let opened = opener.open(&exchange, answer, now);
        Ok(self.client().take_in(exchange, opened, now)?)
    }
}

impl<S> SecureSession<S> {
    /// Another clock and source of randomness, for tests.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>, random: Arc<dyn SecureRandom>) -> Self {
        (self.clock, self.random) = (clock, random);
        self
    }

    /// Looks at the client: to save its session, say.
    pub fn with_client<T>(&self, look: impl FnOnce(&mut SecureConversationClient) -> T) -> T {
        look(&mut self.client())
    }

    fn client(&self) -> MutexGuard<'_, SecureConversationClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> fmt::Debug for SecureSession<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureSession").field("address", &self.address).finish_non_exhaustive()
    }
}
