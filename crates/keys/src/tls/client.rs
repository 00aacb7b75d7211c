use super::{TlsIdentity, inconsistent, protocols, provider, read_roots};
use crate::Error;
use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, SignatureScheme};
use std::path::PathBuf;
use std::sync::Arc;

/// How to connect to servers: whom to believe, and what to show.
#[derive(Debug, Clone, Default)]
pub struct ClientSettings {
    /// PEM files of the authorities that servers' certificates must come from; those of the system when empty.
    pub authorities: Vec<PathBuf>,
    /// What is shown to servers that ask for a certificate.
    pub identity: Option<TlsIdentity>,
}

impl ClientSettings {
    /// What rustls needs. `alpn` names the protocols spoken inside, the preferred one first.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::UnusableFile`]; [`Error::UnusableKey`] when the system knows no authorities.
    pub fn config(&self, alpn: &[&str]) -> Result<Arc<ClientConfig>, Error> {
        let roots = if self.authorities.is_empty() { system_roots()? } else { read_roots(&self.authorities)? };
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(inconsistent)?
            .with_root_certificates(roots);
        let mut config = match &self.identity {
            Some(identity) => builder.with_client_cert_resolver(Arc::new(Always(Arc::clone(identity.certified())))),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = protocols(alpn);
        Ok(Arc::new(config))
    }
}

fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(inconsistent(
            "the system names no certificate authorities; install ca-certificates or name the authority's file",
        ));
    }
    Ok(roots)
}

/// Shows the one identity there is to every server that asks.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesClientCert for Always {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
