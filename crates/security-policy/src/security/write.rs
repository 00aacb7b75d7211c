//! Writes `<security>`, and finds the element that stands for a binding.

use super::words::{ENTROPIES, LAYOUTS, ORDERS, Words, word_of};
use super::{SecurityElement, issued};
use crate::error::Error;
use crate::local_settings;
use crate::markup::Markup;
use handstamp_ws_security::{AuthenticationMode, IssuedTokenParameters, Protection, SecurityBinding, TokenKind};

impl SecurityElement {
    /// The element that stands for a binding, with no attribute that says what the mode says anyway.
    ///
    /// # Errors
    /// [`Error::Binding`] when the element has no words for it: such as tokens together that no `authenticationMode` has, or
    /// references to certificates by other means than the mode's.
    pub fn of(binding: &SecurityBinding) -> Result<Self, Error> {
        let found = AuthenticationMode::ALL.iter().find_map(|mode| Self::with_mode(*mode, binding));
        found.ok_or_else(|| Error::Binding {
            problem: "a <security> element has no words for this binding: its tokens, and the references to them, have to be \
                      those of an authenticationMode"
                .to_owned(),
        })
    }

    /// The element with this mode, if it stands for the binding.
    fn with_mode(mode: AuthenticationMode, binding: &SecurityBinding) -> Option<Self> {
        let mut element = Self { mode: Some(mode), ..Self::default() };
        element.issued_token_parameters = issued_token_of(binding).and_then(|own| differing(&Default::default(), own));
        element.message_security_version = differing(&element.version(), &binding.version);
        if let Some(session) = binding.session().filter(|_| mode == AuthenticationMode::SecureConversation) {
            element = element.secure_conversation_bootstrap(Self::of(&session.bootstrap).ok()?);
            element.can_renew_security_context_token = differing(&true, &session.can_renew);
        }
        let plain = element.unchecked().ok()?;
        element.default_algorithm_suite = differing(&plain.suite, &binding.suite);
        element.allow_serialized_signing_token_on_reply =
            differing(&plain.allow_serialized_signing_token_on_reply, &binding.allow_serialized_signing_token_on_reply);
        element.enable_unsecured_response =
            differing(&plain.enable_unsecured_response, &binding.enable_unsecured_response);
        element.security_header_layout = differing(&plain.layout, &binding.layout);
        element.include_timestamp = differing(&plain.include_timestamp, &binding.include_timestamp);
        element.allow_insecure_transport =
            differing(&plain.allow_insecure_transport, &binding.allow_insecure_transport);
        element.key_entropy_mode = differing(&plain.key_entropy, &binding.key_entropy);
        element.message_protection_order = differing(&plain.protection_order, &binding.protection_order);
        element.protect_tokens = differing(&plain.protect_tokens, &binding.protect_tokens);
        element.require_security_context_cancellation = differing(&cancels(&plain), &cancels(binding));
        element.require_signature_confirmation =
            differing(&plain.require_signature_confirmation, &binding.require_signature_confirmation);
        element.local_service_settings = differing(&plain.local_service, &binding.local_service);
        element.local_client_settings = differing(&plain.local_client, &binding.local_client);
        [None, Some(false), Some(true)].into_iter().find_map(|require_derived_keys| {
            let element = Self { require_derived_keys, ..element.clone() };
            element.unchecked().is_ok_and(|stands_for| stands_for == *binding).then_some(element)
        })
    }

    pub(crate) fn write(&self, out: &mut Markup) {
        out.start(self.name());
        out.attribute("authenticationMode", &self.mode.map(|mode| mode.name().to_owned()));
        let suite = self.default_algorithm_suite.map(|suite| suite.name().to_owned());
        out.attribute("defaultAlgorithmSuite", &suite);
        write_bool(out, "allowSerializedSigningTokenOnReply", self.allow_serialized_signing_token_on_reply);
        write_bool(out, "enableUnsecuredResponse", self.enable_unsecured_response);
        write_bool(out, "requireDerivedKeys", self.require_derived_keys);
        write_word(out, "securityHeaderLayout", LAYOUTS, self.security_header_layout);
        write_bool(out, "includeTimestamp", self.include_timestamp);
        write_bool(out, "allowInsecureTransport", self.allow_insecure_transport);
        write_word(out, "keyEntropyMode", ENTROPIES, self.key_entropy_mode);
        write_word(out, "messageProtectionOrder", ORDERS, self.message_protection_order);
        write_bool(out, "protectTokens", self.protect_tokens);
        let version = self.message_security_version.map(|version| version.name().to_owned());
        out.attribute("messageSecurityVersion", &version);
        write_bool(out, "requireSecurityContextCancellation", self.require_security_context_cancellation);
        write_bool(out, "requireSignatureConfirmation", self.require_signature_confirmation);
        write_bool(out, "canRenewSecurityContextToken", self.can_renew_security_context_token);
        if let Some(bootstrap) = &self.bootstrap {
            bootstrap.write(out);
        }
        if let Some(parameters) = &self.issued_token_parameters {
            issued::write(parameters, out);
        }
        if let Some(settings) = &self.local_client_settings {
            local_settings::write_client(settings, out);
        }
        if let Some(settings) = &self.local_service_settings {
            local_settings::write_service(settings, out);
        }
        out.end();
    }
}

fn write_bool(out: &mut Markup, name: &str, value: Option<bool>) {
    out.attribute(name, &value.map(|value| value.to_string()));
}

fn write_word<T: PartialEq>(out: &mut Markup, name: &str, words: &Words<T>, value: Option<T>) {
    let word = value.and_then(|value| word_of(words, &value));
    out.attribute(name, &word.map(str::to_owned));
}

/// The value, if it has to be written.
fn differing<T: PartialEq + Clone>(default: &T, value: &T) -> Option<T> {
    (value != default).then(|| value.clone())
}

/// Whether the context that the binding itself has is cancelled.
fn cancels(binding: &SecurityBinding) -> bool {
    let negotiated = match &binding.protection {
        Protection::Symmetric { token } => match token.kind {
            TokenKind::SslNegotiated { require_cancellation, .. } => Some(require_cancellation),
            _ => None,
        },
        _ => None,
    };
    negotiated.or(binding.session().map(|session| session.require_cancellation)).unwrap_or(true)
}

/// The issued token of the binding itself, not of its bootstrap.
fn issued_token_of(binding: &SecurityBinding) -> Option<&IssuedTokenParameters> {
    let protecting = match &binding.protection {
        Protection::Symmetric { token } => Some(token),
        _ => None,
    };
    let supporting = binding.supporting_tokens.iter().map(|supporting| &supporting.parameters);
    protecting.into_iter().chain(supporting).find_map(|token| match &token.kind {
        TokenKind::Issued(issued) => Some(issued),
        _ => None,
    })
}
