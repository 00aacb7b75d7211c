//! Our two ends.

use crate::endpoints::Endpoint;
use bytes::Bytes;
use handstamp_keys::{CertificateTrust, KeyKind, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{CallError, Reply, SecureSession, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, Body, UserNameCredential, UserNameError, UserNameValidator};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The action of the one operation that the endpoints have.
pub const ACTION: &str = "http://xmlsoap.org/Ping";

/// The client's and the service's certificates with their keys.
pub struct Identities {
    /// The client's.
    pub alice: SigningIdentity,
    /// The service's.
    pub bob: SigningIdentity,
    /// What servers show in TLS.
    pub tls: SigningIdentity,
}

impl Identities {
    /// Makes them, and leaves them for the peer.
    pub fn generate(folder: &Path) {
        let identity = |name: &str| {
            let now = SystemClock.now();
            let (start, end) =
                (now.saturating_sub(Duration::from_secs(60)), now.saturating_add(Duration::from_secs(86_400)));
            let identity =
                SigningIdentity::self_signed(name, KeyKind::Rsa { bits: 2048 }, start, end, &SystemRandom).unwrap();
            identity.create(&folder.join(format!("{name}.pem"))).unwrap();
        };
        identity("alice");
        identity("bob");
        // TLS wants the name of the server in the certificate.
        let tls = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
        let file = folder.join("tls.pem");
        std::fs::write(&file, tls.cert.pem() + &tls.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Our own copy of what the peer has.
    pub fn read(folder: &Path) -> Self {
        let read =
            |name: &str| SigningIdentity::read(&folder.join(format!("{name}.pem")), "", &KeyPolicy::default()).unwrap();
        Self { alice: read("alice"), bob: read("bob"), tls: read("tls") }
    }
}

struct People;

impl UserNameValidator for People {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        let known = [("abcd", "dcba-dcba"), ("Alice", "ecilA-ecilA")].contains(&(name, password));
        known.then_some(()).ok_or_else(|| UserNameError::Refused("unknown name or wrong password".to_owned()))
    }
}

/// The application: the text comes back behind the name of who sent it.
async fn ping(request: Arc<ApplicationRequest>) -> Reply {
    let body = request.body().unwrap();
    let content = body.children().next().unwrap();
    let text = |name| content.child(ACTION, name).unwrap().text().into_owned();
    let text = format!("{} : {}", text("origin"), text("text"));
    let body = Body::from_xml(format!("<PingResponse xmlns='{ACTION}'><text>{text}</text></PingResponse>")).unwrap();
    Reply::Message { action: ACTION.to_owned(), body }
}

/// A running service.
pub struct Service {
    /// Where it is.
    pub address: String,
    state: Arc<SecureConversationService>,
}

impl Service {
    /// How many sessions it remembers.
    pub fn sessions(&self) -> usize {
        self.state.sessions(SystemClock.now()).len()
    }
}

/// Serves an endpoint.
pub async fn serve(endpoint: &Endpoint, folder: &Path) -> Service {
    let identities = Identities::read(folder);
    let keys = KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom).unwrap();
    let service = SecureConversationService::builder(endpoint.binding())
        .identity(Identities::read(folder).bob)
        .trust(CertificateTrust::none().with_certificate(identities.alice.certificate()))
        .user_names(Arc::new(People))
        .cookies(Arc::new(NativeCookies::new(Arc::new(keys), endpoint.name)))
        .build()
        .unwrap();
    let state = Arc::new(service);
    let soap = SoapService::new(Arc::clone(&state), ping);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    if !endpoint.is_over_transport() {
        tokio::spawn(accept(listener, soap, None));
        return Service { address: format!("http://{address}/{}", endpoint.name), state };
    }
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identities.tls.key().to_pkcs8().unwrap().to_vec()));
    let certificate = CertificateDer::from(identities.tls.certificate().der().to_vec());
    let tls = rustls::ServerConfig::builder_with_provider(handstamp_keys::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    tokio::spawn(accept(listener, soap.behind_tls(), Some(TlsAcceptor::from(Arc::new(tls)))));
    Service { address: format!("https://{address}/{}", endpoint.name), state }
}

async fn accept<A>(listener: TcpListener, soap: SoapService<A>, tls: Option<TlsAcceptor>)
where
    A: handstamp_secure_conversation::http::Application,
{
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (soap, tls) = (soap.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, soap).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, soap).await;
                    }
                }
            }
        });
    }
}

async fn converse<A, S>(stream: S, soap: SoapService<A>)
where
    A: handstamp_secure_conversation::http::Application,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let server = hyper::server::conn::http1::Builder::new();
    // A peer that goes away is no failure here.
    let _ = server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(soap)).await;
}

type Http = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Our client of an endpoint.
pub type Session = SecureSession<Http>;

/// A session with an endpoint at this address.
pub fn session(endpoint: &Endpoint, folder: &Path, address: &str) -> Session {
    let Identities { alice, bob, tls: shown } = Identities::read(folder);
    let over_transport = endpoint.is_over_transport();
    let (name, password) = if over_transport { ("Alice", "ecilA-ecilA") } else { ("abcd", "dcba-dcba") };
    let client = SecureConversationClient::builder(endpoint.binding(), address)
        .message_version(SoapVersion::Soap12, AddressingVersion::August2004)
        .service_certificate(bob.certificate().clone())
        .identity(alice)
        .user_name(UserNameCredential::new(name, password))
        .build()
        .unwrap();
    let tls = rustls::ClientConfig::builder_with_provider(handstamp_keys::tls::provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(tls::Pinned(shown.certificate().der().to_vec())))
        .with_no_client_auth();
    let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let http = Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp));
    SecureSession::new(client, http).unwrap()
}

/// Calls an endpoint in a session; the text that comes back.
pub async fn call(session: &Session, text: &str) -> Result<String, CallError> {
    let body = format!("<PingRequest xmlns='{ACTION}'><origin>Handstamp</origin><text>{text}</text></PingRequest>");
    let reply = session.call(ACTION, Body::from_xml(body).unwrap()).await?;
    Ok(reply.body().map(|body| body.text().into_owned()).unwrap_or_default())
}

mod tls {
    use rustls::DigitallySignedStruct;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{Error, SignatureScheme};

    /// Trusts the one certificate that the test made, whatever name it has.
    #[derive(Debug)]
    pub(super) struct Pinned(pub(super) Vec<u8>);

    impl ServerCertVerifier for Pinned {
        fn verify_server_cert(
            &self,
            end_entity: &CertificateDer<'_>,
            _intermediates: &[CertificateDer<'_>],
            _server_name: &ServerName<'_>,
            _ocsp_response: &[u8],
            _now: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            let is_pinned = end_entity.as_ref() == self.0;
            is_pinned
                .then(ServerCertVerified::assertion)
                .ok_or_else(|| Error::General("another certificate".to_owned()))
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = handstamp_keys::tls::provider().signature_verification_algorithms;
            rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = handstamp_keys::tls::provider().signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            handstamp_keys::tls::provider().signature_verification_algorithms.supported_schemes()
        }
    }
}
