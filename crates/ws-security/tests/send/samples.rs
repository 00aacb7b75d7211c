//! The sample messages of the specification: they are opened, and what we send in their place looks like them.

use crate::ends::{Ends, parse};
use crate::skeleton::skeleton;
use handstamp_keys::{DeterministicRandom, SymmetricKey};
use handstamp_ws_security::{
    AlgorithmSuite, ContextKey, Expectation, MemoryReplayCache, Message, MessageSecurityVersion, Protection,
    ProtectionOrder, Receiver, RequestContext, SecurityBinding, Sender, Unprotected, UserNameCredential,
};
use handstamp_xml::{Document, Element, c14n};

/// SC Appendix B: requests.
#[test]
fn sc_appendix_b_requests_are_opened_and_made_alike() {
    use ProtectionOrder::{EncryptBeforeSign, SignBeforeEncrypt, SignBeforeEncryptAndEncryptSignature};
    let (set1, set6) = (MessageSecurityVersion::WSS11_FEBRUARY2005, MessageSecurityVersion::WSS11_13_BSP);
    let (basic256, basic128) = (AlgorithmSuite::BASIC256, AlgorithmSuite::BASIC128);
    let encrypted_signature = SignBeforeEncryptAndEncryptSignature;
    for (name, version, suite, protection_order) in [
        ("app-request-feb2005-stateful", set1, basic256, encrypted_signature),
        ("app-request-trust13-bsp-encrypt-before-sign", set6, basic256, EncryptBeforeSign),
        ("app-request-feb2005-soap11-wsa2004-stateless", set1, basic256, encrypted_signature),
        ("app-request-basic128-derived-signbeforeencrypt", set1, basic128, SignBeforeEncrypt),
        ("app-request-basic128-no-derived-keys", set1, basic128, SignBeforeEncrypt),
        ("app-request-feb2005-mixed-mode", set1, basic256, encrypted_signature),
    ] {
        let bootstrap = if name.ends_with("mixed-mode") {
            SecurityBinding::user_name_over_transport(version)
        } else {
            SecurityBinding::anonymous_for_certificate(version).unwrap()
        };
        let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
        (binding.suite, binding.protection_order) = (suite, protection_order);
        if let (Protection::Symmetric { token }, true) = (&mut binding.protection, name.contains("no-derived-keys")) {
            token.require_derived_keys = false;
        }
        let sample = sample(name);
        let context = context_of(&sample, suite);
        let opened = open(Receiver::service(&binding), &context, sample.source(), &Expectation::request());
        assert_eq!(opened.action().as_deref(), Some("http://xmlsoap.org/Ping"), "{name}");
        assert!(opened.body().is_some_and(|body| body.children().next().is_some()), "{name}");
        if name == "app-request-feb2005-stateful" {
            let decrypted = self::sample("app-request-feb2005-stateful.decrypted");
            assert_eq!(String::from_utf8(opened.to_xml()).unwrap(), canonical(decrypted.root()));
        }

        let random = DeterministicRandom::new(1);
        let stateless = name.ends_with("stateless");
        let context = if stateless { context.reuse_derived_keys(&suite, &random).unwrap() } else { context };
        let message = Message::read(opened.document()).unwrap();
        let now = opened.timestamp().unwrap().created;
        let sent = Sender::client(&binding).with_context(&context).over_protected_channel();
        let sent = sent.protect(&message, &random, now).unwrap();
        assert_eq!(look(&parse(&sent.envelope)), look(&sample), "{name}");
        open(Receiver::service(&binding), &context, &sent.envelope, &Expectation::request());
    }
}

/// SC Appendix B: replies.
#[test]
fn sc_appendix_b_replies_are_opened_and_made_alike() {
    let version = MessageSecurityVersion::WSS11_FEBRUARY2005;
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let session = SecurityBinding::secure_conversation(bootstrap, version);
    let mixed = SecurityBinding::user_name_over_transport(version);
    let mixed = SecurityBinding::secure_conversation(mixed, version);
    for (name, binding) in [("app-reply-feb2005", session), ("app-reply-feb2005-mixed-mode", mixed)] {
        let sample = sample(name);
        let context = context_of(&self::sample("app-request-feb2005-stateful"), binding.suite);
        let request = RequestContext::default();
        let opened = open(Receiver::client(&binding), &context, sample.source(), &Expectation::reply(&request));
        assert_eq!(opened.action().as_deref(), Some("http://xmlsoap.org/PingResponse"), "{name}");
        if name == "app-reply-feb2005" {
            let decrypted = self::sample("app-reply-feb2005.decrypted");
            assert_eq!(String::from_utf8(opened.to_xml()).unwrap(), canonical(decrypted.root()));
        }
        let message = Message::read(opened.document()).unwrap();
        let sent = Sender::service(&binding).with_context(&context).answering(&request).over_protected_channel();
        let sent = sent.protect(&message, &DeterministicRandom::new(1), opened.timestamp().unwrap().created).unwrap();
        assert_eq!(look(&parse(&sent.envelope)), look(&sample), "{name}");
    }
}

/// SC 6.4, Appendix B: the bootstrap over TLS.
#[test]
fn sc_appendix_b_the_bootstrap_over_transport_is_made_alike() {
    let binding = SecurityBinding::user_name_over_transport(MessageSecurityVersion::WSS11_FEBRUARY2005);
    let sample = sample("rst-sct-issue-username-over-transport");
    let message = Message::read(&sample).unwrap();
    let user_name = UserNameCredential::new("alice", "secret");
    let sender = Sender::client(&binding).with_user_name(&user_name).over_protected_channel();
    let now = "2030-01-02T03:04:05.678Z".parse().unwrap();
    let sent = sender.protect(&message, &DeterministicRandom::new(1), now).unwrap();
    assert_eq!(look(&parse(&sent.envelope)), look(&sample));
}

/// Identifiers aside for messages over TLS, where live WCF has numbers for timestamps (finding 47, the recordings) and the samples
/// do not.
fn look(message: &Document) -> String {
    let lines = skeleton(message.root(), false);
    if lines.contains("EncryptedData") {
        return lines;
    }
    lines.replace("Id=_0", "Id=uuid").replace("URI=#_0", "URI=#uuid")
}

/// The file without the comment that begins it.
fn sample(name: &str) -> Document {
    let path = format!("{}/../../docs/spec/messages/{name}.xml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    parse(text.split_once("-->").unwrap().1.trim())
}

/// The token of a sample with the keys of Appendix A.1.
fn context_of(sample: &Document, suite: AlgorithmSuite) -> ContextKey {
    let key: &[u8] = match suite {
        AlgorithmSuite::BASIC128 => &hex::<16>("64403705cc717371b497cde2421b1f91"),
        _ => &hex::<32>("315c27314f09f1950fa0fb191fde85511adc2a9374d3b5e60e2f6c680d8b2a3a"),
    };
    let token = sample.root().descendants().find(|element| element.local_name() == "SecurityContextToken").unwrap();
    ContextKey::received(token, SymmetricKey::from_bytes(key)).unwrap()
}

fn hex<const LENGTH: usize>(digits: &str) -> [u8; LENGTH] {
    std::array::from_fn(|index| u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).unwrap())
}

fn open(receiver: Receiver<'_>, context: &ContextKey, text: &str, expected: &Expectation<'_>) -> Unprotected {
    let replays = MemoryReplayCache::new(2);
    let mut ends = Ends::new(context.context().generation, context.key().len());
    ends.contexts[0] = context.clone();
    let now = "2030-01-02T03:04:06Z".parse().unwrap();
    let receiver = receiver.with_sessions(&ends).with_replay_cache(&replays).over_protected_channel();
    receiver.open(parse(text), expected, now).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn canonical(element: Element<'_>) -> String {
    let mut out = Vec::new();
    c14n::canonicalize(element, &c14n::Method::exclusive(), None, &mut out);
    String::from_utf8(out).unwrap()
}
