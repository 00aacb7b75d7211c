//! What each part came to, and the table at the end.

use std::fmt;
use std::time::Duration;

/// What a part came to. A part that runs tests counts them; any other part counts as one.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    /// What a reader should know: what was not run and why, what was found.
    pub(crate) notes: Vec<String>,
}

impl Outcome {
    pub(crate) fn of(success: bool) -> Self {
        Self { passed: u32::from(success), failed: u32::from(!success), ..Self::default() }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self { skipped: 1, notes: vec![format!("not run: {}", why.into())], ..Self::default() }
    }

    pub(crate) fn failed(why: impl Into<String>) -> Self {
        Self { failed: 1, notes: vec![why.into()], ..Self::default() }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(crate) fn and(mut self, other: Self) -> Self {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.notes.extend(other.notes);
        self
    }

    fn verdict(&self) -> &'static str {
        match self {
            Self { failed: 1.., .. } => "FAILED",
            Self { passed: 0, .. } => "skipped",
            _ => "ok",
        }
    }
}

/// The parts that ran, in order.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<(&'static str, Outcome, Duration)>,
}

impl Report {
    pub(crate) fn add(&mut self, part: &'static str, outcome: Outcome, took: Duration) {
        self.lines.push((part, outcome, took));
    }

    pub(crate) fn success(&self) -> bool {
        self.lines.iter().all(|(_, outcome, _)| outcome.failed == 0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut total = Outcome::default();
        let mut time = Duration::ZERO;
        for (part, outcome, took) in &self.lines {
            let Outcome { passed, failed, skipped, notes } = outcome;
            let seconds = took.as_secs_f32();
            write!(f, "{part:<10} {:<8} {seconds:>7.1} s  {passed:>5} passed", outcome.verdict())?;
            if *failed > 0 {
                write!(f, ", {failed} failed")?;
            }
            if *skipped > 0 {
                write!(f, ", {skipped} skipped")?;
            }
            writeln!(f)?;
            for line in notes.iter().flat_map(|note| note.lines()) {
                writeln!(f, "           {line}")?;
            }
            total = total.and(Outcome { notes: Vec::new(), ..outcome.clone() });
            time += *took;
        }
        writeln!(f, "total               {:>7.1} s", time.as_secs_f32())?;
        write!(f, "{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Report};
    use std::time::Duration;

    #[test]
    fn the_last_line_adds_up_and_a_failure_is_seen() {
        let mut report = Report::default();
        report.add("format", Outcome::of(true), Duration::from_secs(1));
        report.add("tests", Outcome { passed: 40, skipped: 2, ..Outcome::default() }, Duration::from_secs(2));
        report.add("deny", Outcome::skipped("cargo-deny is not installed"), Duration::ZERO);
        assert!(report.success());
        let text = report.to_string();
        assert!(text.ends_with("41 passed, 0 failed, 3 skipped"), "{text}");
        assert!(text.contains("not run: cargo-deny is not installed"), "{text}");

        report.add("docs", Outcome::failed("a broken link"), Duration::ZERO);
        assert!(!report.success());
        assert!(report.to_string().ends_with("41 passed, 1 failed, 3 skipped"));
    }
}
