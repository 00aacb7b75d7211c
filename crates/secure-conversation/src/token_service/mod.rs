//! The token service of WS-Trust: understands requests for tokens, and answers them once the program knows who asks.

mod builder;
mod refusal;

pub use builder::TokenServiceBuilder;
pub use refusal::TokenRefusal;

use crate::error::Error;
use crate::service::AddressUse;
use crate::service::faults::{Head, fault_message, unsecured};
use crate::service::{Answer, Event, Incoming};
use crate::trust::{AskedLifetime, Lifetime, ServiceEntropy, TokenRequest, TokenResponse, UseKey};
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, PublicKey, SecureRandom, SigningIdentity};
use handstamp_saml::{Assertion, TokenDescriptor, TokenEncryption, Version};
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::{Envelope, Fault, SecurityFault};
use handstamp_ws_security::token::BinarySecurityToken;
use handstamp_ws_security::{
    Body, Caller, Expectation, IssuedKeyType, KeyEntropyMode, Message, Receiver, ReplayCache, SecurityBinding, Sender,
    Unprotected, UserNameError, UserNameValidator,
};
use handstamp_xml::{Document, Element, Limits, ParseOptions, names};
use refusal::{Refusal, TrustFault};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Issues SAML assertions to clients who show a name and a password, or a certificate: WS-Trust of February 2005 and 1.3, as the
/// binding says.
///
/// A state machine without I/O and without accounts. [`receive`](Self::receive) opens a request; who the name and password belong to
/// is found out elsewhere, as that may take its time; [`grant`](Self::grant) answers it.
///
/// | `KeyType` | the token is for | who makes the key |
/// |---|---|---|
/// | `SymmetricKey` | the holder of a key that only client and relying party know | both ends, or the service alone when the client sends no entropy |
/// | `PublicKey` | the holder of a private key: the one in `UseKey`, or that of the certificate that signs the request | the client, who signs the request with it |
/// | `Bearer` | whoever has it | nobody |
///
/// As in WCF the key in `UseKey` proves itself by a signature of its own, with the key in its `KeyInfo`; nobody has to vouch for it.
pub struct TokenService {
    binding: SecurityBinding,
    issuer: String,
    signing: Arc<SigningIdentity>,
    trust: Option<CertificateTrust>,
    replays: Arc<dyn ReplayCache>,
    key_policy: KeyPolicy,
    addresses: Arc<AddressUse>,
}

/// What became of a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenHandled {
    /// It asks for a token. Nothing is proven yet about who has the name and password in it.
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
    shown: Option<Shown>,
}

/// Who asks for a token, as far as the message says.
#[derive(Clone, Copy)]
pub enum Requestor<'t> {
    /// Whoever this name and password belong to, as they were sent. Nobody has verified them.
    UserName {
        /// The name.
        name: &'t str,
        /// The password.
        password: &'t str,
    },
    /// The holder of the key of this certificate, which is trusted.
    Certificate(&'t Certificate),
}

/// What a token says, and how it is made.
#[derive(Debug, Clone)]
pub struct TokenGrant {
    /// The claims of whoever has shown the right password.
    pub identity: ClaimsIdentity,
    /// The relying party that the token is for: its realm.
    pub audience: String,
    /// The version of the assertion when the client names none.
    pub version: Version,
    /// How long it is good at most; a client may ask for less.
    pub lifetime: Duration,
    /// For whom proof keys are encrypted. Without it the relying party gets tokens for bearers and for holders of private keys only.
    pub encryption: Option<TokenEncryption>,
}

/// The size of a request in bytes.
const MAX_REQUEST: usize = 64 << 10;

impl TokenService {
    /// Starts a token service under a binding without session. `issuer` is what its assertions call it; `signing` signs them, and is
    /// what clients encrypt messages for under a binding with message security.
    pub fn builder(
        binding: SecurityBinding,
        issuer: impl Into<String>,
        signing: Arc<SigningIdentity>,
    ) -> TokenServiceBuilder {
        TokenServiceBuilder::new(binding, issuer.into(), signing)
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
        let address = incoming.address;
        if !self.addresses.refusals.has_some(address, now) {
            return TokenHandled::Dropped(Error::TooManyRefusals);
        }
        if incoming.bytes.len() > MAX_REQUEST {
            return TokenHandled::Unreadable(Error::TooLarge { bytes: incoming.bytes.len(), limit: MAX_REQUEST });
        }
        let mut limits = Limits::default();
        // What is decrypted in place counts once more.
        limits.size = 3 * MAX_REQUEST;
        let options = ParseOptions::default().with_limits(limits);
        let document = match Receiver::parse(&incoming.bytes, &options) {
            Ok(document) => document,
            Err(error) => return TokenHandled::Unreadable(error.into()),
        };
        let head = match Envelope::of(&document) {
            Ok(envelope) => Head { address, ..Head::of(&envelope, incoming.protected_channel) },
            Err(error) => return TokenHandled::Unreadable(error.into()),
        };
        if !self.addresses.token_requests.take(address, now) {
            let fault = SecurityFault::ServerTooBusy.to_fault();
            return unsecured(&head, fault, Error::TooManyTokenRequests).into();
        }
        match self.open(document, &head, incoming.soap_action, now) {
            Ok((message, request, shown)) => {
                TokenHandled::Request(Box::new(TokenTask { message, request, head, shown }))
            }
            Err(error) => {
                if error.is_about_protection() {
                    self.addresses.refusals.take(address, now);
                }
                let fault = match &error {
                    Error::Trust { .. } => TrustFault::InvalidRequest.to_fault(self.binding.version.generation),
                    Error::Security(error) => SecurityFault::of(error.outside(), names::WSC_2005).to_fault(),
                    _ => SecurityFault::InvalidSecurity.to_fault(),
                };
                unsecured(&head, fault, error).into()
            }
        }
    }

    fn open(
        &self,
        document: Document,
        head: &Head,
        soap_action: Option<&str>,
        now: Timestamp,
    ) -> Result<(Unprotected, TokenRequest, Option<Shown>), Error> {
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
        if let Some(trust) = &self.trust {
            receiver = receiver.with_trust(trust);
        }
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
        Ok((message, request, keeper.take()))
    }

    /// Answers a request with a token, for the client that has shown the right password or a certificate that is known.
    pub fn grant(
        &self,
        task: &TokenTask,
        grant: &TokenGrant,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> TokenHandled {
        let answer = self.issue(task, grant, now, random).and_then(|(body, event)| {
            let action = TokenRequest::response_action(task.request.generation);
            let message = Message::reply_to(&task.message, action).with_body(Body::well_formed(body));
            let envelope = self.sender(task).protect(&message, random, now)?.envelope;
            Ok(Answer { envelope, soap: task.head.soap, fault: None, event })
        });
        match answer {
            Ok(answer) => TokenHandled::Answer(answer),
            Err(Refusal { told, error }) => {
                self.answer_with(task, told.to_fault(task.request.generation), *error, now, random)
            }
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
        if refusal == TokenRefusal::FailedAuthentication {
            self.addresses.refusals.take(task.head.address, now);
        }
        let error = handstamp_ws_security::Error::TokenRejected { token: "request", reason: reason.into() };
        self.answer_with(task, refusal.to_fault(task.request.generation), error.into(), now, random)
    }

    fn issue(
        &self,
        task: &TokenTask,
        grant: &TokenGrant,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<(String, Event), Refusal> {
        let request = &task.request;
        let version = match request.token_type.as_deref() {
            None => grant.version,
            Some(asked) => Version::from_token_type(asked)
                .ok_or_else(|| Refusal::failed("TokenType", "it is neither that of SAML 1.1 nor that of SAML 2.0"))?,
        };
        let lifetime = self.lifetime(request.lifetime, grant.lifetime, now)?;
        let descriptor = TokenDescriptor {
            version,
            issuer: self.issuer.clone(),
            audience: grant.audience.clone(),
            issued_at: now,
            not_before: lifetime.created,
            not_on_or_after: lifetime.expires,
            recipient: None,
        };
        let mut assertion = Assertion::from_identity(&grant.identity, &descriptor, random)?;
        let id = assertion.id.clone();
        let mut entropy = None;
        match request.key_type {
            IssuedKeyType::Bearer => {}
            IssuedKeyType::Symmetric => {
                let encryption = grant.encryption.as_ref().ok_or_else(|| {
                    let problem = "the relying party has no certificate that a proof key could be encrypted for";
                    Refusal::failed("KeyType", problem)
                })?;
                let client = request.entropy.as_ref();
                let mode = if client.is_some() { KeyEntropyMode::Combined } else { KeyEntropyMode::Server };
                let suite = &self.binding.suite;
                let made = ServiceEntropy::draw(mode, client, request.key_size, suite, "entropy", random)?;
                assertion = assertion.for_holder_of_key(encryption.key_info(&made.key)?);
                entropy = Some(made);
            }
            IssuedKeyType::Asymmetric => {
                assertion = match task.proven_key()? {
                    ProvenKey::Certificate(certificate) => assertion.for_holder_of_certificate(&certificate),
                    ProvenKey::Bare(key) => assertion.for_holder_of_public_key(&key)?,
                };
            }
        }
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
        let event = Event::TokenIssued { token_id: id, audience: grant.audience.clone(), caller };
        Ok((response.to_xml(request, self.binding.version.basic_security_profile)?, event))
    }

    /// As long as the client asks for, and no longer than it may be. Tokens are not postdated.
    fn lifetime(&self, asked: Option<AskedLifetime>, longest: Duration, now: Timestamp) -> Result<Lifetime, Refusal> {
        let longest = now.saturating_add(longest);
        let AskedLifetime { created, expires } = asked.unwrap_or_default();
        let latest_start = now.saturating_add(self.binding.local_service.freshness.max_clock_skew);
        let problem = if created.is_some_and(|created| created > latest_start) {
            "it begins later, and tokens begin at once"
        } else if expires.is_some_and(|expires| expires <= now || created.is_some_and(|created| expires <= created)) {
            "it is over before it begins"
        } else {
            return Ok(Lifetime { created: now, expires: expires.unwrap_or(longest).min(longest) });
        };
        Err(Refusal::new(TrustFault::InvalidTimeRange, Error::trust("WS-Trust 1.3 §4.1", "Lifetime", problem)))
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

/// A key that the sender of a request has, by a signature of the message.
enum ProvenKey {
    /// With the certificate that the client names for it.
    Certificate(Box<Certificate>),
    Bare(PublicKey),
}

impl TokenTask {
    /// What is asked.
    pub fn request(&self) -> &TokenRequest {
        &self.request
    }

    /// Who asks. None is for bindings that there are none of.
    pub fn requestor(&self) -> Option<Requestor<'_>> {
        let shown = self.shown.as_ref().map(|Shown { name, password }| Requestor::UserName { name, password });
        shown.or_else(|| self.certificates().next().map(Requestor::Certificate))
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.message.callers().iter().filter_map(|caller| match caller {
            Caller::Certificate(certificate) => Some(certificate),
            _ => None,
        })
    }

    /// The key that the token is asked for: that of `UseKey`, when a signature proves that the client has it, else that of the
    /// certificate that the client signs with.
    fn proven_key(&self) -> Result<ProvenKey, Refusal> {
        let bare = self.message.callers().iter().find_map(|caller| match caller {
            Caller::Key(key) => Some(key),
            _ => None,
        });
        let proven = |named: &Certificate| {
            self.certificates().any(|certificate| certificate == named)
                || bare.is_some_and(|bare| bare.spki() == named.spki())
        };
        let key = match &self.request.use_key {
            None => self.certificates().next().cloned().map(|certificate| ProvenKey::Certificate(certificate.into())),
            Some(UseKey::Certificate(named)) => proven(named).then(|| ProvenKey::Certificate(named.clone())),
            Some(key @ UseKey::RsaKey { .. }) => {
                let is_named = |public: &PublicKey| UseKey::rsa(public).as_ref() == Some(key);
                bare.filter(|bare| is_named(bare)).cloned().map(ProvenKey::Bare)
            }
            Some(key @ UseKey::Reference(reference)) => {
                let included = key.local_id().and_then(|id| self.included_certificate(id));
                let is_named = |certificate: &&Certificate| match &included {
                    Some(included) => included == *certificate,
                    None => reference.target.names_certificate(certificate),
                };
                self.certificates()
                    .find(is_named)
                    .cloned()
                    .map(|certificate| ProvenKey::Certificate(certificate.into()))
            }
        };
        key.ok_or_else(|| {
            let problem = "no signature of the request is by the key that the token is asked for";
            Refusal::from(Error::trust("WS-Trust 1.3 §9.3", "UseKey", problem))
        })
    }

    /// The certificate of a token in the security header. Whether its holder is the sender is to be seen.
    fn included_certificate(&self, id: &str) -> Option<Certificate> {
        let envelope = Envelope::of(self.message.document()).ok()?;
        let security = envelope.security_header().ok()??;
        let is_meant = |token: &Element<'_>| token.attribute_ns(names::WSU, "Id") == Some(id);
        let token = security.children().find(is_meant)?;
        BinarySecurityToken::parse(token).ok().map(|token| token.certificate)
    }
}

/// Without the password.
impl fmt::Debug for Requestor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserName { name, .. } => f.debug_struct("UserName").field("name", name).finish_non_exhaustive(),
            Self::Certificate(certificate) => f.debug_tuple("Certificate").field(certificate).finish(),
        }
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
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let shown = Shown { name: name.to_owned(), password: Zeroizing::new(password.to_owned()) };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown);
        Ok(())
    }
}
