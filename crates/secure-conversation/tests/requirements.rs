//! Every requirement of the specification (SC §18) is cited by a test: as `SC-54` in its text, or as `sc_54_` in its name.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

/// Numbers behind `mark`, as far as `end` follows them.
fn numbers(text: &str, mark: &str, end: impl Fn(&str) -> bool) -> BTreeSet<u32> {
    let behind = text.split(mark).skip(1);
    let found = behind.filter_map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = rest.split_at(digits);
        number.parse().ok().filter(|_| digits == 2 && end(rest))
    });
    found.collect()
}

fn cited(folder: &Path, is_test: bool, found: &mut BTreeSet<u32>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            cited(&path, is_test || name == "tests", found);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let tests = if is_test { &*text } else { text.split_once("#[cfg(test)]").map_or("", |(_, tests)| tests) };
            found.extend(numbers(tests, "SC-", |_| true));
            // A number behind the first is that of a section.
            found.extend(numbers(tests, "fn sc_", |rest| {
                rest.strip_prefix('_').is_some_and(|rest| !rest.starts_with(|first: char| first.is_ascii_digit()))
            }));
        }
    }
}

#[test]
fn every_requirement_is_cited_by_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let specification = std::fs::read_to_string(root.join("docs/spec/secure-conversation.md")).unwrap();
    let required = numbers(&specification, "**SC-", |rest| rest.starts_with("**"));
    assert!(required.len() > 60, "{required:?}");
    let mut found = BTreeSet::new();
    cited(&root.join("crates"), false, &mut found);
    let missing: Vec<_> = required.difference(&found).collect();
    assert!(missing.is_empty(), "no test cites {missing:?}");
}
