//! Which of several servers gets a request, and which get none for now.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::connections::Connections;
use crate::admin::UpstreamMetrics;
use crate::config::{Balance, BalanceStrategy};

/// The servers of an application.
#[derive(Debug)]
pub(super) struct Servers {
    servers: Vec<Arc<Server>>,
    strategy: BalanceStrategy,
    max_requests: usize,
    eject_after: u32,
    eject_for: Duration,
    /// Where to begin among equals.
    turn: AtomicUsize,
    /// Scatters addresses over servers, differently in each process.
    scatter: RandomState,
    began: Instant,
}

/// One server and how it does.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) connections: Arc<Connections>,
    /// Host and port, as the application names itself.
    pub(super) host: http::HeaderValue,
    pub(super) metrics: Arc<UpstreamMetrics>,
    pub(super) weight: usize,
    pub(super) requests: AtomicUsize,
    /// Health checks found it unwell.
    pub(super) unwell: AtomicBool,
    /// In a row.
    pub(super) failures: AtomicU32,
    /// Milliseconds since `Servers::began`.
    pub(super) ejected_until: AtomicU64,
    /// In a row, each longer than the one before.
    pub(super) ejections: AtomicU32,
}

/// Why no server takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoServer {
    /// All are unwell.
    AllUnwell,
    /// Those that are well have as much as they may have.
    AllFull,
}

/// A request under way at a server, until this is dropped.
#[derive(Debug)]
pub(crate) struct Slot(Arc<Server>);

impl Servers {
    pub(super) fn new(servers: Vec<Server>, settings: &Balance) -> Self {
        Self {
            servers: servers.into_iter().map(Arc::new).collect(),
            strategy: settings.strategy,
            max_requests: settings.max_requests as usize,
            eject_after: settings.eject_after,
            eject_for: settings.eject_for,
            turn: AtomicUsize::new(0),
            scatter: RandomState::new(),
            began: Instant::now(),
        }
    }

    pub(super) fn all(&self) -> &[Arc<Server>] {
        &self.servers
    }

    /// The server for a request of `client`, none of those in `tried` if it can be.
    pub(super) fn choose(&self, client: IpAddr, tried: Tried) -> Result<Slot, NoServer> {
        if let [only] = self.servers.as_slice() {
            return if only.unwell.load(Ordering::Relaxed) {
                Err(NoServer::AllUnwell)
            } else {
                self.enter(only).ok_or(NoServer::AllFull)
            };
        }
        let now = self.milliseconds();
        let well = |server: &Server| !server.unwell.load(Ordering::Relaxed);
        let trusted = |server: &Server| well(server) && server.ejected_until.load(Ordering::Relaxed) <= now;
        // Rather one that failed lately than none; rather a second time the same than none.
        let among = |tried: Tried| {
            self.pick(client, |index, server| trusted(server) && !tried.contains(index))
                .or_else(|| self.pick(client, |index, server| well(server) && !tried.contains(index)))
        };
        if let Some(slot) = among(tried).or_else(|| among(Tried::default())) {
            return Ok(slot);
        }
        let any_well = self.servers.iter().any(|server| well(server));
        Err(if any_well { NoServer::AllFull } else { NoServer::AllUnwell })
    }

    fn pick(&self, client: IpAddr, may: impl Fn(usize, &Server) -> bool) -> Option<Slot> {
        let count = self.servers.len();
        let first = match self.strategy {
            BalanceStrategy::LeastRequests => self.turn.fetch_add(1, Ordering::Relaxed),
            BalanceStrategy::ClientAddress => 0,
        };
        let candidates = (0..count).map(|step| first.wrapping_add(step) % count);
        let mut candidates: Vec<(usize, &Arc<Server>)> = candidates
            .filter_map(|index| self.servers.get(index).map(|server| (index, server)))
            .filter(|(index, server)| may(*index, server))
            .collect();
        match self.strategy {
            // a / b < c / d without fractions; the sort keeps equals in their order.
            BalanceStrategy::LeastRequests => candidates.sort_by(|(_, one), (_, other)| {
                let load = |server: &Server| server.requests.load(Ordering::Relaxed) + 1;
                (load(one) * other.weight).cmp(&(load(other) * one.weight))
            }),
            // Rendezvous hashing: when a server goes, only its own clients move.
            BalanceStrategy::ClientAddress => {
                candidates.sort_by_cached_key(|(index, server)| std::cmp::Reverse(self.score(client, *index, server)));
            }
        }
        candidates.into_iter().find_map(|(_, server)| self.enter(server))
    }

    /// How much a server is a client's own: the greatest of as many draws as the server has weight.
    fn score(&self, client: IpAddr, index: usize, server: &Server) -> u64 {
        (0..server.weight).map(|draw| self.scatter.hash_one((client, index, draw))).max().unwrap_or(0)
    }

    fn enter(&self, server: &Arc<Server>) -> Option<Slot> {
        let before = server.requests.fetch_add(1, Ordering::Relaxed);
        let slot = Slot(Arc::clone(server));
        (before < self.max_requests).then_some(slot)
    }

    /// The server answered.
    pub(super) fn succeeded(&self, server: &Server) {
        if server.failures.load(Ordering::Relaxed) != 0 {
            server.failures.store(0, Ordering::Relaxed);
            server.ejections.store(0, Ordering::Relaxed);
        }
    }

    /// The server did not answer, or not in time, or not with HTTP.
    pub(super) fn failed(&self, server: &Server) {
        server.metrics.failures.add();
        let failures = server.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if self.servers.len() > 1 && failures.is_multiple_of(self.eject_after) {
            let times = server.ejections.fetch_add(1, Ordering::Relaxed).saturating_add(1).min(10);
            let until = self.milliseconds().saturating_add(millis(self.eject_for.saturating_mul(times)));
            server.ejected_until.store(until, Ordering::Relaxed);
            tracing::warn!(server = ?server.host, failures, "the server gets no requests for a while");
        }
    }

    fn milliseconds(&self) -> u64 {
        millis(self.began.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Slot {
    pub(super) fn server(&self) -> &Arc<Server> {
        &self.0
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The servers that a request was sent to before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried(u64);

impl Tried {
    /// The configuration knows no more than 64 servers.
    pub(super) fn add(&mut self, servers: &Servers, server: &Arc<Server>) {
        if let Some(index) = servers.servers.iter().position(|known| Arc::ptr_eq(known, server)) {
            self.0 |= 1_u64.checked_shl(index as u32).unwrap_or(0);
        }
    }

    fn contains(self, index: usize) -> bool {
        self.0 & 1_u64.checked_shl(index as u32).unwrap_or(0) != 0
    }
}

/// Retries that a share of the requests earns, so that a failing application is not asked ever more.
#[derive(Debug)]
pub(super) struct RetryBudget {
    /// In hundredths of a retry.
    left: AtomicU32,
    earned: u32,
}

impl RetryBudget {
    /// `percent` of a retry for each request.
    pub(super) fn new(percent: u32) -> Self {
        Self { left: AtomicU32::new(Self::MOST), earned: percent }
    }

    /// A request came.
    pub(super) fn earn(&self) {
        let left = self.left.load(Ordering::Relaxed);
        if left < Self::MOST && self.earned > 0 {
            self.left.fetch_add(self.earned, Ordering::Relaxed);
        }
    }

    /// Whether there is one more; it is taken then.
    pub(super) fn take(&self) -> bool {
        let less = |left: u32| left.checked_sub(100);
        self.earned > 0 && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    /// Ten retries may be saved up.
    const MOST: u32 = 1000;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{HttpUrl, UpstreamProtocol, UpstreamServer};

    fn servers(strategy: &str, weights: &[usize]) -> Servers {
        let text = format!(
            "[listener.a]\naddress = \"127.0.0.1:0\"\n[web.a]\nupstream = \"http://a\"\n\
             balance = {{ strategy = \"{strategy}\", max_requests = 4, eject_after = 2 }}\n"
        );
        let config = crate::config::Config::parse(&text, std::path::Path::new("t.toml")).expect("a configuration");
        let route = &config.web["a"];
        let server = |(index, weight): (usize, &usize)| {
            let url = HttpUrl::parse(&format!("http://server{index}")).expect("a URL");
            let server = UpstreamServer { url, socket: None, weight: 1 };
            let connections =
                Connections::open(&server, UpstreamProtocol::Auto, &route.upstream_tls, Duration::from_secs(1));
            Server {
                connections: Arc::new(connections.expect("connections")),
                host: http::HeaderValue::try_from(format!("server{index}")).expect("a value"),
                metrics: Arc::default(),
                weight: *weight,
                requests: AtomicUsize::new(0),
                unwell: AtomicBool::new(false),
                failures: AtomicU32::new(0),
                ejected_until: AtomicU64::new(0),
                ejections: AtomicU32::new(0),
            }
        };
        Servers::new(weights.iter().enumerate().map(server).collect(), &route.balance)
    }

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn count(slots: &[Slot], servers: &Servers, index: usize) -> usize {
        slots.iter().filter(|slot| Arc::ptr_eq(slot.server(), &servers.servers[index])).count()
    }

    #[test]
    fn requests_are_shared_by_weight_and_never_beyond_the_limit() {
        let servers = servers("least-requests", &[3, 1]);
        let four: Vec<Slot> = (0..4).map(|_| servers.choose(CLIENT, Tried::default()).expect("a server")).collect();
        assert_eq!((count(&four, &servers, 0), count(&four, &servers, 1)), (3, 1));
        let more: Vec<Slot> = (0..4).map(|_| servers.choose(CLIENT, Tried::default()).expect("a server")).collect();
        assert_eq!(servers.choose(CLIENT, Tried::default()).expect_err("all full"), NoServer::AllFull);
        drop((four, more));
        assert!(servers.choose(CLIENT, Tried::default()).is_ok());
    }

    #[test]
    fn a_client_keeps_its_server_and_only_its_own_moves() {
        let servers = servers("client-address", &[1, 1, 1]);
        let clients: Vec<IpAddr> = (0..100_u8).map(|n| IpAddr::from([192, 0, 2, n])).collect();
        let place =
            |client: &IpAddr| servers.choose(*client, Tried::default()).expect("a server").server().host.clone();
        let before: Vec<_> = clients.iter().map(place).collect();
        assert_eq!(clients.iter().map(place).collect::<Vec<_>>(), before);
        servers.servers[0].unwell.store(true, Ordering::Relaxed);
        for (client, before) in clients.iter().zip(&before) {
            let after = place(client);
            assert_ne!(after, "server0");
            assert!(before == "server0" || *before == after, "{client} moved from {before:?} to {after:?}");
        }
    }

    #[test]
    fn a_server_that_fails_in_a_row_gets_nothing_while_there_are_others() {
        let servers = servers("least-requests", &[1, 1]);
        let bad = Arc::clone(&servers.servers[0]);
        servers.failed(&bad);
        servers.succeeded(&bad);
        servers.failed(&bad);
        let hosts = |servers: &Servers| {
            let slots: Vec<Slot> = (0..4).map(|_| servers.choose(CLIENT, Tried::default()).expect("one")).collect();
            count(&slots, servers, 0)
        };
        assert_eq!(hosts(&servers), 2, "not twice in a row");
        servers.failed(&bad);
        assert_eq!(hosts(&servers), 0);
        servers.servers[1].unwell.store(true, Ordering::Relaxed);
        assert_eq!(hosts(&servers), 4, "rather one that failed than none");
        bad.unwell.store(true, Ordering::Relaxed);
        assert_eq!(servers.choose(CLIENT, Tried::default()).expect_err("none"), NoServer::AllUnwell);
    }

    #[test]
    fn retries_are_a_share_of_requests() {
        let budget = RetryBudget::new(20);
        assert_eq!((0..100).filter(|_| budget.take()).count(), 10);
        (0..50).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.take()).count(), 10);
        (0..5).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.take()).count(), 1);
        assert!(!RetryBudget::new(0).take());
    }
}
