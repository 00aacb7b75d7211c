//! `kill -9` of one of two gateways, while clients keep calling: no session is lost, nothing is delivered twice.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_testkit::ports::ReservedPort;
use http::Request;

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::{Process, Running, exchange};

const WORKERS: usize = 6;
const KILLS: usize = 3;
/// Answers that are waited for between one kill and the next.
const ANSWERS: usize = 40;

/// Clients that call without end, each request with a number of its own.
#[derive(Default)]
struct Load {
    next: AtomicUsize,
    answered: std::sync::Mutex<Vec<usize>>,
    stop: AtomicBool,
}

impl Load {
    async fn work(self: Arc<Self>, worker: usize, nodes: Vec<SocketAddr>) {
        let mut node = worker;
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            // The number is in the message: so it reaches the service.
            let message = request(SOAP_12, "Balance", "").replace(">7</Trace>", &format!(">{number:07}</Trace>"));
            let length = message.split_once("\r\n\r\n").expect("a body").1.len();
            let message =
                message.replace(&format!("Content-Length: {}", length - 6), &format!("Content-Length: {length}"));
            match exchange(nodes[node % nodes.len()], message).await {
                Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                    assert!(answer.contains("42</BalanceResponse>"), "{answer}");
                    self.answered.lock().expect("no panic").push(number);
                }
                Ok(answer) => {
                    for lost in ["HST-SOAP-LOST", "HST-SOAP-CALL", "HST-SOAP-SESSION"] {
                        assert!(!answer.contains(lost), "a session is lost: {answer}");
                    }
                    node += 1;
                }
                Err(_) => node += 1,
            }
        }
    }

    /// Waits until so many more were answered.
    async fn progress(&self) {
        let count = || self.answered.lock().expect("no panic").len();
        let wanted = count() + ANSWERS;
        while count() < wanted {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends the load and compares what clients know with what reached the service.
    fn check(&self, received: &[Request<bytes::Bytes>]) {
        let mut delivered: HashMap<usize, usize> = HashMap::new();
        for request in received {
            let text = String::from_utf8_lossy(request.body());
            let number =
                text.split("</Trace>").next().and_then(|start| start.get(start.len() - 7..)).expect("a number");
            *delivered.entry(number.parse().expect("a number")).or_default() += 1;
        }
        assert!(delivered.values().all(|times| *times == 1), "delivered twice: {delivered:?}");
        let answered = self.answered.lock().expect("no panic");
        assert!(answered.iter().all(|number| delivered.contains_key(number)), "answered and not delivered");
    }
}

fn sessions(received: &[Request<bytes::Bytes>]) -> HashSet<String> {
    let of = |request: &Request<bytes::Bytes>| {
        let token = request.headers()["x-token"].to_str().expect("text");
        let payload = token.split('.').nth(1).expect("a payload");
        let payload = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(payload.as_bytes()).expect("base64");
        serde_json::from_slice::<serde_json::Value>(&payload).expect("JSON")["sid"].to_string()
    };
    received.iter().map(of).collect()
}

async fn run(setting: &Setting, file: &str, nodes: [SocketAddr; 2], asked: Vec<SocketAddr>) -> Arc<Load> {
    let load = Arc::new(Load::default());
    let mut processes: Vec<Option<Process>> = Vec::new();
    for (index, address) in nodes.iter().enumerate() {
        let own = format!("node{index}.toml");
        let text = std::fs::read_to_string(setting.path(file)).expect("readable");
        let text = format!("[log]\nformat = \"json\"\n{}", text.replace("127.0.0.1:0", &address.to_string()));
        std::fs::write(setting.path(&own), text).expect("written");
        processes.push(Some(Process::start(setting.folder.path(), &own).await));
    }
    let workers: Vec<_> =
        (0..WORKERS).map(|worker| tokio::spawn(Arc::clone(&load).work(worker, asked.clone()))).collect();
    load.progress().await;
    for kill in 0..KILLS {
        let victim = kill % 2;
        processes[victim].take().expect("a process").kill().await;
        load.progress().await;
        processes[victim] = Some(Process::start(setting.folder.path(), &format!("node{victim}.toml")).await);
        load.progress().await;
    }
    load.stop.store(true, Ordering::Relaxed);
    for worker in workers {
        worker.await.expect("every answer was good");
    }
    load
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_the_gateway_that_ends_them() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let ports = ReservedPort::in_a_row::<2>();
    let nodes = ports.each_ref().map(ReservedPort::address);
    setting.write_terminate(service.address, "", "jwt_header = \"X-Token\"\n[jwt]\nissuer = \"urn:test\"");
    let servers = format!("[\"http://{}/ledger\", \"http://{}/ledger\"]", nodes[0], nodes[1]);
    let route = format!("{AS_ADA}\nlost_session = \"repeat\"\nbalance = {{ eject_for = \"100ms\" }}");
    setting.write_initiate(&servers, &route);
    let plain = Running::from_file(&setting.path("initiate.toml")).await;
    let load = run(&setting, "terminate.toml", nodes, vec![plain.address]).await;
    let received = service.received();
    load.check(&received);
    assert_eq!(sessions(&received).len(), 1, "the one session outlives every kill");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_begins_sessions_can_be_killed() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let ports = ReservedPort::in_a_row::<2>();
    let nodes = ports.each_ref().map(ReservedPort::address);
    let route = format!("{AS_ADA}\nlost_session = \"repeat\"");
    setting.write_initiate(&format!("\"http://{}/ledger\"", secured.address), &route);
    let load = run(&setting, "initiate.toml", nodes, nodes.to_vec()).await;
    load.check(&service.received());
}
