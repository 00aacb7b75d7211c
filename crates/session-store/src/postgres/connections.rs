//! A few connections, made when needed and shared by all calls.

use super::schema;
use crate::sealing::failed;
use handstamp_session_token::Error;
use rustls::ClientConfig;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

/// The connections of a store.
pub(super) struct Connections {
    config: Config,
    tls: Option<ClientConfig>,
    timeout: Duration,
    slots: Box<[Slot]>,
    next: AtomicUsize,
}

/// The place of a connection; locked while it is made.
type Slot = tokio::sync::Mutex<Option<Arc<Connection>>>;

/// A connection, and the statements that were prepared on it.
struct Connection {
    client: Client,
    statements: Mutex<HashMap<&'static str, Statement>>,
}

/// The parameters of a statement.
pub(super) type Parameters<'p> = [&'p (dyn ToSql + Sync)];

impl Connections {
    pub(super) fn new(config: Config, tls: Option<ClientConfig>, timeout: Duration, count: usize) -> Self {
        let slots = (0..count.max(1)).map(|_| tokio::sync::Mutex::default()).collect();
        Self { config, tls, timeout, slots, next: AtomicUsize::new(0) }
    }

    /// Brings the tables to the version of this program.
    pub(super) async fn migrate(&self) -> Result<(), Error> {
        let work = async {
            let mut client = self.connect().await?;
            schema::migrate(&mut client).await
        };
        match tokio::time::timeout(self.timeout.max(MIGRATION), work).await {
            Ok(result) => result.map_err(|problem| failed(super::OPEN, problem)),
            Err(_) => Err(failed(super::OPEN, TOO_LATE)),
        }
    }

    /// The rows of a statement.
    pub(super) async fn query(
        &self,
        action: &'static str,
        sql: &'static str,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<Row>, Error> {
        let slot = self.next_slot();
        let work = async {
            let connection = self.connection(slot).await?;
            let statement = connection.statement(sql).await?;
            connection.client.query(&statement, parameters).await
        };
        self.in_time(action, slot, work).await
    }

    /// How many rows a statement touched.
    pub(super) async fn execute(
        &self,
        action: &'static str,
        sql: &'static str,
        parameters: &Parameters<'_>,
    ) -> Result<u64, Error> {
        let slot = self.next_slot();
        let work = async {
            let connection = self.connection(slot).await?;
            let statement = connection.statement(sql).await?;
            connection.client.execute(&statement, parameters).await
        };
        self.in_time(action, slot, work).await
    }

    fn next_slot(&self) -> &Slot {
        &self.slots[self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len()]
    }

    async fn in_time<T>(
        &self,
        action: &'static str,
        slot: &Slot,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        match tokio::time::timeout(self.timeout, work).await {
            Ok(result) => result.map_err(|error| failed(action, explained(error))),
            Err(_) => {
                // Who does not answer now will hardly answer the next call on this connection.
                if let Ok(mut connection) = slot.try_lock() {
                    *connection = None;
                }
                Err(failed(action, TOO_LATE))
            }
        }
    }

    async fn connection(&self, slot: &Slot) -> Result<Arc<Connection>, tokio_postgres::Error> {
        let mut slot = slot.lock().await;
        if let Some(connection) = slot.as_ref().filter(|connection| !connection.client.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let client = self.connect().await?;
        let connection = Arc::new(Connection { client, statements: Mutex::default() });
        Ok(Arc::clone(slot.insert(connection)))
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        match &self.tls {
            Some(tls) => {
                let (client, connection) = self.config.connect(MakeRustlsConnect::new(tls.clone())).await?;
                tokio::spawn(log_end(connection));
                Ok(client)
            }
            None => {
                let (client, connection) = self.config.connect(NoTls).await?;
                tokio::spawn(log_end(connection));
                Ok(client)
            }
        }
    }
}

impl Connection {
    async fn statement(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }
}

/// Drives a connection until it ends.
async fn log_end(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(error = %explained(error), "a connection to the database ended");
    }
}

/// The driver says "db error" and keeps what the server said to itself.
fn explained(error: tokio_postgres::Error) -> Box<dyn std::error::Error + Send + Sync> {
    match (error.as_db_error(), std::error::Error::source(&error)) {
        (Some(said), _) => format!("{} (SQLSTATE {})", said.message(), said.code().code()).into(),
        (None, Some(source)) => format!("{error}: {source}").into(),
        (None, None) => error.into(),
    }
}

const TOO_LATE: &str = "it did not answer in time";
/// Making tables may wait for another node that is at it.
const MIGRATION: Duration = Duration::from_secs(30);
