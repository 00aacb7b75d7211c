//! Tokens and who they belong to.

use super::SqliteStore;
use crate::sealing::{EntryKey, SealedEntry, StoredToken, time};
use crate::{SessionDirectory, SessionFilter, StoredSession};
use async_trait::async_trait;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, NewEntry, Revision, SessionTokenCache, SessionTokenCacheKey,
    SubjectId, WriteCondition,
};
use handstamp_time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, named_params};

impl SqliteStore {
    async fn rows(&self, key: EntryKey, now: Timestamp) -> Result<Vec<StoredToken>, Error> {
        let read = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT endpoint, revision, expires, sealed FROM session
                 WHERE endpoint = :endpoint AND context = :context
                   AND (:generation IS NULL OR generation = :generation) AND expires >= :now
                 ORDER BY revision DESC",
            )?;
            let rows = statement.query_map(
                named_params! {
                    ":endpoint": key.endpoint,
                    ":context": key.context,
                    ":generation": key.generation,
                    ":now": now.ticks(),
                },
                stored_token,
            )?;
            rows.collect()
        };
        self.reader.run("read a token", read).await
    }

    async fn delete(&self, key: EntryKey) -> Result<(), Error> {
        let delete = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(
                "DELETE FROM session WHERE endpoint = :endpoint AND context = :context
                 AND (:generation IS NULL OR generation = :generation)",
            )?;
            statement.execute(named_params! {
                ":endpoint": key.endpoint,
                ":context": key.context,
                ":generation": key.generation,
            })
        };
        self.writer.run("remove a token", delete).await.map(|_| ())
    }
}

#[async_trait]
impl SessionTokenCache for SqliteStore {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        let sealed = self.sealing.seal(key, &entry, now)?;
        let write = move |connection: &mut Connection| match try_write(connection, &sealed, condition, now) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                drop_expired(connection, now)?;
                try_write(connection, &sealed, condition, now)
            }
            result => result,
        };
        self.writer.run("write a token", write).await
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        let rows = self.rows(EntryKey::of(key), now).await?;
        Ok(rows.into_iter().next().and_then(|row| self.sealing.open(row, now)))
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        let rows = self.rows(EntryKey::all_of(endpoint, context_id), now).await?;
        Ok(rows.into_iter().filter_map(|row| self.sealing.open(row, now)).collect())
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        self.delete(EntryKey::of(key)).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        let endpoint = endpoint.as_str().to_owned();
        let delete = move |connection: &mut Connection| {
            connection.prepare_cached("DELETE FROM session WHERE endpoint = ?1")?.execute([endpoint])
        };
        self.writer.run("remove the tokens of an endpoint", delete).await.map(|_| ())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        self.writer.run("purge tokens", move |connection| drop_expired(connection, now)).await
    }
}

#[async_trait]
impl SessionDirectory for SqliteStore {
    async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, Error> {
        let (condition, value) = condition_of(filter);
        let read = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT endpoint, revision, expires, sealed, context, subject, signed_in_at FROM session
                 WHERE {condition} AND expires >= ?2 ORDER BY signed_in_at DESC LIMIT ?3"
            ))?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map((value, now.ticks(), limit), |row| {
                let subject: Option<[u8; 32]> = row.get("subject")?;
                Ok((stored_token(row)?, row.get("context")?, subject, row.get("signed_in_at")?))
            })?;
            rows.collect::<Result<Vec<(StoredToken, [u8; 32], Option<[u8; 32]>, i64)>, _>>()
        };
        let rows = self.reader.run("list sessions", read).await?;
        let session = |(row, context_digest, subject, signed_in_at): (StoredToken, _, Option<_>, _)| StoredSession {
            context_digest,
            subject: subject.map(SubjectId::from_bytes),
            endpoint: EndpointScope::from(row.endpoint.as_str()),
            signed_in_at: time(signed_in_at),
            expires: time(row.expires),
            token: self.sealing.open(row, now).map(|entry| entry.token),
        };
        Ok(rows.into_iter().map(session).collect())
    }

    async fn end_sessions(&self, filter: &SessionFilter, now: Timestamp) -> Result<usize, Error> {
        let (condition, value) = condition_of(filter);
        let delete = move |connection: &mut Connection| {
            let mut statement =
                connection.prepare_cached(&format!("DELETE FROM session WHERE {condition} AND expires >= ?2"))?;
            statement.execute((value, now.ticks()))
        };
        self.writer.run("end sessions", delete).await
    }
}

fn stored_token(row: &Row<'_>) -> Result<StoredToken, rusqlite::Error> {
    Ok(StoredToken {
        endpoint: row.get("endpoint")?,
        revision: Revision(row.get::<_, i64>("revision")?.cast_unsigned()),
        expires: row.get("expires")?,
        sealed: row.get("sealed")?,
    })
}

/// Looks and writes in one transaction that excludes other writers from its beginning.
fn try_write(
    connection: &mut Connection,
    entry: &SealedEntry,
    condition: WriteCondition,
    now: Timestamp,
) -> Result<Option<Revision>, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let existing = existing_revision(&transaction, &entry.key, now)?;
    if !condition.holds(existing) {
        return Ok(None);
    }
    let revision: i64 = transaction
        .prepare_cached("UPDATE revision SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO session
             (endpoint, context, generation, revision, signed_in_at, expires, subject, sealed)
             VALUES (:endpoint, :context, :generation, :revision, :signed_in_at, :expires, :subject, :sealed)",
        )?
        .execute(named_params! {
            ":endpoint": entry.key.endpoint,
            ":context": entry.key.context,
            ":generation": entry.key.generation,
            ":revision": revision,
            ":signed_in_at": entry.signed_in_at,
            ":expires": entry.expires,
            ":subject": entry.subject,
            ":sealed": entry.sealed,
        })?;
    transaction.commit()?;
    Ok(Some(Revision(revision.cast_unsigned())))
}

fn existing_revision(
    transaction: &Transaction<'_>,
    key: &EntryKey,
    now: Timestamp,
) -> Result<Option<Revision>, rusqlite::Error> {
    let revision: Option<i64> = transaction
        .prepare_cached(
            "SELECT revision FROM session
             WHERE endpoint = ?1 AND context = ?2 AND generation = ?3 AND expires >= ?4",
        )?
        .query_row((&key.endpoint, key.context, &key.generation, now.ticks()), |row| row.get(0))
        .optional()?;
    Ok(revision.map(|revision| Revision(revision.cast_unsigned())))
}

fn drop_expired(connection: &mut Connection, now: Timestamp) -> Result<usize, rusqlite::Error> {
    connection.prepare_cached("DELETE FROM session WHERE expires < ?1")?.execute([now.ticks()])
}

/// A condition on parameter 1, and that parameter.
fn condition_of(filter: &SessionFilter) -> (&'static str, Value) {
    match filter {
        SessionFilter::All => ("?1 IS NULL", Value::Null),
        SessionFilter::Subject(subject) => ("subject = ?1", Value::Blob(subject.as_bytes().to_vec())),
        SessionFilter::Context(context_id) => ("context = ?1", Value::Blob(context_id.digest().to_vec())),
        SessionFilter::Endpoint(endpoint) => ("endpoint = ?1", Value::Text(endpoint.as_str().to_owned())),
    }
}
