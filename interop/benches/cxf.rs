//! The same calls in the same session over loopback, our client and service and Apache CXF's, by the processor's time that both ends
//! take together.
//!
//! Basic256, derived keys, signed and encrypted, the signature encrypted; 4 KB of text in each request and reply. Needs a build of
//! `interop/cxf` (`cargo xtask test --only interop`).
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark fails by panicking, and has to speak")]

use handstamp_interop::endpoints::{Client, Endpoint, Form};
use handstamp_interop::ours::{self, Identities};
use handstamp_interop::peer::Peer;
use handstamp_ws_security::ProtectionOrder;
use std::path::Path;
use std::time::{Duration, Instant};

const ENDPOINT: Endpoint = Endpoint {
    name: "Speed",
    client: Client::Anonymous,
    derived_keys: true,
    cookie: false,
    order: ProtectionOrder::SignBeforeEncryptAndEncryptSignature,
    suite: "Basic256",
    form: Form::Usual,
};
const BYTES: usize = 4096;
/// Of one measurement, and of what goes before it in the same session.
const SECONDS: u64 = 15;
/// The virtual machine is warm when so many measurements in a row differ by no more than [`SPREAD`] of the least.
const STEADY: usize = 3;
const SPREAD: f64 = 0.05;
/// Then it is measured as it is.
const MOST_MEASUREMENTS: usize = 60;

fn main() {
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    if !Peer::is_there() {
        println!("Apache CXF is not built, so nothing is compared: cargo xtask test --only interop builds it");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    Identities::generate(folder.path());
    std::fs::write(folder.path().join(format!("{}.wsdl", ENDPOINT.name)), ENDPOINT.wsdl()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("Handstamp: {:.0} calls in a second of one core", runtime.block_on(our_rate(folder.path())));
    let mut peer = Peer::start_for_speed(folder.path());
    let theirs = peer.tell(&format!("serve {}", ENDPOINT.name)).unwrap();
    for (name, kind) in [("Apache CXF, DOM", "dom"), ("Apache CXF, client streaming", "streaming")] {
        let rates = their_rates(&mut peer, kind, &theirs);
        let steady = if is_steady(&rates) { "steady" } else { "still changing" };
        let last = last_rates(&rates).iter().sum::<f64>() / STEADY as f64;
        println!("{name}: {last:.0} calls in a second of one core, {steady} after {} measurements", rates.len());
        println!("    {}", rates.iter().map(|rate| format!("{rate:.0}")).collect::<Vec<_>>().join(" "));
    }
}

/// One measurement after the other until the virtual machine is warm.
fn their_rates(peer: &mut Peer, kind: &str, address: &str) -> Vec<f64> {
    let mut rates = Vec::new();
    while rates.len() < MOST_MEASUREMENTS && !is_steady(&rates) {
        rates.push(their_rate(peer, kind, address));
    }
    rates
}

fn last_rates(rates: &[f64]) -> &[f64] {
    &rates[rates.len().saturating_sub(STEADY)..]
}

fn is_steady(rates: &[f64]) -> bool {
    let last = last_rates(rates);
    let (least, most) =
        last.iter().fold((f64::MAX, 0.0_f64), |(least, most), rate| (least.min(*rate), most.max(*rate)));
    last.len() == STEADY && most <= least * (1.0 + SPREAD)
}

async fn our_rate(folder: &Path) -> f64 {
    let service = ours::serve(&ENDPOINT, folder).await;
    let session = ours::session(&ENDPOINT, folder, &service.address);
    let text = "x".repeat(BYTES);
    let (start, before) = (Instant::now(), processor_time());
    let mut calls = 0;
    while start.elapsed() < Duration::from_secs(SECONDS) {
        assert_eq!(ours::call(&session, &text).await.unwrap().len(), "Handstamp : ".len() + BYTES);
        calls += 1;
    }
    f64::from(calls) / (processor_time() - before).as_secs_f64()
}

/// Of this thread, which is client and service: other programs on the machine do not count.
fn processor_time() -> Duration {
    let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
}

fn their_rate(peer: &mut Peer, kind: &str, address: &str) -> f64 {
    let answer = peer.tell(&format!("bench {} {kind} {address} {SECONDS} {BYTES}", ENDPOINT.name)).unwrap();
    let (calls, seconds) = answer.split_once(' ').unwrap();
    calls.parse::<f64>().unwrap() / seconds.parse::<f64>().unwrap()
}
