//! Spans as OTLP writes them in JSON (opentelemetry-proto, `trace/v1`).

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

/// Something that took time.
#[derive(Debug)]
pub(super) struct Span {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    pub(super) kind: SpanKind,
    pub(super) began: SystemTime,
    pub(super) ended: SystemTime,
    pub(super) attributes: Vec<Attribute>,
    pub(super) failed: bool,
}

/// Which side of a request a span is.
#[derive(Debug, Clone, Copy)]
pub(super) enum SpanKind {
    Server = 2,
    Client = 3,
}

/// A fact about a span, by a name of OpenTelemetry's semantic conventions where there is one.
#[derive(Debug)]
pub(super) struct Attribute {
    name: &'static str,
    value: AttributeValue,
}

#[derive(Debug)]
enum AttributeValue {
    Text(String),
    Number(i64),
}

impl Attribute {
    pub(super) fn text(name: &'static str, value: impl Into<String>) -> Self {
        Self { name, value: AttributeValue::Text(value.into()) }
    }

    pub(super) fn number(name: &'static str, value: impl Into<i64>) -> Self {
        Self { name, value: AttributeValue::Number(value.into()) }
    }

    fn json(&self) -> Value {
        let value = match &self.value {
            AttributeValue::Text(text) => json!({ "stringValue": text }),
            // Numbers of 64 bits are text in the JSON form of protocol buffers.
            AttributeValue::Number(number) => json!({ "intValue": number.to_string() }),
        };
        json!({ "key": self.name, "value": value })
    }
}

impl Span {
    fn json(&self) -> Value {
        let mut span = json!({
            "traceId": format!("{:032x}", self.trace_id),
            "spanId": format!("{:016x}", self.span_id),
            "name": self.name,
            "kind": self.kind as u8,
            "startTimeUnixNano": nanoseconds(self.began),
            "endTimeUnixNano": nanoseconds(self.ended),
            "attributes": self.attributes.iter().map(Attribute::json).collect::<Vec<_>>(),
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        if self.failed {
            span["status"] = json!({ "code": 2 });
        }
        span
    }
}

/// The body of a request to a collector.
pub(super) fn document(service_name: &str, spans: &[Span]) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let service = [Attribute::text("service.name", service_name), Attribute::text("service.version", version)];
    json!({
        "resourceSpans": [{
            "resource": { "attributes": service.iter().map(Attribute::json).collect::<Vec<_>>() },
            "scopeSpans": [{
                "scope": { "name": "handstamp", "version": version },
                "spans": spans.iter().map(Span::json).collect::<Vec<_>>(),
            }],
        }],
    })
    .to_string()
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
