//! A store in one file.

mod revocations;
mod schema;
mod sessions;
mod worker;

use crate::sealing::{Sealing, failed};
use handstamp_session_token::Error;
use handstamp_session_token::native::NativeFormat;
use rusqlite::{Connection, OpenFlags};
use std::fmt;
use std::path::Path;
use std::time::Duration;
use worker::Worker;

/// Sessions, replays and revocations in an SQLite file.
///
/// What was acknowledged survives `kill -9`: the file is in WAL mode, so a commit is with the operating system when a call
/// returns. (A power failure may lose the last moments, never the file.) Several processes of one host share the file;
/// they see each other's writes at once, and revocations with their next
/// [poll](crate::follow_revocations). Writes go through one thread, reads through another, so that neither blocks the
/// runtime, and reads do not wait for writes. Calls need a tokio runtime with its timer.
///
/// Tokens are sealed with the key ring before they are written; the file names sessions and subjects by digest only. It is
/// made readable by its owner only.
///
/// ```
/// use handstamp_keys::{KeyRing, RotationPolicy, SystemRandom};
/// use handstamp_session_store::{SqliteOptions, SqliteStore};
/// use handstamp_session_token::native::NativeFormat;
/// use handstamp_time::{Clock, SystemClock};
/// use std::sync::Arc;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.db");
/// let ring = Arc::new(KeyRing::in_memory(RotationPolicy::default(), SystemClock.now(), &SystemRandom)?);
/// let store = SqliteStore::open(&path, NativeFormat::new(ring), SqliteOptions::default())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    writer: Worker,
    reader: Worker,
    sealing: Sealing,
}

/// Settings of a [`SqliteStore`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SqliteOptions {
    /// How long a call may take, 5 seconds by default.
    pub timeout: Duration,
    /// How long to wait for another process that writes, 3 seconds by default.
    pub busy_timeout: Duration,
    /// How large the file may grow, 1 GiB by default: about two million sessions. A full file refuses new sessions.
    pub max_bytes: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(5), busy_timeout: Duration::from_secs(3), max_bytes: 1 << 30 }
    }
}

impl SqliteStore {
    /// Opens a file, or makes it. Tokens are sealed and opened with the ring of `format`.
    ///
    /// # Errors
    /// [`Error::Store`] when the file cannot be opened, or is not of this program and version.
    pub fn open(path: &Path, format: NativeFormat, options: SqliteOptions) -> Result<Self, Error> {
        make_private(path)?;
        let mut writer = connect(path, &options)?;
        schema::migrate(&mut writer).map_err(|problem| failed(OPEN, problem))?;
        let reader = connect(path, &options)?;
        let spawn = |name, connection| Worker::spawn(name, connection, options.timeout);
        Ok(Self {
            writer: spawn("sqlite-writer", writer).map_err(|error| failed(OPEN, error))?,
            reader: spawn("sqlite-reader", reader).map_err(|error| failed(OPEN, error))?,
            sealing: Sealing::new(format),
        })
    }

    /// Checks the file from end to end; for diagnosis, as it reads everything.
    ///
    /// # Errors
    /// [`Error::Store`] with what is damaged.
    pub async fn check_integrity(&self) -> Result<(), Error> {
        const ACTION: &str = "check its file";
        let check = |connection: &mut Connection| {
            connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0))
        };
        match self.reader.run(ACTION, check).await?.as_str() {
            "ok" => Ok(()),
            damage => Err(failed(ACTION, damage)),
        }
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("sealing", &self.sealing).finish_non_exhaustive()
    }
}

fn connect(path: &Path, options: &SqliteOptions) -> Result<Connection, Error> {
    let open = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(options.busy_timeout)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        // Removed tokens are overwritten, sealed as they are.
        connection.pragma_update(None, "secure_delete", "FAST")?;
        let page_size: u32 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (options.max_bytes / u64::from(page_size.max(1))).clamp(64, u64::from(u32::MAX - 1));
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| failed(OPEN, error))
}

/// Makes the file before SQLite does, for its owner only; the files beside it get the same mode from SQLite.
fn make_private(path: &Path) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ()).map_err(|error| failed(OPEN, format!("{}: {error}", path.display())))
}

const OPEN: &str = "open its file";
