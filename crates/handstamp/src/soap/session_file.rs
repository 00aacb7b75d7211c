//! Where `soap call` keeps sessions between runs: one private file each in the user's cache folder.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use handstamp_keys::sha256;
use zeroize::Zeroizing;

use crate::{Error, private_file};

/// The file of one session: of one user with one service under one binding.
#[derive(Debug, Clone)]
pub struct SessionFile {
    path: PathBuf,
}

/// No saved session is larger, in bytes.
const MAX: u64 = 256 << 10;

impl SessionFile {
    /// The file for sessions that `parts` tell apart: address, binding, credentials. What they are does not show in its name.
    ///
    /// # Errors
    /// There is no folder for it.
    pub fn of(parts: &[&[u8]]) -> Result<Self, Error> {
        let folder = cache_folder().ok_or_else(|| Error::Setup {
            code: "HST-SOAP-CACHE",
            message: "there is no home folder to keep the session in; set XDG_CACHE_HOME, or use --session none"
                .to_owned(),
        })?;
        let mut text = Vec::new();
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_be_bytes());
            text.extend_from_slice(part);
        }
        let name: String = sha256(&text).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { path: folder.join(format!("{name}.json")) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The saved session; none when there is none, and an empty one when it is no text: none can be taken up from that.
    ///
    /// # Errors
    /// It cannot be read, or others can read it.
    pub fn load(&self) -> Result<Option<Zeroizing<String>>, Error> {
        let failed = |source| Error::system(format!("cannot read {}", self.path.display()), source);
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&file.metadata().map_err(failed)?.permissions()) & 0o077 != 0 {
            let path = self.path.display();
            return Err(Error::Setup {
                code: "HST-SOAP-CACHE",
                message: format!("{path} holds the key of a session, and others may read it: remove it"),
            });
        }
        let mut content = Zeroizing::new(Vec::new());
        file.take(MAX).read_to_end(&mut content).map_err(failed)?;
        Ok(Some(Zeroizing::new(std::str::from_utf8(&content).unwrap_or_default().to_owned())))
    }

    /// Changes what is saved, as `decide` says of what is saved now, while no other process does.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn update(&self, decide: impl FnOnce(Option<&str>) -> Update) -> Result<(), Error> {
        let failed = |source| Error::system(format!("cannot write {}", self.path.display()), source);
        self.path.parent().map_or(Ok(()), private_file::create_folder).map_err(failed)?;
        // One for all sessions: it is held for moments.
        let lock = private_file::options().create(true).truncate(false).open(self.path.with_file_name("lock"));
        let lock = lock.and_then(|lock| lock.lock().map(|()| lock)).map_err(failed)?;
        let saved = self.load()?;
        let updated = match decide(saved.as_ref().map(|saved| saved.as_str())) {
            Update::Keep => Ok(()),
            Update::Replace(session) => private_file::replace(&self.path, session.as_bytes()),
            Update::Remove => fs::remove_file(&self.path),
        };
        drop(lock);
        updated.map_err(failed)
    }
}

/// What becomes of a saved session.
#[derive(Debug)]
pub enum Update {
    /// It stays.
    Keep,
    /// This one takes its place, as a whole.
    Replace(Zeroizing<String>),
    /// It is forgotten.
    Remove,
}

/// `$XDG_CACHE_HOME/handstamp/soap`, or what the system has instead.
fn cache_folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if let Some(cache) = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute()) {
        cache
    } else if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Caches")
    } else {
        variable("HOME")?.join(".cache")
    };
    Some(base.join("handstamp").join("soap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_private_and_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let file = SessionFile { path: folder.path().join("a/b.json") };
        assert!(file.load().unwrap().is_none());
        for session in ["{}", "{\"key\":1}"] {
            file.update(|_| Update::Replace(session.to_owned().into())).unwrap();
            assert_eq!(file.load().unwrap().unwrap().as_str(), session);
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::metadata(folder.path().join("a")).unwrap().permissions().mode() & 0o777, 0o700);
            fs::set_permissions(&file.path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(file.load().is_err());
            fs::set_permissions(&file.path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        file.update(|saved| saved.map_or(Update::Keep, |_| Update::Remove)).unwrap();
        assert!(file.load().unwrap().is_none());
        private_file::replace(&file.path, b"\xff\xfe").unwrap();
        assert_eq!(file.load().unwrap().unwrap().as_str(), "", "what is no text cannot be taken up");
    }
}
