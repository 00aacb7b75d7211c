//! Options of an address on which requests are accepted.

use std::net::SocketAddr;
use std::time::Duration;

use super::schema::section;
use super::values::{ByteSize, Network};

section! {
    /// An address on which requests are accepted.
    pub struct Listener {
        /// Address and port.
        address: SocketAddr,
        /// Proxies in front whose `X-Forwarded-*` headers are believed.
        trusted_proxies: Vec<Network> = [],
        /// How long a client may take to send the head of a request, also the idle time after which
        /// a kept-alive connection is closed.
        header_timeout: Duration = "15s",
        /// How long a client may take to accept more of an answer.
        write_timeout: Duration = "60s",
        /// Longest head of a request, request line included; longer is answered with 431.
        max_header_size: ByteSize = "64KiB",
        /// Most header lines of a request; more is answered with 431.
        max_headers: u32 = 100,
        /// Most open connections; further ones wait in the system's queue.
        max_connections: u32 = 10000,
    }
}
