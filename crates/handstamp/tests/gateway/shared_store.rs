//! Two nodes on one store, in Redis and in PostgreSQL. Passed over where the server is not installed; `cargo xtask test`
//! installs it.

use std::time::{Duration, Instant};

use handstamp_testkit::servers::{PostgresServer, RedisServer};
use tokio::process::Command;

use super::browser::{Browser, Options, Site};
use super::support::{Application, Running, exchange};

/// A server that can be taken away.
trait Server {
    /// The table `[store]`.
    fn store(&self) -> String;
    fn kill(&mut self);
    fn restart(&mut self);
    /// Whether what was stored is there after a restart.
    const PERSISTENT: bool;
}

impl Server for RedisServer {
    fn store(&self) -> String {
        format!("[store]\nkind = \"redis\"\nurl = \"{}\"\ntimeout = \"1s\"\n", self.url())
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    fn restart(&mut self) {
        Self::restart(self);
    }

    const PERSISTENT: bool = false;
}

impl Server for PostgresServer {
    fn store(&self) -> String {
        format!("[store]\nkind = \"postgresql\"\nurl = \"{}\"\ntimeout = \"1s\"\n", self.url())
    }

    fn kill(&mut self) {
        Self::kill(self);
    }

    fn restart(&mut self) {
        Self::restart(self);
    }

    const PERSISTENT: bool = true;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_sessions_in_redis_sm_46_sm_47_sm_48() {
    if let Some(server) = RedisServer::start() {
        two_nodes(server).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_sessions_in_postgresql_sm_46_sm_47_sm_48() {
    if let Some(server) = PostgresServer::start() {
        two_nodes(server).await;
    }
}

async fn two_nodes<S: Server>(mut server: S) {
    let (site, application) = (Site::new(), Application::hello().await);
    let rest = format!("{}[admin]\naddress = \"127.0.0.1:0\"\n", server.store());
    let options = Options {
        session: "mode = \"reference\"",
        route: "public_paths = [\"/assets\"]",
        rest: &rest,
        ..Options::default()
    };
    let (here, there) =
        (site.gateway(application.address, options).await, site.gateway(application.address, options).await);

    // A session that began here is one there; a token that was used here is refused there (SM-38).
    let mut alice = Browser::default();
    let challenge = alice.open(&here, "/").await;
    let form = site.answer(challenge.location(), "alice", &["user"]);
    let mut thief = alice.clone();
    assert_eq!(alice.post(&here, "/signin-wsfed", &form).await.status, 303);
    assert_eq!(alice.open(&there, "/").await.status, 200);
    let replayed = thief.post(&there, "/signin-wsfed", &form).await;
    assert!(replayed.status == 403 && thief.session().is_none(), "{replayed:?}");

    // Sign-out here ends the copy that the other node has in memory, at the latest with its next look (SM-47).
    let mut copy = alice.clone();
    assert_eq!(alice.open(&here, "/signout").await.status, 303);
    until("the copy is refused", async || copy.clone().open(&there, "/").await.status == 302).await;
    assert_eq!(copy.open(&there, "/").await.status, 302);

    administer(&site, options, application.address, &there).await;

    // The store goes away: who is known to nobody but the store is told to wait, and nobody is sent to sign in.
    let mut bob = Browser::default();
    bob.sign_in(&site, &here, "/", "bob", &["user"]).await;
    let mut carol = Browser::default();
    let challenge = carol.open(&here, "/").await;
    server.kill();
    let answer = bob.open(&there, "/").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.body.contains("HST-GATEWAY-STORE") && answer.header("retry-after").is_some(), "{answer:?}");
    assert!(bob.session().is_some(), "it is not the session's fault");
    assert_eq!(bob.open(&there, "/assets/logo.svg").await.status, 200, "what is public stays so");
    assert_eq!(Browser::default().open(&there, "/").await.status, 302, "without a cookie there is nothing to ask");
    let form = site.answer(challenge.location(), "carol", &["user"]);
    let refused = carol.post(&here, "/signin-wsfed", &form).await;
    assert!(refused.status == 503 && carol.session().is_none(), "nobody signs in unremembered: {refused:?}");
    let metrics = metrics(&there).await;
    assert!(counted(&metrics, "handstamp_store_failures_total{operation=\"read\"}") >= 1, "{metrics}");
    assert!(counted(&metrics, "handstamp_rejections_total{code=\"HST-GATEWAY-STORE\"}") >= 1, "{metrics}");

    // It comes back, and so does the session where the server remembers.
    server.restart();
    let back = if S::PERSISTENT { 200 } else { 302 };
    until("the store is used again", async || bob.clone().open(&there, "/").await.status == back).await;
}

/// `handstamp session list` and `revoke` reach the sessions of all nodes.
async fn administer(site: &Site, options: Options<'_>, application: std::net::SocketAddr, gateway: &Running) {
    let file = site.folder.path().join("handstamp.toml");
    std::fs::write(&file, site.toml(application, options)).expect("written");
    let (mut dave, mut erin) = (Browser::default(), Browser::default());
    dave.sign_in(site, gateway, "/", "dave", &["user"]).await;
    erin.sign_in(site, gateway, "/", "erin", &["user"]).await;
    let command = async |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_handstamp"));
        let output = command.arg("session").args(arguments).arg("--config").arg(&file).output().await.expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let listed: serde_json::Value = serde_json::from_str(&command(&["list", "--json"]).await).expect("JSON");
    let users: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["user"].as_str()).collect();
    assert_eq!(users, ["erin", "dave"]);
    let of_dave = command(&["list", "--user", "dave"]).await;
    assert!(of_dave.contains("dave") && !of_dave.contains("erin"), "{of_dave}");
    command(&["revoke", "--user", "dave"]).await;
    until("dave is signed out", async || dave.clone().open(gateway, "/").await.status == 302).await;
    assert_eq!(erin.open(gateway, "/").await.status, 200);
    let session = listed[0]["session"].as_str().expect("an id");
    command(&["revoke", session]).await;
    until("erin is signed out", async || erin.clone().open(gateway, "/").await.status == 302).await;
}

/// Revocations are taken over once a second; a server needs a moment to come back.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < Duration::from_secs(30), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn metrics(gateway: &Running) -> String {
    let admin = gateway.admin.expect("an admin listener");
    exchange(admin, "GET /metrics HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n").await.expect("an answer")
}

fn counted(metrics: &str, name: &str) -> u64 {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or_default()
}
