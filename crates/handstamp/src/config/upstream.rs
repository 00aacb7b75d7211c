//! Options of the servers that an application runs on.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::DeValue;

use super::address::UNIX;
use super::findings::{FindingKind, Reader, child_path};
use super::schema::{Value, choice, read_field, refuse_unknown_keys, section, wrong_type};
use super::values::{HttpUrl, PathPrefix};

/// The servers of an application: one, or several that share its requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstreams(Vec<UpstreamServer>);

/// One server, and its share of the requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamServer {
    /// Scheme, host and port.
    pub url: HttpUrl,
    /// The Unix domain socket that connections go to in place of host and port.
    pub socket: Option<PathBuf>,
    /// Its share, relative to those of the others; at least 1.
    pub weight: u32,
}

impl Upstreams {
    /// The servers; at least one.
    pub fn servers(&self) -> &[UpstreamServer] {
        &self.0
    }
}

impl fmt::Display for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{server}")?;
        }
        Ok(())
    }
}

impl Value for Upstreams {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("URL or `unix:` and a path, or list of these or { url, socket, weight }")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let servers: Vec<UpstreamServer> = match value.get_ref() {
            DeValue::Array(array) => {
                let read = |(index, value)| UpstreamServer::read(value, &format!("{path}[{index}]"), reader);
                let servers: Vec<Option<UpstreamServer>> = array.iter().enumerate().map(read).collect();
                servers.into_iter().collect::<Option<_>>()?
            }
            _ => vec![UpstreamServer::read(value, path, reader)?],
        };
        if servers.is_empty() || servers.len() > MAX_SERVERS {
            reader.report(FindingKind::Value, path, format!("must name from 1 to {MAX_SERVERS} servers"));
            return None;
        }
        Some(Self(servers))
    }

    fn absent(path: &str, reader: &mut Reader) -> Option<Self> {
        reader.report(FindingKind::Missing, path, "is required: set it to a URL");
        None
    }
}

impl fmt::Display for UpstreamServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            Some(socket) if self.url == HttpUrl::localhost() => write!(f, "{UNIX}{}", socket.display()),
            Some(socket) => write!(f, "{} at {UNIX}{}", self.url, socket.display()),
            None => self.url.fmt(f),
        }
    }
}

/// Most servers of one application.
const MAX_SERVERS: usize = 64;

impl UpstreamServer {
    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let (url, socket, weight) = match value.get_ref() {
            DeValue::String(text) => match text.strip_prefix(UNIX) {
                Some(file) => (HttpUrl::localhost(), Some(reader.resolve(file)), 1),
                None => (HttpUrl::read(value, path, reader)?, None, 1),
            },
            DeValue::Table(table) => {
                refuse_unknown_keys(table, &["url", "socket", "weight"], path, reader);
                let socket: Option<Option<PathBuf>> = read_field(table, "socket", None, path, reader);
                let url = match table.contains_key("socket") && !table.contains_key("url") {
                    true => Some(HttpUrl::localhost()),
                    false => read_field(table, "url", None, path, reader),
                };
                let weight: Option<u32> = read_field(table, "weight", Some("1"), path, reader);
                (url?, socket?, weight?)
            }
            other => {
                wrong_type("a URL, `unix:` and a path, or { url, socket, weight }", other, path, reader);
                return None;
            }
        };
        if weight == 0 || weight > 1000 {
            reader.report(FindingKind::Value, &child_path(path, "weight"), "must be from 1 to 1000");
            return None;
        }
        Some(Self { url, socket, weight })
    }
}

choice! {
    /// Which HTTP the application speaks.
    pub enum UpstreamProtocol {
        /// HTTP/1.1 in the clear; over TLS what the application prefers.
        Auto = "auto",
        /// HTTP/1.1.
        Http1 = "http1",
        /// HTTP/2, also in the clear: the application is known to speak it.
        Http2 = "http2",
    }
}

section! {
    /// TLS to the application, for upstreams with `https`.
    pub struct UpstreamTls {
        /// Authorities (PEM) that the application's certificate must come from; those of the system when empty.
        authorities: Vec<PathBuf> = [],
        /// Name that the certificate must be for; the host of `upstream` when absent.
        server_name: Option<String>,
        /// Certificate (PEM, with its chain) that is shown to an application that asks for one.
        certificate: Option<PathBuf>,
        /// The certificate's private key (PEM), readable by its owner only.
        key: Option<PathBuf>,
    }
}

section! {
    /// How requests are shared among several servers, and what is done when one fails.
    pub struct Balance {
        /// Which server gets a request.
        strategy: BalanceStrategy = "least-requests",
        /// Most requests at a time to each server; when all are full, further ones are answered with 503.
        max_requests: u32 = 1000,
        /// Failures in a row after which a server gets no requests for a while, as long as there are others.
        eject_after: u32 = 5,
        /// For how long; longer each time it happens again, up to ten times.
        eject_for: Duration = "10s",
        /// Further attempts for a request that surely had no effect: nothing of it was sent, or it only reads, has no body, and
        /// the connection ended before an answer began. Never after a timeout.
        retries: u32 = 1,
        /// Most retries, in percent of requests.
        retry_budget: u32 = 20,
    }
}

choice! {
    /// Which server gets a request.
    pub enum BalanceStrategy {
        /// The one with the fewest requests under way, relative to its weight.
        LeastRequests = "least-requests",
        /// The same one for each client address, as long as it is there: for applications that keep state in memory.
        ClientAddress = "client-address",
    }
}

section! {
    /// Asking each server from time to time whether it is well.
    pub struct HealthCheck {
        /// What is asked for; an answer below 400 is a good one.
        path: PathPrefix,
        /// How often.
        interval: Duration = "5s",
        /// How long an answer may take.
        timeout: Duration = "2s",
        /// Good answers in a row after which a server gets requests again.
        healthy_after: u32 = 2,
        /// Bad ones in a row after which it gets none.
        unhealthy_after: u32 = 3,
    }
}

section! {
    /// How many requests one client may make: an IPv4 address, or an IPv6 network of 64 bits.
    pub struct RateLimit {
        /// Requests per `per`; more are answered with 429.
        requests: u32,
        /// The time in which they are counted.
        per: Duration = "1s",
        /// Requests that may come at once; as many as `requests` when absent.
        burst: Option<u32>,
    }
}
