//! The listeners of a gateway that serves: begun, changed and ended as the configuration says.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use handstamp_keys::tls::{self, ServerSettings, TlsIdentity};
use http::{Request, Response};

use super::body::Body;
use super::server::{Connection, Handler, Limits, Reception};
use super::site::Site;
use super::sockets::Socket;
use crate::Error;
use crate::config::{ClientCertificates, Config, Federation, Issuer, ListenAddress, Listener, ListenerTls, SoapRoute};
use crate::service_manager::ServiceManager;
use crate::shutdown::Trigger;

/// A listener whose address is bound.
pub(super) struct Front {
    pub(super) name: String,
    pub(super) socket: Socket,
    pub(super) address: ListenAddress,
    pub(super) place: Place,
}

/// A listener, and what can change about it while it serves.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) name: String,
    /// As configured: with port 0, the system chose another.
    pub(super) address: ListenAddress,
    pub(super) reception: Arc<ArcSwap<Reception>>,
    pub(super) site: Arc<LiveSite>,
}

/// A listener that serves.
pub(super) struct Listening {
    pub(super) place: Place,
    pub(super) stop: Trigger,
}

impl Listening {
    /// Whether this is the listener that the configuration calls `name`: the socket counts, not the name.
    pub(super) fn is(&self, name: &str, settings: &Listener) -> bool {
        let same_name = self.place.name == name || !settings.address.is_any_port();
        self.place.address == settings.address && same_name
    }
}

impl Front {
    pub(super) async fn bind(
        name: &str,
        settings: &Listener,
        reception: Reception,
        site: Site,
        manager: &ServiceManager,
    ) -> Result<Self, Error> {
        let socket = Socket::listen(&settings.address, settings.socket_mode, manager).await?;
        let address = socket.address(&settings.address);
        let place = Place {
            name: name.to_owned(),
            address: settings.address.clone(),
            reception: Arc::new(ArcSwap::from_pointee(reception)),
            site: LiveSite::new(site),
        };
        Ok(Self { name: name.to_owned(), socket, address, place })
    }
}

/// The site of a listener, which may be exchanged between two requests.
pub(super) struct LiveSite(ArcSwap<Site>);

impl LiveSite {
    pub(super) fn new(site: Site) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(site)))
    }

    pub(super) fn exchange(&self, site: Site) {
        self.0.store(Arc::new(site));
    }
}

impl Handler for LiveSite {
    async fn handle(&self, request: &mut Request<Body>, connection: &Connection) -> Response<Body> {
        self.0.load_full().handle(request, connection).await
    }
}

impl Reception {
    /// Reads what TLS needs.
    pub(super) fn of(settings: &Listener) -> Result<Self, Error> {
        Ok(Self {
            limits: Limits::from(settings),
            tls: match &settings.tls {
                Some(tls) => {
                    Some(server_settings(tls)?.config(if tls.http2 { &["h2", "http/1.1"] } else { &["http/1.1"] })?)
                }
                None => None,
            },
            proxies: settings.proxy_protocol.then(|| settings.trusted_proxies.clone()),
        })
    }
}

fn server_settings(settings: &ListenerTls) -> Result<ServerSettings, Error> {
    let default = settings.default.as_ref();
    let mut identities = Vec::with_capacity(settings.certificate.len());
    // The first is the default.
    let (first, others): (Vec<_>, Vec<_>) =
        settings.certificate.iter().partition(|(name, _)| default.is_none_or(|default| default == *name));
    for (_, certificate) in first.into_iter().chain(others) {
        identities.push(TlsIdentity::read(&certificate.chain, &certificate.key)?);
    }
    let authorities = settings.client_authorities.clone();
    let client_certificates = match settings.client_certificates {
        ClientCertificates::Off => tls::ClientCertificates::Off,
        ClientCertificates::Optional => tls::ClientCertificates::Optional(authorities),
        ClientCertificates::Required => tls::ClientCertificates::Required(authorities),
    };
    Ok(ServerSettings { identities, client_certificates })
}

/// When each file of TLS was last written, to see when one changes.
pub(super) fn tls_file_times(config: &Config) -> Vec<Option<(SystemTime, u64)>> {
    let of_listener = |tls: &ListenerTls| {
        let certificates = tls.certificate.values().flat_map(|certificate| [&certificate.chain, &certificate.key]);
        certificates.chain(&tls.client_authorities).map(|path| file_time(path)).collect::<Vec<_>>()
    };
    config.listener.values().filter_map(|listener| listener.tls.as_ref()).flat_map(of_listener).collect()
}

fn file_time(path: &Path) -> Option<(SystemTime, u64)> {
    std::fs::metadata(path).and_then(|file| Ok((file.modified()?, file.len()))).ok()
}

/// When the files of SOAP routes, issuers and relying parties last changed: bindings, WSDLs, certificates, keys, passwords.
pub(super) fn route_file_times(config: &Config) -> Vec<Option<(SystemTime, u64)>> {
    let soap = config.soap.values().flat_map(SoapRoute::files);
    let issuers = config.issuer.values().flat_map(Issuer::files);
    let federations = config.federation.values().flat_map(Federation::files);
    soap.chain(issuers).chain(federations).map(file_time).collect()
}
