//! Options of the program as a whole.

use std::path::PathBuf;
use std::time::Duration;

use super::address::ListenAddress;
use super::listener::ForwardingHeaders;
use super::schema::{choice, section};
use super::values::Network;

section! {
    /// What is logged. Logs go to standard error.
    pub struct Log {
        /// Least severe level that is logged; the environment variable `HANDSTAMP_LOG` overrides it
        /// per module.
        level: LogLevel = "info",
        /// Form of a line.
        format: LogFormat = "text",
        /// One line, at the level `info`, for each request that was answered: client, method, host, path without query, route, status and
        /// milliseconds.
        requests: bool = false,
    }
}

choice! {
    /// Severity of log lines.
    pub enum LogLevel {
        /// Only what needs attention now.
        Error = "error",
        /// Also what may need attention.
        Warn = "warn",
        /// Also what happens in normal operation: sign-ins, sign-outs, rejections, requests that failed.
        Info = "info",
        /// Also every request.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// Form of log lines.
    pub enum LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

section! {
    /// The key ring.
    pub struct Keys {
        /// File of the key ring, a JWK Set readable by its owner only; `handstamp keys init` makes it.
        path: PathBuf = "handstamp-keys.json",
        /// Age at which a fresh key takes over; at least 10m.
        rotate_after: Duration = "1d",
    }
}

section! {
    /// The store.
    pub struct Store {
        /// What keeps it. `memory` forgets when the program ends.
        kind: StoreKind = "memory",
        /// Database file; needed for, and only for, `sqlite`.
        path: Option<PathBuf>,
        /// Address of the server, without a password; needed for, and only for, `redis` (`rediss://user@host:6379/0`) and
        /// `postgresql` (`postgresql://user@host/database`).
        url: Option<String>,
        /// File with the password for the server, readable by its owner only.
        password_file: Option<PathBuf>,
        /// Authorities (PEM) that the server's certificate must come from; those of the system when empty.
        authorities: Vec<PathBuf> = [],
        /// Refuse servers on other hosts that would be reached without TLS.
        require_tls: bool = true,
        /// How long the server may take to answer.
        timeout: Duration = "3s",
    }
}

impl Store {
    /// Whether other nodes can share it.
    pub fn is_shared(&self) -> bool {
        matches!(self.kind, StoreKind::Redis | StoreKind::Postgresql)
    }
}

choice! {
    /// Kinds of store.
    pub enum StoreKind {
        /// In this process; gone when it ends.
        Memory = "memory",
        /// In a database file; survives a crash.
        Sqlite = "sqlite",
        /// In Redis, shared by any number of nodes; survives what Redis survives.
        Redis = "redis",
        /// In PostgreSQL, shared by any number of nodes; survives what PostgreSQL survives.
        Postgresql = "postgresql",
    }
}

section! {
    /// The admin listener: `/healthz`, `/readyz`, `/metrics`, `/reload`, and a page for people.
    pub struct Admin {
        /// Where it listens: as with `listener.NAME.address`. Health and metrics have no sign-in: keep it private.
        address: ListenAddress = "127.0.0.1:9090",
        /// The relying party by which operators sign in to the page, with `public_url` the address of this listener as their
        /// browsers see it; no page when absent.
        federation: Option<String>,
        /// Roles of which an operator must have at least one; required with `federation`.
        required_roles: Vec<String> = [],
        /// Proxies in front whose forwarding headers are believed: name the one that ends TLS, without which no operator can sign in
        /// with `cookie.secure`.
        trusted_proxies: Vec<Network> = [],
        /// Which headers of trusted proxies tell client, scheme and host. The others must not say something else.
        forwarding_headers: ForwardingHeaders = "x-forwarded",
    }
}

section! {
    /// The audit log: sign-ins, what becomes of sessions, and what is refused, as JSON, one object a line.
    pub struct Audit {
        /// The file, made if needed, readable by its owner only. It may be moved away at any time; the next line makes a new one.
        path: PathBuf,
    }
}

section! {
    /// What the gateway's own pages look like: errors, refusals, the end of a session.
    pub struct Pages {
        /// Whose pages these are.
        name: String = "Handstamp",
        /// A sentence below every error: whom to turn to.
        support: Option<String>,
    }
}

section! {
    /// How the program ends on SIGTERM or SIGINT: it stops accepting, lets running requests finish,
    /// and leaves.
    pub struct Shutdown {
        /// How long running requests may take before they are cut off.
        drain: Duration = "30s",
    }
}
