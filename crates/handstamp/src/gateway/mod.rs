//! The gateway: listeners in front, applications behind, sign-in between.
//!
//! A request passes these stations, in this order:
//!
//! 1. [`server`] accepts the connection and reads the head, within limits of size and time;
//! 2. [`origin`] finds out who asks, and for which host;
//! 3. [`routes`] names the application, or the relying party whose own path it is;
//! 4. [`access`] knows the session and decides, [`federation`] signs in and out;
//! 5. [`proxy`] passes the request on by [`upstream`], [`forwarding`] the headers, [`body`] the body, frame by frame.
//!
//! [`soap`] stands in place of the last two for SOAP services: it takes security off messages, or puts it on.
//!
//! Whatever goes wrong on the way becomes a [`problem::Problem`]: an answer with a stable code.

mod access;
mod admin_page;
mod application_headers;
pub mod body;
mod claim_headers;
pub(crate) mod examination;
mod federation;
mod forward_auth;
pub mod forwarded;
mod forwarding;
mod foundation;
mod lasting;
mod listening;
mod logout_channel;
mod measured_store;
mod metadata;
pub mod origin;
mod own_cookies;
mod path_reading;
pub mod problem;
mod proxy;
pub mod proxy_protocol;
mod rate_limit;
mod recipient;
mod reload;
pub mod request_id;
mod routes;
pub(crate) mod server;
mod session_header;
mod session_info;
mod session_life;
mod sign_in_link;
mod site;
pub(crate) mod soap;
mod sockets;
mod telemetry;
pub(crate) mod upstream;
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Response;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::Error;
use crate::admin::{Admin, History, Metrics, Readiness};
use crate::application_token::ApplicationTokens;
use crate::config::{Config, ListenAddress, Pages, SoapMode, SocketMode};
use crate::service_manager::{ServiceManager, State};
use crate::shutdown::{self, Shutdown};
use body::Body;
use foundation::Foundation;
use handstamp_keys::KeyRing;
use handstamp_time::{Clock, SystemClock};
use handstamp_web_session::{RequestHead, Session};
use lasting::Lasting;
use listening::{Front, Listening, LiveSite};
use origin::Origin;
use problem::{Form, Problem};
use reload::Order;
pub use reload::Reloader;
use request_id::RequestId;
use server::{Limits, Reception, Server};
use site::{SiteBuilder, Sites};
use sockets::Socket;
use telemetry::{Exporter, RequestTrace, Telemetry};

/// A gateway whose addresses are bound: connections wait in the system's queue until
/// [`serve`](Gateway::serve) accepts them.
pub struct Gateway {
    config: Config,
    fronts: Vec<Front>,
    admin: Option<AdminFront>,
    metrics: Arc<Metrics>,
    foundation: Option<Arc<Foundation>>,
    lasting: Lasting,
    reloader: Reloader,
    orders: mpsc::Receiver<Order>,
    telemetry: Option<(Arc<Telemetry>, Exporter)>,
    manager: ServiceManager,
}

/// Who may connect to a Unix domain socket of the admin listener: its owner and its group.
const ADMIN_SOCKET_MODE: SocketMode = SocketMode(0o660);

struct AdminFront {
    socket: Socket,
    address: ListenAddress,
    page: Option<Arc<LiveSite>>,
}

impl Gateway {
    /// Opens keys and stores, sets every relying party up, and binds every listener of the configuration.
    ///
    /// # Errors
    /// A file that cannot be used, settings that fit nothing, an address that cannot be listened on.
    pub async fn bind(config: &Config) -> Result<Self, Error> {
        Self::bind_under(config, ServiceManager::none()).await
    }

    /// The same under a service manager: with the sockets that it has, and telling it what it wants to know.
    ///
    /// # Errors
    /// As [`bind`](Self::bind); a socket that no listener is for.
    pub async fn bind_under(config: &Config, manager: ServiceManager) -> Result<Self, Error> {
        let admin = config.admin.iter().map(|admin| &admin.address);
        manager.check_used(config.listener.values().map(|listener| &listener.address).chain(admin))?;
        warn_about(config);
        let metrics = Arc::new(Metrics::default());
        let foundation = open_foundation(config, &metrics).await?;
        let telemetry = config.telemetry.as_ref().map(|settings| Telemetry::open(settings, &metrics)).transpose()?;
        let tracing = telemetry.as_ref().map(|(telemetry, _)| telemetry);
        let sites = build_sites(config, foundation.as_deref(), &Lasting::default(), &metrics, tracing)?;
        let mut fronts = Vec::with_capacity(sites.listeners.len());
        for ((name, settings), site) in config.listener.iter().zip(sites.listeners) {
            fronts.push(Front::bind(name, settings, Reception::of(settings)?, site, &manager).await?);
        }
        let admin = match &config.admin {
            Some(admin) => {
                let socket = Socket::listen(&admin.address, ADMIN_SOCKET_MODE, &manager).await?;
                let address = socket.address(&admin.address);
                Some(AdminFront { socket, address, page: sites.admin.map(LiveSite::new) })
            }
            None => None,
        };
        let (reloader, orders) = Reloader::channel();
        Ok(Self {
            config: config.clone(),
            fronts,
            admin,
            metrics,
            foundation,
            lasting: sites.lasting,
            reloader,
            orders,
            telemetry,
            manager,
        })
    }

    /// Says which file the configuration is from, so that it can be read again.
    #[must_use]
    pub fn from_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.reloader = self.reloader.from_file(file);
        self
    }

    /// Exchanges the configuration while the gateway serves.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// The address a listener is bound to, by its name; none for a Unix domain socket.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        self.fronts.iter().find(|front| front.name == listener).and_then(|front| front.address.tcp())
    }

    /// The address of the admin listener; none for a Unix domain socket.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref().and_then(|admin| admin.address.tcp())
    }

    /// What is counted while it serves.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The key ring that it seals sessions with and looks after; none when nobody signs in.
    pub fn keys(&self) -> Option<&Arc<KeyRing>> {
        self.foundation.as_deref().map(Foundation::keys)
    }

    /// Serves until the end is asked for and running requests are done or out of time. The admin listener answers until then.
    pub async fn serve(self, mut shutdown: Shutdown) {
        let (done, admin_shutdown) = shutdown::channel();
        let Self { config, fronts, admin, metrics, foundation, lasting, reloader, mut orders, telemetry, manager } =
            self;
        let admin_page = admin.as_ref().and_then(|front| front.page.clone());
        let admin = admin.map(|front| {
            tracing::info!(address = %front.address, "admin is listening");
            let mut readiness: Vec<Box<dyn Readiness>> = vec![Box::new(Ending(shutdown.clone()))];
            if let Some(foundation) = &foundation {
                readiness.push(foundation.readiness());
                readiness.extend(foundation.audit().readiness());
            }
            let reception = Reception { limits: Limits::admin(), tls: None, proxies: None };
            let server = Server {
                socket: front.socket,
                reception: Arc::new(ArcSwap::from_pointee(reception)),
                handler: Arc::new(Admin { metrics: Arc::clone(&metrics), readiness, reloader, page: front.page }),
                open: metrics.connections("admin"),
                metrics: Arc::clone(&metrics),
                drain: Duration::from_secs(1),
            };
            tokio::spawn(server.serve(admin_shutdown))
        });
        let (telemetry, exporting) = match telemetry {
            Some((telemetry, exporter)) => (Some(telemetry), Some(tokio::spawn(exporter.run()))),
            None => (None, None),
        };
        let mut running = Running {
            config,
            metrics,
            foundation: None,
            lasting,
            telemetry,
            listening: Vec::new(),
            admin_page,
            serving: JoinSet::new(),
            upkeep: JoinSet::new(),
            manager,
        };
        running.upkeep.spawn(keep_history(Arc::clone(&running.metrics)));
        if let Some(foundation) = foundation {
            running.look_after(foundation);
        }
        for front in fronts {
            running.start(front);
        }
        let mut file_times = listening::tls_file_times(&running.config);
        let mut route_file_times = listening::route_file_times(&running.config);
        let mut look_at_files = tokio::time::interval(LOOK_AT_FILES);
        let mut alive = running.manager.watchdog().map(|longest| tokio::time::interval(longest / 2));
        running.manager.tell(State::Ready);
        loop {
            tokio::select! {
                () = shutdown.asked() => break,
                Some(order) = orders.recv() => {
                    running.manager.tell(State::Reloading);
                    let result = running.take_over(*order.config).await;
                    running.manager.tell(State::Ready);
                    running.report(&result);
                    let _ = order.done.send(result);
                    file_times = listening::tls_file_times(&running.config);
                    route_file_times = listening::route_file_times(&running.config);
                }
                _ = look_at_files.tick() => {
                    let now = listening::tls_file_times(&running.config);
                    if now != file_times {
                        file_times = now;
                        running.read_certificates_again();
                    }
                    let now = listening::route_file_times(&running.config);
                    if now != route_file_times {
                        route_file_times = now;
                        tracing::info!("files of routes, issuers or relying parties changed: they are read again");
                        let result = running.take_over(running.config.clone()).await;
                        running.report(&result);
                    }
                }
                _ = running.serving.join_next(), if !running.serving.is_empty() => {}
                () = tick(&mut alive) => running.manager.tell(State::Alive),
            }
        }
        running.manager.tell(State::Stopping);
        let kept = running.foundation.clone();
        running.end().await;
        if let Some(foundation) = &kept {
            foundation.logout_tokens().arrive().await;
        }
        if let Some(exporting) = exporting {
            // The last spans, if the collector is quick.
            let _ = tokio::time::timeout(LAST_SPANS, exporting).await;
        }
        if let Some(foundation) = kept {
            // It waits for a disk, and nothing else is left to do.
            foundation.audit().flush();
        }
        done.pull();
        if let Some(admin) = admin
            && let Err(error) = admin.await
        {
            tracing::error!(%error, "the admin listener failed");
        }
    }
}

fn warn_about(config: &Config) {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
}

/// Waits for the next tick; for ever where there are none.
async fn tick(ticks: &mut Option<tokio::time::Interval>) {
    match ticks {
        Some(ticks) => drop(ticks.tick().await),
        None => std::future::pending().await,
    }
}

/// Takes a sample of what is counted every now and then, for ever.
async fn keep_history(metrics: Arc<Metrics>) {
    let mut ticks = tokio::time::interval(History::INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        ticks.tick().await;
        metrics.sample(SystemClock.now());
    }
}

/// How often it is looked whether certificates changed.
const LOOK_AT_FILES: Duration = Duration::from_secs(10);

/// How long the collector of traces may take in the end.
const LAST_SPANS: Duration = Duration::from_secs(2);

async fn open_foundation(config: &Config, metrics: &Metrics) -> Result<Option<Arc<Foundation>>, Error> {
    let seals_sessions = config.soap.values().any(|route| route.mode == SoapMode::Terminate);
    match config.federation.is_empty() && config.sts.is_none() && !seals_sessions {
        true => Ok(None),
        false => Ok(Some(Arc::new(Foundation::open(config, metrics).await?))),
    }
}

/// All sites. What lasts is that of `before` where nothing changed for it.
fn build_sites(
    config: &Config,
    foundation: Option<&Foundation>,
    before: &Lasting,
    metrics: &Arc<Metrics>,
    telemetry: Option<&Arc<Telemetry>>,
) -> Result<Sites, Error> {
    // Before the relying parties: the first start makes the certificate that they may trust.
    let sts = match (&config.sts, foundation) {
        (Some(settings), Some(foundation)) => Some(foundation.token_service(settings, metrics)?),
        _ => None,
    };
    let tokens = match &config.jwt {
        Some(settings) => Some(Arc::new(ApplicationTokens::open(settings, SystemClock.now())?)),
        None => None,
    };
    SiteBuilder { config, metrics, foundation, sts, tokens, telemetry }.build(before)
}

/// A gateway that serves.
struct Running {
    config: Config,
    metrics: Arc<Metrics>,
    foundation: Option<Arc<Foundation>>,
    lasting: Lasting,
    telemetry: Option<Arc<Telemetry>>,
    listening: Vec<Listening>,
    admin_page: Option<Arc<LiveSite>>,
    serving: JoinSet<()>,
    /// Ends with the last request, because it is dropped with this.
    upkeep: JoinSet<()>,
    manager: ServiceManager,
}

impl Running {
    fn look_after(&mut self, foundation: Arc<Foundation>) {
        self.upkeep.spawn(Arc::clone(&foundation).look_after());
        self.foundation = Some(foundation);
    }

    fn start(&mut self, front: Front) {
        tracing::info!(listener = front.name, address = %front.address, "listening");
        let (stop, stopped) = shutdown::channel();
        let server = Server {
            socket: front.socket,
            reception: Arc::clone(&front.place.reception),
            handler: Arc::clone(&front.place.site),
            open: self.metrics.connections(&front.name),
            metrics: Arc::clone(&self.metrics),
            drain: self.config.shutdown.drain,
        };
        self.serving.spawn(server.serve(stopped));
        self.listening.push(Listening { place: front.place, stop });
    }

    /// Takes a configuration over. Until everything that can go wrong has gone well, nothing changes.
    async fn take_over(&mut self, config: Config) -> Result<(), Error> {
        reload::check_unchanged(&self.config, &config)?;
        let opened = match &self.foundation {
            Some(_) => None,
            None => open_foundation(&config, &self.metrics).await?,
        };
        let foundation = self.foundation.as_deref().or(opened.as_deref());
        let sites = build_sites(&config, foundation, &self.lasting, &self.metrics, self.telemetry.as_ref())?;
        let mut kept = Vec::new();
        let mut new = Vec::new();
        for ((name, settings), site) in config.listener.iter().zip(sites.listeners) {
            let reception = Reception::of(settings)?;
            match self.listening.iter().position(|listening| listening.is(name, settings)) {
                Some(at) => kept.push((at, reception, site)),
                None => new.push(Front::bind(name, settings, reception, site, &self.manager).await?),
            }
        }

        warn_about(&config);
        let mut old: Vec<Option<Listening>> = std::mem::take(&mut self.listening).into_iter().map(Some).collect();
        for (at, reception, site) in kept {
            let Some(listening) = old.get_mut(at).and_then(Option::take) else { continue };
            listening.place.reception.store(Arc::new(reception));
            listening.place.site.exchange(site);
            self.listening.push(listening);
        }
        for gone in old.into_iter().flatten() {
            tracing::info!(listener = gone.place.name, "the listener ends: running requests may finish");
            gone.stop.pull();
        }
        if let (Some(page), Some(site)) = (&self.admin_page, sites.admin) {
            page.exchange(site);
        }
        self.config = config;
        self.lasting = sites.lasting;
        if let Some(foundation) = opened {
            self.look_after(foundation);
        }
        new.into_iter().for_each(|front| self.start(front));
        Ok(())
    }

    fn report(&self, result: &Result<(), Error>) {
        match result {
            Ok(()) => {
                self.metrics.reloads.add();
                tracing::info!("the configuration was taken over");
            }
            Err(error) => {
                self.metrics.failed_reloads.add();
                tracing::error!(code = error.code(), %error, "the configuration was not taken over; nothing changed");
            }
        }
    }

    fn read_certificates_again(&self) {
        let settings = self.config.listener.iter();
        let receptions = settings.map(|(name, settings)| Ok((name, settings, Reception::of(settings)?)));
        match receptions.collect::<Result<Vec<_>, Error>>() {
            Ok(receptions) => {
                for (name, settings, reception) in receptions {
                    if let Some(listening) = self.listening.iter().find(|listening| listening.is(name, settings)) {
                        listening.place.reception.store(Arc::new(reception));
                    }
                }
                tracing::info!("certificates changed and were read again");
            }
            Err(error) => {
                tracing::error!(code = error.code(), %error, "certificates changed and cannot be used; the old ones stay");
            }
        }
    }

    async fn end(self) {
        for listening in &self.listening {
            listening.stop.pull();
        }
        self.serving.join_all().await;
    }
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
    /// None when nobody collects traces.
    trace: Option<&'v RequestTrace>,
    metrics: &'v Metrics,
    pages: &'v Pages,
}

impl Visit<'_> {
    /// What the session module sees of the request.
    fn head<'r>(&self, request: impl Into<RequestHead<'r>>) -> RequestHead<'r> {
        RequestHead { transport: Some(self.origin.transport()), ..request.into() }
    }

    /// The answer to a request whose session is known. Cookies that came of the session are in it, whatever it is.
    fn conclude(&self, answer: Result<Response<Body>, Problem>, session: &Session) -> Response<Body> {
        let mut response = answer.unwrap_or_else(|problem| self.refuse(&problem));
        session.write_cookies(response.headers_mut());
        response
    }

    /// Answers that the request goes no further.
    fn refuse(&self, problem: &Problem) -> Response<Body> {
        refuse(problem, (self.form, self.id), self.origin.client, (self.metrics, self.pages))
    }
}

fn refuse(
    problem: &Problem,
    (form, id): (Form, RequestId),
    client: IpAddr,
    (metrics, pages): (&Metrics, &Pages),
) -> Response<Body> {
    let status = problem.status().as_u16();
    tracing::info!(request = %id, %client, code = problem.code(), status, "refused");
    metrics.reject_request(problem.code(), client, id);
    problem.respond(form, id, pages)
}
