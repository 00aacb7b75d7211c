//! Who sent a request and how: the client's address, the scheme and the host it used, believing the
//! proxies in front only where configuration says so.

use std::net::{IpAddr, SocketAddr};

use handstamp_web_session::Transport;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

use super::problem::Problem;
use crate::config::Network;

/// Where a request comes from. Found in the extensions of every request the gateway handles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The address of the other end of the connection.
    pub peer: SocketAddr,
    /// The address of the client: the peer, or what a trusted proxy says.
    pub client: IpAddr,
    /// Whether the client used https.
    pub https: bool,
    /// The host the client used, with port where it is not the default; never empty.
    pub host: String,
    /// Whether the peer is a trusted proxy.
    pub(super) from_trusted_proxy: bool,
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
    /// The request names no host, several, or something that is none.
    pub(super) fn of(request: &Parts, peer: SocketAddr, tls: bool, trusted: &[Network]) -> Result<Self, Problem> {
        let from_trusted_proxy = is_trusted(peer.ip(), trusted);
        let mut origin = Self {
            peer,
            client: peer.ip().to_canonical(),
            https: tls,
            host: requested_host(request)?.to_owned(),
            from_trusted_proxy,
        };
        if from_trusted_proxy {
            origin.believe(&request.headers, trusted)?;
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

    fn believe(&mut self, headers: &HeaderMap, trusted: &[Network]) -> Result<(), Problem> {
        // The rightmost address that is not itself a trusted proxy is the client: everything left of
        // it is the client's own claim.
        let lines: Vec<&HeaderValue> = headers.get_all(&X_FORWARDED_FOR).iter().collect();
        let hops = lines.iter().rev().filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        for hop in hops {
            let Some(address) = parse_hop(hop.trim()) else { break };
            self.client = address;
            if !is_trusted(address, trusted) {
                break;
            }
        }
        if let Some(scheme) = last_of(headers, &X_FORWARDED_PROTO) {
            self.https = scheme.eq_ignore_ascii_case("https");
        }
        if let Some(host) = last_of(headers, &X_FORWARDED_HOST) {
            if !is_host(host) {
                return Err(Problem::bad_host());
            }
            host.clone_into(&mut self.host);
        }
        Ok(())
    }
}

/// The host a request is for: of an absolute target, else of the one `Host` line.
fn requested_host(request: &Parts) -> Result<&str, Problem> {
    let mut lines = request.headers.get_all(header::HOST).iter();
    let line = lines.next();
    if lines.next().is_some() {
        return Err(Problem::bad_host());
    }
    let host = match (request.uri.authority(), line) {
        // RFC 9112, 3.2.2: the host of an absolute target wins over the line.
        (Some(authority), _) => authority.as_str(),
        (None, Some(line)) => line.to_str().map_err(|_| Problem::bad_host())?,
        (None, None) if request.version == Version::HTTP_11 => return Err(Problem::bad_host()),
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
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

fn last_of<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().ok();
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    address.or_else(with_port).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn origin(headers: &[(&str, &str)], trusted: &[&str]) -> Result<Origin, Problem> {
        let trusted: Vec<Network> = trusted.iter().map(|text| Network::parse(text).expect("a network")).collect();
        Origin::of(&parts(headers), "10.0.0.1:1234".parse().expect("an address"), false, &trusted)
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
}
