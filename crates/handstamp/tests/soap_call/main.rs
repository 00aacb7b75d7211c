//! `handstamp soap call` against services in this process: over TLS, and with bootstraps that TLS negotiates in messages.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp::soap::binding::read_binding;
use handstamp_keys::tls::{ClientCertificates, ServerSettings, TlsIdentity};
use handstamp_keys::{CertificateTrust, KeyKind, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{Reply, SoapService};
use handstamp_secure_conversation::{ApplicationRequest, SecureConversationService};
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::{Body, UserNameError, UserNameValidator};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

struct Ada;

impl UserNameValidator for Ada {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if (name, password) == ("ada", "secret") { Ok(()) } else { Err(UserNameError::Refused("unknown".to_owned())) }
    }
}

fn identity(name: &str) -> SigningIdentity {
    let now = SystemClock.now();
    let day = Duration::from_secs(86_400);
    let (from, to) = (now.saturating_sub(day), now.saturating_add(day));
    SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom).unwrap()
}

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Plain,
    Tls,
    /// The server asks for a certificate, and hangs up without one.
    MutualTls,
}

fn binding(bootstrap: &str, transport: &str) -> String {
    format!(
        "<customBinding><binding name='b'><security authenticationMode='SecureConversation'>\
         <secureConversationBootstrap authenticationMode='{bootstrap}'/></security><textMessageEncoding/>\
         <{transport}/></binding></customBinding>"
    )
}

/// The action `urn:w/late` is answered when it may be.
async fn who(request: Arc<ApplicationRequest>, late: &Late) -> Reply {
    if request.action() == "urn:w/late" {
        late.has_come.notify_one();
        late.may_go.notified().await;
    }
    let name = request.principal().name().unwrap_or("nobody");
    Reply::Message {
        action: "urn:told".to_owned(),
        body: Body::from_xml(format!("<you xmlns='urn:w'>{name}</you>")).unwrap(),
    }
}

/// An answer that waits.
#[derive(Default)]
struct Late {
    has_come: Notify,
    may_go: Notify,
}

/// A folder with the files of both ends, and a service.
struct World {
    folder: tempfile::TempDir,
    address: String,
    late: Arc<Late>,
}

impl World {
    async fn serve(bootstrap: &str, line: Line) -> Self {
        let transport = if line == Line::Plain { "httpTransport" } else { "httpsTransport" };
        Self::serve_binding(binding(bootstrap, transport), line).await
    }

    async fn serve_binding(text: String, line: Line) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tls = line != Line::Plain;
        std::fs::write(folder.path().join("binding.xml"), &text).unwrap();
        let (service, client) = (identity("localhost"), identity("client"));
        std::fs::write(folder.path().join("service.crt"), service.certificate().to_pem()).unwrap();
        client.create(&folder.path().join("client.pem")).unwrap();
        std::fs::write(folder.path().join("client.crt"), client.certificate().to_pem()).unwrap();
        identity("client").create(&folder.path().join("stranger.pem")).unwrap();
        let acceptor = tls.then(|| acceptor(folder.path(), line));
        let service = SecureConversationService::builder(read_binding(text.as_bytes()).unwrap().security().clone())
            .identity(service)
            .trust(CertificateTrust::none().with_certificate(client.certificate()))
            .user_names(Arc::new(Ada))
            .build()
            .unwrap();
        let late = Arc::<Late>::default();
        let waiting = Arc::clone(&late);
        let soap = SoapService::new(Arc::new(service), move |request| {
            let late = Arc::clone(&waiting);
            async move { who(request, &late).await }
        });
        let soap = if tls { soap.behind_tls() } else { soap };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scheme = if tls { "https" } else { "http" };
        let address = format!("{scheme}://localhost:{}/who", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            while let Ok((stream, peer)) = listener.accept().await {
                let soap = TowerToHyperService::new(soap.for_connection_from(peer.ip()));
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let server = hyper::server::conn::http1::Builder::new();
                    match acceptor {
                        None => server.serve_connection(TokioIo::new(stream), soap).await.ok(),
                        Some(acceptor) => {
                            let Ok(stream) = acceptor.accept(stream).await else { return };
                            server.serve_connection(TokioIo::new(stream), soap).await.ok()
                        }
                    };
                });
            }
        });
        Self { folder, address, late }
    }

    /// The file that holds the kept session.
    fn kept(&self) -> PathBuf {
        let files = std::fs::read_dir(self.folder.path().join("handstamp/soap")).unwrap();
        let is_session = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        files.map(|file| file.unwrap().path()).find(is_session).unwrap()
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What the command prints, or says when it fails.
    async fn call(&self, more: &[&str]) -> Result<String, String> {
        self.call_keeping(self.folder.path(), more).await
    }

    /// The same with sessions in another place.
    async fn call_keeping(&self, cache: &Path, more: &[&str]) -> Result<String, String> {
        let body = self.file("body.xml");
        std::fs::write(&body, "<who xmlns='urn:w'/>").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command
            .args(["soap", "call", &self.address, "--binding", &self.file("binding.xml"), "--body", &body])
            .args(["--service-cert", &self.file("service.crt")])
            .args(if more.contains(&"--session") { &[][..] } else { &["--session", "none"] })
            .args(more)
            .env("XDG_CACHE_HOME", cache)
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        if output.status.success() { Ok(text(output.stdout) + &text(output.stderr)) } else { Err(text(output.stderr)) }
    }
}

/// TLS with a certificate for `localhost` that vouches for itself, in `tls.pem`.
fn acceptor(folder: &Path, line: Line) -> TlsAcceptor {
    use std::os::unix::fs::PermissionsExt;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.join("tls.pem");
    std::fs::write(&path, format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let identities = vec![TlsIdentity::read(&path, &path).unwrap()];
    let client_certificates = match line {
        Line::MutualTls => ClientCertificates::Required(vec![folder.join("client.crt")]),
        _ => ClientCertificates::Off,
    };
    let settings = ServerSettings { identities, client_certificates };
    TlsAcceptor::from(settings.config(&["http/1.1"]).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_61_sessions_over_tls_with_an_authority_that_is_named() {
    let world = World::serve("UserNameOverTransport", Line::Tls).await;
    let ca = world.file("tls.pem");
    let told = world.call(&["--user", "ada:secret", "--ca", &ca]).await.unwrap();
    assert!(told.contains(">ada</you>"), "{told}");
    let error = world.call(&["--user", "ada:secret"]).await.unwrap_err();
    assert!(error.contains("certificate"), "the system's authorities do not vouch for it: {error}");
    let error = world.call(&["--user", "ada:wrong", "--ca", &ca]).await.unwrap_err();
    assert!(error.contains("FailedAuthentication"), "{error}");
    let other = PathBuf::from(world.file("missing.pem"));
    let error = world.call(&["--user", "ada:secret", "--ca", other.to_str().unwrap()]).await.unwrap_err();
    assert!(error.contains("missing.pem"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_75_bootstraps_that_tls_negotiates_in_messages() {
    let world = World::serve("UserNameForSslNegotiated", Line::Plain).await;
    let told = world.call(&["--user", "ada:secret", "-v"]).await.unwrap();
    assert!(told.contains(">ada</you>"), "{told}");
    for step in ["TLS is negotiated", "/RST/Issue\n", "/RSTR/Issue\n", "/RST/SCT\n"] {
        assert!(told.contains(step), "{step:?} in {told}");
    }
    let error = world.call(&["--user", "ada:wrong"]).await.unwrap_err();
    assert!(error.contains("FailedAuthentication"), "{error}");

    let world = World::serve("MutualSslNegotiated", Line::Plain).await;
    let told = world.call(&["--cert", &world.file("client.pem")]).await.unwrap();
    assert!(told.contains("CN=client; "), "{told}");
    let world = World::serve("AnonymousForSslNegotiated", Line::Plain).await;
    let told = world.call(&[]).await.unwrap();
    assert!(told.contains(">nobody</you>"), "{told}");
}

/// The certificate is shown in TLS, and in messages where the binding has it there.
#[tokio::test(flavor = "multi_thread")]
async fn sc_6_4_a_certificate_is_shown_to_a_server_that_asks_for_one() {
    let world = World::serve("CertificateOverTransport", Line::MutualTls).await;
    let (ca, cert, stranger) = (world.file("tls.pem"), world.file("client.pem"), world.file("stranger.pem"));
    let told = world.call(&["--cert", &cert, "--ca", &ca]).await.unwrap();
    assert!(told.contains(">CN=client; "), "{told}");
    let error = world.call(&["--cert", &stranger, "--ca", &ca]).await.unwrap_err();
    assert!(error.contains("HST-SOAP-HTTP"), "TLS ends before a message is sent: {error}");
    let error = world.call(&["--ca", &ca]).await.unwrap_err();
    assert!(error.contains("certificate"), "{error}");

    // In TLS alone; messages tell who calls by a password.
    let world = World::serve("UserNameOverTransport", Line::MutualTls).await;
    let (ca, cert) = (world.file("tls.pem"), world.file("client.pem"));
    let told = world.call(&["--user", "ada:secret", "--cert", &cert, "--ca", &ca]).await.unwrap();
    assert!(told.contains(">ada</you>"), "{told}");
    let error = world.call(&["--user", "ada:secret", "--ca", &ca]).await.unwrap_err();
    assert!(error.contains("HST-SOAP-HTTP") && !error.contains("secret"), "{error}");

    // The binding says so beforehand, and a key that others may read is not used.
    let required = binding("UserNameOverTransport", "httpsTransport requireClientCertificate='true'");
    let world = World::serve_binding(required, Line::MutualTls).await;
    let (ca, cert) = (world.file("tls.pem"), world.file("client.pem"));
    let error = world.call(&["--user", "ada:secret", "--ca", &ca, "-v"]).await.unwrap_err();
    assert!(error.contains("requireClientCertificate") && error.contains("--cert"), "{error}");
    assert!(!error.contains("POST"), "nothing was sent: {error}");
    let told = world.call(&["--user", "ada:secret", "--cert", &cert, "--ca", &ca]).await.unwrap();
    assert!(told.contains(">ada</you>"), "{told}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&cert, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = world.call(&["--user", "ada:secret", "--cert", &cert, "--ca", &ca]).await.unwrap_err();
        assert!(error.contains("client.pem"), "{error}");
    }
}

/// `establishSecurityContext="false"`: the negotiated context is all there is, and a kept one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn sc_75_a_negotiated_context_without_a_session() {
    let text = "<wsHttpBinding><binding><security><message clientCredentialType='UserName' establishSecurityContext='false'/>\
                </security></binding></wsHttpBinding>";
    let world = World::serve_binding(text.to_owned(), Line::Plain).await;
    let first = world.call(&["--user", "ada:secret", "-v", "--session", "reuse"]).await.unwrap();
    assert!(first.contains(">ada</you>") && first.contains("TLS is negotiated"), "{first}");
    assert!(!first.contains("/RST/SCT"), "{first}");
    let second = world.call(&["--user", "ada:secret", "-v", "--session", "reuse"]).await.unwrap();
    assert!(second.contains(">ada</you>") && second.contains("goes on"), "{second}");
    assert!(!second.contains("TLS is negotiated"), "{second}");
    let error = world.call(&["--user", "ada:wrong", "--session", "reuse"]).await.unwrap_err();
    assert!(error.contains("FailedAuthentication"), "{error}");
}

/// The service has processed the request: who sees no reply sends it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_printed_where_the_session_cannot_be_kept() {
    let world = World::serve("UserNameForCertificate", Line::Plain).await;
    let cache = world.folder.path().join("taken");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("handstamp"), "no folder").unwrap();
    let told = world.call_keeping(&cache, &["--user", "ada:secret", "--session", "reuse"]).await.unwrap();
    assert!(told.contains(">ada</you>") && told.contains("cannot write"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_saved_session_is_replaced() {
    let world = World::serve("UserNameForCertificate", Line::Plain).await;
    let call = async || world.call(&["--user", "ada:secret", "-v", "--session", "reuse"]).await.unwrap();
    call().await;
    for content in [&b"\xff\xfe"[..], b"", b"{"] {
        std::fs::write(world.kept(), content).unwrap();
        let told = call().await;
        assert!(told.contains(">ada</you>") && told.contains("obtaining a new session"), "{content:?}: {told}");
        let told = call().await;
        assert!(told.contains(">ada</you>") && told.contains("goes on"), "{content:?}: {told}");
    }
}

/// One call takes long; another renews the key meanwhile, under which the first is answered then (SC 11.2, finding 16).
#[tokio::test(flavor = "multi_thread")]
async fn sc_11_2_a_session_is_shared_with_calls_that_renew_its_key() {
    let binding = "<customBinding><binding name='b'><security authenticationMode='SecureConversation'>\
                   <localClientSettings sessionKeyRenewalInterval='00:00:04' sessionKeyRolloverInterval='00:00:04'/>\
                   <secureConversationBootstrap authenticationMode='UserNameForCertificate'/></security>\
                   <textMessageEncoding/><httpTransport/></binding></customBinding>";
    let world = World::serve_binding(binding.to_owned(), Line::Plain).await;
    let arguments = ["--user", "ada:secret", "-v", "--session", "reuse"];
    let late = [&arguments[..], &["--action", "urn:w/late"]].concat();
    world.call(&arguments).await.unwrap();
    let first = std::fs::read_to_string(world.kept()).unwrap();
    let meanwhile = async {
        world.late.has_come.notified().await;
        tokio::time::sleep(Duration::from_millis(4500)).await;
        let told = world.call(&arguments).await.unwrap();
        assert!(told.contains("is due") && told.contains(">ada</you>"), "{told}");
        let renewed = std::fs::read_to_string(world.kept()).unwrap();
        world.late.may_go.notify_one();
        renewed
    };
    let (told, renewed) = tokio::join!(world.call(&late), meanwhile);
    let told = told.unwrap();
    assert!(told.contains(">ada</you>") && told.contains("another process has renewed"), "{told}");
    assert_ne!(first, renewed);
    assert_eq!(std::fs::read_to_string(world.kept()).unwrap(), renewed, "the younger key is kept");
}

/// A session that is over for one call is not that of the next.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_call_has_saved_is_not_removed() {
    let world = World::serve("UserNameForCertificate", Line::Plain).await;
    world.call(&["--user", "ada:secret", "--session", "reuse"]).await.unwrap();
    let kept = std::fs::read_to_string(world.kept()).unwrap();
    let error = world.call(&["--user", "ada:wrong", "--session", "new"]).await.unwrap_err();
    assert!(error.contains("FailedAuthentication"), "{error}");
    assert_eq!(std::fs::read_to_string(world.kept()).unwrap(), kept);
}
