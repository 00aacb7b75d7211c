//! Accepting connections and reading requests from them.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::body::{Body, IdleTimer};
use crate::admin::Gauge;
use crate::config::Listener;
use crate::shutdown::Shutdown;

/// What answers the requests of a connection.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request that came from `peer`. Whatever goes wrong is an answer too.
    fn handle(
        &self,
        request: http::Request<hyper::body::Incoming>,
        peer: SocketAddr,
    ) -> impl Future<Output = http::Response<Body>> + Send;
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

    fn protocol(&self) -> http1::Builder {
        let mut protocol = http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout)
            .max_headers(self.max_headers)
            .max_header_size(self.max_header_size)
            .max_buf_size(self.max_header_size.max(MIN_BUFFER));
        protocol
    }
}

/// Accepts connections on `socket` until the end is asked for, then lets running requests finish for
/// at most `drain`.
pub(crate) async fn serve<H: Handler>(
    socket: TcpListener,
    limits: Limits,
    handler: Arc<H>,
    open: Arc<Gauge>,
    drain: Duration,
    mut shutdown: Shutdown,
) {
    let protocol = limits.protocol();
    let connections = Arc::new(Semaphore::new(limits.max_connections as usize));
    loop {
        let next = async {
            // The semaphore is never closed, so a permit is only a matter of time.
            let permit = Arc::clone(&connections).acquire_owned().await;
            (accept(&socket).await, permit)
        };
        let ((stream, peer), permit) = tokio::select! {
            next = next => next,
            () = shutdown.asked() => break,
        };
        let handler = Arc::clone(&handler);
        let service = service_fn(move |request| {
            let handler = Arc::clone(&handler);
            async move { Ok::<_, std::convert::Infallible>(handler.handle(request, peer).await) }
        });
        let stream = TokioIo::new(Guarded::new(stream, limits.write_timeout));
        let connection = protocol.serve_connection(stream, service).with_upgrades();
        let (mut shutdown, open) = (shutdown.clone(), Arc::clone(&open));
        tokio::spawn(async move {
            let _open = open.enter();
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = &mut connection => ended,
                () = shutdown.asked() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%peer, %error, "a connection ended early");
            }
            drop(permit);
        });
    }
    drop(socket);
    let all_done = connections.acquire_many(limits.max_connections);
    if tokio::time::timeout(drain, all_done).await.is_err() {
        tracing::warn!(?drain, "requests were still running and are cut off");
    }
}

/// The least hyper reads with.
const MIN_BUFFER: usize = 16 << 10;

/// The next connection. Errors of accepting are those of one connection or of a system short of
/// something; either way the next attempt may go well.
async fn accept(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                let _ = stream.set_nodelay(true);
                return (stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// A connection whose other end must keep reading: a write that stands still for too long fails, so
/// that slow readers do not hold answers in memory for ever.
struct Guarded<S> {
    stream: S,
    idle: IdleTimer,
}

impl<S> Guarded<S> {
    fn new(stream: S, timeout: Duration) -> Self {
        Self { stream, idle: IdleTimer::new(timeout) }
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

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
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
