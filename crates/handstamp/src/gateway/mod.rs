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
pub(crate) mod server;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::Error;
use crate::admin::{Admin, Metrics, Readiness, RouteMetrics};
use crate::config::{self, Config, Network};
use crate::shutdown::{self, Shutdown};
use body::Body;
use origin::Origin;
use problem::{Form, Problem};
use proxy::Proxy;
use request_id::{RequestId, RequestIds};
use routes::{RouteTable, is_ambiguous};
use server::{Handler, Limits};

/// A gateway whose addresses are bound: connections wait in the system's queue until
/// [`serve`](Gateway::serve) accepts them.
pub struct Gateway {
    fronts: Vec<Front>,
    admin: Option<AdminFront>,
    metrics: Arc<Metrics>,
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
    /// Binds every listener of the configuration.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        let metrics = Arc::new(Metrics::default());
        let mut sites: Vec<Site> =
            config.listener.values().map(|listener| Site::new(&listener.trusted_proxies)).collect();
        for (name, route) in &config.web {
            let Some(proxy) = Proxy::of(route) else { continue };
            let target = Arc::new(Route { name: name.clone(), proxy, metrics: metrics.route(name) });
            for (listener, site) in config.listener.keys().zip(&mut sites) {
                if route.listeners.is_empty() || route.listeners.contains(listener) {
                    site.add(route, &target);
                }
            }
        }
        let mut fronts = Vec::with_capacity(sites.len());
        for ((name, settings), mut site) in config.listener.iter().zip(sites) {
            let (socket, address) = bind(settings.address).await?;
            site.metrics = Arc::clone(&metrics);
            fronts.push(Front {
                name: name.clone(),
                socket,
                address,
                limits: Limits::from(settings),
                site: Arc::new(site),
            });
        }
        let admin = match &config.admin {
            Some(admin) => {
                let (socket, address) = bind(admin.address).await?;
                Some(AdminFront { socket, address })
            }
            None => None,
        };
        Ok(Self { fronts, admin, metrics, drain: config.shutdown.drain })
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

    /// Serves until the end is asked for and running requests are done or out of time. The admin listener answers until then.
    pub async fn serve(self, shutdown: Shutdown) {
        let (done, admin_shutdown) = shutdown::channel();
        let admin = self.admin.map(|front| {
            tracing::info!(address = %front.address, "admin is listening");
            let readiness: Vec<Box<dyn Readiness>> = vec![Box::new(Ending(shutdown.clone()))];
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

/// Everything one listener serves.
struct Site {
    trusted_proxies: Vec<Network>,
    routes: RouteTable<Route>,
    ids: RequestIds,
    metrics: Arc<Metrics>,
}

struct Route {
    name: String,
    proxy: Proxy,
    metrics: Arc<RouteMetrics>,
}

impl Site {
    fn new(trusted_proxies: &[Network]) -> Self {
        Self {
            trusted_proxies: trusted_proxies.to_vec(),
            routes: RouteTable::default(),
            ids: RequestIds::new(),
            metrics: Arc::default(),
        }
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
        form: Form,
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
        Ok(route.answer(Request::from_parts(parts, body), &origin, form, id, &self.metrics).await)
    }
}

impl Route {
    async fn answer(
        &self,
        request: Request<Incoming>,
        origin: &Origin,
        form: Form,
        id: RequestId,
        metrics: &Metrics,
    ) -> Response<Body> {
        let began = Instant::now();
        let in_flight = self.metrics.in_flight().enter();
        let response = match self.proxy.admit(request) {
            Ok(request) => self.proxy.forward(request, origin, id).await,
            Err(problem) => Err(problem),
        };
        drop(in_flight);
        let response = response.unwrap_or_else(|problem| refuse(&problem, form, id, origin.client, metrics));
        self.metrics.answered(response.status(), began.elapsed());
        response
    }
}

impl Handler for Site {
    async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let id = self.ids.next();
        let form = Form::preferred(request.headers());
        self.answer(request, peer, form, id)
            .await
            .unwrap_or_else(|problem| refuse(&problem, form, id, peer.ip(), &self.metrics))
    }
}

fn refuse(problem: &Problem, form: Form, id: RequestId, client: IpAddr, metrics: &Metrics) -> Response<Body> {
    let status = problem.status().as_u16();
    tracing::info!(request = %id, %client, code = problem.code(), status, "refused");
    metrics.reject(problem.code());
    problem.respond(form, id)
}
