//! Fuzz targets, run without cargo-fuzz and on the stable compiler.
//!
//! libFuzzer needs coverage feedback, which the compiler's stable `-C passes` option gives. AddressSanitizer would need
//! nightly and finds little here: `unsafe` is denied in all but two small modules. `cargo fuzz` works with the same targets.

use crate::packages::{self, CXX};
use crate::process::{complaints, succeeds_or_says};
use crate::report::Outcome;
use crate::workspace::{Metadata, cargo, root};
use crate::{Chore, Failure};
use std::process::Command;

const MANIFEST: &str = "fuzz/Cargo.toml";
const SMOKE_SECONDS: u32 = 5;
const DEFAULT_SECONDS: u32 = 10;

/// What `cargo fuzz` gives the compiler, less what only nightly accepts.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Clink-dead-code -Cdebug-assertions -Ccodegen-units=1";

/// `cargo xtask fuzz [SECONDS] [TARGET]...`
pub(crate) fn run(arguments: &[String]) -> Chore {
    let (seconds, wanted) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u32>().is_ok() => (first.parse().unwrap_or(DEFAULT_SECONDS), rest),
        _ => (DEFAULT_SECONDS, arguments),
    };
    let outcome = fuzz(seconds, wanted).map_err(Failure::Broken)?;
    outcome.notes.iter().for_each(|note| println!("{note}"));
    Ok(outcome.failed == 0)
}

/// The part of `cargo xtask test`.
pub(crate) fn smoke() -> Outcome {
    if !root().join(MANIFEST).is_file() {
        return Outcome::skipped("there is no fuzz folder");
    }
    fuzz(SMOKE_SECONDS, &[]).unwrap_or_else(Outcome::skipped)
}

/// Builds every target once and runs each for `seconds`. The error says why fuzzing cannot be done here.
fn fuzz(seconds: u32, wanted: &[String]) -> Result<Outcome, String> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err("fuzzing without cargo-fuzz is set up for x86-64 Linux only".to_owned());
    }
    packages::ensure(&[CXX])?;
    let target_directory = Metadata::load("Cargo.toml").map_err(text)?.target_directory.join("fuzz");
    let targets: Vec<String> =
        Metadata::load(MANIFEST).map_err(text)?.packages.into_iter().flat_map(|package| package.binaries).collect();
    let mut build = cargo();
    // An explicit target keeps the flags away from build scripts.
    build.args([
        "build",
        "--manifest-path",
        MANIFEST,
        "--bins",
        "--target",
        "x86_64-unknown-linux-gnu",
        "--target-dir",
    ]);
    build.arg(&target_directory).env("RUSTFLAGS", FLAGS).env("CARGO_PROFILE_DEV_OPT_LEVEL", "1");
    if let Err(why) = complaints(&mut build) {
        return Ok(Outcome::failed(format!("the fuzz targets do not build\n{why}")));
    }

    let mut outcome = Outcome::default();
    for target in targets.iter().filter(|target| wanted.is_empty() || wanted.contains(target)) {
        println!("{target}: {seconds} s");
        let found = root().join("fuzz/artifacts").join(target);
        let corpus = target_directory.join("corpus").join(target);
        let folders = std::fs::create_dir_all(&found).and_then(|()| std::fs::create_dir_all(&corpus));
        folders.map_err(|error| format!("{}: {error}", corpus.display()))?;
        let mut fuzzer = Command::new(target_directory.join("x86_64-unknown-linux-gnu/debug").join(target));
        fuzzer
            .arg(format!("-max_total_time={seconds}"))
            .args(["-rss_limit_mb=1024", "-timeout=10", "-verbosity=0", "-print_final_stats=1"])
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(&corpus);
        let seeds = root().join("fuzz/seeds").join(target);
        if seeds.is_dir() {
            fuzzer.arg(seeds);
        }
        if let Err(said) = succeeds_or_says(&mut fuzzer) {
            println!("{said}");
            outcome = outcome.and(Outcome::failed(format!("{target} failed: see fuzz/artifacts/{target}\n{said}")));
        } else {
            outcome = outcome.and(Outcome::of(true));
        }
    }
    Ok(outcome.note(format!("{seconds} s a target, without AddressSanitizer")))
}

fn text(failure: Failure) -> String {
    match failure {
        Failure::Broken(text) | Failure::Usage(text) => text,
    }
}
