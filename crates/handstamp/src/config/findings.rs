//! What is wrong with a configuration file, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The kind of a [`Finding`]: the stable part that scripts match on.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// The file cannot be read.
    File,
    /// The file is not TOML.
    Syntax,
    /// A key that means nothing here.
    UnknownKey,
    /// A key that must be given is not.
    Missing,
    /// A value of the wrong type or form.
    Value,
    /// Values that are well formed but do not fit together.
    Conflict,
}

impl FindingKind {
    /// A stable code for logs and scripts.
    pub fn code(self) -> &'static str {
        match self {
            Self::File => "HST-CONFIG-FILE",
            Self::Syntax => "HST-CONFIG-SYNTAX",
            Self::UnknownKey => "HST-CONFIG-UNKNOWN-KEY",
            Self::Missing => "HST-CONFIG-MISSING",
            Self::Value => "HST-CONFIG-VALUE",
            Self::Conflict => "HST-CONFIG-CONFLICT",
        }
    }
}

/// One thing that is wrong, said on one line: `file:line:column: CODE key: what to do`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    kind: FindingKind,
    file: PathBuf,
    position: Option<Position>,
    key: String,
    message: String,
}

impl Finding {
    /// Names and values come from the file: what would break the line, or do something to a terminal, is escaped.
    fn new(kind: FindingKind, file: &Path, position: Option<Position>, key: &str, message: &str) -> Self {
        let (key, message) = (escaped(key), escaped(message));
        Self { kind, file: file.to_owned(), position, key, message }
    }

    /// What kind of mistake it is.
    pub fn kind(&self) -> FindingKind {
        self.kind
    }

    /// The line in the file, counted from 1; none when the file as a whole is meant.
    pub fn line(&self) -> Option<usize> {
        self.position.map(|position| position.line)
    }

    /// The full name of the key, such as `web.orders.upstream`; empty for the file as a whole.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong and what to do, in words.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.kind.code())?;
        if !self.key.is_empty() {
            write!(f, " {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Everything that is wrong with one file; never empty when returned as an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// The finding that a file could not be read at all.
    pub(crate) fn unreadable(file: &Path, error: &std::io::Error) -> Self {
        Self(vec![Finding::new(FindingKind::File, file, None, "", &format!("cannot be read: {error}"))])
    }

    /// The findings, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

/// Line and column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    line: usize,
    column: usize,
}

/// Collects findings while a file is read, and knows on which line each key stands.
#[derive(Debug)]
pub struct Reader {
    file: PathBuf,
    positions: BTreeMap<String, Position>,
    findings: Vec<Finding>,
}

impl Reader {
    /// A reader for the text of `file`; relative paths in it are relative to the file's folder.
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), positions: BTreeMap::new(), findings: Vec::new() }
    }

    /// Parses `text` and remembers where each key stands.
    pub(crate) fn parse<'t>(&mut self, text: &'t str) -> Option<DeTable<'t>> {
        match DeTable::parse(text) {
            Ok(table) => {
                let table = table.into_inner();
                let lines = LineIndex::new(text);
                self.remember_table(&table, "", &lines);
                Some(table)
            }
            Err(error) => {
                let position = error.span().map(|span| LineIndex::new(text).position(span.start));
                let message = error.message().replace('\n', "; ");
                self.findings.push(Finding::new(FindingKind::Syntax, &self.file, position, "", &message));
                None
            }
        }
    }

    /// Records that what stands at `key` is wrong. When the key itself is not in the file, the
    /// nearest table around it gives the line.
    pub fn report(&mut self, kind: FindingKind, key: &str, message: impl Into<String>) {
        let mut nearest = key;
        let position = loop {
            if let Some(position) = self.positions.get(nearest) {
                break Some(*position);
            }
            match nearest.rfind(['.', '[']) {
                Some(end) => nearest = &nearest[..end],
                None => break None,
            }
        };
        self.findings.push(Finding::new(kind, &self.file, position, key, &message.into()));
    }

    /// A path as the file means it: relative to the file's folder.
    pub fn resolve(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or_else(|| Path::new("")).join(path)
    }

    /// Whether nothing was found so far.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The value, or everything that was found.
    pub(crate) fn finish<T>(mut self, value: Option<T>) -> Result<T, Findings> {
        match value {
            Some(value) if self.findings.is_empty() => Ok(value),
            _ => {
                self.findings.sort_by_key(|finding| finding.position);
                Err(Findings(self.findings))
            }
        }
    }

    fn remember_table(&mut self, table: &DeTable<'_>, path: &str, lines: &LineIndex<'_>) {
        for (key, value) in table {
            let path = child_path(path, key.get_ref());
            self.positions.insert(path.clone(), lines.position(key.span().start));
            self.remember_value(value, &path, lines);
        }
    }

    fn remember_value(&mut self, value: &Spanned<DeValue<'_>>, path: &str, lines: &LineIndex<'_>) {
        match value.get_ref() {
            DeValue::Table(table) => self.remember_table(table, path, lines),
            DeValue::Array(array) => {
                for (index, element) in array.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    self.positions.insert(path.clone(), lines.position(element.span().start));
                    self.remember_value(element, &path, lines);
                }
            }
            _ => {}
        }
    }
}

/// The full name of `key` inside the table at `path`.
pub(crate) fn child_path(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn escaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            plain.extend(letter.escape_default());
        } else {
            plain.push(letter);
        }
    }
    plain
}

/// Where each line starts.
struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(1, |before| before.chars().count() + 1);
        Position { line, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let index = LineIndex::new("a\nbö\nc");
        assert_eq!(index.position(0), Position { line: 1, column: 1 });
        assert_eq!(index.position(2), Position { line: 2, column: 1 });
        assert_eq!(index.position(5), Position { line: 2, column: 3 });
        assert_eq!(index.position(6), Position { line: 3, column: 1 });
    }
}
