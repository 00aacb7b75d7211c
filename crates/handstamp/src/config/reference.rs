//! The reference of all options, made from their declarations.

use std::fmt::Write;

use super::Config;
use super::schema::{OptionRow, Section};

/// All options as Markdown tables, one for each table of the file: key, value, default, meaning.
/// `docs/configuration.md` holds it, and a test keeps it there.
pub fn reference() -> String {
    let mut rows = Vec::new();
    Config::describe_table("", &mut rows);
    let mut text = String::new();
    let mut current = None;
    for row in &rows {
        let (table, key) = row.key.rsplit_once('.').unwrap_or(("", &row.key));
        if current != Some(table) {
            current = Some(table);
            let _ = write!(text, "\n### `[{table}]`\n\n| Key | Value | Default | Meaning |\n|---|---|---|---|\n");
        }
        let _ = writeln!(text, "| `{key}` | {} | {} | {} |", cell(&row.kind), default_of(row), cell(&row.doc));
    }
    text
}

fn default_of(row: &OptionRow) -> String {
    match row.default {
        Some(default) => format!("`{default}`"),
        None if row.required => "**required**".to_owned(),
        None => "–".to_owned(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
