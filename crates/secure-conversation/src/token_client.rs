//! The requestor of WS-Trust: obtains tokens of a token service.

use crate::client::{Credentials, fault_in};
use crate::error::Error;
use crate::requirements::Requirements;
use crate::trust::{Entropy, Lifetime, TokenRequest, TokenResponse};
use handstamp_keys::{Certificate, CertificateTrust, KeyPolicy, SecureRandom, SigningIdentity};
use handstamp_session_token::UniqueId;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, Body, Expectation, IssuedKeyType, IssuedToken, IssuedTokenParameters, KeyEntropyMode,
    MemoryReplayCache, Message, RequestContext, SecurityBinding, Unprotected, UserNameCredential,
};
use handstamp_xml::{Document, Limits, ParseOptions};
use std::fmt;

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
}

/// Builds a [`TokenClient`]. What the binding needs has to be given; [`build`](Self::build) says what is missing.
#[must_use]
pub struct TokenClientBuilder {
    binding: SecurityBinding,
    address: String,
    soap: SoapVersion,
    addressing: AddressingVersion,
    credentials: Credentials,
}

/// A request for a token that was made and waits for its answer.
pub struct TokenExchange {
    action: &'static str,
    envelope: String,
    context: RequestContext,
    request: TokenRequest,
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
        }
    }

    /// Asks for a token that the service at `applies_to` accepts: one as its binding wants it.
    ///
    /// # Errors
    /// [`Error::Configuration`] for an asymmetric key; [`Error::Security`] when the binding lacks something.
    pub fn request(
        &self,
        wanted: &IssuedTokenParameters,
        applies_to: &str,
        now: Timestamp,
        random: &dyn SecureRandom,
    ) -> Result<TokenExchange, Error> {
        let generation = self.binding.version.generation;
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
                let problem = "tokens for the holder of a private key are not asked for here: set keyType to SymmetricKey or \
                               BearerKey, or give the client such a token yourself";
                return Err(Error::Configuration(problem.to_owned()));
            }
        };
        let request = TokenRequest {
            generation,
            context: None,
            token_type: wanted.token_type.clone(),
            applies_to: Some(applies_to.to_owned()),
            addressing: self.addressing,
            entropy,
            key_type: wanted.key_type,
            key_size,
            claim_types: wanted.claim_types.clone(),
            additional: wanted.additional.clone(),
        };
        let (action, id) = (TokenRequest::action(generation), UniqueId::generate(random)?.to_string());
        let message = Message::request(self.soap, self.addressing, action, &*self.address, id);
        let message = message.with_body(Body::canonical(request.to_xml()?));
        let sender = self.credentials.sender(&self.binding, self.protected_channel);
        let protected = sender.protect(&message, random, now)?;
        Ok(TokenExchange { action, envelope: protected.envelope, context: protected.request, request })
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
        self.obtained(&exchange.request, &opened)
    }

    fn obtained(&self, request: &TokenRequest, opened: &Unprotected) -> Result<ObtainedToken, Error> {
        let refused = |problem| Error::trust("WS-Trust 1.3 §4.4", "RequestSecurityTokenResponse", problem);
        if opened.action().as_deref() != Some(TokenRequest::response_action(request.generation)) {
            return Err(refused("the action is not that of the answer"));
        }
        let body = opened.body().ok_or_else(|| refused("its body was not verified"))?;
        let content = body.children().next().ok_or_else(|| refused("its body is empty"))?;
        let response = TokenResponse::parse(content.element(), request.generation)?;
        let proof = response.issued_proof(request, &self.binding.suite)?;
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

    /// The client's own certificate and private key.
    pub fn identity(mut self, identity: SigningIdentity) -> Self {
        self.credentials.identity = Some(identity);
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
