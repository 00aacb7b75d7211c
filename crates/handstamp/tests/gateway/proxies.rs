//! What other proxies say of a client: believed from those that are trusted, and from nobody else.

use super::support::{Application, Running, status};

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true";
const GET: &str = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn the_proxy_protocol_names_the_client() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, TRUSTING, "", "").await;
    let answer = gateway.exchange(format!("PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n{GET}")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let mut second = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x08\xc6\x33\x64\x01\x04\xd2\x01\xbb".to_vec();
    second.extend(GET.as_bytes());
    assert_eq!(status(&gateway.exchange(second).await), 200);
    let clients: Vec<_> =
        application.received().iter().map(|request| request.headers()["x-forwarded-for"].clone()).collect();
    assert_eq!(clients, ["192.0.2.7", "192.0.2.8"]);
}

#[tokio::test]
async fn a_connection_without_it_or_from_elsewhere_is_closed() {
    let application = Application::hello().await;
    let trusting = Running::with(application.address, TRUSTING, "", "").await;
    assert_eq!(trusting.exchange(GET).await, "", "no header");
    assert_eq!(trusting.exchange(format!("PROXY TCP4 999.0.2.7 1.1.1.1 1 1\r\n{GET}")).await, "", "a malformed one");
    let elsewhere = TRUSTING.replace("127.0.0.1", "10.0.0.1");
    let wary = Running::with(application.address, &elsewhere, "", "").await;
    assert_eq!(wary.exchange(format!("PROXY TCP4 192.0.2.7 1.1.1.1 1 1\r\n{GET}")).await, "", "not a trusted proxy");
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn forwarded_is_believed_where_it_is_the_header_of_choice() {
    let application = Application::hello().await;
    let listener = "trusted_proxies = [\"127.0.0.1\"]\nforwarding_headers = \"forwarded\"";
    let gateway = Running::with(application.address, listener, "", "").await;
    let answer = gateway.get("/", "Forwarded: for=192.0.2.7;proto=https;host=shop.example\r\n").await;
    assert_eq!(status(&answer), 200, "{answer}");
    let request = &application.received()[0];
    assert_eq!(request.headers()["x-forwarded-for"], "192.0.2.7, 127.0.0.1");
    assert_eq!(request.headers()["x-forwarded-proto"], "https");
    for lines in ["Forwarded: for=\"192.0.2.7\r\n", "Forwarded: for=192.0.2.7\r\nX-Forwarded-For: 192.0.2.8\r\n"] {
        let answer = gateway.get("/", lines).await;
        assert_eq!(status(&answer), 400, "{lines:?}: {answer}");
    }
    assert!(application.received().is_empty());
}

const CLAIMS: &str = "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n";

/// A balancer that passes connections on, and also one whose clients have addresses that are trusted.
#[tokio::test]
async fn clients_behind_the_proxy_protocol_are_no_proxies() {
    let application = Application::hello().await;
    let trusting = "trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]\nproxy_protocol = true";
    let gateway = Running::with(application.address, trusting, "", "").await;
    for header in ["TCP4 10.0.0.7 198.51.100.1 1234 443", "TCP4 192.0.2.7 198.51.100.1 1234 443", "UNKNOWN"] {
        let get = GET.replace("Connection", &format!("{CLAIMS}Connection"));
        assert_eq!(status(&gateway.exchange(format!("PROXY {header}\r\n{get}")).await), 200);
        let request = &application.received()[0];
        let client = header.split(' ').nth(1).unwrap_or("127.0.0.1");
        assert_eq!(request.headers()["x-forwarded-for"], client);
        assert_eq!(request.headers()["x-forwarded-proto"], "http");
        assert_eq!(request.headers()["host"], "shop.example");
    }
}

#[tokio::test]
async fn a_balancer_that_writes_headers_is_believed_where_that_is_said() {
    let application = Application::hello().await;
    let trusting = format!("{TRUSTING}\nforwarding_headers = \"x-forwarded\"");
    let gateway = Running::with(application.address, &trusting, "", "").await;
    for (claims, clients) in [("X-Forwarded-For: 192.0.2.9\r\n", "192.0.2.9, 127.0.0.1"), ("", "192.0.2.7, 127.0.0.1")]
    {
        let get = GET.replace("Connection", &format!("{claims}X-Forwarded-Proto: https\r\nConnection"));
        let answer = gateway.exchange(format!("PROXY TCP4 192.0.2.7 198.51.100.1 1234 443\r\n{get}")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let request = &application.received()[0];
        assert_eq!(request.headers()["x-forwarded-for"], clients);
        assert_eq!(request.headers()["x-forwarded-proto"], "https");
    }
}
