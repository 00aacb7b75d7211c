//! The client end of secure conversations: obtains a session, uses it, keeps its key young, and ends it.

mod builder;
mod credentials;
mod exchange;
mod negotiating;
mod saved;
mod session;
mod sharing;

pub use builder::SecureConversationClientBuilder;
pub(crate) use credentials::Credentials;
pub use exchange::{Exchange, Outcome};
pub use sharing::{AnswerOpener, OpenedAnswer, SessionSender};

use crate::contract::{Contract, Operation};
use crate::error::Error;
use crate::negotiation::client::ClientNegotiation;
use crate::requirements::Negotiates;
use crate::trust::{Entropy, IssuedContext, RequestSecurityToken, RequestSecurityTokenResponse, TrustAction};
use exchange::Kind;
use handstamp_keys::SecureRandom;
use handstamp_session_token::UniqueId;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, Fault, SoapVersion};
use handstamp_ws_security::{
    AddressingVersion, Body, Generation, IssuedToken, KeyEntropyMode, MemoryReplayCache, Message, ProtectionLevel,
    SecurityBinding, Sender, Unprotected, UserNameCredential,
};
use handstamp_xml::{ParseOptions, names};
use session::{ClientKey, ClientSession};
use std::fmt;
use std::sync::Arc;

/// A client's session with a service.
///
/// It is a state machine without I/O. An *exchange* is one message out and one back: the machine makes it, whoever drives it
/// sends [`Exchange::envelope`] and hands the answer to [`receive`](Self::receive). Exchanges may overlap.
///
/// ```text
///            establish ──► receive                     request ──► receive          close ──► receive
///  no session ──────────────────► open ───────────────────────────────► open ─────────────────────► closed
///                                  ▲                                     │
///                                  └── establish ──► receive  (renewal, when due) ◄──┘
/// ```
///
/// Under one of the `…SslNegotiated` modes without `SecureConversation` the context that is negotiated takes the place of the session:
/// it is established, saved and replaced in the same way, and there is nothing to renew or to close.
///
/// Before a request ask [`due`](Self::due): it says whether a session has to be obtained or its key renewed first.
pub struct SecureConversationClient {
    settings: Arc<Settings>,
    credentials: Arc<Credentials>,
    replays: Arc<Replays>,
    negotiation: Option<Box<ClientNegotiation>>,
    /// The context that it has made, which protects one bootstrap.
    negotiated: Option<ClientSession>,
    session: Option<ClientSession>,
    state: State,
}

/// What stays the same in all sessions of a client.
struct Settings {
    outer: SecurityBinding,
    bootstrap: SecurityBinding,
    renewal: SecurityBinding,
    generation: Generation,
    is_stateful: bool,
    /// Whether a negotiated context takes the place of a session (SC §7).
    is_negotiated: bool,
    can_renew: bool,
    address: String,
    soap: SoapVersion,
    addressing: AddressingVersion,
    protected_channel: bool,
    contract: Contract,
    parse_options: ParseOptions,
    max_message_size: usize,
    reissues: bool,
    /// What TLS has to negotiate before a bootstrap.
    negotiates: Option<Negotiates>,
}

/// The answers that were seen.
struct Replays {
    bootstrap: MemoryReplayCache,
    session: MemoryReplayCache,
}

impl Replays {
    fn of(settings: &Settings) -> Arc<Self> {
        Arc::new(Self {
            bootstrap: MemoryReplayCache::new(settings.bootstrap.local_client.replay_cache_size),
            session: MemoryReplayCache::new(settings.outer.local_client.replay_cache_size),
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Faulted,
    Closed,
}

/// What is read of a fault that nobody protected, in bytes (SC 12.4).
const MAX_UNSECURED_FAULT: usize = 16_384;

impl SecureConversationClient {
    /// Starts a client of the service at `address`.
    pub fn builder(binding: SecurityBinding, address: impl Into<String>) -> SecureConversationClientBuilder {
        SecureConversationClientBuilder::new(binding, address.into())
    }

    /// Another client of the same service, without a session. It shares what both have in common, so that a program can keep one
    /// for each of many users.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::without_session(Arc::clone(&self.settings), Arc::clone(&self.credentials))
    }

    /// [Another](Self::another) client, with another name and password.
    #[must_use]
    pub fn for_user(&self, user_name: UserNameCredential) -> Self {
        let credentials = Credentials { user_name: Some(user_name), ..Credentials::clone(&self.credentials) };
        Self::without_session(Arc::clone(&self.settings), Arc::new(credentials))
    }

    fn without_session(settings: Arc<Settings>, credentials: Arc<Credentials>) -> Self {
        let replays = Replays::of(&settings);
        Self { settings, credentials, replays, negotiation: None, negotiated: None, session: None, state: State::Open }
    }

    /// What has to be done before the next request: [`TrustAction::Issue`] without a session or when a new one is due,
    /// [`TrustAction::Renew`] when the key is (SC 11.2, 12.4). None when a request can be sent.
    pub fn due(&self, now: Timestamp) -> Option<TrustAction> {
        if self.state != State::Open {
            return None;
        }
        let Some(session) = &self.session else { return Some(TrustAction::Issue) };
        let settings = &self.settings.outer.local_client;
        if self.settings.is_stateful {
            return session.is_replaced(settings, now).then_some(TrustAction::Issue);
        }
        (self.settings.can_renew && session.is_renewed(settings, now)).then_some(TrustAction::Renew)
    }

    /// Obtains a session, or renews the key of the one there is. Where TLS is negotiated first (SC §7) that takes several
    /// exchanges: after [`Outcome::Negotiating`] establish again.
    ///
    /// # Errors
    /// [`Error::SessionFaulted`], [`Error::SessionClosed`]; [`Error::Security`] when the bootstrap lacks something.
    pub fn establish(&mut self, now: Timestamp, random: &dyn SecureRandom) -> Result<Exchange, Error> {
        self.check_open()?;
        if self.settings.is_negotiated || self.has_to_negotiate(now) {
            return self.negotiate(now, random);
        }
        if let Some(negotiated) = &mut self.negotiated {
            negotiated.uses += 1;
        }
        match &self.session {
            Some(session) if !self.settings.is_stateful => {
                let current = Arc::clone(&session.current);
                let target = current.context.context().clone();
                let rst = RequestSecurityToken::renew(
                    self.settings.generation,
                    self.entropy(random)?,
                    self.key_size(),
                    target,
                );
                let sender = self.sender(&self.settings.renewal).with_context(&current.context);
                self.exchange(TrustAction::Renew, Some(rst), &sender, Some(Arc::clone(&current)), now, random)
            }
            _ => {
                let rst = RequestSecurityToken::issue(self.settings.generation, self.entropy(random)?, self.key_size());
                self.exchange(TrustAction::Issue, Some(rst), &self.sender(&self.settings.bootstrap), None, now, random)
            }
        }
    }

    /// A request of the application, to be answered. `body` is the content of its body.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::SessionFaulted`], [`Error::SessionClosed`], [`Error::KeyExpired`].
    pub fn request(
        &mut self,
        action: &str,
        body: Body,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Exchange, Error> {
        let message =
            self.message(action, random)?.with_body(body).with_protection(self.settings.operation(action).request);
        let retry = (self.settings.reissues && self.settings.is_stateful).then(|| message.clone());
        Ok(Exchange { retry, ..self.send(message, now, random)? })
    }

    /// A message that is not answered.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn one_way(
        &mut self,
        action: &str,
        body: Body,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Exchange, Error> {
        let mut message =
            self.message(action, random)?.with_body(body).with_protection(self.settings.operation(action).request);
        (message.message_id, message.reply_to) = (None, None);
        self.send(message, now, random)
    }

    /// A message that [`Outcome::Again`] gave back, in the session that was obtained since.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn again(
        &mut self,
        mut message: Message,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Exchange, Error> {
        message.message_id = Some(UniqueId::generate(random)?.to_string());
        self.send(message, now, random)
    }

    /// Any message of the application: for those that bring headers of their own.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    pub fn send(&mut self, message: Message, now: Timestamp, random: &dyn SecureRandom) -> Result<Exchange, Error> {
        self.session_sender(now, random)?.send(&message, now, random)
    }

    /// Ends the session. None when there is nothing to tell the service: it has no session of us, keeps none (a cookie), or
    /// the session ended with a fault.
    ///
    /// # Errors
    /// [`Error::Security`] when the message cannot be made.
    pub fn close(&mut self, now: Timestamp, random: &dyn SecureRandom) -> Result<Option<Exchange>, Error> {
        if self.state != State::Open || self.settings.is_stateful || self.session.is_none() {
            self.state = State::Closed;
            self.session = None;
            return Ok(None);
        }
        let key = self.session_key(random)?;
        let rst = RequestSecurityToken::cancel(self.settings.generation, key.context.context().clone());
        let sender = self.sender(&self.settings.outer).with_context(&key.context);
        self.exchange(TrustAction::Cancel, Some(rst), &sender, Some(Arc::clone(&key)), now, random).map(Some)
    }

    /// Takes in the answer to an exchange.
    ///
    /// # Errors
    /// [`Error::Fault`] when the service refuses; [`Error::RenewNeeded`] when it wants a new key and the request can be sent
    /// again; [`Error::Security`] for an answer that is not protected as it must be. A session that the service remembers is
    /// over with any unsecured fault about the key in use; one that is a cookie goes on.
    pub fn receive(
        &mut self,
        exchange: Exchange,
        answer: impl Into<Vec<u8>>,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        if exchange.kind == Kind::Negotiation {
            let answer = self.settings.bounded(answer.into())?;
            return self.negotiated(exchange, answer, now);
        }
        let opened = self.opener(&exchange).open(&exchange, answer, now);
        self.take_in(exchange, opened, now)
    }

    /// Sends this name and password from here on, when a new session or key is due.
    pub fn replace_user_name(&mut self, user_name: UserNameCredential) {
        Arc::make_mut(&mut self.credentials).user_name = Some(user_name);
    }

    /// Shows this token of the token service from here on: before the one there is has expired, and a new session or key is due.
    pub fn replace_issued_token(&mut self, token: IssuedToken) {
        Arc::make_mut(&mut self.credentials).issued_token = Some(token);
    }

    /// Forgets the session without telling the service; the next request needs a new one.
    pub fn forget(&mut self) {
        self.session = None;
        self.state = State::Open;
    }

    /// Whether there is a session.
    pub fn has_session(&self) -> bool {
        self.session.is_some() && self.state == State::Open
    }

    /// Whether messages share a session: with `cacheCookies="false"` each wants a cookie of its own (SC 12.4).
    pub fn shares_session(&self) -> bool {
        !self.settings.is_stateful || self.settings.outer.local_client.cache_cookies
    }

    /// The context id of the session.
    pub fn context_id(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.current.context.context().identifier.as_str())
    }

    /// When the session's current token ends, by the service's word; none without a session, or when it does not say.
    pub fn expires(&self) -> Option<Timestamp> {
        self.session.as_ref()?.current.lifetime.map(|lifetime| lifetime.expires)
    }

    /// When the session's current token was obtained, by the clock of this end.
    pub fn obtained(&self) -> Option<Timestamp> {
        self.session.as_ref().map(|session| session.obtained)
    }

    /// Where the service is.
    pub fn address(&self) -> &str {
        &self.settings.address
    }

    /// SOAP 1.1 or 1.2: what media type requests have.
    pub fn soap_version(&self) -> SoapVersion {
        self.settings.soap
    }

    fn message(&self, action: &str, random: &dyn SecureRandom) -> Result<Message, Error> {
        let id = UniqueId::generate(random)?.to_string();
        Ok(Message::request(self.settings.soap, self.settings.addressing, action, &*self.settings.address, id))
    }

    /// The key of the session, with the derived keys that all its messages share when the service remembers it (SC §3).
    fn session_key(&mut self, random: &dyn SecureRandom) -> Result<Arc<ClientKey>, Error> {
        let shares_derived_keys = !self.settings.is_stateful;
        let session = self.session.as_mut().ok_or(Error::NoSession)?;
        if shares_derived_keys {
            session.derive_keys(&self.settings.outer, random)?;
        }
        Ok(Arc::clone(&session.current))
    }

    fn entropy(&self, random: &dyn SecureRandom) -> Result<Option<Entropy>, Error> {
        if self.settings.outer.key_entropy == KeyEntropyMode::Server {
            return Ok(None);
        }
        let id = UniqueId::generate(random)?.to_string();
        let id = format!("uuid-{}-1", id.trim_start_matches("urn:uuid:"));
        Entropy::generate(self.settings.outer.suite.default_key_length(), id, random).map(Some)
    }

    /// In bits.
    fn key_size(&self) -> u32 {
        u32::try_from(self.settings.outer.suite.default_key_length() * 8).unwrap_or_default()
    }

    fn exchange(
        &self,
        action: TrustAction,
        rst: Option<RequestSecurityToken>,
        sender: &Sender<'_>,
        key: Option<Arc<ClientKey>>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Exchange, Error> {
        let body = rst.as_ref().map(RequestSecurityToken::to_body).transpose()?.unwrap_or_default();
        let level = match action {
            TrustAction::Cancel => ProtectionLevel::Sign,
            TrustAction::Issue | TrustAction::Renew => ProtectionLevel::EncryptAndSign,
        };
        let message = self.message(action.request(self.settings.generation), random)?;
        let message = message.with_body(body).with_protection(level);
        let protected = sender.protect(&message, random, now)?;
        Ok(Exchange {
            request: protected.request,
            rst,
            key,
            ..Exchange::new(message.action, protected.envelope, Kind::Trust(action))
        })
    }

    fn established(
        &mut self,
        action: TrustAction,
        exchange: &Exchange,
        opened: &Unprotected,
        now: Timestamp,
    ) -> Result<Outcome, Error> {
        let refused = |problem| Error::trust("SC 4.2", "RequestSecurityTokenResponse", problem);
        if opened.action().as_deref() != Some(action.response(self.settings.generation)) {
            return Err(refused("the action is not that of the answer"));
        }
        let rst = exchange.rst.as_ref().ok_or_else(|| refused("nothing was asked"))?;
        let body = opened.body().ok_or_else(|| refused("its body was not verified"))?;
        let content = body.children().next().ok_or_else(|| refused("its body is empty"))?;
        let response = RequestSecurityTokenResponse::parse(content.element(), self.settings.generation)?;
        let issued = IssuedContext::new(rst, response, &self.settings.outer.suite)?;
        if issued.entropy != self.settings.outer.key_entropy {
            return Err(refused("the entropy of the key is not that of keyEntropyMode"));
        }
        let renewed = exchange.key.as_ref().map(|key| &key.context.context().identifier);
        if renewed.is_some_and(|identifier| *identifier != issued.token.context.identifier) {
            return Err(refused("it is for another context than the one that was to be renewed"));
        }
        let key = ClientKey::new(&issued)?;
        let rollover = self.settings.outer.local_client.session_key_rollover_interval;
        match &mut self.session {
            Some(session) if action == TrustAction::Renew => session.renew(key, now, rollover),
            session => *session = Some(ClientSession::new(key, now)),
        }
        Ok(Outcome::Established)
    }

    fn closed(&mut self, opened: &Unprotected) -> Result<Outcome, Error> {
        let body = opened.body().ok_or_else(|| Error::trust("SC 4.4", "Body", "it was not verified"))?;
        let content = body.children().next().ok_or_else(|| Error::trust("SC 4.4", "Body", "it is empty"))?;
        let response = RequestSecurityTokenResponse::parse(content.element(), self.settings.generation)?;
        if !response.cancelled {
            return Err(Error::trust("SC 4.4", "RequestedTokenCancelled", "it is missing: the session was not ended"));
        }
        (self.state, self.session) = (State::Closed, None);
        Ok(Outcome::Closed { was_cancelled: true })
    }

    /// A fault that anybody could have made. It never makes the client send credentials again, save where that was asked for.
    fn unsecured_fault(&mut self, exchange: Exchange, fault: Fault, size: usize) -> Result<Outcome, Error> {
        if size > MAX_UNSECURED_FAULT {
            return Err(Error::TooLarge { bytes: size, limit: MAX_UNSECURED_FAULT });
        }
        let says = |name: &str| fault.subcode.as_ref().is_some_and(|subcode| subcode.local_name == name);
        if exchange.kind == Kind::Trust(TrustAction::Cancel) && says("SecureConversationCancellationNotAllowed") {
            // The service keeps no sessions, so this one is over all the same (SC §3).
            (self.state, self.session) = (State::Closed, None);
            return Ok(Outcome::Closed { was_cancelled: false });
        }
        if exchange.kind == Kind::Request && fault.is_of_security_layer() {
            if self.settings.is_stateful {
                if let Some(message) = exchange.retry.filter(|_| says("BadContextToken") || says("InvalidSecurity")) {
                    self.session = None;
                    return Ok(Outcome::Again(Box::new(message)));
                }
            } else if self.is_current(exchange.key.as_ref()) {
                self.state = State::Faulted;
            }
        }
        Err(Error::Fault { fault, is_authenticated: false })
    }

    fn secured_fault(&mut self, exchange: &Exchange, fault: Fault, opened: Unprotected) -> Result<Outcome, Error> {
        let says = |namespace: &str, name: &str| {
            fault.subcode.as_ref().is_some_and(|said| said.namespace == namespace && said.local_name == name)
        };
        if exchange.kind != Kind::Request {
            return Err(Error::Fault { fault, is_authenticated: true });
        }
        if says(self.settings.generation.conversation(), "RenewNeeded") {
            if let Some(session) = &mut self.session {
                session.is_due = true;
            }
            return Err(Error::RenewNeeded);
        }
        if says(names::WCF_SECURITY, "SecuritySessionAborted") {
            self.state = State::Faulted;
            return Err(Error::Fault { fault, is_authenticated: true });
        }
        Ok(Outcome::Fault { fault, message: Box::new(opened) })
    }

    /// Whether a key is the one in use: a fault about an older one says nothing about the session (finding 17).
    fn is_current(&self, key: Option<&Arc<ClientKey>>) -> bool {
        let current = self.session.as_ref().map(|session| session.current.context.context());
        current == key.map(|key| key.context.context())
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.state {
            State::Open => Ok(()),
            State::Faulted => Err(Error::SessionFaulted),
            State::Closed => Err(Error::SessionClosed),
        }
    }

    fn sender<'a>(&'a self, binding: &'a SecurityBinding) -> Sender<'a> {
        let sender = self.credentials.sender(binding, self.settings.protected_channel);
        match &self.negotiated {
            Some(negotiated) => sender.with_negotiated_context(&negotiated.current.context),
            None => sender,
        }
    }
}

impl Settings {
    fn operation(&self, action: &str) -> Operation {
        self.contract.operation(action).unwrap_or_default()
    }

    /// # Errors
    /// [`Error::TooLarge`].
    fn bounded(&self, answer: Vec<u8>) -> Result<Vec<u8>, Error> {
        let (bytes, limit) = (answer.len(), self.max_message_size);
        if bytes > limit { Err(Error::TooLarge { bytes, limit }) } else { Ok(answer) }
    }
}

/// The address and the state; nothing that is a secret.
impl fmt::Debug for SecureConversationClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureConversationClient")
            .field("address", &self.settings.address)
            .field("state", &self.state)
            .field("context_id", &self.context_id())
            .finish_non_exhaustive()
    }
}

/// The fault in the body of a verified message.
pub(crate) fn fault_in(opened: &Unprotected) -> Result<Option<Fault>, Error> {
    let Some(body) = opened.body() else { return Ok(None) };
    let envelope = Envelope::of(opened.document())?;
    let fault = body.child(envelope.version().namespace(), "Fault");
    Ok(fault.map(|fault| Fault::parse(fault.element())).transpose()?)
}
