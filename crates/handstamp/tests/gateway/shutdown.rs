//! The end of the gateway.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{Application, Running, raw_application, read_to_end, read_until, status};

#[tokio::test]
async fn running_requests_finish_and_new_connections_are_not_accepted() {
    let (answer, may_answer) = tokio::sync::watch::channel(false);
    let (asked, mut was_asked) = tokio::sync::watch::channel(false);
    let application = raw_application(move |mut stream| {
        let (asked, mut may_answer) = (asked.clone(), may_answer.clone());
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            asked.send_replace(true);
            may_answer.wait_for(|may| *may).await.expect("the test lives");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").await.expect("written");
        }
    })
    .await;
    let gateway = Running::before(application).await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    was_asked.wait_for(|asked| *asked).await.expect("the application lives");

    let address = gateway.address;
    gateway.trigger.pull();
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!gateway.served.is_finished(), "it waits for the running request");
    answer.send_replace(true);
    let text = read_to_end(&mut client).await;
    assert!(text.ends_with("done"), "{text}");
    gateway.served.await.expect("no panic");
}

#[tokio::test]
async fn connections_without_a_request_do_not_hold_the_end_up() {
    let application = Application::hello().await;
    let gateway = Running::before(application.address).await;
    let mut idle = gateway.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    let answer = read_until(&mut idle, "hello").await;
    assert_eq!(status(&answer), 200);
    gateway.trigger.pull();
    gateway.served.await.expect("no panic");
    assert_eq!(read_to_end(&mut idle).await, "");
}

#[tokio::test]
async fn requests_that_take_too_long_are_cut_off() {
    let application = raw_application(|mut stream| async move {
        read_to_end(&mut stream).await;
    })
    .await;
    let gateway = Running::with(application, "", "", "[shutdown]\ndrain = \"20ms\"").await;
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    gateway.trigger.pull();
    gateway.served.await.expect("no panic");
}
