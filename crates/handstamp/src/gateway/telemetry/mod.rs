//! Traces for collectors of OpenTelemetry: a span for each request, and one for each time that an application or a service is asked.
//!
//! A span says which route, which method, which status and how long; never an address within the site, a header, a cookie, a claim or
//! the client. Applications get the W3C's `traceparent`, so that their spans belong to the same trace.
//!
//! Spans travel as OTLP over HTTP in its JSON form, which is one document and needs no generated code. Requests never wait for the
//! collector: what does not fit into the queue is dropped, and counted.

mod exporter;
mod otlp;
mod trace_context;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use handstamp_keys::{SecureRandom, SystemRandom};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::mpsc;

use super::problem::Refusal;
use crate::Error;
use crate::admin::Metrics;
use crate::config;
pub(super) use exporter::Exporter;
use otlp::{Attribute, Span, SpanKind};
use trace_context::{TRACEPARENT, TRACESTATE, TraceContext};

/// Makes spans.
pub(super) struct Telemetry {
    queue: mpsc::Sender<Span>,
    /// How many requests of a hundred are traced.
    sample: u32,
    metrics: Arc<Metrics>,
}

/// Spans that wait for the collector; more are dropped.
const QUEUE: usize = 4096;

impl Telemetry {
    /// What makes spans, and what sends them.
    ///
    /// # Errors
    /// A certificate or a key that cannot be used.
    pub(super) fn open(settings: &config::Telemetry, metrics: &Arc<Metrics>) -> Result<(Arc<Self>, Exporter), Error> {
        let (queue, spans) = mpsc::channel(QUEUE);
        let telemetry = Self { queue, sample: settings.sample, metrics: Arc::clone(metrics) };
        Ok((Arc::new(telemetry), Exporter::open(settings, spans, metrics)?))
    }

    /// Begins the span of a request. What it says of a trace that it belongs to is believed from trusted proxies; from others it is
    /// taken out of `headers`.
    pub(super) fn begin(self: &Arc<Self>, headers: &mut HeaderMap, trusted: bool) -> RequestTrace {
        let parent = if trusted { TraceContext::of(headers) } else { None };
        let state = headers.get_all(TRACESTATE).iter().filter(|_| parent.is_some()).cloned().collect();
        headers.remove(TRACESTATE);
        headers.remove(TRACEPARENT);
        let random: [u8; 25] = random();
        let new = |bytes: &[u8]| bytes.iter().fold(0_u128, |id, byte| id << 8 | u128::from(*byte)).max(1);
        let (trace_id, sampled) = match &parent {
            Some(parent) => (parent.trace_id, parent.sampled),
            None => (new(&random[..16]), u32::from(random[24]) * 100 < self.sample * 256),
        };
        let trace = Trace {
            telemetry: Arc::clone(self),
            trace_id,
            span_id: new(&random[16..24]) as u64,
            parent: parent.map(|parent| parent.span_id),
            state,
            sampled,
            began: SystemTime::now(),
        };
        RequestTrace { trace: Arc::new(trace), errand: None }
    }

    fn send(&self, span: Span) {
        if self.queue.try_send(span).is_err() {
            self.metrics.spans_lost.add();
        }
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Ids of nothing but zeros are no harm; the system has greater worries then.
    let _ = SystemRandom.fill(&mut bytes);
    bytes
}

impl fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Telemetry").field("sample", &self.sample).finish_non_exhaustive()
    }
}

/// The span of a request that is being answered. Travels in the extensions of the request.
#[derive(Debug, Clone)]
pub(super) struct RequestTrace {
    trace: Arc<Trace>,
    errand: Option<Errand>,
}

/// For what a service is asked that is somebody else's: it learns nothing of the trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errand {
    /// A message of the application, through a session.
    Message,
    /// A step towards a session, or its end.
    Session,
    /// A younger key for a session.
    Renewal,
    /// A token with which to get a session.
    Token,
}

impl Errand {
    fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Session => "session",
            Self::Renewal => "renewal",
            Self::Token => "token",
        }
    }
}

#[derive(Debug)]
struct Trace {
    telemetry: Arc<Telemetry>,
    trace_id: u128,
    span_id: u64,
    parent: Option<u64>,
    /// What systems before this one added for themselves.
    state: Vec<HeaderValue>,
    sampled: bool,
    began: SystemTime,
}

impl RequestTrace {
    /// The answer has begun.
    pub(super) fn end<B>(&self, route: &str, method: &Method, scheme: &'static str, response: &http::Response<B>) {
        let trace = &self.trace;
        if !trace.sampled {
            return;
        }
        let status = response.status();
        let mut attributes = vec![
            method_attribute(method),
            Attribute::text("url.scheme", scheme),
            Attribute::text("http.route", route),
            Attribute::number("http.response.status_code", status.as_u16()),
        ];
        if let Some(Refusal(code)) = response.extensions().get() {
            attributes.push(Attribute::text("handstamp.refusal", *code));
        }
        trace.telemetry.send(Span {
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            parent: trace.parent,
            name: format!("{} {route}", method_name(method)),
            kind: SpanKind::Server,
            began: trace.began,
            ended: SystemTime::now(),
            attributes,
            failed: status.is_server_error(),
        });
    }

    /// The same, for what is asked of somebody else's service.
    pub(super) fn on(&self, errand: Errand) -> Self {
        Self { trace: Arc::clone(&self.trace), errand: Some(errand) }
    }

    /// An application or a service is about to be asked.
    pub(super) fn ask(&self) -> CallTrace {
        let random: [u8; 8] = random();
        CallTrace {
            trace: Arc::clone(&self.trace),
            errand: self.errand,
            span_id: u64::from_be_bytes(random).max(1),
            began: SystemTime::now(),
        }
    }
}

/// The span of one request to an application or a service.
#[derive(Debug)]
pub(super) struct CallTrace {
    trace: Arc<Trace>,
    errand: Option<Errand>,
    span_id: u64,
    began: SystemTime,
}

impl CallTrace {
    /// Tells the application which trace it is part of. Services of others are not told.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        if self.errand.is_some() {
            return;
        }
        let Trace { trace_id, sampled, .. } = *self.trace;
        let context = TraceContext { trace_id, span_id: self.span_id, sampled };
        headers.insert(TRACEPARENT, context.header());
        headers.remove(TRACESTATE);
        for state in &self.trace.state {
            headers.append(TRACESTATE, state.clone());
        }
    }

    /// The application answered; with no status, it did not. `attempt` counts from 0.
    pub(super) fn end(self, method: &Method, server: &HeaderValue, attempt: u32, status: Option<StatusCode>) {
        let trace = &self.trace;
        if !trace.sampled {
            return;
        }
        let mut attributes =
            vec![method_attribute(method), Attribute::text("server.address", server.to_str().unwrap_or_default())];
        match status {
            Some(status) => attributes.push(Attribute::number("http.response.status_code", status.as_u16())),
            None => attributes.push(Attribute::text("error.type", "no_answer")),
        }
        if let Some(errand) = self.errand {
            attributes.push(Attribute::text("handstamp.errand", errand.word()));
        }
        if attempt > 0 {
            attributes.push(Attribute::number("http.request.resend_count", attempt));
        }
        trace.telemetry.send(Span {
            trace_id: trace.trace_id,
            span_id: self.span_id,
            parent: Some(trace.span_id),
            name: method_name(method).to_owned(),
            kind: SpanKind::Client,
            began: self.began,
            ended: SystemTime::now(),
            attributes,
            failed: status.is_none_or(|status| status.is_client_error() || status.is_server_error()),
        });
    }
}

/// Clients may invent methods; collectors need not remember them.
fn method_name(method: &Method) -> &str {
    let known = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS];
    if known.contains(method) { method.as_str() } else { "_OTHER" }
}

fn method_attribute(method: &Method) -> Attribute {
    Attribute::text("http.request.method", method_name(method))
}
