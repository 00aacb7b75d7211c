//! The gateway: listeners in front, applications behind, sign-in between.
//!
//! A request passes these stations, in this order:
//!
//! 1. [`server`] accepts the connection and reads the head, within limits of size and time;
//! 2. [`origin`] finds out who asks, and for which host;
//! 3. [`routes`] names the application;
//! 4. [`proxy`] passes the request on, [`forwarding`] the headers, [`body`] the body, frame by frame.
//!
//! Whatever goes wrong on the way becomes a [`problem::Problem`]: an answer with a stable code.

pub mod body;
mod forwarding;
pub mod origin;
pub mod problem;
mod proxy;
pub mod request_id;
mod routes;
mod server;
mod upstream;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::Error;
use crate::config::{self, Config, Network};
use crate::shutdown::Shutdown;
use body::Body;
use origin::Origin;
use problem::{Form, Problem};
use proxy::Proxy;
use request_id::{RequestId, RequestIds};
use routes::{RouteTable, is_ambiguous};

/// A gateway whose addresses are bound: connections wait in the system's queue until
/// [`serve`](Gateway::serve) accepts them.
pub struct Gateway {
    fronts: Vec<Front>,
    drain: Duration,
}

struct Front {
    name: String,
    socket: TcpListener,
    address: SocketAddr,
    settings: config::Listener,
    site: Arc<Site>,
}

impl Gateway {
    /// Binds every listener of the configuration.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let mut sites: Vec<Site> =
            config.listener.values().map(|listener| Site::new(&listener.trusted_proxies)).collect();
        for (name, route) in &config.web {
            let Some(proxy) = Proxy::of(route) else { continue };
            let target = Arc::new(Route { name: name.clone(), proxy });
            for (listener, site) in config.listener.keys().zip(&mut sites) {
                if route.listeners.is_empty() || route.listeners.contains(listener) {
                    site.add(route, &target);
                }
            }
        }
        let mut fronts = Vec::with_capacity(sites.len());
        for ((name, settings), site) in config.listener.iter().zip(sites) {
            let listen = |source| Error::Listen { address: settings.address, source };
            let socket = TcpListener::bind(settings.address).await.map_err(listen)?;
            let address = socket.local_addr().map_err(listen)?;
            fronts.push(Front {
                name: name.clone(),
                socket,
                address,
                settings: settings.clone(),
                site: Arc::new(site),
            });
        }
        Ok(Self { fronts, drain: config.shutdown.drain })
    }

    /// The address a listener is bound to, by its name.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.fronts.iter().find(|front| front.name == listener).map(|front| front.address)
    }

    /// Serves until the end is asked for and running requests are done or out of time.
    pub async fn serve(self, shutdown: Shutdown) {
        let mut serving = tokio::task::JoinSet::new();
        for front in self.fronts {
            tracing::info!(listener = front.name, address = %front.address, "listening");
            let (drain, shutdown) = (self.drain, shutdown.clone());
            serving.spawn(async move {
                server::serve(front.socket, &front.settings, front.site, drain, shutdown).await;
            });
        }
        serving.join_all().await;
    }
}

/// Everything one listener serves.
struct Site {
    trusted_proxies: Vec<Network>,
    routes: RouteTable<Route>,
    ids: RequestIds,
}

struct Route {
    name: String,
    proxy: Proxy,
}

impl Site {
    fn new(trusted_proxies: &[Network]) -> Self {
        Self { trusted_proxies: trusted_proxies.to_vec(), routes: RouteTable::default(), ids: RequestIds::new() }
    }

    fn add(&mut self, route: &config::WebRoute, target: &Arc<Route>) {
        if route.hosts.is_empty() {
            self.routes.add(None, route.path.clone(), Arc::clone(target));
        }
        for host in &route.hosts {
            self.routes.add(Some(host), route.path.clone(), Arc::clone(target));
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        peer: SocketAddr,
        id: RequestId,
    ) -> Result<Response<Body>, Problem> {
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Problem::method_not_allowed());
        }
        let (parts, body) = request.into_parts();
        let origin = Origin::of(&parts, peer, false, &self.trusted_proxies)?;
        let path = parts.uri.path();
        if !path.starts_with('/') || is_ambiguous(path) {
            return Err(Problem::bad_target());
        }
        let route = self.routes.find(origin.host_name(), path).ok_or_else(Problem::no_route)?;
        tracing::debug!(request = %id, route = route.name, client = %origin.client, method = %parts.method, path);
        let request = route.proxy.admit(Request::from_parts(parts, body))?;
        route.proxy.forward(request, &origin, id).await
    }
}

impl server::Handler for Site {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let id = self.ids.next();
        let form = Form::preferred(request.headers());
        self.answer(request, peer, id).await.unwrap_or_else(|problem| {
            let status = problem.status().as_u16();
            tracing::info!(request = %id, %peer, code = problem.code(), status, "refused");
            problem.respond(form, id)
        })
    }
}
