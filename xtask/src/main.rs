//! The project's own chores, one command each.
//!
//! ```text
//! cargo xtask test                     everything that must hold before a change lands
//! cargo xtask test --only browser      one part of it (may be repeated)
//! cargo xtask fuzz 60                  every fuzz target for 60 seconds
//! cargo xtask bench                    the benchmarks, against the real alternatives
//! cargo xtask bench-gateway            the gateway beside nginx and oauth2-proxy
//! cargo xtask bench-instructions       the same questions counted in instructions, by callgrind
//! ```
//!
//! The program needs nothing but Rust and a C compiler to start. What a part needs beyond that (a browser, xmlsec1) it
//! installs with apt where it may, and says so plainly where it may not.

#![allow(clippy::print_stdout, reason = "a command line program talks on standard output")]

mod bench;
mod fuzz;
mod interop;
mod layers;
mod packages;
mod process;
mod report;
mod test;
mod workspace;

use std::process::ExitCode;

const HELP: &str = "\
The project's own chores.

Usage: cargo xtask <COMMAND>

  test [--only PART]... [--skip PART]... [--list]
                        run every part, or only the ones named
  fuzz [SECONDS] [TARGET]...
                        run the fuzz targets, 10 seconds each unless told
  bench [ARGS]...       run the benchmarks; ARGS go to criterion (try --quick)
  bench-gateway         load the gateway, nginx and oauth2-proxy in turns
  bench-instructions    count instructions with callgrind

Exit status: 0 all passed, 1 something failed, 2 the command line was wrong.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let arguments: Vec<String> = arguments.collect();
    let result = match command.as_str() {
        "test" => test::run(&arguments),
        "fuzz" => fuzz::run(&arguments),
        "bench" => bench::run(&arguments),
        "bench-gateway" => bench::run_gateway(),
        "bench-instructions" => bench::run_instructions(),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => Err(Failure::Usage(HELP.to_owned())),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Failure::Usage(text)) => {
            eprintln!("{text}");
            ExitCode::from(2)
        }
        Err(Failure::Broken(text)) => {
            eprintln!("xtask: {text}");
            ExitCode::from(1)
        }
    }
}

/// Why a chore could not even be tried.
#[derive(Debug)]
enum Failure {
    /// The command line made no sense; the text is what to print.
    Usage(String),
    /// The machine or the repository is not in a state to work with.
    Broken(String),
}

/// `Ok(true)` when everything passed.
type Chore = Result<bool, Failure>;
