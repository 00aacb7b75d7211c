//! `<security>` and `<secureConversationBootstrap>` (SC 14.2), as read and as the binding that they stand for.

use crate::error::Error;
use crate::local_settings;
use crate::reader::{Reader, error_at};
use handstamp_ws_security::{
    AlgorithmSuite, AuthenticationMode, ClaimTypeRequirement, HeaderLayout, IssuedKeyType, IssuedTokenParameters,
    KeyEntropyMode, LocalClientSettings, LocalServiceSettings, MessageSecurityVersion, Protection, ProtectionOrder,
    SecurityBinding, TokenKind, TokenParameters, WssVersion,
};
use handstamp_xml::{Element, c14n};

/// What is written. Only what is written acts; otherwise the mode's own value stays.
pub(crate) struct SecurityElement<'d> {
    element: Element<'d>,
    mode: Option<AuthenticationMode>,
    suite: Option<AlgorithmSuite>,
    allow_serialized_signing_token_on_reply: Option<bool>,
    enable_unsecured_response: Option<bool>,
    require_derived_keys: Option<bool>,
    layout: Option<HeaderLayout>,
    include_timestamp: Option<bool>,
    allow_insecure_transport: Option<bool>,
    key_entropy: Option<KeyEntropyMode>,
    protection_order: Option<ProtectionOrder>,
    protect_tokens: Option<bool>,
    version: MessageSecurityVersion,
    require_cancellation: Option<bool>,
    require_signature_confirmation: Option<bool>,
    can_renew: bool,
    issued: IssuedTokenParameters,
    local_service: Option<LocalServiceSettings>,
    local_client: Option<LocalClientSettings>,
    bootstrap: Option<Box<SecurityElement<'d>>>,
}

impl<'d> SecurityElement<'d> {
    pub(crate) fn read(element: Element<'d>) -> Result<Self, Error> {
        let mut reader = Reader::new(element);
        let mut read = Self {
            element,
            mode: reader.word("authenticationMode", AuthenticationMode::from_name, "an authentication mode of WCF")?,
            suite: reader.word("defaultAlgorithmSuite", AlgorithmSuite::from_name, "an algorithm suite")?,
            allow_serialized_signing_token_on_reply: reader.bool("allowSerializedSigningTokenOnReply")?,
            enable_unsecured_response: reader.bool("enableUnsecuredResponse")?,
            require_derived_keys: reader.bool("requireDerivedKeys")?,
            layout: reader.word(
                "securityHeaderLayout",
                layout,
                "Strict, Lax, LaxTimestampFirst or LaxTimestampLast",
            )?,
            include_timestamp: reader.bool("includeTimestamp")?,
            allow_insecure_transport: reader.bool("allowInsecureTransport")?,
            key_entropy: reader.word("keyEntropyMode", entropy, "CombinedEntropy, ClientEntropy or ServerEntropy")?,
            protection_order: reader.word("messageProtectionOrder", order, ORDERS)?,
            protect_tokens: reader.bool("protectTokens")?,
            version: reader
                .word(
                    "messageSecurityVersion",
                    MessageSecurityVersion::from_name,
                    "a message security version, or Default",
                )?
                .unwrap_or_default(),
            require_cancellation: reader.bool("requireSecurityContextCancellation")?,
            require_signature_confirmation: reader.bool("requireSignatureConfirmation")?,
            can_renew: reader.bool("canRenewSecurityContextToken")?.unwrap_or(true),
            issued: IssuedTokenParameters::default(),
            local_service: None,
            local_client: None,
            bootstrap: None,
        };
        let mut names = vec!["issuedTokenParameters", "localClientSettings", "localServiceSettings"];
        if element.local_name() == "security" {
            names.push(BOOTSTRAP);
        }
        for child in reader.children(&names)? {
            match child.local_name() {
                "issuedTokenParameters" => read.issued = issued(child)?,
                "localClientSettings" => read.local_client = Some(local_settings::client(child)?),
                "localServiceSettings" => read.local_service = Some(local_settings::service(child)?),
                _ => read.bootstrap = Some(Box::new(Self::read(child)?)),
            }
        }
        reader.finish()?;
        Ok(read)
    }

    /// The binding that the element stands for, after the rules of SC 14.9 that concern it alone.
    pub(crate) fn build(&self) -> Result<SecurityBinding, Error> {
        let mut binding = self.of_mode()?;
        self.apply(&mut binding);
        self.check(&binding)?;
        Ok(binding)
    }

    fn of_mode(&self) -> Result<SecurityBinding, Error> {
        let Some(mode) = self.mode else {
            return Err(self.error(format!(
                "<{}> has no authenticationMode, which means SspiNegotiated, and that needs the Windows security provider: \
                 write authenticationMode",
                self.element.local_name()
            )));
        };
        let (version, issued) = (self.version, || self.issued.clone());
        let built = match mode {
            AuthenticationMode::SecureConversation => return self.secure_conversation(),
            AuthenticationMode::IssuedToken => SecurityBinding::issued_token(version, issued()),
            AuthenticationMode::IssuedTokenForCertificate => {
                SecurityBinding::issued_token_for_certificate(version, issued())
            }
            AuthenticationMode::IssuedTokenForSslNegotiated => {
                Ok(SecurityBinding::issued_token_for_ssl_negotiated(version, issued()))
            }
            AuthenticationMode::IssuedTokenOverTransport => {
                Ok(SecurityBinding::issued_token_over_transport(version, issued()))
            }
            mode => SecurityBinding::for_mode(mode, version),
        };
        built.map_err(|error| self.error(error.to_string()))
    }

    fn secure_conversation(&self) -> Result<SecurityBinding, Error> {
        if self.element.local_name() == BOOTSTRAP {
            return Err(self.error(
                "authenticationMode=\"SecureConversation\" of <secureConversationBootstrap> would need another bootstrap: \
                 choose a mode that authenticates",
            ));
        }
        let Some(bootstrap) = &self.bootstrap else {
            return Err(self.error(
                "authenticationMode=\"SecureConversation\" without <secureConversationBootstrap> means a bootstrap with \
                 authenticationMode=\"SspiNegotiated\", which needs the Windows security provider: write a bootstrap",
            ));
        };
        Ok(SecurityBinding::secure_conversation(bootstrap.build()?, self.version))
    }

    fn apply(&self, binding: &mut SecurityBinding) {
        fn set<T: Copy>(field: &mut T, written: Option<T>) {
            *field = written.unwrap_or(*field);
        }
        set(&mut binding.suite, self.suite);
        set(&mut binding.layout, self.layout);
        set(&mut binding.protection_order, self.protection_order);
        set(&mut binding.include_timestamp, self.include_timestamp);
        set(&mut binding.require_signature_confirmation, self.require_signature_confirmation);
        set(&mut binding.protect_tokens, self.protect_tokens);
        set(&mut binding.key_entropy, self.key_entropy);
        set(&mut binding.allow_insecure_transport, self.allow_insecure_transport);
        set(&mut binding.enable_unsecured_response, self.enable_unsecured_response);
        set(&mut binding.allow_serialized_signing_token_on_reply, self.allow_serialized_signing_token_on_reply);
        if let Some(settings) = &self.local_service {
            binding.local_service = settings.clone();
        }
        if let Some(settings) = &self.local_client {
            binding.local_client = settings.clone();
        }
        if let Some(require) = self.require_derived_keys {
            require_derived_keys(binding, require);
        }
        if let Some(session) = binding.session_mut() {
            session.can_renew = self.can_renew;
            set(&mut session.require_cancellation, self.require_cancellation);
        }
        if let Protection::Symmetric { token } = &mut binding.protection
            && let TokenKind::SslNegotiated { require_cancellation, .. } = &mut token.kind
        {
            set(require_cancellation, self.require_cancellation);
        }
    }

    /// The combinations of SC 14.9 within one element.
    fn check(&self, binding: &SecurityBinding) -> Result<(), Error> {
        if self.require_signature_confirmation == Some(true) && self.version.wss == WssVersion::V10 {
            return Err(self.error(
                "requireSignatureConfirmation=\"true\" needs WS-Security 1.1, and messageSecurityVersion is a WSSecurity10 set: \
                 change one of them",
            ));
        }
        let detects = binding.local_service.detect_replays || binding.local_client.detect_replays;
        if !binding.include_timestamp && detects && !binding.is_transport() {
            return Err(self.error(
                "includeTimestamp=\"false\" leaves detectReplays=\"true\" of localServiceSettings or localClientSettings without \
                 a timestamp, and every message would be refused: change one of them",
            ));
        }
        if let Some(size) = self.issued.key_size
            && self.issued.key_type == IssuedKeyType::Symmetric
            && !binding.suite.key_lengths().contains(&(size as usize / 8))
        {
            return Err(self.error(format!(
                "keySize=\"{size}\" of <issuedTokenParameters> is not possible with defaultAlgorithmSuite=\"{}\"",
                binding.suite.name()
            )));
        }
        let Some(session) = binding.session() else { return Ok(()) };
        let (service, client) = (&binding.local_service, &binding.local_client);
        let rollovers = [
            ("localServiceSettings", service.session_key_rollover_interval, service.session_key_renewal_interval),
            ("localClientSettings", client.session_key_rollover_interval, client.session_key_renewal_interval),
        ];
        for (element, rollover, renewal) in rollovers {
            if renewal.is_some_and(|renewal| rollover > renewal) {
                return Err(self.error(format!(
                    "sessionKeyRolloverInterval of <{element}> is longer than its sessionKeyRenewalInterval"
                )));
            }
        }
        if service.max_cached_cookies == 0 && !session.require_cancellation {
            return Err(self.error(
                "maxCachedCookies=\"0\" is not possible with requireSecurityContextCancellation=\"false\": write 1 or more",
            ));
        }
        Ok(())
    }

    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        error_at(self.element, problem)
    }
}

const BOOTSTRAP: &str = "secureConversationBootstrap";
const ORDERS: &str = "SignBeforeEncrypt, SignBeforeEncryptAndEncryptSignature or EncryptBeforeSign";

/// `issuedTokenParameters` (SC 14.8).
fn issued(element: Element<'_>) -> Result<IssuedTokenParameters, Error> {
    let mut reader = Reader::new(element);
    reader.word("defaultMessageSecurityVersion", MessageSecurityVersion::from_name, "a message security version")?;
    let key_size = reader.number("keySize", 0..=i32::MAX as u64)?.filter(|size| *size != 0);
    let read = |value: &str| match value {
        "SymmetricKey" => Some(IssuedKeyType::Symmetric),
        "AsymmetricKey" => Some(IssuedKeyType::Asymmetric),
        "BearerKey" => Some(IssuedKeyType::Bearer),
        _ => None,
    };
    let key_type = reader.word("keyType", read, "SymmetricKey, AsymmetricKey or BearerKey")?.unwrap_or_default();
    let token_type = reader.text("tokenType").filter(|uri| !uri.is_empty()).map(str::to_owned);
    let use_str_transform = reader.bool("useStrTransform")?.unwrap_or_default();
    let key_size = key_size.and_then(|size| u32::try_from(size).ok());
    let mut parameters =
        IssuedTokenParameters { key_type, token_type, key_size, use_str_transform, ..Default::default() };
    // How the client talks to the token service, `binding` and `issuerMetadata`, is its own business.
    for child in
        reader.children(&["additionalRequestParameters", "claimTypeRequirements", "issuer", "issuerMetadata"])?
    {
        match child.local_name() {
            "additionalRequestParameters" => parameters.additional = child.children().map(standalone).collect(),
            "claimTypeRequirements" => parameters.claim_types = claim_types(child)?,
            "issuer" => parameters.issuer = child.attribute("address").filter(|uri| !uri.is_empty()).map(str::to_owned),
            _ => {}
        }
    }
    reader.finish()?;
    Ok(parameters)
}

fn claim_types(element: Element<'_>) -> Result<Vec<ClaimTypeRequirement>, Error> {
    let requirement = |child: Element<'_>| {
        if child.local_name() != "add" {
            return Err(error_at(child, "<claimTypeRequirements> holds <add claimType=\"…\"/> and nothing else"));
        }
        let mut reader = Reader::new(child);
        let claim_type = reader.text("claimType").filter(|uri| !uri.is_empty()).map(str::to_owned);
        let claim_type =
            claim_type.ok_or_else(|| reader.error("<add> of <claimTypeRequirements> needs a claimType"))?;
        let is_optional = reader.bool("isOptional")?.unwrap_or_default();
        reader.finish()?;
        Ok(ClaimTypeRequirement { claim_type, is_optional })
    };
    element.children().map(requirement).collect()
}

/// An element as canonical XML that stands on its own.
fn standalone(element: Element<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    // The source is text, and canonicalization cuts no characters.
    String::from_utf8(out).unwrap_or_default()
}

/// As WCF does: tokens with private keys never have derived keys, and those that only are signed do not matter.
fn require_derived_keys(binding: &mut SecurityBinding, require: bool) {
    match &mut binding.protection {
        Protection::Symmetric { token } => token.require_derived_keys = require,
        Protection::Asymmetric { initiator, recipient } => {
            initiator.require_derived_keys = require;
            recipient.require_derived_keys = require;
        }
        Protection::Transport => {}
    }
    let endorsing = binding.supporting_tokens.iter_mut().filter(|supporting| supporting.role.endorses());
    for supporting in endorsing {
        let TokenParameters { kind, require_derived_keys, .. } = &mut supporting.parameters;
        *require_derived_keys = require && has_shared_key(kind);
    }
}

fn has_shared_key(kind: &TokenKind) -> bool {
    match kind {
        TokenKind::Issued(issued) => issued.key_type == IssuedKeyType::Symmetric,
        TokenKind::SecureConversation(_) | TokenKind::SslNegotiated { .. } => true,
        TokenKind::X509 | TokenKind::UserName => false,
    }
}

fn layout(name: &str) -> Option<HeaderLayout> {
    Some(match name {
        "Strict" => HeaderLayout::Strict,
        "Lax" => HeaderLayout::Lax,
        "LaxTimestampFirst" => HeaderLayout::LaxTimestampFirst,
        "LaxTimestampLast" => HeaderLayout::LaxTimestampLast,
        _ => return None,
    })
}

fn entropy(name: &str) -> Option<KeyEntropyMode> {
    Some(match name {
        "CombinedEntropy" => KeyEntropyMode::Combined,
        "ClientEntropy" => KeyEntropyMode::Client,
        "ServerEntropy" => KeyEntropyMode::Server,
        _ => return None,
    })
}

fn order(name: &str) -> Option<ProtectionOrder> {
    Some(match name {
        "SignBeforeEncryptAndEncryptSignature" => ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
        "SignBeforeEncrypt" => ProtectionOrder::SignBeforeEncrypt,
        "EncryptBeforeSign" => ProtectionOrder::EncryptBeforeSign,
        _ => return None,
    })
}
