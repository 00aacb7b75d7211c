//! The model of a security binding: what both ends agreed on, as a value.
//!
//! Every `authenticationMode` of WCF (SC §6) is such a value, made by a constructor in [`modes`](SecurityBinding::for_mode);
//! the code that receives and sends knows protections, tokens and roles, and no modes.

mod modes;
mod settings;

pub use modes::AuthenticationMode;
pub use settings::{
    HeaderLayout, KeyEntropyMode, LocalClientSettings, LocalServiceSettings, ProtectionLevel, ProtectionOrder,
};

use crate::algorithm_suite::AlgorithmSuite;
use crate::version::MessageSecurityVersion;

/// What protects messages between a client and a service, in both directions.
///
/// ```
/// use handstamp_ws_security::{AuthenticationMode, MessageSecurityVersion, SecurityBinding};
///
/// let version = MessageSecurityVersion::WSS11_13_BSP;
/// let bootstrap = SecurityBinding::for_mode(AuthenticationMode::UserNameForCertificate, version)?;
/// let binding = SecurityBinding::secure_conversation(bootstrap, version);
/// assert!(binding.session().is_some_and(|session| session.require_cancellation));
/// # Ok::<(), handstamp_ws_security::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct SecurityBinding {
    /// Who signs and encrypts with what.
    pub protection: Protection,
    /// Further tokens of requests.
    pub supporting_tokens: Vec<SupportingToken>,
    /// The algorithms.
    pub suite: AlgorithmSuite,
    /// The specifications.
    pub version: MessageSecurityVersion,
    /// The order of the header's children.
    pub layout: HeaderLayout,
    /// Whether to sign or to encrypt first.
    pub protection_order: ProtectionOrder,
    /// Whether messages carry a timestamp. Replay detection needs one in any case.
    pub include_timestamp: bool,
    /// Whether replies confirm the signatures of their request (WSS 1.1).
    pub require_signature_confirmation: bool,
    /// Whether the primary token has to be signed too (SC 8.9).
    pub protect_tokens: bool,
    /// Who contributes to keys that are issued.
    pub key_entropy: KeyEntropyMode,
    /// Whether a transport binding works without TLS: for tests, or behind a proxy that ends TLS.
    pub allow_insecure_transport: bool,
    /// Whether a client accepts replies without protection. A fault among them is an [`UnsecuredFault`](crate::Error::UnsecuredFault)
    /// all the same, so that nobody takes it for an authenticated one.
    pub enable_unsecured_response: bool,
    /// Whether a client accepts a reply that brings its signing certificate along (asymmetric bindings).
    pub allow_serialized_signing_token_on_reply: bool,
    /// Times and limits of the service.
    pub local_service: LocalServiceSettings,
    /// Times and limits of the client.
    pub local_client: LocalClientSettings,
}

/// Who signs and encrypts with what.
#[derive(Debug, Clone, PartialEq)]
pub enum Protection {
    /// One token signs and encrypts in both directions.
    Symmetric {
        /// Its key protects everything.
        token: TokenParameters,
    },
    /// Each end has a certificate.
    Asymmetric {
        /// The client's.
        initiator: TokenParameters,
        /// The service's.
        recipient: TokenParameters,
    },
    /// TLS protects; the header carries a timestamp and supporting tokens.
    Transport,
}

/// A token and how it is used.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenParameters {
    /// What kind of token.
    pub kind: TokenKind,
    /// In which messages it stands.
    pub inclusion: TokenInclusion,
    /// Whether keys derived from it protect messages, and not its own key. Of no effect for private keys.
    pub require_derived_keys: bool,
    /// How it is referred to where it does not stand.
    pub reference: ReferenceStyle,
}

/// How a certificate is referred to in messages in which it does not stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ReferenceStyle {
    /// As WCF does: by thumbprint under WSS 1.1, by subject key identifier or issuer and serial number under 1.0 (SC 6.3).
    #[default]
    Any,
    /// By the SHA-1 digest of the certificate. WSS 1.1.
    Thumbprint,
    /// By issuer and serial number.
    IssuerSerial,
    /// By subject key identifier.
    KeyIdentifier,
}

/// Kinds of tokens.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenKind {
    /// A certificate. As token of a symmetric protection: the service's, with a fresh key encrypted for it.
    X509,
    /// A name and a password.
    UserName,
    /// A security context that was established under another binding.
    SecureConversation(Box<SecureConversation>),
    /// A token of a token service (SAML).
    Issued(IssuedTokenParameters),
    /// A security context negotiated through TLS in SOAP messages (SC §7).
    SslNegotiated {
        /// Whether the client shows a certificate.
        client_certificate: bool,
        /// As in [`SecureConversation::require_cancellation`].
        require_cancellation: bool,
    },
    /// A bare RSA key, which says nothing about its holder: a client proves with it that it has the key that a token is to be issued
    /// for (`mssp:RsaToken`). It stands in no message but for the key itself, in the `KeyInfo` of its signature.
    RsaKey,
}

/// How security contexts are established and kept.
#[derive(Debug, Clone, PartialEq)]
pub struct SecureConversation {
    /// What protects the messages that issue and renew contexts.
    pub bootstrap: SecurityBinding,
    /// `requireSecurityContextCancellation`: the service remembers contexts and they are cancelled. Otherwise ("stateful")
    /// they travel as cookies. Default true.
    pub require_cancellation: bool,
    /// Whether the client may renew the key. Default true.
    pub can_renew: bool,
}

/// What a token of a token service has to be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IssuedTokenParameters {
    /// What proves possession. Default a symmetric key.
    pub key_type: IssuedKeyType,
    /// The token type, as a URI; any when there is none.
    pub token_type: Option<String>,
    /// The length of the key in bits; the suite's default when there is none.
    pub key_size: Option<u32>,
    /// Whether signatures cover the token through a reference to it (STR-Transform). Default false.
    pub use_str_transform: bool,
    /// The address of the token service, when the service says where its tokens come from.
    pub issuer: Option<String>,
    /// What the token has to say of its subject.
    pub claim_types: Vec<ClaimTypeRequirement>,
    /// `additionalRequestParameters`: what a client adds to its request for the token; elements as canonical XML.
    pub additional: Vec<String>,
}

/// A claim that an issued token has to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimTypeRequirement {
    /// The type of the claim, a URI.
    pub claim_type: String,
    /// Whether the token may lack it.
    pub is_optional: bool,
}

/// What proves possession of an issued token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssuedKeyType {
    /// A key that the token service encrypted for the service.
    #[default]
    Symmetric,
    /// The client's private key.
    Asymmetric,
    /// Nothing: whoever shows the token is its bearer.
    Bearer,
}

/// In which messages a token stands; elsewhere it is referred to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenInclusion {
    /// In those of the client.
    #[default]
    AlwaysToRecipient,
    /// In those of the service.
    AlwaysToInitiator,
    /// In none.
    Never,
}

/// A token of requests besides the protecting ones.
#[derive(Debug, Clone, PartialEq)]
pub struct SupportingToken {
    /// The token.
    pub parameters: TokenParameters,
    /// What it is for.
    pub role: TokenRole,
    /// Whether a service takes requests without it. A client sends every token of its binding.
    pub is_optional: bool,
    /// What its signature covers besides the primary signature or the timestamp. Certificates sign `To` in any case under a
    /// transport binding; for security contexts only some policies ask for that (SC 8.11).
    pub signed_parts: MessageParts,
}

/// Parts of a message, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MessageParts {
    /// The body.
    pub body: bool,
    /// Headers.
    pub headers: Vec<HeaderName>,
}

impl MessageParts {
    /// Whether a header is among them.
    pub fn has_header(&self, namespace: &str, local_name: &str) -> bool {
        self.headers.iter().any(|header| {
            header.namespace == namespace && header.local_name.as_deref().is_none_or(|name| name == local_name)
        })
    }
}

/// Which headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HeaderName {
    /// Their namespace.
    pub namespace: String,
    /// Their local name; every header of the namespace when there is none.
    pub local_name: Option<String>,
}

/// What a supporting token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRole {
    /// It is covered by the primary signature.
    Signed,
    /// It is covered by the primary signature, and encrypted. Under a transport binding TLS does both.
    SignedEncrypted,
    /// Its key signs the primary signature; under a transport binding the timestamp.
    Endorsing,
    /// Both.
    SignedEndorsing,
    /// It endorses, and is encrypted.
    EndorsingEncrypted,
    /// All three.
    SignedEndorsingEncrypted,
}

impl TokenParameters {
    /// Parameters with derived keys.
    pub fn new(kind: TokenKind, inclusion: TokenInclusion) -> Self {
        Self { kind, inclusion, require_derived_keys: true, reference: ReferenceStyle::Any }
    }

    /// Sets how it is referred to.
    #[must_use]
    pub fn with_reference(mut self, reference: ReferenceStyle) -> Self {
        self.reference = reference;
        self
    }

    /// Uses the token's own key.
    #[must_use]
    pub fn without_derived_keys(mut self) -> Self {
        self.require_derived_keys = false;
        self
    }
}

impl TokenRole {
    /// Whether it signs.
    pub const fn endorses(self) -> bool {
        !matches!(self, Self::Signed | Self::SignedEncrypted)
    }

    /// Whether the primary signature covers it.
    pub const fn is_signed(self) -> bool {
        !matches!(self, Self::Endorsing | Self::EndorsingEncrypted)
    }

    /// Whether the token is encrypted. Under a transport binding TLS does that.
    pub const fn is_encrypted(self) -> bool {
        matches!(self, Self::SignedEncrypted | Self::EndorsingEncrypted | Self::SignedEndorsingEncrypted)
    }
}

impl SecurityBinding {
    /// A binding with WCF's defaults.
    pub fn new(protection: Protection, version: MessageSecurityVersion) -> Self {
        Self {
            protection,
            supporting_tokens: Vec::new(),
            suite: AlgorithmSuite::default(),
            version,
            layout: HeaderLayout::default(),
            protection_order: ProtectionOrder::default(),
            include_timestamp: true,
            require_signature_confirmation: false,
            protect_tokens: false,
            key_entropy: KeyEntropyMode::default(),
            allow_insecure_transport: false,
            enable_unsecured_response: false,
            allow_serialized_signing_token_on_reply: false,
            local_service: LocalServiceSettings::default(),
            local_client: LocalClientSettings::default(),
        }
    }

    /// The binding of messages in a session that `bootstrap` establishes: symmetric with the context as protection token, or,
    /// when the bootstrap is a transport binding, a transport binding with the context as endorsing token (SC §6).
    /// `version` decides the namespaces of the exchange.
    ///
    /// The algorithm suite and the order of protection are those of the bootstrap, until they are set: they are settings of their
    /// own (SC 5.4), and a `<security>` element of WCF that does not name them has the defaults.
    pub fn secure_conversation(bootstrap: Self, version: MessageSecurityVersion) -> Self {
        let transport = bootstrap.protection == Protection::Transport;
        let (suite, order) = (bootstrap.suite, bootstrap.protection_order);
        let conversation = SecureConversation { bootstrap, require_cancellation: true, can_renew: true };
        let kind = TokenKind::SecureConversation(Box::new(conversation));
        let token = TokenParameters::new(kind, TokenInclusion::AlwaysToRecipient);
        let binding = if transport {
            Self::new(Protection::Transport, version)
                .with_supporting(token.without_derived_keys(), TokenRole::Endorsing)
        } else {
            Self::new(Protection::Symmetric { token }, version)
        };
        Self { suite, protection_order: order, ..binding }
    }

    /// Adds a supporting token.
    #[must_use]
    pub fn with_supporting(mut self, parameters: TokenParameters, role: TokenRole) -> Self {
        let signed_parts = MessageParts::default();
        self.supporting_tokens.push(SupportingToken { parameters, role, is_optional: false, signed_parts });
        self
    }

    /// Adds a supporting token that requests may lack.
    #[must_use]
    pub fn with_optional(self, parameters: TokenParameters, role: TokenRole) -> Self {
        let mut binding = self.with_supporting(parameters, role);
        if let Some(token) = binding.supporting_tokens.last_mut() {
            token.is_optional = true;
        }
        binding
    }

    /// How sessions under this binding are established; none when there are no sessions.
    pub fn session(&self) -> Option<&SecureConversation> {
        self.tokens().find_map(|token| match &token.kind {
            TokenKind::SecureConversation(conversation) => Some(conversation.as_ref()),
            _ => None,
        })
    }

    /// What this binding, or the bootstrap of its session, asks of tokens of a token service; none when it asks for none.
    pub fn issued_token_parameters(&self) -> Option<&IssuedTokenParameters> {
        let binding = self.session().map_or(self, |session| &session.bootstrap);
        binding.tokens().find_map(|token| match &token.kind {
            TokenKind::Issued(parameters) => Some(parameters),
            _ => None,
        })
    }

    /// The same, to change it.
    pub fn session_mut(&mut self) -> Option<&mut SecureConversation> {
        let protecting = match &mut self.protection {
            Protection::Symmetric { token } => Some(token),
            _ => None,
        };
        let supporting = self.supporting_tokens.iter_mut().map(|supporting| &mut supporting.parameters);
        protecting.into_iter().chain(supporting).find_map(|token| match &mut token.kind {
            TokenKind::SecureConversation(conversation) => Some(conversation.as_mut()),
            _ => None,
        })
    }

    /// The binding of a request that renews the key of a session: the bootstrap with the current context as endorsing
    /// token (SC 4.3). None when there are no sessions.
    pub fn renewal(&self) -> Option<Self> {
        let mut context = self.tokens().find(|token| matches!(token.kind, TokenKind::SecureConversation(_)))?.clone();
        let bootstrap = self.session()?.bootstrap.clone();
        context.require_derived_keys &= bootstrap.protection != Protection::Transport;
        Some(bootstrap.with_supporting(context, TokenRole::Endorsing))
    }

    /// Whether TLS protects the messages.
    pub fn is_transport(&self) -> bool {
        self.protection == Protection::Transport
    }

    fn tokens(&self) -> impl Iterator<Item = &TokenParameters> {
        let protecting = match &self.protection {
            Protection::Symmetric { token } => Some(token),
            _ => None,
        };
        protecting.into_iter().chain(self.supporting_tokens.iter().map(|supporting| &supporting.parameters))
    }
}
