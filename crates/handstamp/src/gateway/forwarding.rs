//! The headers of a message on its way through: what belongs to one hop only is taken off, and who
//! asked is put on.

use std::fmt::Write;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use rustls_pki_types::CertificateDer;

use super::origin::{Origin, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

const HOP_BY_HOP: [HeaderName; 9] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Takes off every header that is meant for one hop: those HTTP names and those `Connection` names. As that can be any, this comes
/// before anything of the gateway's own is written (RFC 9110, 7.6.1).
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    // The encoding says where the body ends, and a length beside it nothing (RFC 9112, 6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
}

/// The same for a request. `TE: trailers` says that the client takes trailers, which all on the way do where HTTP/2 is spoken; gRPC
/// needs to know (RFC 9113, 8.2.2).
pub(super) fn take_in_request(headers: &mut HeaderMap) {
    let takes_trailers = headers.get_all(TE).iter().eq([TRAILERS]);
    remove_hop_by_hop(headers);
    if takes_trailers {
        headers.insert(TE, TRAILERS);
    }
}

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// What a client showed of itself, for applications behind the one that TLS ended at (RFC 9440).
const CLIENT_CERT: HeaderName = HeaderName::from_static("client-cert");
const CLIENT_CERT_CHAIN: HeaderName = HeaderName::from_static("client-cert-chain");

/// Puts forwarding headers on a request for the application, and the client's `certificate`. `Expect` goes: the gateway itself
/// answers it when it begins to read the body.
pub(super) fn prepare_request(headers: &mut HeaderMap, origin: &Origin, certificate: Option<&CertificateDer<'static>>) {
    headers.remove(EXPECT);
    let peer = origin.peer.ip().to_canonical();
    if !origin.from_trusted_proxy {
        headers.remove(X_FORWARDED_FOR);
        headers.remove(FORWARDED);
    } else if origin.client != peer {
        // The proxy may say it in one of the two only; the application may read the other.
        let client = origin.client;
        headers.entry(X_FORWARDED_FOR).or_insert_with(|| header_value(client.to_string()));
        headers.entry(FORWARDED).or_insert_with(|| header_value(for_pair(client)));
    }
    let host = header_value(origin.host.clone());
    append_to_list(headers, X_FORWARDED_FOR, peer.to_string());
    append_to_list(headers, FORWARDED, forwarded_element(peer, origin));
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(origin.scheme()));
    headers.insert(X_FORWARDED_HOST, host.clone());
    headers.insert(HOST, host);
    headers.remove(CLIENT_CERT);
    headers.remove(CLIENT_CERT_CHAIN);
    if let Some(certificate) = certificate {
        let value = format!(":{}:", base64_simd::STANDARD.encode_to_string(certificate));
        headers.insert(CLIENT_CERT, header_value(value));
    }
    join_cookies(headers);
}

/// HTTP/2 may cut `Cookie` into several lines, HTTP/1.1 has one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    if headers.get_all(COOKIE).iter().nth(1).is_none() {
        return;
    }
    let lines: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if let Ok(value) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, value);
    }
}

/// One element of `Forwarded` (RFC 7239). Host and IPv6 addresses need quotes there; neither can
/// contain one.
fn forwarded_element(peer: IpAddr, origin: &Origin) -> String {
    let mut element = for_pair(peer);
    let _ = write!(element, ";host=\"{}\";proto={}", origin.host, origin.scheme());
    element
}

fn for_pair(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("for={address}"),
        IpAddr::V6(address) => format!("for=\"[{address}]\""),
    }
}

/// Appends to a comma-separated list, joining the lines there are into one.
fn append_to_list(headers: &mut HeaderMap, name: HeaderName, element: String) {
    let mut list = String::new();
    for line in headers.get_all(&name).iter().filter_map(|line| line.to_str().ok()) {
        if !line.trim().is_empty() {
            list.push_str(line);
            list.push_str(", ");
        }
    }
    let list = if list.is_empty() { element } else { list + &element };
    headers.insert(name, header_value(list));
}

/// Addresses, hosts and lists of lines that were header values are header values.
fn header_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect::<Vec<_>>()
            .into_iter()
            .fold(HeaderMap::new(), |mut headers, (name, value)| {
                headers.append(name, value);
                headers
            })
    }

    fn origin(peer: &str, trusted: bool) -> Origin {
        Origin {
            peer: peer.parse().expect("an address"),
            client: "1.1.1.1".parse().expect("an address"),
            https: false,
            host: "shop.example:8080".to_owned(),
            from_trusted_proxy: trusted,
            certificate: None,
            hold: None,
        }
    }

    #[test]
    fn hop_by_hop_headers_go_also_those_connection_names() {
        let mut headers = headers(&[
            ("connection", "close, X-Private"),
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("proxy-authorization", "Basic x"),
            ("x-public", "1"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key("x-public"));
    }

    #[test]
    fn an_untrusted_peer_starts_the_lists_anew() {
        let mut headers = headers(&[("x-forwarded-for", "6.6.6.6"), ("forwarded", "for=6.6.6.6")]);
        prepare_request(&mut headers, &origin("10.0.0.1:1", false), None);
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1");
        assert_eq!(headers["forwarded"], "for=10.0.0.1;host=\"shop.example:8080\";proto=http");
    }

    #[test]
    fn a_trusted_proxy_lengthens_the_lists() {
        let mut headers = headers(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "10.0.0.9")]);
        prepare_request(&mut headers, &origin("[fd00::1]:1", true), None);
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 10.0.0.9, fd00::1");
        let last = "for=\"[fd00::1]\";host=\"shop.example:8080\";proto=http";
        assert_eq!(headers["forwarded"], format!("for=1.1.1.1, {last}"), "said in the other list only");
    }

    #[test]
    fn only_the_gateway_says_what_certificate_a_client_showed() {
        let mut forged = headers(&[("client-cert", ":AAAA:"), ("client-cert-chain", ":AAAA:")]);
        prepare_request(&mut forged, &origin("10.0.0.1:1", false), None);
        assert!(!forged.contains_key("client-cert") && !forged.contains_key("client-cert-chain"));
        let shown = CertificateDer::from(vec![1, 2, 3]);
        prepare_request(&mut forged, &origin("10.0.0.1:1", false), Some(&shown));
        assert_eq!(forged["client-cert"], ":AQID:");
    }

    #[test]
    fn cookies_that_came_in_pieces_are_one_line() {
        let mut headers = headers(&[("cookie", "a=1"), ("cookie", "b=2"), ("cookie", "c=3")]);
        prepare_request(&mut headers, &origin("10.0.0.1:1", false), None);
        assert_eq!(headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }
}
