//! What people give to commands: files, standard input, passwords.

use std::io::{BufRead as _, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

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

/// Asks whoever sits at the terminal for a password, which does not show; nothing when nobody does.
pub(super) fn ask_password(prompt: &str) -> Result<Option<Zeroizing<String>>, Error> {
    if !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let password = rpassword::prompt_password(prompt).map_err(cannot_read_password)?;
    Ok(Some(Zeroizing::new(password)))
}

/// A new password: the first line of standard input, or what somebody types twice.
pub(super) fn new_password() -> Result<Zeroizing<String>, Error> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal()
        && let Some(password) = ask_password("Password: ")?
    {
        return match ask_password("The same again: ")? {
            Some(again) if again != password => Err(refused("HST-INPUT-PASSWORD", "the two passwords differ")),
            _ => Ok(password),
        };
    }
    let mut line = Zeroizing::new(String::new());
    input.read_line(&mut line).map_err(cannot_read_password)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn cannot_read_password(source: std::io::Error) -> Error {
    Error::system("cannot read the password", source)
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
