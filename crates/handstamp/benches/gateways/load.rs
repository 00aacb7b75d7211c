//! Load, and what it costs.

use std::process::Command;
use std::time::Duration;

use crate::programs::{Cores, Program};

/// What `wrk` sends.
pub(crate) struct Load {
    url: String,
    cookie: Option<String>,
}

/// What a stretch of it cost.
pub(crate) struct Sample {
    /// Microseconds of the processor for each request, in user space and in the kernel.
    pub(crate) processor: f64,
    /// Milliseconds in which half of the answers came.
    pub(crate) p50: f64,
    /// Milliseconds in which 99 % of the answers came.
    pub(crate) p99: f64,
}

impl Load {
    pub(crate) fn new(url: &str, cookie: Option<&str>) -> Self {
        Self { url: url.to_owned(), cookie: cookie.map(|cookie| format!("Cookie: {cookie}")) }
    }

    /// Loads `program` from 16 connections.
    pub(crate) fn run(&self, program: &Program, duration: Duration) -> Sample {
        let mut wrk = Command::new("wrk");
        let seconds = format!("{}s", duration.as_secs());
        wrk.args(["--threads", "1", "--connections", "16", "--latency", "--duration", &seconds]);
        for line in ["Accept: text/html", "User-Agent: bench", "Accept-Encoding: gzip"] {
            wrk.args(["--header", line]);
        }
        if let Some(cookie) = &self.cookie {
            wrk.args(["--header", cookie]);
        }
        let before = program.processor_time();
        wrk.arg(&self.url);
        let output = Cores::Others.keep(wrk).output().expect("wrk runs");
        let spent = program.processor_time() - before;
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && !said.contains("Non-2xx"), "{}:\n{said}", self.url);
        let (requests, _) = said.split_once(" requests in ").expect("it counts requests");
        let requests = requests.split_whitespace().next_back().and_then(|n| n.parse::<f64>().ok()).expect("a number");
        let latency = |part: &str| {
            let line = said.lines().find_map(|line| line.trim().strip_prefix(part)).expect("it measures latency");
            milliseconds(line.trim())
        };
        Sample { processor: spent.as_secs_f64() * 1e6 / requests, p50: latency("50%"), p99: latency("99%") }
    }
}

/// What wrk writes as `312.00us`, `1.25ms` or `1.02s`.
fn milliseconds(text: &str) -> f64 {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, unit) =
        units.iter().find_map(|(name, unit)| text.strip_suffix(name).map(|number| (number, unit))).expect("a unit");
    number.parse::<f64>().expect("a number") * unit
}
