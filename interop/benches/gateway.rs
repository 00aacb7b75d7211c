//! What a message costs on its way through a SOAP route, by the time of the processor that the gateway's process takes for it:
//! `terminate` and `initiate` at 1, 100 and 10,000 sessions, beside the plain proxy, and beside Apache CXF's own service and client
//! in the same exchange.
//!
//! Basic256, derived keys, signed and encrypted, the signature encrypted; 4 KB of text in each request and reply. The gateway is a
//! process of its own (this program once more); callers and services are all in this one, and do not count. CXF's part needs a build
//! of `interop/cxf` (`cargo xtask test --only interop`). Seconds for each row: the argument `--seconds N`.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking, and has to speak")]

use bytes::Bytes;
use handstamp::config::Config;
use handstamp::gateway::Gateway;
use handstamp::shutdown;
use handstamp_interop::endpoints::{Client as Who, Endpoint, Form};
use handstamp_interop::ours::{self, ACTION, Identities};
use handstamp_interop::peer::Peer;
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_secure_conversation::SecureConversationClient;
use handstamp_secure_conversation::http::SecureSession;
use handstamp_time::{Clock as _, SystemClock};
use handstamp_ws_security::soap::SoapVersion;
use handstamp_ws_security::{AddressingVersion, Body, ProtectionOrder};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

const REMEMBERED: Endpoint = Endpoint {
    name: "Remembered",
    client: Who::Anonymous,
    derived_keys: true,
    cookie: false,
    order: ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
    suite: "Basic256",
    form: Form::Usual,
};
/// The same, sessions sealed into their tokens.
const SEALED: Endpoint = Endpoint { name: "Sealed", cookie: true, ..REMEMBERED };
const BYTES: usize = 4096;
const SESSIONS: [usize; 3] = [1, 100, 10_000];
/// Calls under way at a time.
const CALLERS: usize = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--gateway") {
        return be_the_gateway(Path::new(&arguments[at + 1]));
    }
    let seconds = arguments.iter().position(|argument| argument == "--seconds");
    let seconds = seconds.map_or(5, |at| arguments[at + 1].parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    Identities::generate(folder.path());
    for endpoint in [REMEMBERED, SEALED] {
        std::fs::write(folder.path().join(format!("{}.wsdl", endpoint.name)), endpoint.wsdl()).unwrap();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run(folder.path(), Duration::from_secs(seconds)));
}

async fn run(folder: &Path, time: Duration) {
    let bench = Bench { folder, http: http() };
    let (plain, ours) = (plain_service().await, ours::serve(&REMEMBERED, folder).await);
    println!("{:<44} {:>9} {:>10} {:>8} {:>8} {:>12}", "", "µs of CPU", "msg/s·core", "p50 ms", "p99 ms", "memory");
    let gateway = Process::gateway(folder, &plain, &ours.address);
    let proxy = format!("{}/proxy", gateway.address);
    let row = bench.measure(gateway.id(), time, |_| bench.post(&proxy, "anybody")).await;
    show("plain proxy", &row, &gateway, 0);
    drop(gateway);
    for (name, endpoint, path) in
        [("terminate, remembered", &REMEMBERED, "remembered"), ("terminate, sealed", &SEALED, "sealed")]
    {
        for sessions in SESSIONS {
            let gateway = Process::gateway(folder, &plain, &ours.address);
            let before = memory(gateway.id());
            let address = format!("{}/{path}", gateway.address);
            let sessions = bench.sessions(endpoint, &address, sessions).await;
            let row = bench.measure(gateway.id(), time, |turn| call(&sessions[turn % sessions.len()])).await;
            show(&format!("{name}, {} sessions", sessions.len()), &row, &gateway, before);
        }
    }
    for sessions in SESSIONS {
        let gateway = Process::gateway(folder, &plain, &ours.address);
        let before = memory(gateway.id());
        let address = format!("{}/plain", gateway.address);
        bench.each(sessions, |turn| bench.post(&address, turn)).await;
        let row = bench.measure(gateway.id(), time, |turn| bench.post(&address, turn % sessions)).await;
        show(&format!("initiate, {sessions} sessions"), &row, &gateway, before);
    }
    if !Peer::is_there() {
        println!("Apache CXF is not built, so nothing is compared: cargo xtask test --only interop builds it");
        return;
    }
    let mut peer = Peer::start_for_speed(folder);
    let theirs = peer.tell(&format!("serve {}", REMEMBERED.name)).unwrap();
    for sessions in [1, 100] {
        let sessions = bench.sessions(&REMEMBERED, &theirs, sessions).await;
        // The virtual machine has to have seen it.
        bench.measure(peer.id(), time * 6, |turn| call(&sessions[turn % sessions.len()])).await;
        let row = bench.measure(peer.id(), time * 2, |turn| call(&sessions[turn % sessions.len()])).await;
        println!("{row:<44}", row = row.line(&format!("CXF's service, {} sessions", sessions.len())));
    }
    let seconds = time.as_secs();
    for _ in 0..2 {
        let answer =
            peer.tell(&format!("bench {} dom {} {} {BYTES}", REMEMBERED.name, ours.address, seconds * 3)).unwrap();
        let (calls, spent) = answer.split_once(' ').unwrap();
        let (calls, spent) = (calls.parse::<f64>().unwrap(), spent.parse::<f64>().unwrap());
        println!("{:<44} {:>9.0} {:>10.0}", "CXF's client, 1 session", spent / calls * 1e6, calls / spent);
    }
}

/// What a run of calls came to.
struct Row {
    calls: usize,
    processor: Duration,
    latencies: Vec<Duration>,
}

impl Row {
    fn line(&self, name: &str) -> String {
        let of_one = self.processor.as_secs_f64() / self.calls as f64;
        let at = |share: usize| self.latencies[(self.latencies.len() - 1) * share / 100].as_secs_f64() * 1e3;
        format!("{name:<44} {:>9.0} {:>10.0} {:>8.2} {:>8.2}", of_one * 1e6, 1.0 / of_one, at(50), at(99))
    }
}

fn show(name: &str, row: &Row, gateway: &Process, before: usize) {
    let after = memory(gateway.id());
    println!("{} {:>5} → {after} KB", row.line(name), if before == 0 { after } else { before });
}

struct Bench<'b> {
    folder: &'b Path,
    http: Http,
}

type Http = Client<HttpConnector, Full<Bytes>>;

fn http() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(CALLERS).build(connector)
}

impl Bench<'_> {
    /// Calls for as long as the time lasts, several at once, and what the process `id` took for it.
    async fn measure<F>(&self, id: u32, time: Duration, call: impl Fn(usize) -> F) -> Row
    where
        F: Future<Output = ()>,
    {
        let (turn, start, before) = (AtomicUsize::new(0), Instant::now(), processor_time(id));
        let one = async || {
            let mut latencies = Vec::new();
            while start.elapsed() < time {
                let begun = Instant::now();
                call(turn.fetch_add(1, Ordering::Relaxed)).await;
                latencies.push(begun.elapsed());
            }
            latencies
        };
        let mut latencies: Vec<Duration> =
            futures_util::future::join_all((0..CALLERS).map(|_| one())).await.into_iter().flatten().collect();
        let processor = processor_time(id) - before;
        latencies.sort_unstable();
        Row { calls: latencies.len(), processor, latencies }
    }

    /// Does something so many times, several at once.
    async fn each<F>(&self, count: usize, what: impl Fn(usize) -> F)
    where
        F: Future<Output = ()>,
    {
        let turn = AtomicUsize::new(0);
        let one = async || {
            loop {
                let number = turn.fetch_add(1, Ordering::Relaxed);
                if number >= count {
                    return;
                }
                what(number).await;
            }
        };
        futures_util::future::join_all((0..CALLERS).map(|_| one())).await;
    }

    /// So many sessions with the service at `address`, each with its first call: a service lets few wait for theirs.
    async fn sessions(&self, endpoint: &Endpoint, address: &str, count: usize) -> Vec<SecureSession<Http>> {
        let (binding, bob) = (endpoint.binding(), Identities::read(self.folder).bob);
        let one = |_| {
            let client = SecureConversationClient::builder(binding.clone(), address)
                .message_version(SoapVersion::Soap12, AddressingVersion::August2004)
                .service_certificate(bob.certificate().clone())
                .build()
                .unwrap();
            SecureSession::new(client, self.http.clone()).unwrap()
        };
        let sessions: Vec<_> = (0..count).map(one).collect();
        self.each(count, async |number| call(&sessions[number]).await).await;
        sessions
    }

    /// A plain call as the caller of this name.
    async fn post(&self, address: &str, caller: impl std::fmt::Display) {
        let credentials = base64_simd::STANDARD.encode_to_string(format!("{caller}:password"));
        let request = Request::post(address)
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", format!("application/soap+xml; charset=utf-8; action=\"{ACTION}\""));
        let request = request.body(Full::from(REQUEST.as_str())).unwrap();
        let response = self.http.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(status.is_success() && body.len() > BYTES, "{status}: {}", String::from_utf8_lossy(&body));
    }
}

static TEXT: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| "x".repeat(BYTES));

static REQUEST: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| {
    format!(
        "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\"><e:Body><PingRequest xmlns=\"{ACTION}\">\
         <origin>plain</origin><text>{}</text></PingRequest></e:Body></e:Envelope>",
        *TEXT
    )
});

async fn call(session: &SecureSession<Http>) {
    let body = format!("<PingRequest xmlns='{ACTION}'><origin>Handstamp</origin><text>{}</text></PingRequest>", *TEXT);
    let reply = session.call(ACTION, Body::from_xml(body).unwrap()).await.unwrap();
    assert!(reply.body().unwrap().text().len() > BYTES);
}

/// A plain service with one answer; its address.
async fn plain_service() -> String {
    let answer = Bytes::from(REQUEST.replace("PingRequest", "PingResponse"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let answer = answer.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = answer.clone();
                async move {
                    request.into_body().collect().await?;
                    let response = Response::builder().header("content-type", "application/soap+xml; charset=utf-8");
                    Ok::<_, hyper::Error>(response.body(Full::new(answer)).unwrap())
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    format!("http://{address}")
}

/// The gateway's process; dropping it ends it.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn gateway(folder: &Path, plain: &str, ours: &str) -> Self {
        let keys = folder.join("handstamp-keys.json");
        if !keys.exists() {
            let bob = Identities::read(folder).bob;
            std::fs::write(folder.join("bob.crt"), bob.certificate().to_pem()).unwrap();
            let policy = RotationPolicy::for_lifetime(Duration::from_secs(10 * 3600));
            KeyRing::init(&keys, policy, SystemClock.now(), &SystemRandom).unwrap();
        }
        let terminate = |name: &str, wsdl: &str| {
            format!(
                "[soap.{name}]\nmode = \"terminate\"\npath = \"/{name}\"\nupstream = \"{plain}/\"\nwsdl = \"{wsdl}.wsdl\"\n\
                 identity = \"bob.pem\"\nmax_sessions = 20000\nsession_requests = {{ requests = 1000000 }}\n"
            )
        };
        let toml = format!(
            "[listener.public]\naddress = \"127.0.0.1:0\"\n{}{}\
             [soap.plain]\nmode = \"initiate\"\npath = \"/plain\"\nupstream = \"{ours}\"\nwsdl = \"{}.wsdl\"\n\
             peer_certificates = [\"bob.crt\"]\ncallers = \"basic\"\nmax_sessions = 20000\n\
             [web.proxy]\npath = \"/proxy\"\nupstream = \"{plain}\"\n",
            terminate("remembered", REMEMBERED.name),
            terminate("sealed", SEALED.name),
            REMEMBERED.name
        );
        std::fs::write(folder.join("handstamp.toml"), toml).unwrap();
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.arg("--gateway").arg(folder.join("handstamp.toml"));
        let mut child = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { child, address: address.trim().to_owned() }
    }

    fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn be_the_gateway(config: &Path) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let gateway = Gateway::bind(&Config::load(config).unwrap()).await.unwrap();
        println!("http://{}", gateway.address("public").unwrap());
        let (_trigger, end) = shutdown::channel();
        gateway.serve(end).await;
    });
}

/// Of all threads of a process, its own and the kernel's for it, those that ended included: other programs on the machine do not count.
fn processor_time(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11..13].iter().map(|field| field.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

/// Resident, in KB.
fn memory(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().split(' ').next().unwrap().parse().unwrap()
}
