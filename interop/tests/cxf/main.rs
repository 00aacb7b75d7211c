//! Apache CXF against us, in both roles, at the 24 endpoints of SC §17; and against itself, which proves the WSDLs.
//!
//! `cargo xtask test --only interop` builds the peer first. It prints what `docs/interop.md` shows, and fails when it is something
//! else.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test fails by panicking, and a program has to speak")]

mod endpoints;
mod ours;
mod peer;
mod wsdl;

use endpoints::{ENDPOINTS, Endpoint};
use ours::Identities;
use peer::Peer;
use std::path::Path;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        return;
    }
    if !Peer::is_there() {
        println!("Apache CXF is not built: cargo xtask test --only interop does it");
        return;
    }
    if std::env::var_os("PEER_TRACE").is_some() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    }
    let only: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| !argument.starts_with('-')).collect();
    let chosen = ENDPOINTS.iter().filter(|endpoint| only.is_empty() || only.contains(&endpoint.name));
    let folder = tempfile::tempdir().unwrap();
    Identities::generate(folder.path());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut peer = Peer::start(folder.path());
    for endpoint in chosen {
        std::fs::write(folder.path().join(format!("{}.wsdl", endpoint.name)), endpoint.wsdl()).unwrap();
        let row = runtime.block_on(row(endpoint, folder.path(), &mut peer));
        println!("{:50} {row:?}", endpoint.name);
    }
}

async fn row(endpoint: &Endpoint, folder: &Path, peer: &mut Peer) -> Vec<Result<(), String>> {
    let name = endpoint.name;
    let cancel = if endpoint.cookie { "" } else { "cancel" };
    let theirs = match peer.tell(&format!("serve {name}")) {
        Ok(address) => address,
        Err(reason) => return vec![Err(reason)],
    };
    let echoed = |answer: Result<String, String>, expected: &str| match answer {
        Ok(text) if text == expected => Ok(()),
        Ok(text) => Err(format!("it answers {text:?}")),
        Err(reason) => Err(reason),
    };
    let ours = ours::serve(endpoint, folder).await;
    let mut results = Vec::new();
    for (kind, address) in [("dom", &theirs), ("streaming", &theirs), ("dom", &ours), ("streaming", &ours)] {
        let answer = peer.tell(&format!("call {name} {kind} {address} ping {cancel}"));
        results.push(echoed(answer, "CXF : ping"));
    }
    results.push(our_client(endpoint, folder, &theirs).await);
    results
}

async fn our_client(endpoint: &Endpoint, folder: &Path, address: &str) -> Result<(), String> {
    let session = ours::session(endpoint, folder, address);
    for _ in 0..2 {
        let text = ours::call(&session, "ping").await.map_err(|error| error.to_string())?;
        if text != "Handstamp : ping" {
            return Err(format!("it answers {text:?}"));
        }
    }
    session.close().await.map_err(|error| format!("cancel: {error}"))
}
