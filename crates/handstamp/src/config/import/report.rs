//! What became of each setting, in words and as a table.

use std::collections::BTreeMap;
use std::fmt;

/// What became of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the new configuration, under this key.
    Carried(String),
    /// It needs nothing: the reason.
    Ignored(String),
    /// It means something that cannot be said here: the reason, and what to do.
    Unsupported(String),
}

/// One setting of the old configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its line, from 1; none for a default that the file does not mention.
    pub line: Option<usize>,
    /// Element and attribute, such as `cookieHandler/@name`.
    pub setting: String,
    /// Its value, shortened; never a key.
    pub value: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// Everything that was read, in the order of the file; defaults come last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    pub(super) entries: Vec<Entry>,
    pub(super) other_sections: BTreeMap<String, usize>,
    pub(super) steps: Vec<String>,
}

impl Report {
    pub(super) fn push(&mut self, line: Option<usize>, setting: &str, value: &str, outcome: Outcome) {
        let outcome = match outcome {
            Outcome::Carried(key) => Outcome::Carried(key),
            Outcome::Ignored(why) => Outcome::Ignored(one_line(&why)),
            Outcome::Unsupported(why) => Outcome::Unsupported(one_line(&why)),
        };
        self.entries.push(Entry { line, setting: setting.to_owned(), value: shorten(value), outcome });
    }

    pub(super) fn sort(&mut self) {
        self.entries.sort_by_key(|entry| entry.line.unwrap_or(usize::MAX));
    }

    /// All settings.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Sections that have nothing to do with sign-in, and how often each occurs.
    pub fn other_sections(&self) -> &BTreeMap<String, usize> {
        &self.other_sections
    }

    /// What a person has to do before the configuration works.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The settings that could not be carried over: what a person must look at.
    pub fn unsupported(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| matches!(entry.outcome, Outcome::Unsupported(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.entries.iter().map(|entry| entry.setting.chars().count()).max().unwrap_or(0);
        for entry in &self.entries {
            let line = entry.line.map_or_else(|| "default".to_owned(), |line| line.to_string());
            let (word, mark, text) = match &entry.outcome {
                Outcome::Carried(key) => ("carried", " -> ", key),
                Outcome::Ignored(why) => ("ignored", ": ", why),
                Outcome::Unsupported(why) => ("UNSUPPORTED", ": ", why),
            };
            let (value, mark) = if entry.value.is_empty() { ("", "") } else { (entry.value.as_str(), mark) };
            writeln!(f, "{line:>7}  {word:<11}  {:<width$}  {value}{mark}{text}", entry.setting)?;
        }
        let others: Vec<String> =
            self.other_sections.iter().map(|(name, count)| format!("<{name}> x{count}")).collect();
        let count: usize = self.other_sections.values().sum();
        write!(f, "{count} other sections were not looked into")?;
        if !others.is_empty() {
            write!(f, ": {}", others.join(", "))?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            let heading = if index == 0 { "\n\nBefore `handstamp serve`:" } else { "" };
            write!(f, "{heading}\n{:>3}. {step}", index + 1)?;
        }
        Ok(())
    }
}

/// Untrusted text for one line of a table: no control characters, at most 80 characters.
fn shorten(value: &str) -> String {
    let mut short: String = one_line(value).chars().take(80).collect();
    if value.chars().nth(80).is_some() {
        short.push('…');
    }
    short
}

/// Text in which there may be values of the old file, without control characters: a line break in a value would begin a line of
/// the report, or of the new configuration.
pub(super) fn one_line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
