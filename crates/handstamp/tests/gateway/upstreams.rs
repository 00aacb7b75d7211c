//! Several servers of one application: shared work, failures survived, and nothing done twice.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use handstamp_testkit::ports::ReservedPort;
use http::{Response, StatusCode};
use tokio::io::AsyncWriteExt;

use super::support::{Application, Running, raw_application, read_until, status};

async fn before(servers: &[SocketAddr], rest: &str) -> Running {
    let servers: Vec<String> = servers.iter().map(|address| format!("\"http://{address}\"")).collect();
    Running::from_toml(&format!(
        "[listener.public]\naddress = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n\
         [admin]\naddress = \"127.0.0.1:0\"\n[web.app]\nupstream = [{}]\n{rest}",
        servers.join(", ")
    ))
    .await
}

async fn named(name: &'static str) -> Application {
    Application::answering(move |_| Response::new(name.to_owned())).await
}

/// Reads a request, counts it, and closes the connection without an answer.
async fn hangs_up(counter: &Arc<AtomicUsize>) -> SocketAddr {
    let counter = Arc::clone(counter);
    raw_application(move |mut stream| {
        let counter = Arc::clone(&counter);
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await
}

const POST: &str = "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";

#[tokio::test]
async fn requests_are_shared_among_the_servers() {
    let (one, two) = (named("one").await, named("two").await);
    let gateway = before(&[one.address, two.address], "").await;
    for _ in 0..20 {
        assert_eq!(status(&gateway.get("/", "").await), 200);
    }
    let (one, two) = (one.received().len(), two.received().len());
    assert!(one + two == 20 && one >= 5 && two >= 5, "{one} and {two}");
}

#[tokio::test]
async fn a_client_stays_with_its_server_where_that_is_asked_for() {
    let (one, two) = (named("one").await, named("two").await);
    let strategy = "[web.app.balance]\nstrategy = \"client-address\"";
    let gateway = before(&[one.address, two.address], strategy).await;
    let mut servers = std::collections::BTreeSet::new();
    for client in 1..40 {
        let lines = format!("X-Forwarded-For: 192.0.2.{client}\r\n");
        let first = gateway.get("/", &lines).await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/", &lines).await.rsplit("\r\n").next(), first.rsplit("\r\n").next());
        }
        servers.insert(first.rsplit("\r\n").next().map(str::to_owned));
    }
    assert_eq!(servers.len(), 2, "{servers:?}");
}

#[tokio::test]
async fn a_request_that_reached_nobody_goes_to_another_server_whatever_its_method() {
    let (alive, nobody) = (named("alive").await, ReservedPort::new());
    let dead = nobody.address();
    let gateway = before(&[dead, alive.address], "").await;
    for _ in 0..10 {
        let answer = gateway.exchange(POST).await;
        assert!(answer.ends_with("alive"), "{answer}");
    }
    let received = alive.received();
    assert_eq!(received.len(), 10);
    assert!(received.iter().all(|request| request.body().as_ref() == b"{}"), "with its body");
}

#[tokio::test]
async fn what_may_have_had_an_effect_is_never_sent_twice() {
    let counter = Arc::default();
    let (one, two) = (hangs_up(&counter).await, hangs_up(&counter).await);
    let gateway = before(&[one, two], "").await;
    let answer = gateway.exchange(POST).await;
    assert_eq!((status(&answer), counter.load(Ordering::SeqCst)), (502, 1), "{answer}");
    assert!(answer.contains("HST-GATEWAY-ANSWER"), "{answer}");
    // One that only reads may be asked again, once.
    counter.store(0, Ordering::SeqCst);
    let answer = gateway.get("/", "").await;
    assert_eq!((status(&answer), counter.load(Ordering::SeqCst)), (502, 2), "{answer}");
}

#[tokio::test]
async fn retries_have_a_budget_so_that_a_failing_application_is_not_asked_twice_as_often() {
    let counter = Arc::default();
    let (one, two) = (hangs_up(&counter).await, hangs_up(&counter).await);
    let balance = "[web.app.balance]\nretry_budget = 10\neject_after = 1000000";
    let gateway = before(&[one, two], balance).await;
    for _ in 0..200 {
        assert_eq!(status(&gateway.get("/", "").await), 502);
    }
    let asked = counter.load(Ordering::SeqCst);
    assert!((200..=240).contains(&asked), "{asked}");
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone_for_a_while() {
    let counter = Arc::default();
    let (failing, alive) = (hangs_up(&counter).await, named("alive").await);
    let balance = "[web.app.balance]\neject_after = 3\neject_for = \"1h\"\nretries = 0";
    let gateway = before(&[failing, alive.address], balance).await;
    let mut failed = 0;
    for _ in 0..40 {
        failed += usize::from(status(&gateway.exchange(POST).await) == 502);
    }
    assert_eq!((failed, counter.load(Ordering::SeqCst)), (3, 3));
}

#[tokio::test]
async fn health_checks_take_a_server_out_and_bring_it_back() {
    let well = Arc::new(AtomicBool::new(true));
    let answers = Arc::clone(&well);
    let one = Application::answering(move |request| {
        let mut response = Response::new("one".to_owned());
        if request.uri().path() == "/health" && !answers.load(Ordering::SeqCst) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    })
    .await;
    let health = "[web.app.health]\npath = \"/health\"\ninterval = \"20ms\"\nhealthy_after = 2\nunhealthy_after = 2";
    let gateway = before(&[one.address], health).await;
    let becomes = async |wanted: u16| {
        for _ in 0..500 {
            let answer = gateway.get("/", "").await;
            if status(&answer) == wanted {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server never answered {wanted}");
    };
    becomes(200).await;
    well.store(false, Ordering::SeqCst);
    let answer = becomes(503).await;
    assert!(answer.contains("HST-GATEWAY-UNWELL"), "{answer}");
    well.store(true, Ordering::SeqCst);
    becomes(200).await;
}

#[tokio::test]
async fn a_full_server_says_so_at_once() {
    let (asked, mut was_asked) = tokio::sync::watch::channel(false);
    let slow = raw_application(move |mut stream| {
        let asked = asked.clone();
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            asked.send_replace(true);
            std::future::pending::<()>().await;
        }
    })
    .await;
    let gateway = before(&[slow], "[web.app.balance]\nmax_requests = 1").await;
    let mut first = gateway.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    was_asked.wait_for(|asked| *asked).await.expect("asked");
    let answer = gateway.get("/", "").await;
    assert_eq!(status(&answer), 503);
    assert!(answer.contains("HST-GATEWAY-FULL"), "{answer}");
}
