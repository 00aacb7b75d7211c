//! The audit log of a gateway at work.

use serde_json::Value;

use super::browser::{Browser, Options, Site};
use super::support::{Application, status};

/// What was noted, without the times.
fn entries(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(site.folder.path().join("audit.jsonl")).expect("a file");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn who_came_and_went_and_who_was_refused_is_noted() {
    let (site, application) = (Site::new(), Application::hello().await);
    let rest = format!("[audit]\npath = \"{}/audit.jsonl\"\n", site.folder.path().display());
    let options = Options { route: "required_roles = [\"staff\"]", rest: &rest, ..Options::default() };
    let gateway = site.gateway(application.address, options).await;

    let mut alice = Browser::default();
    alice.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let mut bob = Browser::default();
    bob.sign_in(&site, &gateway, "/", "bob", &["guest"]).await;
    assert_eq!(bob.open(&gateway, "/").await.status, 403);
    alice.open(&gateway, "/signout").await;
    let mut stranger = Browser::default();
    stranger.cookies.insert("__Host-session".to_owned(), "garbage".to_owned());
    stranger.open(&gateway, "/").await;
    let answer = gateway
        .exchange("POST /signin-wsfed HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(status(&answer), 415, "{answer}");

    gateway.trigger.pull();
    gateway.served.await.expect("no panic");
    let entries = entries(&site);
    let events: Vec<&str> = entries.iter().filter_map(|entry| entry["event"].as_str()).collect();
    assert_eq!(
        events,
        ["sign-in", "sign-in", "access-denied", "sign-out", "session-rejected", "sign-in-rejected"],
        "{entries:#?}"
    );
    assert!(entries.iter().all(|entry| entry["federation"] == "shop" && entry["at"].is_string()));
    assert_eq!((&entries[0]["user"], &entries[0]["issuer"]), (&"alice".into(), &"urn:sts".into()));
    assert_eq!(entries[0]["session"], entries[3]["session"], "one session, one name");
    assert_eq!((&entries[2]["user"], &entries[2]["code"]), (&"bob".into(), &"HST-GATEWAY-ROLE".into()));
    assert_eq!(entries[2]["client"], "127.0.0.1");
    assert_eq!(entries[5]["code"], "HST-WSFED-FORM");
    let text = entries.iter().map(Value::to_string).collect::<String>();
    assert!(!text.contains("garbage"), "no cookie is ever noted");
}
