//! The configuration of each recorded service and client, from the settings that stand with the conversation.

use crate::text;
use serde_json::Value as Json;

/// The binding of one side.
pub(crate) fn binding(case: &Json, side: &str) -> String {
    let security = match (bootstrap_mode(case), case["secureConversation"].as_bool()) {
        (None, _) => String::new(),
        (Some(mode), Some(true)) => {
            let bootstrap = element("secureConversationBootstrap", &mode, &bootstrap_attributes(case), case, side);
            let settings = local_service(case, side);
            format!(
                r#"<security authenticationMode="SecureConversation"{}>{bootstrap}{settings}</security>"#,
                outer_attributes(case, side)
            )
        }
        (Some(mode), _) => element("security", &mode, &bootstrap_attributes(case), case, side),
    };
    let soap = text(case, "soap").replace('.', "");
    let addressing = match text(&case["settings"], "addressing") {
        "August 2004" => "August2004",
        _ => "10",
    };
    let encoding = match text(case, "encoding") {
        "binary" => "<binaryMessageEncoding/>".to_owned(),
        "mtom" => format!(r#"<mtomMessageEncoding messageVersion="Soap{soap}WSAddressing{addressing}"/>"#),
        _ => format!(r#"<textMessageEncoding messageVersion="Soap{soap}WSAddressing{addressing}"/>"#),
    };
    format!(r#"<customBinding><binding name="recorded">{security}{encoding}<httpTransport/></binding></customBinding>"#)
}

fn bootstrap_mode(case: &Json) -> Option<String> {
    let mode = match (text(case, "name"), text(case, "bootstrap")) {
        (name, _) if name.starts_with("issued-token-") => "IssuedToken",
        (name, _) if name.starts_with("issued-for-certificate") => "IssuedTokenForCertificate",
        (name, _) if name.starts_with("issued-over-transport") => "IssuedTokenOverTransport",
        (_, "anon") => "AnonymousForCertificate",
        (_, "user") => "UserNameForCertificate",
        (_, "mutual") => "MutualCertificate",
        (_, "duplex") => "MutualCertificateDuplex",
        (_, "user-transport") => "UserNameOverTransport",
        (_, "cert-transport") => "CertificateOverTransport",
        _ => return None,
    };
    Some(mode.to_owned())
}

fn element(name: &str, mode: &str, attributes: &str, case: &Json, side: &str) -> String {
    let issued = if mode.starts_with("Issued") { "<issuedTokenParameters/>" } else { "" };
    format!(r#"<{name} authenticationMode="{mode}"{attributes}>{issued}{}</{name}>"#, local_service(case, side))
}

fn bootstrap_attributes(case: &Json) -> String {
    let (name, settings) = (text(case, "name"), &case["settings"]);
    let version = match name {
        "version-outer-10-bootstrap-11" | "version-outer-13-bootstrap-feb2005" => "Default",
        _ => version(case),
    };
    let mut attributes = common(case, version, text(case, "algorithmSuite"), text(case, "protectionOrder"));
    if let Some(layout) = settings["securityHeaderLayout"].as_str() {
        attributes += &format!(r#" securityHeaderLayout="{layout}""#);
    }
    for (setting, attribute) in
        [("requireSignatureConfirmation", "requireSignatureConfirmation"), ("protectTokens", "protectTokens")]
    {
        if text(settings, setting).contains("bootstrap") {
            attributes += &format!(r#" {attribute}="true""#);
        }
    }
    if let Some(allow) = settings["allowSerializedSigningTokenOnReply"].as_bool() {
        attributes += &format!(r#" allowSerializedSigningTokenOnReply="{allow}""#);
    }
    attributes + &derived_keys(&settings["requireDerivedKeys"], "bootstrap", true)
}

fn outer_attributes(case: &Json, side: &str) -> String {
    let (name, settings) = (text(case, "name"), &case["settings"]);
    let own = |name: &str| settings[format!("{side}{name}")].as_str();
    let version = match name {
        "version-outer-10-bootstrap-11" => {
            "WSSecurity10WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11BasicSecurityProfile10"
        }
        _ => version(case),
    };
    let suite = own("Suite").unwrap_or(text(case, "algorithmSuite"));
    let order = own("Order").unwrap_or(text(case, "protectionOrder"));
    let mut attributes = common(case, version, suite, order);
    let layout = if name.starts_with("reordered-") { settings["serviceLayout"].as_str() } else { own("Layout") };
    if let Some(layout) = layout.or(settings["securityHeaderLayout"].as_str()) {
        attributes += &format!(r#" securityHeaderLayout="{layout}""#);
    }
    if text(settings, "requireSignatureConfirmation").contains("outer") {
        attributes += r#" requireSignatureConfirmation="true""#;
    }
    if ["both", "outer", side].contains(&text(settings, "protectTokens")) {
        attributes += r#" protectTokens="true""#;
    }
    if text(settings, "includeTimestamp").ends_with(side) {
        attributes += r#" includeTimestamp="false""#;
    }
    if let Some(mode) = settings["keyEntropyMode"].as_str() {
        attributes += &format!(r#" keyEntropyMode="{mode}""#);
    }
    if let Some(can_renew) = settings["canRenewSecurityContextToken"].as_bool() {
        attributes += &format!(r#" canRenewSecurityContextToken="{can_renew}""#);
    }
    if let Some(cancellation) = case["requireCancellation"].as_bool() {
        attributes += &format!(r#" requireSecurityContextCancellation="{cancellation}""#);
    }
    attributes + &derived_keys(&settings["requireDerivedKeys"], side, false)
}

fn common(case: &Json, version: &str, suite: &str, order: &str) -> String {
    let transport = text(case, "bootstrap").ends_with("transport") || text(case, "name").contains("over-transport");
    let insecure = if transport { r#" allowInsecureTransport="true""# } else { "" };
    format!(
        r#" messageSecurityVersion="{version}" defaultAlgorithmSuite="{suite}" messageProtectionOrder="{order}"{insecure}"#
    )
}

fn derived_keys(setting: &Json, whom: &str, value: bool) -> String {
    match setting {
        Json::Bool(all) => format!(r#" requireDerivedKeys="{all}""#),
        Json::String(said) if said.contains(whom) => format!(r#" requireDerivedKeys="{value}""#),
        _ => String::new(),
    }
}

fn local_service(case: &Json, side: &str) -> String {
    let settings = &case["settings"];
    let mut attributes = String::new();
    for (setting, attribute) in [("serviceMaxClockSkew", "maxClockSkew"), ("serviceReplayWindow", "replayWindow")] {
        if let Some(value) = settings[setting].as_str() {
            attributes += &format!(r#" {attribute}="{value}""#);
        }
    }
    if text(settings, "detectReplays").contains("false on the service") {
        attributes += r#" detectReplays="false""#;
    }
    if attributes.is_empty() || side == "client" {
        return String::new();
    }
    format!("<localServiceSettings{attributes}/>")
}

fn version(case: &Json) -> &'static str {
    let said = text(case, "versions");
    let thirteen = said.contains("SecureConversation 1.3");
    let profile = said.contains("Basic Security Profile");
    match (said.contains("WS-Security 1.0"), thirteen, profile) {
        (true, false, _) => {
            "WSSecurity10WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11BasicSecurityProfile10"
        }
        (true, true, _) => "WSSecurity10WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10",
        (false, false, false) => "Default",
        (false, false, true) => {
            "WSSecurity11WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11BasicSecurityProfile10"
        }
        (false, true, false) => "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12",
        (false, true, true) => "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12BasicSecurityProfile10",
    }
}
