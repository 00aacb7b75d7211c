//! A store in Redis.

mod connection;
mod revocations;
mod scripts;
mod sessions;
mod text;

use crate::sealing::{Sealing, failed};
use connection::Connection;
use handstamp_session_token::Error;
use handstamp_session_token::native::NativeFormat;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use scripts::Scripts;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use zeroize::Zeroizing;

/// Sessions, replays and revocations in Redis, or in anything that speaks its protocol and runs its scripts, for any number
/// of nodes.
///
/// What one node writes the others read at once, and they take revocations over with their next
/// [poll](crate::follow_revocations). Every change is one script, so that nobody sees half of it. It is for one primary, with
/// replicas or without; scripts touch several keys, so a Redis Cluster does not run them. What a crash of Redis loses is up
/// to its persistence (`appendonly`); where it evicts keys when memory is short (`maxmemory-policy` other than
/// `noeviction`), it forgets what must not be forgotten, and the store says so in the log when it opens.
///
/// Tokens are sealed with the key ring before they are written; Redis knows sessions and subjects by digest only. All keys
/// begin with a prefix, so that other programs may share the database.
///
/// One connection carries all calls at once. It is made again when it breaks, and every call ends within the timeout, so that
/// a Redis that is away is an error soon, and no longer than it is away.
pub struct RedisStore {
    connection: Connection,
    scripts: Scripts,
    sealing: Sealing,
}

/// Settings of a [`RedisStore`].
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisOptions {
    /// The server, as `redis://user@host:6379/0`, or `rediss://…` over TLS. The user may be left out.
    pub url: String,
    /// The user's password; none where the server asks for none.
    pub password: Option<Zeroizing<String>>,
    /// PEM files of the authorities that the server's certificate must come from; those of the system when empty.
    pub authorities: Vec<PathBuf>,
    /// How long a call may take, connecting included; 3 seconds by default.
    pub timeout: Duration,
    /// What all keys begin with, `handstamp:` by default.
    pub prefix: String,
}

impl RedisOptions {
    /// The defaults, for the server at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password: None,
            authorities: Vec::new(),
            timeout: Duration::from_secs(3),
            prefix: "handstamp:".to_owned(),
        }
    }

    fn parse(&self) -> Result<ConnectionInfo, Error> {
        let info = self.url.as_str().into_connection_info().map_err(|error| failed(OPEN, error))?;
        if info.redis_settings().password().is_some() {
            return Err(failed(OPEN, "its address holds the password: give that separately"));
        }
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err(failed(OPEN, "its address turns the check of the certificate off: name the authority instead"));
        }
        let Some(password) = &self.password else { return Ok(info) };
        let settings = info.redis_settings().clone().set_password(password.as_str());
        Ok(info.set_redis_settings(settings))
    }

    /// The authorities' files, one after the other.
    fn read_authorities(&self) -> Result<Option<Vec<u8>>, Error> {
        if self.authorities.is_empty() {
            return Ok(None);
        }
        let mut all = Vec::new();
        for path in &self.authorities {
            let text = std::fs::read(path).map_err(|error| failed(OPEN, format!("{}: {error}", path.display())))?;
            all.extend_from_slice(&text);
            all.push(b'\n');
        }
        Ok(Some(all))
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("url", &self.url)
            .field("authorities", &self.authorities)
            .field("timeout", &self.timeout)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Connects. Tokens are sealed and opened with the ring of `format`.
    ///
    /// # Errors
    /// [`Error::Store`] when the server cannot be reached, or lets this user do nothing.
    pub async fn open(format: NativeFormat, options: RedisOptions) -> Result<Self, Error> {
        let connection = Connection::open(&options).await?;
        Ok(Self { connection, scripts: Scripts::new(), sealing: Sealing::new(format) })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}

const OPEN: &str = "open Redis";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_neither_taken_from_addresses_nor_printed() {
        let refused = RedisOptions::new("redis://gateway:hunter2@localhost/0").parse().unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
        let mut options = RedisOptions::new("rediss://gateway@localhost/0");
        options.password = Some("hunter2".to_owned().into());
        assert!(!format!("{options:?}").contains("hunter2"));
        let info = options.parse().unwrap();
        assert_eq!(info.redis_settings().password(), Some("hunter2"));
        assert_eq!(info.redis_settings().username(), Some("gateway"));
    }

    #[test]
    fn certificates_are_checked_whatever_the_address_says() {
        assert!(RedisOptions::new("rediss://localhost/#insecure").parse().is_err());
    }
}
