//! Password files in the manner of Apache's htpasswd.

use crate::error::Error;
use handstamp_time::Timestamp;
use handstamp_ws_security::{UserNameError, UserNameValidator};
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr as _;
use std::sync::{PoisonError, RwLock};

/// Names and passwords of a file that `htpasswd -B` keeps: a line `name:hash` for each, hashed with bcrypt.
///
/// The program reads the file, and says when it has changed ([`replace`](Self::replace)). An unknown name takes as long as a wrong
/// password does. Checking takes tens of milliseconds on purpose: use a runtime with several threads.
///
/// ```
/// use handstamp_secure_conversation::PasswordFile;
/// use handstamp_ws_security::UserNameValidator as _;
///
/// // htpasswd -nbB ada secret
/// let file = PasswordFile::parse("ada:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC")?;
/// let now = "2030-01-01T00:00:00Z".parse()?;
/// assert!(file.validate("ada", "guess", now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PasswordFile {
    entries: RwLock<Entries>,
}

#[derive(Default)]
struct Entries {
    hashes: HashMap<String, String>,
    /// What the password of an unknown name is compared with: the costliest.
    decoy: Option<String>,
}

/// A cost above this takes a second and more for each attempt, which strangers decide about.
const MAX_COST: u32 = 14;

impl PasswordFile {
    /// Reads the text of a file. Empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// [`Error::Configuration`] with the number of a line that is none, or whose hash is not one of bcrypt.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Ok(Self { entries: RwLock::new(Entries::parse(text)?) })
    }

    /// Takes over the text of a file that has changed. When it cannot be read, what was there stays.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn replace(&self, text: &str) -> Result<(), Error> {
        let entries = Entries::parse(text)?;
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = entries;
        Ok(())
    }
}

impl Entries {
    fn parse(text: &str) -> Result<Self, Error> {
        let mut entries = Self::default();
        let mut highest = 0;
        for (number, line) in text.lines().enumerate() {
            let refused =
                |problem: &str| Error::Configuration(format!("password file, line {}: {problem}", number + 1));
            let line = line.trim_end();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').ok_or_else(|| refused("it is not of the form name:hash"))?;
            let parts = bcrypt::HashParts::from_str(hash)
                .map_err(|_| refused("its hash is not one of bcrypt: set the password anew with htpasswd -B"))?;
            if parts.get_cost() > MAX_COST {
                return Err(refused("its bcrypt cost is above 14: set the password anew with htpasswd -B -C 12"));
            }
            if entries.hashes.insert(name.to_owned(), hash.to_owned()).is_some() {
                return Err(refused("its name stands in an earlier line too"));
            }
            if parts.get_cost() > highest {
                (highest, entries.decoy) = (parts.get_cost(), Some(hash.to_owned()));
            }
        }
        Ok(entries)
    }
}

impl UserNameValidator for PasswordFile {
    fn validate(&self, name: &str, password: &str, _now: Timestamp) -> Result<(), UserNameError> {
        // Checked outside of the lock: it takes its time.
        let (hash, is_known) = {
            let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
            let known = entries.hashes.get(name);
            (known.or(entries.decoy.as_ref()).cloned(), known.is_some())
        };
        let is_right = hash.is_some_and(|hash| bcrypt::non_truncating_verify(password, &hash).unwrap_or(false));
        if is_known && is_right {
            Ok(())
        } else {
            Err(UserNameError::Refused(format!("unknown name or wrong password for {name:.64?}")))
        }
    }
}

/// How many there are; no hashes.
impl fmt::Debug for PasswordFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("PasswordFile").field("names", &entries.hashes.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }

    fn line(name: &str, password: &str) -> String {
        format!("{name}:{}\n", bcrypt::hash(password, 4).unwrap())
    }

    #[test]
    fn sc_73_names_and_passwords_are_those_of_the_file() {
        let text = format!("# people\n\n{}{}", line("ada", "secret"), line("bob", "correct horse"));
        let file = PasswordFile::parse(&text).unwrap();
        assert_eq!(file.validate("ada", "secret", now()), Ok(()));
        assert_eq!(file.validate("bob", "correct horse", now()), Ok(()));
        for (name, password) in
            [("ada", "correct horse"), ("ada", ""), ("Ada", "secret"), ("carol", "secret"), ("", "")]
        {
            assert!(file.validate(name, password, now()).is_err(), "{name}");
        }
        // bcrypt looks at 72 octets: what is longer is not taken for what it begins with.
        let long = "x".repeat(80);
        assert!(file.validate("ada", &long, now()).is_err());
        assert!(!format!("{file:?}").contains('$'));
    }

    #[test]
    fn sc_73_a_changed_file_is_taken_over_as_a_whole_or_not_at_all() {
        let file = PasswordFile::parse(&line("ada", "secret")).unwrap();
        assert!(file.replace("ada:{SHA}nU4eI71bcnBGqeO0t9tXvY1u5oQ=").unwrap_err().to_string().contains("line 1"));
        assert_eq!(file.validate("ada", "secret", now()), Ok(()));
        file.replace(&line("bob", "secret")).unwrap();
        assert!(file.validate("ada", "secret", now()).is_err());
        file.replace("").unwrap();
        assert!(file.validate("bob", "secret", now()).is_err());
    }

    #[test]
    fn sc_96_lines_that_are_none_are_named() {
        let costly = line("ada", "secret").replace("$04$", "$20$");
        let twice = line("ada", "secret").repeat(2);
        for (text, problem) in [
            ("ada", "name:hash"),
            ("ada:secret", "htpasswd -B"),
            ("ada:$apr1$mxLgXrCc$LmBqgV9cK3dSCZkYlFZ2H/", "htpasswd -B"),
            (&costly, "cost"),
            (&twice, "line 2"),
        ] {
            let said = PasswordFile::parse(text).unwrap_err().to_string();
            assert!(said.contains(problem), "{said}");
        }
    }
}
