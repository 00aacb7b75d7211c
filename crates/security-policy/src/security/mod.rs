//! `<security>` and `<secureConversationBootstrap>` (SC 14.2): what is written, apart from the binding that it stands for.

mod build;
mod issued;
mod read;
mod words;
mod write;

use crate::error::Error;
use build::has_issued_token;
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, HeaderLayout, IssuedKeyType, IssuedTokenParameters, KeyEntropyMode,
    LocalClientSettings, LocalServiceSettings, MessageSecurityVersion, ProtectionOrder,
};

pub(crate) use issued::{claim_types, issuer, key_type, standalone};

/// A `<security>` or `<secureConversationBootstrap>`, in code: each attribute and child has a method of its name.
///
/// What is not said keeps the value of the mode, as with an attribute that is not written. [`CustomBinding::builder`] makes a
/// binding of it.
///
/// ```
/// use handstamp_security_policy::{CustomBinding, SecurityElement};
/// use handstamp_ws_security::AuthenticationMode::{MutualCertificate, SecureConversation};
///
/// let security = SecurityElement::new(SecureConversation)
///     .require_security_context_cancellation(false)
///     .secure_conversation_bootstrap(SecurityElement::new(MutualCertificate));
/// let binding = CustomBinding::builder(security).build()?;
/// assert!(!binding.security().session().expect("a session").require_cancellation);
/// # Ok::<(), handstamp_security_policy::Error>(())
/// ```
///
/// [`CustomBinding::builder`]: crate::CustomBinding::builder
#[derive(Debug, Clone, Default)]
pub struct SecurityElement {
    mode: Option<AuthenticationMode>,
    default_algorithm_suite: Option<AlgorithmSuite>,
    allow_serialized_signing_token_on_reply: Option<bool>,
    enable_unsecured_response: Option<bool>,
    require_derived_keys: Option<bool>,
    security_header_layout: Option<HeaderLayout>,
    include_timestamp: Option<bool>,
    allow_insecure_transport: Option<bool>,
    key_entropy_mode: Option<KeyEntropyMode>,
    message_protection_order: Option<ProtectionOrder>,
    protect_tokens: Option<bool>,
    message_security_version: Option<MessageSecurityVersion>,
    require_security_context_cancellation: Option<bool>,
    require_signature_confirmation: Option<bool>,
    can_renew_security_context_token: Option<bool>,
    issued_token_parameters: Option<IssuedTokenParameters>,
    local_service_settings: Option<LocalServiceSettings>,
    local_client_settings: Option<LocalClientSettings>,
    bootstrap: Option<Box<SecurityElement>>,
    place: Place,
}

/// Where an element stands.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// None in code.
    line: Option<usize>,
    is_bootstrap: bool,
}

macro_rules! attribute_methods {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)+) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, value: $type) -> Self {
                self.$name = Some(value);
                self
            }
        )+
    };
}

impl SecurityElement {
    /// An element with this `authenticationMode` and nothing else.
    pub fn new(mode: AuthenticationMode) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }

    attribute_methods! {
        /// `defaultAlgorithmSuite`. Default `Basic256`, whatever the bootstrap of a session has.
        default_algorithm_suite: AlgorithmSuite;
        /// `allowSerializedSigningTokenOnReply`. Default false.
        allow_serialized_signing_token_on_reply: bool;
        /// `enableUnsecuredResponse`. Default false.
        enable_unsecured_response: bool;
        /// `requireDerivedKeys`. Default true.
        require_derived_keys: bool;
        /// `securityHeaderLayout`. Default `Strict`.
        security_header_layout: HeaderLayout;
        /// `includeTimestamp`. Default true.
        include_timestamp: bool;
        /// `allowInsecureTransport`. Default false.
        allow_insecure_transport: bool;
        /// `keyEntropyMode`. Default `CombinedEntropy`.
        key_entropy_mode: KeyEntropyMode;
        /// `messageProtectionOrder`. Default `SignBeforeEncryptAndEncryptSignature`.
        message_protection_order: ProtectionOrder;
        /// `protectTokens`. Default false.
        protect_tokens: bool;
        /// `messageSecurityVersion`. Default set 1, for bearer tokens set 5 (SC 2.1, 14.8).
        message_security_version: MessageSecurityVersion;
        /// `requireSecurityContextCancellation`. Default true; with false sessions travel as cookies.
        require_security_context_cancellation: bool;
        /// `requireSignatureConfirmation`. Default that of the mode.
        require_signature_confirmation: bool;
        /// `canRenewSecurityContextToken`. Default true.
        can_renew_security_context_token: bool;
        /// `issuedTokenParameters`, which modes with issued tokens have.
        issued_token_parameters: IssuedTokenParameters;
        /// `localServiceSettings`.
        local_service_settings: LocalServiceSettings;
        /// `localClientSettings`.
        local_client_settings: LocalClientSettings;
    }

    /// `secureConversationBootstrap`, which `SecureConversation` has.
    #[must_use]
    pub fn secure_conversation_bootstrap(mut self, mut bootstrap: Self) -> Self {
        bootstrap.place.is_bootstrap = true;
        self.bootstrap = Some(Box::new(bootstrap));
        self
    }

    /// `messageSecurityVersion`, or its default: tokens that are only borne came with the standards of 2007 (SC 14.8).
    fn version(&self) -> MessageSecurityVersion {
        let bears =
            self.issued_token_parameters.as_ref().is_some_and(|issued| issued.key_type == IssuedKeyType::Bearer);
        let default = match self.mode {
            Some(mode) if bears && has_issued_token(mode) => MessageSecurityVersion::WSS11_13,
            _ => MessageSecurityVersion::default(),
        };
        self.message_security_version.unwrap_or(default)
    }

    fn name(&self) -> &'static str {
        if self.place.is_bootstrap { BOOTSTRAP } else { SECURITY }
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        let problem = problem.into();
        match self.place.line {
            Some(line) => Error::Configuration { line, problem },
            None => Error::Binding { problem },
        }
    }
}

const SECURITY: &str = "security";
const BOOTSTRAP: &str = "secureConversationBootstrap";
