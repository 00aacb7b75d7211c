//! Accounts in SQLite: who may sign in, and what is known about them.

use super::{Error, UserName};
use crate::private_file;
use handstamp_claims::{ArcStr, Claim, claim_types};
use handstamp_time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name as it was given when the account was made.
    pub user_name: String,
    /// The stable, opaque name of the person: it survives a change of user name and is the name identifier in tokens.
    pub subject: ArcStr,
    /// What is known about the person beyond the name: claim type and value, in order.
    pub claims: Vec<(ArcStr, ArcStr)>,
    /// A disabled account cannot sign in.
    pub enabled: bool,
    /// Grows when the password changes or the account is disabled. A session that carries a smaller number is over.
    pub epoch: i64,
}

impl Account {
    /// Everything there is to say about the account, as claims of `issuer`: name identifier, name, then the stored claims.
    pub fn all_claims(&self, issuer: &ArcStr) -> impl Iterator<Item = Claim> {
        let own =
            [(claim_types::NAME_IDENTIFIER, self.subject.clone()), (claim_types::NAME, self.user_name.as_str().into())];
        own.into_iter()
            .chain(self.claims.iter().cloned())
            .map(|(claim_type, value)| Claim::new(claim_type, value).with_issuer(issuer.clone()))
    }
}

/// What an account is made of.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The name to sign in with.
    pub user_name: UserName,
    /// Opaque and unique for ever; random is best.
    pub subject: String,
    /// The hash that [`PasswordHasher`](super::PasswordHasher) made.
    pub password_hash: String,
    /// Claim types and values, in order.
    pub claims: Vec<(String, String)>,
}

/// The accounts of a token service, in one SQLite database.
///
/// Cloning shares the connection. Calls block for as long as the disk takes: call from a thread that may.
#[derive(Debug, Clone)]
pub struct AccountStore {
    connection: Arc<Mutex<Connection>>,
}

impl AccountStore {
    /// Opens the database at `path`, making it if needed. The file is readable by its owner only.
    ///
    /// # Errors
    /// The file cannot be opened or is no database, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // Password hashes are for the owner alone. The files beside the database (`-wal`, `-shm`) take over its mode.
        private_file::prepare(path);
        Self::from_connection(Connection::open(path)?)
    }

    /// A database that ends with the program, for tests.
    ///
    /// # Errors
    /// The database cannot be set up.
    pub fn in_memory() -> Result<Self, Error> {
        Self::from_connection(Connection::open_in_memory()?)
    }

    fn from_connection(mut connection: Connection) -> Result<Self, Error> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found > SCHEMA_VERSION {
            return Err(Error::NewerDatabase { found, known: SCHEMA_VERSION });
        }
        if found < SCHEMA_VERSION {
            let transaction = connection.transaction()?;
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            transaction.commit()?;
        }
        Ok(Self { connection: Arc::new(Mutex::new(connection)) })
    }

    /// Makes an account.
    ///
    /// # Errors
    /// [`Error::AccountExists`] when the name is taken.
    pub fn create(&self, account: &NewAccount, now: Timestamp) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let inserted = transaction.execute(
            "INSERT INTO account (name_key, user_name, subject, password_hash, created) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (name_key) DO NOTHING",
            params![
                account.user_name.key(),
                account.user_name.as_str(),
                account.subject,
                account.password_hash,
                now.to_string()
            ],
        )?;
        if inserted == 0 {
            return Err(Error::AccountExists(account.user_name.as_str().to_owned()));
        }
        let id = transaction.last_insert_rowid();
        insert_claims(&transaction, id, &account.claims)?;
        transaction.commit()?;
        Ok(())
    }

    /// The account of this name with the hash of its password.
    ///
    /// # Errors
    /// The database failed.
    pub fn find(&self, user_name: &UserName) -> Result<Option<(Account, String)>, Error> {
        self.find_where("name_key = ?1", user_name.key())
    }

    /// The account of this subject.
    ///
    /// # Errors
    /// The database failed.
    pub fn find_subject(&self, subject: &str) -> Result<Option<Account>, Error> {
        Ok(self.find_where("subject = ?1", subject)?.map(|(account, _)| account))
    }

    /// All accounts, by name.
    ///
    /// # Errors
    /// The database failed.
    pub fn list(&self) -> Result<Vec<Account>, Error> {
        let connection = self.lock();
        let mut statement = connection.prepare_cached(&format!("{SELECT} ORDER BY name_key"))?;
        let rows: Vec<Stored> = statement.query_map([], Stored::from_row)?.collect::<Result<_, _>>()?;
        rows.into_iter().map(|stored| Ok(stored.with_claims(&connection)?.0)).collect()
    }

    /// Replaces the password, which ends the account's sessions.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], or the database failed.
    pub fn set_password(&self, user_name: &UserName, password_hash: &str) -> Result<(), Error> {
        self.change(user_name, "password_hash = ?2, epoch = epoch + 1", password_hash)
    }

    /// Replaces the hash of an unchanged password, to follow newer parameters; sessions go on.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], or the database failed.
    pub fn upgrade_hash(&self, user_name: &UserName, password_hash: &str) -> Result<(), Error> {
        self.change(user_name, "password_hash = ?2", password_hash)
    }

    /// Lets the account sign in, or not; disabling ends its sessions.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], or the database failed.
    pub fn set_enabled(&self, user_name: &UserName, enabled: bool) -> Result<(), Error> {
        self.change(user_name, "enabled = ?2, epoch = epoch + (NOT ?2)", enabled)
    }

    /// Replaces what is known about the person.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], or the database failed.
    pub fn set_claims(&self, user_name: &UserName, claims: &[(String, String)]) -> Result<(), Error> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let id: i64 = transaction
            .query_row("SELECT id FROM account WHERE name_key = ?1", [user_name.key()], |row| row.get(0))
            .optional()?
            .ok_or_else(|| Error::NoSuchAccount(user_name.as_str().to_owned()))?;
        transaction.execute("DELETE FROM account_claim WHERE account = ?1", [id])?;
        insert_claims(&transaction, id, claims)?;
        transaction.commit()?;
        Ok(())
    }

    /// Removes the account and all that is known about it.
    ///
    /// # Errors
    /// [`Error::NoSuchAccount`], or the database failed.
    pub fn remove(&self, user_name: &UserName) -> Result<(), Error> {
        let removed = self.lock().execute("DELETE FROM account WHERE name_key = ?1", [user_name.key()])?;
        if removed == 0 { Err(Error::NoSuchAccount(user_name.as_str().to_owned())) } else { Ok(()) }
    }

    fn change(&self, user_name: &UserName, assignment: &str, value: impl rusqlite::ToSql) -> Result<(), Error> {
        let statement = format!("UPDATE account SET {assignment} WHERE name_key = ?1");
        let changed = self.lock().execute(&statement, params![user_name.key(), value])?;
        if changed == 0 { Err(Error::NoSuchAccount(user_name.as_str().to_owned())) } else { Ok(()) }
    }

    fn find_where(&self, condition: &str, value: &str) -> Result<Option<(Account, String)>, Error> {
        let connection = self.lock();
        let stored = connection
            .prepare_cached(&format!("{SELECT} WHERE {condition}"))?
            .query_row([value], Stored::from_row)
            .optional()?;
        stored.map(|stored| stored.with_claims(&connection)).transpose()
    }

    /// A panic elsewhere cannot leave the connection half changed: every change is one statement or one transaction.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A row of `account`.
struct Stored {
    id: i64,
    password_hash: String,
    account: Account,
}

impl Stored {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            password_hash: row.get(3)?,
            account: Account {
                user_name: row.get(1)?,
                subject: row.get::<_, String>(2)?.into(),
                claims: Vec::new(),
                enabled: row.get(4)?,
                epoch: row.get(5)?,
            },
        })
    }

    fn with_claims(mut self, connection: &Connection) -> Result<(Account, String), Error> {
        let mut statement = connection
            .prepare_cached("SELECT claim_type, value FROM account_claim WHERE account = ?1 ORDER BY position")?;
        let claims = statement
            .query_map([self.id], |row| Ok((row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into())))?;
        self.account.claims = claims.collect::<Result<_, _>>()?;
        Ok((self.account, self.password_hash))
    }
}

fn insert_claims(connection: &Connection, account: i64, claims: &[(String, String)]) -> Result<(), Error> {
    let mut statement = connection
        .prepare_cached("INSERT INTO account_claim (account, position, claim_type, value) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, (claim_type, value)) in (0_i64..).zip(claims) {
        statement.execute(params![account, position, claim_type, value])?;
    }
    Ok(())
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE account (
    id            INTEGER PRIMARY KEY,
    name_key      TEXT    NOT NULL UNIQUE,
    user_name     TEXT    NOT NULL,
    subject       TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    enabled       INTEGER NOT NULL DEFAULT 1,
    epoch         INTEGER NOT NULL DEFAULT 0,
    created       TEXT    NOT NULL
) STRICT;
CREATE TABLE account_claim (
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL,
    claim_type TEXT    NOT NULL,
    value      TEXT    NOT NULL,
    PRIMARY KEY (account, position)
) STRICT, WITHOUT ROWID;
";

const SELECT: &str = "SELECT id, user_name, subject, password_hash, enabled, epoch FROM account";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_whatever_the_case_of_its_name() {
        let store = with_alice();
        let (account, hash) = store.find(&name("ALICE")).unwrap().unwrap();
        assert_eq!((account.user_name.as_str(), hash.as_str()), ("Alice", "$hash"));
        assert_eq!(account.claims[1], ("urn:role".into(), "Auditor".into()));
        assert!(store.find(&name("bob")).unwrap().is_none());
        assert_eq!(store.find_subject("subject-1").unwrap().unwrap(), account);
    }

    #[test]
    fn creating_does_not_overwrite() {
        let store = with_alice();
        assert!(matches!(store.create(&alice("aLiCe"), now()), Err(Error::AccountExists(_))));
        assert_eq!(store.list().unwrap().len(), 1);
        assert_eq!(store.list().unwrap()[0].claims.len(), 2);
    }

    #[test]
    fn a_new_password_or_disabling_ends_sessions_and_a_better_hash_does_not() {
        let store = with_alice();
        let epoch = || store.find(&name("alice")).unwrap().unwrap().0.epoch;
        store.upgrade_hash(&name("alice"), "$stronger").unwrap();
        assert_eq!(epoch(), 0);
        store.set_password(&name("alice"), "$new").unwrap();
        assert_eq!(epoch(), 1);
        store.set_enabled(&name("alice"), false).unwrap();
        assert_eq!(epoch(), 2);
        store.set_enabled(&name("alice"), true).unwrap();
        assert_eq!(epoch(), 2);
    }

    #[test]
    fn claims_are_replaced_as_a_whole_and_go_with_the_account() {
        let store = with_alice();
        store.set_claims(&name("alice"), &[("urn:role".into(), "Clerk".into())]).unwrap();
        assert_eq!(store.list().unwrap()[0].claims, [("urn:role".into(), "Clerk".into())]);
        store.remove(&name("alice")).unwrap();
        let left: i64 = store.lock().query_row("SELECT count(*) FROM account_claim", [], |row| row.get(0)).unwrap();
        assert_eq!(left, 0);
        assert!(matches!(store.remove(&name("alice")), Err(Error::NoSuchAccount(_))));
        assert!(matches!(store.set_claims(&name("alice"), &[]), Err(Error::NoSuchAccount(_))));
    }

    #[test]
    fn accounts_outlive_the_program_in_a_file_only_the_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        AccountStore::open(&path).unwrap().create(&alice("Alice"), now()).unwrap();
        assert!(AccountStore::open(&path).unwrap().find(&name("alice")).unwrap().is_some());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_database_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.db");
        AccountStore::open(&path).unwrap().lock().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(AccountStore::open(&path), Err(Error::NewerDatabase { found: 99, .. })));
    }

    #[test]
    fn all_claims_begin_with_name_identifier_and_name() {
        let account = with_alice().list().unwrap().remove(0);
        let claims: Vec<Claim> = account.all_claims(&"urn:sts".into()).collect();
        assert!(claims[0].is(&claim_types::NAME_IDENTIFIER) && claims[0].value() == "subject-1");
        assert!(claims[1].is(&claim_types::NAME) && claims[1].value() == "Alice");
        assert_eq!(claims.len(), 4);
        assert!(claims.iter().all(|claim| claim.issuer() == "urn:sts"));
    }

    fn with_alice() -> AccountStore {
        let store = AccountStore::in_memory().unwrap();
        store.create(&alice("Alice"), now()).unwrap();
        store
    }

    fn alice(user_name: &str) -> NewAccount {
        NewAccount {
            user_name: name(user_name),
            subject: "subject-1".into(),
            password_hash: "$hash".into(),
            claims: vec![("urn:email".into(), "alice@example.com".into()), ("urn:role".into(), "Auditor".into())],
        }
    }

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }
}
