//! Who sent a request and how: the client's address, the scheme and the host it used, believing the
//! proxies in front only where configuration says so.

use std::net::{IpAddr, SocketAddr};

use handstamp_web_session::Transport;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Version, header};
use rustls_pki_types::CertificateDer;

use super::forwarded::ForwardedElement;
use super::problem::Problem;
use super::server::{Connection, Hold};
use crate::config::{ForwardingHeaders, Network};

/// Where a request comes from. Found in the extensions of every request the gateway handles.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The address of the other end of the connection; of one that a balancer passes on without writing headers, the client's.
    pub peer: SocketAddr,
    /// The address of the client: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// Whether the client used https.
    pub https: bool,
    /// The host the client used, with port where it is not the default; never empty.
    pub host: String,
    /// Whether the peer is a trusted proxy.
    pub(super) from_trusted_proxy: bool,
    /// What the client showed of itself in TLS, and proved to be; none from a proxy.
    pub(super) certificate: Option<CertificateDer<'static>>,
    /// The connection, to be held by what outlives the request.
    pub(super) hold: Option<Hold>,
}

/// Whom a listener believes, and what.
#[derive(Debug, Clone)]
pub(super) struct Trust {
    pub(super) proxies: Vec<Network>,
    /// What proxies write. When nobody says so, those that pass connections on write nothing.
    pub(super) headers: Option<ForwardingHeaders>,
}

/// `X-Forwarded-For`.
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `X-Forwarded-Proto`.
pub(super) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `X-Forwarded-Host`.
pub(super) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

impl Origin {
    /// Finds out where a request comes from.
    ///
    /// # Errors
    /// The request names no host, several, or something that is none; a trusted proxy contradicts itself.
    pub(super) fn of<B>(request: &Request<B>, connection: &Connection, trust: &Trust) -> Result<Self, Problem> {
        let mut origin = Self::direct(request, (connection.peer, connection.balancer), connection.tls, trust)?;
        origin.certificate.clone_from(&connection.certificate);
        origin.hold = Some(connection.hold.clone());
        Ok(origin)
    }

    fn direct<B>(
        request: &Request<B>,
        (client, balancer): (SocketAddr, Option<SocketAddr>),
        tls: bool,
        trust: &Trust,
    ) -> Result<Self, Problem> {
        // Headers that come through a balancer are the client's own, unless it is said to write them. The client is no proxy,
        // whatever its address.
        let peer = balancer.filter(|_| trust.headers.is_some()).unwrap_or(client);
        let from_trusted_proxy =
            (balancer.is_none() || trust.headers.is_some()) && is_trusted(peer.ip(), &trust.proxies);
        let mut origin = Self {
            peer,
            client: client.ip().to_canonical(),
            https: tls,
            host: requested_host(request)?.to_owned(),
            from_trusted_proxy,
            certificate: None,
            hold: None,
        };
        if from_trusted_proxy {
            origin.believe(request.headers(), trust)?;
        }
        Ok(origin)
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }

    /// How the browser reached the site, as sessions want to know it.
    pub(super) fn transport(&self) -> Transport {
        if self.https { Transport::Tls } else { Transport::Plain }
    }

    /// The host without its port.
    pub fn host_name(&self) -> &str {
        without_port(&self.host)
    }

    /// Takes over what the proxy says in the headers that it writes. What others say is the client's own claim, or a
    /// leftover: when it differs, somebody is fooled.
    fn believe(&mut self, headers: &HeaderMap, trust: &Trust) -> Result<(), Problem> {
        let by_x = Claims::of_x_forwarded(headers, &trust.proxies);
        let by_standard = Claims::of_forwarded(headers, &trust.proxies)?;
        let (claims, others) = match trust.headers.unwrap_or(ForwardingHeaders::XForwarded) {
            ForwardingHeaders::XForwarded => (by_x, by_standard),
            ForwardingHeaders::Forwarded => (by_standard, by_x),
        };
        self.client = claims.client.unwrap_or(self.client);
        if let Some(scheme) = &claims.scheme {
            self.https = is_protected(scheme) == Some(true);
        }
        if let Some(host) = claims.host {
            if !is_host(&host) {
                return Err(Problem::bad_host());
            }
            self.host = host;
        }
        let same_scheme = others.scheme.is_none_or(|scheme| is_protected(&scheme) == Some(self.https));
        let same_host = others.host.is_none_or(|host| host.eq_ignore_ascii_case(&self.host));
        let same_client = others.client.is_none_or(|client| client == self.client);
        (same_scheme && same_host && same_client).then_some(()).ok_or_else(Problem::conflicting_forwarding)
    }
}

/// What proxies say of a request.
#[derive(Debug, Default)]
struct Claims {
    client: Option<IpAddr>,
    scheme: Option<String>,
    host: Option<String>,
}

impl Claims {
    fn of_x_forwarded(headers: &HeaderMap, trusted: &[Network]) -> Self {
        let lines: Vec<&HeaderValue> = headers.get_all(&X_FORWARDED_FOR).iter().collect();
        let hops = lines.iter().rev().filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        Self {
            client: client_of(hops, trusted),
            scheme: last_of(headers, &X_FORWARDED_PROTO).map(str::to_owned),
            host: last_of(headers, &X_FORWARDED_HOST).map(str::to_owned),
        }
    }

    fn of_forwarded(headers: &HeaderMap, trusted: &[Network]) -> Result<Self, Problem> {
        let lines = headers.get_all(header::FORWARDED).iter();
        let mut elements = ForwardedElement::parse_all(lines).ok_or_else(Problem::conflicting_forwarding)?;
        let client = client_of(elements.iter().rev().map(|element| element.for_node.as_deref().unwrap_or("")), trusted);
        let last = elements.pop().unwrap_or_default();
        Ok(Self { client, scheme: last.proto, host: last.host })
    }
}

/// The first address, from the right, that is not itself a trusted proxy: everything left of it is the client's own claim.
fn client_of<'h>(hops: impl Iterator<Item = &'h str>, trusted: &[Network]) -> Option<IpAddr> {
    let mut client = None;
    for hop in hops {
        let Some(address) = parse_hop(hop.trim()) else { break };
        client = Some(address);
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// Whether a scheme stands for TLS; none when it is no scheme of HTTP. Of a request for a WebSocket some proxies tell the scheme of
/// its address (RFC 6455, 3).
fn is_protected(scheme: &str) -> Option<bool> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name);
    if is("https") || is("wss") { Some(true) } else { (is("http") || is("ws")).then_some(false) }
}

/// The host a request is for: of an absolute target, else of the one `Host` line.
fn requested_host<B>(request: &Request<B>) -> Result<&str, Problem> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let line = lines.next();
    if lines.next().is_some() {
        return Err(Problem::bad_host());
    }
    let host = match (request.uri().authority(), line) {
        // RFC 9113, 8.3.1: they must not differ.
        (Some(authority), Some(line))
            if request.version() == Version::HTTP_2
                && !authority.as_str().as_bytes().eq_ignore_ascii_case(line.as_bytes()) =>
        {
            return Err(Problem::bad_host());
        }
        // RFC 9112, 3.2.2: the host of an absolute target wins over the line.
        (Some(authority), _) => authority.as_str(),
        (None, Some(line)) => line.to_str().map_err(|_| Problem::bad_host())?,
        (None, None) if request.version() != Version::HTTP_10 => return Err(Problem::bad_host()),
        (None, None) => "localhost",
    };
    if is_host(host) { Ok(host) } else { Err(Problem::bad_host()) }
}

fn is_host(host: &str) -> bool {
    let name = without_port(host);
    let port = &host[name.len()..];
    let good_port = port.is_empty() || port[1..].bytes().all(|byte| byte.is_ascii_digit());
    let good_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            name.len() <= 253
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        }
    };
    !name.is_empty() && good_name && good_port
}

fn without_port(host: &str) -> &str {
    match host.bytes().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(last) if host.as_bytes()[last] == b':' => &host[..last],
        _ => host,
    }
}

pub(super) fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

fn last_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(with_port).or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request")
    }

    fn origin(headers: &[(&str, &str)], trusted: &[&str]) -> Result<Origin, Problem> {
        believing(headers, trusted, ForwardingHeaders::XForwarded)
    }

    fn believing(lines: &[(&str, &str)], trusted: &[&str], headers: ForwardingHeaders) -> Result<Origin, Problem> {
        let proxies = trusted.iter().map(|text| Network::parse(text).expect("a network")).collect();
        let peer = "10.0.0.1:1234".parse().expect("an address");
        Origin::direct(&request(lines), (peer, None), false, &Trust { proxies, headers: Some(headers) })
    }

    const SPOOFED: &[(&str, &str)] = &[
        ("host", "shop.example"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
    ];

    #[test]
    fn what_an_untrusted_peer_forwards_is_not_believed() {
        let origin = origin(SPOOFED, &[]).expect("an origin");
        assert_eq!(origin.client.to_string(), "10.0.0.1");
        assert_eq!((origin.scheme(), origin.host.as_str()), ("http", "shop.example"));
    }

    #[test]
    fn what_a_trusted_proxy_forwards_is_believed() {
        let origin = origin(SPOOFED, &["10.0.0.0/8"]).expect("an origin");
        assert_eq!(origin.client.to_string(), "1.1.1.1");
        assert_eq!((origin.scheme(), origin.host.as_str()), ("https", "evil.example"));
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_no_proxy() {
        let headers = &[("host", "a"), ("x-forwarded-for", "6.6.6.6, 1.1.1.1"), ("x-forwarded-for", "10.0.0.9")];
        let origin = origin(headers, &["10.0.0.0/8"]).expect("an origin");
        assert_eq!(origin.client.to_string(), "1.1.1.1");
    }

    #[test]
    fn hosts_are_names_or_addresses() {
        for host in ["a", "a.example:8080", "[::1]", "[::1]:80", "127.0.0.1:1"] {
            assert!(is_host(host), "{host}");
        }
        for host in ["", ":80", "a b", "a/b", "a@b", "[::1", "a:b", "a:1:2", "<script>"] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn no_host_or_two_hosts_are_refused() {
        assert!(origin(&[], &[]).is_err());
        assert!(origin(&[("host", "a"), ("host", "a")], &[]).is_err());
    }

    #[test]
    fn forwarded_is_believed_where_it_is_what_the_proxy_writes() {
        let lines =
            &[("host", "a"), ("forwarded", "for=6.6.6.6, for=\"[2001:db8::1]:99\";proto=https;host=public.example")];
        let origin = believing(lines, &["10.0.0.0/8"], ForwardingHeaders::Forwarded).expect("an origin");
        assert_eq!(origin.client.to_string(), "2001:db8::1");
        assert_eq!((origin.scheme(), origin.host.as_str()), ("https", "public.example"));
        let untrusted = believing(lines, &[], ForwardingHeaders::Forwarded).expect("an origin");
        assert_eq!((untrusted.scheme(), untrusted.host.as_str()), ("http", "a"));
    }

    #[test]
    fn the_schemes_of_websockets_are_those_of_http() {
        for (told, scheme) in [("wss", "https"), ("WSS", "https"), ("ws", "http"), ("https", "https"), ("x", "http")] {
            let lines = &[("host", "a"), ("x-forwarded-proto", told)];
            assert_eq!(origin(lines, &["10.0.0.0/8"]).expect("an origin").scheme(), scheme, "{told}");
        }
        for (x, standard, good) in [
            ("wss", "https", true),
            ("https", "wss", true),
            ("ws", "http", true),
            ("wss", "http", false),
            ("http", "x", false),
        ] {
            let forwarded = format!("proto={standard}");
            let lines = &[("host", "a"), ("x-forwarded-proto", x), ("forwarded", forwarded.as_str())];
            assert_eq!(origin(lines, &["10.0.0.0/8"]).is_ok(), good, "{x} {standard}");
        }
    }

    #[test]
    fn headers_that_contradict_each_other_are_refused() {
        let x = [("host", "a.example"), ("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
        for (forwarded, good) in [
            ("for=1.1.1.1;proto=https;host=a.example", true),
            ("for=1.1.1.1", true),
            ("for=2.2.2.2", false),
            ("for=1.1.1.1;proto=http", false),
            ("for=1.1.1.1;host=evil.example", false),
            ("for=1.1.1.1;host=", false),
        ] {
            let lines = [&x[..], &[("forwarded", forwarded)]].concat();
            assert_eq!(origin(&lines, &["10.0.0.0/8"]).is_ok(), good, "{forwarded}");
        }
    }
}
