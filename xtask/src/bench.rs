//! Benchmarks: wall time by criterion, instructions by callgrind.

use crate::packages::{self, GO, NGINX, VALGRIND, WRK};
use crate::process::succeeds;
use crate::workspace::{Metadata, cargo};
use crate::{Chore, Failure};
use std::path::PathBuf;
use std::process::Command;

/// `cargo xtask bench [ARGS]...`
pub(crate) fn run(arguments: &[String]) -> Chore {
    Ok(succeeds(cargo().args(["bench", "--workspace", "--benches", "--"]).args(arguments)))
}

/// `cargo xtask bench-gateway`: our gateway beside nginx and oauth2-proxy, in turns. Without Go there is no oauth2-proxy.
pub(crate) fn run_gateway() -> Chore {
    packages::ensure(&[NGINX, WRK]).map_err(Failure::Broken)?;
    let mut bench = cargo();
    bench.args(["bench", "--package", "handstamp", "--bench", "gateways"]);
    match oauth2_proxy() {
        Ok(program) => drop(bench.env("OAUTH2_PROXY", program)),
        Err(why) => println!("without oauth2-proxy: {why}"),
    }
    Ok(succeeds(&mut bench))
}

/// The program, built once and kept.
fn oauth2_proxy() -> Result<PathBuf, String> {
    let folder = Metadata::load("Cargo.toml").map_err(|failure| format!("{failure:?}"))?.target_directory.join("go");
    let program = folder.join("oauth2-proxy");
    if !program.is_file() {
        packages::ensure(&[GO])?;
        let mut install = Command::new("go");
        install.args(["install", OAUTH2_PROXY]).env("GOBIN", &folder);
        if !succeeds(&mut install) {
            return Err(format!("go install {OAUTH2_PROXY} failed"));
        }
    }
    Ok(program)
}

const OAUTH2_PROXY: &str = "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6";

/// `cargo xtask bench-instructions`: each scenario of the `instructions` example under callgrind, which counts only what
/// happens inside the function `measured`.
pub(crate) fn run_instructions() -> Chore {
    packages::ensure(&[VALGRIND]).map_err(Failure::Broken)?;
    let build = ["build", "--profile", "bench", "--package", "handstamp", "--example", "instructions"];
    if !succeeds(cargo().args(build)) {
        return Ok(false);
    }
    // The profile `bench` inherits from `release` and shares its folder.
    let folder = Metadata::load("Cargo.toml")?.target_directory;
    let program = folder.join("release/examples/instructions");
    let broken = |error: std::io::Error| Failure::Broken(format!("{}: {error}", program.display()));
    let scenarios = Command::new(&program).arg("--list").output().map_err(broken)?;
    println!("{:<28} {:>14}", "scenario", "instructions");
    for scenario in String::from_utf8_lossy(&scenarios.stdout).lines() {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured*"])
            .arg(&program)
            .arg(scenario)
            .output()
            .map_err(broken)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let Some(count) = output.status.success().then(|| collected(&said)).flatten() else {
            return Err(Failure::Broken(format!("callgrind failed on {scenario}:\n{said}")));
        };
        println!("{scenario:<28} {count:>14}");
    }
    Ok(true)
}

/// The number in callgrind's `Collected : N` line.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    #[test]
    fn callgrinds_count_is_read() {
        let said = "==1== Events    : Ir\n==1== Collected : 48213\n==1== \n";
        assert_eq!(super::collected(said), Some(48213));
        assert_eq!(super::collected("no such line"), None);
    }
}
