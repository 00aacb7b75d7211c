//! The `handstamp` program.

fn main() -> std::process::ExitCode {
    handstamp::cli::main().into()
}
