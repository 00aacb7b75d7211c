//! Files given to commands that read one input and write one output.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// Reads a file, or standard input when there is none or it is `-`. At most 16 MiB.
pub(super) fn read(file: Option<&PathBuf>) -> Result<Vec<u8>, Error> {
    const MAX: u64 = 16 << 20;
    let mut bytes = Vec::new();
    let outcome = match file.filter(|file| file.as_os_str() != "-") {
        Some(file) => std::fs::File::open(file)
            .and_then(|file| file.take(MAX + 1).read_to_end(&mut bytes))
            .map_err(|source| Error::system(format!("cannot read {}", file.display()), source)),
        None => std::io::stdin()
            .lock()
            .take(MAX + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| Error::system("cannot read standard input", source)),
    };
    outcome?;
    if bytes.len() as u64 > MAX {
        return Err(refused("HST-INPUT-SIZE", "the input is larger than 16 MiB"));
    }
    Ok(bytes)
}

/// Reads a file that an option names.
pub(super) fn read_option(file: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(file).map_err(|source| Error::system(format!("cannot read {}", file.display()), source))
}

/// Writes the output as it is; to a terminal, text gets a line end.
pub(super) fn write(bytes: &[u8], is_text: bool) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let line_end: &[u8] = if is_text && out.is_terminal() { b"\n" } else { b"" };
    match out.write_all(bytes).and_then(|()| out.write_all(line_end)).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::system("cannot write to standard output", error))
        }
        _ => Ok(()),
    }
}

pub(super) fn refused(code: &'static str, message: impl ToString) -> Error {
    Error::Refused { code, message: message.to_string() }
}
