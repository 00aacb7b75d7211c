//! The header of the PROXY protocol, in which a proxy says whose connection it passes on: versions 1 and 2.

use std::net::{IpAddr, SocketAddr};

use ppp::{HeaderResult, PartialResult, v1, v2};

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The beginning of a header: more is needed.
    Incomplete,
    /// A header.
    Complete {
        /// How many bytes it has.
        length: usize,
        /// The client; none when the proxy speaks for itself, as for health checks, or does not know.
        source: Option<SocketAddr>,
    },
    /// No header.
    Malformed,
}

impl ProxyHeader {
    /// The longest header that is read.
    pub const MAX_LENGTH: usize = 1024;

    /// Reads the header at the beginning of `bytes`.
    pub fn parse(bytes: &[u8]) -> Self {
        let begins_as = |signature: &[u8]| bytes.iter().zip(signature).all(|(one, other)| one == other);
        let is_v2 = begins_as(&V2_SIGNATURE);
        let longest = if is_v2 { Self::MAX_LENGTH } else { V1_MAX_LENGTH };
        // Version 1 is one line, and means nothing before its end.
        let is_cut = begins_as(V1_SIGNATURE) && !bytes.windows(2).any(|pair| pair == b"\r\n");
        let header = HeaderResult::parse(bytes);
        if is_cut || header.is_incomplete() {
            return if bytes.len() < longest { Self::Incomplete } else { Self::Malformed };
        }
        match header {
            // A lone CR ends no line.
            HeaderResult::V1(Ok(header)) if header.header.ends_with("\r\n") => Self::Complete {
                length: header.header.len(),
                source: match header.addresses {
                    v1::Addresses::Tcp4(pair) => Some(address(pair.source_address, pair.source_port)),
                    v1::Addresses::Tcp6(pair) => Some(address(pair.source_address, pair.source_port)),
                    v1::Addresses::Unknown => None,
                },
            },
            HeaderResult::V2(Ok(header)) if header.len() <= Self::MAX_LENGTH => Self::Complete {
                length: header.len(),
                source: match (header.command, header.addresses) {
                    (v2::Command::Proxy, v2::Addresses::IPv4(pair)) => {
                        Some(address(pair.source_address, pair.source_port))
                    }
                    (v2::Command::Proxy, v2::Addresses::IPv6(pair)) => {
                        Some(address(pair.source_address, pair.source_port))
                    }
                    _ => None,
                },
            },
            _ => Self::Malformed,
        }
    }
}

fn address(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into().to_canonical(), port)
}

const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
const V1_SIGNATURE: &[u8] = b"PROXY ";
/// What version 1 allows, CR and LF included.
const V1_MAX_LENGTH: usize = 107;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_names_the_client_and_is_read_to_its_end_only() {
        let bytes = b"PROXY TCP4 192.0.2.1 198.51.100.1 1234 443\r\nGET / HTTP/1.1\r\n";
        let source = "192.0.2.1:1234".parse().ok();
        assert_eq!(ProxyHeader::parse(bytes), ProxyHeader::Complete { length: 44, source });
        let bytes = b"PROXY TCP6 2001:db8::1 2001:db8::2 1234 443\r\n";
        let source = "[2001:db8::1]:1234".parse().ok();
        assert_eq!(ProxyHeader::parse(bytes), ProxyHeader::Complete { length: bytes.len(), source });
        let local = ProxyHeader::Complete { length: 15, source: None };
        assert_eq!(ProxyHeader::parse(b"PROXY UNKNOWN\r\nGET"), local);
    }

    #[test]
    fn version_2_names_the_client_unless_the_proxy_speaks_for_itself() {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 0x04, 0xd2, 0x01, 0xbb]);
        bytes.extend(b"GET /");
        let source = "192.0.2.1:1234".parse().ok();
        assert_eq!(ProxyHeader::parse(&bytes), ProxyHeader::Complete { length: 28, source });
        bytes[12] = 0x20;
        assert_eq!(ProxyHeader::parse(&bytes), ProxyHeader::Complete { length: 28, source: None });
    }

    #[test]
    fn a_beginning_is_waited_for_and_nothing_else() {
        for header in [&b"PROXY TCP4 192.0.2.1 198.51.100.1 1234 443\r\n"[..], &V2_SIGNATURE] {
            for end in 0..header.len() - 1 {
                assert_eq!(ProxyHeader::parse(&header[..end]), ProxyHeader::Incomplete, "{end}");
            }
        }
        let endless = [&b"PROXY TCP4 "[..], &[b'1'; 200]].concat();
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXY TCP4 300.0.2.1 1.1.1.1 1 1\r\n",
            b"PROXY UNKNOWN \n 3.2 5K\r\0\0\0\0\0\0\0\x1f\r\n\xd1\x01",
            &endless,
            b"\x16\x03\x01\x02\x00\x01\x00",
        ] {
            assert_eq!(ProxyHeader::parse(bytes), ProxyHeader::Malformed, "{bytes:?}");
        }
    }
}
