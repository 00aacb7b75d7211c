//! Running a command, and reading what a test run says.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

/// Runs a command with our own output; true when it succeeds.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("{}: {error}", command.get_program().to_string_lossy());
            false
        }
    }
}

/// Runs a command without showing what it prints; true when it succeeds.
pub(crate) fn succeeds_silently(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// Whether a program of this name is on the path.
pub(crate) fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// What the test harness counted.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestCount {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
}

/// Runs `cargo test …`, passes its output on and adds up the harness's summary lines. A run that fails without a
/// failed test (it does not compile, it was killed) counts as one failure.
pub(crate) fn count_tests(command: &mut Command) -> TestCount {
    let mut count = TestCount::default();
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{}: {error}", command.get_program().to_string_lossy());
            return TestCount { failed: 1, ..count };
        }
    };
    if let Some(stdout) = child.stdout.take() {
        let mut ours = std::io::stdout().lock();
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            // A closed output is no reason to stop counting.
            let _ = ours.write_all(&line).and_then(|()| ours.write_all(b"\n"));
            count.add_line(&String::from_utf8_lossy(&line));
        }
    }
    let success = child.wait().is_ok_and(|status| status.success());
    if !success && count.failed == 0 {
        count.failed = 1;
    }
    count
}

impl TestCount {
    /// Adds a line of the form `test result: ok. 3 passed; 0 failed; 1 ignored; …`; other lines change nothing.
    fn add_line(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        for part in rest.split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TestCount;

    #[test]
    fn summary_lines_add_up_and_others_do_not_count() {
        let mut count = TestCount::default();
        count.add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s");
        count.add_line("test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out");
        count.add_line("test passed_and_failed ... ok");
        assert_eq!(count, TestCount { passed: 10, failed: 2, ignored: 1 });
    }
}
