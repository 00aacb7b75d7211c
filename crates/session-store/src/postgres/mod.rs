//! A store in PostgreSQL.

mod connections;
mod revocations;
mod rows;
mod schema;
mod sessions;

use crate::sealing::{Sealing, failed};
use connections::Connections;
use handstamp_keys::tls::ClientSettings;
use handstamp_session_token::Error;
use handstamp_session_token::native::NativeFormat;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use zeroize::Zeroizing;

/// Sessions, replays and revocations in a PostgreSQL database, for any number of nodes.
///
/// What one node writes the others read at once, and they take revocations over with their next
/// [poll](crate::follow_revocations). Every change is one statement, so that no lock outlives a round trip. Nothing is kept
/// that PostgreSQL has not committed: how much of that a crash of its host may lose is the database's `synchronous_commit`.
///
/// Tables are made at the first start, in the first schema of the user's search path; their names begin with `handstamp_`.
/// Tokens are sealed with the key ring before they are written; the database knows sessions and subjects by digest only.
///
/// A few connections are kept and shared. A broken one is made again by the next call, and every call ends within the
/// timeout, so that a database that is away is an error soon, and no longer than it is away.
pub struct PostgresStore {
    connections: Connections,
    sealing: Sealing,
}

/// Settings of a [`PostgresStore`].
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// The database, as `postgresql://user@host:5432/database`. Everything that libpq allows after `?` is understood, such as
    /// several hosts, or `target_session_attrs=read-write`. TLS is on unless the host is this one.
    pub url: String,
    /// The user's password; none where the server asks for none.
    pub password: Option<Zeroizing<String>>,
    /// PEM files of the authorities that the server's certificate must come from; those of the system when empty.
    pub authorities: Vec<PathBuf>,
    /// How long a call may take, connecting included; 3 seconds by default.
    pub timeout: Duration,
    /// How many connections are kept, 4 by default. Any number of calls share them.
    pub connections: usize,
}

impl PostgresOptions {
    /// The defaults, for the database at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            authorities: Vec::new(),
            timeout: Duration::from_secs(3),
            connections: 4,
        }
    }

    /// How to connect. TLS that one end could talk the other out of would protect from nobody, so it is all or nothing.
    fn parse(&self) -> Result<tokio_postgres::Config, Error> {
        let mut config: tokio_postgres::Config = self.url.parse().map_err(|error| failed(OPEN, error))?;
        if config.get_password().is_some() {
            return Err(failed(OPEN, "its address holds the password: give that separately"));
        }
        if let Some(password) = &self.password {
            config.password(password.as_str());
        }
        let here = config.get_hosts().iter().all(|host| match host {
            Host::Tcp(name) => matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
            #[cfg(unix)]
            Host::Unix(_) => true,
        });
        if config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(if here { SslMode::Disable } else { SslMode::Require });
        }
        if config.get_application_name().is_none() {
            config.application_name("handstamp");
        }
        config.connect_timeout(self.timeout);
        Ok(config)
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("url", &self.url)
            .field("authorities", &self.authorities)
            .field("timeout", &self.timeout)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, and makes the tables where there are none. Tokens are sealed and opened with the ring of `format`.
    ///
    /// # Errors
    /// [`Error::Store`] when the database cannot be reached, lets this user make no tables, or was set up by a newer version.
    pub async fn open(format: NativeFormat, options: PostgresOptions) -> Result<Self, Error> {
        let config = options.parse()?;
        let tls = ClientSettings { authorities: options.authorities.clone(), identity: None };
        let tls = match config.get_ssl_mode() {
            SslMode::Disable => None,
            _ => Some((*tls.config(&[]).map_err(|error| failed(OPEN, error))?).clone()),
        };
        let connections = Connections::new(config, tls, options.timeout, options.connections);
        connections.migrate().await?;
        Ok(Self { connections, sealing: Sealing::new(format) })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}

const OPEN: &str = "open the database";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_on_unless_the_server_is_this_host() {
        let mode = |url: &str| PostgresOptions::new(url).parse().unwrap().get_ssl_mode();
        assert_eq!(mode("postgresql://gateway@db.example/handstamp"), SslMode::Require);
        assert_eq!(mode("postgresql://gateway@localhost/handstamp"), SslMode::Disable);
        assert_eq!(mode("postgresql://gateway@localhost,db.example/handstamp"), SslMode::Require);
        assert_eq!(mode("postgresql://gateway@localhost/handstamp?sslmode=require"), SslMode::Require);
        assert_eq!(mode("host=/run/postgresql user=gateway"), SslMode::Disable);
    }

    #[test]
    fn passwords_are_neither_taken_from_addresses_nor_printed() {
        let refused = PostgresOptions::new("postgresql://gateway:hunter2@localhost/handstamp").parse().unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
        let mut options = PostgresOptions::new("postgresql://gateway@localhost/handstamp");
        options.password = Some("hunter2".to_owned().into());
        assert!(!format!("{options:?}").contains("hunter2"));
        assert_eq!(options.parse().unwrap().get_password(), Some(&b"hunter2"[..]));
    }
}
