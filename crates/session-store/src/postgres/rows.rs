//! Reading rows without panics.

use crate::sealing::failed;
use handstamp_session_token::Error;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

/// A column's value. It fails only when somebody changed the tables.
pub(super) fn column<'r, T: FromSql<'r>>(row: &'r Row, name: &str, action: &'static str) -> Result<T, Error> {
    row.try_get(name).map_err(|error| failed(action, error))
}

pub(super) fn digest(bytes: &[u8], action: &'static str) -> Result<[u8; 32], Error> {
    bytes.try_into().map_err(|_| failed(action, "a digest in its table does not have 32 bytes"))
}

pub(super) fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}
