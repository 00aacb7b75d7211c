//! Where something listens: an address of the network, or a file of this machine.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use super::findings::Reader;
use super::schema::Value;
use super::values::{or_report, text_of};

/// Begins the name of a Unix domain socket.
pub(super) const UNIX: &str = "unix:";

/// Where requests are accepted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ListenAddress {
    /// An address and port, by TCP.
    Tcp(SocketAddr),
    /// A Unix domain socket.
    Unix(PathBuf),
}

impl ListenAddress {
    /// Whether the system chooses the port.
    pub fn is_any_port(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }

    /// The address and port; none for a Unix domain socket.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl Value for ListenAddress {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("address, or `unix:` and a path")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(|text| match text.strip_prefix(UNIX) {
            // Whole, because a service manager, too, has to know it by this name.
            Some(file) if !file.is_empty() => std::path::absolute(reader.resolve(file)).ok().map(Self::Unix),
            Some(_) => None,
            None => text.parse().ok().map(Self::Tcp),
        });
        let help = "must be an address and port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or \"unix:\" and the path of a socket";
        or_report(parsed, help, path, reader)
    }
}

/// Who may connect to a Unix domain socket: the permissions of its file, of which writing counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(pub u32);

impl Value for SocketMode {
    fn kind() -> Cow<'static, str> {
        Cow::Borrowed("octal mode")
    }

    fn read(value: &Spanned<DeValue<'_>>, path: &str, reader: &mut Reader) -> Option<Self> {
        let parsed = text_of(value).and_then(|text| u32::from_str_radix(text, 8).ok()).filter(|mode| *mode <= 0o777);
        or_report(parsed.map(Self), "must be a mode in octal such as \"0660\"", path, reader)
    }
}
