//! WebSockets (RFC 6455) on their way through: asked for by an upgrade of HTTP/1.1, or by an extended CONNECT of HTTP/2 (RFC 8441);
//! to the application always by the former.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use base64_simd::STANDARD;
use handstamp_keys::{SecureRandom, SystemRandom, sha1};
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::body::Body;
use super::forwarding::remove_hop_by_hop;
use super::problem::Problem;
use super::server::Hold;
use super::session_life::SessionLife;
use super::upstream::{Answer, Lease};

/// A client's wish for a WebSocket.
pub(super) struct Handshake {
    client: OnUpgrade,
    /// The answer that the key of ours must get, where the client came by HTTP/2 and sent none.
    expected: Option<HeaderValue>,
}

/// What a WebSocket depends on while it lasts.
pub(super) struct Terms {
    /// How long nothing may move.
    pub(super) idle: Duration,
    /// The session it was opened in.
    pub(super) life: Option<SessionLife>,
    /// The connection it came by.
    pub(super) hold: Option<Hold>,
}

/// Turns an extended CONNECT for a WebSocket into the GET that it would be in HTTP/1.1, so that all rules for it hold.
pub(super) fn normalize<B>(request: &mut Request<B>) {
    let is_extended = request.version() == Version::HTTP_2
        && request.method() == Method::CONNECT
        && request.extensions().get::<Protocol>().is_some_and(|protocol| protocol.as_str() == "websocket");
    if is_extended {
        *request.method_mut() = Method::GET;
        request.extensions_mut().insert(Extended);
    }
}

/// The request was an extended CONNECT.
#[derive(Clone)]
struct Extended;

impl Handshake {
    /// The wish of a request, if it has one. Other upgrades are not passed on: through an upgrade to HTTP/2 in the clear,
    /// requests would reach the application unseen.
    pub(super) fn of(request: &mut Request<Body>) -> Result<Option<Self>, Problem> {
        if request.extensions().get::<Extended>().is_some() {
            let mut nonce = [0; 16];
            SystemRandom.fill(&mut nonce).map_err(|error| Problem::internal(error.code()))?;
            let key = STANDARD.encode_to_string(nonce);
            let expected =
                HeaderValue::try_from(accept(&key)).map_err(|_| Problem::internal("HST-GATEWAY-WEBSOCKET"))?;
            let key = HeaderValue::try_from(key).map_err(|_| Problem::internal("HST-GATEWAY-WEBSOCKET"))?;
            let client = hyper::upgrade::on(&mut *request);
            request.headers_mut().insert(SEC_WEBSOCKET_KEY, key);
            request.headers_mut().entry(SEC_WEBSOCKET_VERSION).or_insert(HeaderValue::from_static("13"));
            // What the stream carries is the WebSocket, not the body of a GET.
            *request.body_mut() = Body::empty();
            return Ok(Some(Self { client, expected: Some(expected) }));
        }
        let wants = request.version() == Version::HTTP_11
            && request.method() == Method::GET
            && wants_websocket(request.headers());
        Ok(wants.then(|| Self { client: hyper::upgrade::on(request), expected: None }))
    }

    /// Asks the application for it.
    pub(super) fn ask(headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, WEBSOCKET);
    }

    /// Answers that the protocol changes, and from then on carries bytes both ways until either end has enough, nothing moves
    /// for too long, or the session is over.
    pub(super) fn switch(self, answer: Answer, terms: Terms) -> Result<Response<Body>, Problem> {
        let Answer { mut response, lease } = answer;
        if self.expected.is_some() && response.headers().get(SEC_WEBSOCKET_ACCEPT) != self.expected.as_ref() {
            return Err(Problem::upstream_broken());
        }
        let application = hyper::upgrade::on(&mut response);
        tokio::spawn(carry(self.client, application, lease, terms));
        let mut response = response.map(|_| Body::empty());
        remove_hop_by_hop(response.headers_mut());
        match self.expected {
            None => Self::ask(response.headers_mut()),
            Some(_) => {
                *response.status_mut() = StatusCode::OK;
                response.headers_mut().remove(SEC_WEBSOCKET_ACCEPT);
            }
        }
        Ok(response)
    }
}

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

fn wants_websocket(headers: &HeaderMap) -> bool {
    let mut connection =
        headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut protocols = headers.get_all(UPGRADE).iter();
    connection.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
        && protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && protocols.next().is_none()
}

/// RFC 6455, 4.2.2.
fn accept(key: &str) -> String {
    let digest = sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    STANDARD.encode_to_string(digest)
}

/// Holds the place at the server for as long as the WebSocket lasts.
async fn carry(client: OnUpgrade, application: OnUpgrade, _place: Lease, terms: Terms) {
    let (client, application) = match tokio::try_join!(client, application) {
        Ok(both) => both,
        Err(error) => return tracing::debug!(%error, "the change of protocol failed"),
    };
    let movement = Arc::new(Movement { began: Instant::now(), milliseconds: AtomicU64::new(0) });
    let mut client = Watched { stream: TokioIo::new(client), movement: Arc::clone(&movement) };
    let mut application = Watched { stream: TokioIo::new(application), movement: Arc::clone(&movement) };
    let ended = async {
        match terms.hold {
            Some(mut hold) => hold.shutdown.asked().await,
            None => std::future::pending().await,
        }
    };
    let session_over = async {
        match terms.life {
            Some(life) => life.over().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        carried = tokio::io::copy_bidirectional(&mut client, &mut application) => {
            if let Err(error) = carried {
                tracing::debug!(%error, "a WebSocket broke");
            }
        }
        () = movement.ceased_for(terms.idle) => tracing::debug!("a WebSocket stood still and is closed"),
        () = session_over => tracing::info!("a WebSocket is closed: its session is over"),
        () = ended => {}
    }
}

/// When something last moved.
struct Movement {
    began: Instant,
    milliseconds: AtomicU64,
}

impl Movement {
    fn note(&self) {
        let passed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(passed, Ordering::Relaxed);
    }

    async fn ceased_for(&self, idle: Duration) {
        loop {
            let deadline = self.began + Duration::from_millis(self.milliseconds.load(Ordering::Relaxed)) + idle;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}

/// Notes what is read.
struct Watched<S> {
    stream: S,
    movement: Arc<Movement>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.movement.note();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accepting_value_is_that_of_the_rfc() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
