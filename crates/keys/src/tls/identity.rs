use super::{provider, read_certificates, unusable};
use crate::Error;
use crate::private_file::PrivateFile;
use rustls::sign::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A certificate chain with its private key: what one end of a TLS connection shows of itself.
#[derive(Clone)]
pub struct TlsIdentity {
    certified: Arc<CertifiedKey>,
    names: Vec<String>,
}

impl TlsIdentity {
    /// Reads a PEM file with the chain, the end's own certificate first, and one with the key: PKCS#8, PKCS#1 or SEC 1. The
    /// key's file must belong to the user of the process and be closed to all others. Both may be the same file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::KeyFileExposed`]; [`Error::UnusableFile`] when they hold nothing usable, or do not belong
    /// together.
    pub fn read(chain: &Path, key: &Path) -> Result<Self, Error> {
        let certificates = read_certificates(chain)?;
        let own = certificates.first().ok_or_else(|| unusable(chain, "holds no certificate in PEM form"))?;
        let names = webpki::EndEntityCert::try_from(own)
            .map_err(|error| unusable(chain, format!("begins with no usable certificate: {error}")))?
            .valid_dns_names()
            .map(str::to_ascii_lowercase)
            .collect();
        let (text, _) = PrivateFile::new(key).read()?;
        let key_der = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|error| unusable(key, format!("holds no private key in PEM form: {error}")))?;
        let certified = CertifiedKey::from_der(certificates, key_der, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                unusable(key, format!("is not the key of the certificate in {}", chain.display()))
            }
            other => unusable(key, other.to_string()),
        })?;
        Ok(Self { certified: Arc::new(certified), names })
    }

    /// The DNS names of the certificate, in lower case; `*.shop.example` for every name one level below.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").field("names", &self.names).finish_non_exhaustive()
    }
}
