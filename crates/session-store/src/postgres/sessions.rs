//! Tokens and who they belong to.

use super::PostgresStore;
use super::rows::{column, count, digest};
use crate::sealing::{EntryKey, StoredToken, time};
use crate::{SessionDirectory, SessionFilter, StoredSession};
use async_trait::async_trait;
use handstamp_session_token::{
    CachedToken, ContextId, EndpointScope, Error, NewEntry, Revision, SessionTokenCache, SessionTokenCacheKey,
    SubjectId, WriteCondition,
};
use handstamp_time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

/// Writes over whatever is there.
const PUT: &str = "
    INSERT INTO handstamp_session (endpoint, context, generation, revision, signed_in_at, expires, subject, sealed)
    VALUES ($1, $2, $3, nextval('handstamp_revision'), $4, $5, $6, $7)
    ON CONFLICT (endpoint, context, generation) DO UPDATE SET
        revision = excluded.revision, signed_in_at = excluded.signed_in_at, expires = excluded.expires,
        subject = excluded.subject, sealed = excluded.sealed
    RETURNING revision";
/// Writes where nothing is that has not expired.
const CREATE: &str = "
    INSERT INTO handstamp_session (endpoint, context, generation, revision, signed_in_at, expires, subject, sealed)
    VALUES ($1, $2, $3, nextval('handstamp_revision'), $4, $5, $6, $7)
    ON CONFLICT (endpoint, context, generation) DO UPDATE SET
        revision = excluded.revision, signed_in_at = excluded.signed_in_at, expires = excluded.expires,
        subject = excluded.subject, sealed = excluded.sealed
        WHERE handstamp_session.expires < $8
    RETURNING revision";
/// Writes over what has not expired, if it is of this revision or none is asked for.
const REPLACE: &str = "
    UPDATE handstamp_session SET
        revision = nextval('handstamp_revision'), signed_in_at = $4, expires = $5, subject = $6, sealed = $7
    WHERE endpoint = $1 AND context = $2 AND generation = $3 AND expires >= $8
      AND ($9::bigint IS NULL OR revision = $9)
    RETURNING revision";
const READ: &str = "
    SELECT endpoint, revision, expires, sealed FROM handstamp_session
    WHERE endpoint = $1 AND context = $2 AND ($3::bytea IS NULL OR generation = $3) AND expires >= $4
    ORDER BY revision DESC";
const REMOVE: &str = "
    DELETE FROM handstamp_session
    WHERE endpoint = $1 AND context = $2 AND ($3::bytea IS NULL OR generation = $3)";
const REMOVE_ENDPOINT: &str = "DELETE FROM handstamp_session WHERE endpoint = $1";
const PURGE: &str = "DELETE FROM handstamp_session WHERE expires < $1";

#[async_trait]
impl SessionTokenCache for PostgresStore {
    async fn write(
        &self,
        key: &SessionTokenCacheKey,
        entry: NewEntry,
        condition: WriteCondition,
        now: Timestamp,
    ) -> Result<Option<Revision>, Error> {
        let entry = self.sealing.seal(key, &entry, now)?;
        let (subject, now) = (entry.subject.as_ref().map(<[u8; 32]>::as_slice), now.ticks());
        let expected = match condition {
            WriteCondition::Revision(revision) => Some(revision.0.cast_signed()),
            _ => None,
        };
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![];
        let context = entry.key.context.as_slice();
        parameters.extend([&entry.key.endpoint as &(dyn ToSql + Sync), &context, &entry.key.generation]);
        parameters.extend([&entry.signed_in_at as &(dyn ToSql + Sync), &entry.expires, &subject, &entry.sealed]);
        let sql = match condition {
            WriteCondition::Anything => PUT,
            WriteCondition::Absent => {
                parameters.push(&now);
                CREATE
            }
            WriteCondition::Present | WriteCondition::Revision(_) => {
                parameters.extend([&now as &(dyn ToSql + Sync), &expected]);
                REPLACE
            }
        };
        let rows = self.connections.query(WRITE_ACTION, sql, &parameters).await?;
        let revision = rows.first().map(|row| column::<i64>(row, "revision", WRITE_ACTION)).transpose()?;
        Ok(revision.map(|revision| Revision(revision.cast_unsigned())))
    }

    async fn get(&self, key: &SessionTokenCacheKey, now: Timestamp) -> Result<Option<CachedToken>, Error> {
        let tokens = self.read(&EntryKey::of(key), now).await?;
        Ok(tokens.into_iter().next().and_then(|token| self.sealing.open(token, now)))
    }

    async fn get_all(
        &self,
        endpoint: &EndpointScope,
        context_id: &ContextId,
        now: Timestamp,
    ) -> Result<Vec<CachedToken>, Error> {
        let tokens = self.read(&EntryKey::all_of(endpoint, context_id), now).await?;
        Ok(tokens.into_iter().filter_map(|token| self.sealing.open(token, now)).collect())
    }

    async fn remove(&self, key: &SessionTokenCacheKey) -> Result<(), Error> {
        self.delete(&EntryKey::of(key)).await
    }

    async fn remove_endpoint(&self, endpoint: &EndpointScope) -> Result<(), Error> {
        let action = "remove the tokens of an endpoint";
        self.connections.execute(action, REMOVE_ENDPOINT, &[&endpoint.as_str()]).await.map(|_| ())
    }

    async fn purge(&self, now: Timestamp) -> Result<usize, Error> {
        self.connections.execute("purge tokens", PURGE, &[&now.ticks()]).await.map(count)
    }
}

impl PostgresStore {
    async fn read(&self, key: &EntryKey, now: Timestamp) -> Result<Vec<StoredToken>, Error> {
        let context = key.context.as_slice();
        let rows = self
            .connections
            .query(READ_ACTION, READ, &[&key.endpoint, &context, &key.generation, &now.ticks()])
            .await?;
        rows.iter().map(|row| stored_token(row, READ_ACTION)).collect()
    }

    async fn delete(&self, key: &EntryKey) -> Result<(), Error> {
        let context = key.context.as_slice();
        let parameters: [&(dyn ToSql + Sync); 3] = [&key.endpoint, &context, &key.generation];
        self.connections.execute("remove a token", REMOVE, &parameters).await.map(|_| ())
    }
}

#[async_trait]
impl SessionDirectory for PostgresStore {
    async fn sessions(
        &self,
        filter: &SessionFilter,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, Error> {
        const ACTION: &str = "list sessions";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let chosen = Chosen::by(filter);
        let rows = self.connections.query(ACTION, chosen.list, &[chosen.value(), &now.ticks(), &limit]).await?;
        let session = |row: &Row| {
            let stored = stored_token(row, ACTION)?;
            let subject: Option<&[u8]> = column(row, "subject", ACTION)?;
            Ok(StoredSession {
                context_digest: digest(column(row, "context", ACTION)?, ACTION)?,
                subject: subject.map(|subject| digest(subject, ACTION)).transpose()?.map(SubjectId::from_bytes),
                endpoint: EndpointScope::from(stored.endpoint.as_str()),
                signed_in_at: time(column(row, "signed_in_at", ACTION)?),
                expires: time(stored.expires),
                token: self.sealing.open(stored, now).map(|entry| entry.token),
            })
        };
        rows.iter().map(session).collect()
    }

    async fn end_sessions(&self, filter: &SessionFilter, now: Timestamp) -> Result<usize, Error> {
        let chosen = Chosen::by(filter);
        self.connections.execute("end sessions", chosen.end, &[chosen.value(), &now.ticks()]).await.map(count)
    }
}

/// The statements of a filter, and their first parameter.
struct Chosen {
    list: &'static str,
    end: &'static str,
    value: Box<dyn ToSql + Sync + Send>,
}

/// A filter's statements: what the first parameter is compared with.
macro_rules! chosen {
    ($condition:literal, $value:expr) => {
        Chosen {
            list: concat!(
                "SELECT endpoint, revision, expires, sealed, context, subject, signed_in_at FROM handstamp_session
                 WHERE ",
                $condition,
                " AND expires >= $2 ORDER BY signed_in_at DESC LIMIT $3"
            ),
            end: concat!("DELETE FROM handstamp_session WHERE ", $condition, " AND expires >= $2"),
            value: Box::new($value),
        }
    };
}

impl Chosen {
    fn by(filter: &SessionFilter) -> Self {
        match filter {
            SessionFilter::All => chosen!("$1::boolean", true),
            SessionFilter::Subject(subject) => chosen!("subject = $1", subject.as_bytes().to_vec()),
            SessionFilter::Context(context_id) => chosen!("context = $1", context_id.digest().to_vec()),
            SessionFilter::Endpoint(endpoint) => chosen!("endpoint = $1", endpoint.as_str().to_owned()),
        }
    }

    fn value(&self) -> &(dyn ToSql + Sync) {
        self.value.as_ref()
    }
}

fn stored_token(row: &Row, action: &'static str) -> Result<StoredToken, Error> {
    Ok(StoredToken {
        endpoint: column(row, "endpoint", action)?,
        revision: Revision(column::<i64>(row, "revision", action)?.cast_unsigned()),
        expires: column(row, "expires", action)?,
        sealed: column(row, "sealed", action)?,
    })
}

const WRITE_ACTION: &str = "write a token";
const READ_ACTION: &str = "read a token";
