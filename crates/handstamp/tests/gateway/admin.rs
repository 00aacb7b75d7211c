//! The admin listener.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::{Application, Process, Running, raw_application, read_to_end, read_until, status};

async fn ask(admin: std::net::SocketAddr, path: &str) -> String {
    let mut client = TcpStream::connect(admin).await.expect("connected");
    let request = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.expect("written");
    read_to_end(&mut client).await
}

const ADMIN: &str = "[admin]\naddress = \"127.0.0.1:0\"";

#[tokio::test]
async fn health_and_metrics_are_on_an_address_of_their_own() {
    let application = Application::hello().await;
    let gateway = Running::with(application.address, "", "", ADMIN).await;
    let admin = gateway.admin.expect("an admin listener");
    gateway.get("/", "").await;
    gateway.get("/../x", "").await;
    assert_eq!(status(&ask(admin, "/healthz").await), 200);
    assert_eq!(status(&ask(admin, "/readyz").await), 200);
    assert_eq!(status(&ask(admin, "/").await), 404);
    let metrics = ask(admin, "/metrics").await;
    for line in [
        "handstamp_requests_total{route=\"app\",status=\"2xx\"} 1",
        "handstamp_requests_in_flight{route=\"app\"} 0",
        "handstamp_request_seconds_count{route=\"app\"} 1",
        "handstamp_rejections_total{code=\"HST-GATEWAY-TARGET\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} is not in\n{metrics}");
    }
    assert_eq!(status(&gateway.get("/metrics", "").await), 200, "it is the application's there");
    assert_eq!(application.received().last().expect("a request").uri(), "/metrics");
}

#[tokio::test]
async fn a_gateway_that_ends_is_alive_but_not_ready() {
    let (asked, mut was_asked) = tokio::sync::watch::channel(false);
    let (end, may_end) = tokio::sync::watch::channel(false);
    let application = raw_application(move |mut stream| {
        let (asked, mut may_end) = (asked.clone(), may_end.clone());
        async move {
            read_until(&mut stream, "\r\n\r\n").await;
            asked.send_replace(true);
            let _ = may_end.wait_for(|may| *may).await;
        }
    })
    .await;
    let gateway = Running::with(application, "", "", ADMIN).await;
    let admin = gateway.admin.expect("an admin listener");
    let mut client = gateway.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("written");
    was_asked.wait_for(|asked| *asked).await.expect("the application lives");
    gateway.trigger.pull();
    assert_eq!(status(&ask(admin, "/healthz").await), 200);
    let not_ready = ask(admin, "/readyz").await;
    assert_eq!(status(&not_ready), 503);
    assert!(not_ready.ends_with("the gateway is ending\n"), "{not_ready}");
    end.send_replace(true);
    gateway.served.await.expect("no panic");
}

#[tokio::test]
async fn each_request_is_a_line_of_the_log_where_that_is_wanted() {
    let (application, folder) = (Application::hello().await, tempfile::tempdir().expect("a folder"));
    let config = format!(
        "[log]\nformat = \"json\"\nrequests = true\n[listener.public]\naddress = \"127.0.0.1:0\"\n\
         [web.app]\nupstream = \"http://{}\"",
        application.address
    );
    std::fs::write(folder.path().join("handstamp.toml"), config).expect("written");
    let mut process = Process::start(folder.path(), "handstamp.toml").await;
    let request = "GET /orders?token=secret HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    super::support::exchange(process.address, request).await.expect("connected");
    let line = loop {
        let line = process.log.recv().await.expect("it logs the request");
        if line["message"] == "answered" {
            break line;
        }
    };
    assert_eq!((&line["path"], &line["status"], &line["route"]), (&"/orders".into(), &200.into(), &"app".into()));
    assert!(line["milliseconds"].is_number() && !line.to_string().contains("secret"), "{line}");
    process.kill().await;
}
