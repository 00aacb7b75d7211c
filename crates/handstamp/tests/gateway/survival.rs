//! Sessions outlive the process, however it ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Mutex, Notify, watch};

use super::browser::{Browser, Options, Site};
use super::support::{Application, Process, exchange};

const SESSIONS: usize = 200;
const KILLS: usize = 20;
const WORKERS: usize = 8;

/// Browsers that keep asking, and what they saw.
struct Load {
    browsers: Vec<Mutex<Browser>>,
    address: watch::Receiver<SocketAddr>,
    answered: Vec<AtomicUsize>,
    progress: Notify,
}

impl Load {
    /// Asks for ever, with every `WORKERS`th browser. Connections that break are what a killed server looks like; every
    /// answer must be the page.
    async fn work(&self, worker: usize) {
        let mut address = self.address.clone();
        loop {
            for index in (worker..self.browsers.len()).step_by(WORKERS) {
                let mut browser = self.browsers[index].lock().await;
                let request = browser.request("GET", "/", "Accept: text/html\r\n", "");
                let to = *address.borrow_and_update();
                let answer = exchange(to, request).await.unwrap_or_default();
                if !answer.contains("\r\n\r\n") {
                    drop(browser);
                    tokio::task::yield_now().await;
                    continue;
                }
                let answer = browser.receive(&answer);
                assert_eq!(answer.status, 200, "session {index} is lost: {answer:?}");
                drop(browser);
                self.answered[index].fetch_add(1, Ordering::Relaxed);
                self.progress.notify_one();
            }
        }
    }

    /// Waits until every browser has had an answer since the last call.
    async fn everybody_was_answered(&self) {
        loop {
            let missing = self.answered.iter().any(|count| count.load(Ordering::Relaxed) == 0);
            if !missing {
                break;
            }
            self.progress.notified().await;
        }
        for count in &self.answered {
            count.store(0, Ordering::Relaxed);
        }
    }
}

async fn no_session_is_lost(session: &str) {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = format!(
        "[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"\n[log]\nformat = \"json\"\n",
        site.folder.path().display()
    );
    let toml = site.toml(application.address, Options { session, rest: &store, ..Options::default() });
    std::fs::write(site.folder.path().join("handstamp.toml"), toml).expect("written");

    let mut process = Process::start(site.folder.path(), "handstamp.toml").await;
    let mut browsers = Vec::with_capacity(SESSIONS);
    for index in 0..SESSIONS {
        let mut browser = Browser::default();
        let ask = browser.request("GET", "/", "Accept: text/html\r\n", "");
        let challenge = browser.receive(&exchange(process.address, ask).await.expect("connected"));
        let form = site.answer(challenge.location(), &format!("user{index}"), &["user"]).to_query_string();
        let post =
            browser.request("POST", "/signin-wsfed", "Content-Type: application/x-www-form-urlencoded\r\n", &form);
        let signed_in = browser.receive(&exchange(process.address, post).await.expect("connected"));
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        browsers.push(Mutex::new(browser));
    }

    let (moved, address) = watch::channel(process.address);
    let load = Arc::new(Load {
        answered: browsers.iter().map(|_| AtomicUsize::new(0)).collect(),
        browsers,
        address,
        progress: Notify::new(),
    });
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let load = Arc::clone(&load);
        workers.spawn(async move { load.work(worker).await });
    }
    for _ in 0..KILLS {
        tokio::select! {
            () = load.everybody_was_answered() => {}
            Some(ended) = workers.join_next() => ended.expect("no session is lost"),
        }
        process.kill().await;
        process = Process::start(site.folder.path(), "handstamp.toml").await;
        moved.send_replace(process.address);
    }
    tokio::select! {
        () = load.everybody_was_answered() => {}
        Some(ended) = workers.join_next() => ended.expect("no session is lost"),
    }
}

/// Renewed often, so that kills meet renewals under way.
const SLIDING: &str = "idle_timeout = \"10m\"\nslide_after = 1\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_in_a_cookie_is_lost_when_the_process_is_killed_again_and_again() {
    no_session_is_lost(SLIDING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_in_the_database_is_lost_when_the_process_is_killed_again_and_again() {
    no_session_is_lost(&format!("{SLIDING}mode = \"reference\"")).await;
}

#[tokio::test]
async fn what_was_signed_out_stays_signed_out_after_a_kill() {
    let (site, application) = (Site::new(), Application::hello().await);
    let store = format!(
        "[store]\nkind = \"sqlite\"\npath = \"{}/store.db\"\n[log]\nformat = \"json\"\n",
        site.folder.path().display()
    );
    let toml = site.toml(application.address, Options { rest: &store, ..Options::default() });
    std::fs::write(site.folder.path().join("handstamp.toml"), toml).expect("written");
    let process = Process::start(site.folder.path(), "handstamp.toml").await;
    let mut browser = Browser::default();
    let ask = browser.request("GET", "/", "Accept: text/html\r\n", "");
    let challenge = browser.receive(&exchange(process.address, &ask).await.expect("connected"));
    let form = site.answer(challenge.location(), "alice", &[]).to_query_string();
    let post = browser.request("POST", "/signin-wsfed", "Content-Type: application/x-www-form-urlencoded\r\n", &form);
    browser.receive(&exchange(process.address, post).await.expect("connected"));
    let mut copy = browser.clone();
    let sign_out = browser.request("GET", "/signout", "", "");
    assert_eq!(browser.receive(&exchange(process.address, sign_out).await.expect("connected")).status, 303);
    process.kill().await;

    let process = Process::start(site.folder.path(), "handstamp.toml").await;
    let again = copy.request("GET", "/", "Accept: text/html\r\n", "");
    assert_eq!(copy.receive(&exchange(process.address, again).await.expect("connected")).status, 302);
    process.kill().await;
}
