//! `handstamp token` and `handstamp xml` on the golden data.

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use handstamp_testkit::vectors;
use serde_json::Value as Json;

/// Exit code, standard output, standard error.
fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> (i32, Vec<u8>, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // The program may refuse its arguments without reading.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.code().unwrap(), output.stdout, String::from_utf8(output.stderr).unwrap())
}

fn folder_with(name: &str, content: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), content).unwrap();
    folder
}

fn machine_key(case: &Json) -> String {
    let attribute = |name: &str| format!("{name}=\"{}\"", case[name].as_str().unwrap());
    let attributes = ["validation", "decryption", "validationKey", "decryptionKey"].map(attribute).join(" ");
    format!("<machineKey {attributes} />")
}

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn payloads_and_xml_go_both_ways_byte_for_byte() {
    let vectors = vectors::load("session_token");
    let folder = tempfile::tempdir().unwrap();
    for name in ["forms-login", "actor-chain-depth-3", "bootstrap-security-token", "unicode-claims", "key-256-bytes"] {
        let case = vectors["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
        let payload = case["payload"].as_str().unwrap();
        let (code, out, err) = run(folder.path(), &["token", "decode"], payload.as_bytes());
        assert_eq!((code, err.as_str()), (0, ""), "{name}");
        assert_eq!(json(&out), case["token"], "{name}");
        let (code, again, _) = run(folder.path(), &["token", "encode", "--format", "wif-payload"], &out);
        assert_eq!((code, String::from_utf8(again).unwrap().as_str()), (0, payload), "{name}");
        let xml = case["tokenXml"]["none"].as_str().unwrap();
        let arguments = ["token", "encode", "--format", "wif", "--transforms", "none", "--output", "xml"];
        let (code, again, _) = run(folder.path(), &arguments, &out);
        assert_eq!((code, String::from_utf8(again).unwrap().as_str()), (0, xml), "{name}");
    }
}

#[test]
fn protected_cookies_open_with_their_keys_and_with_no_others() {
    let vectors = vectors::load("session_token");
    let folder = folder_with("farm.pem", vectors["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap());
    let case = &vectors["cases"][3];
    let chain = ["token", "decode", "--transforms", "deflate,rsa-sign,rsa-encrypt", "--rsa-key", "farm.pem"];
    for (field, hash) in [("deflateRsaSha256", "sha256"), ("deflateRsaSha1", "sha1")] {
        let xml = case["tokenXml"][field].as_str().unwrap();
        let (code, out, err) = run(folder.path(), &[&chain[..], &["--rsa-hash", hash]].concat(), xml.as_bytes());
        assert_eq!((code, err.as_str()), (0, ""), "{field}");
        assert_eq!(json(&out), case["token"]);
    }
    let xml = case["tokenXml"]["deflateRsaSha256"].as_str().unwrap();
    let (code, out, err) = run(folder.path(), &[&chain[..], &["--rsa-hash", "sha1"]].concat(), xml.as_bytes());
    assert_eq!((code, out.len(), err.lines().count()), (1, 0, 1), "{err}");
    assert!(err.starts_with("ID"), "{err}");

    let keys = vectors::load("machine_key");
    let case = &keys["sessionTokenCases"][0];
    std::fs::write(folder.path().join("key.xml"), machine_key(case)).unwrap();
    std::fs::write(folder.path().join("other.xml"), machine_key(&keys["cases"][1])).unwrap();
    let token = serde_json::to_vec(&case["token"]).unwrap();
    let encode = ["token", "encode", "--format", "wif", "--machine-key", "key.xml"];
    let (code, cookie, err) = run(folder.path(), &encode, &token);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(cookie.starts_with(b"77u/PD94bWw"), "byte order mark and declaration, in base64");
    let decode = ["token", "decode", "--machine-key", "key.xml"];
    assert_eq!(json(&run(folder.path(), &decode, &cookie).1), case["token"]);
    let rotated = ["token", "decode", "--machine-key", "other.xml", "--machine-key", "key.xml"];
    assert_eq!(json(&run(folder.path(), &rotated, &cookie).1), case["token"]);
    let (code, out, err) = run(folder.path(), &["token", "decode", "--machine-key", "other.xml"], &cookie);
    assert_eq!((code, out.len()), (1, 0));
    assert!(err.starts_with("HST-TOKEN-CRYPTOGRAPHIC: "), "{err}");
}

#[test]
fn validity_is_checked_unless_told_otherwise() {
    let vectors = vectors::load("session_token");
    let payload = vectors["cases"][0]["payload"].as_str().unwrap().as_bytes();
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = run(folder.path(), &["token", "decode", "--at", "2024-03-01T08:24:59Z"], payload);
    assert_eq!((code, out.len()), (1, 0));
    assert!(err.starts_with("ID4255: "), "{err}");
    assert_eq!(run(folder.path(), &["token", "decode", "--at", "2024-03-01T08:25:00Z"], payload).0, 0);
    assert_eq!(run(folder.path(), &["token", "decode", "--no-validate"], payload).0, 0);
}

#[test]
fn st_24_chains_that_must_not_be_are_a_configuration_error() {
    let vectors = vectors::load("session_token");
    let folder = folder_with("farm.pem", vectors["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap());
    let arguments = ["token", "decode", "--transforms", "deflate,rsa-encrypt", "--rsa-key", "farm.pem"];
    let (code, _, err) = run(folder.path(), &arguments, b"");
    assert_eq!(code, 3);
    assert!(err.starts_with("HST-TRANSFORM-ENCRYPTION-ALONE: "), "{err}");
    let (code, _, err) = run(folder.path(), &["token", "decode", "--transforms", "deflate,dpapi"], b"");
    assert_eq!(code, 3);
    assert!(err.contains("machine key"), "{err}");
}

#[test]
fn states_of_wcf_tokens_go_both_ways() {
    let vectors = vectors::load("sct_cookie");
    let folder = tempfile::tempdir().unwrap();
    for case in vectors["cases"].as_array().unwrap().iter().step_by(5) {
        let state = case["state"].as_str().unwrap();
        let (code, out, err) = run(folder.path(), &["token", "decode"], state.as_bytes());
        assert_eq!((code, err.as_str()), (0, ""), "{}", case["name"]);
        assert_eq!(json(&out), case["token"], "{}", case["name"]);
        let (code, again, _) = run(folder.path(), &["token", "encode", "--format", "sct-state"], &out);
        assert_eq!((code, String::from_utf8(again).unwrap().as_str()), (0, state), "{}", case["name"]);
    }
}

#[test]
fn what_is_no_token_is_one_line_and_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    for input in [&b""[..], b"hello", b"<a/>", b"\x00\x01\x02", b"AAEAAAD/////", b"{}"] {
        let (code, out, err) = run(folder.path(), &["token", "decode"], input);
        assert_eq!((code, out.len(), err.lines().count()), (1, 0, 1), "{input:?}: {err}");
    }
    let (code, _, err) = run(folder.path(), &["token", "encode", "--format", "wif"], b"{\"id\": 1}");
    assert_eq!((code, err.lines().count()), (1, 1), "{err}");
    assert_eq!(run(folder.path(), &["token", "decode", "missing.txt"], b"").0, 4);
}

#[test]
fn binary_xml_goes_both_ways_with_dictionaries() {
    let vectors = vectors::load("nbfx");
    let strings = vectors["dictionaries"]["custom"].as_array().unwrap().iter().map(|s| s.as_str().unwrap());
    let folder = folder_with("words.txt", &strings.collect::<Vec<_>>().join("\n"));
    let case = |name: &str| vectors["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
    let session = case("session-dictionary");
    std::fs::write(folder.path().join("session.json"), session["sessionStrings"].to_string()).unwrap();
    let arguments = ["--dictionary", "words.txt", "--session-dictionary", "session.json"];
    let from = [&["xml", "from-binary"], &arguments[..]].concat();
    let (code, out, _) = run(folder.path(), &from, session["hex"].as_str().unwrap().as_bytes());
    assert_eq!((code, String::from_utf8(out.clone()).unwrap().as_str()), (0, session["text"].as_str().unwrap()));
    let to = [&["xml", "to-binary"], &arguments[..]].concat();
    let (code, binary, _) = run(folder.path(), &to, &out);
    assert_eq!(code, 0);
    assert_eq!(run(folder.path(), &from, &binary).1, out);

    let message = &vectors["messageEncoder"]["messages"][0];
    let plain = message["plain"].as_str().unwrap();
    let (code, out, _) = run(folder.path(), &["xml", "from-binary", "--dictionary", "wcf"], plain.as_bytes());
    assert_eq!((code, String::from_utf8(out).unwrap().as_str()), (0, message["text"].as_str().unwrap()));
    let records = ["xml", "from-binary", "--records", "--dictionary", "wcf"];
    let (code, out, _) = run(folder.path(), &records, plain.as_bytes());
    assert_eq!(code, 0);
    assert!(String::from_utf8(out).unwrap().contains("UniqueIdTextWithEndElement"));
    for case in vectors["invalidCases"].as_array().unwrap().iter().step_by(4) {
        let (code, out, err) = run(folder.path(), &["xml", "from-binary"], case["hex"].as_str().unwrap().as_bytes());
        assert_eq!((code, out.len(), err.lines().count()), (1, 0, 1), "{}: {err}", case["name"]);
    }
}
