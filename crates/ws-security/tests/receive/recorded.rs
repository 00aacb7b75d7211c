//! Reads recorded conversations and opens their messages with the receiver.

use handstamp_keys::{Certificate, KeyPolicy, PrivateKey, SigningIdentity, SymmetricKey};
use handstamp_time::Timestamp;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AlgorithmSuite, Error, Expectation, MemoryReplayCache, MessageSecurityVersion, ProtectionLevel, ProtectionOrder,
    Receiver, RequestContext, SecurityBinding, SessionKeyError, SessionKeys, Unprotected, UserNameValidator,
};
use handstamp_xml::{Document, Element, ParseOptions, c14n, names};
use serde_json::Value;
use std::collections::HashMap;

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
    /// The message has no security header and is no request of a protected binding.
    NotProtected,
    Differs(String),
}

impl Conversation {
    pub(crate) fn load(file: &str) -> Vec<Self> {
        let vectors = handstamp_testkit::vectors::load(file);
        let identity = |who: &str| {
            let keys = &vectors["keys"][who];
            let der = base64(keys["certificateDer"].as_str().unwrap());
            let key =
                PrivateKey::from_pem(keys["pkcs8Pem"].as_str().unwrap().as_bytes(), &KeyPolicy::default()).unwrap();
            SigningIdentity::new(key, Certificate::from_der(&der).unwrap(), Vec::new()).unwrap()
        };
        let parties = Parties { service: identity("server"), client: identity("client") };
        let cases = vectors["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|case| Self { name: text(case, "name").to_owned(), case: case.clone(), parties: parties.clone() })
            .collect()
    }

    /// Opens every message as the side that received it.
    pub(crate) fn judge(&self) -> Vec<Verdict> {
        let sessions = RecordedKeys::of(&self.case);
        let mut request: Option<RequestContext> = None;
        let mut verdicts = Vec::new();
        for (index, message) in self.case["messages"].as_array().unwrap().iter().enumerate() {
            let document = parse(text(message, "wire"));
            let is_request = text(message, "direction") == "request";
            let fails = message["mustFail"].as_bool() == Some(true) || self.password_is_wrong(is_request);
            if message["securityHeader"].is_null() {
                verdicts.push(Verdict::NotProtected);
                continue;
            }
            let opened = self.open(message, document, is_request, request.as_ref(), &sessions);
            let verdict = match (&opened, fails) {
                (Ok(unprotected), false) => compare(unprotected, message),
                (Err(_), true) => Ok(()),
                (Ok(_), true) => Err("accepted, but WCF refused it".to_owned()),
                (Err(error), false) => Err(format!("refused: {error}")),
            };
            verdicts.push(match verdict {
                Ok(()) => Verdict::AsRecorded,
                Err(problem) => Verdict::Differs(format!("{} message {index}: {problem}", self.name)),
            });
            if is_request {
                request = opened.ok().map(Unprotected::into_request_context);
            }
        }
        verdicts
    }

    pub(crate) fn open(
        &self,
        message: &Value,
        document: Document,
        is_request: bool,
        request: Option<&RequestContext>,
        sessions: &RecordedKeys,
    ) -> Result<Unprotected, Error> {
        let action = text(message, "action");
        let binding = self.binding(action);
        let replays = MemoryReplayCache::new(10);
        let none = RequestContext::default();
        let expected = if is_request { Expectation::request() } else { Expectation::reply(request.unwrap_or(&none)) };
        let expected = if action.ends_with("/Cancel") { expected.cancel() } else { expected.with_body(level(message)) };
        let now = created(&document);
        let receiver = if is_request {
            Receiver::service(&binding)
                .with_identity(&self.parties.service)
                .with_peer_certificate(self.parties.client.certificate())
        } else {
            Receiver::client(&binding)
                .with_identity(&self.parties.client)
                .with_peer_certificate(self.parties.service.certificate())
        };
        receiver
            .with_user_names(&Alice)
            .with_sessions(sessions)
            .with_replay_cache(&replays)
            .open(document, &expected, now)
    }

    pub(crate) fn binding(&self, action: &str) -> SecurityBinding {
        let case = &self.case;
        let versions = text(case, "versions");
        let thirteen = versions.contains("1.3") && !versions.contains("February 2005");
        let version = match (versions.contains("WS-Security 1.0"), thirteen) {
            (true, false) => MessageSecurityVersion::WSS10_FEBRUARY2005_BSP,
            (true, true) => MessageSecurityVersion::WSS10_13_BSP,
            (false, false) => MessageSecurityVersion::WSS11_FEBRUARY2005,
            (false, true) => MessageSecurityVersion::WSS11_13,
        };
        let mut bootstrap = match case["bootstrap"].as_str() {
            Some("anon") => SecurityBinding::anonymous_for_certificate(version).unwrap(),
            Some("user") => SecurityBinding::user_name_for_certificate(version).unwrap(),
            Some("mutual") => SecurityBinding::mutual_certificate(version),
            Some("duplex") => SecurityBinding::mutual_certificate_duplex(version),
            Some("user-transport") => SecurityBinding::user_name_over_transport(version),
            Some("cert-transport") => SecurityBinding::certificate_over_transport(version),
            other => panic!("bootstrap {other:?} of {}", self.name),
        };
        bootstrap.suite = AlgorithmSuite::from_name(text(case, "algorithmSuite")).unwrap();
        bootstrap.allow_insecure_transport = true;
        bootstrap.protection_order = match text(case, "protectionOrder") {
            "SignBeforeEncryptAndEncryptSignature" => ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
            "SignBeforeEncrypt" => ProtectionOrder::SignBeforeEncrypt,
            "EncryptBeforeSign" => ProtectionOrder::EncryptBeforeSign,
            other => panic!("protection order {other}"),
        };
        if case["secureConversation"].as_bool() != Some(true)
            || action.ends_with("/RST/SCT")
            || action.ends_with("/RSTR/SCT")
        {
            return bootstrap;
        }
        let mut outer = SecurityBinding::secure_conversation(bootstrap.clone(), version);
        outer.allow_insecure_transport = true;
        if action.ends_with("/RST/SCT/Renew") {
            return outer.renewal().unwrap();
        }
        if action.ends_with("/RSTR/SCT/Renew") {
            return bootstrap;
        }
        outer
    }

    fn password_is_wrong(&self, is_request: bool) -> bool {
        self.name.ends_with("wrong-password") && is_request
    }
}

/// The keys of all security contexts of a conversation, by context id and instance, and the cookies that the service made.
pub(crate) struct RecordedKeys {
    keys: HashMap<(String, Option<String>), Vec<u8>>,
    cookies: Vec<Vec<u8>>,
}

impl RecordedKeys {
    pub(crate) fn of(case: &Value) -> Self {
        let mut keys = HashMap::new();
        for message in case["messages"].as_array().unwrap() {
            let issued = &message["issued"];
            if issued.is_object() {
                let instance = issued["instance"].as_str().map(str::to_owned);
                keys.insert((text(issued, "identifier").to_owned(), instance), base64(text(issued, "key")));
            }
        }
        let states = case["sctStates"].as_array().unwrap();
        Self { keys, cookies: states.iter().map(|state| base64(state.as_str().unwrap())).collect() }
    }
}

impl SessionKeys for RecordedKeys {
    /// The state encoder of the recordings is the identity: a cookie that nobody made is seen by comparing.
    fn by_token(&self, token: &SecurityContextToken, now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        if token.cookie.as_ref().is_some_and(|cookie| !self.cookies.contains(cookie)) {
            return Err(SessionKeyError::Refused("the cookie is not one of this service".to_owned()));
        }
        self.by_reference(&token.context, now)
    }

    fn by_reference(&self, context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        let key = self.keys.get(&(context.identifier.clone(), context.instance.clone()));
        key.map(|key| SymmetricKey::from_bytes(key)).ok_or(SessionKeyError::Unknown)
    }
}

pub(crate) struct Alice;

impl UserNameValidator for Alice {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), String> {
        if (name, password) == ("alice", "secret") { Ok(()) } else { Err(format!("wrong password for {name:?}")) }
    }
}

/// Every plaintext that was recorded is there, each as it was.
fn compare(unprotected: &Unprotected, message: &Value) -> Result<(), String> {
    let root = unprotected.document().root();
    let plain: Vec<String> = root.descendants().map(canonical).collect();
    for decrypted in message["decrypted"].as_array().unwrap() {
        let decrypted = decrypted.as_str().unwrap();
        if !decrypted.is_empty() && !plain.contains(&canonical(parse(decrypted).root())) {
            return Err(format!("the recorded plaintext is missing: {decrypted:.200}"));
        }
    }
    match unprotected.body() {
        Some(_) => Ok(()),
        None if level(message) == ProtectionLevel::None => Ok(()),
        None => Err("the body is not verified".to_owned()),
    }
}

/// What the contract of the recorded operation says.
fn level(message: &Value) -> ProtectionLevel {
    match text(message, "action") {
        action if action.contains("Signed") => ProtectionLevel::Sign,
        action if action.contains("Plain") => ProtectionLevel::None,
        _ => ProtectionLevel::EncryptAndSign,
    }
}

pub(crate) fn created(document: &Document) -> Timestamp {
    let created = document.root().descendants().find(|element| element.is(names::WSU, "Created")).unwrap();
    created.text().parse().unwrap()
}

pub(crate) fn parse(text: &str) -> Document {
    Document::parse(text, &ParseOptions::default()).unwrap()
}

pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

fn canonical(element: Element<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    String::from_utf8(out).unwrap()
}

fn base64(text: &str) -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(text).unwrap()
}
