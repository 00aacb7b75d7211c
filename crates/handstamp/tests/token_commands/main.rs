//! `handstamp token` and `handstamp xml` on the golden data.

#![allow(clippy::unwrap_used, reason = "a test whose data is not as expected must fail")]

mod binary_xml;
mod machine_key;
mod native;
mod sct_state;
mod support;
mod wif;

use support::Folder;

#[test]
fn st_24_chains_that_must_not_be_are_a_configuration_error() {
    let vectors = handstamp_testkit::vectors::load("session_token");
    let folder = Folder::with("farm.pem", vectors["keys"]["rsa2048Pkcs8Pem"].as_str().unwrap());
    let answer = folder.run("token decode --transforms deflate,rsa-encrypt --rsa-key farm.pem", b"");
    assert_eq!(answer.code, 3);
    assert!(answer.err.starts_with("HST-TRANSFORM-ENCRYPTION-ALONE: "), "{}", answer.err);
    let answer = folder.run("token decode --transforms deflate,dpapi", b"");
    assert_eq!(answer.code, 3);
    assert!(answer.err.contains("machine key"), "{}", answer.err);
}

#[test]
fn what_is_no_token_is_one_line_and_exits_with_1() {
    let folder = Folder::new();
    for input in
        [&b""[..], b"hello", b"<a/>", b"<a", b"\x00\x01\x02", b"AAEAAAD/////", b"{}", b"\xEF\xBB\xBF", b"====", b"B"]
    {
        for told in ["", "--format wif", "--format wif-payload", "--format sct-state", "--input xml", "--input cookie"]
        {
            folder.refusal(&format!("token decode {told}"), input);
        }
    }
    for input in [&b"{\"id\": 1}"[..], b"", b"[]", b"{", b"\xFF", b"{\"no\": \"field\"}"] {
        for format in ["wif", "wif-payload", "sct-state"] {
            let code = folder.refusal(&format!("token encode --format {format}"), input);
            assert_eq!(code, "HST-TOKEN-DESCRIPTION", "{format}");
        }
    }
    assert_eq!(folder.run("token decode missing.txt", b"").code, 4);
    assert_eq!(folder.refusal("token decode", &vec![b'A'; (16 << 20) + 1]), "HST-INPUT-SIZE");
}

#[test]
fn tokens_are_read_from_files_too() {
    let vectors = handstamp_testkit::vectors::load("session_token");
    let case = &vectors["cases"][3];
    let folder = Folder::with("payload.b64", case["payload"].as_str().unwrap());
    folder.put("token.json", case["token"].to_string());
    assert_eq!(folder.json("token decode payload.b64", b""), case["token"]);
    let written = folder.ok("token encode --format wif-payload token.json", b"");
    assert_eq!(written, case["payload"].as_str().unwrap().as_bytes());
    // Lines of a mail or an editor.
    let wrapped = case["payload"].as_str().unwrap().as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..]);
    assert_eq!(folder.json("token decode", &wrapped), case["token"]);
}
