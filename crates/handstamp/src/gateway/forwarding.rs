//! The headers of a message on its way through: what belongs to one hop only is taken off, and who
//! asked is put on.

use std::fmt::Write as _;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING,
};
use rustls_pki_types::CertificateDer;

use super::origin::{Origin, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Takes off every header that is meant for one hop: those HTTP names and those `Connection` names. As that can be any, this comes
/// before anything of the gateway's own is written (RFC 9110, 7.6.1).
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let first = |headers: &HeaderMap| headers.keys().find(|name| is_hop_by_hop(name)).cloned();
    // Most messages have one of them, or none: to look through all names is quicker than to ask for each.
    let Some(found) = first(headers) else { return };
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        // What most say goes anyhow.
        .filter(|line| *line != "keep-alive")
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    // The encoding says where the body ends, and a length beside it nothing (RFC 9112, 6.3).
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
    }
    headers.remove(found);
    while let Some(next) = first(headers) {
        headers.remove(next);
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

/// What the gateway answers itself, and what nobody but it can say.
static UNWANTED: [HeaderName; 3] = [EXPECT, CLIENT_CERT, CLIENT_CERT_CHAIN];

/// Puts forwarding headers on a request for the application, and the client's `certificate`. `Expect` goes: the gateway itself
/// answers it when it begins to read the body.
pub(super) fn prepare_request(headers: &mut HeaderMap, origin: &Origin, certificate: Option<&CertificateDer<'static>>) {
    let is_unwanted = |name: &HeaderName| UNWANTED.contains(name);
    if headers.keys().any(is_unwanted) {
        UNWANTED.iter().for_each(|name| drop(headers.remove(name)));
    }
    let peer = origin.peer.ip().to_canonical();
    let address = text_of(peer);
    let element = forwarded_element(peer, &address, origin);
    if origin.from_trusted_proxy {
        if origin.client != peer {
            // The proxy may say it in one of the two only; the application may read the other.
            let client = origin.client;
            headers.entry(X_FORWARDED_FOR).or_insert_with(|| header_value(text_of(client)));
            headers.entry(FORWARDED).or_insert_with(|| header_value(for_pair(client)));
        }
        append_to_list(headers, X_FORWARDED_FOR, address);
        append_to_list(headers, FORWARDED, element);
    } else {
        headers.insert(X_FORWARDED_FOR, header_value(address));
        headers.insert(FORWARDED, header_value(element));
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(origin.scheme()));
    // Where no proxy or target says otherwise, the host is the one line that the client sent.
    let host = match headers.get(HOST) {
        Some(sent) if sent == origin.host.as_str() => sent.clone(),
        _ => {
            let host = header_value(origin.host.clone());
            headers.insert(HOST, host.clone());
            host
        }
    };
    headers.insert(X_FORWARDED_HOST, host);
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
fn forwarded_element(peer: IpAddr, address: &str, origin: &Origin) -> String {
    let (before, after) = around(peer);
    [before, address, after, ";host=\"", &origin.host, "\";proto=", origin.scheme()].concat()
}

fn for_pair(address: IpAddr) -> String {
    let (before, after) = around(address);
    [before, &text_of(address), after].concat()
}

fn around(address: IpAddr) -> (&'static str, &'static str) {
    if address.is_ipv4() { ("for=", "") } else { ("for=\"[", "]\"") }
}

/// An address as text. Every request tells one, and the general way to write numbers takes four times as long.
fn text_of(address: IpAddr) -> String {
    let mut text = String::with_capacity(45);
    match address {
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                text.push_str(if at > 0 { "." } else { "" });
                text.push_str(itoa::Buffer::new().format(octet));
            }
        }
        IpAddr::V6(address) => drop(write!(text, "{address}")),
    }
    text
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
    fn what_connection_says_beside_names_of_headers_is_passed_over() {
        let mut headers = headers(&[
            ("connection", "Keep-Alive,upgrade, te, no header!, x-private"),
            ("te", "trailers"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("x-public", "1"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-public"]);
    }

    #[test]
    fn addresses_are_written_as_they_are_elsewhere() {
        for address in ["0.0.0.0", "1.10.100.255", "127.0.0.1", "192.168.9.99", "200.20.2.0", "::1", "fd00::a:b"] {
            assert_eq!(text_of(address.parse().expect("an address")), address);
        }
    }

    #[test]
    fn the_host_that_was_found_out_is_told() {
        for sent in [&[("host", "shop.example:8080")][..], &[("host", "other.example")], &[]] {
            let mut headers = headers(sent);
            prepare_request(&mut headers, &origin("10.0.0.1:1", false), None);
            assert_eq!(headers.get_all("host").iter().collect::<Vec<_>>(), ["shop.example:8080"]);
            assert_eq!(headers["x-forwarded-host"], "shop.example:8080");
        }
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
