//! Secured outside, plain inside: sessions of WCF clients end here, and the service behind gets plain SOAP and the caller's claims.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use handstamp_claims::ClaimsPrincipal;
use handstamp_keys::{KeyRing, SystemRandom};
use handstamp_secure_conversation::{
    Answer, ApplicationRequest, Event, Handled, Incoming, NativeCookies, SecureConversationService,
    SecureConversationServiceBuilder,
};
use handstamp_session_token::RevocationList;
use handstamp_time::{Clock, SystemClock};
use handstamp_ws_security::soap::{FaultCode, SoapVersion};
use handstamp_ws_security::{Body as SoapBody, MemoryReplayCache, ReplayCache};
use handstamp_xml::Writer;
use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Post;
use super::plain::{self, ApplicationBlocks, CALLER, PlainFault, PlainMessage};
use super::terms::{Terms, read_identity, read_trust, setup};
use super::users::Users;
use super::way::{Way, WayAnswer};
use super::wire::{self, Format};
use crate::Error;
use crate::admin::Metrics;
use crate::application_token::SessionFacts;
use crate::config::{SoapDialect, SoapRoute};
use crate::gateway::Visit;
use crate::gateway::application_headers::TokenHeader;
use crate::gateway::body::Body;
use crate::gateway::claim_headers::ClaimHeaderWriter;
use crate::gateway::origin::Origin;
use crate::gateway::problem::Problem;

/// The sessions of a route. They outlive a change of the configuration that does not touch them.
pub(crate) struct TerminateSessions {
    service: Arc<SecureConversationService>,
    basis: Basis,
    replays: Arc<dyn ReplayCache>,
}

/// What sessions stand on: while it stays the same, they go on.
#[derive(Debug, Clone, PartialEq)]
struct Basis {
    terms: String,
    files: Vec<Vec<u8>>,
    accounts: Option<std::path::PathBuf>,
    max_message_size: usize,
    session_timeout: std::time::Duration,
}

/// What sessions are sealed with, and how they end early.
pub(crate) struct Seals {
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) revocations: Arc<RevocationList>,
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
}

impl TerminateSessions {
    /// Sessions as the files of a route describe them: those of `before` when nothing has changed.
    ///
    /// # Errors
    /// A file that cannot be used, settings that do not go together.
    pub(super) fn open(
        name: &str,
        route: &SoapRoute,
        terms: &Terms,
        seals: &Seals,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, Error> {
        let basis = Basis::of(route, terms)?;
        if let Some(before) = before.filter(|before| before.basis == basis) {
            return Ok(Arc::clone(before));
        }
        if before.is_some_and(|before| !before.service.is_stateful()) {
            tracing::warn!(route = name, "the route changed in a way that ends its sessions: clients open new ones");
        }
        let replays = before.map(|before| Arc::clone(&before.replays));
        let size = terms.security.local_service.replay_cache_size;
        let replays = replays.unwrap_or_else(|| Arc::new(MemoryReplayCache::new(size)));
        let mut builder = Self::builder(name, route, terms, seals)?.replay_cache(Arc::clone(&replays));
        if let Some(file) = &route.accounts {
            let users = Arc::new(Users::open(file, format!("urn:handstamp:soap:{name}"))?);
            builder = builder.user_names(Arc::clone(&users) as Arc<_>).claims_transformation(users);
        }
        let service = Self::build(name, builder)?;
        Ok(Arc::new(Self { service: Arc::new(service), basis, replays }))
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
            .max_message_size(route.max_message_size.in_memory());
        if let Some(timeout) = terms.receive_timeout {
            builder = builder.receive_timeout(timeout);
        }
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
        // A message that asks for something else than HTTP says is refused before anything is verified: so this one shows no
        // credential whose check takes long.
        let is_quick = action.as_deref().is_some_and(|action| !action.contains("/RST/"));
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

impl Basis {
    fn of(route: &SoapRoute, terms: &Terms) -> Result<Self, Error> {
        let files = route.identity.iter().chain(&route.peer_certificates).chain(&route.peer_authorities);
        Ok(Self {
            terms: format!("{:?} {:?} {:?}", terms.security, terms.receive_timeout, terms.operations()),
            files: files.map(|file| super::terms::read_file(file)).collect::<Result<_, _>>()?,
            accounts: route.accounts.clone(),
            max_message_size: route.max_message_size.in_memory(),
            session_timeout: route.session_timeout,
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
        let handled = self.sessions.handle(text, wire::action(&headers), visit.origin).await;
        match handled {
            Handled::Request(request) => {
                let answered = self.forward(&request, visit.origin.client, visit).await;
                self.reply(&headers, &request, answered)
            }
            Handled::Answer(answer) => Ok(self.own_answer(&headers, answer, visit)),
            Handled::Unreadable(error) => {
                tracing::info!(request = %visit.id, route = self.name, code = error.code(), %error, "not a SOAP message");
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
                tracing::info!(request = %id, route, context_id, caller, "session issued");
            }
            Event::Renewed { context_id } => tracing::info!(request = %id, route, context_id, "session key renewed"),
            Event::Cancelled { context_id } => tracing::info!(request = %id, route, context_id, "session cancelled"),
            Event::Refused(error) => {
                visit.metrics.reject(error.code());
                tracing::info!(request = %id, route, client = %visit.origin.client, code = error.code(), %error, "message refused");
            }
            _ => {}
        }
        let status = if answer.fault.is_some() { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
        wire::answer(request, status, answer.soap, answer.envelope)
    }

    /// Passes a verified request on. Nothing of what the client sent in HTTP goes with it.
    async fn forward(&self, request: &ApplicationRequest, client: IpAddr, visit: Visit<'_>) -> Answered {
        let action = request.action();
        let operation = self.terms.operation(Some(&action), None);
        let soap_action = operation.and_then(|operation| operation.soap_action.as_deref()).unwrap_or(&action);
        let soap = self.inside.unwrap_or(request.message().soap_version());
        let blocks = self.header_blocks(request);
        let content = request.body().and_then(|body| SoapBody::of(body.element()).ok()).unwrap_or_else(SoapBody::empty);
        let envelope = plain::envelope(soap, blocks.iter().map(String::as_str), content.xml());
        let Ok((mut headers, message)) = wire::request(Format::Text, soap, soap_action, envelope) else {
            return Answered::Fault(PlainFault::new(FaultCode::Receiver, UNAVAILABLE));
        };
        self.claims.write(&mut headers, Some(request.principal()));
        if let Some(value) = self.token_value(request) {
            headers.insert(&value.0, value.1);
        }
        headers.insert(crate::gateway::request_id::HEADER, visit.id.header());
        match self.way.post(headers, message, client).await {
            Ok(answer) => self.read(answer),
            Err(problem) => {
                tracing::warn!(request = %visit.id, route = self.name, code = problem.code(), "no answer from the service");
                visit.metrics.reject(problem.code());
                Answered::Fault(PlainFault::new(FaultCode::Receiver, UNAVAILABLE))
            }
        }
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
        let broken = || Answered::Fault(PlainFault::new(FaultCode::Receiver, UNAVAILABLE));
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
            Answered::Message(plain) => {
                let declared =
                    operation.and_then(|operation| operation.reply.as_ref()).map(|reply| reply.action.clone());
                let action = declared.or(plain.action).unwrap_or_else(|| format!("{asked}Response"));
                let mut message = request.reply(action, plain.body);
                message.headers = plain.headers;
                (message, StatusCode::OK)
            }
            Answered::Fault(fault) => {
                let soap = request.message().soap_version();
                let addressing = request.message().addressing_version().unwrap_or_default();
                let declared = operation.and_then(|operation| declared_fault(operation, &fault));
                let action = declared.unwrap_or_else(|| addressing.fault_action().to_owned());
                let body = SoapBody::canonical(fault.to_body(soap));
                let message = handstamp_ws_security::Message::reply_to(request.message(), action).with_body(body);
                (message, StatusCode::INTERNAL_SERVER_ERROR)
            }
        };
        match self.sessions.service.protect(request, &message, SystemClock.now(), &SystemRandom) {
            Ok(envelope) => Ok(wire::answer(headers, status, message.soap, envelope)),
            Err(error) => Ok(self.dropped(&error)),
        }
    }

    /// Nothing can be said, as WCF says nothing then.
    fn dropped(&self, error: &handstamp_secure_conversation::Error) -> Response<Body> {
        tracing::warn!(route = self.name, code = error.code(), %error, "message dropped");
        let mut response = wire::empty(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// What the service said.
enum Answered {
    Message(Box<PlainMessage>),
    Fault(PlainFault),
    /// It took the message: the operation is one-way.
    Nothing,
}

/// What a client is told when the service behind does not answer as it should.
const UNAVAILABLE: &str =
    "The service behind this address cannot answer now. Its operators find the reason in the log.";

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
