//! The keys that protect WIF's cookies, from the files that name them.

use std::path::{Path, PathBuf};

use handstamp_keys::{KeyPolicy, PrivateKey};
use handstamp_session_token::wif::transforms::{
    ConfigurationError, MachineKey, MachineKeyTransform, RsaEncryption, RsaHash, RsaSignature,
};
use zeroize::Zeroizing;

use crate::Error;

/// The machine-key transform of `<machineKey …/>` elements: the first one protects, all are tried. WIF's purpose unless
/// another is given.
pub(crate) fn machine_key(files: &[PathBuf], purposes: &[String]) -> Result<MachineKeyTransform, Error> {
    let read_key = |file: &PathBuf| {
        let bytes = read(file)?;
        let text = Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned());
        MachineKey::from_xml(text.trim_start_matches('\u{feff}')).map_err(|error| in_file(file, &error))
    };
    let keys = files.iter().map(read_key).collect::<Result<Vec<_>, _>>()?;
    let purposes: Vec<&str> = purposes.iter().map(String::as_str).collect();
    let purposes = if purposes.is_empty() { vec![MachineKeyTransform::PURPOSE] } else { purposes };
    MachineKeyTransform::for_purposes(&keys, &purposes).map_err(unusable)
}

/// The RSA signature transform: the first key signs, all verify.
pub(crate) fn rsa_signature(files: &[PathBuf], hash: RsaHash) -> Result<RsaSignature, Error> {
    let keys = rsa_keys(files)?;
    let public = keys.iter().map(|key| key.public_key().clone()).collect();
    RsaSignature::with_keys(keys.into_iter().next(), public, hash).map_err(unusable)
}

/// The RSA encryption transform: the first key encrypts, all decrypt.
pub(crate) fn rsa_encryption(files: &[PathBuf], hash: RsaHash) -> Result<RsaEncryption, Error> {
    let keys = rsa_keys(files)?;
    let first = keys.first().map(|key| key.public_key().clone());
    RsaEncryption::with_keys(first, keys, hash).map_err(unusable)
}

/// A chain or a transform that cannot be made of what was given.
pub(crate) fn unusable(error: ConfigurationError) -> Error {
    Error::Setup { code: error.code(), message: error.to_string() }
}

/// Refuses a file of keys that others than its owner can read.
pub(crate) fn require_private(file: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(file).map_err(|source| unreadable(file, source))?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let problem = format!("others can read it (mode {mode:o})");
            let remedy = format!("chmod 600 {}", file.display());
            return Err(handstamp_keys::Error::KeyFileExposed { path: file.to_owned(), problem, remedy }.into());
        }
    }
    Ok(())
}

/// Old farms have keys of 1024 bits.
fn rsa_keys(files: &[PathBuf]) -> Result<Vec<PrivateKey>, Error> {
    let policy = KeyPolicy::with_min_rsa_bits(1024);
    let read_key = |file: &PathBuf| {
        PrivateKey::from_pem(&read(file)?, &policy)
            .map_err(|error| Error::Setup { code: error.code(), message: format!("{}: {error}", file.display()) })
    };
    files.iter().map(read_key).collect()
}

fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    std::fs::read(file).map(Zeroizing::new).map_err(|source| unreadable(file, source))
}

fn unreadable(file: &Path, source: std::io::Error) -> Error {
    Error::system(format!("cannot read {}", file.display()), source)
}

fn in_file(file: &Path, error: &ConfigurationError) -> Error {
    Error::Setup { code: error.code(), message: format!("{}: {error}", file.display()) }
}
