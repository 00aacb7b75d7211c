//! One pass through each hot path, for counting instructions (`cargo xtask bench-instructions`).
//!
//! `instructions --list` names the scenarios; `instructions NAME` runs one of them. Callgrind counts only what happens inside
//! [`measured`], after a warm-up outside of it, so that a change of 1 % is a change of the code and not of the machine.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking")]

use handstamp_keys::{DeterministicRandom, KeyKind, KeyRing, RotationPolicy, SigningIdentity, SymmetricKey};
use handstamp_secure_conversation::{
    Handled, Incoming, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_session_token::SessionSecurityTokenHandler;
use handstamp_session_token::native::NativeFormat;
use handstamp_session_token::wif::WifFormat;
use handstamp_session_token::wif::transforms::{CookieTransforms, Deflate, MachineKey, MachineKeyTransform};
use handstamp_testkit::principals::alice;
use handstamp_time::{Timestamp, VirtualClock};
use handstamp_web_session::module::Decision;
use handstamp_web_session::{RequestHead, SessionModule, SessionSettings, SignIn};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::token::{ContextReference, SecurityContextToken};
use handstamp_ws_security::{
    AddressingVersion, Body, ContextKey, Expectation, Message, MessageSecurityVersion, Receiver, SecurityBinding,
    Sender, SessionKeyError, SessionKeys, UserNameCredential, UserNameError, UserNameValidator,
};
use handstamp_xml::binary::{Reader, WCF_DICTIONARY, from_text};
use handstamp_xml::{Document, ParseOptions, c14n, names};
use handstamp_xml_security::algorithm::{DigestMethod, SignatureMethod};
use handstamp_xml_security::signature::{Signature, Signer, SigningKey, VerificationKey, VerifyPolicy};
use http::Request;
use http::header::COOKIE;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if wanted == "--list" {
        SCENARIOS.iter().for_each(|(name, _)| println!("{name}"));
        return;
    }
    match SCENARIOS.iter().find(|(name, _)| *name == wanted) {
        Some((_, scenario)) => scenario(),
        None => panic!("there is no scenario {wanted:?}; --list names them"),
    }
}

const SCENARIOS: &[(&str, fn())] = &[
    ("xml-parse", xml_parse),
    ("xml-canonicalize", xml_canonicalize),
    ("xml-verify-hmac", xml_verify),
    ("token-seal", token_seal),
    ("token-open", token_open),
    ("cookie-to-principal", cookie_to_principal),
    ("cookie-seen-before", cookie_seen_before),
    ("wif-open", wif_open),
    ("binary-xml-read", binary_xml_read),
    ("message-protect", message_protect),
    ("message-unprotect", message_unprotect),
    ("context-issue", context_issue),
];

/// What callgrind counts.
#[inline(never)]
fn measured<R>(work: impl FnOnce() -> R) -> R {
    work()
}

fn run<R>(mut work: impl FnMut() -> R) {
    black_box(work());
    black_box(measured(&mut work));
}

fn xml_parse() {
    let message = soap_message();
    run(|| Document::parse(message.as_str(), &ParseOptions::default()).unwrap());
}

fn xml_canonicalize() {
    let message = soap_message();
    let document = Document::parse(message.as_str(), &ParseOptions::default()).unwrap();
    let body = document.root().child(names::SOAP12, "Body").unwrap();
    let mut canonicalizer = c14n::Canonicalizer::default();
    let mut octets = Vec::with_capacity(message.len());
    run(|| {
        octets.clear();
        canonicalizer.element(body, &c14n::Method::exclusive(), None, &mut octets);
        octets.len()
    });
}

fn xml_verify() {
    let message = soap_message();
    let policy = VerifyPolicy::exactly([SignatureMethod::HmacSha1], [DigestMethod::Sha1]);
    run(|| {
        let document = Document::parse(message.as_str(), &ParseOptions::default()).unwrap();
        let header = document.root().child(names::SOAP12, "Header").unwrap();
        let signature = Signature::of_child(header.child(names::WSSE, "Security").unwrap()).unwrap().unwrap();
        signature.verify(VerificationKey::Symmetric(&KEY), &policy).unwrap().elements().len()
    });
}

fn token_seal() {
    let module = session_module();
    let random = DeterministicRandom::new(2);
    let now = now();
    let token = module.tokens().token(alice().into()).build(now, &random).unwrap();
    run(|| module.tokens().write(&token, now, &random).unwrap());
}

fn token_open() {
    let module = session_module();
    let random = DeterministicRandom::new(2);
    let now = now();
    let token = module.tokens().token(alice().into()).build(now, &random).unwrap();
    let sealed = module.tokens().write(&token, now, &random).unwrap();
    run(|| module.tokens().open(sealed.clone(), now).unwrap());
}

fn cookie_to_principal() {
    decide(&session_module_with(SessionSettings::builder().verified_tokens(0).build().unwrap()));
}

fn cookie_seen_before() {
    decide(&session_module());
}

fn decide(module: &SessionModule) {
    let now = now();
    let mut request = Request::builder().uri("https://orders.example/").body(()).unwrap();
    let cookie = sign_in(module, &request, now);
    request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
    run(|| match module.decide(RequestHead::from(&request), now) {
        Decision::Active(active) => active,
        other => panic!("{other:?}"),
    });
}

/// A WIF cookie of twelve claims behind Deflate and machine key.
fn wif_open() {
    const DIGITS: &str = "170F5FA76AD1A2293772508AF42AAFF7D89C98D1E874A3243AAE86E8DB8776A8";
    let element = format!("<machineKey decryptionKey='{DIGITS}' validationKey='{DIGITS}'/>");
    let machine_key = MachineKeyTransform::new(&[MachineKey::from_xml(&element).unwrap()]).unwrap();
    let chain = CookieTransforms::new(vec![Arc::new(Deflate::default()), Arc::new(machine_key)]).unwrap();
    let handler = SessionSecurityTokenHandler::builder(Arc::new(WifFormat::new(chain))).build().unwrap();
    let random = DeterministicRandom::new(2);
    let token = handler.token(alice().into()).build(now(), &random).unwrap();
    let cookie = handler.write_text(&token, now(), &random).unwrap();
    run(|| handler.open_text(&cookie, now()).unwrap());
}

/// A SOAP message of 30 lines in binary XML.
fn binary_xml_read() {
    let line = "<o:line xmlns:o='urn:orders'><o:article>4711</o:article><o:text>A hat, black</o:text></o:line>";
    let message = format!("<s:Envelope xmlns:s='{}'><s:Body>{}</s:Body></s:Envelope>", names::SOAP12, line.repeat(30));
    let binary = from_text(message.as_str(), Some(&WCF_DICTIONARY), None).unwrap();
    run(|| {
        let mut reader = Reader::new(&binary, Some(&WCF_DICTIONARY));
        while let Some(node) = reader.read().unwrap() {
            black_box(node);
        }
    });
}

/// A message of 4 KB in a session: Basic256, new derived keys, signed and encrypted, the signature too.
fn message_protect() {
    let (binding, context, message) = session_message();
    let random = DeterministicRandom::new(2);
    let sender = Sender::client(&binding).with_context(&context);
    run(|| sender.protect(&message, &random, now()).unwrap());
}

/// The same, parsed, decrypted and verified.
fn message_unprotect() {
    let (binding, context, message) = session_message();
    let sender = Sender::client(&binding).with_context(&context);
    let sent = sender.protect(&message, &DeterministicRandom::new(2), now()).unwrap().envelope;
    let sessions = OneSession(context.key().clone());
    let receiver = Receiver::service(&binding).with_sessions(&sessions);
    run(|| {
        let document = Document::parse(sent.as_str(), &ParseOptions::default()).unwrap();
        receiver.open(document, &Expectation::request(), now()).unwrap()
    });
}

/// A request for a context that is a cookie, and the response. The client shows a user name under the service's certificate; there
/// is one RSA operation in it, which is nearly all of the instructions.
fn context_issue() {
    const ADDRESS: &str = "https://ledger.example/";
    let random = DeterministicRandom::new(2);
    let until = now().saturating_add(Duration::from_secs(86_400));
    let identity = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now(), until, &random).unwrap();
    let version = MessageSecurityVersion::default();
    let bootstrap = SecurityBinding::user_name_for_certificate(version).unwrap();
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.session_mut().unwrap().require_cancellation = false;
    let certificate = identity.certificate().clone();
    let ring = KeyRing::in_memory(RotationPolicy::default(), now(), &random).unwrap();
    let service = SecureConversationService::builder(binding.clone())
        .identity(identity)
        .user_names(Arc::new(Anybody))
        .cookies(Arc::new(NativeCookies::new(Arc::new(ring), ADDRESS)))
        .build()
        .unwrap();
    let request = || {
        let client = SecureConversationClient::builder(binding.clone(), ADDRESS)
            .service_certificate(certificate.clone())
            .user_name(UserNameCredential::new("alice", "secret"));
        client.build().unwrap().establish(now(), &random).unwrap().envelope().to_owned()
    };
    let mut requests = [request(), request()].into_iter();
    run(|| match service.handle(Incoming::new(requests.next().unwrap()), now(), &random) {
        Handled::Answer(answer) if answer.fault.is_none() => answer.envelope,
        other => panic!("{other:?}"),
    });
}

struct OneSession(SymmetricKey);

impl SessionKeys for OneSession {
    fn by_token(&self, _token: &SecurityContextToken, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(self.0.clone())
    }

    fn by_reference(&self, _context: &ContextReference, _now: Timestamp) -> Result<SymmetricKey, SessionKeyError> {
        Ok(self.0.clone())
    }
}

struct Anybody;

impl UserNameValidator for Anybody {
    fn validate(&self, _name: &str, _password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        Ok(())
    }
}

/// A session without replay detection, and an order of 44 lines.
fn session_message() -> (SecurityBinding, ContextKey, Message) {
    let version = MessageSecurityVersion::default();
    let bootstrap = SecurityBinding::anonymous_for_certificate(version).unwrap();
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.local_service.detect_replays = false;
    let context = ContextReference {
        generation: version.generation,
        identifier: "urn:uuid:55b79f64-51a3-4bb6-8785-49c7121b02c3".to_owned(),
        instance: None,
    };
    let token = SecurityContextToken { id: Some("uuid-1".to_owned()), context, cookie: Some(vec![5; 300]) };
    let context = ContextKey::new(token, SymmetricKey::from_bytes(&[7; 32])).unwrap();
    let item = r#"<item sku="4711"><name>Ledger, hard cover</name><price currency="EUR">12.50</price></item>"#;
    let body = Body::canonical(format!(r#"<order xmlns="urn:shop">{}</order>"#, item.repeat(44)));
    let message = Message::request(
        SoapVersion::Soap12,
        AddressingVersion::V10,
        "urn:shop/Order",
        "https://ledger.example/",
        "urn:uuid:03f2e56d-96c5-4c29-beed-e428fafb07ab",
    );
    (binding, context, message.with_body(body))
}

/// The `Cookie` header of a browser that has just signed in.
fn sign_in(module: &SessionModule, request: &Request<()>, now: Timestamp) -> String {
    let browser = module.browser(RequestHead::from(request));
    let sign_in = pin!(module.sign_in(SignIn::new(alice().into()), None, browser, now));
    let Poll::Ready(Ok(admission)) = sign_in.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("a self-contained session waits for nothing")
    };
    let pairs = admission.set_cookies.iter().filter_map(|cookie| cookie.to_str().ok()?.split("; ").next());
    pairs.collect::<Vec<_>>().join("; ")
}

fn session_module() -> SessionModule {
    session_module_with(SessionSettings::default())
}

fn session_module_with(settings: SessionSettings) -> SessionModule {
    let ring = KeyRing::in_memory(RotationPolicy::default(), now(), &DeterministicRandom::new(1)).unwrap();
    let tokens = SessionSecurityTokenHandler::builder(Arc::new(NativeFormat::new(Arc::new(ring))))
        .audience("https://orders.example/")
        .build()
        .unwrap();
    SessionModule::builder(tokens).settings(settings).clock(Arc::new(VirtualClock::new(now()))).build().unwrap()
}

/// A SOAP message of about 5 KB whose addressing headers, timestamp and body are signed.
fn soap_message() -> String {
    let template = include_str!("soap_message.xml").replace("BODY", &"0123456789abcdef".repeat(120));
    let unsigned = Document::parse(template.as_str(), &ParseOptions::default()).unwrap();
    let signer =
        Signer::new(SignatureMethod::HmacSha1, SigningKey::Symmetric(&KEY)).with_digest_method(DigestMethod::Sha1);
    let references: Vec<_> = ["_1", "_2", "_3", "_4", "_5", "uuid-1"]
        .iter()
        .map(|id| signer.reference(id, unsigned.element_by_id(id).unwrap()))
        .collect();
    template.replace("SIGNATURE", &signer.sign(&references).unwrap())
}

fn now() -> Timestamp {
    "2030-01-01T09:00:00Z".parse().unwrap()
}

const KEY: [u8; 24] = [7; 24];
