//! Token service, service and command line over real sockets: a token is obtained, a session opened with it, and the session
//! outlives both services.

#![allow(clippy::unwrap_used, reason = "what cannot be unwrapped fails the test")]

use bytes::Bytes;
use handstamp::config::Config;
use handstamp::sts::{
    AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, SecurityTokenService, Surroundings, UserName,
};
use handstamp_keys::{Certificate, CertificateTrust, KeyKind, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_saml::{IssuerNameRegistry, SamlTokenHandler, TokenDecryption, TrustedIssuer, ValidationSettings};
use handstamp_secure_conversation::http::{Reply, SoapService};
use handstamp_secure_conversation::{ApplicationRequest, NativeCookies, SamlTokens, SecureConversationService};
use handstamp_security_policy::CustomBinding;
use handstamp_testkit::ports::ReservedPort;
use handstamp_time::{Clock as _, SystemClock};
use handstamp_ws_security::{Body, MemoryReplayCache};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tower::Service as _;

const PASSWORD: &str = "correct horse";

/// How long tasks may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Something that listens, in a runtime of its own: dropped like a process that is killed, with all its connections.
struct Server(Option<Runtime>);

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // Its port is free again when this returns.
            runtime.shutdown_timeout(PATIENCE);
        }
    }
}

/// Serves on a port, with what `serve` answers.
fn start<F, R>(port: u16, serve: F) -> Server
where
    F: Fn(Request<Incoming>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, port))).unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let serve = serve.clone();
            let service = service_fn(move |request| {
                let answer = serve(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Server(Some(runtime))
}

/// The token service of a folder, for the ledger alone.
fn token_service(folder: &Path, ledger: &str, port: u16) -> Server {
    let text = format!(
        r#"
        [listener.public]
        address = "127.0.0.1:0"
        [sts]
        public_url = "http://127.0.0.1:{port}"
        entity_id = "urn:sts"
        accounts = "accounts.db"
        signing_key = "sts.pem"
        active = true
        [sts.relying_party.ledger]
        realm = "{ledger}"
        reply_urls = []
        encryption_certificate = "ledger.crt"
        token = "saml-2.0"
        "#
    );
    let config = Config::parse(&text, &folder.join("handstamp.toml")).unwrap_or_else(|error| panic!("{error}"));
    let keys = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom).unwrap();
    let surroundings = Surroundings {
        keys: Arc::new(keys),
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        revocations: None,
        password_cost: CHEAP,
        limiter: Arc::default(),
        replays: Arc::new(MemoryReplayCache::new(100)),
        addresses: Arc::default(),
        logout_channel: None,
    };
    let service = SecurityTokenService::open(&config.sts.unwrap(), &surroundings).unwrap();
    start(port, move |request| {
        let service = service.clone();
        async move { service.answer(request, IpAddr::from(Ipv4Addr::LOCALHOST)).await.map(Full::from) }
    })
}

/// A ledger that knows callers by their tokens, and says who calls.
fn ledger(folder: &Path, address: &str, port: u16, binding: &str) -> Server {
    let binding = CustomBinding::parse(binding).unwrap();
    let pem = std::fs::read(folder.join("ledger.pem")).unwrap();
    let identity = SigningIdentity::from_pem(&pem, &handstamp_keys::KeyPolicy::default()).unwrap();
    let issuer = Certificate::read_all(&std::fs::read(folder.join("sts.crt")).unwrap()).unwrap().remove(0);
    let issuers = IssuerNameRegistry::new()
        .with_issuer(TrustedIssuer::new("sts", CertificateTrust::none()).with_certificate(issuer));
    let handler = SamlTokenHandler::new(issuers, ValidationSettings::new([address]))
        .with_decryption(TokenDecryption::new([identity.clone()]));
    let path = folder.join("keys.json");
    let keys = match path.exists() {
        true => KeyRing::open(&path, RotationPolicy::default()),
        false => KeyRing::init(&path, RotationPolicy::default(), SystemClock.now(), &SystemRandom),
    };
    let service = SecureConversationService::builder(binding.security().clone())
        .identity(identity)
        .issued_tokens(Arc::new(SamlTokens::new(handler, binding.security()).unwrap()))
        .cookies(Arc::new(NativeCookies::new(Arc::new(keys.unwrap()), address)))
        .build()
        .unwrap();
    let soap = SoapService::new(Arc::new(service), |request: Arc<ApplicationRequest>| async move {
        let caller = request.principal().name().unwrap_or("nobody").to_owned();
        let body = Body::from_xml(format!("<WhoamiResponse xmlns='urn:ledger'>{caller}</WhoamiResponse>")).unwrap();
        Reply::Message { action: "urn:ledger/WhoamiResponse".to_owned(), body }
    });
    start(port, move |request| {
        let mut soap = soap.clone();
        async move {
            match soap.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    })
}

struct World {
    folder: tempfile::TempDir,
    address: String,
    issuer: String,
}

struct Answer {
    code: Option<i32>,
    out: String,
    err: String,
}

impl World {
    fn call(&self, password: &str, more: &[&str]) -> Answer {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let output = Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(["soap", "call", &self.address, "--binding", &file("binding.xml"), "-v"])
            .args(["--service-cert", &file("ledger.crt"), "--issuer-cert", &file("sts.crt")])
            .args(["--issuer", &self.issuer, "--user", "alice", "--body", &file("body.xml")])
            .args(more)
            .env("HANDSTAMP_PASSWORD", password)
            .env("XDG_CACHE_HOME", self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |octets| String::from_utf8(octets).unwrap();
        Answer { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

#[test]
fn wst_4_a_session_opened_with_a_token_outlives_the_token_service_and_a_restart_of_the_service() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let end = now.saturating_add(Duration::from_secs(24 * 3600));
    let identity =
        SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom).unwrap();
    identity.create(&folder.path().join("ledger.pem")).unwrap();
    let write = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write("ledger.crt", &identity.certificate().to_pem());
    write("binding.xml", BINDING);
    write("body.xml", "<Whoami xmlns='urn:ledger'/>");
    let hasher = PasswordHasher::new(CHEAP, &SystemRandom).unwrap();
    let runtime = Runtime::new().unwrap();
    let account = NewAccount {
        user_name: UserName::parse("Alice").unwrap(),
        subject: "c3ViamVjdA==".into(),
        password_hash: runtime.block_on(hasher.hash(PasswordText::new(PASSWORD), &SystemRandom)).unwrap(),
        claims: Vec::new(),
    };
    AccountStore::open(&folder.path().join("accounts.db")).unwrap().create(&account, now).unwrap();
    let ports = ReservedPort::in_a_row::<2>();
    let [of_ledger, of_sts] = ports.each_ref().map(ReservedPort::number);
    let address = format!("http://127.0.0.1:{of_ledger}/");
    let issuer = format!("http://127.0.0.1:{of_sts}/trust/13/username");
    let world = World { folder, address, issuer };
    let folder = world.folder.path();

    let sts = token_service(folder, &world.address, of_sts);
    let service = ledger(folder, &world.address, of_ledger, BINDING);
    let refused = world.call("wrong", &["--session", "none"]);
    assert!(refused.code == Some(1) && refused.err.contains("FailedAuthentication"), "{}", refused.err);
    let elsewhere = world.call(PASSWORD, &["--session", "none", "--applies-to", "urn:other"]);
    assert!(elsewhere.code == Some(1) && elsewhere.err.contains("InvalidScope"), "{}", elsewhere.err);
    let first = world.call(PASSWORD, &[]);
    assert_eq!((first.code, first.out.contains(">Alice<")), (Some(0), true), "{} {}", first.out, first.err);
    assert!(first.err.contains("/RST/Issue") && first.err.contains("/RST/SCT"), "{}", first.err);
    assert!(!first.err.contains(PASSWORD), "{}", first.err);

    drop(sts);
    drop(service);
    let down = world.call(PASSWORD, &[]);
    assert_eq!(down.code, Some(1), "{}", down.err);
    let service = ledger(folder, &world.address, of_ledger, BINDING);
    // Neither the password nor the token service is needed.
    let second = world.call("forgotten", &[]);
    assert_eq!((second.code, second.out.contains(">Alice<")), (Some(0), true), "{} {}", second.out, second.err);
    assert!(!second.err.contains("/RST"), "{}", second.err);

    // A token for a private key: that of a certificate, or one that is made for the token.
    drop(service);
    let binding = BINDING.replace("SymmetricKey", "AsymmetricKey");
    std::fs::write(folder.join("binding.xml"), &binding).unwrap();
    let _sts = token_service(folder, &world.address, of_sts);
    let _service = ledger(folder, &world.address, of_ledger, &binding);
    let holder = SigningIdentity::self_signed("alice", KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom).unwrap();
    holder.create(&folder.join("alice.pem")).unwrap();
    let cert = folder.join("alice.pem").display().to_string();
    for more in [&["--session", "none"][..], &["--session", "none", "--cert", &cert]] {
        let called = world.call(PASSWORD, more);
        assert_eq!((called.code, called.out.contains(">Alice<")), (Some(0), true), "{} {}", called.out, called.err);
    }
}

const CHEAP: PasswordCost = PasswordCost { memory: 8, passes: 1 };

const BINDING: &str = r#"<customBinding><binding>
  <security authenticationMode="SecureConversation" requireSecurityContextCancellation="false"
      messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12">
    <secureConversationBootstrap authenticationMode="IssuedTokenForCertificate"
        messageSecurityVersion="WSSecurity11WSTrust13WSSecureConversation13WSSecurityPolicy12">
      <issuedTokenParameters keyType="SymmetricKey">
        <claimTypeRequirements>
          <add claimType="http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"/>
        </claimTypeRequirements>
      </issuedTokenParameters>
    </secureConversationBootstrap>
  </security>
  <textMessageEncoding/>
  <httpTransport/>
</binding></customBinding>"#;
