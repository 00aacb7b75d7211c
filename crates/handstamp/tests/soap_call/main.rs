//! `handstamp soap call` against services in this process: over TLS, and with bootstraps that TLS negotiates in messages.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use handstamp_keys::tls::{ClientCertificates, ServerSettings, TlsIdentity};
use handstamp_keys::{CertificateTrust, KeyKind, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{Reply, SoapService};
use handstamp_secure_conversation::{ApplicationRequest, SecureConversationService};
use handstamp_security_policy::CustomBinding;
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::{Body, UserNameValidator};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

struct Ada;

impl UserNameValidator for Ada {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), String> {
        if (name, password) == ("ada", "secret") { Ok(()) } else { Err("unknown".to_owned()) }
    }
}

fn identity(name: &str) -> SigningIdentity {
    let now = SystemClock.now();
    let day = Duration::from_secs(86_400);
    let (from, to) = (now.saturating_sub(day), now.saturating_add(day));
    SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, from, to, &SystemRandom).unwrap()
}

fn binding(bootstrap: &str, transport: &str) -> String {
    format!(
        "<customBinding><binding name='b'><security authenticationMode='SecureConversation'>\
         <secureConversationBootstrap authenticationMode='{bootstrap}'/></security><textMessageEncoding/>\
         <{transport}/></binding></customBinding>"
    )
}

async fn who(request: Arc<ApplicationRequest>) -> Reply {
    let name = request.principal().name().unwrap_or("nobody");
    Reply::Message {
        action: "urn:told".to_owned(),
        body: Body::from_xml(format!("<you xmlns='urn:w'>{name}</you>")).unwrap(),
    }
}

/// A folder with the files of both ends, and a service.
struct World {
    folder: tempfile::TempDir,
    address: String,
}

impl World {
    async fn serve(bootstrap: &str, tls: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let transport = if tls { "httpsTransport" } else { "httpTransport" };
        let text = binding(bootstrap, transport);
        std::fs::write(folder.path().join("binding.xml"), &text).unwrap();
        let (service, client) = (identity("localhost"), identity("client"));
        std::fs::write(folder.path().join("service.crt"), service.certificate().to_pem()).unwrap();
        client.create(&folder.path().join("client.pem")).unwrap();
        let acceptor = tls.then(|| acceptor(folder.path()));
        let service = SecureConversationService::builder(CustomBinding::parse(text).unwrap().security().clone())
            .identity(service)
            .trust(CertificateTrust::none().with_certificate(client.certificate()))
            .user_names(Arc::new(Ada))
            .build()
            .unwrap();
        let soap = SoapService::new(Arc::new(service), who);
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
        Self { folder, address }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What the command prints, or says when it fails.
    async fn call(&self, more: &[&str]) -> Result<String, String> {
        let body = self.file("body.xml");
        std::fs::write(&body, "<who xmlns='urn:w'/>").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command
            .args(["soap", "call", &self.address, "--binding", &self.file("binding.xml"), "--body", &body])
            .args(["--service-cert", &self.file("service.crt"), "--session", "none"])
            .args(more)
            .env("XDG_CACHE_HOME", self.folder.path())
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
        if output.status.success() { Ok(text(output.stdout) + &text(output.stderr)) } else { Err(text(output.stderr)) }
    }
}

/// TLS with a certificate for `localhost` that vouches for itself, in `tls.pem`.
fn acceptor(folder: &Path) -> TlsAcceptor {
    use std::os::unix::fs::PermissionsExt;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let path = folder.join("tls.pem");
    std::fs::write(&path, format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let identities = vec![TlsIdentity::read(&path, &path).unwrap()];
    let settings = ServerSettings { identities, client_certificates: ClientCertificates::Off };
    TlsAcceptor::from(settings.config(&["http/1.1"]).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn sc_61_sessions_over_tls_with_an_authority_that_is_named() {
    let world = World::serve("UserNameOverTransport", true).await;
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
    let world = World::serve("UserNameForSslNegotiated", false).await;
    let told = world.call(&["--user", "ada:secret", "-v"]).await.unwrap();
    assert!(told.contains(">ada</you>"), "{told}");
    for step in ["TLS is negotiated", "/RST/Issue\n", "/RSTR/Issue\n", "/RST/SCT\n"] {
        assert!(told.contains(step), "{step:?} in {told}");
    }
    let error = world.call(&["--user", "ada:wrong"]).await.unwrap_err();
    assert!(error.contains("FailedAuthentication"), "{error}");

    let world = World::serve("MutualSslNegotiated", false).await;
    let told = world.call(&["--cert", &world.file("client.pem")]).await.unwrap();
    assert!(told.contains("CN=client; "), "{told}");
    let world = World::serve("AnonymousForSslNegotiated", false).await;
    let told = world.call(&[]).await.unwrap();
    assert!(told.contains(">nobody</you>"), "{told}");
}
