//! WebSockets pass through.

use tokio::io::AsyncWriteExt;

use super::support::{Running, raw_application, read_to_end, read_until, status};

const UPGRADE: &str =
    "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n";

#[tokio::test]
async fn a_websocket_carries_bytes_both_ways() {
    let application = raw_application(|mut stream| async move {
        let head = read_until(&mut stream, "\r\n\r\n").await.to_ascii_lowercase();
        assert!(head.contains("upgrade: websocket") && head.contains("connection: upgrade"), "{head}");
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\nwelcome")
            .await
            .expect("written");
        read_until(&mut stream, "ping").await;
        stream.write_all(b"pong").await.expect("written");
    })
    .await;
    let gateway = Running::before(application).await;
    let mut client = gateway.connect().await;
    client.write_all(UPGRADE.as_bytes()).await.expect("written");
    let head = read_until(&mut client, "welcome").await;
    assert_eq!(status(&head), 101);
    client.write_all(b"ping").await.expect("written");
    assert_eq!(read_to_end(&mut client).await, "pong");
}

#[tokio::test]
async fn an_application_that_declines_answers_as_usual() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno").await.expect("written");
    })
    .await;
    let gateway = Running::before(application).await;
    let mut client = gateway.connect().await;
    client.write_all(UPGRADE.as_bytes()).await.expect("written");
    assert_eq!(status(&read_until(&mut client, "no").await), 426);
}

#[tokio::test]
async fn a_change_of_protocol_nobody_asked_for_is_a_bad_answer() {
    let application = raw_application(|mut stream| async move {
        read_until(&mut stream, "\r\n\r\n").await;
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n").await.expect("written");
    })
    .await;
    let answer = Running::before(application).await.get("/", "").await;
    assert_eq!(status(&answer), 502);
}
