//! The requestor of WS-Trust: obtains tokens of a token service.

use crate::client::{Credentials, fault_in};
use crate::error::Error;
use crate::requirements::Requirements;
use crate::trust::{AskedLifetime, Entropy, Lifetime, TokenRequest, TokenResponse, UseKey};
use handstamp_keys::{Certificate, CertificateTrust, KeyKind, KeyPolicy, PrivateKey, SecureRandom, SigningIdentity};
use handstamp_session_token::UniqueId;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, Body, Expectation, IssuedKeyType, IssuedToken, IssuedTokenParameters, KeyEntropyMode,
    MemoryReplayCache, Message, RequestContext, SecurityBinding, TokenInclusion, TokenKind, TokenParameters, TokenRole,
    Unprotected, UserNameCredential,
};
use handstamp_xml::{Document, Limits, ParseOptions};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// Obtains tokens of a token service for services that demand one: WS-Trust of February 2005 and 1.3.
///
/// A state machine without I/O like [`SecureConversationClient`](crate::SecureConversationClient). The binding is that of the token
/// service, without a session. What comes of an exchange goes into
/// [`issued_token`](crate::SecureConversationClientBuilder::issued_token).
pub struct TokenClient {
    binding: SecurityBinding,
    address: String,
    soap: SoapVersion,
    addressing: AddressingVersion,
    credentials: Credentials,
    replays: MemoryReplayCache,
    protected_channel: bool,
    lifetime: Option<Duration>,
}

/// Builds a [`TokenClient`]. What the binding needs has to be given; [`build`](Self::build) says what is missing.
#[must_use]
pub struct TokenClientBuilder {
    binding: SecurityBinding,
    address: String,
    soap: SoapVersion,
    addressing: AddressingVersion,
    credentials: Credentials,
    lifetime: Option<Duration>,
}

/// A request for a token that was made and waits for its answer.
pub struct TokenExchange {
    action: &'static str,
    envelope: String,
    context: RequestContext,
    request: TokenRequest,
    /// The key that the token is asked for, when it is the client's own.
    own_key: Option<PrivateKey>,
}

/// A token that was obtained.
#[derive(Debug, Clone)]
pub struct ObtainedToken {
    /// The token and what proves possession of it.
    pub token: IssuedToken,
    /// From when to when it is good, by the token service's clock.
    pub lifetime: Option<Lifetime>,
}

/// The size of an answer in bytes.
const MAX_ANSWER: usize = 256 << 10;

impl TokenClient {
    /// Starts a client of the token service at `address`.
    pub fn builder(binding: SecurityBinding, address: impl Into<String>) -> TokenClientBuilder {
        TokenClientBuilder {
            binding,
            address: address.into(),
            soap: SoapVersion::default(),
            addressing: AddressingVersion::default(),
            credentials: Credentials::default(),
            lifetime: None,
        }
    }

    /// Asks for a token that the service at `applies_to` accepts: one as its binding wants it.
    ///
    /// A token for the holder of a private key is asked for with the key of the client's [identity](TokenClientBuilder::identity), or,
    /// when it has none, with an RSA key that is made for this token alone. Making one takes some tenths of a second.
    ///
    /// # Errors
    /// [`Error::Configuration`] for an identity with another key than RSA; [`Error::Security`] when the binding lacks something.
    pub fn request(
        &self,
        wanted: &IssuedTokenParameters,
        applies_to: &str,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<TokenExchange, Error> {
        let generation = self.binding.version.generation;
        let mut own_key = None;
        let (entropy, key_size) = match wanted.key_type {
            IssuedKeyType::Bearer => (None, None),
            IssuedKeyType::Symmetric => {
                let bits = u32::try_from(self.binding.suite.default_key_length() * 8).unwrap_or_default();
                let bits = wanted.key_size.unwrap_or(bits);
                let entropy = match self.binding.key_entropy {
                    KeyEntropyMode::Server => None,
                    _ => Some(Entropy::generate(bits as usize / 8, "entropy", random)?),
                };
                (entropy, Some(bits))
            }
            IssuedKeyType::Asymmetric => {
                let key = self.own_key(wanted)?;
                let bits = match key.kind() {
                    KeyKind::Rsa { bits } => Some(bits),
                    _ => None,
                };
                own_key = Some(key);
                (None, bits)
            }
        };
        let until = |lifetime| AskedLifetime { created: Some(now), expires: Some(now.saturating_add(lifetime)) };
        let request = TokenRequest {
            generation,
            context: None,
            token_type: wanted.token_type.clone(),
            applies_to: Some(applies_to.to_owned()),
            addressing: self.addressing,
            entropy,
            key_type: wanted.key_type,
            key_size,
            use_key: own_key.as_ref().map(|key| self.use_key(key)).transpose()?,
            lifetime: self.lifetime.map(until),
            claim_types: wanted.claim_types.clone(),
            additional: wanted.additional.clone(),
        };
        let (action, id) = (TokenRequest::action(generation), UniqueId::generate(random)?.to_string());
        let message = Message::request(self.soap, self.addressing, action, &*self.address, id);
        let message = message.with_body(Body::well_formed(request.to_xml()?));
        let binding = self.proving_binding(own_key.is_some());
        let sender = self.credentials.sender(&binding, self.protected_channel);
        let sender = own_key.as_ref().map_or(sender, |key| sender.with_proof_key(key));
        let protected = sender.protect(&message, random, now)?;
        Ok(TokenExchange { action, envelope: protected.envelope, context: protected.request, request, own_key })
    }

    /// The key to ask a token for.
    fn own_key(&self, wanted: &IssuedTokenParameters) -> Result<PrivateKey, Error> {
        match &self.credentials.identity {
            Some(identity) => Ok(identity.key().clone()),
            None => {
                let bits = self.credentials.key_policy.min_rsa_bits().max(wanted.key_size.unwrap_or_default());
                Ok(PrivateKey::generate(KeyKind::Rsa { bits })?)
            }
        }
    }

    fn use_key(&self, key: &PrivateKey) -> Result<UseKey, Error> {
        if let Some(identity) = &self.credentials.identity {
            return Ok(UseKey::Certificate(identity.certificate().clone().into()));
        }
        UseKey::rsa(key.public_key()).ok_or_else(|| Error::Configuration("an RSA key was made that is none".to_owned()))
    }

    /// The binding of a request. Where the client does not sign with its key anyway, the key proves itself.
    fn proving_binding(&self, proves_key: bool) -> Cow<'_, SecurityBinding> {
        let signs_with_certificate = Requirements::of(&self.binding).client_certificate;
        if !proves_key || (signs_with_certificate && self.credentials.identity.is_some()) {
            return Cow::Borrowed(&self.binding);
        }
        let key = TokenParameters::new(TokenKind::RsaKey, TokenInclusion::Never).without_derived_keys();
        Cow::Owned(self.binding.clone().with_supporting(key, TokenRole::Endorsing))
    }

    /// Takes in the answer.
    ///
    /// The assertion itself is not judged: whom its issuer says the client is, is the service's concern.
    ///
    /// # Errors
    /// [`Error::Fault`] when the token service refuses; [`Error::Security`] for an answer that is not protected as it must be;
    /// [`Error::Trust`] when it is not what was asked for.
    pub fn receive(
        &self,
        exchange: &TokenExchange,
        answer: impl Into<Vec<u8>>,
        now: Timestamp,
    ) -> Result<ObtainedToken, Error> {
        let answer = answer.into();
        if answer.len() > MAX_ANSWER {
            return Err(Error::TooLarge { bytes: answer.len(), limit: MAX_ANSWER });
        }
        let mut limits = Limits::default();
        // What is decrypted in place counts once more.
        limits.size = 3 * MAX_ANSWER;
        let document = Document::parse(answer, &ParseOptions::default().with_limits(limits))?;
        let receiver = self.credentials.receiver(&self.binding, self.protected_channel);
        let opened = receiver
            .with_replay_cache(&self.replays)
            .open(document, &Expectation::reply(&exchange.context), now)
            .map_err(|error| match error {
                handstamp_ws_security::Error::UnsecuredFault(fault) => Error::Fault { fault, is_authenticated: false },
                error => error.into(),
            })?;
        if let Some(fault) = fault_in(&opened)? {
            return Err(Error::Fault { fault, is_authenticated: true });
        }
        self.obtained(exchange, &opened)
    }

    fn obtained(&self, exchange: &TokenExchange, opened: &Unprotected) -> Result<ObtainedToken, Error> {
        let request = &exchange.request;
        let refused = |problem| Error::trust("WS-Trust 1.3 §4.4", "RequestSecurityTokenResponse", problem);
        if opened.action().as_deref() != Some(TokenRequest::response_action(request.generation)) {
            return Err(refused("the action is not that of the answer"));
        }
        let body = opened.body().ok_or_else(|| refused("its body was not verified"))?;
        let content = body.children().next().ok_or_else(|| refused("its body is empty"))?;
        let response = TokenResponse::parse(content.element(), request.generation)?;
        let proof = response.issued_proof(request, exchange.own_key.as_ref(), &self.binding.suite)?;
        let assertion = Document::parse(response.assertion, &ParseOptions::default())?;
        Ok(ObtainedToken { token: IssuedToken::new(assertion.root(), proof)?, lifetime: response.lifetime })
    }

    /// Where the token service is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// SOAP 1.1 or 1.2: what media type requests have.
    pub fn soap_version(&self) -> SoapVersion {
        self.soap
    }
}

impl TokenClientBuilder {
    /// The versions of SOAP and WS-Addressing. Default: SOAP 1.2 and WS-Addressing 1.0.
    pub fn message_version(mut self, soap: SoapVersion, addressing: AddressingVersion) -> Self {
        (self.soap, self.addressing) = (soap, addressing);
        self
    }

    /// The token service's certificate.
    pub fn service_certificate(mut self, certificate: Certificate) -> Self {
        self.credentials.service_certificate = Some(certificate);
        self
    }

    /// Which other certificates of token services are trusted, when they come with a reply.
    pub fn trust(mut self, trust: CertificateTrust) -> Self {
        self.credentials.trust = Some(trust);
        self
    }

    /// Which keys of certificates are strong enough. Default: RSA from 2048 bits.
    pub fn key_policy(mut self, policy: KeyPolicy) -> Self {
        self.credentials.key_policy = policy;
        self
    }

    /// The client's own certificate and private key: to sign with, and to ask tokens for.
    pub fn identity(mut self, identity: SigningIdentity) -> Self {
        self.credentials.identity = Some(identity);
        self
    }

    /// How long tokens should be good; the token service may give less. Default: as long as it likes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// A name and a password.
    pub fn user_name(mut self, user_name: UserNameCredential) -> Self {
        self.credentials.user_name = Some(user_name);
        self
    }

    /// Builds the client.
    ///
    /// # Errors
    /// [`Error::Configuration`], which says what is missing or does not go together.
    pub fn build(self) -> Result<TokenClient, Error> {
        if self.binding.session().is_some() {
            let problem = "the binding of a token service has a session, and tokens are obtained without: choose a mode other than \
                           SecureConversation";
            return Err(Error::Configuration(problem.to_owned()));
        }
        self.credentials.check(Requirements::of(&self.binding))?;
        Ok(TokenClient {
            replays: MemoryReplayCache::new(self.binding.local_client.replay_cache_size),
            protected_channel: self.address.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")),
            binding: self.binding,
            address: self.address,
            soap: self.soap,
            addressing: self.addressing,
            credentials: self.credentials,
            lifetime: self.lifetime,
        })
    }
}

impl TokenExchange {
    /// The action: for the `SOAPAction` header, or the `action` parameter of the media type.
    pub fn action(&self) -> &str {
        self.action
    }

    /// The message to send.
    pub fn envelope(&self) -> &str {
        &self.envelope
    }
}

/// The address; nothing that is a secret.
impl fmt::Debug for TokenClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClient").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The address; nothing that is a secret.
impl fmt::Debug for TokenClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenClientBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}

/// The action; nothing of the content.
impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange").field("action", &self.action).finish_non_exhaustive()
    }
}
