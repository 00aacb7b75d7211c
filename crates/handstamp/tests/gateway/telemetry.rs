//! Traces, as a collector gets them.

use std::time::Duration;

use http::Response;
use serde_json::Value;

use super::support::{Application, Running, status};

/// The spans that came, once there are `count`.
pub(crate) async fn spans(collector: &Application, count: usize) -> Vec<Value> {
    let mut spans: Vec<Value> = Vec::new();
    for _ in 0..500 {
        for request in collector.received() {
            assert_eq!(
                (request.uri().path(), &request.headers()["content-type"]),
                ("/v1/traces", &"application/json".parse().expect("a value"))
            );
            let mut document: Value = serde_json::from_slice(request.body()).expect("JSON");
            assert_eq!(
                document["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"],
                "shop-gateway"
            );
            let some = document["resourceSpans"][0]["scopeSpans"][0]["spans"].take();
            spans.extend(some.as_array().expect("a list").iter().cloned());
        }
        if spans.len() >= count {
            assert_eq!(spans.len(), count, "{spans:#?}");
            return spans;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("only {} spans came", spans.len());
}

pub(crate) fn attribute<'s>(span: &'s Value, name: &str) -> Option<&'s str> {
    let attributes = span["attributes"].as_array().expect("a list");
    let value = &attributes.iter().find(|attribute| attribute["key"] == name)?["value"];
    value["stringValue"].as_str().or(value["intValue"].as_str())
}

/// The table of a configuration, with further options.
pub(crate) fn telemetry(collector: &Application, more: &str) -> String {
    format!("[telemetry]\ncollector = \"http://{}\"\nservice_name = \"shop-gateway\"\n{more}", collector.address)
}

async fn gateway(application: &Application, collector: &Application, more: &str) -> Running {
    let telemetry = telemetry(collector, more);
    Running::with(application.address, "trusted_proxies = [\"127.0.0.1\"]", "", &telemetry).await
}

#[tokio::test]
async fn a_request_and_what_it_asks_of_the_application_are_one_trace() {
    let (application, collector) = (Application::hello().await, Application::hello().await);
    let gateway = gateway(&application, &collector, "").await;
    let secret =
        "Cookie: session=secret-cookie\r\nAuthorization: Bearer secret-token\r\nX-Forwarded-For: 192.0.2.77\r\n";
    assert_eq!(status(&gateway.get("/secret-path?secret-query", secret).await), 200);
    let spans = spans(&collector, 2).await;
    let of = |kind: u8| spans.iter().find(|span| span["kind"] == kind).expect("one of both");
    let (server, client) = (of(2), of(3));
    assert_eq!(server["traceId"], client["traceId"]);
    assert_eq!(client["parentSpanId"], server["spanId"]);
    assert_eq!(server.get("parentSpanId"), None);
    assert_eq!(server["name"], "GET app");
    for span in [server, client] {
        assert_eq!(attribute(span, "http.response.status_code"), Some("200"));
        assert_eq!(attribute(span, "http.request.method"), Some("GET"));
    }
    assert_eq!(attribute(client, "server.address"), Some(&*application.address.to_string()));
    let trace =
        format!("00-{}-{}-01", server["traceId"].as_str().expect("text"), client["spanId"].as_str().expect("text"));
    assert_eq!(application.received()[0].headers()["traceparent"], trace);
    let all = Value::from(spans).to_string();
    assert!(!all.contains("secret") && !all.contains("192.0.2.77"), "{all}");
}

#[tokio::test]
async fn a_trace_that_a_trusted_proxy_began_goes_on_as_it_decided() {
    let (application, collector) = (Application::hello().await, Application::hello().await);
    let gateway = gateway(&application, &collector, "sample = 0").await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    gateway.get("/", &format!("traceparent: {parent}-00\r\n")).await;
    gateway.get("/", "").await;
    gateway.get("/", &format!("traceparent: {parent}-01\r\ntracestate: vendor=1\r\n")).await;
    let spans = spans(&collector, 2).await;
    assert!(spans.iter().all(|span| span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"), "{spans:#?}");
    assert!(spans.iter().any(|span| span["parentSpanId"] == "00f067aa0ba902b7"));
    let received = application.received();
    assert!(received[0].headers()["traceparent"].to_str().expect("text").ends_with("-00"));
    assert!(received[1].headers()["traceparent"].to_str().expect("text").ends_with("-00"), "the application follows");
    assert_eq!(received[2].headers()["tracestate"], "vendor=1");
}

#[tokio::test]
async fn a_collector_that_is_away_holds_nobody_up() {
    let application =
        Application::answering(|_| Response::builder().status(503).body("unwell".to_owned()).expect("a response"))
            .await;
    let away = "[telemetry]\ncollector = \"http://127.0.0.1:1\"\n[admin]\naddress = \"127.0.0.1:0\"";
    let gateway = Running::with(application.address, "", "", away).await;
    assert_eq!(status(&gateway.get("/", "traceparent: forged\r\ntracestate: forged\r\n").await), 503);
    let request = &application.received()[0];
    assert!(request.headers()["traceparent"].to_str().expect("text").starts_with("00-"));
    assert!(!request.headers().contains_key("tracestate"));
    let admin = gateway.admin.expect("an admin listener");
    for _ in 0..500 {
        let metrics =
            super::support::exchange(admin, "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        if metrics.expect("connected").contains("handstamp_spans_lost_total 2") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nobody counts what was lost");
}
