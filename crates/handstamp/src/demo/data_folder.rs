//! The folder in which the demo keeps what has to survive.

use super::ports::Ports;
use crate::Error;
use crate::config::{Config, Sts};
use crate::private_file;
use crate::sts::{
    AccountStore, NewAccount, PasswordCost, PasswordHasher, PasswordText, UserName, load_or_create_signing_identity,
};
use base64_simd::STANDARD;
use handstamp_claims::claim_types;
use handstamp_keys::{KeyRing, RotationPolicy, SecureRandom, SystemRandom};
use handstamp_time::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// The folder, locked for this process.
#[derive(Debug)]
pub(super) struct DataFolder {
    path: PathBuf,
    record: Record,
    /// Released when the process ends, however it ends.
    _lock: File,
}

/// What the demo remembers beyond the program's own files. The password is here in the clear, because the demo tells it at
/// every start; it opens nothing but the demo.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    ports: Option<Ports>,
    password: Option<String>,
}

/// Who can sign in.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: String,
}

impl DataFolder {
    /// Opens `path`, or the user's state folder, and makes it if needed.
    ///
    /// # Errors
    /// It cannot be made or written, or another demo works in it.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, Error> {
        let path = match path {
            Some(path) => path,
            None => state_folder().ok_or_else(|| Error::Setup {
                code: "HST-DEMO-DATA",
                message: "there is no home folder to keep the demo's data in; name a folder with --data".to_owned(),
            })?,
        };
        let failed = |source| Error::system(format!("cannot use the data folder {}", path.display()), source);
        private_file::create_folder(&path).map_err(failed)?;
        let path = fs::canonicalize(&path).map_err(failed)?;
        let lock = private_file::options().create(true).open(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Setup {
                    code: "HST-DEMO-RUNNING",
                    message: format!(
                        "a demo already runs with the data in {}; stop it, or name another folder with --data",
                        path.display()
                    ),
                });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // A record that cannot be read is written anew: it holds nothing that cannot be made again.
        let record = fs::read(path.join(RECORD)).ok().and_then(|json| serde_json::from_slice(&json).ok());
        Ok(Self { path, record: record.unwrap_or_default(), _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The ports of the last time.
    pub(super) fn ports(&self) -> Option<Ports> {
        self.record.ports
    }

    /// Writes one of the files that the demo makes at each start, and gives its path.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Makes what a configured program expects to be there: key ring, signing certificate and an account.
    pub(super) async fn prepare(&mut self, config: &Config, sts: &Sts, ports: Ports) -> Result<User, Error> {
        let now = SystemClock.now();
        if !config.keys.path.exists() {
            KeyRing::init(&config.keys.path, RotationPolicy::default(), now, &SystemRandom)?;
        }
        load_or_create_signing_identity(&sts.signing_key, &sts.display_name, now, &SystemRandom)?;

        let accounts = AccountStore::open(&sts.accounts)?;
        let name = UserName::parse(USER_NAME)?;
        let known = accounts.find(&name)?.is_some();
        let password = match self.record.password.clone() {
            Some(password) if known => password,
            _ => {
                let password = new_password()?;
                let hasher = PasswordHasher::new(PasswordCost::RECOMMENDED, &SystemRandom)?;
                let hash = hasher.hash(PasswordText::new(password.as_str()), &SystemRandom).await?;
                if known {
                    accounts.set_password(&name, &hash)?;
                } else {
                    accounts.create(&ada(name, hash)?, now)?;
                }
                password
            }
        };
        self.record = Record { ports: Some(ports), password: Some(password.clone()) };
        let json = serde_json::to_vec_pretty(&self.record).unwrap_or_default();
        replace(&self.path.join(RECORD), &json)?;
        Ok(User { name: USER_NAME.to_owned(), password })
    }
}

fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    private_file::replace(path, content)
        .map_err(|source| Error::system(format!("cannot write {}", path.display()), source))
}

/// What the demo's user is known for: as much as a person in a company has.
fn ada(user_name: UserName, password_hash: String) -> Result<NewAccount, Error> {
    let claim = |claim_type: &str, value: &str| (claim_type.to_owned(), value.to_owned());
    let mut subject = [0; 33];
    SystemRandom.fill(&mut subject)?;
    Ok(NewAccount {
        user_name,
        subject: STANDARD.encode_to_string(subject),
        password_hash,
        claims: vec![
            claim(&claim_types::GIVEN_NAME, "Ada"),
            claim(&claim_types::SURNAME, "Lovelace"),
            claim(&claim_types::EMAIL, "ada@example.com"),
            claim(&claim_types::UPN, "ada@corp.example.com"),
            claim(&claim_types::ROLE, "Order Clerk"),
            claim(&claim_types::ROLE, "Analyst"),
        ],
    })
}

/// Easy to read and to type, and 60 random bits.
fn new_password() -> Result<String, Error> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut random = [0_u8; 12];
    SystemRandom.fill(&mut random)?;
    let letters: Vec<char> = random.iter().map(|byte| char::from(LETTERS[usize::from(byte % 32)])).collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    Ok(groups.join("-"))
}

/// Where programs keep state for a user: `$XDG_STATE_HOME`, or what the system has instead.
fn state_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else if let Some(state) = variable("XDG_STATE_HOME").filter(|path| path.is_absolute()) {
        state
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Application Support")
    } else {
        variable("HOME")?.join(".local/state")
    };
    Some(base.join("handstamp").join("demo"))
}

const RECORD: &str = "demo.json";
const USER_NAME: &str = "ada";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_serves_one_demo_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataFolder::open(Some(folder.path().to_owned())).unwrap();
        let second = DataFolder::open(Some(folder.path().to_owned())).unwrap_err();
        assert_eq!(second.code(), "HST-DEMO-RUNNING");
        drop(first);
        DataFolder::open(Some(folder.path().to_owned())).unwrap();
    }

    #[test]
    fn a_damaged_record_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(RECORD), "{\"ports\":").unwrap();
        assert_eq!(DataFolder::open(Some(folder.path().to_owned())).unwrap().ports(), None);
    }

    #[test]
    fn passwords_are_long_enough_and_differ() {
        let (one, other) = (new_password().unwrap(), new_password().unwrap());
        assert!(one.len() == 14 && one != other, "{one} {other}");
    }

    #[test]
    fn the_demos_user_is_no_auditor() {
        let user = ada(UserName::parse(USER_NAME).unwrap(), String::new()).unwrap();
        assert_eq!(user.subject.len(), 44);
        assert!(user.claims.iter().all(|(_, value)| value != super::super::app::AUDITOR_ROLE));
    }
}
