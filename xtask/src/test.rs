//! `cargo xtask test`: every part that must hold before a change lands.

use crate::packages::{self, CADDY, CHROMEDRIVER, CHROMIUM, MONO, NGINX, POSTGRESQL, REDIS, XMLLINT, XMLSEC1};
use crate::process::{TestCount, complaints, count_tests, on_path, succeeds, succeeds_silently};
use crate::report::{Outcome, Report};
use crate::workspace::{Metadata, cargo};
use crate::{Chore, Failure, fuzz, interop, layers};
use std::process::Command;
use std::time::Instant;

/// A part of the whole: a name to call it by, what it proves, and how.
struct Part {
    name: &'static str,
    about: &'static str,
    run: fn() -> Outcome,
}

/// In the order in which they run: cheap and telling first; what builds on another part's artifacts after it.
const PARTS: [Part; 10] = [
    Part { name: "format", about: "the code is formatted as rustfmt.toml says", run: format },
    Part {
        name: "layers",
        about: "dependencies point down only, cryptography and I/O stay where they belong",
        run: layer,
    },
    Part { name: "examples", about: "every library has an example that runs with the tests", run: examples },
    Part { name: "deny", about: "licenses, sources and banned crates (deny.toml)", run: deny },
    Part { name: "clippy", about: "no warning in any target", run: clippy },
    Part { name: "tests", about: "unit and integration tests of the whole workspace", run: tests },
    Part { name: "docs", about: "documentation without warnings, its examples run", run: docs },
    Part { name: "browser", about: "the demo in a real Chromium", run: browser },
    Part {
        name: "interop",
        about: "live peers, in both roles: npm's packages for WS-Federation, Apache CXF and plain clients for secure sessions",
        run: interop::run,
    },
    Part { name: "fuzz", about: "every fuzz target for some seconds", run: fuzz::smoke },
];

pub(crate) fn run(arguments: &[String]) -> Chore {
    let mut only: Vec<&str> = Vec::new();
    let mut skip: Vec<&str> = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let list = match argument.as_str() {
            "--only" => &mut only,
            "--skip" => &mut skip,
            "--list" => {
                PARTS.iter().for_each(|part| println!("{:<10} {}", part.name, part.about));
                return Ok(true);
            }
            other => {
                return Err(Failure::Usage(format!("unknown option {other}; try --only PART, --skip PART, --list")));
            }
        };
        let name = arguments.next().map(String::as_str).unwrap_or_default();
        if !PARTS.iter().any(|part| part.name == name) {
            return Err(Failure::Usage(format!("no part is called \"{name}\"; --list names them")));
        }
        list.push(name);
    }

    let mut report = Report::default();
    for part in &PARTS {
        if skip.contains(&part.name) || (!only.is_empty() && !only.contains(&part.name)) {
            continue;
        }
        println!("\n=== {}: {}", part.name, part.about);
        let start = Instant::now();
        let outcome = (part.run)();
        report.add(part.name, outcome, start.elapsed());
    }
    println!("\n=== summary\n{report}");
    Ok(report.success())
}

fn format() -> Outcome {
    Outcome::of(succeeds(cargo().args(["fmt", "--all", "--", "--check"])))
}

fn layer() -> Outcome {
    match layers::check() {
        Ok(violations) if violations.is_empty() => Outcome::of(true),
        Ok(violations) => {
            violations.iter().for_each(|violation| println!("{violation}"));
            Outcome::failed(violations.join("\n           "))
        }
        Err(Failure::Broken(why) | Failure::Usage(why)) => Outcome::failed(why),
    }
}

fn examples() -> Outcome {
    let metadata = match Metadata::load("Cargo.toml") {
        Ok(metadata) => metadata,
        Err(Failure::Broken(why) | Failure::Usage(why)) => return Outcome::failed(why),
    };
    let libraries = metadata.packages.iter().filter(|package| package.published && package.binaries.is_empty());
    let without: Vec<&str> =
        libraries.filter(|package| !package.tests_an_example).map(|package| package.name.as_str()).collect();
    match without.as_slice() {
        [] => Outcome::of(true),
        names => Outcome::failed(format!("without an [[example]] with `test = true`: {}", names.join(", "))),
    }
}

fn deny() -> Outcome {
    if !on_path("cargo-deny") {
        return Outcome::skipped("cargo-deny is not installed (cargo install --locked cargo-deny)");
    }
    let offline = succeeds(cargo().args(["deny", "--offline", "check", "licenses", "bans", "sources"]));
    let advisories = || succeeds_silently(cargo().args(["deny", "check", "advisories"]));
    let fetchable = || succeeds_silently(cargo().args(["deny", "fetch", "db"]));
    let advice = if fetchable() {
        Outcome::of(advisories()).note("advisories were looked at")
    } else {
        Outcome::skipped("advisories (the advisory database cannot be reached)")
    };
    Outcome::of(offline).and(advice)
}

fn clippy() -> Outcome {
    // Some tests are off by default (`test = false`), so they have to be asked for by name.
    let everything = |which: &[&str]| {
        complaints(cargo().args(["clippy", "--locked", "--workspace"]).args(which).args(["--", "-D", "warnings"]))
    };
    everything(&["--all-targets"])
        .and_then(|()| everything(&["--test", "browser", "--test", "peers", "--test", "cxf"]))
        .into()
}

fn tests() -> Outcome {
    // The differential tests against other implementations pass over themselves where those are missing.
    let tools = [
        ("comparisons with xmlsec1 and libxml2", packages::ensure(&[XMLSEC1, XMLLINT])),
        ("comparisons with the class library of Mono", packages::ensure(&MONO)),
        ("sign-in behind nginx and Caddy", packages::ensure(&[NGINX, CADDY])),
        ("stores in Redis and PostgreSQL", packages::ensure(&[REDIS, POSTGRESQL])),
        ("sign-in behind Traefik", traefik()),
    ];
    let count = count_tests(cargo().args([
        "test",
        "--locked",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
        "--examples",
        "--no-fail-fast",
    ]));
    tools.into_iter().fold(Outcome::from(count), |outcome, (what, tools)| match tools {
        Ok(()) => outcome,
        Err(why) => outcome.and(Outcome::skipped(format!("{what}; {why}"))),
    })
}

/// Debian has no package of it.
fn traefik() -> Result<(), String> {
    on_path("traefik")
        .then_some(())
        .ok_or_else(|| "missing: traefik (CONTRIBUTING.md says where it comes from)".to_owned())
}

fn docs() -> Outcome {
    let pages = Outcome::from(complaints(
        cargo().args(["doc", "--locked", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"),
    ));
    pages.and(count_tests(cargo().args(["test", "--locked", "--workspace", "--doc", "--no-fail-fast"])).into())
}

fn browser() -> Outcome {
    if let Err(why) = packages::ensure(&[CHROMIUM, CHROMEDRIVER]) {
        return Outcome::skipped(why);
    }
    if !succeeds_silently(Command::new("chromedriver").arg("--version")) {
        return Outcome::failed("chromedriver is there but does not start");
    }
    // `--workspace` keeps the features, and so the artifacts, of the part before.
    count_tests(cargo().args(["test", "--locked", "--workspace", "--test", "browser", "--no-fail-fast"])).into()
}

impl From<TestCount> for Outcome {
    fn from(count: TestCount) -> Self {
        let TestCount { passed, failed, ignored, failures } = count;
        let notes = if failed == 0 { Vec::new() } else { vec![failures.text_or("see above")] };
        Self { passed, failed, skipped: ignored, notes }
    }
}

/// The error is what there is to complain about.
impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        result.map_or_else(Self::failed, |()| Self::of(true))
    }
}
