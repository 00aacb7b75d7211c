//! Issuing and renewing contexts (SC 4.1 to 4.3).

use super::answer::{Answer, Event, Handled};
use super::faults::{Head, endpoint_unavailable, failed_authentication};
use super::{Contexts, SecureConversationService};
use crate::contexts::{CookieKeys, SessionKey, StatelessContexts};
use crate::cookie::version;
use crate::error::Error;
use crate::identity;
use crate::trust::{
    Lifetime, RequestSecurityToken, RequestSecurityTokenResponse, RequestType, RequestedToken, ServiceEntropy,
    TrustAction,
};
use handstamp_claims::{ClaimsIdentity, ClaimsPrincipal};
use handstamp_keys::{PooledRandom, SecureRandom, SymmetricKey};
use handstamp_session_token::{ContextId, EndpointScope, SessionSecurityToken, UniqueId};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Fault, SecurityFault};
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AddressingVersion, Caller, ContextKey, Expectation, Message, Protection, Sender, SessionKeyError, SessionKeys,
    Unprotected,
};
use handstamp_xml::{Document, names};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Why a request for a token is refused although its message is good: what the client is told, and the reason for the log.
pub(super) struct Refusal {
    pub(super) told: Told,
    pub(super) error: Box<Error>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// The request-failed fault (SC 12.3).
    InvalidRequest,
    FailedAuthentication,
    ServerTooBusy,
    EndpointUnavailable,
}

const PENDING: &str = "too many sessions wait for their first message";

/// What is granted: the answer, and what happened.
struct Grant {
    response: RequestSecurityTokenResponse,
    event: Event,
}

/// What protects a bootstrap message beside the credentials of both ends.
pub(super) struct Bootstrap {
    is_negotiated: bool,
    /// The context that TLS has negotiated, and its key.
    pub(super) negotiated: Option<(Arc<SessionSecurityToken>, ContextKey)>,
}

/// The keys of a renewal.
struct RenewalKeys<'c> {
    contexts: &'c StatelessContexts,
    negotiated: Option<CookieKeys<'c>>,
}

impl SecureConversationService {
    /// A request for a new context, under bootstrap security.
    pub(super) fn issue(&self, document: Document, head: &Head, now: Timestamp, random: &dyn SecureRandom) -> Handled {
        let negotiated = self.negotiations.as_ref().map(|negotiations| negotiations.contexts.keys());
        let receiver = self.receiver(&self.bootstrap, head).with_replay_cache(self.bootstrap_replays.as_ref());
        let receiver = match &negotiated {
            Some(keys) => receiver.with_sessions(keys),
            None => receiver,
        };
        let opened = receiver.open(document, &Expectation::request(), now);
        let checked = opened.map_err(Error::from).and_then(|opened| self.check_route(opened, head, now));
        let bootstrap = self.bootstrap_of(negotiated, now);
        let request = match checked.and_then(|opened| bootstrap.check(opened)) {
            Ok(request) => request,
            Err(error) => return self.refuse_opened(&bootstrap, head, error, now, random),
        };
        let random = PooledRandom::new(random);
        let granted = self.grant_issue(&request, (&bootstrap, head), now, &random);
        self.answer(TrustAction::Issue, (&request, &bootstrap), granted, head, now, &random)
    }

    /// A request for a new key of a context, under bootstrap security with the context as endorsement.
    pub(super) fn renew(
        &self,
        contexts: &StatelessContexts,
        document: Document,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let negotiated = self.negotiations.as_ref().map(|negotiations| negotiations.contexts.keys());
        let keys = RenewalKeys { contexts, negotiated };
        let receiver = self.receiver(&self.renewal, head).with_replay_cache(self.bootstrap_replays.as_ref());
        let receiver = receiver.with_sessions(&keys);
        let opened = receiver.open(document, &Expectation::request(), now);
        let checked = opened.map_err(Error::from).and_then(|opened| self.check_route(opened, head, now));
        let bootstrap = self.bootstrap_of(keys.negotiated, now);
        let request = match checked.and_then(|opened| bootstrap.check(opened)) {
            Ok(request) => request,
            Err(error) => return self.refuse_opened(&bootstrap, head, error, now, random),
        };
        let granted = self.grant_renewal(contexts, &request, &bootstrap, now, random);
        self.answer(TrustAction::Renew, (&request, &bootstrap), granted, head, now, random)
    }

    /// What protects the bootstrap beside the credentials of both ends.
    pub(super) fn bootstrap_of(&self, negotiated: Option<CookieKeys<'_>>, now: Timestamp) -> Bootstrap {
        let is_negotiated = negotiated.is_some();
        let session = negotiated.and_then(|keys| keys.into_session(now));
        let key = session.as_ref().and_then(|session| self.context_key(session).ok());
        Bootstrap { is_negotiated, negotiated: session.zip(key) }
    }

    fn refuse_opened(
        &self,
        bootstrap: &Bootstrap,
        head: &Head,
        error: Error,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        match error {
            Error::Security(error) => {
                let sender = bootstrap.protecting(self.sender(&self.bootstrap, head.protected_channel));
                let answer = self.refuse_not_understood(&sender, head, error, (now, random));
                answer.unwrap_or_else(|error| self.refuse_unverified(head, error, names::WSC_2005))
            }
            error => self.refuse(head, SecurityFault::InvalidSecurity, error),
        }
    }

    fn answer(
        &self,
        exchange: TrustAction,
        (request, bootstrap): (&Unprotected, &Bootstrap),
        granted: Result<Grant, Refusal>,
        head: &Head,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Handled {
        let sender = bootstrap.protecting(self.sender(&self.bootstrap, head.protected_channel));
        let granted = granted.and_then(|grant| {
            let profile = self.outer.version.basic_security_profile;
            let body = grant.response.to_body(profile).map_err(Refusal::invalid)?;
            let message = Message::reply_to(request, exchange.response(self.generation)).with_body(body);
            let protected = sender.answering(request.request_context()).protect(&message, random, now);
            let envelope = protected.map_err(Refusal::invalid)?.envelope;
            Ok(Answer { envelope, soap: request.soap_version(), fault: None, event: grant.event })
        });
        match granted {
            Ok(answer) => Handled::Answer(answer),
            Err(Refusal { told, error }) => {
                let fault = (told.fault(request.addressing_version().unwrap_or_default()), None);
                self.refuse_secured(&sender, (head, request.request_context()), fault, *error, (now, random))
            }
        }
    }

    fn grant_issue(
        &self,
        message: &Unprotected,
        (bootstrap, head): (&Bootstrap, &Head),
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Grant, Refusal> {
        if self.is_closing.load(Ordering::Relaxed) {
            return Err(Refusal::closing());
        }
        let request = self.read_request(message, RequestType::Issue)?;
        if let Contexts::Stateless(contexts) = &self.contexts
            && !contexts.has_room(head.address, now)
        {
            return Err(Refusal::too_busy("SC 11.1", PENDING));
        }
        let bootstrap = self.identities(message, bootstrap, now)?;
        let principal = self.principal(bootstrap.to_vec(), now)?;
        let ids = Ids::draw(random).map_err(Refusal::invalid)?;
        let context_id = ContextId::generate(random).map_err(Refusal::invalid)?;
        let entropy = self.entropy(&request, &ids, random)?;
        let lifetime = self.lifetime(now);
        let session = self.session_token(&ids, context_id, principal, &entropy.key, lifetime);
        let session = session.build(now, random).map_err(Refusal::invalid)?;
        let cookie = match &self.contexts {
            Contexts::Stateful(contexts) => contexts.seal(&session, now, random).map_err(Refusal::invalid)?,
            Contexts::Stateless(_) | Contexts::Negotiated => None,
        };
        let context = ContextReference {
            generation: self.generation,
            identifier: session.context_id().as_unique_id().to_text().to_string(),
            instance: None,
        };
        let event = Event::Issued {
            context_id: context.identifier.clone(),
            caller: session.principal().name().map(str::to_owned),
        };
        let token = SecurityContextToken { id: Some(ids.token()), context, cookie };
        let response = self.response(&request, &token, &entropy, lifetime, message)?;
        if let Contexts::Stateless(contexts) = &self.contexts {
            let key = self.session_key(token, (Arc::new(session), entropy.key), lifetime, random)?;
            if !contexts.issue(bootstrap, key, head.address) {
                return Err(Refusal::too_busy("SC 11.1", PENDING));
            }
        }
        Ok(Grant { response, event })
    }

    fn grant_renewal(
        &self,
        contexts: &StatelessContexts,
        message: &Unprotected,
        bootstrap: &Bootstrap,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<Grant, Refusal> {
        let refused = |problem| Refusal::invalid(Error::trust("SC 4.3", "RenewTarget", problem));
        let request = self.read_request(message, RequestType::Renew)?;
        let mut endorsing = message.callers().iter().filter_map(|caller| match caller {
            Caller::Context(context) => Some(context),
            _ => None,
        });
        let (Some(current), None) = (endorsing.next(), endorsing.next()) else {
            return Err(refused("not exactly one context endorses the request"));
        };
        if request.renew_target.as_ref() != Some(current) {
            return Err(refused("it is not the context that endorses the request"));
        }
        let bootstrap = self.identities(message, bootstrap, now)?;
        let session = contexts.check_renewal(current, &bootstrap, now).map_err(|problem| refused(problem.text()))?;
        // What was withdrawn from the caller since does not last as long as the session is renewed.
        let principal = self.principal(bootstrap.to_vec(), now)?;
        let ids = Ids::draw(random).map_err(Refusal::invalid)?;
        let instance = UniqueId::generate(random).map_err(Refusal::invalid)?;
        let entropy = self.entropy(&request, &ids, random)?;
        let lifetime = self.lifetime(now);
        let context = ContextReference { instance: Some(instance.to_string()), ..current.clone() };
        let event = Event::Renewed { context_id: context.identifier.clone() };
        let token = SecurityContextToken { id: Some(ids.token()), context, cookie: None };
        let response = self.response(&request, &token, &entropy, lifetime, message)?;
        let (opened, ends) = (session.valid_from(), session.valid_to());
        let session = session.reissue().principal(principal).id(ids.token()).context_id(session.context_id().clone());
        let session = session.key(entropy.key.clone()).key_generation(instance.into());
        let session = session.valid_from(opened).valid_to(ends).build(now, random).map_err(Refusal::invalid)?;
        let key = self.session_key(token, (Arc::new(session), entropy.key), lifetime, random)?;
        contexts.renew(current, &bootstrap, key, now).map_err(|problem| refused(problem.text()))?;
        Ok(Grant { response, event })
    }

    /// The request in a verified body, as far as every request is judged alike.
    fn read_request(&self, message: &Unprotected, expected: RequestType) -> Result<RequestSecurityToken, Refusal> {
        let refused = |element, problem| Refusal::invalid(Error::trust("SC 4.1", element, problem));
        let body = message.body().ok_or_else(|| refused("Body", "it was not verified"))?;
        let mut children = body.children();
        let (Some(content), None) = (children.next(), children.next()) else {
            return Err(refused("Body", "it does not hold one element"));
        };
        let request = RequestSecurityToken::parse(content.element(), self.generation).map_err(Refusal::invalid)?;
        let is_expected = match request.request_type {
            None => expected == RequestType::Issue,
            Some(said) => said == expected,
        };
        if !is_expected {
            return Err(refused("RequestType", "it is not that of the action"));
        }
        if !request.is_for_context() {
            return Err(refused("TokenType", "it is not that of a security context token of this generation"));
        }
        Ok(request)
    }

    /// Who the credentials of the bootstrap say it is.
    pub(super) fn identities(
        &self,
        message: &Unprotected,
        bootstrap: &Bootstrap,
        now: Timestamp,
    ) -> Result<Arc<[ClaimsIdentity]>, Refusal> {
        let identity = |caller: &Caller| match caller {
            Caller::UserName(name) => Some(Ok(identity::of_user_name(name))),
            Caller::Certificate(certificate) => Some(Ok(identity::of_certificate(certificate))),
            Caller::Assertion(node) => {
                let assertion = message.document().element(*node)?;
                let issued_tokens = self.credentials.issued_tokens.as_ref()?;
                Some(issued_tokens.identity(assertion, now).map_err(Refusal::failed_authentication))
            }
            _ => None,
        };
        let negotiated = bootstrap.negotiated.iter().flat_map(|(session, _)| session.principal().identities());
        message.callers().iter().filter_map(identity).chain(negotiated.cloned().map(Ok)).collect()
    }

    /// What the application wants to know of a caller.
    pub(super) fn principal(
        &self,
        identities: Vec<ClaimsIdentity>,
        now: Timestamp,
    ) -> Result<ClaimsPrincipal, Refusal> {
        let principal = ClaimsPrincipal::new(identities);
        match &self.transformation {
            Some(transformation) => transformation.transform(principal, now).map_err(Refusal::failed_authentication),
            None => Ok(principal),
        }
    }

    fn entropy(
        &self,
        request: &RequestSecurityToken,
        ids: &Ids,
        random: &dyn SecureRandom,
    ) -> Result<ServiceEntropy, Refusal> {
        let (mode, suite) = (self.outer.key_entropy, &self.outer.suite);
        let entropy =
            ServiceEntropy::draw(mode, request.entropy.as_ref(), request.key_size, suite, &ids.entropy(), random);
        entropy.map_err(Refusal::invalid)
    }

    fn session_token(
        &self,
        ids: &Ids,
        context_id: ContextId,
        principal: ClaimsPrincipal,
        key: &SymmetricKey,
        lifetime: Lifetime,
    ) -> handstamp_session_token::SessionSecurityTokenBuilder {
        let (scope, valid_to) = match &self.contexts {
            Contexts::Stateful(contexts) => (contexts.scope(), lifetime.expires),
            // Ends by cancel or by time-out (SC §3).
            Contexts::Stateless(_) | Contexts::Negotiated => (EndpointScope::Unscoped, Timestamp::MAX),
        };
        SessionSecurityToken::builder(principal)
            .id(ids.token())
            .context_id(context_id)
            .key(key.clone())
            .endpoint(scope)
            .valid_from(lifetime.created)
            .valid_to(valid_to)
            .secure_conversation_version(version(self.generation))
    }

    /// Of the token when it is a cookie, else of its key (SC-17).
    fn lifetime(&self, now: Timestamp) -> Lifetime {
        let settings = &self.outer.local_service;
        let span = match &self.contexts {
            Contexts::Stateful(_) => settings.issued_cookie_lifetime,
            Contexts::Stateless(_) | Contexts::Negotiated => settings.session_key_renewal_interval,
        };
        Lifetime { created: now, expires: span.map_or(Timestamp::MAX, |span: Duration| now.saturating_add(span)) }
    }

    fn response(
        &self,
        request: &RequestSecurityToken,
        token: &SecurityContextToken,
        entropy: &ServiceEntropy,
        lifetime: Lifetime,
        message: &Unprotected,
    ) -> Result<RequestSecurityTokenResponse, Refusal> {
        let addressing = message.addressing_version();
        let applies_to = request.applies_to.as_ref();
        Ok(RequestSecurityTokenResponse {
            context: request.context.clone(),
            token_type: Some(self.generation.context_token_type().to_owned()),
            token: Some(RequestedToken::issued(token).map_err(Refusal::invalid)?),
            applies_to: applies_to.filter(|applies_to| Some(applies_to.addressing) == addressing).cloned(),
            proof: entropy.proof.clone(),
            entropy: entropy.entropy.clone(),
            lifetime: Some(lifetime),
            key_size: u32::try_from(entropy.key.len() * 8).ok(),
            ..RequestSecurityTokenResponse::new(self.generation)
        })
    }

    fn session_key(
        &self,
        token: SecurityContextToken,
        (session, key): (Arc<SessionSecurityToken>, SymmetricKey),
        lifetime: Lifetime,
        random: &dyn SecureRandom,
    ) -> Result<SessionKey, Refusal> {
        let mut context = ContextKey::new(token, key).map_err(Refusal::invalid)?;
        if let Protection::Symmetric { token } = &self.outer.protection
            && token.require_derived_keys
        {
            let reused = context.reuse_derived_keys(&self.outer.suite, random);
            context = reused.map_err(Refusal::invalid)?;
        }
        Ok(SessionKey { context, session, expires: lifetime.expires })
    }
}

impl Bootstrap {
    /// A negotiated bootstrap is protected by a context that a negotiation made, and by no other (SC §7).
    pub(super) fn check(&self, opened: Unprotected) -> Result<Unprotected, Error> {
        let named = opened.context().map(|context| context.identifier.as_str());
        let is_protecting = |session: &SessionSecurityToken| {
            session.context_id().as_unique_id().with_text(|identifier| Some(identifier) == named)
        };
        if !self.is_negotiated || self.negotiated.as_ref().is_some_and(|(session, _)| is_protecting(session)) {
            return Ok(opened);
        }
        Err(Error::trust("SC 7", "SecurityContextToken", "the context that protects the request was not negotiated"))
    }

    fn protecting<'a>(&'a self, sender: Sender<'a>) -> Sender<'a> {
        match &self.negotiated {
            Some((_, key)) => sender.with_negotiated_context(key),
            None => sender,
        }
    }
}

/// The negotiated context protects a renewal, the session's own endorses it.
impl SessionKeys for RenewalKeys<'_> {
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        match self.contexts.keys(&token.context.identifier, now) {
            Some(keys) => keys.by_token(token, now),
            None => self.negotiated.as_ref().ok_or(SessionKeyError::Unknown)?.by_token(token, now),
        }
    }

    fn by_reference(&self, context: &ContextReference, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        match self.contexts.keys(&context.identifier, now) {
            Some(keys) => keys.by_reference(context, now),
            None => self.negotiated.as_ref().ok_or(SessionKeyError::Unknown)?.by_reference(context, now),
        }
    }
}

impl Refusal {
    pub(super) fn new(told: Told, error: impl Into<Error>) -> Self {
        Self { told, error: Box::new(error.into()) }
    }

    /// Also for what goes wrong on this side.
    pub(super) fn invalid(error: impl Into<Error>) -> Self {
        Self::new(Told::InvalidRequest, error)
    }

    pub(super) fn too_busy(requirement: &'static str, problem: &'static str) -> Self {
        Self::new(Told::ServerTooBusy, Error::trust(requirement, "RequestSecurityToken", problem))
    }

    pub(super) fn closing() -> Self {
        let error = Error::trust("SC 11.1", "RequestSecurityToken", "the service is closing");
        Self::new(Told::EndpointUnavailable, error)
    }

    fn failed_authentication(reason: String) -> Self {
        let error = handstamp_ws_security::Error::TokenRejected { token: "caller", reason };
        Self::new(Told::FailedAuthentication, error)
    }
}

impl Told {
    pub(super) fn fault(self, addressing: AddressingVersion) -> Fault {
        match self {
            Self::InvalidRequest => SecurityFault::InvalidRequest.to_fault(),
            Self::FailedAuthentication => failed_authentication(),
            Self::ServerTooBusy => SecurityFault::ServerTooBusy.to_fault(),
            Self::EndpointUnavailable => endpoint_unavailable(addressing),
        }
    }
}

/// The ids of what an answer holds, in the form of WCF: a GUID and a number (SC 8.12).
pub(super) struct Ids {
    /// All but the number.
    unique: String,
}

impl Ids {
    pub(super) fn draw(random: &dyn SecureRandom) -> Result<Self, Error> {
        let unique = |text: &str| ["uuid-", text.trim_start_matches("urn:uuid:"), "-"].concat();
        Ok(Self { unique: UniqueId::generate(random)?.with_text(unique) })
    }

    pub(super) fn token(&self) -> String {
        [&self.unique, "1"].concat()
    }

    fn entropy(&self) -> String {
        [&self.unique, "2"].concat()
    }
}
