//! Receiving: taking the protection off a message, in the order of checks that WCF has (SC §9).

mod encrypted_token;
mod header;
mod keys;
mod knowledge;
mod opening;
mod parts;
mod signatures;
mod unprotected;

pub use knowledge::{IssuedTokenValidator, ProofKey, SessionKeyError, SessionKeys, UserNameError, UserNameValidator};
pub use unprotected::{Caller, IssuedKey, RequestContext, Unprotected, WrappedKey};

use crate::binding::{ProtectionLevel, SecurityBinding};
use crate::error::Error;
use crate::replay::ReplayCache;
use crate::timestamp::Freshness;
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SigningIdentity};
use handstamp_time::Timestamp;
use handstamp_xml::{Document, ParseOptions};
use opening::Opening;
use std::fmt;

/// Opens protected messages under one binding, as a service or as a client.
///
/// A service opens requests:
///
/// ```
/// use handstamp_ws_security::{
///     AuthenticationMode, Expectation, MemoryReplayCache, MessageSecurityVersion, Receiver, SecurityBinding,
/// };
/// use handstamp_xml::ParseOptions;
///
/// let version = MessageSecurityVersion::default();
/// let binding = SecurityBinding::for_mode(AuthenticationMode::AnonymousForCertificate, version)?;
/// let replays = MemoryReplayCache::new(900_000);
/// let receiver = Receiver::service(&binding).with_replay_cache(&replays);
/// let message = br#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body/></s:Envelope>"#;
/// let message = Receiver::parse(message, &ParseOptions::default())?;
/// let now = "2026-11-21T17:23:13Z".parse()?;
/// let error = receiver.open(message, &Expectation::request(), now).unwrap_err();
/// assert!(error.to_string().contains("Security"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct Receiver<'a> {
    binding: &'a SecurityBinding,
    role: Role,
    identity: Option<&'a SigningIdentity>,
    peer_certificate: Option<&'a Certificate>,
    peer_trust: Option<&'a CertificateTrust>,
    key_policy: KeyPolicy,
    user_names: Option<&'a dyn UserNameValidator>,
    sessions: Option<&'a dyn SessionKeys>,
    issued_tokens: Option<&'a dyn IssuedTokenValidator>,
    replays: Option<&'a dyn ReplayCache>,
    protected_channel: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Service,
    Client,
}

/// What the receiver knows about the message before it comes: the contract of the operation, and the request of a reply.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    body: ProtectionLevel,
    is_cancel: bool,
    request: Option<&'a RequestContext>,
    understood: Understood<'a>,
    wrapped_key: Option<&'a WrappedKey>,
}

/// Which headers that have to be understood are understood, besides those of addressing and security.
#[derive(Debug, Clone, Copy)]
enum Understood<'a> {
    /// By namespace and local name.
    These(&'a [(&'a str, &'a str)]),
    Whatever,
}

impl<'a> Receiver<'a> {
    /// A service, which opens requests.
    pub fn service(binding: &'a SecurityBinding) -> Self {
        Self::new(binding, Role::Service)
    }

    /// A client, which opens replies.
    pub fn client(binding: &'a SecurityBinding) -> Self {
        Self::new(binding, Role::Client)
    }

    fn new(binding: &'a SecurityBinding, role: Role) -> Self {
        Self {
            binding,
            role,
            identity: None,
            peer_certificate: None,
            peer_trust: None,
            key_policy: KeyPolicy::default(),
            user_names: None,
            sessions: None,
            issued_tokens: None,
            replays: None,
            protected_channel: false,
        }
    }

    /// The own certificate and private key: decrypts keys.
    #[must_use]
    pub fn with_identity(mut self, identity: &'a SigningIdentity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// The certificate of the other side, known beforehand; messages may refer to it without including it.
    #[must_use]
    pub fn with_peer_certificate(mut self, certificate: &'a Certificate) -> Self {
        self.peer_certificate = Some(certificate);
        self
    }

    /// Which other certificates are trusted. Without this, only the peer's certificate is.
    #[must_use]
    pub fn with_trust(mut self, trust: &'a CertificateTrust) -> Self {
        self.peer_trust = Some(trust);
        self
    }

    /// Which public keys are strong enough. Default: RSA from 2048 bits.
    #[must_use]
    pub fn with_key_policy(mut self, policy: KeyPolicy) -> Self {
        self.key_policy = policy;
        self
    }

    /// Who decides about names and passwords.
    #[must_use]
    pub fn with_user_names(mut self, validator: &'a dyn UserNameValidator) -> Self {
        self.user_names = Some(validator);
        self
    }

    /// Where the keys of security contexts are.
    #[must_use]
    pub fn with_sessions(mut self, sessions: &'a dyn SessionKeys) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Who decides about tokens of token services.
    #[must_use]
    pub fn with_issued_tokens(mut self, validator: &'a dyn IssuedTokenValidator) -> Self {
        self.issued_tokens = Some(validator);
        self
    }

    /// Where accepted messages are remembered. Needed unless the binding's `detectReplays` is off, or it is a transport binding.
    #[must_use]
    pub fn with_replay_cache(mut self, replays: &'a dyn ReplayCache) -> Self {
        self.replays = Some(replays);
        self
    }

    /// Says that the message came over TLS. Transport bindings need that, or `allowInsecureTransport`.
    #[must_use]
    pub fn over_protected_channel(mut self) -> Self {
        self.protected_channel = true;
        self
    }

    /// Parses a message to [`open`](Self::open). Other than [`Document::parse`], it leaves room in the text for what will be decrypted
    /// there, so that nothing is copied again.
    ///
    /// # Errors
    /// As [`Document::parse`].
    pub fn parse(message: &[u8], options: &ParseOptions) -> Result<Document, handstamp_xml::Error> {
        // Base64 is a third longer than what it holds.
        let mut text = Vec::with_capacity(message.len() + message.len() / 4 * 3);
        text.extend_from_slice(message);
        Document::parse(text, options)
    }

    /// Takes the protection off a message. `now` is the receiver's clock.
    ///
    /// # Errors
    /// [`Error`], whose [`outside`](Error::outside) is what the sender may learn. [`Error::Configuration`] when this receiver
    /// lacks what its binding needs.
    pub fn open(&self, message: Document, expected: &Expectation<'_>, now: Timestamp) -> Result<Unprotected, Error> {
        if self.binding.is_transport() && !self.protected_channel && !self.binding.allow_insecure_transport {
            return Err(Error::Configuration(
                "the binding leaves protection to TLS, but the message did not come over TLS: use HTTPS, or set \
                 allowInsecureTransport where a proxy ends TLS"
                    .to_owned(),
            ));
        }
        if self.detects_replays() && self.replays.is_none() {
            return Err(Error::Configuration(
                "detectReplays is on, but there is no replay cache: give the receiver one, or turn it off".to_owned(),
            ));
        }
        Opening::new(self, expected, message, now)?.open()
    }

    fn detects_replays(&self) -> bool {
        let detect = match self.role {
            Role::Service => self.binding.local_service.detect_replays,
            Role::Client => self.binding.local_client.detect_replays,
        };
        detect && !self.binding.is_transport()
    }

    fn freshness(&self) -> Freshness {
        match self.role {
            Role::Service => self.binding.local_service.freshness,
            Role::Client => self.binding.local_client.freshness,
        }
    }

    /// A certificate that came with a message. Most are known already.
    fn read_certificate(&self, der: &[u8]) -> Result<Certificate, handstamp_keys::Error> {
        match (self.peer_certificate, self.peer_trust) {
            (Some(peer), _) if peer.der() == der => Ok(peer.clone()),
            (_, Some(trust)) => trust.read(der),
            (_, None) => Certificate::from_der(der),
        }
    }

    fn check_trust(&self, certificate: &Certificate, now: Timestamp) -> Result<(), Error> {
        if self.peer_certificate == Some(certificate) {
            return Ok(());
        }
        let trust = self.peer_trust.ok_or_else(|| Error::TokenRejected {
            token: "certificate",
            reason: "it is not the peer's, and no others are trusted".to_owned(),
        })?;
        let checked = trust.check(certificate, &[], now);
        checked.map(drop).map_err(|error| Error::TokenRejected { token: "certificate", reason: error.to_string() })
    }
}

/// The binding and the role; nothing that is a secret.
impl fmt::Debug for Receiver<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("binding", self.binding).field("role", &self.role).finish_non_exhaustive()
    }
}

impl<'a> Expectation<'a> {
    /// A request whose body has to be encrypted and signed.
    pub fn request() -> Self {
        Self {
            body: ProtectionLevel::EncryptAndSign,
            is_cancel: false,
            request: None,
            understood: Understood::These(&[]),
            wrapped_key: None,
        }
    }

    /// The reply to this request, with the same protection.
    pub fn reply(request: &'a RequestContext) -> Self {
        Self { request: Some(request), ..Self::request() }
    }

    /// The least protection that the contract demands of the body.
    #[must_use]
    pub fn with_body(mut self, level: ProtectionLevel) -> Self {
        self.body = level;
        self
    }

    /// Which headers with `mustUnderstand` the application understands, by namespace and local name. Those of addressing and
    /// security always are; a message with any other is refused (SC 9 step 15).
    #[must_use]
    pub fn understanding(mut self, headers: &'a [(&'a str, &'a str)]) -> Self {
        self.understood = Understood::These(headers);
        self
    }

    /// Leaves it to whoever gets the message next to understand its headers: for tools, and for gateways, which pass them on.
    #[must_use]
    pub fn leaving_headers_to_application(mut self) -> Self {
        self.understood = Understood::Whatever;
        self
    }

    /// The key that the message carries encrypted, where it is known already: to whoever made the message, and cannot decrypt
    /// what is for the other side.
    #[must_use]
    pub fn with_wrapped_key(mut self, key: &'a WrappedKey) -> Self {
        self.wrapped_key = Some(key);
        self
    }

    /// Cancel and its reply (SC 4.4): the body is only signed, and peers may sign with the context's own key.
    #[must_use]
    pub fn cancel(mut self) -> Self {
        self.body = ProtectionLevel::Sign;
        self.is_cancel = true;
        self
    }
}
