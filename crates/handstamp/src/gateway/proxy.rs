//! Passing a request on to the application and its answer back.

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::body::Body;
use super::forwarding::{prepare_request, remove_hop_by_hop};
use super::origin::Origin;
use super::problem::Problem;
use super::request_id::{self, RequestId};
use super::upstream::Upstream;
use crate::config::{HostHeader, WebRoute};

/// One application behind the gateway.
#[derive(Debug)]
pub(super) struct Proxy {
    upstream: Upstream,
    host_header: HostHeader,
    max_body_size: u64,
}

impl Proxy {
    /// None when the upstream of the route has no host; the configuration check refuses such.
    pub(super) fn of(route: &WebRoute) -> Option<Self> {
        Some(Self {
            upstream: Upstream::of(route)?,
            host_header: route.host_header,
            max_body_size: route.max_body_size.0,
        })
    }

    /// Takes a request in: from here on its body is bounded in size and time.
    ///
    /// # Errors
    /// The request itself says that its body is too large.
    pub(super) fn admit(&self, request: Request<Incoming>) -> Result<Request<Body>, Problem> {
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|line| line.to_str().ok())
            .and_then(|text| text.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.max_body_size) {
            return Err(Problem::body_too_large(self.max_body_size));
        }
        Ok(request.map(|body| Body::request(body, self.max_body_size, self.upstream.idle_timeout())))
    }

    /// Passes a request on.
    ///
    /// # Errors
    /// What to tell the client when there is no answer.
    pub(super) async fn forward(
        &self,
        mut request: Request<Body>,
        origin: &Origin,
        id: RequestId,
    ) -> Result<Response<Body>, Problem> {
        let upgrade = wants_websocket(request.headers()).then(|| hyper::upgrade::on(&mut request));
        let own_host = match self.host_header {
            HostHeader::Client => None,
            HostHeader::Upstream => Some(self.upstream.host()),
        };
        prepare_request(request.headers_mut(), origin, own_host);
        request.headers_mut().insert(request_id::HEADER, id.header());
        if upgrade.is_some() {
            ask_for_websocket(request.headers_mut());
        }
        // What the server kept beside the request belongs to this connection, not to the next.
        *request.extensions_mut() = http::Extensions::new();
        *request.version_mut() = http::Version::HTTP_11;

        let mut answer = self.upstream.send(request).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return match upgrade {
                Some(client) => Ok(switch_protocols(client, answer)),
                None => Err(Problem::upstream_broken()),
            };
        }
        remove_hop_by_hop(answer.headers_mut());
        Ok(answer.map(|body| Body::response(body, self.upstream.idle_timeout())))
    }
}

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// Whether the client asks for a WebSocket. Other upgrades are not passed on: through an upgrade to
/// HTTP/2 in the clear, requests would reach the application unseen.
fn wants_websocket(headers: &HeaderMap) -> bool {
    let mut connection =
        headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let mut protocols = headers.get_all(UPGRADE).iter();
    connection.any(|option| option.trim().eq_ignore_ascii_case("upgrade"))
        && protocols.next().is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(WEBSOCKET.as_bytes()))
        && protocols.next().is_none()
}

fn ask_for_websocket(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, WEBSOCKET);
}

/// Answers that the protocol changes, and from then on carries bytes both ways until either end has
/// enough.
fn switch_protocols(client: OnUpgrade, mut answer: Response<Incoming>) -> Response<Body> {
    let application = hyper::upgrade::on(&mut answer);
    tokio::spawn(async move {
        let (client, application) = match tokio::try_join!(client, application) {
            Ok(both) => both,
            Err(error) => return tracing::debug!(%error, "the change of protocol failed"),
        };
        let (mut client, mut application) = (TokioIo::new(client), TokioIo::new(application));
        if let Err(error) = tokio::io::copy_bidirectional(&mut client, &mut application).await {
            tracing::debug!(%error, "a WebSocket broke");
        }
    });
    let mut response = answer.map(|_| Body::empty());
    remove_hop_by_hop(response.headers_mut());
    ask_for_websocket(response.headers_mut());
    response
}
