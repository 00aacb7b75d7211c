//! The bindings of the recorded services and clients, from the settings that stand with each conversation.

use crate::recorded::{Conversation, text};
use handstamp_ws_security::{
    AlgorithmSuite, Freshness, HeaderLayout, IssuedTokenParameters, MessageSecurityVersion, Protection,
    ProtectionOrder, SecurityBinding, SupportingToken, TokenKind,
};
use serde_json::Value;
use std::time::Duration;

/// The binding that opens one message.
pub(crate) struct Configured {
    pub(crate) binding: SecurityBinding,
    pub(crate) is_bootstrap: bool,
}

impl Configured {
    pub(crate) fn of(conversation: &Conversation, action: &str, is_service: bool) -> Self {
        let case = &conversation.case;
        let bootstrap = bootstrap(conversation, is_service);
        let issues = action.ends_with("/RST/SCT") || action.ends_with("/RSTR/SCT");
        // A fault that answers a request for a token is secured as the answer would be.
        let outer = outer(conversation, bootstrap.clone(), is_service);
        if case["secureConversation"].as_bool() != Some(true) || issues {
            return Self { binding: bootstrap, is_bootstrap: true };
        }
        if action.ends_with("/RST/SCT/Renew") {
            return Self { binding: outer.renewal().unwrap(), is_bootstrap: true };
        }
        if action.ends_with("/RSTR/SCT/Renew") {
            return Self { binding: bootstrap, is_bootstrap: true };
        }
        Self { binding: outer, is_bootstrap: false }
    }
}

fn bootstrap(conversation: &Conversation, is_service: bool) -> SecurityBinding {
    let case = &conversation.case;
    let name = conversation.name.as_str();
    let version = match name {
        "version-outer-10-bootstrap-11" => MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
        "version-outer-13-bootstrap-feb2005" => MessageSecurityVersion::default(),
        _ => version(case),
    };
    let issued = IssuedTokenParameters::default();
    let mut binding = match (name, text(case, "bootstrap")) {
        (name, _) if name.starts_with("issued-token-") => SecurityBinding::issued_token(version, issued).unwrap(),
        (name, _) if name.starts_with("issued-for-certificate") => {
            SecurityBinding::issued_token_for_certificate(version, issued).unwrap()
        }
        (name, _) if name.starts_with("issued-over-transport") => {
            SecurityBinding::issued_token_over_transport(version, issued)
        }
        (_, "anon") => SecurityBinding::anonymous_for_certificate(version).unwrap(),
        (_, "user") => SecurityBinding::user_name_for_certificate(version).unwrap(),
        (_, "mutual") => SecurityBinding::mutual_certificate(version),
        (_, "duplex") => SecurityBinding::mutual_certificate_duplex(version),
        (_, "user-transport") => SecurityBinding::user_name_over_transport(version),
        (_, "cert-transport") => SecurityBinding::certificate_over_transport(version),
        (_, other) => panic!("bootstrap {other:?} of {name}"),
    };
    binding.suite = AlgorithmSuite::from_name(text(case, "algorithmSuite")).unwrap();
    binding.allow_insecure_transport = true;
    binding.protection_order = order(text(case, "protectionOrder"));
    let settings = &case["settings"];
    if let Some(name) = settings["securityHeaderLayout"].as_str() {
        binding.layout = layout(name);
    }
    binding.require_signature_confirmation |= text(settings, "requireSignatureConfirmation").contains("bootstrap");
    binding.protect_tokens = text(settings, "protectTokens").contains("bootstrap");
    binding.allow_serialized_signing_token_on_reply =
        settings["allowSerializedSigningTokenOnReply"].as_bool() == Some(true);
    match &settings["requireDerivedKeys"] {
        Value::Bool(false) => set_derived_keys(&mut binding, false),
        Value::String(said) if said.contains("bootstrap") => set_derived_keys(&mut binding, true),
        _ => {}
    }
    set_times(&mut binding, settings, is_service);
    binding
}

fn outer(conversation: &Conversation, bootstrap: SecurityBinding, is_service: bool) -> SecurityBinding {
    let case = &conversation.case;
    let settings = &case["settings"];
    let side = if is_service { "service" } else { "client" };
    let own = |name: &str| settings[format!("{side}{name}")].as_str();
    let layout_of_all = bootstrap.layout;
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version_of_outer(conversation));
    binding.allow_insecure_transport = true;
    binding.layout = own("Layout").map_or(layout_of_all, layout);
    if let Some(name) = own("Order") {
        binding.protection_order = order(name);
    }
    if let Some(name) = own("Suite") {
        binding.suite = AlgorithmSuite::from_name(name).unwrap();
    }
    if conversation.name.starts_with("reordered-") {
        binding.layout = layout(text(settings, "serviceLayout"));
    }
    binding.require_signature_confirmation = text(settings, "requireSignatureConfirmation").contains("outer");
    let protect_tokens = text(settings, "protectTokens");
    binding.protect_tokens = ["both", "outer", side].contains(&protect_tokens);
    match &settings["requireDerivedKeys"] {
        Value::Bool(false) => set_derived_keys(&mut binding, false),
        Value::String(said) if said.contains("outer") && said.contains(side) => set_derived_keys(&mut binding, false),
        _ => {}
    }
    if conversation.name.starts_with("mixed-derived-keys") {
        set_derived_keys(&mut binding, true);
    }
    if let (Some(session), Some(cancels)) = (binding.session_mut(), case["requireCancellation"].as_bool()) {
        session.require_cancellation = cancels;
    }
    if text(settings, "includeTimestamp").ends_with(side) {
        binding.include_timestamp = false;
    }
    binding.local_service.detect_replays = !text(settings, "detectReplays").contains("false on the service");
    set_times(&mut binding, settings, is_service);
    binding
}

fn set_derived_keys(binding: &mut SecurityBinding, require: bool) {
    match &mut binding.protection {
        Protection::Symmetric { token } => token.require_derived_keys = require,
        Protection::Asymmetric { initiator, recipient } => {
            initiator.require_derived_keys = require;
            recipient.require_derived_keys = require;
        }
        Protection::Transport => {}
    }
    for SupportingToken { parameters, .. } in &mut binding.supporting_tokens {
        if matches!(parameters.kind, TokenKind::SecureConversation(_) | TokenKind::Issued(_)) {
            parameters.require_derived_keys = require;
        }
    }
}

fn set_times(binding: &mut SecurityBinding, settings: &Value, is_service: bool) {
    if is_service {
        let freshness = Freshness::default();
        let span = |name: &str| settings[name].as_str().map(seconds);
        binding.local_service.freshness = Freshness {
            max_clock_skew: span("serviceMaxClockSkew").unwrap_or(freshness.max_clock_skew),
            replay_window: span("serviceReplayWindow").unwrap_or(freshness.replay_window),
        };
    }
}

fn seconds(span: &str) -> Duration {
    let seconds = span.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap());
    Duration::from_secs(seconds)
}

fn version_of_outer(conversation: &Conversation) -> MessageSecurityVersion {
    match conversation.name.as_str() {
        "version-outer-10-bootstrap-11" => MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        _ => version(&conversation.case),
    }
}

fn version(case: &Value) -> MessageSecurityVersion {
    let said = text(case, "versions");
    let thirteen =
        said.contains("WS-SecureConversation 1.3") || said.contains("WS-Trust and WS-SecureConversation 1.3");
    let profile = said.contains("Basic Security Profile");
    match (said.contains("WS-Security 1.0"), thirteen, profile) {
        (true, false, _) => MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
        (true, true, _) => MessageSecurityVersion::WSS10_13_BSP,
        (false, false, false) => MessageSecurityVersion::WSS11_FEBRUARY2005,
        (false, false, true) => MessageSecurityVersion::WSS11_FEBRUARY2005_BSP,
        (false, true, false) => MessageSecurityVersion::WSS11_13,
        (false, true, true) => MessageSecurityVersion::WSS11_13_BSP,
    }
}

fn layout(name: &str) -> HeaderLayout {
    match name {
        "Strict" => HeaderLayout::Strict,
        "Lax" => HeaderLayout::Lax,
        "LaxTimestampFirst" => HeaderLayout::LaxTimestampFirst,
        "LaxTimestampLast" => HeaderLayout::LaxTimestampLast,
        other => panic!("layout {other}"),
    }
}

fn order(name: &str) -> ProtectionOrder {
    match name {
        "SignBeforeEncryptAndEncryptSignature" => ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
        "SignBeforeEncrypt" => ProtectionOrder::SignBeforeEncrypt,
        "EncryptBeforeSign" => ProtectionOrder::EncryptBeforeSign,
        other => panic!("protection order {other}"),
    }
}
