//! `handstamp xml` on every case of the golden data.

use handstamp_testkit::vectors;
use serde_json::Value as Json;

use crate::support::{Folder, cases, for_all, text};

/// The folder with a case's dictionaries, and the options that name them.
fn dictionaries(vectors: &Json, case: &Json) -> (Folder, String) {
    let folder = Folder::new();
    let mut options = String::new();
    if let Some(name) = case["dictionary"].as_str() {
        let strings = cases(&vectors["dictionaries"], name);
        // One string a line, and a JSON array: both are understood.
        let lines = || strings.iter().map(|string| string.as_str().unwrap()).collect::<Vec<_>>().join("\n");
        folder.put("strings", if name == "custom" { lines() } else { Json::from(strings).to_string() });
        options.push_str("--dictionary strings");
    }
    if case["sessionStrings"].is_array() {
        folder.put("session.json", case["sessionStrings"].to_string());
        options.push_str(" --session-dictionary session.json");
    }
    (folder, options)
}

fn bytes(case: &Json) -> Vec<u8> {
    let hex = text(case, "hex");
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn st_43_every_document_becomes_text_and_binary_again() {
    let vectors = vectors::load("nbfx");
    let all: Vec<&Json> = cases(&vectors, "cases").iter().chain(cases(&vectors, "decodeCases")).collect();
    for_all(&all, |case| {
        let (folder, options) = dictionaries(&vectors, case);
        let binary = if case["hex"].is_string() { bytes(case) } else { crate::support::base64(text(case, "binary")) };
        let from = format!("xml from-binary {options}");
        if case["lenient"] == true {
            folder.refusal(&from, &binary);
            return;
        }
        let out = folder.ok(&from, &binary);
        if let Some(golden) = case["text"].as_str() {
            assert_eq!(String::from_utf8_lossy(&out), golden, "{}", case["name"]);
        }
        let base64 = base64_simd::STANDARD.encode_to_string(&binary);
        assert!(folder.ok(&from, base64.as_bytes()) == out, "{}", case["name"]);
        assert!(!folder.ok(&format!("{from} --records"), &binary).is_empty());
        // Several elements side by side are binary XML, but no text document.
        if case["name"] != "array-of-bool" {
            let again = folder.ok(&format!("xml to-binary {options}"), &out);
            assert!(folder.ok(&from, &again) == out, "{}", case["name"]);
        }
    });
}

#[test]
fn every_invalid_document_is_refused() {
    let vectors = vectors::load("nbfx");
    for_all(cases(&vectors, "invalidCases"), |case| {
        let (folder, options) = dictionaries(&vectors, case);
        let code = folder.refusal(&format!("xml from-binary {options}"), &bytes(case));
        assert!(code.starts_with("HST-NBFX-"), "{}: {code}", case["name"]);
    });
}

#[test]
fn messages_of_wcf_become_text() {
    let vectors = vectors::load("nbfx");
    let folder = Folder::new();
    for message in cases(&vectors["messageEncoder"], "messages") {
        let out = folder.ok("xml from-binary --dictionary wcf", text(message, "plain").as_bytes());
        assert_eq!(String::from_utf8(out).unwrap(), text(message, "text"));
        let binary = folder.ok("xml to-binary --dictionary wcf --output base64", text(message, "text").as_bytes());
        let again = folder.ok("xml from-binary --dictionary wcf", &binary);
        assert_eq!(String::from_utf8(again).unwrap(), text(message, "text"));
    }
}
