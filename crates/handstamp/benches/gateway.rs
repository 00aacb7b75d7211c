//! What authentication costs a proxied request: one GET over a kept connection, with a session and without.
//!
//! `open` is a route nobody signs in to; `authenticated` one where a session of 12 claims is read and three of them become
//! headers. The difference is to stay below five percent of `open`. `direct` is the same request without a gateway.

mod sealed_session;

use std::net::SocketAddr;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use handstamp::config::Config;
use handstamp::gateway::Gateway;
use handstamp::shutdown;
use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use sealed_session::REALM;

fn bench(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let application = runtime.block_on(application());
    let (open, guarded) = runtime.block_on(gateway(folder.path(), application));
    let cookie = sealed_session::cookie(&folder.path().join("keys.json"));

    let mut group = criterion.benchmark_group("gateway_get");
    for (name, address, cookie) in [
        ("direct", application, None),
        ("open", open, None),
        ("open, with a cookie", open, Some(cookie.as_str())),
        ("authenticated", guarded, Some(cookie.as_str())),
    ] {
        let mut client = runtime.block_on(Client::connect(address, cookie));
        group.bench_function(name, |bencher| bencher.iter(|| runtime.block_on(client.get()).len()));
    }
    group.finish();
}

/// A client on one connection.
struct Client {
    stream: TcpStream,
    request: String,
    buffer: Vec<u8>,
}

impl Client {
    async fn connect(address: SocketAddr, cookie: Option<&str>) -> Self {
        let stream = TcpStream::connect(address).await.expect("connected");
        stream.set_nodelay(true).expect("set");
        let cookie = cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /orders?id=7 HTTP/1.1\r\nHost: shop.example\r\nAccept: text/html\r\nUser-Agent: bench\r\nAccept-Encoding: gzip\r\n{cookie}\r\n"
        );
        let mut client = Self { stream, request, buffer: vec![0; 64 << 10] };
        let answer = client.get().await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        client
    }

    async fn get(&mut self) -> &str {
        self.stream.write_all(self.request.as_bytes()).await.expect("written");
        let mut filled = 0;
        while !self.buffer[..filled].ends_with(BODY.as_bytes()) {
            let read = self.stream.read(&mut self.buffer[filled..]).await.expect("readable");
            assert!(read > 0, "closed: {}", String::from_utf8_lossy(&self.buffer[..filled]));
            filled += read;
        }
        std::str::from_utf8(&self.buffer[..filled]).expect("text")
    }
}

const BODY: &str = "<!doctype html><title>Orders</title><p>Number 7</p>";

async fn application() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            stream.set_nodelay(true).expect("set");
            let service = service_fn(|_: Request<Incoming>| async {
                Ok::<_, std::convert::Infallible>(Response::new(BODY.to_owned()))
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// A listener without sign-in and one with.
async fn gateway(folder: &Path, application: SocketAddr) -> (SocketAddr, SocketAddr) {
    KeyRing::init(&folder.join("keys.json"), RotationPolicy::default(), SystemClock.now(), &SystemRandom)
        .expect("keys");
    let config = format!(
        r#"
        [keys]
        path = "keys.json"
        [listener.open]
        address = "127.0.0.1:0"
        [listener.guarded]
        address = "127.0.0.1:0"
        trusted_proxies = ["192.0.2.1"]
        [issuer.sts]
        sign_in_url = "https://sts.example/"
        fingerprints = ["{}"]
        [federation.shop]
        realm = "{REALM}"
        [web.open]
        listeners = ["open"]
        upstream = "http://{application}"
        [web.guarded]
        listeners = ["guarded"]
        upstream = "http://{application}"
        sign_in = "required"
        required_roles = ["role3"]
        claims_to_headers = {{ X-User = "name", X-Email = "email", X-Roles = "role" }}
        "#,
        "ab".repeat(32)
    );
    let config = Config::parse(&config, &folder.join("handstamp.toml")).expect("a good configuration");
    let gateway = Gateway::bind(&config).await.expect("a gateway");
    let addresses = ["open", "guarded"].map(|name| gateway.address(name).expect("the listener"));
    let (trigger, shutdown) = shutdown::channel();
    tokio::spawn(async move {
        // Whoever holds the trigger could ask for the end.
        let _trigger = trigger;
        gateway.serve(shutdown).await;
    });
    (addresses[0], addresses[1])
}

criterion_group!(benches, bench);
criterion_main!(benches);
