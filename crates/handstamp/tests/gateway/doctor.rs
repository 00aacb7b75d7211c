//! `handstamp doctor` says why a cookie or a sign-in fails.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use handstamp_time::{Clock, SystemClock};

use super::browser::{Browser, Options, Site};
use super::support::Application;

/// What the doctor says of `captured`, and its exit code.
pub(crate) fn doctor(site: &Site, toml: &str, arguments: &[&str], captured: &str) -> (i32, String) {
    let file = site.folder.path().join("handstamp.toml");
    std::fs::write(&file, toml).expect("written");
    let mut process = Command::new(env!("CARGO_BIN_EXE_handstamp"))
        .args(["doctor", "--config"])
        .arg(&file)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    process.stdin.take().expect("piped").write_all(captured.as_bytes()).expect("written");
    let output = process.wait_with_output().expect("it ends");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8");
    (output.status.code().expect("an exit code"), text)
}

#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_cookie_is_judged_as_the_gateway_judges_it() {
    let (site, application) = (Site::new(), Application::hello().await);
    let toml = site.toml(application.address, Options::default());
    let gateway = site.gateway(application.address, Options::default()).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &[]).await;
    let cookie = browser.session().expect("a session").to_owned();

    let header = format!("Cookie: other=1; {}", browser.cookie_header());
    let (code, text) = doctor(&site, &toml, &[], &header);
    assert_eq!(code, 0, "{text}");
    says(&text, &["GOOD session", "the current key", "The clock here says"]);
    assert!(!text.contains(&cookie) && !text.contains("alice"), "no secrets, no claims: {text}");

    let (code, text) = doctor(&site, &toml, &["--at", "2099-01-01T00:00:00Z"], &cookie);
    assert_eq!(code, 1);
    says(&text, &["FAILS ID4255", "2099-01-01T00:00:00Z", "NTP"]);

    let mut changed = cookie.clone().into_bytes();
    let last = changed.len() - 8;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let (code, text) = doctor(&site, &toml, &[], &String::from_utf8(changed).expect("text"));
    assert_eq!(code, 1);
    says(&text, &["FAILS HST-TOKEN-UNAUTHENTIC", "the current key"]);

    let elsewhere = Site::new();
    let toml = elsewhere.toml(application.address, Options::default());
    let (code, text) = doctor(&elsewhere, &toml, &[], &cookie);
    assert_eq!(code, 1);
    says(&text, &["which is not in the key ring here", "one ring for all nodes"]);

    let (code, text) = doctor(&elsewhere, &toml, &[], "Cookie: other=1; lang=de");
    assert_eq!(code, 1);
    says(&text, &["no session cookie", "other, lang"]);
}

#[tokio::test]
async fn an_issuers_answer_is_judged_with_its_reasons() {
    let (site, application) = (Site::new(), Application::hello().await);
    let toml = site.toml(application.address, Options::default());
    let gateway = site.gateway(application.address, Options::default()).await;
    let challenge = Browser::default().open(&gateway, "/").await;
    let form = site.answer(challenge.location(), "alice", &[]).to_query_string();
    let in_a_day = SystemClock.now().saturating_add(Duration::from_secs(86_400)).to_string();

    let (code, text) = doctor(&site, &toml, &[], &form);
    assert_eq!(code, 0, "{text}");
    says(&text, &["GOOD assertion", "urn:sts", "it counts once"]);

    let (code, text) = doctor(&site, &toml, &["--at", &in_a_day], &form);
    assert_eq!(code, 1);
    says(&text, &["FAILS ID", "expired", "NTP"]);

    let stranger = Site::new();
    let (code, text) = doctor(&stranger, &stranger.toml(application.address, Options::default()), &[], &form);
    assert_eq!(code, 1);
    says(&text, &["FAILS ID4175", "issuer.NAME.fingerprints"]);

    let wrong = toml.replace("realm = \"https://shop.example/\"", "realm = \"https://shop.example\"");
    let (code, text) = doctor(&site, &wrong, &[], &form);
    assert_eq!(code, 1);
    says(&text, &["https://shop.example/", "last slash"]);
}

#[test]
fn what_is_no_evidence_says_what_would_help() {
    let site = Site::new();
    let toml = site.toml(([127, 0, 0, 1], 9).into(), Options::default());
    let (code, text) = doctor(&site, &toml, &[], "");
    assert_eq!(code, 1);
    says(&text, &["HST-DOCTOR-INPUT", "paste a cookie"]);
    let soap = "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"/>";
    let (code, text) = doctor(&site, &toml, &[], soap);
    assert_eq!(code, 1);
    says(&text, &["soap open"]);
}
