//! Files with secrets: who may read them, how they are replaced, who may replace them.

use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use zeroize::Zeroizing;

/// A file with secrets. Several processes may share it: it is only ever replaced as a whole, under a lock.
#[derive(Debug)]
pub(crate) struct PrivateFile {
    path: PathBuf,
}

/// Two equal stamps are the same content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp([u64; 5]);

/// Held while the file is read, changed and replaced; released on drop.
pub(crate) struct Lock {
    _held: File,
}

impl PrivateFile {
    /// Follows symbolic links once, so that replacing the file leaves them in place.
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: fs::canonicalize(path).unwrap_or_else(|_| path.into()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until no other process or thread changes the file.
    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let path = self.sibling("lock");
        let file = private(OpenOptions::new().create(true).truncate(false).write(true))
            .open(&path)
            .map_err(|e| self.error("open its lock file", e))?;
        file.lock().map_err(|e| self.error("lock", e))?;
        Ok(Lock { _held: file })
    }

    /// Makes the file, which must not exist.
    pub(crate) fn create(&self, content: &[u8]) -> Result<Stamp, Error> {
        let lock = self.lock()?;
        if self.path.symlink_metadata().is_ok() {
            return Err(Error::KeyFileExists(self.path.clone()));
        }
        self.replace(content, &lock)
    }

    /// What tells one version of the file from the next, without reading it.
    pub(crate) fn stamp(&self) -> Result<Stamp, Error> {
        fs::metadata(&self.path).map(|metadata| stamp(&metadata)).map_err(|e| self.error("look at", e))
    }

    pub(crate) fn read(&self) -> Result<(Zeroizing<Vec<u8>>, Stamp), Error> {
        let file = File::open(&self.path).map_err(|e| self.error("open", e))?;
        let metadata = file.metadata().map_err(|e| self.error("look at", e))?;
        self.check(&metadata)?;
        let mut content = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
        file.take(MAX_LEN + 1).read_to_end(&mut content).map_err(|e| self.error("read", e))?;
        Ok((content, stamp(&metadata)))
    }

    /// Replaces the file: readers see the old or the new content, also after a power failure.
    pub(crate) fn replace(&self, content: &[u8], _held: &Lock) -> Result<Stamp, Error> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let temporary = self.sibling(&format!("{}-{number}.tmp", std::process::id()));
        let written = self.write_new(&temporary, content).and_then(|stamp| {
            fs::rename(&temporary, &self.path).map_err(|e| self.error("replace", e))?;
            Ok(stamp)
        });
        if written.is_err() {
            // The first error is the one to tell; a leftover is private and harmless.
            let _ = fs::remove_file(&temporary);
        }
        written?;
        self.sync_folder()?;
        // Renaming touches the time of the last status change.
        self.stamp()
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let mut file = private(OpenOptions::new().create_new(true).write(true))
            .open(path)
            .map_err(|e| self.error("write a new version beside", e))?;
        file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| self.error("write a new version beside", e))
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.file_name().unwrap_or_default().to_os_string();
        name.push(".");
        name.push(suffix);
        self.path.with_file_name(name)
    }

    fn error(&self, action: &'static str, source: std::io::Error) -> Error {
        Error::File { path: self.path.clone(), action, source }
    }

    fn check(&self, metadata: &fs::Metadata) -> Result<(), Error> {
        if !metadata.is_file() {
            return Err(self.error("read", std::io::Error::other("not a regular file")));
        }
        if metadata.len() > MAX_LEN {
            let problem = format!("{} bytes are too many for a key file", metadata.len());
            return Err(self.error("read", std::io::Error::other(problem)));
        }
        self.check_exposure(metadata)
    }

    #[cfg(unix)]
    fn check_exposure(&self, metadata: &fs::Metadata) -> Result<(), Error> {
        use std::os::unix::fs::MetadataExt;
        let exposed = |problem: String, command: &str| Error::KeyFileExposed {
            path: self.path.clone(),
            problem,
            remedy: format!("{command} {}", quoted(&self.path)),
        };
        let (owner, user) = (metadata.uid(), rustix::process::geteuid().as_raw());
        if owner != user {
            let problem = format!("the key file belongs to user {owner}, but this process runs as user {user}");
            return Err(exposed(problem, &format!("chown {user}")));
        }
        let mode = metadata.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(exposed(
                format!("others than its owner have access to the key file (mode {mode:04o})"),
                "chmod 600",
            ));
        }
        Ok(())
    }

    /// Windows: the access list of the folder decides; it is not checked.
    #[cfg(not(unix))]
    fn check_exposure(&self, _metadata: &fs::Metadata) -> Result<(), Error> {
        Ok(())
    }

    #[cfg(unix)]
    fn sync_folder(&self) -> Result<(), Error> {
        let folder = match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|e| self.error("make the new version durable", e))
    }

    #[cfg(not(unix))]
    fn sync_folder(&self) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds =
        |seconds: i64, fraction: i64| (seconds as u64).wrapping_mul(1_000_000_000).wrapping_add(fraction as u64);
    Stamp([
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    ])
}

#[cfg(not(unix))]
fn stamp(metadata: &fs::Metadata) -> Stamp {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    Stamp([0, 0, metadata.len(), modified.map_or(0, |time| time.as_nanos() as u64), 0])
}

/// A path as one word of a shell command.
#[cfg(unix)]
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+,:@%".contains(&b);
    if text.bytes().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// More than a full ring takes.
const MAX_LEN: u64 = 1 << 20;
