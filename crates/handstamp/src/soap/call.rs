//! Calling a service through a secure session, one exchange after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use handstamp_keys::SystemRandom;
use handstamp_keys::tls::ClientSettings;
use handstamp_secure_conversation::http::holds_message;
use handstamp_secure_conversation::trust::TrustAction;
use handstamp_secure_conversation::{Error as SessionError, Exchange, Outcome, SecureConversationClient, TokenClient};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::{Fault, SoapVersion};
use handstamp_ws_security::{IssuedTokenParameters, Message, Unprotected, UserNameCredential};
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use zeroize::Zeroizing;

use super::redact::redacted;
use crate::Error;

/// A client and its way to the service.
pub struct Caller {
    client: SecureConversationClient,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: Uri,
    timeout: Option<Duration>,
    /// Who is told of each step.
    tell: Option<fn(&str)>,
    /// Who knows name and password, until they are needed.
    user: Option<AskUser>,
    /// Who knows of a session that another process has saved meanwhile.
    kept: Option<AskKept>,
}

/// Finds out a name and a password.
type AskUser = Box<dyn FnOnce() -> Result<UserNameCredential, Error> + Send>;

/// Finds out what is saved of the session.
type AskKept = Box<dyn Fn() -> Option<Zeroizing<String>> + Send>;

/// What a service answered.
#[derive(Debug)]
pub enum Reply {
    /// A reply.
    Message(Box<Unprotected>),
    /// The application's fault, as authentic as a reply, and the message that it came in.
    Fault(Fault, Box<Unprotected>),
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The conversation failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] handstamp_keys::Error),
    /// The message or its answer did not get through.
    #[error("{0}")]
    Http(String),
    /// Nobody knows name and password.
    #[error(transparent)]
    User(Error),
}

/// The largest answer, in bytes.
const MAX_ANSWER: usize = 4 << 20;

/// A message on its way.
struct Post<'a> {
    address: &'a Uri,
    soap: SoapVersion,
    action: &'a str,
    envelope: &'a str,
}

impl CallError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Session(error) => error.code(),
            Self::Tls(error) => error.code(),
            Self::Http(_) => "HST-SOAP-HTTP",
            Self::User(error) => error.code(),
        }
    }

    /// Whether the service may have lost the session: what was saved of it is of no use then.
    pub fn ends_the_session(&self) -> bool {
        matches!(self, Self::Session(SessionError::Fault { .. } | SessionError::SessionFaulted))
    }
}

impl Caller {
    /// A caller with the client's session. `tls` says whom to believe of servers that speak TLS, and what to show them. `tell` hears of
    /// each step; each exchange may take as long as `timeout`.
    ///
    /// # Errors
    /// [`CallError::Http`] when the address cannot be called; [`CallError::Tls`] when the authorities cannot be used.
    pub fn new(
        client: SecureConversationClient,
        tls: &ClientSettings,
        timeout: Option<Duration>,
        tell: Option<fn(&str)>,
    ) -> Result<Self, CallError> {
        let address: Uri = client.address().parse().map_err(|_| CallError::Http("the address is no URL".to_owned()))?;
        if !matches!(address.scheme_str(), Some("http" | "https")) {
            return Err(CallError::Http("the address begins with neither http:// nor https://".to_owned()));
        }
        let tls = tls.config(&[])?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(Arc::unwrap_or_clone(tls));
        let http = Client::builder(TokioExecutor::new()).build(connector.https_or_http().enable_http1().build());
        Ok(Self { client, http, address, timeout, tell, user: None, kept: None })
    }

    /// Asks for name and password once they are needed: not while a session goes on.
    pub fn ask_user(&mut self, ask: impl FnOnce() -> Result<UserNameCredential, Error> + Send + 'static) {
        self.user = Some(Box::new(ask));
    }

    /// Asks for the saved session when a reply is under a key that is not ours: another process may have renewed it.
    pub fn ask_kept(&mut self, ask: impl Fn() -> Option<Zeroizing<String>> + Send + 'static) {
        self.kept = Some(Box::new(ask));
    }

    /// Whether a session has to be obtained or its key renewed before the next call.
    pub fn needs_credentials(&self) -> bool {
        self.client.due(SystemClock.now()).is_some()
    }

    /// Obtains a token of a token service that the service accepts, and shows it from here on.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn obtain_token(
        &mut self,
        issuer: TokenClient,
        wanted: &IssuedTokenParameters,
        applies_to: &str,
    ) -> Result<(), CallError> {
        let address: Uri = issuer.address().parse().map_err(|_| CallError::Http("the issuer is no URL".to_owned()))?;
        self.tell(format_args!("a token of {address} is needed"));
        let exchange = issuer.request(wanted, applies_to, SystemClock.now(), &SystemRandom)?;
        let post = Post {
            address: &address,
            soap: issuer.soap_version(),
            action: exchange.action(),
            envelope: exchange.envelope(),
        };
        let answer = self.post(post).await?;
        let obtained = issuer.receive(&exchange, answer, SystemClock.now())?;
        if let Some(lifetime) = obtained.lifetime {
            self.tell(format_args!("the token is good until {}", lifetime.expires));
        }
        self.client.replace_issued_token(obtained.token);
        Ok(())
    }

    /// The client, to save its session.
    pub fn client(&self) -> &SecureConversationClient {
        &self.client
    }

    /// Sends a message and waits for its reply. Obtains a session, or renews its key, when that is due.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call(&mut self, message: Message) -> Result<Reply, CallError> {
        self.establish().await?;
        let again = message.clone();
        let exchange = self.client.send(message, SystemClock.now(), &SystemRandom)?;
        let outcome = match self.exchange(exchange).await {
            // The service says so before it processes the message.
            Err(CallError::Session(SessionError::RenewNeeded)) => {
                self.establish().await?;
                let exchange = self.client.again(again, SystemClock.now(), &SystemRandom)?;
                self.exchange(exchange).await?
            }
            outcome => outcome?,
        };
        match outcome {
            Outcome::Reply(reply) => Ok(Reply::Message(reply)),
            Outcome::Fault { fault, message } => Ok(Reply::Fault(fault, message)),
            _ => Err(SessionError::NoSession.into()),
        }
    }

    /// Ends the session, and tells the service when it remembers it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn close(&mut self) -> Result<(), CallError> {
        match self.client.close(SystemClock.now(), &SystemRandom)? {
            Some(exchange) => self.exchange(exchange).await.map(drop),
            None => Ok(()),
        }
    }

    async fn establish(&mut self) -> Result<(), CallError> {
        let now = SystemClock.now();
        match self.client.due(now) {
            None => {
                self.tell(format_args!("the session {} goes on", self.context()));
                return Ok(());
            }
            Some(TrustAction::Renew) => self.tell(format_args!("the key of the session {} is due", self.context())),
            Some(_) => self.tell(format_args!("a session is needed")),
        }
        if let Some(ask) = self.user.take() {
            self.client.replace_user_name(ask().map_err(CallError::User)?);
        }
        loop {
            let exchange = self.client.establish(SystemClock.now(), &SystemRandom)?;
            if exchange.is_negotiation() {
                self.tell(format_args!("TLS is negotiated in messages first"));
            }
            if !matches!(self.exchange(exchange).await?, Outcome::Negotiating) {
                break;
            }
        }
        self.tell(format_args!("the session is {}", self.context()));
        Ok(())
    }

    async fn exchange(&mut self, exchange: Exchange) -> Result<Outcome, CallError> {
        let post = Post {
            address: &self.address,
            soap: self.client.soap_version(),
            action: exchange.action(),
            envelope: exchange.envelope(),
        };
        let answer = self.post(post).await?;
        let now = SystemClock.now();
        if exchange.is_negotiation() {
            return Ok(self.client.receive(exchange, answer, now)?);
        }
        let mut opened = self.client.opener(&exchange).open(&exchange, answer.clone(), now);
        if opened.lacks_key() && self.take_up_kept(now) {
            opened = self.client.opener(&exchange).open(&exchange, answer, now);
        }
        Ok(self.client.take_in(exchange, opened, now)?)
    }

    /// Goes on with the key that another process has saved for this very session. False when there is none.
    fn take_up_kept(&mut self, now: Timestamp) -> bool {
        let Some(saved) = self.kept.as_ref().and_then(|ask| ask()) else { return false };
        let mut theirs = self.client.another();
        let is_ours = theirs.restore(&saved, now).is_ok() && theirs.context_id() == self.client.context_id();
        if !is_ours || theirs.obtained() <= self.client.obtained() {
            return false;
        }
        self.tell(format_args!("another process has renewed the key of the session"));
        self.client.restore(&saved, now).is_ok()
    }

    async fn post(&self, post: Post<'_>) -> Result<Bytes, CallError> {
        let started = Instant::now();
        let Post { address, action, envelope, .. } = post;
        self.tell(format_args!("> POST {address} ({} bytes): {action}", envelope.len()));
        self.tell(format_args!("> {}", redacted(envelope)));
        let sending = self.send(&post);
        let (status, answer) = match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, sending)
                .await
                .map_err(|_| CallError::Http(format!("there was no answer in {} s", timeout.as_secs())))??,
            None => sending.await?,
        };
        let took = started.elapsed().as_millis();
        self.tell(format_args!("< {status} ({} bytes, {took} ms)", answer.len()));
        if !holds_message(status, &answer) {
            return Err(CallError::Http(format!("{address} answers with HTTP status {status}")));
        }
        self.tell(format_args!("< {}", redacted(&String::from_utf8_lossy(&answer))));
        Ok(answer)
    }

    async fn send(&self, post: &Post<'_>) -> Result<(StatusCode, Bytes), CallError> {
        let failed = |error: &dyn std::fmt::Display| CallError::Http(format!("cannot call {}: {error}", post.address));
        let request = Request::post(post.address.clone());
        let request = match post.soap {
            SoapVersion::Soap11 => request
                .header(CONTENT_TYPE, "text/xml; charset=utf-8")
                .header("SOAPAction", format!("\"{}\"", post.action)),
            SoapVersion::Soap12 => {
                let media_type = format!("application/soap+xml; charset=utf-8; action=\"{}\"", post.action);
                request.header(CONTENT_TYPE, media_type)
            }
        };
        let request = request.body(Full::from(post.envelope.to_owned())).map_err(|error| failed(&error))?;
        let response = self.http.request(request).await.map_err(|error| {
            let cause = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source()).last();
            failed(&cause.map_or_else(|| error.to_string(), ToString::to_string))
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        Ok((status, body.map_err(|error| failed(&error))?.to_bytes()))
    }

    fn context(&self) -> &str {
        self.client.context_id().unwrap_or_default()
    }

    fn tell(&self, what: std::fmt::Arguments<'_>) {
        if let Some(tell) = self.tell {
            tell(&what.to_string());
        }
    }
}

/// Nothing that is a secret.
impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller").field("address", &self.address).finish_non_exhaustive()
    }
}
