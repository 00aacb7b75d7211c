//! Sessions with a service that demands them: one for each identity, obtained once, shared by all its callers, kept young.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use handstamp_keys::{DigestAlgorithm, HmacKey, SecureRandom as _, SystemRandom};
use handstamp_secure_conversation::trust::TrustAction;
use handstamp_secure_conversation::{
    Error as SessionError, Exchange, Outcome, SecureConversationClient, SecureConversationClientBuilder, SessionSender,
};
use handstamp_session_token::UniqueId;
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{HeaderBlock, Message, Unprotected};
use handstamp_xml::binary;
use http::{Response, StatusCode};
use lru::LruCache;
use zeroize::Zeroizing;

use super::head::{Beginning, MessageHead, header_blocks};
use super::terms::{Terms, read_certificates, read_file, read_identity, read_trust, setup, unusable};
use super::token_source::{TokenSource, TokenTerms};
use super::way::{Behalf, Way};
use super::wire;
use crate::Error;
use crate::admin::SoapMetrics;
use crate::config::{SoapRoute, TokenService};
use crate::gateway::body::Body;
use crate::gateway::problem::Problem;
use crate::gateway::telemetry::{Errand, RequestTrace};
use handstamp_ws_security::UserNameCredential;

/// A name and its password.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) password: Zeroizing<String>,
}

impl Caller {
    fn credential(&self) -> UserNameCredential {
        UserNameCredential::new(self.name.clone(), self.password.as_str())
    }
}

/// The sessions of a route. They outlive a change of the configuration that does not touch them.
pub(crate) struct InitiateSessions {
    terms: Arc<Terms>,
    basis: Basis,
    address: String,
    configured: Option<Caller>,
    /// Without a session, for the configured caller or nobody: what those of all callers have in common.
    client: SecureConversationClient,
    tokens: Option<TokenTerms>,
    kept: Mutex<LruCache<Option<[u8; 32]>, Arc<Session>>>,
    /// So that a kept session is found with the password only, and the password is not kept for it.
    secret: HmacKey,
}

/// Steps on the way to a session, at most: where the bootstrap negotiates it takes several.
const MOST_STEPS: usize = 16;

/// How long no replacement ahead of time is tried after one that failed.
const PAUSE: Duration = Duration::from_secs(5);

/// What sessions stand on: while it stays the same, they go on.
#[derive(PartialEq)]
struct Basis {
    terms: String,
    address: String,
    user: Option<String>,
    token_service: Option<TokenService>,
    /// Digests: secrets are among them.
    files: Vec<[u8; 32]>,
    max_message_size: usize,
}

/// One session.
pub(super) struct Session {
    /// Held for moments only: messages are protected and opened beside it, on all cores.
    client: Mutex<SecureConversationClient>,
    /// What it shows to get a session, where that is a token of a token service.
    tokens: Option<TokenSource>,
    soap: SoapVersion,
    format: wire::Format,
    /// Held by whoever obtains a session or renews its key, so that one does it for all. After a failure ahead of time it says when
    /// that may be tried again.
    establishing: Arc<tokio::sync::Mutex<Option<Instant>>>,
    doubts: Mutex<Doubts>,
}

/// How often a session was given up on the word of a fault that anybody can have made.
#[derive(Default)]
struct Doubts {
    /// When as many as ever may be given up again.
    whole_at: Option<Timestamp>,
}

/// What a call goes by.
#[derive(Clone, Copy)]
pub(super) struct Call<'c> {
    pub(super) way: &'c Arc<Way>,
    /// The local program.
    pub(super) client: IpAddr,
    pub(super) trace: Option<&'c RequestTrace>,
    pub(super) metrics: &'c Arc<SoapMetrics>,
}

impl Call<'_> {
    /// For whom the service, or its token service, is asked.
    pub(super) fn behalf(&self, errand: Errand) -> Behalf {
        Behalf { client: self.client, trace: self.trace.map(|trace| trace.on(errand)) }
    }
}

/// What came of a call whose body passed as it came.
pub(super) enum Streamed {
    /// Its answer is here; none for a message that is not answered.
    Held(Option<Outcome>),
    /// The reply, verified as far as there is anything to verify, with its body still on its way.
    Passing { reply: Box<Unprotected>, body: Box<MessageHead>, length: Option<u64> },
}

/// Why a call came to nothing.
#[derive(Debug)]
pub(super) enum CallError {
    /// No session could be obtained.
    Refused(SessionError),
    /// The service does not know the session, and the message must not be sent again.
    Lost(SessionError),
    /// The conversation failed.
    Session(SessionError),
    /// The message or its answer did not get through.
    Way(Problem),
    /// Something on the way answered that is no SOAP message.
    Status(StatusCode),
}

impl From<SessionError> for CallError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

/// A message that cannot be written.
impl From<binary::Error> for CallError {
    fn from(error: binary::Error) -> Self {
        tracing::error!(%error, "a message cannot be written");
        Self::Way(Problem::internal("HST-SOAP-INTERNAL"))
    }
}

impl InitiateSessions {
    /// Sessions as the files of a route describe them: those of `before` when nothing has changed.
    ///
    /// # Errors
    /// A file that cannot be used, settings that do not go together.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        terms: &Arc<Terms>,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Error> {
        let first = route.upstream.servers().first().map(|server| &server.url);
        let address = route.address.as_ref().or(first).map(ToString::to_string).unwrap_or_default();
        let basis = Basis::of(route, terms, &address)?;
        if let Some(before) = before.filter(|before| before.basis == basis) {
            let most = NonZeroUsize::new(route.max_sessions as usize).unwrap_or(NonZeroUsize::MIN);
            before.kept().resize(most);
            return Ok(Arc::clone(before));
        }
        let configured = match (&route.user, &route.password_file) {
            (Some(user), Some(file)) => Some(Caller { name: user.clone(), password: read_password(file)? }),
            _ => None,
        };
        let mut secret = Zeroizing::new([0; 32]);
        SystemRandom.fill(secret.as_mut_slice())?;
        let most = NonZeroUsize::new(route.max_sessions as usize).unwrap_or(NonZeroUsize::MIN);
        let tokens = TokenTerms::open(name, route, terms, &address)?;
        // What does not go together is said at the start, not to the first caller.
        let wrong = |error: SessionError| setup(error.code(), format!("soap.{name}: {error}"));
        let anybody = Caller { name: "anybody".to_owned(), password: Zeroizing::new(String::new()) };
        let somebody = configured.as_ref().or(Some(&anybody).filter(|_| per_caller(route)));
        if let Some(tokens) = &tokens {
            tokens.source(somebody).map_err(wrong)?;
        }
        let client = client_builder(name, route, terms, &address)?;
        let client = match somebody {
            _ if tokens.is_some() => client.credentials_come_later(),
            Some(caller) => client.user_name(caller.credential()),
            None => client,
        };
        Ok(Arc::new(Self {
            terms: Arc::clone(terms),
            basis,
            client: client.build().map_err(wrong)?,
            address,
            tokens,
            kept: Mutex::new(LruCache::new(most)),
            secret: HmacKey::new(DigestAlgorithm::Sha256, secret.as_slice()),
            configured,
        }))
    }

    /// The session of a caller; the configured one for none.
    ///
    /// # Errors
    /// Settings that do not go together.
    pub(super) fn of(&self, caller: Option<&Caller>) -> Result<Arc<Session>, SessionError> {
        let key = caller.map(|caller| self.key(caller));
        let mut kept = self.kept();
        if let Some(session) = kept.get(&key) {
            return Ok(Arc::clone(session));
        }
        let session = Arc::new(self.session(caller.or(self.configured.as_ref()))?);
        kept.put(key, Arc::clone(&session));
        Ok(session)
    }

    /// Forgets a session that could not be obtained: names that nobody has must not push others out.
    pub(super) fn forget(&self, caller: Option<&Caller>) {
        self.kept().pop(&caller.map(|caller| self.key(caller)));
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn terms(&self) -> &Arc<Terms> {
        &self.terms
    }

    fn key(&self, caller: &Caller) -> [u8; 32] {
        let length = u64::try_from(caller.name.len()).unwrap_or(u64::MAX).to_be_bytes();
        let parts = [&length[..], caller.name.as_bytes(), caller.password.as_bytes()];
        let mut key = [0; 32];
        key.copy_from_slice(self.secret.sign_parts(&parts).as_bytes());
        key
    }

    /// A session that is not obtained yet.
    fn session(&self, caller: Option<&Caller>) -> Result<Session, SessionError> {
        let client = match caller {
            Some(caller) if self.tokens.is_none() => self.client.for_user(caller.credential()),
            _ => self.client.another(),
        };
        Ok(Session {
            soap: client.soap_version(),
            client: Mutex::new(client),
            tokens: self.tokens.as_ref().map(|tokens| tokens.source(caller)).transpose()?,
            format: self.terms.encoding.into(),
            establishing: Arc::default(),
            doubts: Mutex::default(),
        })
    }

    fn kept(&self) -> MutexGuard<'_, LruCache<Option<[u8; 32]>, Arc<Session>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn client_builder(
    name: &str,
    route: &SoapRoute,
    terms: &Terms,
    address: &str,
) -> Result<SecureConversationClientBuilder, Error> {
    let mut builder = SecureConversationClient::builder(terms.security.clone(), address)
        .message_version(terms.soap(), terms.addressing())
        .contract(terms.contract(name))
        .max_message_size(route.max_message_size.in_memory());
    if let Some(certificate) = read_certificates(&route.peer_certificates)?.into_iter().next() {
        builder = builder.service_certificate(certificate);
    }
    if let Some(trust) = read_trust(route)? {
        builder = builder.trust(trust);
    }
    if let Some(identity) = route.identity.as_deref().map(read_identity).transpose()? {
        builder = builder.identity(identity);
    }
    Ok(builder)
}

fn per_caller(route: &SoapRoute) -> bool {
    route.callers == crate::config::SoapCallers::Basic
}

impl Basis {
    fn of(route: &SoapRoute, terms: &Terms, address: &str) -> Result<Self, Error> {
        let files = route.identity.iter().chain(&route.peer_certificates).chain(&route.peer_authorities);
        let files = files.chain(route.token_service.as_ref().and_then(|service| service.certificate.as_ref()));
        let digest = |file: &std::path::PathBuf| {
            let content = Zeroizing::new(read_file(file)?);
            let mut digest = [0; 32];
            digest.copy_from_slice(DigestAlgorithm::Sha256.digest(&content).as_bytes());
            Ok::<_, Error>(digest)
        };
        Ok(Self {
            terms: format!("{:?} {:?} {:?}", terms.security, terms.version, terms.operations()),
            address: address.to_owned(),
            user: route.user.clone(),
            token_service: route.token_service.clone(),
            files: files.chain(&route.password_file).map(digest).collect::<Result<_, _>>()?,
            max_message_size: route.max_message_size.in_memory(),
        })
    }
}

impl Session {
    /// Sends a message and takes in its answer. Obtains a session first when there is none, and has it replaced ahead of time
    /// while the old one serves. Nothing is returned for a message that is not answered.
    ///
    /// A message that the service did not process for want of a younger key is sent again. One whose session the service says it
    /// does not know is sent again, once, when `repeats`.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn call(
        self: &Arc<Self>,
        message: Message,
        call: Call<'_>,
        repeats: bool,
    ) -> Result<Option<Outcome>, CallError> {
        let (exchange, sender) = self.prepare(&message, call).await?;
        call.metrics.seen.note(&sender.context_id());
        call.metrics.messages.add();
        match self.exchange(exchange, call).await {
            Err(CallError::Session(SessionError::RenewNeeded)) => {
                self.establish(call).await?;
            }
            Err(CallError::Session(error)) if self.gives_up(&sender, &error) && is_lost(&error) => {
                if !repeats {
                    return Err(CallError::Lost(error));
                }
                tracing::info!(%error, "the service lost the session; a new one is obtained and the message sent again");
            }
            outcome => return outcome,
        }
        let mut again = message;
        if again.message_id.is_some() {
            again.message_id = Some(UniqueId::generate(&SystemRandom).map_err(SessionError::from)?.to_string());
        }
        let (exchange, _) = self.prepare(&again, call).await?;
        self.exchange(exchange, call).await
    }

    /// Sends a message whose body is still on its way. It is sent once: what of it has passed is gone.
    ///
    /// # Errors
    /// [`CallError`].
    pub(super) async fn stream(
        self: &Arc<Self>,
        message: Message,
        (body, length): (MessageHead, Option<u64>),
        call: Call<'_>,
    ) -> Result<Streamed, CallError> {
        let (mut exchange, sender) = self.prepare(&message, call).await?;
        call.metrics.seen.note(&sender.context_id());
        call.metrics.messages.add();
        let envelope = exchange.take_envelope();
        let blocks = header_blocks(&envelope).map_err(SessionError::from)?;
        let (body, longer) = body.with_header(blocks.iter().map(HeaderBlock::xml));
        let (headers, _) = wire::request(wire::Format::Text, self.soap, exchange.action(), String::new())?;
        let began = Instant::now();
        let answer = call.way.pass(headers, body, wire::lengthened(length, longer), call.behalf(Errand::Message)).await;
        call.metrics.answered(began.elapsed());
        let answer = answer.map_err(CallError::Way)?;
        let outcome = self.take_streamed(exchange, answer, call).await;
        outcome.map_err(|error| match error {
            CallError::Session(error @ SessionError::RenewNeeded) => CallError::Lost(error),
            CallError::Session(error) if self.gives_up(&sender, &error) && is_lost(&error) => CallError::Lost(error),
            error => error,
        })
    }

    async fn take_streamed(
        &self,
        exchange: Exchange,
        answer: Response<Body>,
        call: Call<'_>,
    ) -> Result<Streamed, CallError> {
        let (head, body) = answer.into_parts();
        let passes = head.status == StatusCode::OK && exchange.is_answered() && wire::is_plain_text(&head.headers);
        let beginning = match passes {
            true => MessageHead::read(body).await.map_err(|error| {
                tracing::warn!(%error, "the service's answer breaks off");
                CallError::Way(Problem::upstream_broken())
            })?,
            false => Beginning::Whole(body),
        };
        match beginning {
            Beginning::Head(body) => {
                let length = wire::length(&head.headers);
                let Outcome::Reply(reply) = self.take_in(exchange, body.alone().into())? else {
                    return Err(CallError::Status(head.status));
                };
                Ok(Streamed::Passing { reply, body, length })
            }
            Beginning::Whole(body) => {
                let answer = call.way.whole(Response::from_parts(head, body)).await.map_err(CallError::Way)?;
                if answer.body.is_empty() && answer.status.is_success() {
                    return Ok(Streamed::Held(None));
                }
                let text = answer.message(call.way.limit())?;
                Ok(Streamed::Held(Some(self.take_in(exchange, text)?)))
            }
        }
    }

    /// A protected message, and what protected it. There is a session for it then.
    async fn prepare(
        self: &Arc<Self>,
        message: &Message,
        call: Call<'_>,
    ) -> Result<(Exchange, SessionSender), CallError> {
        let is_shared = self.client().shares_session();
        if is_shared {
            self.be_ready(call).await?;
            return self.make(message);
        }
        // Until the message is in it the session is nobody else's.
        let _turn = self.establishing.lock().await;
        self.obtain(call).await?;
        self.make(message)
    }

    /// Sees to it that there is a session.
    async fn be_ready(self: &Arc<Self>, call: Call<'_>) -> Result<(), CallError> {
        let (is_due, is_usable) = {
            let now = SystemClock.now();
            let mut client = self.client();
            let is_over = client.expires().is_some_and(|end| end <= now);
            let is_usable = client.has_session() && !is_over;
            if !is_usable && client.due(now).is_none() {
                // Its key has ended and must not be renewed, or it ended with a fault (SC 11.2, finding 19).
                client.forget();
            }
            (client.due(now).is_some(), is_usable)
        };
        match (is_due, is_usable) {
            (false, _) => Ok(()),
            (true, false) => self.establish(call).await,
            (true, true) => {
                if let Ok(mut pause) = Arc::clone(&self.establishing).try_lock_owned()
                    && pause.is_none_or(|until| until <= Instant::now())
                {
                    let (session, way, metrics) = (Arc::clone(self), Arc::clone(call.way), Arc::clone(call.metrics));
                    let (client, trace) = (call.client, call.trace.cloned());
                    tokio::spawn(async move {
                        let call = Call { way: &way, client, trace: trace.as_ref(), metrics: &metrics };
                        let failed = session.obtain(call).await.err();
                        *pause = failed.map(|error| {
                            tracing::warn!(
                                ?error,
                                "the session could not be replaced ahead of time; the old one goes on"
                            );
                            Instant::now() + PAUSE
                        });
                    });
                }
                Ok(())
            }
        }
    }

    /// Obtains a session or a younger key, unless somebody else did it meanwhile.
    async fn establish(&self, call: Call<'_>) -> Result<(), CallError> {
        let _turn = self.establishing.lock().await;
        let obtained = self.obtain(call).await;
        if let Err(CallError::Refused(SessionError::Fault { .. })) = &obtained {
            // It was needed: a key that cannot be renewed is of a session that is over.
            self.client().forget();
        }
        obtained
    }

    async fn obtain(&self, call: Call<'_>) -> Result<(), CallError> {
        if let Some(tokens) = &self.tokens
            && self.client().due(SystemClock.now()).is_some()
            && let Some(token) = tokens.fresh(call).await?
        {
            self.client().replace_issued_token(token);
        }
        for _ in 0..MOST_STEPS {
            let exchange = {
                let mut client = self.client();
                let now = SystemClock.now();
                if client.due(now).is_none() && client.has_session() {
                    return Ok(());
                }
                client.establish(now, &SystemRandom)?
            };
            let is_renewal = exchange.trust_action() == Some(TrustAction::Renew);
            match self.exchange(exchange, call).await {
                Ok(Some(Outcome::Negotiating)) => {}
                Ok(_) => {
                    if is_renewal {
                        call.metrics.renewed.add();
                    } else {
                        call.metrics.issued.add();
                    }
                    return Ok(());
                }
                Err(CallError::Session(error)) => {
                    if let Some(tokens) = &self.tokens {
                        tokens.forget();
                    }
                    return Err(CallError::Refused(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(CallError::Refused(SessionError::NoSession))
    }

    /// A protected message, and what protected it.
    fn make(&self, message: &Message) -> Result<(Exchange, SessionSender), CallError> {
        let now = SystemClock.now();
        let sender = self.client().session_sender(now, &SystemRandom)?;
        Ok((sender.send(message, now, &SystemRandom)?, sender))
    }

    /// Whether an answer is the end of the session that it came in; whoever asks next obtains one, unless somebody has meanwhile.
    ///
    /// The service may have lost the session, or the keys of its cookies (finding 2). Anybody on the line can say so, so it is
    /// believed now and then only, and the session of a cookie goes on otherwise (SC 12.4, 19.10).
    fn gives_up(&self, sender: &SessionSender, error: &SessionError) -> bool {
        if !is_lost(error) && !says(error, "InvalidSecurity") {
            return false;
        }
        let mut client = self.client();
        if client.is_in_use(sender) {
            let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
            if !doubts.take(SystemClock.now()) {
                tracing::warn!(%error, "the session goes on: too many were given up for such faults");
                return false;
            }
            client.forget();
        }
        true
    }

    async fn exchange(&self, mut exchange: Exchange, call: Call<'_>) -> Result<Option<Outcome>, CallError> {
        let envelope = exchange.take_envelope();
        let (headers, message) = wire::request(self.format, self.soap, exchange.action(), envelope)?;
        let began = Instant::now();
        let errand = match exchange.trust_action() {
            Some(TrustAction::Renew) => Errand::Renewal,
            Some(_) => Errand::Session,
            None if exchange.is_negotiation() => Errand::Session,
            None => Errand::Message,
        };
        let answer = call.way.post(headers, message, call.behalf(errand)).await;
        if errand == Errand::Message {
            call.metrics.answered(began.elapsed());
        }
        let answer = answer.map_err(CallError::Way)?;
        if !exchange.is_answered() && answer.status.is_success() {
            return Ok(None);
        }
        if answer.body.is_empty() && answer.status.is_success() {
            return Ok(None);
        }
        let text = answer.message(call.way.limit())?;
        Ok(Some(self.take_in(exchange, text)?))
    }

    /// Opens the answer to an exchange, on this thread and beside the lock.
    fn take_in(&self, exchange: Exchange, text: Vec<u8>) -> Result<Outcome, SessionError> {
        let now = SystemClock.now();
        // Nobody comes in between the end of a session and its being forgotten, or they would be told of the fault of another.
        let mut client = self.client();
        let outcome = if exchange.is_negotiation() {
            client.receive(exchange, text, now)
        } else {
            let opener = client.opener(&exchange);
            drop(client);
            let opened = opener.open(&exchange, text, now);
            client = self.client();
            client.take_in(exchange, opened, now)
        };
        if outcome.is_err() && !client.has_session() {
            // A session that ended with a fault is replaced for the next caller.
            client.forget();
        }
        outcome
    }

    fn client(&self) -> MutexGuard<'_, SecureConversationClient> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the service says that it does not know the session. That a message was not well protected need not be for want of one.
fn is_lost(error: &SessionError) -> bool {
    says(error, "BadContextToken")
}

/// Whether an answer is a fault of this name that nobody protected.
fn says(error: &SessionError, name: &str) -> bool {
    let SessionError::Fault { fault, is_authenticated: false } = error else { return false };
    fault.is_of_security_layer() && fault.subcode.as_ref().is_some_and(|subcode| subcode.local_name == name)
}

impl Doubts {
    /// How many sessions are given up one after the other.
    const BURST: u32 = 10;
    /// After how long it may be one more.
    const INTERVAL: Duration = Duration::from_secs(10);

    /// Gives a session up. False when there were too many.
    fn take(&mut self, now: Timestamp) -> bool {
        let whole_at = self.whole_at.unwrap_or(now).max(now).saturating_add(Self::INTERVAL);
        let is_granted = whole_at.saturating_duration_since(now) <= Self::INTERVAL * Self::BURST;
        if is_granted {
            self.whole_at = Some(whole_at);
        }
        is_granted
    }
}

/// The password in a file that is its owner's alone.
fn read_password(file: &std::path::Path) -> Result<Zeroizing<String>, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode =
            std::fs::metadata(file).map_err(|error| unusable(file, "HST-SOAP-FILE", &error))?.permissions().mode();
        if mode & 0o077 != 0 {
            let problem = "others can read the password: chmod 600 the file";
            return Err(unusable(file, "HST-SOAP-PASSWORD", &problem));
        }
    }
    let content = Zeroizing::new(read_file(file)?);
    let text = std::str::from_utf8(&content).map_err(|_| unusable(file, "HST-SOAP-PASSWORD", &"it is not text"))?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

impl std::fmt::Debug for InitiateSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitiateSessions").field("address", &self.address).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("client", &self.client()).finish_non_exhaustive()
    }
}
