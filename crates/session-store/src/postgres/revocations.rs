//! Revocations in the order in which they were published, and replays.

use super::PostgresStore;
use super::rows::{column, count, digest};
use crate::sealing::{failed, time};
use async_trait::async_trait;
use handstamp_session_token::{
    Error, ReplayCache, Revocation, RevocationCursor, RevocationStore, RevocationTarget, SubjectId,
};
use handstamp_time::Timestamp;
use tokio_postgres::Row;

/// Positions follow the server's clock: should the database come back from an older copy of itself, what is published then
/// still lies after everything that was read before.
const PUBLISH: &str = "
    WITH next AS (
        UPDATE handstamp_revocation_position
        SET last = greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
        RETURNING last
    )
    INSERT INTO handstamp_revocation (position, kind, digest, signed_in_until, expires)
    SELECT last, $1, $2, $3, $4 FROM next";
const CHANGES: &str = "
    SELECT position, kind, digest, signed_in_until, expires FROM handstamp_revocation
    WHERE position > $1 ORDER BY position";
const PURGE_REVOCATIONS: &str = "DELETE FROM handstamp_revocation WHERE expires < $1";
const REMEMBER: &str = "
    INSERT INTO handstamp_replay (key, expires) VALUES ($1, $2)
    ON CONFLICT (key) DO UPDATE SET expires = excluded.expires WHERE handstamp_replay.expires < $3";
const PURGE_REPLAYS: &str = "DELETE FROM handstamp_replay WHERE expires < $1";

#[async_trait]
impl RevocationStore for PostgresStore {
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
        self.connections
            .execute(ACTION, PUBLISH, &[&kind, &digest.as_slice(), &signed_in_until, &expires])
            .await
            .map(|_| ())
    }

    async fn changes_since(
        &self,
        cursor: RevocationCursor,
        now: Timestamp,
    ) -> Result<(Vec<Revocation>, RevocationCursor), Error> {
        let after = i64::try_from(cursor.0).unwrap_or(i64::MAX);
        let rows = self.connections.query(CHANGES_ACTION, CHANGES, &[&after]).await?;
        let last = match rows.last() {
            Some(row) => RevocationCursor(column::<i64>(row, "position", CHANGES_ACTION)?.cast_unsigned()),
            None => cursor,
        };
        let mut living = Vec::with_capacity(rows.len());
        for row in &rows {
            living.extend(revocation_of(row)?.filter(|revocation| revocation.expires >= now));
        }
        Ok((living, last))
    }

    async fn purge_revocations(&self, now: Timestamp) -> Result<usize, Error> {
        self.connections.execute("purge revocations", PURGE_REVOCATIONS, &[&now.ticks()]).await.map(count)
    }
}

#[async_trait]
impl ReplayCache for PostgresStore {
    async fn add_if_absent(&self, key: [u8; 32], expires: Timestamp, now: Timestamp) -> Result<bool, Error> {
        let action = "remember a token against replay";
        let (expires, now) = (expires.ticks(), now.ticks());
        let added = self.connections.execute(action, REMEMBER, &[&key.as_slice(), &expires, &now]).await?;
        Ok(added == 1)
    }

    async fn purge_replays(&self, now: Timestamp) -> Result<usize, Error> {
        self.connections.execute("purge replays", PURGE_REPLAYS, &[&now.ticks()]).await.map(count)
    }
}

/// None for a kind that a newer version of this program has written.
fn revocation_of(row: &Row) -> Result<Option<Revocation>, Error> {
    let digest = digest(column(row, "digest", CHANGES_ACTION)?, CHANGES_ACTION)?;
    let signed_in_until: Option<i64> = column(row, "signed_in_until", CHANGES_ACTION)?;
    let target = match (column::<i16>(row, "kind", CHANGES_ACTION)?, signed_in_until) {
        (SESSION, _) => RevocationTarget::Session(digest),
        (SIGN_IN, _) => RevocationTarget::SignIn(digest),
        (ISSUER_SESSION, _) => RevocationTarget::IssuerSession(digest),
        (SUBJECT, Some(until)) => {
            RevocationTarget::Subject { subject: SubjectId::from_bytes(digest), signed_in_until: time(until) }
        }
        _ => return Ok(None),
    };
    Ok(Some(Revocation { target, expires: time(column(row, "expires", CHANGES_ACTION)?) }))
}

const CHANGES_ACTION: &str = "read revocations";
const SESSION: i16 = 0;
const SIGN_IN: i16 = 1;
const SUBJECT: i16 = 2;
const ISSUER_SESSION: i16 = 3;
