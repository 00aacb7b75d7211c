//! TLS, as rustls speaks it, with this crate's cryptography.
//!
//! | You want to | Take |
//! |---|---|
//! | show a certificate, as server or client | [`TlsIdentity`] |
//! | accept connections, with certificates by name | [`ServerSettings`] |
//! | connect to servers | [`ClientSettings`] |
//! | carry records in messages | [`TlsRecords`] |

mod client;
mod identity;
mod records;
mod server;

pub use client::ClientSettings;
pub use identity::TlsIdentity;
pub use records::{TlsPeer, TlsRecords};
pub use server::{ClientCertificates, ServerSettings};

use crate::Error;
use rustls::RootCertStore;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The cryptography of every TLS connection: aws-lc, its default suites and groups.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// The certificates of a PEM file; at least one.
fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text =
        std::fs::read(path).map_err(|source| Error::File { path: path.into(), action: "cannot read", source })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(unusable(path, "holds no certificate in PEM form")),
        Err(error) => Err(unusable(path, format!("is no PEM file: {error}"))),
    }
}

fn read_roots(paths: &[PathBuf]) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for path in paths {
        for certificate in read_certificates(path)? {
            roots.add(certificate).map_err(|error| unusable(path, format!("holds no usable CA: {error}")))?;
        }
    }
    Ok(roots)
}

fn unusable(path: &Path, problem: impl Into<String>) -> Error {
    Error::UnusableFile { path: path.into(), problem: problem.into() }
}

fn inconsistent(error: impl std::fmt::Display) -> Error {
    Error::UnusableKey(format!("TLS cannot be set up: {error}"))
}

fn protocols(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}
