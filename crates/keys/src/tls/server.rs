use super::{TlsIdentity, inconsistent, protocols, provider, read_roots};
use crate::Error;
use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

/// How to accept connections: what to show, and whom to ask for a certificate.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Certificates, chosen by the name the client asks for. A client that asks for none of their names, or for no name, gets
    /// the first.
    pub identities: Vec<TlsIdentity>,
    /// Whether clients show certificates.
    pub client_certificates: ClientCertificates,
}

/// Whether clients show certificates.
#[derive(Debug, Clone, Default)]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    Off,
    /// They are asked, and may decline. What they show must come from one of the authorities in these PEM files.
    Optional(Vec<PathBuf>),
    /// They are asked; without a certificate there is no connection.
    Required(Vec<PathBuf>),
}

impl ServerSettings {
    /// What rustls needs. `alpn` names the protocols spoken inside, the preferred one first.
    ///
    /// # Errors
    /// [`Error::Misuse`] without a certificate; [`Error::File`], [`Error::UnusableFile`] when an authority cannot be read.
    pub fn config(&self, alpn: &[&str]) -> Result<Arc<ServerConfig>, Error> {
        let certificates = ByName::of(&self.identities).ok_or(Error::Misuse("a TLS server needs a certificate"))?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(inconsistent)?;
        let verifier = |authorities: &[PathBuf]| {
            let roots = Arc::new(read_roots(authorities)?);
            Ok::<_, Error>(WebPkiClientVerifier::builder_with_provider(roots, provider()))
        };
        let builder = match &self.client_certificates {
            ClientCertificates::Off => builder.with_no_client_auth(),
            ClientCertificates::Optional(authorities) => builder.with_client_cert_verifier(
                verifier(authorities)?.allow_unauthenticated().build().map_err(inconsistent)?,
            ),
            ClientCertificates::Required(authorities) => {
                builder.with_client_cert_verifier(verifier(authorities)?.build().map_err(inconsistent)?)
            }
        };
        let mut config = builder.with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = protocols(alpn);
        Ok(Arc::new(config))
    }
}

/// Certificates by the names they are for.
#[derive(Debug)]
struct ByName {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By what follows the star, without its dot.
    below: HashMap<String, Arc<CertifiedKey>>,
    default: Arc<CertifiedKey>,
}

impl ByName {
    fn of(identities: &[TlsIdentity]) -> Option<Self> {
        let default = Arc::clone(identities.first()?.certified());
        let mut by_name = Self { exact: HashMap::new(), below: HashMap::new(), default };
        for identity in identities {
            for name in identity.names() {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(domain) => (&mut by_name.below, domain),
                    None => (&mut by_name.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_insert_with(|| Arc::clone(identity.certified()));
            }
        }
        Some(by_name)
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let above = || name.split_once('.').and_then(|(_, domain)| self.below.get(domain));
        self.exact.get(&name).or_else(above)
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.find(name));
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}
