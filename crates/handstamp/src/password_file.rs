//! Passwords that a configuration names by their files.

use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;

/// Reads a password; `key` names the option for messages.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read(key: &str, file: &Path) -> Result<Zeroizing<String>, Error> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| Error::Setup {
        code: "HST-CONFIG-FILE",
        message: format!("{key}: {} cannot be read: {error}", file.display()),
    })?;
    // Editors end a file with a line break; passwords do not.
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
