//! Files and folders for the user that the program runs as, and nobody else.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process;

/// To open a file with for writing; one that is made is private.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes an empty file where there is none, for a library that would make it by the process's umask. What goes wrong is for the library
/// to say, which opens it next.
pub(crate) fn prepare(path: &Path) {
    let _ = options().create_new(true).open(path);
}

/// Replaces a file as a whole, or makes it: whoever looks finds the old or the new one, also after a crash.
///
/// # Errors
/// It cannot be written. Then the old one stays.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.file_name().unwrap_or_default().to_os_string();
    beside.push(format!(".{}.tmp", process::id()));
    let beside = path.with_file_name(beside);
    // What a process of this number left behind.
    let _ = fs::remove_file(&beside);
    let written = || -> io::Result<()> {
        let mut file = options().create_new(true).open(&beside)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// Makes a folder, with those around it; those that are there stay as they are.
///
/// # Errors
/// It cannot be made.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("kept.json");
        for content in ["one", "another"] {
            replace(&path, content.as_bytes()).expect("replaced");
            assert_eq!(fs::read_to_string(&path).expect("readable"), content);
        }
        let taken = folder.path().join("taken");
        create_folder(&taken.join("below")).expect("made");
        replace(&taken, b"a folder stands there").expect_err("not replaced");
        let names: Vec<_> =
            fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("one").file_name()).collect();
        assert_eq!(names.len(), 2, "nothing is left behind: {names:?}");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_what_is_made() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let [replaced, prepared, below] = ["replaced", "prepared", "below"].map(|name| folder.path().join(name));
        replace(&replaced, b"secret").expect("made");
        prepare(&prepared);
        create_folder(&below).expect("made");
        for (path, mode) in [(replaced, 0o600), (prepared, 0o600), (below, 0o700)] {
            assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, mode, "{}", path.display());
        }
    }
}
