//! Headers on their way through.

use http::Response;

use super::support::{Application, Running, status};

#[tokio::test]
async fn the_application_learns_who_asked_and_how() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let answer =
        gateway.get("/orders?id=7", "X-Own: 1\r\nX-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n").await;
    assert_eq!(status(&answer), 200);
    let request = &application.received()[0];
    assert_eq!(request.uri(), "/orders?id=7");
    let header = |name: &str| request.headers()[name].to_str().expect("text");
    assert_eq!(header("host"), "shop.example");
    assert_eq!(header("x-own"), "1");
    assert_eq!(header("x-forwarded-for"), "127.0.0.1");
    assert_eq!(header("x-forwarded-proto"), "http");
    assert_eq!(header("x-forwarded-host"), "shop.example");
    assert_eq!(header("forwarded"), "for=127.0.0.1;host=\"shop.example\";proto=http");
    assert_eq!(header("x-request-id").len(), 16);
}

#[tokio::test]
async fn a_trusted_proxy_is_believed() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "trusted_proxies = [\"127.0.0.0/8\"]", "", "").await;
    gateway
        .get("/", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\n")
        .await;
    let request = &application.received()[0];
    assert_eq!(request.headers()["x-forwarded-for"], "1.1.1.1, 127.0.0.1");
    assert_eq!(request.headers()["x-forwarded-proto"], "https");
    assert_eq!(request.headers()["host"], "public.example");
}

#[tokio::test]
async fn a_request_keeps_the_name_that_a_trusted_proxy_has_given_it() {
    let application = Application::hello().await;
    let trusting = Running::with(application.address, "trusted_proxies = [\"127.0.0.0/8\"]", "", "").await;
    let wary = Running::before(application.address).await;
    let given = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    for (gateway, name, is_kept) in [(&trusting, given, true), (&trusting, "a b", false), (&wary, given, false)] {
        let line = format!("X-Request-Id: {name}\r\n");
        assert_eq!(status(&gateway.get("/", &line).await), 200);
        let received = application.received();
        let seen = received[0].headers()["x-request-id"].to_str().expect("text");
        assert!(if is_kept { seen == name } else { seen.len() == 16 }, "{name}: {seen}");
        let refused = gateway.get("/../", &line).await;
        assert_eq!(refused.to_ascii_lowercase().contains(&format!("x-request-id: {name}\r\n")), is_kept, "{refused}");
    }
}

#[tokio::test]
async fn hop_by_hop_headers_end_at_the_gateway_in_both_directions() {
    let application = Application::answering(|_| {
        Response::builder()
            .header("connection", "x-inner")
            .header("x-inner", "1")
            .header("keep-alive", "timeout=1")
            .header("x-outer", "1")
            .body("hello".to_owned())
            .expect("a response")
    })
    .await;
    let gateway = Running::before(application.address).await;
    let answer = gateway
        .exchange(
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nProxy-Authorization: x\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Open: 1\r\n\r\n",
        )
        .await;
    let request = &application.received()[0];
    for name in ["x-secret", "proxy-authorization", "te", "upgrade", "connection"] {
        assert!(!request.headers().contains_key(name), "{name} passed");
    }
    assert!(request.headers().contains_key("x-open"));
    let answer = answer.to_ascii_lowercase();
    assert!(answer.contains("x-outer: 1"), "{answer}");
    assert!(!answer.contains("x-inner:") && !answer.contains("keep-alive"), "{answer}");
}

#[tokio::test]
async fn the_application_may_see_its_own_host() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "host_header = \"upstream\"", "").await;
    gateway.get("/", "").await;
    let request = &application.received()[0];
    assert_eq!(request.headers()["host"], application.address.to_string());
    assert_eq!(request.headers()["x-forwarded-host"], "shop.example");
}

#[tokio::test]
async fn answers_to_head_keep_their_length_and_have_no_body() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let answer = gateway.exchange("HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert_eq!(status(&answer), 200);
    assert!(answer.to_ascii_lowercase().contains("content-length: 5"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn answers_without_body_pass_as_such() {
    for code in [204_u16, 304] {
        let application = Application::answering(move |_| {
            Response::builder().status(code).header("etag", "\"1\"").body(String::new()).expect("a response")
        })
        .await;
        let gateway = Running::before(application.address).await;
        // Two requests on one connection: were there a body, the second answer would not parse.
        let answer = gateway
            .exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        assert_eq!(answer.matches(&format!("HTTP/1.1 {code}")).count(), 2, "{answer}");
        assert!(!answer.to_ascii_lowercase().contains("transfer-encoding"), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
    }
}
