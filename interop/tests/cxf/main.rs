//! Apache CXF against us, in both roles, at the 24 endpoints of SC §17; and against itself, which proves the WSDLs.
//!
//! `cargo xtask test --only interop` builds the peer first. A run of all endpoints makes `docs/interop.md`, and fails when what is
//! there says something else (`HANDSTAMP_BLESS=1` writes it); arguments are names of endpoints, to run only those.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and a program has to speak")]

mod gateway;
mod page;
mod trial;

use gateway::{Gateways, PlainService};
use handstamp_interop::endpoints::{ENDPOINTS, Endpoint};
use handstamp_interop::ours::{self, Identities};
use handstamp_interop::peer::Peer;
use std::path::Path;
use std::process::ExitCode;
use trial::{Pair, Row, Trial};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if !Peer::is_there() {
        println!("Apache CXF is not built: cargo xtask test --only interop does it");
        return ExitCode::FAILURE;
    }
    if std::env::var_os("PEER_TRACE").is_some() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    }
    let only: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = ENDPOINTS.iter().filter(|endpoint| only.is_empty() || only.contains(&endpoint.name));
    let folder = tempfile::tempdir().unwrap();
    Identities::generate(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(gateway::prepare(folder.path()));
    let (mut peer, plain) = (Peer::start(folder.path()), PlainService::start());
    let mut rows = Vec::new();
    for endpoint in chosen {
        std::fs::write(folder.path().join(format!("{}.wsdl", endpoint.name)), endpoint.wsdl()).unwrap();
        for row in runtime.block_on(run(endpoint, folder.path(), &mut peer, &plain)) {
            println!("{row}");
            rows.push(row);
        }
    }
    let page = if only.is_empty() { page::check(&rows) } else { Ok(()) };
    summary(&rows, page)
}

/// What `cargo xtask test` reads, as the usual harness writes it.
fn summary(rows: &[Row], page: Result<(), String>) -> ExitCode {
    let mut failures: Vec<String> = rows.iter().flat_map(Row::failures).collect();
    let trials = || rows.iter().flat_map(Row::trials);
    let passed = trials().filter(|trial| trial.result.is_ok()).count() + usize::from(page.is_ok());
    let ignored = trials().filter(|trial| trial.limit().is_some()).count();
    failures.extend(page.err());
    if !failures.is_empty() {
        println!("\nfailures:\n");
        failures.iter().for_each(|failure| println!("---- cxf stdout ----\n{failure}\n"));
        println!("failures:");
    }
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {verdict}. {passed} passed; {} failed; {ignored} ignored; 0 measured", failures.len());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:1/";

/// All that is tried at an endpoint.
async fn run(endpoint: &Endpoint, folder: &Path, peer: &mut Peer, plain: &PlainService) -> Vec<Row> {
    let name = endpoint.name;
    let ours = ours::serve(endpoint, folder).await;
    let theirs = [peer.tell(&format!("serve {name} dom")), peer.tell(&format!("serve {name} streaming"))];
    let gateways = Gateways::start(endpoint, folder, plain, theirs[0].as_deref().unwrap_or(NOWHERE)).await;
    let address = |pair: Pair| match pair {
        Pair::TheirDomClient | Pair::TheirStreamingClient => Ok(ours.address.as_str()),
        Pair::ThroughTerminate | Pair::ThroughInitiate => Ok(gateways.secured.as_str()),
        Pair::OurClientAtStreaming => theirs[1].as_deref(),
        Pair::OurClientAtDom | Pair::ThemselvesDom | Pair::ThemselvesStreaming => theirs[0].as_deref(),
    };
    let mut row = Row::new(name);
    for pair in Pair::ALL {
        let trials = match (address(pair), pair.sender()) {
            _ if pair == Pair::ThroughInitiate => gateways.call().into_iter().map(Trial::calls).collect(),
            (Ok(address), _) if pair == Pair::ThroughTerminate => {
                let answer = echoed(peer.tell(&format!("call {name} dom {address} ping")));
                vec![Trial::calls(answer.and_then(|()| gateways.told_caller(endpoint, plain)))]
            }
            (Err(reason), _) => vec![Trial::calls(Err(format!("it does not serve: {reason}")))],
            (Ok(address), Some(sender)) => their_client(endpoint, sender, address, pair, &ours, peer),
            (Ok(address), None) => our_client(endpoint, folder, address).await,
        };
        row.add(pair, trials);
    }
    if name != "AC" {
        return vec![row];
    }
    let mut without_action = Row::new("AC, empty SOAPAction");
    for pair in Pair::ALL {
        if let (Ok(address), Some(sender)) = (address(pair), pair.sender()) {
            let answer = peer.tell(&format!("call {name} {sender} {address} ping empty-action"));
            let told = if pair == Pair::ThroughTerminate { gateways.told_caller(endpoint, plain) } else { Ok(()) };
            without_action.add(pair, vec![Trial::calls(echoed(answer).and(told))]);
        }
    }
    vec![row, without_action]
}

fn their_client(
    endpoint: &Endpoint,
    sender: &str,
    address: &str,
    pair: Pair,
    ours: &ours::Service,
    peer: &mut Peer,
) -> Vec<Trial> {
    let mut call =
        |options: &str| echoed(peer.tell(&format!("call {} {sender} {address} ping {options}", endpoint.name)));
    let mut trials = Vec::new();
    let mut bootstrap = "";
    if sender == "streaming" && endpoint.bootstrap_is_endorsed() {
        trials.push(Trial::establishing(call("")));
        bootstrap = "dom-bootstrap";
    }
    trials.push(Trial::calls(call(bootstrap)));
    if !endpoint.cookie {
        let before = ours.sessions();
        let answer = call(&format!("cancel {bootstrap}"));
        let is_cancelled = !pair.is_with_us() || ours.sessions() == before;
        let cancelled = if is_cancelled { Ok(()) } else { Err(trial::NOT_CANCELLED.to_owned()) };
        trials.push(Trial::cancel(answer.and(cancelled)));
    }
    trials
}

async fn our_client(endpoint: &Endpoint, folder: &Path, address: &str) -> Vec<Trial> {
    let session = ours::session(endpoint, folder, address);
    let mut trials = vec![Trial::calls(call_twice(&session).await)];
    if !endpoint.cookie {
        trials.push(Trial::cancel(session.close().await.map_err(|error| error.to_string())));
    }
    trials
}

async fn call_twice(session: &ours::Session) -> Result<(), String> {
    for _ in 0..2 {
        let text = ours::call(session, "ping").await.map_err(|error| error.to_string())?;
        if text != "Handstamp : ping" {
            return Err(format!("it answers {text:?}"));
        }
    }
    Ok(())
}

fn echoed(answer: Result<String, String>) -> Result<(), String> {
    let text = answer?;
    if text == "CXF : ping" { Ok(()) } else { Err(format!("it answers {text:?}")) }
}
