//! The ledger's book: who has how much, and every transfer.

use crate::private_file;
use handstamp_time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cents(i64);

/// Why the book is unchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The caller asked for something that cannot be.
    #[error("{0}")]
    Refused(&'static str),
    /// The file cannot be used.
    #[error("the ledger's book cannot be used: {0}")]
    Database(#[from] rusqlite::Error),
}

/// The book, in a database of its own.
#[derive(Debug)]
pub(in crate::demo) struct Book {
    connection: Mutex<Connection>,
}

/// What everybody starts with.
const GIFT: Cents = Cents(100_000);
/// The longest name of an account, in bytes.
const MAX_NAME: usize = 64;

impl Book {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        private_file::prepare(path);
        Self::of(Connection::open(path)?)
    }

    fn of(connection: Connection) -> Result<Self, Error> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS account (name TEXT PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0)) STRICT;
             CREATE TABLE IF NOT EXISTS transfer (number INTEGER PRIMARY KEY, at TEXT NOT NULL, sender TEXT NOT NULL,
                 recipient TEXT NOT NULL, cents INTEGER NOT NULL) STRICT;",
        )?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// How much `name` has.
    pub(super) fn balance(&self, name: &str) -> Result<Cents, Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let balance = balance(&transaction, name)?;
        transaction.commit()?;
        Ok(balance)
    }

    /// Moves money. Gives the number of the transfer, and what the sender has left.
    pub(super) fn transfer(
        &self,
        sender: &str,
        recipient: &str,
        amount: Cents,
        now: Timestamp,
    ) -> Result<(i64, Cents), Error> {
        if amount.0 <= 0 {
            return Err(Error::Refused("the amount has to be more than nothing"));
        }
        if recipient.len() > MAX_NAME || recipient == sender {
            return Err(Error::Refused("the recipient has to be somebody else, with a name of at most 64 bytes"));
        }
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let left = balance(&transaction, sender)?.0.checked_sub(amount.0).filter(|left| *left >= 0);
        let left = left.ok_or(Error::Refused("there is not enough money in the account"))?;
        let received = balance(&transaction, recipient)?.0.checked_add(amount.0);
        let received = received.ok_or(Error::Refused("nobody can have that much"))?;
        let change = "UPDATE account SET cents = ?2 WHERE name = ?1";
        transaction.execute(change, params![sender, left])?;
        transaction.execute(change, params![recipient, received])?;
        transaction.execute(
            "INSERT INTO transfer (at, sender, recipient, cents) VALUES (?1, ?2, ?3, ?4)",
            params![now.to_string(), sender, recipient, amount.0],
        )?;
        let number = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok((number, Cents(left)))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An account is opened when it is first looked at.
fn balance(transaction: &Transaction<'_>, name: &str) -> Result<Cents, Error> {
    let found =
        transaction.query_row("SELECT cents FROM account WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    if let Some(cents) = found {
        return Ok(Cents(cents));
    }
    transaction.execute("INSERT INTO account (name, cents) VALUES (?1, ?2)", params![name, GIFT.0])?;
    Ok(GIFT)
}

/// `12`, `12.5` or `12.50`.
impl FromStr for Cents {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "00"));
        let digits =
            |part: &str| !part.is_empty() && part.len() <= 12 && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
            return Err(());
        }
        let whole: i64 = whole.parse().map_err(drop)?;
        let cents: i64 = format!("{fraction:0<2}").parse().map_err(drop)?;
        Ok(Self(whole * 100 + cents))
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_moved_and_none_is_made() {
        let book = Book::of(Connection::open_in_memory().unwrap()).unwrap();
        let now = "2030-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(book.balance("ada").unwrap(), GIFT);
        let (number, left) = book.transfer("ada", "bob", Cents(1250), now).unwrap();
        assert_eq!((number, left.to_string().as_str()), (1, "987.50"));
        assert_eq!(book.balance("bob").unwrap().to_string(), "1012.50");
        for (recipient, amount) in [("bob", 0), ("bob", -5), ("bob", 98_751), ("ada", 1), (&*"x".repeat(65), 1)] {
            assert!(matches!(book.transfer("ada", recipient, Cents(amount), now), Err(Error::Refused(_))), "{amount}");
        }
        assert_eq!(book.balance("ada").unwrap(), left);
    }

    #[test]
    fn amounts_have_two_places_at_most() {
        for (text, cents) in [("12", 1200), ("12.5", 1250), ("0.05", 5), ("999999999999.99", 99_999_999_999_999)] {
            assert_eq!(text.parse(), Ok(Cents(cents)), "{text}");
        }
        for text in ["", ".5", "1.", "-1", "1.234", "1e3", "1,5", "9999999999999", "+1"] {
            assert_eq!(text.parse::<Cents>(), Err(()), "{text}");
        }
    }
}
