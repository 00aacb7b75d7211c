//! The recorded plaintexts, protected anew with the recorded keys: the messages are laid out as WCF laid them out.

use crate::recorded::{Conversation, Ends, created, level, parse, parse_message, text, wire};
use crate::settings::Configured;
use crate::skeleton::skeleton;
use crate::trusted::RecordedAssertions;
use handstamp_keys::DeterministicRandom;
use handstamp_ws_security::token::SecurityContextToken;
use handstamp_ws_security::{
    ContextKey, IssuedProof, IssuedToken, IssuedTokenValidator, Message, ProofKey, Protected, ProtectionLevel, Sender,
    SessionKeys, Unprotected, UserNameCredential,
};
use handstamp_xml::{Document, Element};

/// SC 8.3, Appendix A: the 29 conversations.
#[test]
fn sc_8_3_headers_are_those_of_the_29_conversations() {
    assert_eq!(compared("wcf_messages"), 160);
}

/// The conversations of the findings, as far as nobody changed them on the way.
#[test]
fn sc_8_3_headers_are_those_of_the_160_conversations() {
    assert_eq!(compared("wcf_messages_more"), 722);
}

fn compared(file: &str) -> usize {
    let mut count = 0;
    let mut failures = Vec::new();
    for conversation in Conversation::load(file) {
        if CHANGED_ON_THE_WAY.iter().any(|prefix| conversation.name.starts_with(prefix)) {
            continue;
        }
        let mut ends = Ends::of(&conversation);
        for index in 0..conversation.messages().len() {
            match compare(&conversation, index, &mut ends) {
                Ok(true) => count += 1,
                Ok(false) => {}
                Err(difference) => failures.push(format!("{} message {index}: {difference}", conversation.name)),
            }
        }
    }
    assert!(failures.is_empty(), "{} messages differ, {count} do not:\n{}", failures.len(), failures.join("\n"));
    count
}

/// Whose messages were tampered with, or are about what we do on purpose unlike WCF (`protectTokens`, SC 8.9).
const CHANGED_ON_THE_WAY: [&str; 5] =
    ["reordered-", "surgery-", "mixed-session-signs-also-", "mixed-timestamp-", "protect-tokens-"];

/// False when there is nothing to compare: the message is not protected, or was to be refused.
fn compare(conversation: &Conversation, index: usize, ends: &mut Ends) -> Result<bool, String> {
    let message = &conversation.messages()[index];
    if message["securityHeader"].is_null() {
        return Ok(false);
    }
    let Ok(document) = parse_message(message) else { return Ok(false) };
    let Ok(opened) = conversation.open(document, index, ends) else { return Ok(false) };
    // A refusal is secured like an answer; it needs to know the request too.
    if text(message, "direction") == "request" {
        let id = opened.message_id().unwrap_or_default().into_owned();
        ends.requests.insert(id, opened.request_context().clone());
    }
    if conversation.must_fail(index) {
        return Ok(false);
    }
    let ours = protect(conversation, index, &opened, ends).map_err(|error| error.to_string())?;
    let recorded = skeleton(parse(wire(message)).root(), false);
    first_difference(&recorded, &skeleton(parse(&ours.envelope).root(), false), "wire")?;
    let ours = conversation.open(parse(&ours.envelope), index, &Ends::of(conversation).with_requests_of(ends));
    let ours = ours.map_err(|error| format!("not opened: {error}"))?;
    first_difference(&skeleton(opened.document().root(), true), &skeleton(ours.document().root(), true), "plaintext")?;
    Ok(true)
}

impl Ends {
    /// The same requests, and nothing received yet.
    fn with_requests_of(mut self, other: &Self) -> Self {
        self.requests.clone_from(&other.requests);
        self
    }
}

fn protect(
    conversation: &Conversation,
    index: usize,
    opened: &Unprotected,
    ends: &Ends,
) -> Result<Protected, handstamp_ws_security::Error> {
    let recorded = &conversation.messages()[index];
    let action = text(recorded, "action");
    let is_request = text(recorded, "direction") == "request";
    let asked = if is_request { action } else { conversation.action_of_request(opened.document()).unwrap_or(action) };
    let Configured { binding, .. } = Configured::of(conversation, asked, !is_request);
    let now = created(recorded).unwrap();
    let random = DeterministicRandom::new(index as u64);

    let mut message = Message::read(opened.document())?;
    message.protection = if action.ends_with("/Cancel") { ProtectionLevel::Sign } else { level(recorded) };
    let user_name = UserNameCredential::new("alice", "secret");
    let context = context_key(conversation, opened, ends);
    let issued = issued_token(conversation, opened.document());
    let parties = &conversation.parties;
    let mut sender = if is_request {
        Sender::client(&binding).with_identity(&parties.client).with_peer_certificate(parties.service.certificate())
    } else {
        let request = ends.request_of(opened.document()).unwrap();
        Sender::service(&binding).with_identity(&parties.service).answering(request)
    };
    sender = sender.with_user_name(&user_name);
    if let Some(context) = &context {
        sender = sender.with_context(context);
    }
    if let Some(issued) = &issued {
        sender = sender.with_issued_token(issued);
    }
    sender.protect(&message, &random, now)
}

/// The key of the security context that the message includes or names. Stateless sessions keep their derived keys.
fn context_key(conversation: &Conversation, opened: &Unprotected, ends: &Ends) -> Option<ContextKey> {
    let now = created(&conversation.messages()[0]).unwrap();
    let included = find(opened.document(), "SecurityContextToken")
        .filter(|token| token.parent().is_some_and(|parent| parent.local_name() == "Security"));
    let key = match included {
        Some(element) => {
            let token = SecurityContextToken::parse(element).unwrap();
            ContextKey::received(element, ends.sessions.by_token(&token, now).unwrap()).unwrap()
        }
        None => {
            let context = opened.context()?.clone();
            let key = ends.sessions.by_reference(&context, now).unwrap();
            ContextKey::new(SecurityContextToken { id: None, context, cookie: None }, key).unwrap()
        }
    };
    let random = DeterministicRandom::new(99);
    // The two conversations with a stateless client of a stateful service.
    let stateless_client = conversation.name.starts_with("stateless-") && included.is_some();
    let keeps = stateless_client || conversation.case["requireCancellation"].as_bool() == Some(true);
    let suite = conversation.binding("http://tempuri.org/IEcho/Echo").suite;
    Some(if keeps { key.reuse_derived_keys(&suite, &random).unwrap() } else { key })
}

fn issued_token(conversation: &Conversation, document: &Document) -> Option<IssuedToken> {
    let assertion = find(document, "Assertion")?;
    let validator = RecordedAssertions { parties: &conversation.parties };
    let proof = validator.validate(assertion, created(&conversation.messages()[0]).unwrap()).unwrap();
    let ProofKey::Symmetric(key) = proof else { panic!("{proof:?}") };
    Some(IssuedToken::new(assertion, IssuedProof::Symmetric(key)).unwrap())
}

fn find<'d>(document: &'d Document, name: &str) -> Option<Element<'d>> {
    document.root().descendants().find(|element| element.local_name() == name)
}

fn first_difference(recorded: &str, ours: &str, what: &str) -> Result<(), String> {
    let mut recorded = recorded.lines();
    let mut ours = ours.lines();
    let mut before = "";
    loop {
        match (recorded.next(), ours.next()) {
            (None, None) => return Ok(()),
            (Some(a), Some(b)) if a == b => before = a,
            (a, b) => {
                let (a, b) = (a.unwrap_or("nothing"), b.unwrap_or("nothing"));
                return Err(format!("{what}, after\n   {before}\n   WCF  {a}\n   ours {b}"));
            }
        }
    }
}
