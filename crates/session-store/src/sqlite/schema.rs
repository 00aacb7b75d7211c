//! The tables, and how older ones become them.

use rusqlite::{Connection, TransactionBehavior};

/// Marks the file as ours: `HSTP`.
const APPLICATION_ID: i32 = 0x4853_5450;

/// Each entry takes the schema one version further. Entries are never changed once released; new ones go to the end.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE session (
        endpoint     TEXT    NOT NULL,  -- empty: unscoped
        context      BLOB    NOT NULL,  -- SHA-256 of the context id
        generation   BLOB    NOT NULL,  -- SHA-256 of the key generation; empty: none
        revision     INTEGER NOT NULL,
        signed_in_at INTEGER NOT NULL,  -- UTC ticks, as all times
        expires      INTEGER NOT NULL,
        subject      BLOB,              -- digest of issuer and name
        sealed       BLOB    NOT NULL,  -- the token in the native format
        PRIMARY KEY (endpoint, context, generation)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX session_by_context ON session (context);
    CREATE INDEX session_by_subject ON session (subject) WHERE subject IS NOT NULL;
    CREATE INDEX session_by_expiry ON session (expires);

    CREATE TABLE revision (last INTEGER NOT NULL) STRICT;
    INSERT INTO revision VALUES (0);

    CREATE TABLE replay (
        key     BLOB    NOT NULL PRIMARY KEY,
        expires INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX replay_by_expiry ON replay (expires);

    CREATE TABLE revocation (
        position        INTEGER PRIMARY KEY AUTOINCREMENT,
        kind            INTEGER NOT NULL,  -- 0 session, 1 sign-in, 2 subject, 3 session at the issuer
        digest          BLOB    NOT NULL,
        signed_in_until INTEGER,           -- of a subject
        expires         INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX revocation_by_expiry ON revocation (expires);
"];

/// Brings the schema of a file to the version of this program; several processes may try at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Problem> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let id: i32 = transaction.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: u32 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if id != APPLICATION_ID && (id != 0 || tables > 0) {
        return Err(Problem::Foreign);
    }
    let Some(pending) = MIGRATIONS.get(version as usize..) else { return Err(Problem::Newer(version)) };
    for migration in pending {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    Ok(transaction.commit()?)
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("the file belongs to another program; name another file")]
    Foreign,
    #[error("the file was written by a newer version of this program (schema {0}); use that version, or another file")]
    Newer(u32),
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_gets_the_schema_and_an_old_one_keeps_its_content() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO replay VALUES (x'00', 1)", []).unwrap();
        migrate(&mut connection).unwrap();
        let count: u32 = connection.query_row("SELECT count(*) FROM replay", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
    }

    #[test]
    fn files_of_others_and_of_the_future_are_left_alone() {
        let mut foreign = Connection::open_in_memory().unwrap();
        foreign.execute_batch("CREATE TABLE users (name TEXT)").unwrap();
        assert!(matches!(migrate(&mut foreign), Err(Problem::Foreign)));
        let mut newer = Connection::open_in_memory().unwrap();
        migrate(&mut newer).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut newer), Err(Problem::Newer(99))));
    }
}
