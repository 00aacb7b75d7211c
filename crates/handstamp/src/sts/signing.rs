//! The key that signs tokens, made on first start.

use super::Error;
use crate::private_file;
use handstamp_keys::{KeyKind, KeyPolicy, SecureRandom, SigningIdentity};
use handstamp_time::Timestamp;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// Reads the signing key and its certificate from `path`, a PEM file; makes both when there is no such file.
///
/// A new key is RSA with 2048 bits, which every relying party of the WS-Federation world understands, and its certificate
/// is valid for ten years: relying parties pin it. The certificate alone is beside it, in [`certificate_path`], to hand out.
///
/// # Errors
/// The file cannot be read or made, others may read it, or it holds no key with its certificate.
pub fn load_or_create_signing_identity(
    path: &Path,
    common_name: &str,
    now: Timestamp,
    random: &dyn SecureRandom,
) -> Result<SigningIdentity, Error> {
    let failed = |source| Error::SigningKeyFile { path: path.to_owned(), source };
    match fs::read(path) {
        Ok(text) => {
            refuse_if_shared(path)?;
            Ok(SigningIdentity::from_pem(&Zeroizing::new(text), &KeyPolicy::default())?)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A day earlier, for relying parties whose clock is behind.
            let valid_from = now.saturating_sub(Duration::from_secs(86_400));
            let valid_to = now.saturating_add(VALIDITY);
            let identity =
                SigningIdentity::self_signed(common_name, KeyKind::Rsa { bits: 2048 }, valid_from, valid_to, random)?;
            private_file::replace(path, identity.to_pem()?.as_bytes()).map_err(failed)?;
            fs::write(certificate_path(path), identity.certificate().to_pem()).map_err(failed)?;
            Ok(identity)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Where the certificate of the key at `path` is: the same name, ending in `.crt`.
pub fn certificate_path(path: &Path) -> PathBuf {
    path.with_extension("crt")
}

const VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);

#[cfg(unix)]
fn refuse_if_shared(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(|source| Error::SigningKeyFile { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 == 0 { Ok(()) } else { Err(Error::SharedSigningKey(path.to_owned())) }
}

#[cfg(not(unix))]
fn refuse_if_shared(_: &Path) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use handstamp_keys::SystemRandom;

    #[test]
    fn the_key_is_made_once_kept_private_and_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sts.pem");
        let made = load(&path).unwrap();
        let found = load(&path).unwrap();
        assert_eq!(made.certificate().der(), found.certificate().der());
        assert!(made.certificate().is_valid_at(now()));
        let handed_out = fs::read_to_string(folder.path().join("sts.crt")).unwrap();
        assert_eq!(handed_out, made.certificate().to_pem());
        assert!(!handed_out.contains("PRIVATE"));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sts.pem");
        load(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load(&path), Err(Error::SharedSigningKey(_))));
    }

    #[test]
    fn what_is_no_key_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sts.pem");
        private_file::replace(&path, b"not a key").unwrap();
        assert!(load(&path).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"not a key");
    }

    fn load(path: &Path) -> Result<SigningIdentity, Error> {
        load_or_create_signing_identity(path, "Test", now(), &SystemRandom)
    }

    fn now() -> Timestamp {
        "2030-01-01T00:00:00Z".parse().unwrap()
    }
}
