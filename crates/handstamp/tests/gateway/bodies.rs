//! Bodies on their way through: as they come, both ways.

use tokio::io::AsyncWriteExt;

use super::support::{Application, Running, raw_application, read_to_end, read_until, status};

#[tokio::test]
async fn an_answer_streams_before_it_is_complete() {
    let (more, wait) = tokio::sync::oneshot::channel::<()>();
    let wait = std::sync::Arc::new(tokio::sync::Mutex::new(Some(wait)));
    let application = raw_application(move |mut stream| {
        let wait = std::sync::Arc::clone(&wait);
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
            stream.write_all(head.as_bytes()).await.expect("written");
            let wait = wait.lock().await.take().expect("one request");
            wait.await.expect("the client has the first part");
            stream.write_all(b"6\r\nsecond\r\n0\r\n\r\n").await.expect("written");
        }
    })
    .await;
    let gateway = Running::before(application).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.expect("written");
    // The application sends the rest only after the client has seen the beginning.
    read_until(&mut client, "first").await;
    more.send(()).expect("the application waits");
    assert!(read_to_end(&mut client).await.contains("second"));
}

#[tokio::test]
async fn a_request_streams_before_it_is_complete() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "first").await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ngot\r\n").await.expect("written");
        read_until(&mut stream, "second").await;
        stream.write_all(b"4\r\nboth\r\n0\r\n\r\n").await.expect("written");
    })
    .await;
    let gateway = Running::before(application).await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n\r\nfirst";
    client.write_all(head.as_bytes()).await.expect("written");
    read_until(&mut client, "got").await;
    client.write_all(b"second").await.expect("written");
    assert!(read_to_end(&mut client).await.contains("both"));
}

#[tokio::test]
async fn a_chunked_body_arrives_whole_and_without_trailers() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let answer = gateway
        .exchange(
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: X-User\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-User: root\r\n\r\n",
        )
        .await;
    assert_eq!(status(&answer), 200);
    let request = &application.received()[0];
    assert_eq!(request.body(), "abcde");
    assert!(!request.headers().contains_key("x-user"));
}

#[tokio::test]
async fn a_client_that_asks_before_sending_is_told_to_continue() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let mut client = gateway.connect().await;
    let head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    client.write_all(head.as_bytes()).await.expect("written");
    read_until(&mut client, "100 Continue\r\n\r\n").await;
    client.write_all(b"body").await.expect("written");
    assert_eq!(status(&read_to_end(&mut client).await), 200);
    let request = &application.received()[0];
    assert_eq!(request.body(), "body");
    assert!(!request.headers().contains_key("expect"));
}

#[tokio::test]
async fn an_answer_cut_off_by_the_application_is_cut_off_for_the_client() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
    })
    .await;
    let gateway = Running::before(application).await;
    let answer = gateway.get("/", "").await;
    assert!(answer.contains("first"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "it looks complete: {answer}");
}

/// RFC 9112, 6.3: where an answer has both, the encoding says where it ends.
#[tokio::test]
async fn an_answer_with_length_and_encoding_arrives_whole() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        let answer =
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        stream.write_all(answer.as_bytes()).await.expect("written");
    })
    .await;
    let gateway = Running::before(application).await;
    let answer = gateway.get("/", "").await.to_ascii_lowercase();
    assert_eq!(status(&answer), 200, "{answer}");
    assert!(!answer.contains("content-length") && answer.contains("\r\n5\r\nhello\r\n0\r\n\r\n"), "{answer}");
}
