//! Options of the program as a whole.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::schema::{choice, section};

section! {
    /// What is logged. Logs go to standard error.
    pub struct Log {
        /// Least severe level that is logged; the environment variable `HANDSTAMP_LOG` overrides it
        /// per module.
        level: LogLevel = "info",
        /// Form of a line.
        format: LogFormat = "text",
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
        /// Age at which a fresh key takes over.
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
    }
}

choice! {
    /// Kinds of store.
    pub enum StoreKind {
        /// In this process; gone when it ends.
        Memory = "memory",
        /// In a database file; survives a crash.
        Sqlite = "sqlite",
    }
}

section! {
    /// The admin listener: `/healthz`, `/readyz`, `/metrics`, `/reload`, and a page for people.
    pub struct Admin {
        /// Where it listens. Health and metrics have no sign-in: keep it private.
        address: SocketAddr = "127.0.0.1:9090",
        /// The relying party by which operators sign in to the page, with `public_url` the address of this listener as their
        /// browsers see it; no page when absent.
        federation: Option<String>,
        /// Roles of which an operator must have at least one; required with `federation`.
        required_roles: Vec<String> = [],
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
    /// How the program ends on SIGTERM or SIGINT: it stops accepting, lets running requests finish,
    /// and leaves.
    pub struct Shutdown {
        /// How long running requests may take before they are cut off.
        drain: Duration = "30s",
    }
}
