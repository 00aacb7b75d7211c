//! Real processes: services that are killed in the middle of a thousand sessions, and two behind a balancer.
//!
//! The test starts itself again as the service, so it has a `main` of its own.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and a program has to speak")]

use handstamp_keys::{KeyKind, KeyPolicy, KeyRing, RotationPolicy, SigningIdentity, SystemRandom};
use handstamp_secure_conversation::http::{CallError, Reply, SecureSession, SoapService};
use handstamp_secure_conversation::{
    ApplicationRequest, Error, NativeCookies, SecureConversationClient, SecureConversationService,
};
use handstamp_testkit::ports::ReservedPort;
use handstamp_time::{Clock as _, SystemClock, Timestamp};
use handstamp_ws_security::soap::QualifiedName;
use handstamp_ws_security::{
    Body, Generation, MessageSecurityVersion, SecurityBinding, UserNameCredential, UserNameError, UserNameValidator,
};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::watch;

const SESSIONS: usize = 1000;
const SCOPE: &str = "https://ledger.example/";

type Http = Client<HttpConnector, Full<bytes::Bytes>>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", folder, engine, port] => runtime.block_on(serve(Path::new(folder), engine == "stateful", port)),
        _ => {
            runtime.block_on(a_killed_stateful_service_loses_no_session());
            runtime.block_on(a_killed_stateless_service_loses_every_session());
            runtime.block_on(two_nodes_share_nothing_but_keys());
            println!("test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
        }
    }
}

/// SC-22: only the connections of the instant break; nobody authenticates again.
async fn a_killed_stateful_service_loses_no_session() {
    let folder = tempfile::tempdir().unwrap();
    let port = ReservedPort::new();
    let mut service = Process::start(folder.path(), "stateful", port.number());
    let sessions = sessions(&service.address, folder.path(), false).await;
    let contexts: Vec<_> = sessions.iter().map(|session| context_id(session)).collect();
    let (restarted, is_restarted) = watch::channel(false);
    let broken = Arc::new(AtomicUsize::new(0));
    let answered = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = sessions
        .iter()
        .cloned()
        .map(|session| {
            let (mut is_restarted, broken, answered) = (is_restarted.clone(), broken.clone(), answered.clone());
            tokio::spawn(async move {
                let mut calls_after = 0;
                while calls_after < 2 {
                    let after = *is_restarted.borrow();
                    match call(&session).await {
                        Ok(()) => {
                            answered.fetch_add(1, Ordering::Relaxed);
                            calls_after += usize::from(after);
                        }
                        Err(CallError::Http(_)) => {
                            broken.fetch_add(1, Ordering::Relaxed);
                            // Nothing to call until there is a service again.
                            let _ = is_restarted.wait_for(|restarted| *restarted).await;
                        }
                        Err(error) => panic!("a session was lost: {error}"),
                    }
                }
            })
        })
        .collect();
    // In the middle of the calls.
    while answered.load(Ordering::Relaxed) < SESSIONS / 2 {
        tokio::task::yield_now().await;
    }
    service.kill();
    service = Process::start(folder.path(), "stateful", port.number());
    restarted.send(true).unwrap();
    for caller in callers {
        caller.await.unwrap();
    }
    let same =
        sessions.iter().map(|session| context_id(session)).zip(contexts).filter(|(now, then)| now == then).count();
    assert_eq!(same, SESSIONS, "nobody has obtained another session");
    println!(
        "{SESSIONS} stateful sessions over a kill -9: {} calls answered, {} connections broken, no session lost",
        answered.load(Ordering::Relaxed),
        broken.load(Ordering::Relaxed)
    );
    service.kill();
}

/// SC-36: every one is told so, in the namespace of the endpoint.
async fn a_killed_stateless_service_loses_every_session() {
    let folder = tempfile::tempdir().unwrap();
    let port = ReservedPort::new();
    let mut service = Process::start(folder.path(), "stateless", port.number());
    let sessions = sessions(&service.address, folder.path(), true).await;
    service.kill();
    service = Process::start(folder.path(), "stateless", port.number());
    let expected = QualifiedName::new(Generation::V13.conversation(), "BadContextToken");
    for session in &sessions {
        let error = loop {
            match call(session).await {
                // A connection that was kept alive to the process that is gone.
                Err(CallError::Http(_)) => {}
                Err(error) => break error,
                Ok(()) => panic!("a session survived"),
            }
        };
        match error {
            CallError::Conversation(Error::Fault { fault, is_authenticated: false }) => {
                assert_eq!(fault.subcode.as_ref(), Some(&expected));
            }
            other => panic!("{other}"),
        }
        assert!(matches!(call(session).await, Err(CallError::Conversation(Error::SessionFaulted))));
    }
    println!("{SESSIONS} stateless sessions over a kill -9: every one was answered BadContextToken");
    service.kill();
}

/// SC-26: each message of a session reaches the other node.
async fn two_nodes_share_nothing_but_keys() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = [Process::start(folder.path(), "stateful", 0), Process::start(folder.path(), "stateful", 0)];
    let http = RoundRobin {
        http: Client::builder(TokioExecutor::new()).build_http(),
        nodes: nodes.iter().map(|node| node.address.parse().unwrap()).collect(),
        next: Arc::default(),
    };
    let sessions: Vec<_> = (0..10)
        .map(|_| SecureSession::new(client(&nodes[0].address, folder.path(), false), http.clone()).unwrap())
        .collect();
    for _ in 0..4 {
        for session in &sessions {
            call(session).await.unwrap();
        }
    }
    println!("two nodes behind a balancer: {} messages", http.next.load(Ordering::Relaxed));
    nodes.iter_mut().for_each(Process::kill);
}

/// Sends each request to the next node.
#[derive(Clone)]
struct RoundRobin {
    http: Http,
    nodes: Vec<Uri>,
    next: Arc<AtomicUsize>,
}

impl tower_service::Service<Request<Full<bytes::Bytes>>> for RoundRobin {
    type Response = Response<hyper::body::Incoming>;
    type Error = hyper_util::client::legacy::Error;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Full<bytes::Bytes>>) -> ResponseFuture {
        let node = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len();
        *request.uri_mut() = self.nodes[node].clone();
        self.http.request(request)
    }
}

async fn call<S, B>(session: &SecureSession<S>) -> Result<(), CallError>
where
    S: tower_service::Service<Request<Full<bytes::Bytes>>, Response = Response<B>> + Clone,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: hyper::body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let reply = session.call("urn:ledger/Whoami", Body::from_xml("<Whoami xmlns='urn:ledger'/>").unwrap()).await?;
    assert_eq!(reply.body().unwrap().text(), "alice", "the caller is known");
    Ok(())
}

/// As many sessions as the test speaks of, each of a client of its own, and used once.
async fn sessions(address: &str, folder: &Path, remembered: bool) -> Vec<Arc<SecureSession<Http>>> {
    let http: Http = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(16).build_http();
    let mut sessions = Vec::with_capacity(SESSIONS);
    for _ in 0..SESSIONS {
        let session = SecureSession::new(client(address, folder, remembered), http.clone()).unwrap();
        call(&session).await.unwrap();
        sessions.push(Arc::new(session));
    }
    sessions
}

fn context_id(session: &SecureSession<Http>) -> Option<String> {
    session.with_client(|client| client.context_id().map(str::to_owned))
}

fn client(address: &str, folder: &Path, remembered: bool) -> SecureConversationClient {
    SecureConversationClient::builder(binding(remembered), address)
        .service_certificate(identity(folder).certificate().clone())
        .user_name(UserNameCredential::new("alice", "secret"))
        .build()
        .unwrap()
}

fn binding(remembered: bool) -> SecurityBinding {
    let version = MessageSecurityVersion::WSS11_13_BSP;
    let bootstrap = SecurityBinding::user_name_for_certificate(version).unwrap();
    let mut binding = SecurityBinding::secure_conversation(bootstrap, version);
    binding.session_mut().unwrap().require_cancellation = remembered;
    binding
}

/// A service in a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts a service and waits for it to say its address.
    fn start(folder: &Path, engine: &str, port: u16) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", folder.to_str().unwrap(), engine, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("http://"), "the service says where it is: {address:?}");
        Self { child, address: address.trim().to_owned() }
    }

    /// SIGKILL: nothing is flushed.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves nothing running.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Accounts;

impl UserNameValidator for Accounts {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        if (name, password) == ("alice", "secret") {
            Ok(())
        } else {
            Err(UserNameError::Refused("no such account".to_owned()))
        }
    }
}

async fn whoami(request: Arc<ApplicationRequest>) -> Reply {
    let name = request.principal().name().unwrap_or_default().to_owned();
    let body = Body::from_xml(format!("<WhoamiResponse xmlns='urn:ledger'>{name}</WhoamiResponse>")).unwrap();
    Reply::Message { action: "urn:ledger/WhoamiResponse".to_owned(), body }
}

async fn serve(folder: &Path, is_stateful: bool, port: &str) {
    let service = SecureConversationService::builder(binding(!is_stateful))
        .identity(identity(folder))
        .user_names(Arc::new(Accounts))
        .cookies(Arc::new(NativeCookies::new(keys(folder), SCOPE)))
        .build()
        .unwrap();
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.unwrap();
    println!("http://{}/", listener.local_addr().unwrap());
    let soap = SoapService::new(Arc::new(service), whoami);
    axum::serve(listener, axum::Router::new().fallback_service(soap)).await.unwrap();
}

/// Made by whoever comes first.
fn identity(folder: &Path) -> SigningIdentity {
    let path = folder.join("identity.pem");
    if !path.exists() {
        let now = SystemClock.now();
        let end = now.saturating_add(Duration::from_secs(24 * 3600));
        let identity = SigningIdentity::self_signed("ledger", KeyKind::Rsa { bits: 2048 }, now, end, &SystemRandom);
        identity.unwrap().create(&path).unwrap();
    }
    SigningIdentity::read(&path, "", &KeyPolicy::default()).unwrap()
}

fn keys(folder: &Path) -> Arc<KeyRing> {
    let path = folder.join("keys.json");
    let policy = RotationPolicy::default();
    let ring = match path.exists() {
        true => KeyRing::open(&path, policy),
        false => KeyRing::init(&path, policy, SystemClock.now(), &SystemRandom),
    };
    Arc::new(ring.unwrap())
}
