//! The token service of WS-Trust: understands requests for tokens, and answers them once the program knows who asks.

use crate::error::Error;
use crate::requirements::Requirements;
use crate::service::faults::{Head, failed_authentication, fault_message, unsecured};
use crate::service::{Answer, Event, Incoming};
use crate::trust::{Lifetime, ServiceEntropy, TokenRequest, TokenResponse};
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::{KeyPolicy, SecureRandom, SigningIdentity};
use handstamp_saml::{Assertion, TokenDescriptor, TokenEncryption, Version};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, Fault, SecurityFault};
use handstamp_ws_security::{
    Body, Expectation, IssuedKeyType, KeyEntropyMode, MemoryReplayCache, Message, Receiver, ReplayCache,
    SecurityBinding, Sender, Unprotected, UserNameValidator,
};
use handstamp_xml::{Document, Limits, ParseOptions, names};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Issues SAML assertions to clients who show a name and a password: WS-Trust of February 2005 and 1.3, as the binding says.
///
/// A state machine without I/O and without accounts. [`receive`](Self::receive) opens a request; who the name and password belong to
/// is found out elsewhere, as that may take its time; [`grant`](Self::grant) answers it.
///
/// Tokens are for the holder of a symmetric key, which is made of what both ends contribute and encrypted for the relying party; or
/// for any bearer.
pub struct TokenService {
    binding: SecurityBinding,
    issuer: String,
    signing: Arc<SigningIdentity>,
    replays: Arc<dyn ReplayCache>,
    key_policy: KeyPolicy,
}

/// What became of a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenHandled {
    /// It asks for a token. Nothing is proven yet about who asks.
    Request(Box<TokenTask>),
    /// It is refused: send this back.
    Answer(Answer),
    /// It is no SOAP message, so there is no SOAP answer: HTTP 400.
    Unreadable(Error),
    /// Nothing is to be sent: close the connection.
    Dropped(Error),
}

/// A request for a token whose message is good. The name and password in it were not looked at.
pub struct TokenTask {
    message: Unprotected,
    request: TokenRequest,
    head: Head,
    shown: Shown,
}

/// What a token says, and how it is made.
#[derive(Debug, Clone)]
pub struct TokenGrant<'a> {
    /// The claims of whoever has shown the right password.
    pub identity: &'a ClaimsIdentity,
    /// The relying party that the token is for: its realm.
    pub audience: &'a str,
    /// The version of the assertion when the client names none.
    pub version: Version,
    /// How long it is good.
    pub lifetime: Duration,
    /// For whom proof keys are encrypted. Without it the relying party gets tokens for bearers only.
    pub encryption: Option<&'a TokenEncryption>,
}

/// Why a request is refused although its message is good. The client is told what the variant says, the log the reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRefusal {
    /// Name and password do not belong together.
    FailedAuthentication,
    /// There is no such relying party, or it does not get such tokens.
    InvalidRequest,
    /// There were too many requests: later perhaps.
    TooManyRequests,
}

/// The size of a request in bytes.
const MAX_REQUEST: usize = 64 << 10;

impl TokenService {
    /// A token service under a binding without session whose clients show a name and a password. `issuer` is what its assertions
    /// call it; `signing` signs them, and is what clients encrypt messages for under a binding with message security.
    ///
    /// # Errors
    /// [`Error::Configuration`] for another binding.
    pub fn new(
        binding: SecurityBinding,
        issuer: impl Into<String>,
        signing: Arc<SigningIdentity>,
    ) -> Result<Self, Error> {
        let needs = Requirements::of(&binding);
        let others = Requirements { user_name: false, service_certificate: false, ..needs };
        if binding.session().is_some() || !needs.user_name || others != Requirements::default() {
            let problem = "a token service authenticates by name and password: its binding is UserNameOverTransport or \
                           UserNameForCertificate, without a session";
            return Err(Error::Configuration(problem.to_owned()));
        }
        let replays = Arc::new(MemoryReplayCache::new(binding.local_service.replay_cache_size));
        Ok(Self { binding, issuer: issuer.into(), signing, replays, key_policy: KeyPolicy::default() })
    }

    /// Where accepted messages are remembered, for instance shared by several nodes. Default: in memory.
    #[must_use]
    pub fn with_replay_cache(mut self, replays: Arc<dyn ReplayCache>) -> Self {
        self.replays = replays;
        self
    }

    /// The binding.
    pub fn binding(&self) -> &SecurityBinding {
        &self.binding
    }

    /// The size of a request in bytes that is read.
    pub const fn max_message_size(&self) -> usize {
        MAX_REQUEST
    }

    /// Opens a request. Costs a private-key operation under message security, and nothing more than parsing over transport.
    pub fn receive(&self, incoming: Incoming<'_>, now: Timestamp) -> TokenHandled {
        if incoming.bytes.len() > MAX_REQUEST {
            return TokenHandled::Unreadable(Error::TooLarge { bytes: incoming.bytes.len(), limit: MAX_REQUEST });
        }
        let mut limits = Limits::default();
        // What is decrypted in place counts once more.
        limits.size = 3 * MAX_REQUEST;
        let options = ParseOptions::default().with_limits(limits);
        let document = match Document::parse(incoming.bytes.as_slice(), &options) {
            Ok(document) => document,
            Err(error) => return TokenHandled::Unreadable(error.into()),
        };
        let head = match Envelope::of(&document) {
            Ok(envelope) => Head::of(&envelope, incoming.protected_channel),
            Err(error) => return TokenHandled::Unreadable(error.into()),
        };
        match self.open(document, &head, incoming.soap_action, now) {
            Ok((message, request, shown)) => {
                TokenHandled::Request(Box::new(TokenTask { message, request, head, shown }))
            }
            Err(error) => {
                let fault = match &error {
                    Error::Security(error) => SecurityFault::of(error.outside(), names::WSC_2005),
                    Error::Trust { .. } => SecurityFault::InvalidRequest,
                    _ => SecurityFault::of(handstamp_ws_security::OutsideFault::InvalidSecurity, names::WSC_2005),
                };
                unsecured(&head, fault.to_fault(), error).into()
            }
        }
    }

    fn open(
        &self,
        document: Document,
        head: &Head,
        soap_action: Option<&str>,
        now: Timestamp,
    ) -> Result<(Unprotected, TokenRequest, Shown), Error> {
        let generation = self.binding.version.generation;
        let refused = |element, problem| Error::trust("WS-Trust 1.3 §4.1", element, problem);
        let said = soap_action.map(|said| said.trim().trim_matches('"')).filter(|said| !said.is_empty());
        let action = TokenRequest::action(generation);
        if head.action.as_deref() != Some(action) || said.is_some_and(|said| said != action) {
            return Err(refused("Action", "it is not the one that asks for a token in this version of WS-Trust"));
        }
        let keeper = Keeper::default();
        let mut receiver = Receiver::service(&self.binding)
            .with_key_policy(self.key_policy)
            .with_identity(&self.signing)
            .with_user_names(&keeper)
            .with_replay_cache(self.replays.as_ref());
        if head.protected_channel {
            receiver = receiver.over_protected_channel();
        }
        let message = receiver.open(document, &Expectation::request(), now)?;
        if message.action().as_deref() != Some(action) {
            return Err(refused("Action", "the verified one is not the one that the message was routed by"));
        }
        let request = {
            let body = message.body().ok_or_else(|| refused("Body", "it was not verified"))?;
            let mut children = body.children();
            let (Some(content), None) = (children.next(), children.next()) else {
                return Err(refused("Body", "it does not hold one element"));
            };
            TokenRequest::parse(content.element(), generation)?
        };
        let shown = keeper.take().ok_or_else(|| refused("UsernameToken", "there is none"))?;
        Ok((message, request, shown))
    }

    /// Answers a request with a token, for the client that has shown the right password.
    pub fn grant(
        &self,
        task: &TokenTask,
        grant: &TokenGrant<'_>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> TokenHandled {
        let answer = self.issue(task, grant, now, random).and_then(|(body, event)| {
            let action = TokenRequest::response_action(task.request.generation);
            let message = Message::reply_to(&task.message, action).with_body(Body::canonical(body));
            let envelope = self.sender(task).protect(&message, random, now)?.envelope;
            Ok(Answer { envelope, soap: task.head.soap, fault: None, event })
        });
        match answer {
            Ok(answer) => TokenHandled::Answer(answer),
            Err(error) => self.answer_with(task, SecurityFault::InvalidRequest.to_fault(), error, now, random),
        }
    }

    /// Answers a request without a token.
    pub fn refuse(
        &self,
        task: &TokenTask,
        refusal: TokenRefusal,
        reason: impl Into<String>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> TokenHandled {
        let fault = match refusal {
            TokenRefusal::FailedAuthentication => failed_authentication(),
            TokenRefusal::InvalidRequest => SecurityFault::InvalidRequest.to_fault(),
            TokenRefusal::TooManyRequests => SecurityFault::ServerTooBusy.to_fault(),
        };
        let error = handstamp_ws_security::Error::TokenRejected { token: "request", reason: reason.into() };
        self.answer_with(task, fault, error.into(), now, random)
    }

    fn issue(
        &self,
        task: &TokenTask,
        grant: &TokenGrant<'_>,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<(String, Event), Error> {
        let request = &task.request;
        let refused = |element, problem| Error::trust("WS-Trust 1.3 §4.1", element, problem);
        let version = match request.token_type.as_deref() {
            None => grant.version,
            Some(asked) => Version::from_token_type(asked)
                .ok_or_else(|| refused("TokenType", "it is neither that of SAML 1.1 nor that of SAML 2.0"))?,
        };
        let lifetime = Lifetime { created: now, expires: now.saturating_add(grant.lifetime) };
        let descriptor = TokenDescriptor {
            version,
            issuer: self.issuer.clone(),
            audience: grant.audience.to_owned(),
            issued_at: now,
            not_before: now,
            not_on_or_after: lifetime.expires,
            recipient: None,
        };
        let mut assertion = Assertion::from_identity(grant.identity, &descriptor, random)?;
        let id = assertion.id.clone();
        let entropy = match request.key_type {
            IssuedKeyType::Bearer => None,
            IssuedKeyType::Symmetric => {
                let encryption = grant.encryption.ok_or_else(|| {
                    refused("KeyType", "the relying party has no certificate that a proof key could be encrypted for")
                })?;
                let client = request.entropy.as_ref();
                let mode = if client.is_some() { KeyEntropyMode::Combined } else { KeyEntropyMode::Server };
                let suite = &self.binding.suite;
                let entropy = ServiceEntropy::draw(mode, client, request.key_size, suite, "entropy", random)?;
                assertion = assertion.for_holder_of_key(encryption.key_info(&entropy.key)?);
                Some(entropy)
            }
            IssuedKeyType::Asymmetric => {
                return Err(refused("KeyType", "tokens are issued for symmetric keys and for bearers only"));
            }
        };
        let response = TokenResponse {
            generation: request.generation,
            context: request.context.clone(),
            token_type: Some(version.token_type().to_owned()),
            assertion: assertion.sign(&self.signing)?,
            proof: entropy.as_ref().and_then(|entropy| entropy.proof.clone()),
            key_size: entropy.as_ref().and_then(|entropy| u32::try_from(entropy.key.len() * 8).ok()),
            entropy: entropy.and_then(|entropy| entropy.entropy),
            lifetime: Some(lifetime),
        };
        let caller = grant.identity.name().map(str::to_owned);
        let event = Event::TokenIssued { token_id: id, audience: grant.audience.to_owned(), caller };
        Ok((response.to_xml(request, self.binding.version.basic_security_profile)?, event))
    }

    fn answer_with(
        &self,
        task: &TokenTask,
        fault: Fault,
        error: Error,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> TokenHandled {
        let head = &task.head;
        let relates_to = task.message.request_context().message_id.clone();
        let envelope = fault_message(head.soap, head.addressing, relates_to, &fault, None)
            .and_then(|message| Ok(self.sender(task).protect(&message, random, now)?.envelope));
        let answer = |envelope| Answer { envelope, soap: head.soap, fault: Some(fault), event: Event::Refused(error) };
        envelope.map(answer).into()
    }

    fn sender<'a>(&'a self, task: &'a TokenTask) -> Sender<'a> {
        let sender = Sender::service(&self.binding).with_key_policy(self.key_policy).with_identity(&self.signing);
        let sender = sender.answering(task.message.request_context());
        if task.head.protected_channel { sender.over_protected_channel() } else { sender }
    }
}

impl TokenTask {
    /// What is asked.
    pub fn request(&self) -> &TokenRequest {
        &self.request
    }

    /// The name that was sent. Nobody has verified it.
    pub fn user_name(&self) -> &str {
        &self.shown.name
    }

    /// The password that was sent with it.
    pub fn password(&self) -> &str {
        &self.shown.password
    }
}

/// An answer that was made, or not.
impl From<Result<Answer, Error>> for TokenHandled {
    fn from(answer: Result<Answer, Error>) -> Self {
        answer.map_or_else(Self::Dropped, Self::Answer)
    }
}

/// What was asked and for whom; nothing that is a secret.
impl fmt::Debug for TokenTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenTask").field("applies_to", &self.request.applies_to).finish_non_exhaustive()
    }
}

/// The issuer; nothing that is a secret.
impl fmt::Debug for TokenService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenService").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A name and a password as they were sent.
struct Shown {
    name: String,
    password: Zeroizing<String>,
}

/// Keeps the name and password of a message for whoever decides about them.
#[derive(Default)]
struct Keeper(Mutex<Option<Shown>>);

impl Keeper {
    fn take(&self) -> Option<Shown> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl UserNameValidator for Keeper {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), String> {
        let shown = Shown { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(())
    }
}
