//! An application, a gateway in front of it, and a client that writes bytes.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use handstamp::config::Config;
use handstamp::gateway::{Gateway, Reloader};
use handstamp::shutdown::{self, Trigger};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

/// An HTTP application that remembers what it was asked.
pub(crate) struct Application {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Request<Bytes>>>>,
}

impl Application {
    /// Answers everything with what `answer` makes of it.
    pub(crate) async fn answering<F>(answer: F) -> Self
    where
        F: Fn(&Request<Bytes>) -> Response<String> + Send + Sync + 'static,
    {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let received: Arc<Mutex<Vec<Request<Bytes>>>> = Arc::default();
        let (seen, answer) = (Arc::clone(&received), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = socket.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                let service = service_fn(move |request: Request<Incoming>| {
                    let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await?.to_bytes();
                        let request = Request::from_parts(parts, body);
                        let response = answer(&request);
                        seen.lock().expect("no panic").push(request);
                        Ok::<_, hyper::Error>(response.map(|text| Full::new(Bytes::from(text))))
                    }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { address, received }
    }

    /// Answers everything with "hello".
    pub(crate) async fn hello() -> Self {
        Self::answering(|_| Response::new("hello".to_owned())).await
    }

    pub(crate) fn received(&self) -> Vec<Request<Bytes>> {
        std::mem::take(&mut self.received.lock().expect("no panic"))
    }
}

/// An application that is bytes: a task for each connection, driven by the test.
pub(crate) async fn raw_application<F, T>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A gateway that serves until told otherwise.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) reloader: Reloader,
    pub(crate) trigger: Trigger,
    pub(crate) served: JoinHandle<()>,
}

impl Running {
    /// One listener with the options of `listener`, one route to `application` with those of `route`,
    /// and further tables in `rest`.
    pub(crate) async fn with(application: SocketAddr, listener: &str, route: &str, rest: &str) -> Self {
        Self::from_toml(&format!(
            "[listener.public]\naddress = \"127.0.0.1:0\"\n{listener}\n\
             [web.app]\nupstream = \"http://{application}\"\n{route}\n{rest}"
        ))
        .await
    }

    pub(crate) async fn before(application: SocketAddr) -> Self {
        Self::with(application, "", "", "").await
    }

    pub(crate) async fn from_toml(toml: &str) -> Self {
        Self::of(&Config::parse(toml, Path::new("handstamp.toml")).expect("a good configuration")).await
    }

    /// The same from a file: paths are relative to its folder.
    pub(crate) async fn from_file(file: &Path) -> Self {
        Self::of(&Config::load(file).expect("a good configuration")).await
    }

    async fn of(config: &Config) -> Self {
        let gateway = Gateway::bind(config).await.expect("a gateway");
        let address = gateway.address("public").expect("the listener");
        let admin = gateway.admin_address();
        let reloader = gateway.reloader();
        let (trigger, shutdown) = shutdown::channel();
        let served = tokio::spawn(gateway.serve(shutdown));
        Self { address, admin, reloader, trigger, served }
    }

    /// Writes bytes and reads until the gateway closes the connection.
    pub(crate) async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        exchange(self.address, bytes).await.expect("connected")
    }

    /// A GET with further header lines, each ended by `\r\n`.
    pub(crate) async fn get(&self, path: &str, lines: &str) -> String {
        self.exchange(format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{lines}\r\n")).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }
}

/// `handstamp serve`, and where it listens. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it logs from then on.
    pub(crate) log: UnboundedReceiver<serde_json::Value>,
}

impl Process {
    /// Serves `config`, which is in `folder` and logs JSON.
    pub(crate) async fn start(folder: &Path, config: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        command.args(["serve", "--config", config]);
        Self::start_by(command, folder).await
    }

    /// The same by another command.
    pub(crate) async fn start_by(mut command: Command, folder: &Path) -> Self {
        let mut child = command
            .current_dir(folder)
            .env_remove("HANDSTAMP_LOG")
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let address = loop {
            let line = lines.next_line().await.expect("readable").expect("it says where it listens");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if line["listener"] == "public" {
                break line["address"].as_str().expect("an address").parse().expect("an address");
            }
        };
        let (said, log) = unbounded_channel();
        // Somebody has to read on, or the program waits when the pipe is full.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                // Most tests do not listen.
                let _ = serde_json::from_str(&line).map(|line| said.send(line));
            }
        });
        Self { child, address, log }
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> String {
        self.child.id().expect("it runs").to_string()
    }

    /// `kill -9`.
    pub(crate) async fn kill(mut self) {
        self.child.start_kill().expect("killed");
        self.child.wait().await.expect("gone");
    }
}

/// Writes bytes and reads until the other end closes the connection.
pub(crate) async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> std::io::Result<String> {
    let mut client = TcpStream::connect(address).await?;
    client.write_all(bytes.as_ref()).await?;
    Ok(read_to_end(&mut client).await)
}

/// What still comes, as text; a reset connection ends it too.
pub(crate) async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        bytes.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until `text` has come.
pub(crate) async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.expect("readable");
        bytes.extend_from_slice(&buffer[..read]);
        let so_far = String::from_utf8_lossy(&bytes);
        if so_far.contains(text) {
            return so_far.into_owned();
        }
        assert!(read > 0, "closed before {text:?}, after {so_far:?}");
    }
}

/// The status of an answer.
#[track_caller]
pub(crate) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
