//! Secured outside, plain inside: sessions of WCF clients end here, and the service behind gets plain SOAP and the caller's claims.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use handstamp_claims::ClaimsPrincipal;
use handstamp_keys::{KeyRing, SystemRandom};
use handstamp_secure_conversation::{
    AddressLimits, AddressUse, Allowance, Answer, ApplicationRequest, Event, Handled, Incoming, NativeCookies,
    SecureConversationService, SecureConversationServiceBuilder, SessionInfo,
};
use handstamp_session_token::{ContextId, ReplayCache as StoredReplays, RevocationList};
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::{Fault, FaultCode, SoapVersion};
use handstamp_ws_security::{Body as SoapBody, HeaderBlock, MemoryReplayCache, Message, ReplayCache};
use handstamp_xml::Writer;
use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::caller_tokens::CallerTokens;
use super::head::{Beginning, MessageHead, header_blocks};
use super::plain::{self, ApplicationBlocks, CALLER, PlainFault, PlainMessage};
use super::replays::SharedReplays;
use super::terms::{Terms, read_identity, read_trust, setup};
use super::users::Users;
use super::way::{Behalf, Way, WayAnswer};
use super::wire::{self, Format};
use super::{Post, StreamedPost};
use crate::Error;
use crate::admin::{Metrics, SoapMetrics};
use crate::application_token::SessionFacts;
use crate::config::{Config, Issuer, ReplayMemory, SoapDialect, SoapRoute};
use crate::gateway::Visit;
use crate::gateway::application_headers::TokenHeader;
use crate::gateway::body::{Body, BodyError};
use crate::gateway::claim_headers::ClaimHeaderWriter;
use crate::gateway::metadata::IssuerDocuments;
use crate::gateway::origin::Origin;
use crate::gateway::problem::Problem;

/// The sessions of a route. They outlive a change of the configuration that does not touch them.
pub(crate) struct TerminateSessions {
    service: Arc<SecureConversationService>,
    terms: String,
    basis: Basis,
    replays: Arc<dyn ReplayCache>,
    addresses: Arc<AddressUse>,
}

/// What the service of a route is made of: while it stays the same, that service goes on.
#[derive(Clone, PartialEq)]
struct Basis {
    files: Vec<Vec<u8>>,
    accounts: Option<PathBuf>,
    issuers: Vec<(String, Option<Issuer>)>,
    audiences: Vec<String>,
    max_message_size: usize,
    session_timeout: Duration,
    max_sessions: u32,
    address_limits: AddressLimits,
    replay_memory: ReplayMemory,
}

/// What sessions are sealed with, and how they end early.
pub(crate) struct Seals {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) revocations: Arc<RevocationList>,
}

/// What routes that end sessions stand on.
pub(in crate::gateway) struct Ground<'g> {
    pub(in crate::gateway) config: &'g Config,
    pub(in crate::gateway) seals: Seals,
    pub(in crate::gateway) replays: Arc<dyn StoredReplays>,
    pub(in crate::gateway) documents: &'g IssuerDocuments,
}

/// A route.
pub(crate) struct Terminate {
    name: String,
    terms: Arc<Terms>,
    sessions: Arc<TerminateSessions>,
    way: Way,
    inside: Option<SoapVersion>,
    claims: ClaimHeaderWriter,
    token: Option<TokenHeader>,
    caller_header: bool,
    warned_of_headers: AtomicBool,
    metrics: Arc<SoapMetrics>,
}

impl TerminateSessions {
    /// Sessions as the files of a route describe them. Those of `before` go on, also when certificates or limits have changed:
    /// only another binding ends them.
    ///
    /// # Errors
    /// A file that cannot be used, settings that do not go together.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        terms: &Terms,
        ground: &Ground<'_>,
        metrics: &Metrics,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Error> {
        let basis = Basis::of(route, ground.config)?;
        let of_terms = format!("{:?} {:?} {:?}", terms.security, terms.receive_timeout, terms.operations());
        let (same_terms, other_terms) = match before {
            Some(before) if before.terms == of_terms => (Some(before), None),
            before => (None, before),
        };
        if let Some(before) = same_terms.filter(|before| before.basis == basis) {
            return Ok(Arc::clone(before));
        }
        if other_terms.is_some_and(|before| !before.service.is_stateful()) {
            tracing::warn!(route = name, "the route changed in a way that ends its sessions: clients open new ones");
        }
        let replays = before.filter(|before| before.basis.replay_memory == basis.replay_memory);
        let size = terms.security.local_service.replay_cache_size;
        let replays = match (replays, basis.replay_memory) {
            (Some(before), _) => Arc::clone(&before.replays),
            (None, ReplayMemory::Node) => Arc::new(MemoryReplayCache::new(size)) as Arc<dyn ReplayCache>,
            (None, ReplayMemory::Store) => Arc::new(SharedReplays::new(size, Arc::clone(&ground.replays), name)),
        };
        let addresses = match before.filter(|before| before.basis.address_limits == basis.address_limits) {
            Some(before) => Arc::clone(&before.addresses),
            None => Arc::new(AddressUse::new(basis.address_limits)),
        };
        let mut builder = Self::builder(name, route, terms, &ground.seals)?
            .replay_cache(Arc::clone(&replays))
            .address_use(Arc::clone(&addresses));
        if let Some(file) = &route.accounts {
            let users = Arc::new(Users::open(file, format!("urn:handstamp:soap:{name}"))?);
            builder = builder.user_names(Arc::clone(&users) as Arc<_>).claims_transformation(users);
        }
        let published =
            |issuer: &str, settings: &Issuer| ground.documents.metadata(issuer, settings, metrics, SystemClock.now());
        if let Some(tokens) = CallerTokens::open(name, route, terms, ground.config, published)? {
            builder = builder.issued_tokens(Arc::new(tokens));
        }
        if let Some(before) = same_terms {
            builder = builder.going_on_with(&before.service);
        }
        let service = Self::build(name, builder)?;
        Ok(Arc::new(Self { service: Arc::new(service), terms: of_terms, basis, replays, addresses }))
    }

    /// The sessions that there are: all that are remembered, or those whose cookies were opened lately.
    pub(in crate::gateway) fn list(&self, now: Timestamp) -> Vec<SessionInfo> {
        self.service.sessions(now)
    }

    /// Ends a session that is remembered here; one in a cookie ends by its revocation.
    pub(in crate::gateway) fn end(&self, context_id: &ContextId) {
        self.service.end(context_id);
    }

    /// All that makes the service of a route, besides the accounts and what is remembered.
    pub(super) fn builder(
        name: &str,
        route: &SoapRoute,
        terms: &Terms,
        seals: &Seals,
    ) -> Result<SecureConversationServiceBuilder, Error> {
        let mut binding = terms.security.clone();
        let lifetime = binding.local_service.issued_cookie_lifetime;
        binding.local_service.issued_cookie_lifetime =
            Some(lifetime.map_or(route.session_timeout, |lifetime| lifetime.min(route.session_timeout)));
        // Sessions open nothing else that the ring seals, and none of another route.
        let scope = format!("urn:handstamp:soap:{name}");
        let mut builder = SecureConversationService::builder(binding)
            .cookies(Arc::new(NativeCookies::new(Arc::clone(&seals.keys), scope)))
            .revocations(Arc::clone(&seals.revocations))
            .contract(terms.contract(name))
            .max_sessions(route.max_sessions as usize)
            .max_message_size(route.max_message_size.in_memory())
            .receive_timeout(terms.receive_timeout);
        if let Some(file) = &route.identity {
            builder = builder.identity(read_identity(file)?);
        }
        if let Some(trust) = read_trust(route)? {
            builder = builder.trust(trust);
        }
        Ok(builder)
    }

    /// # Errors
    /// What is missing or does not go together.
    pub(super) fn build(
        name: &str,
        builder: SecureConversationServiceBuilder,
    ) -> Result<SecureConversationService, Error> {
        builder.build().map_err(|error| setup(error.code(), format!("soap.{name}: {error}")))
    }

    /// Opens a message: on a thread that may wait when a credential has to be verified.
    async fn handle(&self, message: Vec<u8>, action: Option<String>, origin: &Origin) -> Handled {
        let (client, is_tls) = (origin.client, origin.https);
        let service = Arc::clone(&self.service);
        // In a session credentials are in requests for tokens only, and a message that asks for something else than HTTP says is
        // refused before anything is verified. Without a session each message shows them (SC 7).
        let shows_credentials = self.service.binding().session().is_none()
            || action.as_deref().is_none_or(|action| action.contains("/RST/"));
        let is_quick = self.basis.replay_memory == ReplayMemory::Node && !shows_credentials;
        let handle = move || {
            let incoming = Incoming::new(message).with_soap_action(action.as_deref()).from_address(Some(client));
            let incoming = if is_tls { incoming.over_protected_channel() } else { incoming };
            service.handle(incoming, SystemClock.now(), &SystemRandom)
        };
        if is_quick {
            return handle();
        }
        tokio::task::spawn_blocking(handle).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a request for a session could not be served");
            Handled::Dropped(handstamp_secure_conversation::Error::Configuration("the thread is gone".to_owned()))
        })
    }
}

/// What one address gets.
fn address_limits(route: &SoapRoute) -> AddressLimits {
    let mut limits = AddressLimits::default();
    let places = [(&mut limits.token_requests, &route.session_requests), (&mut limits.refusals, &route.refusals)];
    for (place, limit) in places {
        if let Some(limit) = limit {
            let interval = limit.per / limit.requests.max(1);
            *place = Allowance { burst: limit.burst.unwrap_or(limit.requests), interval };
        }
    }
    limits
}

impl Basis {
    fn of(route: &SoapRoute, config: &Config) -> Result<Self, Error> {
        let files = route.identity.iter().chain(&route.peer_certificates).chain(&route.peer_authorities);
        let issuers = route.issuers.iter().map(|name| (name.clone(), config.issuer.get(name).cloned()));
        // Certificates of issuers may be new in files of the same names.
        let named = route.issuers.iter().filter_map(|name| config.issuer.get(name));
        let files = files.chain(named.flat_map(|issuer| issuer.certificates.iter().chain(&issuer.authorities)));
        let audiences = route.audiences.iter().cloned().chain(route.address.as_ref().map(ToString::to_string));
        Ok(Self {
            files: files.map(|file| super::terms::read_file(file)).collect::<Result<_, _>>()?,
            accounts: route.accounts.clone(),
            issuers: issuers.collect(),
            audiences: audiences.collect(),
            max_message_size: route.max_message_size.in_memory(),
            session_timeout: route.session_timeout,
            max_sessions: route.max_sessions,
            address_limits: address_limits(route),
            replay_memory: route.replay_memory,
        })
    }
}

impl Terminate {
    /// # Errors
    /// A file that cannot be used.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        (terms, sessions): (Arc<Terms>, Arc<TerminateSessions>),
        token: Option<TokenHeader>,
        metrics: &Metrics,
    ) -> Result<Self, Error> {
        let of_port = terms.description.as_ref().and_then(|description| description.endpoint.message_version.soap);
        let inside = match route.upstream_soap {
            SoapDialect::Same => of_port,
            SoapDialect::Soap11 => Some(SoapVersion::Soap11),
            SoapDialect::Soap12 => Some(SoapVersion::Soap12),
        };
        Ok(Self {
            name: name.to_owned(),
            way: Way::open(name, route, metrics)?,
            inside,
            claims: ClaimHeaderWriter::new(&route.claims_to_headers, &[]),
            token,
            caller_header: route.caller_header,
            warned_of_headers: AtomicBool::new(false),
            metrics: metrics.soap(name),
            terms,
            sessions,
        })
    }

    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Serves a message of a client.
    ///
    /// # Errors
    /// What is no SOAP message.
    pub(super) async fn answer(&self, post: Post, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        let Post { headers, message, format } = post;
        let text = format.to_text(message, &headers, self.sessions.service.max_message_size()).map_err(|error| {
            tracing::info!(request = %visit.id, route = self.name, %error, "not a SOAP message");
            wire::unreadable()
        })?;
        match self.sessions.handle(text, wire::action(&headers), visit.origin).await {
            Handled::Request(request) => {
                self.metrics.seen.note(&request.session().context_id());
                let answered = self.forward(&request, visit).await;
                self.reply(&headers, &request, answered)
            }
            other => self.without_application(&headers, other, visit),
        }
    }

    /// Serves a message whose body is still on its way: TLS protects it, so nothing has to be known of it.
    ///
    /// # Errors
    /// What is no SOAP message.
    pub(super) async fn stream(&self, post: StreamedPost, visit: Visit<'_>) -> Result<Response<Body>, Problem> {
        let StreamedPost { headers, message, length } = post;
        let handled = self.sessions.handle(message.alone().into(), wire::action(&headers), visit.origin).await;
        let request = match handled {
            Handled::Request(request) => request,
            other => return self.without_application(&headers, other, visit),
        };
        self.metrics.seen.note(&request.session().context_id());
        let soap = request.message().soap_version();
        if self.inside.is_some_and(|inside| inside != soap) {
            let reason = "The service behind this address speaks another version of SOAP, in which bodies of this size are not \
                          passed on.";
            return self.reply(&headers, &request, Answered::Fault(PlainFault::new(FaultCode::Receiver, reason)));
        }
        let blocks = self.header_blocks(&request);
        let (body, longer) = message.with_header(blocks.iter().map(String::as_str));
        let Ok((towards, _)) = self.request(&request, soap, String::new(), visit) else {
            return self.reply(&headers, &request, unavailable());
        };
        self.metrics.messages.add();
        let began = Instant::now();
        let answer = self.way.pass(towards, body, wire::lengthened(length, longer), behalf(visit)).await;
        self.metrics.answered(began.elapsed());
        let answer = match answer {
            Ok(answer) => answer,
            Err(problem) => return self.reply(&headers, &request, self.no_answer(&problem, visit)),
        };
        let answer = match answer.status() == StatusCode::OK && wire::is_plain_text(answer.headers()) {
            true => match self.stream_reply(&request, answer).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(held)) => held,
                Err(error) => {
                    tracing::warn!(route = self.name, %error, "the service's answer breaks off");
                    return self.reply(&headers, &request, unavailable());
                }
            },
            false => answer,
        };
        let answered = match self.way.whole(answer).await {
            Ok(answer) => self.read(answer),
            Err(problem) => self.no_answer(&problem, visit),
        };
        self.reply(&headers, &request, answered)
    }

    /// The service's reply with its body as it comes; the reply itself when that is not possible.
    async fn stream_reply(
        &self,
        request: &ApplicationRequest,
        answer: Response<Body>,
    ) -> Result<Result<Response<Body>, Response<Body>>, BodyError> {
        let (head, body) = answer.into_parts();
        let message = match MessageHead::read(body).await? {
            Beginning::Head(message) => message,
            Beginning::Whole(body) => return Ok(Err(Response::from_parts(head, body))),
        };
        let plain = PlainMessage::read(message.alone().into(), self.sessions.service.max_message_size());
        let Some(plain) = plain.ok().filter(|plain| plain.soap == request.message().soap_version()) else {
            return Ok(Err(Response::from_parts(head, message.into_body())));
        };
        let (soap, reply) = (plain.soap, self.reply_message(request, plain));
        let protected = self.sessions.service.protect(request, &reply, SystemClock.now(), &SystemRandom);
        let blocks = protected.and_then(|envelope| Ok(header_blocks(&envelope)?));
        Ok(match blocks {
            Ok(blocks) => {
                let (body, longer) = message.with_header(blocks.iter().map(HeaderBlock::xml));
                Ok(wire::streamed(soap, body, wire::lengthened(wire::length(&head.headers), longer)))
            }
            Err(error) => Ok(self.dropped(&error)),
        })
    }

    /// What is not for the service behind.
    fn without_application(
        &self,
        headers: &HeaderMap,
        handled: Handled,
        visit: Visit<'_>,
    ) -> Result<Response<Body>, Problem> {
        match handled {
            Handled::Answer(answer) => Ok(self.own_answer(headers, answer, visit)),
            Handled::Unreadable(error) => {
                tracing::info!(request = %visit.id, route = self.name, code = error.code(), %error, "not a SOAP message");
                self.metrics.fault("unreadable");
                Err(wire::unreadable())
            }
            Handled::Dropped(error) => Ok(self.dropped(&error)),
            _ => Err(Problem::internal("HST-SOAP-INTERNAL")),
        }
    }

    /// What the session layer answers itself.
    fn own_answer(&self, request: &HeaderMap, answer: Answer, visit: Visit<'_>) -> Response<Body> {
        let (id, route) = (visit.id, self.name.as_str());
        match &answer.event {
            Event::Issued { context_id, caller } => {
                self.metrics.issued.add();
                tracing::info!(request = %id, route, context_id, caller, "session issued");
            }
            Event::Renewed { context_id } => {
                self.metrics.renewed.add();
                tracing::info!(request = %id, route, context_id, "session key renewed");
            }
            Event::Cancelled { context_id } => {
                self.metrics.cancelled.add();
                tracing::info!(request = %id, route, context_id, "session cancelled");
            }
            Event::Refused(error) => {
                self.metrics.fault(told(answer.fault.as_ref()));
                visit.metrics.reject(error.code());
                tracing::info!(request = %id, route, client = %visit.origin.client, code = error.code(), %error, "message refused");
            }
            _ => {}
        }
        let status = if answer.fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        wire::answer(request, status, answer.soap, answer.envelope)
    }

    /// Passes a verified request on. Nothing of what the client sent in HTTP goes with it.
    async fn forward(&self, request: &ApplicationRequest, visit: Visit<'_>) -> Answered {
        let soap = self.inside.unwrap_or(request.message().soap_version());
        let blocks = self.header_blocks(request);
        let content = request.body().and_then(|body| SoapBody::of(body.element()).ok()).unwrap_or_else(SoapBody::empty);
        let envelope = plain::envelope(soap, blocks.iter().map(String::as_str), content.xml());
        let Ok((headers, message)) = self.request(request, soap, envelope, visit) else { return unavailable() };
        self.metrics.messages.add();
        let began = Instant::now();
        let answer = self.way.post(headers, message, behalf(visit)).await;
        self.metrics.answered(began.elapsed());
        match answer {
            Ok(answer) => self.read(answer),
            Err(problem) => self.no_answer(&problem, visit),
        }
    }

    /// What the service gets in HTTP.
    fn request(
        &self,
        request: &ApplicationRequest,
        soap: SoapVersion,
        envelope: String,
        visit: Visit<'_>,
    ) -> Result<(HeaderMap, Vec<u8>), handstamp_xml::binary::Error> {
        let action = request.action();
        let operation = self.terms.operation(Some(&action), None);
        let soap_action = operation.and_then(|operation| operation.soap_action.as_deref()).unwrap_or(&action);
        let (mut headers, message) = wire::request(Format::Text, soap, soap_action, envelope)?;
        self.claims.write(&mut headers, Some(request.principal()));
        if let Some(value) = self.token_value(request) {
            headers.insert(&value.0, value.1);
        }
        headers.insert(crate::gateway::request_id::HEADER, visit.id.header());
        Ok((headers, message))
    }

    fn no_answer(&self, problem: &Problem, visit: Visit<'_>) -> Answered {
        tracing::warn!(request = %visit.id, route = self.name, code = problem.code(), "no answer from the service");
        visit.metrics.reject(problem.code());
        unavailable()
    }

    /// The headers of the application that are protected, and who calls.
    fn header_blocks(&self, request: &ApplicationRequest) -> Vec<String> {
        let found = ApplicationBlocks::of(request.message());
        found.warn(&self.name, &self.warned_of_headers);
        let mut blocks = found.verified;
        if self.caller_header {
            blocks.push(caller_block(request.principal()));
        }
        blocks
    }

    fn token_value(&self, request: &ApplicationRequest) -> Option<(http::HeaderName, HeaderValue)> {
        let token = self.token.as_ref()?;
        let session = request.session();
        let facts = SessionFacts {
            fingerprint: &session.context_id().fingerprint(),
            signed_in: session.signed_in_at(),
            ends: session.valid_to(),
        };
        let text = token.tokens.issue(request.principal(), &token.audience, facts, SystemClock.now())?;
        let text = if token.name == AUTHORIZATION { format!("Bearer {text}") } else { text };
        Some((token.name.clone(), HeaderValue::try_from(text).ok()?))
    }

    /// What a plain answer means.
    fn read(&self, answer: WayAnswer) -> Answered {
        let is_success = answer.status.is_success();
        if answer.body.is_empty() && is_success {
            return Answered::Nothing;
        }
        let broken = unavailable;
        let Some(format) = Format::of(&answer.headers) else {
            tracing::warn!(route = self.name, status = answer.status.as_u16(), "the service's answer is not SOAP");
            return broken();
        };
        let limit = self.sessions.service.max_message_size();
        let read = format.to_text(answer.body, &answer.headers, limit);
        let read = read.and_then(|text| PlainMessage::read(text, limit).map_err(|error| error.to_string()));
        match read {
            Ok(PlainMessage { fault: Some(fault), .. }) => Answered::Fault(fault),
            Ok(message) if is_success => Answered::Message(Box::new(message)),
            Ok(_) => {
                tracing::warn!(route = self.name, status = answer.status.as_u16(), "the service fails without a fault");
                broken()
            }
            Err(error) => {
                tracing::warn!(route = self.name, error, "the service's answer is not SOAP");
                broken()
            }
        }
    }

    /// Protects what the service answered.
    fn reply(
        &self,
        headers: &HeaderMap,
        request: &ApplicationRequest,
        answered: Answered,
    ) -> Result<Response<Body>, Problem> {
        let asked = request.action();
        let operation = self.terms.operation(Some(&asked), None);
        let (message, status) = match answered {
            Answered::Nothing => return Ok(wire::empty(StatusCode::ACCEPTED)),
            Answered::Message(plain) => (self.reply_message(request, *plain), StatusCode::OK),
            Answered::Fault(fault) => {
                self.metrics.fault(if fault.fault.reason == UNAVAILABLE { "upstream" } else { "application" });
                let soap = request.message().soap_version();
                let addressing = request.message().addressing_version().unwrap_or_default();
                let declared = operation.and_then(|operation| declared_fault(operation, &fault));
                let action = declared.unwrap_or_else(|| addressing.fault_action().to_owned());
                let body = SoapBody::canonical(fault.to_body(soap));
                let message = Message::reply_to(request.message(), action).with_body(body);
                (message, StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        match self.sessions.service.protect(request, &message, SystemClock.now(), &SystemRandom) {
            Ok(envelope) => Ok(wire::answer(headers, status, message.soap, envelope)),
            Err(error) => Ok(self.dropped(&error)),
        }
    }

    /// The service's reply in the words of the contract.
    fn reply_message(&self, request: &ApplicationRequest, plain: PlainMessage) -> Message {
        let asked = request.action();
        let reply = self.terms.operation(Some(&asked), None).and_then(|operation| operation.reply.as_ref());
        let declared = reply.map(|reply| reply.action.clone());
        let action = declared.or(plain.action).unwrap_or_else(|| format!("{asked}Response"));
        let mut message = request.reply(action, plain.body);
        message.headers = self.terms.protected(plain.headers, reply.map(|reply| &reply.protection));
        message
    }

    /// Nothing can be said, as WCF says nothing then.
    fn dropped(&self, error: &handstamp_secure_conversation::Error) -> Response<Body> {
        tracing::warn!(route = self.name, code = error.code(), %error, "message dropped");
        self.metrics.fault("dropped");
        let mut response = wire::empty(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

fn behalf(visit: Visit<'_>) -> Behalf {
    Behalf { client: visit.origin.client, trace: visit.trace.cloned() }
}

/// What the service said.
enum Answered {
    Message(Box<PlainMessage>),
    Fault(PlainFault),
    /// It took the message: the operation is one-way.
    Nothing,
}

fn unavailable() -> Answered {
    Answered::Fault(PlainFault::new(FaultCode::Receiver, UNAVAILABLE))
}

/// What a client is told when the service behind does not answer as it should.
const UNAVAILABLE: &str =
    "The service behind this address cannot answer now. Its operators find the reason in the log.";

/// What the fault that a client is told calls itself.
fn told(fault: Option<&Fault>) -> &str {
    let Some(fault) = fault else { return "refused" };
    fault.subcode.as_ref().map_or("refused", |subcode| subcode.local_name.as_str())
}

/// The action of the declared fault whose element stands in the details.
fn declared_fault(operation: &handstamp_security_policy::Operation, fault: &PlainFault) -> Option<String> {
    let found = operation.faults.iter().find(|(_, message)| {
        message.element.as_ref().is_some_and(|element| {
            fault.detail.contains(&element.namespace) && fault.detail.contains(&element.local_name)
        })
    });
    found.map(|(_, message)| message.action.clone())
}

/// `<Caller>`: each claim with its type.
fn caller_block(principal: &ClaimsPrincipal) -> String {
    let mut writer = Writer::new();
    writer.start("", CALLER, "Caller");
    if let Some(name) = principal.name() {
        writer.attribute("Name", name);
    }
    for claim in principal.claims() {
        writer.start("", CALLER, "Claim").attribute("Type", claim.claim_type().as_str());
        writer.text(claim.value().as_str()).end();
    }
    writer.end();
    // Claims that XML cannot hold are not in a token; without the header the service knows nobody.
    writer.finish().unwrap_or_default()
}

impl std::fmt::Debug for TerminateSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TerminateSessions").field("service", &self.service).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Terminate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminate").field("name", &self.name).finish_non_exhaustive()
    }
}
