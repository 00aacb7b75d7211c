//! Options of an address on which requests are accepted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::address::{ListenAddress, SocketMode};
use super::schema::{choice, section};
use super::values::{ByteSize, Network};

section! {
    /// An address on which requests are accepted.
    pub struct Listener {
        /// Address and port, or `unix:` and the path of a Unix domain socket. Whoever connects by that counts as `127.0.0.1`.
        address: ListenAddress,
        /// Who may connect to a Unix domain socket, as permissions of its file in octal: writing counts.
        socket_mode: SocketMode = "0660",
        /// Answer every request by sending the client to the same address with https. For a listener without TLS beside one with.
        redirect_to_https: bool = false,
        /// The port that clients are sent to.
        https_port: u32 = 443,
        /// Proxies in front whose forwarding headers, and PROXY protocol, are believed. Their `X-Request-Id` stays the name of a
        /// request, in the log and for the application, if it is one of up to 39 letters, digits and `-_.:+/=`.
        trusted_proxies: Vec<Network> = [],
        /// Which headers of trusted proxies tell client, scheme and host. The others must not say something else. `x-forwarded` when
        /// absent; none when absent beside `proxy_protocol`.
        forwarding_headers: Option<ForwardingHeaders>,
        /// Every connection begins with a header of the PROXY protocol, version 1 or 2, from one of `trusted_proxies`; others are
        /// closed. It names the client, who is no trusted proxy whatever its address. What passes connections on writes no headers, and
        /// those in requests are the client's own: they are believed only where `forwarding_headers` says what is written in front,
        /// which must then remove them from what clients send.
        proxy_protocol: bool = false,
        /// How long a client may take to send the head of a request, or for the handshake of TLS; also the idle time after which a
        /// kept-alive connection is closed.
        header_timeout: Duration = "15s",
        /// How long a client may take to accept more of an answer.
        write_timeout: Duration = "60s",
        /// Longest head of a request, request line included; longer is answered with 431.
        max_header_size: ByteSize = "64KiB",
        /// Most header lines of a request, up to 10000; more is answered with 431.
        max_headers: u32 = 100,
        /// Most open connections; further ones wait in the system's queue.
        max_connections: u32 = 10000,
        /// TLS; plain HTTP when absent.
        tls: Option<ListenerTls>,
    }
}

choice! {
    /// Which headers of trusted proxies are believed.
    pub enum ForwardingHeaders {
        /// `X-Forwarded-For`, `X-Forwarded-Proto` and `X-Forwarded-Host`.
        XForwarded = "x-forwarded",
        /// `Forwarded` (RFC 7239).
        Forwarded = "forwarded",
    }
}

section! {
    /// TLS on a listener. Certificates are read again when their files change, and with the configuration.
    pub struct ListenerTls {
        /// Certificates. Clients get the one for the name they ask for.
        certificate: BTreeMap<String, ListenerCertificate>,
        /// The certificate for clients that ask for no name, or for one that no certificate is for; may be left out when there is
        /// exactly one certificate.
        default: Option<String>,
        /// Offer HTTP/2.
        http2: bool = true,
        /// Tell browsers to use https only, for so long (`Strict-Transport-Security`); nothing is told when absent.
        hsts: Option<Duration>,
        /// The same for all names below the host's.
        hsts_subdomains: bool = false,
        /// Whether clients show certificates.
        client_certificates: ClientCertificates = "off",
        /// Authorities (PEM) that clients' certificates must come from.
        client_authorities: Vec<PathBuf> = [],
    }
}

section! {
    /// A certificate of a listener.
    pub struct ListenerCertificate {
        /// The certificate and those between it and its authority, as PEM.
        chain: PathBuf,
        /// Its private key, as PEM, readable by its owner only; may be the same file.
        key: PathBuf,
    }
}

choice! {
    /// Whether clients show certificates.
    pub enum ClientCertificates {
        /// They are not asked.
        Off = "off",
        /// They are asked, and may decline.
        Optional = "optional",
        /// Without one there is no connection.
        Required = "required",
    }
}
