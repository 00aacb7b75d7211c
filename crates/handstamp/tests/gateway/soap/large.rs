//! Large messages: bodies that pass as they come where TLS protects them, and limits where not.

use std::time::Duration;

use handstamp::config::Config;
use handstamp::gateway::Gateway;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::setting::{AS_ADA, Bootstrap, SOAP_11, SOAP_12, Setting, plain_ledger, request};
use crate::support::{Application, Running, raw_application, status};

/// A request with so many bytes in its body.
fn large(soap: &str, bytes: usize) -> String {
    let small = request(soap, "Balance", "");
    let (head, body) = small.split_once("\r\n\r\n").expect("a body");
    let body = body.replace(">1</l:Balance>", &format!(">{}</l:Balance>", "1".repeat(bytes)));
    let before = head.split("Content-Length: ").next().expect("a head");
    format!("{before}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// Sends a request that is answered before it has come as a whole.
async fn overheard(gateway: &Running, bytes: String) -> String {
    let (mut read, mut write) = gateway.connect().await.into_split();
    let sending = tokio::spawn(async move {
        // The gateway closes the connection meanwhile.
        let _ = write.write_all(bytes.as_bytes()).await;
        write
    });
    let mut answer = Vec::new();
    let _ = read.read_to_end(&mut answer).await;
    drop(sending.await);
    String::from_utf8(answer).expect("text")
}

/// Both gateways, with TLS between them.
async fn gateways(setting: &Setting, service: std::net::SocketAddr, limits: &str) -> (Running, Running) {
    let claims = format!("claims_to_headers = {{ X-User = \"name\" }}\n{limits}");
    let secured = setting.terminate_over_tls(service, &claims).await;
    let url = format!("https://localhost:{}/ledger", secured.address.port());
    let plain = setting.initiate(&url, &format!("{AS_ADA}\n{limits}")).await;
    (secured, plain)
}

#[tokio::test]
async fn sc_14_6_bodies_pass_as_they_come_where_tls_protects_them() {
    const SIZE: usize = 3_000_000;
    let setting = Setting::new(Bootstrap::Transport, true).await;
    let answer = "7".repeat(SIZE);
    let service = Application::answering(move |request| {
        let soap = if String::from_utf8_lossy(request.body()).contains(SOAP_11) { SOAP_11 } else { SOAP_12 };
        let text = format!(
            "<e:Envelope xmlns:e=\"{soap}\" xmlns:l=\"urn:ledger\"><e:Header><l:Served>yes</l:Served></e:Header>\
             <e:Body><l:Answer>{answer}</l:Answer></e:Body></e:Envelope>"
        );
        let media = if soap == SOAP_11 { "text/xml" } else { "application/soap+xml" };
        Response::builder().header("content-type", media).body(text).expect("a response")
    });
    let service = service.await;
    let limits = "max_message_size = \"64KiB\"\nmax_streamed_size = \"16MiB\"";
    let (_secured, plain) = gateways(&setting, service.address, limits).await;
    for _ in 0..2 {
        let answer = plain.exchange(large(SOAP_12, SIZE)).await;
        assert_eq!(status(&answer), 200, "{}", &answer[..1000.min(answer.len())]);
        assert!(answer.contains("<l:Answer>777") && answer.ends_with("777</l:Answer></e:Body></e:Envelope>"));
        assert!(answer.contains(">yes</") && answer.len() < SIZE + 2000, "{}", &answer[..1000]);
        let received = service.received();
        let body = String::from_utf8_lossy(received[0].body());
        let (start, end) = (&body[..1000], &body[body.len() - 60..]);
        assert!(body.len() > SIZE && end.ends_with("11</l:Balance></e:Body></e:Envelope>"), "{start}…{end}");
        assert!(start.contains("<Trace xmlns=\"urn:trace\"") && !start.contains("Security"), "{start}");
        assert_eq!(received[0].headers()["x-user"], "ada");
        assert_eq!(received[0].headers()["content-length"], body.len().to_string());
    }
    // The body cannot be put into another version of SOAP without holding it.
    let answer = overheard(&plain, large(SOAP_11, SIZE)).await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-STREAM"), "{answer}");
    let answer = overheard(&plain, large(SOAP_12, 17 << 20)).await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-SIZE"), "{answer}");
    assert!(service.received().is_empty());
}

#[tokio::test]
async fn what_has_to_be_held_is_limited_and_the_fault_says_so() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let url = format!("http://{}/ledger", secured.address);
    let plain = setting.initiate(&url, &format!("{AS_ADA}\nmax_message_size = \"64KiB\"")).await;
    for soap in [SOAP_11, SOAP_12] {
        let answer = overheard(&plain, large(soap, 100_000)).await;
        assert!(status(&answer) == 500 && answer.contains(soap) && answer.contains("HST-SOAP-SIZE"), "{answer}");
    }
    assert!(service.received().is_empty());

    // Where messages are signed and encrypted as a whole, nothing passes before it is there.
    setting.write_terminate(service.address, "", "max_streamed_size = \"16MiB\"");
    let config = Config::load(&setting.path("terminate.toml")).expect("a good configuration");
    let refused = Gateway::bind(&config).await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("max_streamed_size"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_does_not_read_holds_the_sender_back() {
    const DECLARED: usize = 512 << 20;
    let setting = Setting::new(Bootstrap::Transport, true).await;
    let idle = raw_application(|stream| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    });
    let limits = "max_message_size = \"64KiB\"\nmax_streamed_size = \"1GiB\"";
    let (_secured, plain) = gateways(&setting, idle.await, limits).await;
    let message = large(SOAP_12, 100_000);
    let length = message.split("Content-Length: ").nth(1).and_then(|rest| rest.split('\r').next()).expect("a length");
    let message = message.replace(&format!("Content-Length: {length}"), &format!("Content-Length: {DECLARED}"));
    let mut client = plain.connect().await;
    client.write_all(&message.as_bytes()[..message.len() - 200]).await.expect("written");
    let (chunk, mut sent) = (vec![b'1'; 64 << 10], 0);
    while let Ok(written) = tokio::time::timeout(Duration::from_secs(3), client.write(&chunk)).await {
        sent += written.expect("written");
        assert!(sent < DECLARED / 4, "the gateway takes everything in");
    }
}
