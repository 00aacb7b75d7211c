//! The tables, and how older ones become them.

use tokio_postgres::Client;

/// Each entry takes the schema one version further. Entries are never changed once released; new ones go to the end.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE handstamp_session (
        endpoint     text   NOT NULL,  -- empty: unscoped
        context      bytea  NOT NULL,  -- SHA-256 of the context id
        generation   bytea  NOT NULL,  -- SHA-256 of the key generation; empty: none
        revision     bigint NOT NULL,
        signed_in_at bigint NOT NULL,  -- UTC ticks, as all times
        expires      bigint NOT NULL,
        subject      bytea,            -- digest of issuer and name
        sealed       bytea  NOT NULL,  -- the token in the native format
        PRIMARY KEY (endpoint, context, generation)
    );
    CREATE INDEX handstamp_session_by_context ON handstamp_session (context);
    CREATE INDEX handstamp_session_by_subject ON handstamp_session (subject) WHERE subject IS NOT NULL;
    CREATE INDEX handstamp_session_by_expiry ON handstamp_session (expires);
    CREATE SEQUENCE handstamp_revision;

    CREATE TABLE handstamp_replay (
        key     bytea  NOT NULL PRIMARY KEY,
        expires bigint NOT NULL
    );
    CREATE INDEX handstamp_replay_by_expiry ON handstamp_replay (expires);

    CREATE TABLE handstamp_revocation (
        position        bigint   NOT NULL PRIMARY KEY,
        kind            smallint NOT NULL,  -- 0 session, 1 sign-in, 2 subject, 3 session at the issuer
        digest          bytea    NOT NULL,
        signed_in_until bigint,             -- of a subject
        expires         bigint   NOT NULL
    );
    CREATE INDEX handstamp_revocation_by_expiry ON handstamp_revocation (expires);
    -- Whoever publishes holds this row until the commit: so positions become visible in their order.
    CREATE TABLE handstamp_revocation_position (last bigint NOT NULL);
    INSERT INTO handstamp_revocation_position VALUES (0);
"];

/// Nodes that start together take turns. The number is `HSTP`, as in the files of SQLite.
const TAKE_TURNS: &str = "SELECT pg_advisory_xact_lock(1213420624)";

/// Brings the tables to the version of this program.
pub(super) async fn migrate(client: &mut Client) -> Result<(), Problem> {
    let transaction = client.transaction().await?;
    transaction.batch_execute(TAKE_TURNS).await?;
    transaction.batch_execute("CREATE TABLE IF NOT EXISTS handstamp_schema (version integer NOT NULL)").await?;
    let version = transaction.query_opt("SELECT version FROM handstamp_schema", &[]).await?;
    let version = version.map_or(Ok(0), |row| row.try_get::<_, i32>(0))?;
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    let Some(pending) = MIGRATIONS.get(done..) else { return Err(Problem::Newer(version)) };
    if pending.is_empty() {
        return Ok(());
    }
    for migration in pending {
        transaction.batch_execute(migration).await?;
    }
    transaction.batch_execute("DELETE FROM handstamp_schema").await?;
    let version = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    transaction.execute("INSERT INTO handstamp_schema VALUES ($1)", &[&version]).await?;
    Ok(transaction.commit().await?)
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(
        "its tables were made by a newer version of this program (schema {0}); use that version, or another database"
    )]
    Newer(i32),
    #[error("{}", .0.as_db_error().map_or_else(|| chain(.0), |said| said.message().to_owned()))]
    Postgres(#[from] tokio_postgres::Error),
}

fn chain(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
