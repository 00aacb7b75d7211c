//! The gateway beside others, in the same run: nginx as bare proxy, and oauth2-proxy with its sessions in cookies.
//!
//! `cargo xtask bench-gateway` sees to the programs it needs. Every proxy is a process of its own, in front of the same
//! application (nginx, answering from memory), and gets the same load from `wrk`, in turns, several rounds of them. The proxy has a
//! core of its own. What counts is the processor's time for each request, as the system accounts it: it depends least on what else
//! the machine does.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark talks on standard output and fails by panicking"
)]

mod issuer;
mod load;
mod programs;
#[path = "../sealed_session/mod.rs"]
mod sealed_session;

use std::time::Duration;

use handstamp_testkit::agent::Agent;

use crate::issuer::Issuer;
use crate::load::{Load, Sample};
use crate::programs::{Program, Setting};

/// What the application answers with.
const BODY: &str = "<!doctype html><title>Orders</title><p>Number 7</p>";
const PATH: &str = "/orders?id=7";
const ROUNDS: usize = 7;

fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let setting = Setting::new();
    let application = Program::application(&setting);
    let nginx = Program::nginx(&setting, &application);
    let (handstamp, guarded) = Program::handstamp(&setting, &application);
    let session = sealed_session::cookie(&setting.keys());
    let mut rows = vec![
        Row::new("nginx, bare proxy", &nginx, nginx.address(), None),
        Row::new("Handstamp, nobody signs in", &handstamp, handstamp.address(), None),
        Row::new("the same with a session's cookie, cut out unread", &handstamp, handstamp.address(), Some(&session)),
        Row::new("Handstamp, signed in", &handstamp, guarded, Some(&session)),
    ];
    let issuer = runtime.block_on(Issuer::start());
    let oauth2_proxy = Program::oauth2_proxy(&setting, &application, &issuer);
    match &oauth2_proxy {
        Some(program) => {
            let session = runtime.block_on(sign_in(&program.address()));
            rows.push(Row::new("oauth2-proxy, nobody signs in", program, format!("{}/open", program.address()), None));
            rows.push(Row::new("oauth2-proxy, signed in", program, program.address(), Some(&session)));
        }
        None => println!("oauth2-proxy is not here: `cargo xtask bench-gateway` builds it with Go"),
    }

    for row in &mut rows {
        // Connections, caches, heaps.
        row.load(Duration::from_secs(1));
        row.samples.clear();
    }
    for _ in 0..ROUNDS {
        rows.iter_mut().for_each(|row| row.load(Duration::from_secs(3)));
    }

    println!("\n| A GET | µs of processor (least … median) | Requests per second and core | p50 | p99 | Memory |");
    println!("|---|---|---|---|---|---|");
    rows.iter().for_each(|row| println!("{}", row.line()));
}

/// One way through one proxy.
struct Row<'p> {
    name: &'static str,
    program: &'p Program,
    load: Load,
    samples: Vec<Sample>,
}

impl<'p> Row<'p> {
    fn new(name: &'static str, program: &'p Program, address: String, cookie: Option<&str>) -> Self {
        Self { name, program, load: Load::new(&format!("{address}{PATH}"), cookie), samples: Vec::new() }
    }

    fn load(&mut self, duration: Duration) {
        self.samples.push(self.load.run(self.program, duration));
    }

    fn line(&self) -> String {
        let median = |value: fn(&Sample) -> f64| {
            let mut values: Vec<f64> = self.samples.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        let least = self.samples.iter().map(|sample| sample.processor).fold(f64::INFINITY, f64::min);
        format!(
            "| {} | {least:.1} … {:.1} | {:.0} | {:.2} ms | {:.2} ms | {:.0} MiB |",
            self.name,
            median(|sample| sample.processor),
            1e6 / median(|sample| sample.processor),
            median(|sample| sample.p50),
            median(|sample| sample.p99),
            self.program.memory(),
        )
    }
}

/// Signs in as a browser does, and gives the session's cookies.
async fn sign_in(proxy: &str) -> String {
    let mut browser = Agent::new();
    let page = browser.navigate(&format!("{proxy}{PATH}")).await;
    assert_eq!((page.status.as_u16(), page.body.as_str()), (200, BODY));
    let session = browser.cookies("127.0.0.1").filter(|(name, _)| !name.contains("csrf"));
    session.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
}
