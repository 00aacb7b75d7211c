//! Any text as the configuration of an application of WIF or WCF: what comes of it is what the loader accepts and no more than an
//! import writes, its files lie beside it under names of their own, and no secret is anywhere but in its file.
#![no_main]

use handstamp_fuzz::config::Config;
use handstamp_fuzz::config::import::{Import, ImportError};
use handstamp_security_policy::CustomBinding;
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::path::Path;

fuzz_target!(|data: &[u8]| {
    // As long as the name is there.
    let _ = Import::read_named(data, Some("shop"));
    let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
    match Import::read(data) {
        Ok(import) => {
            check(&import, lines);
            check_secrets(&import, data);
        }
        Err(ImportError::Settings(problems)) => {
            assert!(!problems.is_empty());
            for problem in problems {
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem:?}");
                // Findings without a key are about what is no TOML.
                assert!(!problem.message.starts_with(' '), "not written as TOML: {problem:?}");
                assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn check(import: &Import, lines: usize) {
    let config = Config::parse(import.toml(), Path::new("handstamp.toml")).expect("what is written can be loaded");
    assert!(!config.explain().to_string().is_empty());
    // A line break in a setting would be a line of the new configuration.
    assert!(config.web.is_empty() && config.sts.is_none() && config.admin.is_none() && config.jwt.is_none());
    assert!(config.listener.values().all(|listener| listener.address.tcp().is_some_and(|address| address.ip().is_loopback())));

    let report = import.report().to_string();
    assert!(report.chars().all(|letter| letter == '\n' || !letter.is_control()), "{report:?}");
    assert!(import.report().entries().iter().all(|entry| entry.line.is_none_or(|line| (1..=lines).contains(&line))));

    let mut names = BTreeSet::from(["handstamp.toml", Import::MACHINE_KEY_FILE]);
    for (name, content) in import.files() {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        assert!(plain && !name.starts_with('.'), "{name:?}");
        assert!(names.insert(name), "{name} would be written twice");
        if name.ends_with(".binding.xml") {
            CustomBinding::parse(content).expect("a binding that can be read");
        }
    }
}

fn check_secrets(import: &Import, data: &[u8]) {
    let Some(element) = import.machine_key() else { return };
    let report = import.report().to_string();
    // Keys are long, and in hexadecimal digits.
    let words = element.split(['"', '\'']).map(str::trim);
    for key in words.filter(|word| word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        // One that stands elsewhere in the file, too, is no secret.
        if data.windows(key.len()).filter(|window| window.eq_ignore_ascii_case(key.as_bytes())).count() == 1 {
            assert!(!import.toml().contains(key) && !report.contains(key) && !format!("{import:?}").contains(key));
        }
    }
}
