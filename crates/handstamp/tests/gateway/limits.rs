//! Limits of size and time, and what is said when one is reached.

use handstamp_testkit::ports::ReservedPort;
use tokio::io::AsyncWriteExt;

use super::support::{Application, Running, raw_application, read_to_end, read_until, status};

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_the_application_hears_of_it() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "max_body_size = 10", "").await;
    let answer = gateway.exchange("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").await;
    assert_eq!(status(&answer), 413);
    assert!(answer.contains("HST-GATEWAY-BODY-SIZE"), "{answer}");
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_refused() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "max_body_size = 10", "").await;
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n";
    let answer = gateway.exchange(chunked).await;
    assert_eq!(status(&answer), 413);
    assert!(application.received().is_empty());
    let exact = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhello worl\r\n0\r\n\r\n";
    assert_eq!(status(&gateway.exchange(exact).await), 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_with_431() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "max_header_size = \"8KiB\"", "", "").await;
    let line = format!("X-Long: {}\r\n", "a".repeat(20 << 10));
    assert_eq!(status(&gateway.get("/", &line).await), 431);
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn too_many_header_lines_are_refused_with_431() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "max_headers = 10", "", "").await;
    assert_eq!(status(&gateway.get("/", &"X-More: 1\r\n".repeat(20)).await), 431);
    assert_eq!(status(&gateway.get("/", "X-More: 1\r\n").await), 200);
}

#[tokio::test]
async fn a_head_that_trickles_ends_the_connection() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "header_timeout = \"20ms\"", "", "").await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow").await.expect("written");
    // The gateway ends it; a gateway that did not would keep this test waiting.
    read_to_end(&mut client).await;
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn a_body_that_stops_coming_is_refused() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "idle_timeout = \"20ms\"", "").await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello";
    client.write_all(head.as_bytes()).await.expect("written");
    let answer = read_to_end(&mut client).await;
    assert_eq!(status(&answer), 408);
    assert!(application.received().is_empty());
}

#[tokio::test]
async fn an_application_that_does_not_answer_in_time_is_504() {
    let application = raw_application(|mut stream| async move {
        read_to_end(&mut stream).await;
    })
    .await;
    let gateway = Running::with(application, "", "response_timeout = \"20ms\"", "").await;
    let answer = gateway.get("/", "").await;
    assert_eq!(status(&answer), 504);
    assert!(answer.contains("HST-GATEWAY-TIMEOUT"), "{answer}");
}

#[tokio::test]
async fn a_slow_upload_is_not_a_slow_application() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "response_timeout = \"400ms\"", "").await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 6\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("written");
    for byte in b"upload" {
        // Together longer than the deadline for the answer, which begins with the last byte.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        client.write_all(&[*byte]).await.expect("written");
    }
    assert_eq!(status(&read_to_end(&mut client).await), 200);
}

#[tokio::test]
async fn an_answer_that_stands_still_is_cut_off() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await.expect("written");
        read_to_end(&mut stream).await;
    })
    .await;
    let gateway = Running::with(application, "", "idle_timeout = \"20ms\"", "").await;
    let answer = gateway.get("/", "").await;
    assert!(answer.ends_with("hello"), "{answer}");
}

#[tokio::test]
async fn an_application_that_is_not_there_is_502() {
    let gone = ReservedPort::new();
    let gateway = Running::before(gone.address()).await;
    let answer = gateway.get("/", "").await;
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("application/problem+json"), "{answer}");
    assert!(answer.contains("HST-GATEWAY-CONNECT"), "{answer}");
    let page = gateway.get("/", "Accept: text/html\r\n").await;
    assert_eq!(status(&page), 502);
    assert!(page.contains("text/html") && page.contains("<h1>"), "{page}");
}

#[tokio::test]
async fn an_application_that_talks_nonsense_is_502() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"SSH-2.0-OpenSSH\r\n\r\n").await.expect("written");
    })
    .await;
    let answer = Running::before(application).await.get("/", "").await;
    assert_eq!(status(&answer), 502);
    assert!(answer.contains("HST-GATEWAY-ANSWER"), "{answer}");
}

#[tokio::test]
async fn only_so_many_connections_are_served_at_a_time() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "max_connections = 1", "", "").await;
    let mut first = gateway.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    read_until(&mut first, "hello").await;
    let second = gateway.get("/", "");
    tokio::pin!(second);
    // The second connection waits while the first is open, and is served when it closes.
    let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut second).await;
    assert!(early.is_err(), "{early:?}");
    drop(first);
    assert_eq!(status(&second.await), 200);
}
