//! What opening a recorded message has to give.

use crate::recorded::{Answer, Conversation, is_request, wire};
use crate::text;
use handstamp_xml::{Document, ParseOptions};
use serde_json::{Value as Json, json};

pub(crate) enum Expected {
    Opened {
        action: Json,
        plaintexts: Vec<String>,
        verified: Vec<String>,
        caller: Json,
        issued: Json,
    },
    /// With this exit code, and this in the error.
    Refused {
        code: i32,
        says: &'static str,
    },
}

impl Expected {
    pub(crate) fn of(conversation: &Conversation, index: usize) -> Self {
        let message = &conversation.messages()[index];
        if let Some((code, says)) = refusal(conversation, index) {
            return Self::Refused { code, says };
        }
        let strings = |list: &Json| -> Vec<String> {
            list.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()
        };
        let references = message["signatures"].as_array().unwrap().iter();
        let references = references.flat_map(|signature| signature["references"].as_array().unwrap());
        Self::Opened {
            action: message["action"].clone(),
            plaintexts: strings(&message["decrypted"]),
            verified: references.map(|reference| text(reference, "id").to_owned()).collect(),
            caller: caller(conversation, message),
            issued: message["issued"].clone(),
        }
    }

    pub(crate) fn check(&self, answer: &Answer) -> Result<(), String> {
        match self {
            Self::Refused { code, says } => {
                let one_line = answer.err.lines().count() == 1;
                let complete = *code != 1 || (answer.err.contains("(SC ") && answer.err.contains("; clock 2026-"));
                let as_expected = answer.code == *code && answer.out.is_empty() && answer.err.contains(says);
                if one_line && complete && as_expected { Ok(()) } else { Err(format!("not refused with {says:?}")) }
            }
            Self::Opened { action, plaintexts, verified, caller, issued } => {
                if answer.code != 0 {
                    return Err("refused".to_owned());
                }
                let json: Json = serde_json::from_str(&answer.out).unwrap();
                let envelope = text(&json, "envelope");
                Document::parse(envelope, &ParseOptions::default()).map_err(|error| error.to_string())?;
                if let Some(missing) = plaintexts.iter().find(|plaintext| !envelope.contains(plaintext.as_str())) {
                    return Err(format!("{missing:.100} is missing"));
                }
                let issued = match issued {
                    Json::Object(issued) => json!({"identifier": issued["identifier"], "key": issued["key"]}),
                    _ => Json::Null,
                };
                for (name, expected) in
                    [("action", action), ("verified", &json!(verified)), ("caller", caller), ("issued", &issued)]
                {
                    if json[name] != *expected {
                        return Err(format!("{name} is {}, not {expected}", json[name]));
                    }
                }
                Ok(())
            }
        }
    }
}

/// Whom a message names that a user, a certificate or an assertion signs or stands in.
fn caller(conversation: &Conversation, message: &Json) -> Json {
    let header = message["securityHeader"].as_array().unwrap();
    let holds = |name: &str| header.iter().any(|child| child == name);
    let subject = |name: &str, thumbprint: &str| json!(format!("CN={name}.example, O=Vector Test, C=XX; {thumbprint}"));
    let asymmetric = text(&conversation.case, "versions").contains("WS-Security 1.0")
        && text(&conversation.case, "bootstrap") == "mutual"
        || text(&conversation.case, "bootstrap") == "duplex";
    let by_context = holds("SecurityContextToken") || wire(message).contains("/sct\"");
    if holds("UsernameToken") {
        json!("alice")
    } else if holds("BinarySecurityToken") && is_request(message) {
        subject("client", "F36A503D7B4A12B1C4A3258D777D22B60D95D171")
    } else if asymmetric && !is_request(message) && !by_context {
        subject("server", "EA476067D9430D1625A453C869ADC3AF17C4FC1A")
    } else if holds("Assertion") {
        json!("carol")
    } else {
        Json::Null
    }
}

/// The messages that do not open: all that WCF refused, except what it refused for what a captured message does not tell.
fn refusal(conversation: &Conversation, index: usize) -> Option<(i32, &'static str)> {
    let (name, message) = (conversation.name.as_str(), &conversation.messages()[index]);
    if conversation.case["bootstrap"].is_null() {
        return Some((3, "<binding> has no <security>"));
    }
    let side = if is_request(message) { "service" } else { "client" };
    if text(&conversation.case["settings"], "includeTimestamp").ends_with(side) {
        return Some((3, "includeTimestamp"));
    }
    if name == "surgery-duplicate-id" && index == 3 {
        return Some((1, "the request is refused"));
    }
    if message["securityHeader"].as_array().is_none_or(Vec::is_empty) {
        return Some((1, if is_request(message) { "" } else { "unsecured fault" }));
    }
    // Finding 52: the client refused it, which the recording does not mark.
    let unmarked = name == "bootstrap-duplex-reply-token-not-allowed" && index == 1;
    let refused = message["mustFail"] == true || unmarked;
    (refused
        && !name.contains("wrong-password")
        && !is_of_the_session(name, message)
        && !is_a_copy(conversation, index))
    .then_some((1, ""))
}

/// The receiver refused an authentic message: for a context that had ended, a cookie that another key sealed, or an action
/// that its contract does not have.
fn is_of_the_session(name: &str, message: &Json) -> bool {
    const ENDED: [&str; 8] = [
        "restart-",
        "cookie-removed-",
        "rollover-old-key-too-late",
        "message-after-cancel",
        "inactivity-pending",
        "receive-timeout-active",
        "cookie-same-channel-after-fault",
        "key-expired-",
    ];
    let unknown_action = name.starts_with("session-actions-") && !text(message, "action").contains("trust/");
    unknown_action || ENDED.iter().any(|prefix| name.starts_with(prefix))
}

/// Replays are seen by who remembers.
fn is_a_copy(conversation: &Conversation, index: usize) -> bool {
    conversation.name.starts_with("replay-")
        && conversation.messages()[..index].iter().any(|earlier| wire(earlier) == wire(&conversation.messages()[index]))
}
