//! What the session module sees of a request.

use crate::cookie::RequestCookies;
use http::{Extensions, HeaderMap, HeaderValue, Method, Request, Uri, header, request::Parts};

/// The head of a request: all that decides about its session. Copying it is free.
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target.
    pub uri: &'r Uri,
    /// The headers.
    pub headers: &'r HeaderMap,
    /// What the server and earlier layers attached.
    pub extensions: &'r Extensions,
    /// How the browser reached the site, where the server knows.
    pub transport: Option<Transport>,
}

impl<'r> RequestHead<'r> {
    /// The request's cookies.
    pub fn cookies(self) -> RequestCookies<'r> {
        RequestCookies::new(self.headers)
    }

    /// The host the browser asked for, perhaps with a port.
    pub(crate) fn host(self) -> Option<&'r str> {
        match self.uri.authority() {
            Some(authority) => Some(authority.host()),
            None => self.headers.get(header::HOST)?.to_str().ok(),
        }
    }

    /// The same, to be kept.
    pub(crate) fn host_value(self) -> Option<HeaderValue> {
        match self.uri.authority() {
            Some(authority) => HeaderValue::from_str(authority.host()).ok(),
            None => self.headers.get(header::HOST).cloned(),
        }
    }
}

impl<'r, B> From<&'r Request<B>> for RequestHead<'r> {
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
            transport: request.extensions().get().copied(),
        }
    }
}

impl<'r> From<&'r Parts> for RequestHead<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            extensions: &parts.extensions,
            transport: parts.extensions.get().copied(),
        }
    }
}

/// How the browser reached the site.
///
/// A browser drops a `Secure` cookie that arrives over plain HTTP. The user would sign in, come back without a
/// session and be sent to sign in again, without end; so writing such a cookie is an error instead (SM-23). A server
/// that knows how a request arrived puts this value into the request's extensions, or into its [`RequestHead`]; it wins
/// over every [`TransportDetection`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over TLS.
    Tls,
    /// In the clear.
    Plain,
}

/// Where the [`Transport`] of a request is taken from when the server does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TransportDetection {
    /// The scheme of the request's target, where the protocol sends one (HTTP/2). Without a scheme nothing is known,
    /// and nothing is refused.
    #[default]
    Scheme,
    /// The `Forwarded` (RFC 7239) or `X-Forwarded-Proto` header. Only for servers that nobody reaches but through a
    /// proxy that sets the header: everybody else can send it too.
    ForwardedHeader,
    /// Every request arrives over TLS.
    AlwaysTls,
    /// Every request arrives in the clear.
    AlwaysPlain,
}

impl TransportDetection {
    /// The transport of a request; none when nothing tells.
    pub fn transport(self, request: RequestHead<'_>) -> Option<Transport> {
        if request.transport.is_some() {
            return request.transport;
        }
        match self {
            Self::Scheme => request.uri.scheme_str().map(of_scheme),
            Self::ForwardedHeader => forwarded_scheme(request.headers).map(of_scheme),
            Self::AlwaysTls => Some(Transport::Tls),
            Self::AlwaysPlain => Some(Transport::Plain),
        }
    }
}

fn of_scheme(scheme: &str) -> Transport {
    if scheme.eq_ignore_ascii_case("https") { Transport::Tls } else { Transport::Plain }
}

/// What the nearest proxy says: the last element of the list.
fn forwarded_scheme(headers: &HeaderMap) -> Option<&str> {
    let last = |name: &str| headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let forwarded = last("forwarded").and_then(|element| {
        element
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("proto"))
            .map(|(_, scheme)| scheme.trim().trim_matches('"'))
    });
    forwarded.or_else(|| last("x-forwarded-proto").map(str::trim))
}

/// Whether a host, perhaps with a port, is the machine itself: `localhost` or a loopback address.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => host.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host.rsplit('.').next().is_some_and(|top| top.eq_ignore_ascii_case("localhost"))
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    fn transport(detection: TransportDetection, uri: &str, headers: &[(&str, &str)]) -> Option<Transport> {
        detection.transport(RequestHead::from(&request(uri, headers)))
    }

    #[test]
    fn the_scheme_tells_where_there_is_one() {
        assert_eq!(transport(TransportDetection::Scheme, "https://a.example/", &[]), Some(Transport::Tls));
        assert_eq!(transport(TransportDetection::Scheme, "http://a.example/", &[]), Some(Transport::Plain));
        assert_eq!(transport(TransportDetection::Scheme, "/", &[]), None);
    }

    #[test]
    fn sm_23_proxy_headers_count_only_when_configured() {
        let headers = [("x-forwarded-proto", "https")];
        assert_eq!(transport(TransportDetection::Scheme, "/", &headers), None);
        assert_eq!(transport(TransportDetection::ForwardedHeader, "/", &headers), Some(Transport::Tls));
        assert_eq!(transport(TransportDetection::ForwardedHeader, "/", &[]), None);
    }

    #[test]
    fn the_nearest_proxy_is_believed() {
        for (headers, expected) in [
            (&[("x-forwarded-proto", "https, http")][..], Transport::Plain),
            (&[("x-forwarded-proto", "http"), ("x-forwarded-proto", "HTTPS")], Transport::Tls),
            (&[("forwarded", "for=1.2.3.4;proto=http, for=5.6.7.8; Proto=\"https\"")], Transport::Tls),
            (&[("forwarded", "proto=http"), ("x-forwarded-proto", "https")], Transport::Plain),
            (&[("forwarded", "for=1.2.3.4"), ("x-forwarded-proto", "https")], Transport::Tls),
        ] {
            assert_eq!(transport(TransportDetection::ForwardedHeader, "/", headers), Some(expected), "{headers:?}");
        }
    }

    #[test]
    fn the_server_that_received_the_request_knows_best() {
        let mut request = request("http://a.example/", &[]);
        request.extensions_mut().insert(Transport::Tls);
        assert_eq!(TransportDetection::AlwaysPlain.transport(RequestHead::from(&request)), Some(Transport::Tls));
    }
}
