//! Sending: putting protection on a message, laid out as WCF lays it out (SC §6, §8).

mod credentials;
mod entropy;
mod envelope;
mod message;
mod message_security;
mod primary;
mod protecting;
mod standalone;
mod tokens;
mod transport_security;

pub(crate) use credentials::saml_value_type;
pub use credentials::{ContextKey, IssuedProof, IssuedToken, UserNameCredential};
pub use message::{Body, HeaderBlock, Message};

use crate::binding::SecurityBinding;
use crate::error::Error;
use crate::receive::RequestContext;
use handstamp_keys::{Certificate, KeyPolicy, PrivateKey, SecureRandom, SigningIdentity};
use handstamp_time::Timestamp;
use protecting::Protecting;
use std::fmt;

/// Protects messages under one binding, as a client or as a service: the mirror of [`Receiver`](crate::Receiver).
///
/// ```
/// use handstamp_keys::{DeterministicRandom, KeyKind, SigningIdentity};
/// use handstamp_ws_security::soap::SoapVersion;
/// use handstamp_ws_security::{
///     AddressingVersion, AuthenticationMode, Body, Expectation, MemoryReplayCache, Message, MessageSecurityVersion,
///     Receiver, SecurityBinding, Sender,
/// };
/// use handstamp_xml::{Document, ParseOptions};
///
/// # let (from, to) = ("2026-01-01T00:00:00Z".parse()?, "2027-01-01T00:00:00Z".parse()?);
/// let random = DeterministicRandom::new(1); // SystemRandom outside of tests
/// let service = SigningIdentity::self_signed("ledger.example", KeyKind::Rsa { bits: 2048 }, from, to, &random)?;
/// let version = MessageSecurityVersion::default();
/// let binding = SecurityBinding::for_mode(AuthenticationMode::AnonymousForCertificate, version)?;
/// let now = "2026-11-21T17:23:13Z".parse()?;
///
/// let (soap, addressing) = (SoapVersion::Soap12, AddressingVersion::V10);
/// let request = Message::request(soap, addressing, "urn:ledger/Balance", "http://ledger.example/", "urn:uuid:1")
///     .with_body(Body::from_xml("<Balance xmlns='urn:ledger'/>")?);
/// let sent = Sender::client(&binding).with_peer_certificate(service.certificate()).protect(&request, &random, now)?;
///
/// let replays = MemoryReplayCache::new(100);
/// let received = Document::parse(sent.envelope, &ParseOptions::default())?;
/// let receiver = Receiver::service(&binding).with_identity(&service).with_replay_cache(&replays);
/// let opened = receiver.open(received, &Expectation::request(), now)?;
/// assert!(opened.body().is_some_and(|body| body.child("urn:ledger", "Balance").is_some()));
///
/// let reply = Message::reply_to(&opened, "urn:ledger/BalanceResponse").with_body(Body::from_xml("<Thousand/>")?);
/// let answer = Sender::service(&binding).answering(opened.request_context()).protect(&reply, &random, now)?;
/// let received = Document::parse(answer.envelope, &ParseOptions::default())?;
/// let receiver = Receiver::client(&binding).with_replay_cache(&replays);
/// assert!(receiver.open(received, &Expectation::reply(&sent.request), now)?.body().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    binding: &'a SecurityBinding,
    role: Role,
    identity: Option<&'a SigningIdentity>,
    peer_certificate: Option<&'a Certificate>,
    key_policy: KeyPolicy,
    user_name: Option<&'a UserNameCredential>,
    issued_token: Option<&'a IssuedToken>,
    context: Option<&'a ContextKey>,
    negotiated_context: Option<&'a ContextKey>,
    proof_key: Option<&'a PrivateKey>,
    request: Option<&'a RequestContext>,
    protected_channel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Client,
    Service,
}

/// A message that is ready for the wire.
#[derive(Clone)]
pub struct Protected {
    /// The envelope, UTF-8 without XML declaration.
    pub envelope: String,
    /// What a client opens the reply with ([`Expectation::reply`](crate::Expectation::reply)).
    pub request: RequestContext,
}

impl<'a> Sender<'a> {
    /// A client, which protects requests.
    pub fn client(binding: &'a SecurityBinding) -> Self {
        Self::new(binding, Role::Client)
    }

    /// A service, which protects replies.
    pub fn service(binding: &'a SecurityBinding) -> Self {
        Self::new(binding, Role::Service)
    }

    fn new(binding: &'a SecurityBinding, role: Role) -> Self {
        Self {
            binding,
            role,
            identity: None,
            peer_certificate: None,
            key_policy: KeyPolicy::default(),
            user_name: None,
            issued_token: None,
            context: None,
            negotiated_context: None,
            proof_key: None,
            request: None,
            protected_channel: false,
        }
    }

    /// The own certificate and private key: signs.
    #[must_use]
    pub fn with_identity(mut self, identity: &'a SigningIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The certificate of the other side: keys are encrypted for it. A service needs it only when the request did not bring it.
    /// Whether it is to be believed was decided before.
    #[must_use]
    pub fn with_peer_certificate(mut self, certificate: &'a Certificate) -> Self {
        self.peer_certificate = Some(certificate);
        self
    }

    /// Which public keys are strong enough. Default: RSA from 2048 bits.
    #[must_use]
    pub fn with_key_policy(mut self, policy: KeyPolicy) -> Self {
        self.key_policy = policy;
        self
    }

    /// The name and password of the client.
    #[must_use]
    pub fn with_user_name(mut self, user_name: &'a UserNameCredential) -> Self {
        self.user_name = Some(user_name);
        self
    }

    /// The client's token of a token service.
    #[must_use]
    pub fn with_issued_token(mut self, token: &'a IssuedToken) -> Self {
        self.issued_token = Some(token);
        self
    }

    /// The security context of the session: protects its messages, and endorses the request that renews it.
    #[must_use]
    pub fn with_context(mut self, context: &'a ContextKey) -> Self {
        self.context = Some(context);
        self
    }

    /// The security context that a TLS negotiation made (SC §7).
    #[must_use]
    pub fn with_negotiated_context(mut self, context: &'a ContextKey) -> Self {
        self.negotiated_context = Some(context);
        self
    }

    /// The key that the client asks a token for, where the binding has it prove that it has the key
    /// ([`RsaKey`](crate::TokenKind::RsaKey)).
    #[must_use]
    pub fn with_proof_key(mut self, key: &'a PrivateKey) -> Self {
        self.proof_key = Some(key);
        self
    }

    /// The request that a service answers: its keys protect the reply, and its signatures are confirmed.
    #[must_use]
    pub fn answering(mut self, request: &'a RequestContext) -> Self {
        self.request = Some(request);
        self
    }

    /// Says that the message will go over TLS. Transport bindings need that, or `allowInsecureTransport`.
    #[must_use]
    pub fn over_protected_channel(mut self) -> Self {
        self.protected_channel = true;
        self
    }

    /// Protects a message. `now` is the sender's clock; keys, nonces, initialization vectors and identifiers come from `random`.
    ///
    /// # Errors
    /// [`Error::Configuration`] when this sender lacks what its binding needs, or the binding cannot do what the message asks
    /// for; [`Error::Cryptography`] when a key does not go with the algorithm suite; [`Error::Xml`] for text that XML cannot
    /// hold.
    pub fn protect(&self, message: &Message, random: &dyn SecureRandom, now: Timestamp) -> Result<Protected, Error> {
        let protecting = Protecting::new(self, message, random, now)?;
        if !self.binding.is_transport() {
            return protecting.by_message_security();
        }
        if !self.protected_channel && !self.binding.allow_insecure_transport {
            return Err(Error::Configuration(
                "the binding leaves protection to TLS, but the message will not go over TLS: use HTTPS, or set \
                 allowInsecureTransport where a proxy begins TLS"
                    .to_owned(),
            ));
        }
        protecting.by_transport_security()
    }

    fn is_client(&self) -> bool {
        self.role == Role::Client
    }
}

/// The binding and the role; nothing that is a secret.
impl fmt::Debug for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("binding", self.binding).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Without the envelope: under a transport binding it has passwords in clear.
impl fmt::Debug for Protected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Protected").field("length", &self.envelope.len()).finish_non_exhaustive()
    }
}
