//! `handstamp doctor` on a captured message.

use std::fs;
use std::process::Command;

use http::Response;

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, request};
use crate::support::Application;

#[tokio::test]
async fn the_doctor_says_what_becomes_of_a_captured_message() {
    let setting = Setting::new(Bootstrap::Certificate, true).await;
    // A service that answers nothing sensible: what it is asked is the capture.
    let captor = Application::answering(|_| Response::new(String::new())).await;
    setting.write_terminate(captor.address, "", "");
    let plain = setting.initiate(&format!("http://{}/ledger", captor.address), AS_ADA).await;
    plain.exchange(request(SOAP_12, "Balance", "")).await;
    let message = String::from_utf8(captor.received()[0].body().to_vec()).expect("text");
    let doctor = |message: &str, arguments: &[&str]| {
        fs::write(setting.path("message.xml"), message).expect("written");
        let output = Command::new(env!("CARGO_BIN_EXE_handstamp"))
            .args(["doctor", "--config", "terminate.toml", "message.xml"])
            .args(arguments)
            .current_dir(setting.folder.path())
            .output()
            .expect("it runs");
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).expect("text"))
    };
    let (code, said) = doctor(&message, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("SOAP ledger: good: a request for a session, of ada"), "{said}");
    assert!(!said.contains("secret of ada"), "{said}");

    let (code, said) = doctor(&message, &["--at", "2000-01-01T00:00:00Z"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILS") && said.contains("Timestamp") && said.contains("Clock: 2000-01-01"), "{said}");

    let at = message.find("CipherValue>").expect("ciphertext") + 20;
    let other = if message.as_bytes()[at] == b'A' { "B" } else { "A" };
    let tampered = [&message[..at], other, &message[at + 1..]].concat();
    let (code, said) = doctor(&tampered, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILS") && said.contains("InvalidSecurity"), "{said}");
}
