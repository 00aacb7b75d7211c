//! What tells an application who is there comes from the gateway, and from nobody else.

use super::browser::{Browser, Options, Site};
use super::support::Application;

#[tokio::test]
async fn connection_cannot_remove_what_the_gateway_adds() {
    let (site, application) = (Site::new(), Application::hello().await);
    let collector = Application::hello().await;
    let rest = format!(
        "[jwt]\nissuer = \"https://shop.example\"\nkey = \"{}/jwt.pem\"\n[telemetry]\ncollector = \"http://{}\"\n",
        site.folder.path().display(),
        collector.address
    );
    let route = "session_header = \"X-Session\"\njwt_header = \"X-Jwt\"";
    let gateway = site.gateway(application.address, Options { route, rest: &rest, ..Options::default() }).await;
    let mut browser = Browser::default();
    browser.sign_in(&site, &gateway, "/", "alice", &["staff"]).await;
    let added = [
        "x-user",
        "x-roles",
        "x-session",
        "x-jwt",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "host",
        "x-request-id",
        "traceparent",
    ];
    let lines = format!("X-Own: 1\r\nConnection: x-own, {}\r\n", added.join(", "));
    assert_eq!(browser.send(&gateway, "GET", "/", &lines, "").await.status, 200);
    let received = application.received();
    for name in added {
        assert!(received[0].headers().contains_key(name), "{name} is gone");
    }
    assert_eq!(received[0].headers()["x-user"], "alice");
    assert!(!received[0].headers().contains_key("x-own"), "what is the client's, it may name");
}
