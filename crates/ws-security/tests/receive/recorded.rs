//! Reads recorded conversations and opens their messages as the side that received them.

use crate::settings::Configured;
use crate::trusted::{Alice, RecordedAssertions, RecordedKeys};
use handstamp_keys::{Certificate, KeyPolicy, PrivateKey, SigningIdentity};
use handstamp_time::Timestamp;
use handstamp_ws_security::{
    Error, Expectation, MemoryReplayCache, ProtectionLevel, Receiver, RequestContext, SecurityBinding, Unprotected,
};
use handstamp_xml::{Document, Element, ParseOptions, c14n};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

pub(crate) struct Conversation {
    pub(crate) name: String,
    pub(crate) case: Value,
    pub(crate) parties: Parties,
}

#[derive(Clone)]
pub(crate) struct Parties {
    pub(crate) service: SigningIdentity,
    pub(crate) client: SigningIdentity,
}

pub(crate) enum Verdict {
    AsRecorded,
    /// WCF's verdict is not about protection but about the session or the action: the message is checked to be authentic.
    AuthenticOnly,
    /// Neither protected nor expected to be.
    NotProtected,
    Differs(String),
}

/// Both ends of a conversation, which remember what they received.
pub(crate) struct Ends {
    pub(crate) sessions: RecordedKeys,
    replays: [MemoryReplayCache; 4],
    pub(crate) requests: HashMap<String, RequestContext>,
}

impl Ends {
    pub(crate) fn of(conversation: &Conversation) -> Self {
        Self {
            sessions: RecordedKeys::of(&conversation.case),
            replays: std::array::from_fn(|_| MemoryReplayCache::new(1000)),
            requests: HashMap::new(),
        }
    }

    /// The request that this reply answers.
    pub(crate) fn request_of(&self, reply: &Document) -> Option<&RequestContext> {
        let related = reply.root().descendants().find(|element| element.local_name() == "RelatesTo")?;
        self.requests.get(related.text().trim())
    }
}

impl Conversation {
    pub(crate) fn load(file: &str) -> Vec<Self> {
        let vectors = handstamp_testkit::vectors::load(file);
        let identity = |who: &str| {
            let keys = &vectors["keys"][who];
            let der = base64(text(keys, "certificateDer"));
            let key = PrivateKey::from_pem(text(keys, "pkcs8Pem").as_bytes(), &KeyPolicy::default()).unwrap();
            SigningIdentity::new(key, Certificate::from_der(&der).unwrap(), Vec::new()).unwrap()
        };
        let parties = Parties { service: identity("server"), client: identity("client") };
        let cases = vectors["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|case| Self { name: text(case, "name").to_owned(), case: case.clone(), parties: parties.clone() })
            .collect()
    }

    pub(crate) fn messages(&self) -> &[Value] {
        self.case["messages"].as_array().unwrap()
    }

    /// Opens every message in the order of arrival.
    pub(crate) fn judge(&self) -> Vec<Verdict> {
        let mut ends = Ends::of(self);
        (0..self.messages().len()).map(|index| self.judge_message(index, &mut ends)).collect()
    }

    fn judge_message(&self, index: usize, ends: &mut Ends) -> Verdict {
        let message = &self.messages()[index];
        let is_request = text(message, "direction") == "request";
        let fails = self.must_fail(index);
        let bootstrap_is_none = self.case["bootstrap"].is_null();
        if message["securityHeader"].is_null() && (bootstrap_is_none || !is_request) && !fails {
            return match parse_message(message) {
                Ok(document) if !is_request && !bootstrap_is_none => self.judge_unsecured(document, index, ends),
                _ => Verdict::NotProtected,
            };
        }
        let opened = parse_message(message).and_then(|document| self.open(document, index, ends));
        let above = fails && self.is_decided_above(message);
        let authentic_only = above && opened.is_ok();
        let verdict = match (&opened, fails) {
            (Ok(unprotected), fails) if !fails || above => compare(unprotected, message),
            (Err(_), true) => Ok(()),
            (Ok(_), _) => Err("accepted, but WCF refused it".to_owned()),
            (Err(error), false) => Err(format!("refused: {error}")),
        };
        if let (Ok(unprotected), true) = (opened, is_request) {
            let id = unprotected.message_id().unwrap_or_default().into_owned();
            ends.requests.insert(id, unprotected.into_request_context());
        }
        match verdict {
            Ok(()) if authentic_only => Verdict::AuthenticOnly,
            Ok(()) => Verdict::AsRecorded,
            Err(problem) => Verdict::Differs(format!("{} message {index}: {problem}", self.name)),
        }
    }

    /// A client recognizes the unsecured fault, and reads nothing else from it.
    fn judge_unsecured(&self, document: Document, index: usize, ends: &Ends) -> Verdict {
        match self.open(document, index, ends) {
            Err(Error::UnsecuredFault(fault)) if fault.is_of_security_layer() => Verdict::AsRecorded,
            other => Verdict::Differs(format!("{} message {index}: unsecured, but {:?}", self.name, other.err())),
        }
    }

    pub(crate) fn open(&self, document: Document, index: usize, ends: &Ends) -> Result<Unprotected, Error> {
        let message = &self.messages()[index];
        let action = text(message, "action");
        let is_request = text(message, "direction") == "request";
        let asked = if is_request { action } else { self.action_of_request(&document).unwrap_or(action) };
        let Configured { binding, is_bootstrap } = Configured::of(self, asked, is_request);
        let none = RequestContext::default();
        let request = ends.request_of(&document).unwrap_or(&none);
        let expected = if is_request { Expectation::request() } else { Expectation::reply(request) };
        let expected = if action.ends_with("/Cancel") { expected.cancel() } else { expected.with_body(level(message)) };
        let now = self.arrival(index);
        let receiver = if is_request {
            Receiver::service(&binding)
                .with_identity(&self.parties.service)
                .with_peer_certificate(self.parties.client.certificate())
        } else {
            Receiver::client(&binding)
                .with_identity(&self.parties.client)
                .with_peer_certificate(self.parties.service.certificate())
        };
        let assertions = RecordedAssertions { parties: &self.parties };
        let replays = &ends.replays[usize::from(is_request) * 2 + usize::from(is_bootstrap)];
        receiver
            .with_user_names(&Alice)
            .with_sessions(&ends.sessions)
            .with_issued_tokens(&assertions)
            .with_replay_cache(replays)
            .open(document, &expected, now)
    }

    /// A fault is secured as the answer to its request would be.
    pub(crate) fn action_of_request(&self, reply: &Document) -> Option<&str> {
        let related = reply.root().descendants().find(|element| element.local_name() == "RelatesTo")?;
        let id = format!("MessageID>{}<", related.text());
        let id_with_id = format!("\">{}</a:MessageID>", related.text());
        let request = self.messages().iter().find(|message| {
            text(message, "direction") == "request"
                && (wire(message).contains(&id) || wire(message).contains(&id_with_id))
        });
        request.map(|request| text(request, "action")).filter(|action| !action.is_empty())
    }

    /// The binding that receives messages of this action.
    pub(crate) fn binding(&self, action: &str) -> SecurityBinding {
        Configured::of(self, action, true).binding
    }

    /// When a message arrived: as it was made, or for those that were held back or changed, as their answer was made.
    pub(crate) fn arrival(&self, index: usize) -> Timestamp {
        let own = created(&self.messages()[index]);
        if let Some(offset) = self.name.strip_prefix("mixed-timestamp-created-") {
            let offset: i64 = offset.trim_start_matches('+').parse::<i64>().or_else(|_| offset[1..].parse()).unwrap();
            let span = Duration::from_secs(offset.unsigned_abs());
            return own.map_or(Timestamp::MIN, |own| {
                if offset < 0 { own.saturating_add(span) } else { own.saturating_sub(span) }
            });
        }
        if let Some(offset) = self.name.strip_prefix("mixed-timestamp-expired-").filter(|_| index == 0) {
            let expires = time(&self.messages()[index], "Expires>").unwrap();
            return expires.saturating_add(Duration::from_secs(offset.parse().unwrap()));
        }
        let later = self.messages()[index..].iter().filter_map(created).next();
        match (own, self.messages().get(index + 1).and_then(created)) {
            (Some(own), Some(answer)) if text(&self.messages()[index], "direction") == "request" => answer.max(own),
            _ if self.name.contains("stale-timestamp") || self.name == "expired-timestamp" => {
                let next = self.messages()[index + 1..].iter().filter_map(created).next();
                // The last request has no answer that says when it was refused; it was held back as long as the one before.
                next.or(own.map(|own| own.saturating_add(Duration::from_secs(4)))).unwrap_or(Timestamp::MIN)
            }
            _ => later.unwrap_or(Timestamp::MIN),
        }
    }

    pub(crate) fn must_fail(&self, index: usize) -> bool {
        let message = &self.messages()[index];
        let is_request = text(message, "direction") == "request";
        let wrong_password = self.name.ends_with("wrong-password") && is_request;
        // Dropped without an answer, so not marked either.
        let bare = is_request && message["securityHeader"].is_null() && !self.case["bootstrap"].is_null();
        // Not marked in the recording, but finding 52 says what the client did.
        let token_in_reply = self.name == "bootstrap-duplex-reply-token-not-allowed" && index == 1;
        message["mustFail"].as_bool() == Some(true) || wrong_password || token_in_reply || bare
    }

    /// Whether a refusal is one of the session engine or the dispatcher: contexts that ended, actions that are not known.
    fn is_decided_above(&self, message: &Value) -> bool {
        const ABOUT_SESSIONS: [&str; 10] = [
            "restart-",
            "expired-context-",
            "cookie-same-channel-after-fault",
            "cookie-removed-",
            "rollover-old-key-too-late",
            "message-after-cancel",
            "inactivity-pending",
            "receive-timeout-active",
            "stateless-",
            "key-expired-",
        ];
        const ABOUT_ACTIONS: [&str; 3] = ["session-actions-", "rst-variants-", "rst-refused-"];
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| self.name.starts_with(prefix));
        starts(&ABOUT_SESSIONS) || (starts(&ABOUT_ACTIONS) && !message["securityHeader"].is_null())
    }
}

/// Every plaintext that was recorded is there, each as it was, and the body can be read.
fn compare(unprotected: &Unprotected, message: &Value) -> Result<(), String> {
    let root = unprotected.document().root();
    for decrypted in message["decrypted"].as_array().unwrap() {
        let decrypted = decrypted.as_str().unwrap();
        if decrypted.is_empty() {
            continue;
        }
        let recorded = parse(decrypted);
        let (name, recorded) = (recorded.root().local_name(), canonical(recorded.root()));
        let mut alike = root.descendants().filter(|element| element.local_name() == name);
        if !alike.any(|element| canonical(element) == recorded) {
            return Err(format!("the recorded plaintext is missing: {decrypted:.200}"));
        }
    }
    match (unprotected.body(), level(message)) {
        (None, ProtectionLevel::None) | (Some(_), ProtectionLevel::Sign | ProtectionLevel::EncryptAndSign) => Ok(()),
        (Some(_), ProtectionLevel::None) => Err("the body is read although nothing covers it".to_owned()),
        (None, _) => Err("the body is not verified".to_owned()),
    }
}

/// What the contract of the recorded operation says.
pub(crate) fn level(message: &Value) -> ProtectionLevel {
    match text(message, "action") {
        action if action.contains("IOdd/SignOnly") => ProtectionLevel::Sign,
        action if action.contains("IOdd/Bare") => ProtectionLevel::None,
        _ => ProtectionLevel::EncryptAndSign,
    }
}

pub(crate) fn created(message: &Value) -> Option<Timestamp> {
    time(message, "Created>")
}

fn time(message: &Value, tag: &str) -> Option<Timestamp> {
    let wire = wire(message);
    let start = wire.find(tag)? + tag.len();
    wire[start..].split('<').next()?.parse().ok()
}

/// Binary and MTOM messages were recorded as text too.
pub(crate) fn wire(message: &Value) -> &str {
    message["wire"].as_str().unwrap_or_else(|| text(message, "xml"))
}

pub(crate) fn parse_message(message: &Value) -> Result<Document, Error> {
    Ok(Document::parse(wire(message), &ParseOptions::default())?)
}

pub(crate) fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

pub(crate) fn base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}

fn canonical(element: Element<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    String::from_utf8(out).unwrap()
}
