//! Options of traces.

use super::schema::section;
use super::upstream::{UpstreamTls, Upstreams};

section! {
    /// Traces for a collector of OpenTelemetry: a span for each request, and for each time an application or a service is asked.
    /// Applications, and plain services behind SOAP routes, get `traceparent`. Services that SOAP routes call through sessions do
    /// not; `handstamp.errand` says for what they are asked: `message`, `session`, `renewal`, or `token` of a token service.
    pub struct Telemetry {
        /// The collector, which takes OTLP over HTTP in its JSON form, such as `http://127.0.0.1:4318/v1/traces`; without a path
        /// it is `/v1/traces`.
        collector: Upstreams,
        /// What this program is called there (`service.name`).
        service_name: String = "handstamp",
        /// How many requests are traced, in percent. A request of a trusted proxy that belongs to a trace already (`traceparent`)
        /// is traced if that trace is.
        sample: u32 = 100,
        /// TLS to the collector.
        tls: UpstreamTls,
    }
}
