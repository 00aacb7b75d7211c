//! The gateway: listeners in front, applications behind, sign-in between.
//!
//! A request passes these stations, in this order:
//!
//! 1. [`server`] accepts the connection and reads the head, within limits of size and time;
//! 2. [`origin`] finds out who asks, and for which host;
//! 3. [`routes`] names the application, or the relying party whose own path it is;
//! 4. [`access`] knows the session and decides, [`federation`] signs in and out;
//! 5. [`proxy`] passes the request on, [`forwarding`] the headers, [`body`] the body, frame by frame.
//!
//! Whatever goes wrong on the way becomes a [`problem::Problem`]: an answer with a stable code.

mod access;
mod application_headers;
pub mod body;
mod claim_headers;
pub(crate) mod examination;
mod federation;
mod forward_auth;
mod forwarding;
mod foundation;
pub mod origin;
pub mod problem;
mod proxy;
pub mod request_id;
mod routes;
pub(crate) mod server;
mod session_header;
mod site;
mod timed_cache;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use tokio::net::TcpListener;

use crate::Error;
use crate::admin::{Admin, Metrics, Readiness};
use crate::application_token::ApplicationTokens;
use crate::config::Config;
use crate::shutdown::{self, Shutdown};
use body::Body;
use foundation::Foundation;
use handstamp_keys::KeyRing;
use handstamp_time::{Clock, SystemClock};
use origin::Origin;
use problem::{Form, Problem};
use request_id::RequestId;
use server::Limits;
use site::{Site, SiteBuilder};

/// A gateway whose addresses are bound: connections wait in the system's queue until
/// [`serve`](Gateway::serve) accepts them.
pub struct Gateway {
    fronts: Vec<Front>,
    admin: Option<AdminFront>,
    metrics: Arc<Metrics>,
    foundation: Option<Foundation>,
    drain: Duration,
}

struct Front {
    name: String,
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    site: Arc<Site>,
}

struct AdminFront {
    socket: TcpListener,
    address: SocketAddr,
}

impl Gateway {
    /// Opens keys and stores, sets every relying party up, and binds every listener of the configuration.
    ///
    /// # Errors
    /// A file that cannot be used, settings that fit nothing, an address that cannot be listened on.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let foundation = match config.federation.is_empty() && config.sts.is_none() {
            true => None,
            false => Some(Foundation::open(config, &metrics).await?),
        };
        // Before the relying parties: the first start makes the certificate that they may trust.
        let sts = match (&config.sts, &foundation) {
            (Some(settings), Some(foundation)) => Some(foundation.token_service(settings)?),
            _ => None,
        };
        let tokens = match &config.jwt {
            Some(settings) => Some(Arc::new(ApplicationTokens::open(settings, SystemClock.now())?)),
            None => None,
        };
        let sites = SiteBuilder { config, metrics: &metrics, foundation: foundation.as_ref(), sts, tokens }.build()?;
        let mut fronts = Vec::with_capacity(sites.len());
        for ((name, settings), site) in config.listener.iter().zip(sites) {
            let (socket, address) = bind(settings.address).await?;
            let (name, limits) = (name.clone(), Limits::from(settings));
            fronts.push(Front { name, socket, address, limits, site: Arc::new(site) });
        }
        let admin = match &config.admin {
            Some(admin) => {
                let (socket, address) = bind(admin.address).await?;
                Some(AdminFront { socket, address })
            }
            None => None,
        };
        Ok(Self { fronts, admin, metrics, foundation, drain: config.shutdown.drain })
    }

    /// The address a listener is bound to, by its name.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.fronts.iter().find(|front| front.name == listener).map(|front| front.address)
    }

    /// The address of the admin listener.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().map(|admin| admin.address)
    }

    /// What is counted while it serves.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The key ring that it seals sessions with and looks after; none when nobody signs in.
    pub fn keys(&self) -> Option<&Arc<KeyRing>> {
        self.foundation.as_ref().map(Foundation::keys)
    }

    /// Serves until the end is asked for and running requests are done or out of time. The admin listener answers until then.
    pub async fn serve(self, shutdown: Shutdown) {
        let (done, admin_shutdown) = shutdown::channel();
        let admin = self.admin.map(|front| {
            tracing::info!(address = %front.address, "admin is listening");
            let mut readiness: Vec<Box<dyn Readiness>> = vec![Box::new(Ending(shutdown.clone()))];
            if let Some(foundation) = &self.foundation {
                readiness.push(foundation.readiness());
            }
            let handler = Arc::new(Admin { metrics: Arc::clone(&self.metrics), readiness });
            let open = self.metrics.connections("admin");
            tokio::spawn(server::serve(
                front.socket,
                Limits::admin(),
                handler,
                open,
                Duration::from_secs(1),
                admin_shutdown,
            ))
        });
        // Ends with the last request, because it is dropped with this function's other tasks.
        let mut upkeep = tokio::task::JoinSet::new();
        if let Some(foundation) = self.foundation {
            upkeep.spawn(foundation.look_after());
        }
        let mut serving = tokio::task::JoinSet::new();
        for front in self.fronts {
            tracing::info!(listener = front.name, address = %front.address, "listening");
            let open = self.metrics.connections(&front.name);
            serving.spawn(server::serve(front.socket, front.limits, front.site, open, self.drain, shutdown.clone()));
        }
        serving.join_all().await;
        done.pull();
        if let Some(admin) = admin
            && let Err(error) = admin.await
        {
            tracing::error!(%error, "the admin listener failed");
        }
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listen = |source| Error::Listen { address, source };
    let socket = TcpListener::bind(address).await.map_err(listen)?;
    let address = socket.local_addr().map_err(listen)?;
    Ok((socket, address))
}

/// Nothing should be sent to a gateway that ends.
struct Ending(Shutdown);

impl Readiness for Ending {
    fn obstacle(&self) -> Option<String> {
        self.0.is_asked().then(|| "the gateway is ending".to_owned())
    }
}

/// One request on its way, and what it is answered with.
#[derive(Clone, Copy)]
struct Visit<'v> {
    origin: &'v Origin,
    form: Form,
    id: RequestId,
    metrics: &'v Metrics,
}

impl Visit<'_> {
    /// Answers that the request goes no further.
    fn refuse(&self, problem: &Problem) -> Response<Body> {
        refuse(problem, self.form, self.id, self.origin.client, self.metrics)
    }
}

fn refuse(problem: &Problem, form: Form, id: RequestId, client: IpAddr, metrics: &Metrics) -> Response<Body> {
    let status = problem.status().as_u16();
    tracing::info!(request = %id, %client, code = problem.code(), status, "refused");
    metrics.reject(problem.code());
    problem.respond(form, id)
}
