//! Connections to one server: made when needed, kept while unused, in the protocol the server speaks.

use std::io;
use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use handstamp_keys::tls::{ClientSettings, TlsIdentity};
use http::header::{HOST, TE};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::Error;
use crate::config::{UpstreamProtocol, UpstreamServer, UpstreamTls};
use crate::gateway::body::Body;
use crate::gateway::sockets::Stream;

/// The connections to one server.
#[derive(Debug)]
pub(super) struct Connections {
    way: Way,
    tls: Option<Tls>,
    protocol: UpstreamProtocol,
    connect_timeout: Duration,
    unused: Mutex<Vec<Unused>>,
    /// The one connection of HTTP/2, which all requests share.
    shared: Mutex<Option<http2::SendRequest<Body>>>,
    /// Who is about to make it.
    sharing: tokio::sync::Mutex<()>,
}

/// How the server is reached.
#[derive(Debug)]
enum Way {
    Tcp {
        host: String,
        port: u16,
    },
    #[cfg(unix)]
    Unix(std::path::PathBuf),
}

struct Tls {
    /// Offers the protocols of the configuration.
    any: TlsConnector,
    /// Offers HTTP/1.1 only: through which alone WebSockets go.
    http1: TlsConnector,
    name: ServerName<'static>,
}

#[derive(Debug)]
struct Unused {
    sender: http1::SendRequest<Body>,
    since: Instant,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was sent. The request is as it was.
    NotSent(io::Error),
    /// All or some of it was sent before the connection failed.
    Sent(hyper::Error),
}

/// The head of an answer, and the connection that its body comes from.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) response: Response<Incoming>,
    /// Goes back to be used again when the body has been read. None for connections that are shared or spent.
    pub(super) connection: Option<Returnable>,
}

/// A connection that can be used again when the answer on it has been read.
#[derive(Debug)]
pub(crate) struct Returnable {
    sender: http1::SendRequest<Body>,
    home: Arc<Connections>,
}

impl Returnable {
    /// The answer has been read.
    pub(super) fn give_back(self) {
        let now = Instant::now();
        let mut unused = self.home.unused();
        // Those that lie longest come first.
        let expired = unused.partition_point(|unused| now.duration_since(unused.since) > KEEP_UNUSED);
        unused.drain(..expired);
        if unused.len() < MOST_UNUSED {
            unused.push(Unused { sender: self.sender, since: now });
        }
    }
}

/// Unused connections are kept for so long: less than the 60 seconds after which most servers close theirs, so that few requests
/// meet a closing connection.
const KEEP_UNUSED: Duration = Duration::from_secs(50);
/// So many are kept.
const MOST_UNUSED: usize = 256;

impl Connections {
    /// Reads what TLS needs; connects to nothing yet.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used, an address without host, a Unix domain socket where there are none.
    pub(super) fn open(
        server: &UpstreamServer,
        protocol: UpstreamProtocol,
        tls: &UpstreamTls,
        connect_timeout: Duration,
    ) -> Result<Self, Error> {
        let url = &server.url;
        let setup = |message: String| Error::Setup { code: "HST-CONFIG-VALUE", message: format!("{url}: {message}") };
        let authority = url.authority().ok_or_else(|| setup("names no host".to_owned()))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match url.is_https() {
            true => Some(Tls::open(&host, protocol, tls, setup)?),
            false => None,
        };
        let way = match &server.socket {
            #[cfg(unix)]
            Some(socket) => Way::Unix(socket.clone()),
            #[cfg(not(unix))]
            Some(_) => return Err(setup("there are no Unix domain sockets here".to_owned())),
            None => Way::Tcp { host, port: authority.port_u16().unwrap_or(if url.is_https() { 443 } else { 80 }) },
        };
        Ok(Self {
            way,
            tls,
            protocol,
            connect_timeout,
            unused: Mutex::default(),
            shared: Mutex::default(),
            sharing: tokio::sync::Mutex::default(),
        })
    }

    /// Sends a request with an origin-form target and `Host`, and waits for the head of the answer. One that asks for an upgrade
    /// goes by HTTP/1.1, whatever the server prefers. Of what was sent nothing is left.
    pub(super) async fn send(self: &Arc<Self>, request: &mut Request<Body>, upgrade: bool) -> Result<Answer, Failure> {
        if upgrade {
            return match Box::pin(self.connect(true)).await {
                Ok(Sender::Http1(sender)) => self.by_http1(sender, request).await.map(Answer::spent),
                Ok(Sender::Http2(_)) => Err(Failure::NotSent(io::Error::other("HTTP/1.1 was asked for"))),
                Err(error) => Err(Failure::NotSent(error)),
            };
        }
        // A kept connection may have been closed at this moment; then the next one is tried.
        while let Some(sender) = self.take() {
            match self.by(sender, request).await {
                Err(Failure::NotSent(_)) => {}
                other => return other,
            }
        }
        // A handshake of TLS is large, and seldom: it does not lie in the future of every request.
        match Box::pin(self.fresh()).await {
            Ok(sender) => self.by(sender, request).await,
            Err(error) => Err(Failure::NotSent(error)),
        }
    }

    /// A connection that is there.
    fn take(&self) -> Option<Sender> {
        if let Some(sender) = self.take_shared() {
            return Some(Sender::Http2(sender));
        }
        let mut unused = self.unused();
        // The last used first: it is the least likely to be closed by the server.
        let mut at = unused.len();
        while at > 0 {
            at -= 1;
            let one = unused.get(at)?;
            if one.sender.is_closed() || one.since.elapsed() > KEEP_UNUSED {
                unused.remove(at);
            } else if one.sender.is_ready() {
                return Some(Sender::Http1(unused.remove(at).sender));
            }
        }
        None
    }

    fn take_shared(&self) -> Option<http2::SendRequest<Body>> {
        if self.protocol == UpstreamProtocol::Http1 || (self.protocol == UpstreamProtocol::Auto && self.tls.is_none()) {
            return None;
        }
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.as_ref().is_some_and(http2::SendRequest::is_closed) {
            *shared = None;
        }
        shared.clone()
    }

    /// A new connection. Of HTTP/2 there is to be one: those who come while it is made wait for it.
    async fn fresh(&self) -> io::Result<Sender> {
        if self.protocol != UpstreamProtocol::Http2 {
            return self.connect(false).await;
        }
        let _sharing = self.sharing.lock().await;
        match self.take_shared() {
            Some(sender) => Ok(Sender::Http2(sender)),
            None => self.connect(false).await,
        }
    }

    async fn connect(&self, http1_only: bool) -> io::Result<Sender> {
        let connected = async {
            let stream = self.way.connect().await?;
            let Some(tls) = &self.tls else {
                return match self.protocol {
                    UpstreamProtocol::Http2 if !http1_only => self.begin_http2(stream).await,
                    _ => begin_http1(stream).await,
                };
            };
            let connector = if http1_only { &tls.http1 } else { &tls.any };
            let stream = connector.connect(tls.name.clone(), stream).await?;
            let agreed = stream.get_ref().1.alpn_protocol();
            match (agreed == Some(H2.as_bytes()), self.protocol) {
                (true, _) => self.begin_http2(stream).await,
                (false, UpstreamProtocol::Http2) if !http1_only => Err(io::Error::other("does not speak HTTP/2")),
                (false, _) => begin_http1(stream).await,
            }
        };
        timeout(self.connect_timeout, connected).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn begin_http2<S>(&self, stream: S) -> io::Result<Sender>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .adaptive_window(true)
            .keep_alive_interval(PING)
            .max_header_list_size(MAX_HEADER_LIST)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an application ended early");
            }
        });
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(Sender::Http2(sender))
    }

    async fn by(self: &Arc<Self>, sender: Sender, request: &mut Request<Body>) -> Result<Answer, Failure> {
        match sender {
            Sender::Http1(sender) => self.by_http1(sender, request).await,
            Sender::Http2(sender) => self.by_http2(sender, request).await,
        }
    }

    async fn by_http1(
        self: &Arc<Self>,
        mut sender: http1::SendRequest<Body>,
        request: &mut Request<Body>,
    ) -> Result<Answer, Failure> {
        // It would mean this connection only, and trailers do not come through HTTP/1.1 to everybody.
        request.headers_mut().remove(TE);
        match sender.try_send_request(take(request)).await {
            Ok(response) => Ok(Answer { response, connection: Some(Returnable { sender, home: Arc::clone(self) }) }),
            Err(mut error) => Err(match error.take_message() {
                Some(back) => {
                    *request = back;
                    Failure::NotSent(io::Error::other(error.into_error()))
                }
                None => Failure::Sent(error.into_error()),
            }),
        }
    }

    async fn by_http2(
        &self,
        mut sender: http2::SendRequest<Body>,
        request: &mut Request<Body>,
    ) -> Result<Answer, Failure> {
        let (target, host) = (request.uri().clone(), request.headers_mut().remove(HOST));
        let authority = host.as_ref().and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if self.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority = authority;
        parts.path_and_query = target.path_and_query().cloned().or(Some(PathAndQuery::from_static("/")));
        // A host was checked to be one when it came, or is that of the configuration.
        *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
        *request.version_mut() = Version::HTTP_2;
        match sender.try_send_request(take(request)).await {
            Ok(response) => Ok(Answer { response, connection: None }),
            Err(mut error) => Err(match error.take_message() {
                Some(back) => {
                    *request = back;
                    *request.uri_mut() = target;
                    *request.version_mut() = Version::HTTP_11;
                    if let Some(host) = host {
                        request.headers_mut().insert(HOST, host);
                    }
                    Failure::NotSent(io::Error::other(error.into_error()))
                }
                None => Failure::Sent(error.into_error()),
            }),
        }
    }

    fn unused(&self) -> MutexGuard<'_, Vec<Unused>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp { host, port } => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            #[cfg(unix)]
            Self::Unix(path) => tokio::net::UnixStream::connect(path).await.map(Stream::Unix),
        }
    }
}

enum Sender {
    Http1(http1::SendRequest<Body>),
    Http2(http2::SendRequest<Body>),
}

impl Answer {
    /// The connection is not used for anything else.
    fn spent(self) -> Self {
        Self { connection: None, ..self }
    }
}

impl Tls {
    fn open(
        host: &str,
        protocol: UpstreamProtocol,
        settings: &UpstreamTls,
        setup: impl Fn(String) -> Error,
    ) -> Result<Self, Error> {
        let identity = match (&settings.certificate, &settings.key) {
            (Some(chain), Some(key)) => Some(TlsIdentity::read(chain, key)?),
            _ => None,
        };
        let client = ClientSettings { authorities: settings.authorities.clone(), identity };
        let offered: &[&str] = match protocol {
            UpstreamProtocol::Auto => &[H2, HTTP_1_1],
            UpstreamProtocol::Http1 => &[HTTP_1_1],
            UpstreamProtocol::Http2 => &[H2],
        };
        let name = settings.server_name.as_deref().unwrap_or(host).to_owned();
        let name = ServerName::try_from(name).map_err(|_| setup("has no host that a certificate can be for".into()))?;
        Ok(Self {
            any: TlsConnector::from(client.config(offered)?),
            http1: TlsConnector::from(client.config(&[HTTP_1_1])?),
            name,
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("name", &self.name).finish_non_exhaustive()
    }
}

async fn begin_http1<S>(stream: S) -> io::Result<Sender>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to an application ended early");
        }
    });
    Ok(Sender::Http1(sender))
}

/// The names of the protocols in TLS.
const H2: &str = "h2";
const HTTP_1_1: &str = "http/1.1";
/// How often a server is asked whether the shared connection still works.
const PING: Duration = Duration::from_secs(20);
/// The largest head of an answer.
const MAX_HEADER_LIST: u32 = 256 << 10;
