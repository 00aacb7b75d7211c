//! The connection, and what is sent over it.

use super::{OPEN, RedisOptions};
use crate::sealing::failed;
use handstamp_session_token::Error;
use redis::aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ConnectionAddr, FromRedisValue, RedisError, Script, TlsCertificates};
use std::time::Duration;

/// A connection that is made again when it breaks.
pub(super) struct Connection {
    manager: ConnectionManager,
    timeout: Duration,
    prefix: String,
}

impl Connection {
    pub(super) async fn open(options: &RedisOptions) -> Result<Self, Error> {
        let (info, root_cert) = (options.parse()?, options.read_authorities()?);
        let client = match info.addr() {
            ConnectionAddr::TcpTls { .. } => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert })
            }
            _ => Client::open(info),
        };
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(options.timeout))
            .set_response_timeout(Some(options.timeout))
            // Whoever calls next tries again.
            .set_number_of_retries(1);
        let connect = async {
            let mut manager = client?.get_connection_manager_with_config(config).await?;
            warn_of_eviction(&mut manager).await?;
            Ok(manager)
        };
        let manager = match tokio::time::timeout(options.timeout, connect).await {
            Ok(result) => result.map_err(|error: RedisError| failed(OPEN, error))?,
            Err(_) => return Err(failed(OPEN, TOO_LATE)),
        };
        Ok(Self { manager, timeout: options.timeout, prefix: options.prefix.clone() })
    }

    /// Runs a script. The first of its arguments is the prefix of all keys.
    ///
    /// When the connection breaks, it is run again on the next one. The first run may have happened all the same: what
    /// creates then finds its own work and refuses, which costs a sign-in and never lets anybody in.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        action: &'static str,
        script: &Script,
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let mut call = script.prepare_invoke();
        call.arg(self.prefix.as_bytes());
        for argument in arguments {
            call.arg(*argument);
        }
        let run = async {
            let mut manager = self.manager.clone();
            match call.invoke_async(&mut manager).await {
                Err(error) if error.is_unrecoverable_error() => call.invoke_async(&mut manager).await,
                result => result,
            }
        };
        match tokio::time::timeout(self.timeout, run).await {
            Ok(result) => result.map_err(|error| failed(action, error)),
            Err(_) => Err(failed(action, TOO_LATE)),
        }
    }
}

/// Says aloud that revocations may be forgotten. A server that does not tell its policy is left in peace.
async fn warn_of_eviction(connection: &mut impl ConnectionLike) -> Result<(), RedisError> {
    redis::cmd("PING").exec_async(connection).await?;
    let memory: Result<String, RedisError> = redis::cmd("INFO").arg("memory").query_async(connection).await;
    let policy = memory.ok().and_then(|text| {
        text.lines().find_map(|line| line.strip_prefix("maxmemory_policy:").map(|policy| policy.trim().to_owned()))
    });
    if let Some(policy) = policy.filter(|policy| policy != "noeviction") {
        tracing::warn!(
            policy,
            "Redis forgets keys when its memory is full, revocations among them: set maxmemory-policy to noeviction"
        );
    }
    Ok(())
}

const TOO_LATE: &str = "it did not answer in time";
