//! What the recorded ends had: bindings with all their settings, encoders of cookies, and the random octets that they drew.

use crate::recorded::{Conversation, Parties, level, parse, text};
use crate::settings::Configured;
use crate::trusted::RecordedAssertions;
use handstamp_claims::ClaimsIdentity;
use handstamp_keys::cipher::{CbcAlgorithm, Padding};
use handstamp_keys::{DeterministicRandom, DigestAlgorithm, HmacKey, SecureRandom, SymmetricKey};
use handstamp_secure_conversation::trust::{Proof, RequestSecurityTokenResponse};
use handstamp_secure_conversation::{Contract, IssuedTokens, Operation};
use handstamp_session_token::sct_state::SecurityStateEncoder;
use handstamp_session_token::wif::Error as StateError;
use handstamp_time::Timestamp;
use handstamp_ws_security::soap::Fault;
use handstamp_ws_security::{
    Generation, IssuedTokenValidator, KeyEntropyMode, ProofKey, ProtectionLevel, SecurityBinding,
};
use handstamp_xml::{Element, names};
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// The binding of one end, with the settings that only sessions have.
pub(crate) fn binding(conversation: &Conversation, is_service: bool) -> SecurityBinding {
    let case = &conversation.case;
    let settings = &case["settings"];
    let mut binding = Configured::of(conversation, "urn:application", is_service).binding;
    let span = |name: &str| settings[name].as_str().map(seconds);
    let client_is_stateless = conversation.name.starts_with("stateless-") && !is_service;
    let session = binding.session_mut().unwrap();
    session.require_cancellation = case["requireCancellation"].as_bool().unwrap() || client_is_stateless;
    session.can_renew = settings["canRenewSecurityContextToken"].as_bool().unwrap_or(true);
    if let Some(mode) = settings["keyEntropyMode"].as_str() {
        binding.key_entropy = match mode {
            "ClientEntropy" => KeyEntropyMode::Client,
            "ServerEntropy" => KeyEntropyMode::Server,
            other => panic!("{other}"),
        };
    }
    let service = &mut binding.local_service;
    match settings["issuedCookieLifetime"].as_str() {
        Some("Infinite") => service.issued_cookie_lifetime = None,
        Some(lifetime) => service.issued_cookie_lifetime = Some(seconds(lifetime)),
        None => {}
    }
    match settings["serviceSessionKeyRenewalInterval"].as_str() {
        Some("Infinite") => service.session_key_renewal_interval = None,
        Some(interval) => {
            service.session_key_renewal_interval = Some(seconds(interval));
            service.session_key_rollover_interval = service.session_key_rollover_interval.min(seconds(interval));
        }
        None => {}
    }
    if let Some(interval) = span("serviceSessionKeyRolloverInterval") {
        service.session_key_rollover_interval = interval;
    }
    if let Some(timeout) = span("inactivityTimeout") {
        service.inactivity_timeout = timeout;
    }
    if let Some(most) = settings["maxPendingSessions"].as_u64() {
        service.max_pending_sessions = usize::try_from(most).unwrap();
    }
    if let Some(interval) = span("clientSessionKeyRenewalInterval") {
        binding.local_client.session_key_renewal_interval = Some(interval);
        binding.local_client.session_key_rollover_interval = interval;
    }
    binding
}

pub(crate) fn receive_timeout(conversation: &Conversation) -> Duration {
    conversation.case["settings"]["receiveTimeout"].as_str().map_or(Duration::from_secs(600), seconds)
}

fn seconds(span: &str) -> Duration {
    Duration::from_secs(span.split(':').fold(0, |sum, part| sum * 60 + part.parse::<u64>().unwrap()))
}

/// The operations that the recorded service had: those of which one request was served.
pub(crate) fn contract(conversation: &Conversation) -> Contract {
    let mut contract = Contract::new("recorded").with_operation("urn:none", Operation::default());
    let messages = conversation.messages();
    for (index, message) in messages.iter().enumerate() {
        let is_request = text(message, "direction") == "request";
        let reply = messages.get(index + 1).filter(|next| text(next, "direction") == "reply");
        let refused = reply.and_then(fault).is_some_and(|fault| !is_of_application(&fault));
        if is_request && !refused {
            let reply = reply.map_or(ProtectionLevel::EncryptAndSign, level);
            let operation = Operation { request: level(message), reply };
            contract = contract.with_operation(text(message, "action"), operation);
        }
    }
    contract
}

/// The encoder that the recorded service had, before or after its restart.
pub(crate) fn encoder(conversation: &Conversation, restarted: bool) -> Box<dyn SecurityStateEncoder> {
    let said = text(&conversation.case["settings"], "stateEncoder");
    if conversation.name == "encoder-throws-on-issue" {
        Box::new(Broken)
    } else if said.contains("AES-256-CBC") {
        Box::new(Sealed(if restarted && said.contains("08 after the restart") { 8 } else { 7 }))
    } else {
        assert_eq!(said, "", "an encoder that this test does not know");
        Box::new(Plain)
    }
}

#[derive(Debug)]
struct Plain;

impl SecurityStateEncoder for Plain {
    fn encode(&self, state: Vec<u8>, _random: &dyn SecureRandom) -> Result<Vec<u8>, StateError> {
        Ok(state)
    }

    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, StateError> {
        Ok(state)
    }
}

#[derive(Debug)]
struct Broken;

impl SecurityStateEncoder for Broken {
    fn encode(&self, _state: Vec<u8>, _random: &dyn SecureRandom) -> Result<Vec<u8>, StateError> {
        Err(StateError::EmptyPayload)
    }

    fn decode(&self, _state: Vec<u8>) -> Result<Vec<u8>, StateError> {
        Err(StateError::EmptyPayload)
    }
}

/// AES-256-CBC with HMAC-SHA256 behind it, both with a key of one octet repeated.
#[derive(Debug)]
struct Sealed(u8);

impl Sealed {
    fn keys(&self) -> (SymmetricKey, HmacKey) {
        let octets = [self.0; 32];
        (SymmetricKey::from_bytes(&octets), HmacKey::new(DigestAlgorithm::Sha256, &octets))
    }
}

impl SecurityStateEncoder for Sealed {
    fn encode(&self, mut state: Vec<u8>, random: &dyn SecureRandom) -> Result<Vec<u8>, StateError> {
        let (key, mac) = self.keys();
        let mut iv = [0; 16];
        random.fill(&mut iv).map_err(|_| StateError::EmptyPayload)?;
        CbcAlgorithm::Aes256.encrypt(&key, &iv, Padding::Pkcs7, &mut state).map_err(|_| StateError::EmptyPayload)?;
        let mut sealed = [iv.as_slice(), &state].concat();
        let tag = mac.sign(&sealed);
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    fn decode(&self, state: Vec<u8>) -> Result<Vec<u8>, StateError> {
        let (key, mac) = self.keys();
        let (sealed, tag) = state.split_at_checked(state.len().saturating_sub(32)).ok_or(StateError::EmptyPayload)?;
        mac.verify(sealed, tag).map_err(|_| StateError::EmptyPayload)?;
        let (iv, content) = sealed.split_at_checked(16).ok_or(StateError::EmptyPayload)?;
        let mut content = content.to_vec();
        let plain = CbcAlgorithm::Aes256.decrypt(&key, iv, Padding::Pkcs7, &mut content);
        plain.map(|plain| plain.to_vec()).map_err(|_| StateError::EmptyPayload)
    }
}

/// Validates the recorded assertions; WCF made no identity of them.
pub(crate) struct Assertions(pub(crate) Parties);

impl IssuedTokenValidator for Assertions {
    fn validate(&self, assertion: Element<'_>, now: Timestamp) -> Result<ProofKey, String> {
        RecordedAssertions { parties: &self.0 }.validate(assertion, now)
    }
}

impl IssuedTokens for Assertions {
    fn identity(&self, _assertion: Element<'_>, _now: Timestamp) -> Result<ClaimsIdentity, String> {
        Ok(ClaimsIdentity::anonymous())
    }
}

/// Draws what the recorded end drew, as long as there is something, then anything. How much is drawn at a time is the end's own matter.
pub(crate) struct Recorded {
    next: Mutex<VecDeque<u8>>,
    rest: DeterministicRandom,
}

impl Recorded {
    pub(crate) fn new() -> Self {
        Self { next: Mutex::default(), rest: DeterministicRandom::new(1) }
    }

    /// What the service will draw when it answers the request whose recorded answer this is: the GUID of its ids, the one of
    /// the context or instance, its entropy.
    pub(crate) fn prime(&self, answer: &Value, generation: Generation) {
        let mut next = VecDeque::new();
        let issued = &answer["issued"];
        let identifier = issued["instance"].as_str().or_else(|| issued["identifier"].as_str());
        if let (Some(identifier), Some(response)) = (identifier, response(answer, generation)) {
            let secret = response.entropy.or(match response.proof {
                Some(Proof::Secret(secret)) => Some(secret),
                _ => None,
            });
            next.extend([0; 16]);
            next.extend(guid(identifier));
            next.extend(secret.iter().flat_map(|entropy| entropy.secret.as_bytes()));
        }
        *self.next.lock().unwrap() = next;
    }
}

impl SecureRandom for Recorded {
    fn fill(&self, out: &mut [u8]) -> Result<(), handstamp_keys::Error> {
        let mut next = self.next.lock().unwrap();
        self.rest.fill(out)?;
        out.iter_mut().zip(std::iter::from_fn(|| next.pop_front())).for_each(|(place, octet)| *place = octet);
        Ok(())
    }
}

fn guid(identifier: &str) -> Vec<u8> {
    let digits: String = identifier.trim_start_matches("urn:uuid:").chars().filter(|c| *c != '-').collect();
    (0..16).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

/// The answer to a request for a token in a recorded message.
pub(crate) fn response(message: &Value, generation: Generation) -> Option<RequestSecurityTokenResponse> {
    in_message(message, |element| {
        let is_outermost = element.parent().is_none_or(|parent| parent.local_name() == "Body");
        RequestSecurityTokenResponse::parse(element, generation).ok().filter(|_| is_outermost)
    })
}

/// The fault in a recorded message.
pub(crate) fn fault(message: &Value) -> Option<Fault> {
    in_message(message, |element| Fault::parse(element).ok())
}

/// What `find` finds first in a message or in what was encrypted in it.
fn in_message<T>(message: &Value, find: impl Fn(Element<'_>) -> Option<T>) -> Option<T> {
    let encrypted = message["decrypted"].as_array().into_iter().flatten().map(|part| part.as_str().unwrap());
    let parts = std::iter::once(crate::recorded::wire(message)).chain(encrypted).filter(|part| !part.is_empty());
    parts.map(parse).find_map(|part| std::iter::once(part.root()).chain(part.root().descendants()).find_map(&find))
}

/// Whether a recorded message is protected.
pub(crate) fn is_secured(message: &Value) -> bool {
    !message["securityHeader"].is_null()
}

/// What the recorded echo says of its caller: the name.
pub(crate) fn echoed_name(message: &Value) -> Option<String> {
    let said =
        in_message(message, |element| (element.local_name() == "EchoResult").then(|| element.text().into_owned()))?;
    let (_, caller) = said.rsplit_once(" as ")?;
    caller.rsplit_once('/').map(|(name, _)| name.to_owned())
}

/// Namespaces in which the security layer speaks; other faults are the application's.
pub(crate) fn is_of_application(fault: &Fault) -> bool {
    let addressing = [names::WSA, names::WSA_2004];
    let of_addressing = fault.subcode.as_ref().is_some_and(|code| addressing.contains(&code.namespace.as_str()));
    !fault.is_of_security_layer() && !of_addressing
}
