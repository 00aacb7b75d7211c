//! Traces of messages: what is asked of services, and what they learn of it.

use std::fs;

use serde_json::Value;

use super::credentials::{BINDING, terms};
use super::setting::{AS_ADA, Bootstrap, SOAP_12, Setting, plain_ledger, request};
use crate::support::{Application, Running, status};
use crate::telemetry::{attribute, spans, telemetry};

const SERVER: u8 = 2;
const CLIENT: u8 = 3;

fn of_kind(spans: &[Value], kind: u8) -> Vec<&Value> {
    spans.iter().filter(|span| span["kind"] == kind).collect()
}

/// For what a service was asked, in order.
fn errands(spans: &[Value]) -> Vec<&str> {
    let mut calls = of_kind(spans, CLIENT);
    calls.sort_by_key(|span| span["startTimeUnixNano"].as_str().map(str::to_owned));
    calls.into_iter().filter_map(|span| attribute(span, "handstamp.errand")).collect()
}

async fn ask(gateway: &Running, lines: &str) {
    let answer = gateway.exchange(request(SOAP_12, "Balance", lines)).await;
    assert_eq!(status(&answer), 200, "{answer}");
}

#[tokio::test]
async fn a_message_is_traced_on_both_sides_and_only_the_plain_service_learns_of_it() {
    for bootstrap in [Bootstrap::Certificate, Bootstrap::Negotiated] {
        let steps = if matches!(bootstrap, Bootstrap::Negotiated) { 3 } else { 1 };
        let (setting, service) = (Setting::new(bootstrap, true).await, plain_ledger().await);
        let (outside, inside) = (Application::hello().await, Application::hello().await);
        let secured = setting.terminate(service.address, "", &telemetry(&inside, "")).await;
        let url = format!("http://{}/ledger", secured.address);
        let plain = setting.initiate(&url, &format!("{AS_ADA}\n{}", telemetry(&outside, ""))).await;
        ask(&plain, "").await;
        ask(&plain, "").await;

        let initiated = spans(&outside, 2 + steps + 2).await;
        let mut expected = vec!["session"; steps];
        expected.extend(["message", "message"]);
        assert_eq!(errands(&initiated), expected);
        let (first, second) = (of_kind(&initiated, SERVER)[0], of_kind(&initiated, SERVER)[1]);
        assert_ne!(first["traceId"], second["traceId"]);
        for call in of_kind(&initiated, CLIENT) {
            let parent = if call["traceId"] == first["traceId"] { first } else { second };
            assert_eq!(call["parentSpanId"], parent["spanId"]);
            assert_eq!(attribute(call, "server.address"), Some(&*secured.address.to_string()));
            assert_eq!(attribute(call, "http.response.status_code"), Some("200"));
        }

        // One request for each of these calls, and behind those with a message the service.
        let terminated = spans(&inside, steps + 2 + 2).await;
        let calls = of_kind(&terminated, CLIENT);
        assert_eq!((of_kind(&terminated, SERVER).len(), calls.len()), (steps + 2, 2));
        let received = service.received();
        assert_eq!(received.len(), 2);
        for (call, received) in calls.iter().zip(&received) {
            let server = of_kind(&terminated, SERVER).into_iter().find(|span| span["spanId"] == call["parentSpanId"]);
            assert_eq!(server.expect("its request")["name"], "POST soap.ledger");
            assert_eq!(attribute(call, "handstamp.errand"), None);
            let text = |name: &str| call[name].as_str().expect("text").to_owned();
            assert_eq!(
                received.headers()["traceparent"],
                format!("00-{}-{}-01", text("traceId"), text("spanId")),
                "the service goes on with it"
            );
            assert!(
                initiated.iter().all(|span| span["traceId"] != call["traceId"]),
                "whoever is asked outside is not told"
            );
        }
        for spans in [initiated, terminated] {
            let all = Value::from(spans).to_string();
            assert!(!all.contains("\"ada\"") && !all.contains("secret") && !all.contains("Balance"), "{all}");
        }
    }
}

#[tokio::test]
async fn a_token_that_is_obtained_first_has_a_span_of_its_own() {
    let (setting, service) = (Setting::new(Bootstrap::Certificate, true).await, plain_ledger().await);
    fs::write(setting.path("binding.xml"), BINDING).expect("written");
    let collector = Application::hello().await;
    let secured = setting.terminate(service.address, "", &terms("urn:ledger", "urn:ledger")).await;
    let route = format!(
        "{AS_ADA}\n[soap.ledger.token_service]\nurl = \"http://{0}/trust/13/username\"\ncertificate = \"sts.crt\"\n\
         applies_to = \"urn:ledger\"\n{1}",
        secured.address,
        telemetry(&collector, "")
    );
    let plain = setting.initiate(&format!("http://{}/ledger", secured.address), &route).await;
    ask(&plain, "").await;
    let spans = spans(&collector, 4).await;
    assert_eq!(errands(&spans), ["token", "session", "message"]);
    assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]));
}
