//! Messages to and from the Windows Communication Foundation of Mono (`interop/mono/Messages.cs`): both ends are given the same
//! binding, in the words of its configuration. Says so and stops where Mono is not installed (`cargo xtask test` installs it).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_keys::{Certificate, KeyKind, SigningIdentity, SystemRandom};
use handstamp_security_policy::CustomBinding;
use handstamp_testkit::mono::{Peer, Program};
use handstamp_testkit::ports::ReservedPort;
use handstamp_time::{Clock, SystemClock, Timestamp};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{
    AddressingVersion, Body, Caller, Expectation, MemoryReplayCache, Message, Receiver, SecurityBinding, Sender,
    UserNameCredential, UserNameError, UserNameValidator,
};
use handstamp_xml::ParseOptions;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

static MESSAGES: Program = Program::new(
    "Messages.cs",
    &["Mono.Security", "System.ServiceModel", "System.IdentityModel", "System.IdentityModel.Selectors"],
    env!("CARGO_TARGET_TMPDIR"),
);

const ACTION: &str = "http://tempuri.org/IEcho/Echo";
const NAMESPACE: &str = "http://tempuri.org/";

/// A binding without a session. `interop/mono/README.md` says what of WCF Mono does not have.
struct Case {
    mode: &'static str,
    version: &'static str,
    suite: &'static str,
    order: &'static str,
    derives: &'static str,
}

const WSS11_2005: &str = "WSSecurity11WSTrustFebruary2005WSSecureConversationFebruary2005WSSecurityPolicy11";
const WSS11_13: &str = "WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12";

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        const ENCRYPTED: &str = "SignBeforeEncryptAndEncryptSignature";
        const SIGNED: &str = "SignBeforeEncrypt";
        ["AnonymousForCertificate", "UserNameForCertificate"].into_iter().flat_map(|mode| {
            [
                (WSS11_2005, "Basic256", ENCRYPTED, "true"),
                (WSS11_2005, "Basic256", SIGNED, "false"),
                (WSS11_2005, "Basic128", ENCRYPTED, "true"),
                (WSS11_13, "Basic256", ENCRYPTED, "false"),
                (WSS11_13, "Basic192", SIGNED, "false"),
            ]
            .map(|(version, suite, order, derives)| Self { mode, version, suite, order, derives })
        })
    }

    fn binding(&self) -> SecurityBinding {
        let Self { mode, version, suite, order, derives } = self;
        let binding = format!(
            r#"<binding name="echo">
                <security authenticationMode="{mode}" messageSecurityVersion="{version}" defaultAlgorithmSuite="{suite}"
                    messageProtectionOrder="{order}" requireDerivedKeys="{derives}"/>
                <textMessageEncoding messageVersion="Soap12WSAddressing10"/>
                <httpTransport/>
            </binding>"#
        );
        CustomBinding::parse(binding).unwrap().security().clone()
    }

    /// The same for Mono, after an address.
    fn words<'w>(&'w self, address: &'w str) -> [&'w [u8]; 6] {
        [address, self.mode, self.version, self.suite, self.order, self.derives].map(str::as_bytes)
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, version, suite, order, derives } = self;
        write!(f, "{mode}, {version}, {suite}, {order}, derived keys: {derives}")
    }
}

/// The service's certificate with its key, told to Mono. Some keys it does not read, whatever is asked of them; then it gets another.
fn identity_for(mono: &mut Peer) -> SigningIdentity {
    let now = SystemClock.now();
    let (from, to) = (now.saturating_sub(DAY), now.saturating_add(DAY));
    for _ in 0..10 {
        let kind = KeyKind::Rsa { bits: 2048 };
        let identity = SigningIdentity::self_signed("localhost", kind, from, to, &SystemRandom).unwrap();
        let key = identity.key().to_pkcs8().unwrap();
        match mono.ask("identity", &[identity.certificate().der(), &key]) {
            Ok(_) => return identity,
            Err(why) => assert!(why.ends_with("no private key"), "{why}"),
        }
    }
    panic!("Mono reads none of ten private keys")
}

const DAY: Duration = Duration::from_secs(86_400);

struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        ((name, password) == ("alice", "secret"))
            .then_some(())
            .ok_or_else(|| UserNameError::Refused("unknown".to_owned()))
    }
}

/// SC 5, 6, 8: Mono opens our requests, and we open its replies.
#[test]
fn a_service_in_mono_and_we_understand_each_other() {
    let Some(mut mono) = MESSAGES.start() else { return };
    let identity = identity_for(&mut mono);
    let reserved = ReservedPort::new();
    let port = reserved.number();
    for (number, case) in Case::all().enumerate() {
        let address = format!("http://localhost:{port}/{number}");
        mono.get("host", &case.words(&address));
        let answer = call(identity.certificate(), &case.binding(), port, &address);
        assert_eq!(answer, "the äpfel & pears, says Mono", "{case}");
    }
}

/// What a service answers to us.
fn call(certificate: &Certificate, binding: &SecurityBinding, port: u16, address: &str) -> String {
    let user_name = UserNameCredential::new("alice", "secret");
    let id = format!("urn:uuid:{address}");
    let body = format!("<Echo xmlns='{NAMESPACE}'><text>the äpfel &amp; pears</text></Echo>");
    let request = Message::request(SoapVersion::Soap12, AddressingVersion::V10, ACTION, address, id);
    let request = request.with_body(Body::from_xml(body).unwrap());
    let sender = Sender::client(binding).with_peer_certificate(certificate).with_user_name(&user_name);
    let sent = sender.protect(&request, &SystemRandom, SystemClock.now()).unwrap();
    let (path, envelope) = (address.rsplit('/').next().unwrap(), sent.envelope.as_bytes());
    let mut connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let length = envelope.len();
    let head = format!(
        "POST /{path} HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    connection.write_all(&[head.as_bytes(), envelope].concat()).unwrap();
    let reply = Http::read(&mut BufReader::new(connection)).body;

    let replays = MemoryReplayCache::new(100);
    let receiver = Receiver::client(binding).with_peer_certificate(certificate).with_replay_cache(&replays);
    let document = Receiver::parse(&reply, &ParseOptions::default()).unwrap();
    let opened = receiver.open(document, &Expectation::reply(&sent.request), SystemClock.now());
    let opened = opened.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&reply)));
    opened.body().unwrap().text().into_owned()
}

/// The same the other way about, and who called.
#[test]
fn a_client_in_mono_and_we_understand_each_other() {
    let Some(mut mono) = MESSAGES.start() else { return };
    let identity = identity_for(&mut mono);
    for case in Case::all() {
        let binding = case.binding();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://localhost:{}/echo", listener.local_addr().unwrap().port());
        std::thread::scope(|scope| {
            let caller = scope.spawn(|| serve(&identity, &binding, &listener));
            let answer = mono.ask("call", &[&case.words(&address)[..], &["the äpfel & pears".as_bytes()]].concat());
            let answer = answer.unwrap_or_else(|why| {
                // Who waits for a request waits no longer.
                let _ = TcpStream::connect(listener.local_addr().unwrap());
                panic!("{case}: {why}")
            });
            assert_eq!(String::from_utf8_lossy(&answer[0]), "the äpfel & pears, say we", "{case}");
            let expected = match case.mode {
                "AnonymousForCertificate" => "nobody",
                _ => "alice",
            };
            assert_eq!(caller.join().unwrap(), expected, "{case}");
        });
    }
}

/// Answers one request, and says who sent it.
fn serve(identity: &SigningIdentity, binding: &SecurityBinding, listener: &TcpListener) -> String {
    let (connection, _) = listener.accept().unwrap();
    let mut connection = BufReader::new(connection);
    let request = Http::read(&mut connection).body;

    let (now, replays) = (SystemClock.now(), MemoryReplayCache::new(100));
    let receiver =
        Receiver::service(binding).with_identity(identity).with_user_names(&Accounts).with_replay_cache(&replays);
    let document = Receiver::parse(&request, &ParseOptions::default()).unwrap();
    let opened = receiver.open(document, &Expectation::request(), now);
    let opened = opened.unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(&request)));
    assert_eq!(opened.action().as_deref(), Some(ACTION));

    let said = opened.body().unwrap().text().replace('&', "&amp;");
    let body = format!("<EchoResponse xmlns='{NAMESPACE}'><EchoResult>{said}, say we</EchoResult></EchoResponse>");
    let reply = Message::reply_to(&opened, format!("{ACTION}Response")).with_body(Body::from_xml(body).unwrap());
    let sender = Sender::service(binding).with_identity(identity).answering(opened.request_context());
    let envelope = sender.protect(&reply, &SystemRandom, now).unwrap().envelope;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        envelope.len()
    );
    connection.get_mut().write_all(&[head.as_bytes(), envelope.as_bytes()].concat()).unwrap();
    match opened.callers().first() {
        None => "nobody".to_owned(),
        Some(Caller::UserName(name)) => name.clone(),
        Some(other) => panic!("{other:?}"),
    }
}

/// A request or response of HTTP/1.1 with a length.
struct Http {
    body: Vec<u8>,
}

impl Http {
    fn read(connection: &mut BufReader<TcpStream>) -> Self {
        let mut length = 0;
        loop {
            let mut line = String::new();
            connection.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(number) = line.strip_prefix("content-length:") {
                length = number.trim().parse().unwrap();
            }
            if line == "expect: 100-continue" {
                connection.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            }
        }
        let mut body = vec![0; length];
        connection.read_exact(&mut body).unwrap();
        Self { body }
    }
}
