//! Accepting connections and reading requests from them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;

use super::body::{Body, IdleTimer};
use super::origin::is_trusted;
use super::proxy_protocol::ProxyHeader;
use super::sockets::{Socket, Stream};
use crate::admin::{Gauge, Metrics};
use crate::config::{Listener, Network};
use crate::shutdown::Shutdown;

/// What answers the requests of a connection.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request that came by `connection`, and may take out of it what it needs. Whatever goes wrong is an answer too.
    fn handle(
        &self,
        request: &mut Request<Body>,
        connection: &Connection,
    ) -> impl Future<Output = Response<Body>> + Send;
}

/// What requests have in common that come by one connection.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    /// The other end: that of the connection, this machine for a Unix domain socket, or what the PROXY protocol says.
    pub(crate) peer: SocketAddr,
    /// Who passes it on, and says so in the PROXY protocol.
    pub(crate) balancer: Option<SocketAddr>,
    /// Whether it is protected by TLS.
    pub(crate) tls: bool,
    /// What the client showed of itself, in TLS, and proved to be.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    /// To be held by what outlives the request.
    pub(crate) hold: Hold,
}

/// Counts as a connection, and sees when all are to end.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) shutdown: Shutdown,
    _permit: Arc<OwnedSemaphorePermit>,
}

/// How connections are received. May change while they are served; those that are open stay as they are.
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// From where the PROXY protocol is spoken; it is not when none.
    pub(crate) proxies: Option<Vec<Network>>,
}

/// How much and how long, on every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Until the head of a request is there; also how long a kept connection may be unused.
    pub(crate) header_timeout: Duration,
    /// How long the other end may take to accept more of an answer.
    pub(crate) write_timeout: Duration,
    /// Longest head of a request, in bytes.
    pub(crate) max_header_size: usize,
    /// Most header lines.
    pub(crate) max_headers: usize,
    /// Most connections at a time.
    pub(crate) max_connections: u32,
}

impl From<&Listener> for Limits {
    fn from(listener: &Listener) -> Self {
        Self {
            header_timeout: listener.header_timeout,
            write_timeout: listener.write_timeout,
            max_header_size: listener.max_header_size.in_memory(),
            max_headers: listener.max_headers as usize,
            max_connections: listener.max_connections,
        }
    }
}

impl Limits {
    /// What monitoring needs.
    pub(crate) fn admin() -> Self {
        Self {
            header_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(15),
            max_header_size: 16 << 10,
            max_headers: 100,
            max_connections: 100,
        }
    }

    fn http1(&self) -> http1::Builder {
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_headers(self.max_headers)
            .max_header_size(self.max_header_size)
            .max_buf_size(self.max_header_size.max(MIN_BUFFER));
        protocol
    }

    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut protocol = http2::Builder::new(TokioExecutor::new());
        protocol
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(self.max_header_size).unwrap_or(u32::MAX))
            .max_concurrent_streams(MAX_STREAMS)
            .keep_alive_interval(self.header_timeout)
            .keep_alive_timeout(self.header_timeout)
            .max_send_buf_size(256 << 10)
            .enable_connect_protocol();
        protocol
    }
}

/// The least hyper reads with.
const MIN_BUFFER: usize = 16 << 10;
/// Most requests at a time on one connection of HTTP/2.
const MAX_STREAMS: u32 = 128;

/// A socket that connections come to.
pub(crate) struct Server<H> {
    pub(crate) socket: Socket,
    pub(crate) reception: Arc<ArcSwap<Reception>>,
    pub(crate) handler: Arc<H>,
    pub(crate) open: Arc<Gauge>,
    pub(crate) metrics: Arc<Metrics>,
    /// How long running requests may take when the end is asked for.
    pub(crate) drain: Duration,
}

impl<H: Handler> Server<H> {
    /// Accepts connections until the end is asked for, then lets running requests finish.
    pub(crate) async fn serve(self, mut shutdown: Shutdown) {
        let mut most = self.reception.load().limits.max_connections;
        let connections = Arc::new(Semaphore::new(most as usize));
        loop {
            let next = async {
                // The semaphore is never closed, so a permit is only a matter of time.
                let permit = Arc::clone(&connections).acquire_owned().await;
                (accept(&self.socket).await, permit)
            };
            let ((stream, peer), permit) = tokio::select! {
                next = next => next,
                () = shutdown.asked() => break,
            };
            let Ok(permit) = permit else { break };
            let reception = self.reception.load_full();
            let allowed = reception.limits.max_connections;
            match allowed.checked_sub(most) {
                Some(more) => connections.add_permits(more as usize),
                // Those in use are given up when they are free.
                None => drop(connections.forget_permits((most - allowed) as usize)),
            }
            most = allowed;
            let hold = Hold { shutdown: shutdown.clone(), _permit: Arc::new(permit) };
            let (handler, open, metrics) =
                (Arc::clone(&self.handler), Arc::clone(&self.open), Arc::clone(&self.metrics));
            tokio::spawn(async move {
                let _open = open.enter();
                if let Some(problem) = receive(stream, peer, &reception, hold, handler).await {
                    metrics.reject(problem);
                }
            });
        }
        let Self { socket, drain, .. } = self;
        drop(socket);
        let all_done = connections.acquire_many(most);
        if tokio::time::timeout(drain, all_done).await.is_err() {
            tracing::warn!(?drain, "requests were still running and are cut off");
        }
    }
}

/// The next connection. Errors of accepting are those of one connection or of a system short of
/// something; either way the next attempt may go well.
async fn accept(socket: &Socket) -> (Stream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection to its end. The code of what was wrong with it, if it never came to a request that was answered.
async fn receive<H: Handler>(
    stream: Stream,
    peer: SocketAddr,
    reception: &Reception,
    hold: Hold,
    handler: Arc<H>,
) -> Option<&'static str> {
    let limits = &reception.limits;
    let mut stream = Guarded::new(stream, limits.write_timeout);
    let mut connection = Connection { peer, balancer: None, tls: false, certificate: None, hold };
    let in_time = |what| tokio::time::timeout(limits.header_timeout, what);
    if let Some(proxies) = &reception.proxies {
        if !is_trusted(peer.ip(), proxies) {
            tracing::info!(%peer, "the PROXY protocol is spoken here, and not with this peer");
            return Some("HST-GATEWAY-PROXY-PEER");
        }
        match in_time(Box::pin(stream.read_proxy_header())).await {
            Ok(Ok(source)) => {
                connection.peer = source.unwrap_or(peer);
                connection.balancer = Some(peer);
            }
            Ok(Err(error)) => {
                tracing::info!(%peer, %error, "a connection without a header of the PROXY protocol");
                return Some("HST-GATEWAY-PROXY-HEADER");
            }
            Err(_) => return Some("HST-GATEWAY-PROXY-HEADER"),
        }
    }
    let Some(tls) = &reception.tls else {
        return serve_http1(stream, limits, connection, handler).await;
    };
    let handshake = TlsAcceptor::from(Arc::clone(tls)).accept(stream);
    let stream = match tokio::time::timeout(limits.header_timeout, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(peer = %connection.peer, %error, "no TLS came about");
            return Some("HST-GATEWAY-TLS");
        }
        Err(_) => return Some("HST-GATEWAY-TLS"),
    };
    let agreed = stream.get_ref().1;
    connection.tls = true;
    connection.certificate =
        agreed.peer_certificates().and_then(|chain| chain.first()).map(|own| own.clone().into_owned());
    if agreed.alpn_protocol() == Some(b"h2") {
        serve_http2(stream, limits, connection, handler).await
    } else {
        serve_http1(stream, limits, connection, handler).await
    }
}

async fn serve_http1<S, H>(stream: S, limits: &Limits, connection: Connection, handler: Arc<H>) -> Option<&'static str>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let (peer, mut shutdown) = (connection.peer, connection.hold.shutdown.clone());
    let connection = Arc::new(connection);
    let service = service_fn(move |request| answer(request, Arc::clone(&handler), Arc::clone(&connection)));
    let mut serving = std::pin::pin!(limits.http1().serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = shutdown.asked() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    code_of(&ended.err()?, peer)
}

async fn serve_http2<S, H>(stream: S, limits: &Limits, connection: Connection, handler: Arc<H>) -> Option<&'static str>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    H: Handler,
{
    let (peer, mut shutdown) = (connection.peer, connection.hold.shutdown.clone());
    let connection = Arc::new(connection);
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let service = service_fn(move |request| {
        seen.fetch_add(1, Ordering::Relaxed);
        answer(request, Arc::clone(&handler), Arc::clone(&connection))
    });
    let mut serving = std::pin::pin!(limits.http2().serve_connection(TokioIo::new(stream), service));
    // Without a new request for so long, the client is asked to come again when it has one; streams that run may finish.
    let unused = async {
        let mut last = usize::MAX;
        loop {
            tokio::time::sleep(limits.header_timeout).await;
            let now = requests.load(Ordering::Relaxed);
            if now == last || now == 0 {
                return;
            }
            last = now;
        }
    };
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = async { tokio::select! { () = shutdown.asked() => {}, () = unused => {} } } => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    code_of(&ended.err()?, peer)
}

/// Answers a request. It stays here, where it came, until it is sent on: moved from station to station, it would be copied each time.
async fn answer<H: Handler>(
    request: Request<Incoming>,
    handler: Arc<H>,
    connection: Arc<Connection>,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(|body| Body::request(body, BODY_LIMIT, BODY_IDLE));
    Ok(handler.handle(&mut request, &connection).await)
}

/// How much of a body the gateway itself reads, until whoever the request is for says otherwise.
const BODY_LIMIT: u64 = 4 << 20;
/// How long it may not move.
const BODY_IDLE: Duration = Duration::from_secs(10);

/// What was wrong with what came by a connection; none when it merely broke.
fn code_of(error: &hyper::Error, peer: SocketAddr) -> Option<&'static str> {
    tracing::debug!(%peer, %error, "a connection ended early");
    if error.is_parse_too_large() {
        Some("HST-GATEWAY-HEAD-SIZE")
    } else if error.is_parse() {
        Some("HST-GATEWAY-HEAD")
    } else if error.is_timeout() {
        Some("HST-GATEWAY-HEAD-TIMEOUT")
    } else {
        None
    }
}

/// A connection whose other end must keep reading: a write that stands still for too long fails, so
/// that slow readers do not hold answers in memory for ever.
struct Guarded<S> {
    stream: S,
    idle: IdleTimer,
    /// What was read together with the header of the PROXY protocol, and follows it.
    ahead: bytes::Bytes,
}

impl<S> Guarded<S> {
    fn new(stream: S, timeout: Duration) -> Self {
        Self { stream, idle: IdleTimer::new(timeout), ahead: bytes::Bytes::new() }
    }

    fn watch<T>(&mut self, written: Poll<std::io::Result<T>>, cx: &mut Context<'_>) -> Poll<std::io::Result<T>> {
        match written {
            Poll::Ready(result) => {
                self.idle.moved();
                Poll::Ready(result)
            }
            Poll::Pending => {
                self.idle.poll_expired(cx).map(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut)))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// The client that the header names, if it names one.
    async fn read_proxy_header(&mut self) -> std::io::Result<Option<SocketAddr>> {
        let mut bytes = Vec::with_capacity(256);
        loop {
            if self.stream.read_buf(&mut bytes).await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            match ProxyHeader::parse(&bytes) {
                ProxyHeader::Incomplete => {}
                ProxyHeader::Malformed => return Err(std::io::ErrorKind::InvalidData.into()),
                ProxyHeader::Complete { length, source } => {
                    self.ahead = bytes::Bytes::from(bytes).slice(length..);
                    return Ok(source);
                }
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}
impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watch(written, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
