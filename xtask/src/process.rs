//! Running a command, and reading what a test run says.

use std::io::{BufRead as _, BufReader, Read, Write as _};
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

/// Runs cargo with our own output, and keeps the errors it reports: they would be far up the scroll when the last part ends.
pub(crate) fn complaints(command: &mut Command) -> Result<(), String> {
    let mut child = match command.stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return Err(format!("{}: {error}", command.get_program().to_string_lossy())),
    };
    let mut errors = Excerpt::default();
    if let Some(stderr) = child.stderr.take() {
        let mut ours = std::io::stderr().lock();
        for line in lines(stderr) {
            // A closed output is no reason to stop listening.
            let _ = ours.write_all(&line).and_then(|()| ours.write_all(b"\n"));
            errors.add_diagnostic(&String::from_utf8_lossy(&line));
        }
    }
    match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(errors.text_or(&format!("{} ended with {status}", command.get_program().to_string_lossy()))),
        Err(error) => Err(error.to_string()),
    }
}

/// Runs a command that talks much. What it said is the error when it fails, and forgotten when it does not.
pub(crate) fn succeeds_or_says(command: &mut Command) -> Result<(), String> {
    match command.stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Err(format!("{}\n{}", String::from_utf8_lossy(&said), output.status))
        }
        Err(error) => Err(format!("{}: {error}", command.get_program().to_string_lossy())),
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

fn lines(stream: impl Read) -> impl Iterator<Item = Vec<u8>> {
    BufReader::new(stream).split(b'\n').map_while(Result::ok)
}

/// What the test harness counted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct TestCount {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) ignored: u32,
    /// What the failed tests printed, or the compiler; cut.
    pub(crate) failures: Excerpt,
}

/// Runs `cargo test …`, passes its output on and adds up the harness's summary lines. A run that fails without a
/// failed test (it does not compile, it was killed) counts as one failure.
pub(crate) fn count_tests(command: &mut Command) -> TestCount {
    let mut count = TestCount::default();
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("{}: {error}", command.get_program().to_string_lossy());
            return TestCount { failed: 1, ..count };
        }
    };
    // Cargo talks on the one stream, the harness on the other; neither may wait for the other to be read.
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let compiler = std::thread::scope(|scope| {
        let compiler = scope.spawn(|| {
            let mut errors = Excerpt::default();
            for line in stderr.into_iter().flat_map(lines) {
                // A closed output is no reason to stop counting.
                let _ = std::io::stderr().write_all(&[line.as_slice(), b"\n"].concat());
                errors.add_diagnostic(&String::from_utf8_lossy(&line));
            }
            errors
        });
        for line in stdout.into_iter().flat_map(lines) {
            let _ = std::io::stdout().write_all(&[line.as_slice(), b"\n"].concat());
            let line = String::from_utf8_lossy(&line);
            count.add_line(&line);
            count.failures.add_test_output(&line);
        }
        compiler.join().unwrap_or_default()
    });
    let success = child.wait().is_ok_and(|status| status.success());
    if !success && count.failed == 0 {
        count.failed = 1;
        count.failures = compiler;
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

/// The lines of a long output that say what went wrong.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    lines: Vec<String>,
    inside: bool,
}

impl Excerpt {
    /// More would bury the summary that it stands in.
    const MOST_LINES: usize = 120;

    /// A line of the compiler: errors are kept, up to the empty line after them.
    fn add_diagnostic(&mut self, line: &str) {
        self.inside = line.starts_with("error") || (self.inside && !line.is_empty());
        self.keep(line);
    }

    /// A line of the test harness: what failed tests printed, from `---- name stdout ----` to the list of their names.
    fn add_test_output(&mut self, line: &str) {
        self.inside = (line.starts_with("---- ") && line.ends_with(" ----")) || (self.inside && line != "failures:");
        self.keep(line);
    }

    fn keep(&mut self, line: &str) {
        if self.inside && self.lines.len() < Self::MOST_LINES {
            self.lines.push(line.to_owned());
        }
    }

    pub(crate) fn text_or(&self, otherwise: &str) -> String {
        if self.lines.is_empty() { otherwise.to_owned() } else { self.lines.join("\n") }
    }
}

#[cfg(test)]
mod tests {
    use super::{Excerpt, TestCount};

    #[test]
    fn summary_lines_add_up_and_others_do_not_count() {
        let mut count = TestCount::default();
        count.add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s");
        count.add_line("test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 4 filtered out");
        count.add_line("test passed_and_failed ... ok");
        assert_eq!(count, TestCount { passed: 10, failed: 2, ignored: 1, ..TestCount::default() });
    }

    #[test]
    fn what_went_wrong_is_kept_and_the_rest_is_not() {
        let mut compiler = Excerpt::default();
        for line in ["   Compiling it", "error: unused", "  --> here", "", "warning: other", "error: could not compile"]
        {
            compiler.add_diagnostic(line);
        }
        assert_eq!(compiler.text_or("nothing"), "error: unused\n  --> here\nerror: could not compile");

        let mut harness = Excerpt::default();
        for line in ["test it ... FAILED", "failures:", "---- it stdout ----", "panicked", "failures:", "    it"] {
            harness.add_test_output(line);
        }
        assert_eq!(harness.text_or("nothing"), "---- it stdout ----\npanicked");
        assert_eq!(Excerpt::default().text_or("nothing"), "nothing");
    }
}
