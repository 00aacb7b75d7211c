//! Requests that two servers could understand differently: none reaches the application as two.

use super::support::{Application, Running, status};

/// Requests that must be refused outright, whatever follows them.
const REFUSED: &[(&str, &str)] = &[
    ("two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    ("a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello"),
    ("a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    ("a hexadecimal length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    ("a length of nothing", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nhello"),
    ("an unknown encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: cow\r\n\r\nhello"),
    ("chunked not last", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("a folded line", "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n folded\r\n\r\n"),
    ("NUL in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\0\r\n\r\n"),
    ("CR in a value", "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\rX-B: 2\r\n\r\n"),
    ("a space in a name", "GET / HTTP/1.1\r\nHost: a\r\nX A: 1\r\n\r\n"),
    ("no host", "GET / HTTP/1.1\r\n\r\n"),
    ("two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a host that is none", "GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n"),
    ("a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("a trace", "TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no HTTP", "hello\r\n\r\n"),
];

#[tokio::test]
async fn ambiguous_requests_are_refused_and_what_follows_them_is_not_read() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    for (what, request) in REFUSED {
        let smuggled = format!("{request}GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let answer = gateway.exchange(&smuggled).await;
        assert!(matches!(status(&answer), 400 | 501), "{what}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{what}: {answer}");
        assert!(application.received().is_empty(), "{what}");
    }
}

/// RFC 9112, 6.3: with both, the encoding wins, the length is removed, and the connection ends, so that
/// a proxy in front that believes the length finds nobody to talk to.
#[tokio::test]
async fn length_and_encoding_together_are_one_request_and_the_end_of_the_connection() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    for (first, second) in
        [("Content-Length: 5", "Transfer-Encoding: chunked"), ("Transfer-Encoding: chunked", "Content-Length: 5")]
    {
        let request = format!(
            "POST /one HTTP/1.1\r\nHost: a\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answer = gateway.exchange(&request).await;
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
        let received = application.received();
        assert_eq!(received.len(), 1);
        assert_eq!(received[0].uri(), "/one");
        assert!(
            !received[0].headers().contains_key("content-length") || received[0].headers()["content-length"] == "0"
        );
    }
}

#[tokio::test]
async fn broken_chunks_never_become_a_whole_request() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    for chunks in [
        "x\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloo\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        let answer = gateway.exchange(&request).await;
        assert!(!answer.contains("hello"), "{chunks:?}: {answer}");
        assert!(application.received().is_empty(), "{chunks:?}");
    }
}

#[tokio::test]
async fn addresses_that_climb_are_refused() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    for path in ["/public/../admin", "/public/%2e%2e/admin", "/public/..%2fadmin", "/a/..;/b", "/a%00"] {
        assert_eq!(status(&gateway.get(path, "").await), 400, "{path}");
    }
    assert!(application.received().is_empty());
    assert_eq!(status(&gateway.get("/a.b/c%20d%2Fe", "").await), 200);
    assert_eq!(application.received()[0].uri(), "/a.b/c%20d%2Fe");
}
