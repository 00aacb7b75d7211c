//! What is on the wire: headers that are encrypted, messages that come twice, and limits for one address.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use handstamp_keys::{KeyKind, SigningIdentity, SystemRandom};
use handstamp_time::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::{exchange, status};

/// Between two gateways, listening.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Tap {
    async fn before(service: SocketAddr) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = socket.local_addr().expect("an address");
        let heard: Arc<Mutex<Vec<u8>>> = Arc::default();
        let ear = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((near, _)) = socket.accept().await {
                let far = TcpStream::connect(service).await.expect("connected");
                let (mut near_in, mut near_out) = near.into_split();
                let (mut far_in, mut far_out) = far.into_split();
                let ear = Arc::clone(&ear);
                tokio::spawn(async move {
                    let mut buffer = [0; 16 << 10];
                    while let Ok(read @ 1..) = near_in.read(&mut buffer).await {
                        ear.lock().expect("no panic").extend_from_slice(&buffer[..read]);
                        far_out.write_all(&buffer[..read]).await.expect("written");
                    }
                });
                tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
            }
        });
        Self { address, heard }
    }

    /// The last request, as one that wants the connection closed.
    fn last_request(&self) -> String {
        let heard = String::from_utf8(self.heard.lock().expect("no panic").clone()).expect("text");
        let last = heard.rfind("POST /").expect("a request");
        heard[last..].replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
    }
}

#[tokio::test]
async fn sc_8_6_headers_of_the_application_are_encrypted_where_the_route_says_so() {
    for (encrypted, is_readable) in [("", true), ("encrypted_headers = [\"{urn:trace}Trace\"]", false)] {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
        let secured = setting.terminate(service.address, "", "encrypted_headers = [\"{urn:ledger}*\"]").await;
        let tap = Tap::before(secured.address).await;
        let route = format!("{AS_ADA}\n{encrypted}");
        let plain = setting.initiate(&format!("http://{}/ledger", tap.address), &route).await;
        let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
        assert!(status(&answer) == 200 && answer.contains(">yes</Served>"), "{answer}");
        let message = tap.last_request();
        assert_eq!(message.contains("urn:trace"), is_readable, "{message}");
        assert_eq!(message.contains("EncryptedHeader"), !is_readable, "{message}");
        let received = String::from_utf8_lossy(service.received()[0].body()).into_owned();
        assert!(received.contains("<Trace xmlns=\"urn:trace\">7</Trace>"), "{received}");
    }
}

#[tokio::test]
async fn sc_19_12_a_message_counts_once_on_all_nodes_when_the_store_remembers_it() {
    for (memory, again) in [("node", 200), ("store", 500)] {
        let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
        let route = format!("replay_memory = \"{memory}\"\n[store]\nkind = \"sqlite\"\npath = \"handstamp.db\"");
        let one = setting.terminate(service.address, "", &route).await;
        let other = setting.terminate(service.address, "", &route).await;
        let tap = Tap::before(one.address).await;
        let plain = setting.initiate(&format!("http://{}/ledger", tap.address), AS_ADA).await;
        let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
        assert_eq!(status(&answer), 200, "{answer}");
        let message = tap.last_request();
        let at_the_same = exchange(one.address, &message).await.expect("connected");
        assert_eq!(status(&at_the_same), 500, "{at_the_same}");
        let elsewhere = exchange(other.address, &message).await.expect("connected");
        assert_eq!(status(&elsewhere), again, "{memory}: {elsewhere}");
        let times = if memory == "node" { 2 } else { 1 };
        assert_eq!(service.received().len(), times, "{memory}");
    }
}

#[tokio::test]
async fn sc_19_4_one_address_may_ask_for_so_many_sessions() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    let route = "session_requests = { requests = 1, per = \"1h\" }\n[admin]\naddress = \"127.0.0.1:0\"";
    let secured = setting.terminate(service.address, "", route).await;
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), "callers = \"basic\"").await;
    let call = async |name: &str| {
        let line = base64_simd::STANDARD.encode_to_string(format!("{name}:secret of {name}").as_bytes());
        plain.exchange(request(SOAP_12, "Balance", &format!("Authorization: Basic {line}\r\n"))).await
    };
    assert_eq!(status(&call("ada").await), 200);
    let answer = call("bob").await;
    assert!(status(&answer) == 500 && answer.contains("HST-SOAP-SESSION"), "{answer}");
    assert_eq!(status(&call("ada").await), 200, "sessions that are there go on");

    let metrics = exchange(
        secured.admin.expect("an admin listener"),
        "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let metrics = metrics.await.expect("connected");
    for line in [
        "handstamp_soap_sessions_total{route=\"ledger\",event=\"issued\"} 1",
        "handstamp_soap_messages_total{route=\"ledger\"} 2",
        "handstamp_soap_faults_total{route=\"ledger\",reason=\"ServerTooBusy\"} 1",
        "handstamp_soap_upstream_seconds_count{route=\"ledger\"} 2",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is not in\n{metrics}");
    }

    // Another service takes over, with the same limits.
    let path = setting.path("terminate.toml");
    let text = fs::read_to_string(&path).expect("readable");
    let text = text.replace("[soap.ledger]", "[soap.ledger]\nmax_sessions = 7");
    let config = handstamp::config::Config::parse(&text, &path).expect("a good configuration");
    secured.reloader.reload(config).await.expect("taken over");
    assert_eq!(status(&call("bob").await), 500, "it is still the same address");
}

#[tokio::test]
async fn remembered_sessions_outlive_a_renewed_certificate() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, false).await, plain_ledger().await);
    let secured = setting.terminate(service.address, "", "").await;
    let route = format!("{AS_ADA}\nlost_session = \"fail\"");
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), &route).await;
    assert_eq!(status(&plain.exchange(request(SOAP_12, "Balance", "")).await), 200);

    let now = SystemClock.now();
    let until = now.saturating_add(std::time::Duration::from_secs(86_400));
    let kind = KeyKind::Rsa { bits: 2048 };
    let renewed = SigningIdentity::self_signed("ledger", kind, now, until, &SystemRandom).expect("an identity");
    fs::remove_file(setting.path("ledger.pem")).expect("removed");
    renewed.create(&setting.path("ledger.pem")).expect("written");
    // The gateway looks for changed files by itself.
    let started = std::time::Instant::now();
    loop {
        let stranger = setting.initiate(&format!("http://{}/ledger", secured.address), AS_ADA).await;
        if status(&stranger.exchange(request(SOAP_12, "Balance", "")).await) == 500 {
            break;
        }
        assert!(started.elapsed().as_secs() < 60, "the old certificate stays");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let answer = plain.exchange(request(SOAP_12, "Balance", "")).await;
    assert_eq!(status(&answer), 200, "the session goes on: {answer}");
}
