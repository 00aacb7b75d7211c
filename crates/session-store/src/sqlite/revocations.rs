//! Revocations in the order in which they were published, and replays.

use super::SqliteStore;
use crate::sealing::{failed, time};
use async_trait::async_trait;
use handstamp_session_token::{
    Error, ReplayCache, Revocation, RevocationCursor, RevocationStore, RevocationTarget, SubjectId,
};
use handstamp_time::Timestamp;
use rusqlite::{Connection, Row, TransactionBehavior};

#[async_trait]
impl RevocationStore for SqliteStore {
    async fn publish(&self, revocation: &Revocation, _now: Timestamp) -> Result<(), Error> {
        const ACTION: &str = "publish a revocation";
        let (kind, digest, signed_in_until) = match revocation.target {
            RevocationTarget::Session(digest) => (SESSION, digest, None),
            RevocationTarget::SignIn(digest) => (SIGN_IN, digest, None),
            RevocationTarget::IssuerSession(digest) => (ISSUER_SESSION, digest, None),
            RevocationTarget::Subject { subject, signed_in_until } => {
                (SUBJECT, *subject.as_bytes(), Some(signed_in_until.ticks()))
            }
            _ => return Err(failed(ACTION, "this version does not know its kind")),
        };
        let expires = revocation.expires.ticks();
        let insert = move |connection: &mut Connection| {
            connection
                .prepare_cached(
                    "INSERT INTO revocation (kind, digest, signed_in_until, expires) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute((kind, digest, signed_in_until, expires))
        };
        self.writer.run(ACTION, insert).await.map(|_| ())
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        let after = i64::try_from(cursor.0).unwrap_or(i64::MAX);
        let read = move |connection: &mut Connection| {
            let mut statement = connection.prepare_cached(
                "SELECT position, kind, digest, signed_in_until, expires FROM revocation
                 WHERE position > ?1 ORDER BY position",
            )?;
            let rows = statement.query_map([after], |row| Ok((row.get::<_, i64>("position")?, revocation_of(row)?)))?;
            rows.collect::<Result<Vec<_>, _>>()
        };
        let rows = self.reader.run("read revocations", read).await?;
        let last = rows.last().map_or(cursor, |(position, _)| RevocationCursor(position.cast_unsigned()));
        let living = rows.into_iter().filter_map(|(_, revocation)| revocation).filter(|one| one.expires >= now);
        Ok((living.collect(), last))
    }

    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error> {
        let delete = move |connection: &mut Connection| {
            connection.prepare_cached("DELETE FROM revocation WHERE expires < ?1")?.execute([now.ticks()])
        };
        self.writer.run("purge revocations", delete).await
    }
}

#[async_trait]
impl ReplayCache for SqliteStore {
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let insert = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let added = transaction
                .prepare_cached(
                    "INSERT INTO replay (key, expires) VALUES (?1, ?2)
                     ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE replay.expires < ?3",
                )?
                .execute((key, expires.ticks(), now.ticks()))?;
            transaction.commit()?;
            Ok(added == 1)
        };
        self.writer.run("remember a token against replay", insert).await
    }

    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error> {
        let delete = move |connection: &mut Connection| {
            connection.prepare_cached("DELETE FROM replay WHERE expires < ?1")?.execute([now.ticks()])
        };
        self.writer.run("purge replays", delete).await
    }
}

/// None for a kind that a newer version of this program has written.
fn revocation_of(row: &Row<'_>) -> Result<Option<Revocation>, rusqlite::Error> {
    let digest: [u8; 32] = row.get("digest")?;
    let signed_in_until: Option<i64> = row.get("signed_in_until")?;
    let target = match (row.get::<_, i64>("kind")?, signed_in_until) {
        (SESSION, _) => RevocationTarget::Session(digest),
        (SIGN_IN, _) => RevocationTarget::SignIn(digest),
        (ISSUER_SESSION, _) => RevocationTarget::IssuerSession(digest),
        (SUBJECT, Some(until)) => {
            RevocationTarget::Subject { subject: SubjectId::from_bytes(digest), signed_in_until: time(until) }
        }
        _ => return Ok(None),
    };
    Ok(Some(Revocation { target, expires: time(row.get("expires")?) }))
}

const SESSION: i64 = 0;
const SIGN_IN: i64 = 1;
const SUBJECT: i64 = 2;
const ISSUER_SESSION: i64 = 3;
