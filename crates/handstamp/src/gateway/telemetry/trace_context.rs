//! Which trace a request belongs to, in the header of W3C Trace Context.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names trace and span.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What systems add for themselves; passed on as it is.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A span somewhere, and the trace it is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceContext {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    /// Whether whoever began the trace records it.
    pub(super) sampled: bool,
}

impl TraceContext {
    /// What a request says; none when it says nothing, or nothing that can be understood (Trace Context, 3.2 and 4.3).
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(TRACEPARENT).iter();
        match (lines.next(), lines.next()) {
            (Some(line), None) => Self::parse(line.to_str().ok()?),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let mut field = |length: usize| {
            fields.next().filter(|field| {
                field.len() == length && field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            })
        };
        let (version, trace_id, span_id, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        // Later versions may add fields; this one has none.
        if version == "ff" || (version == "00" && fields.next().is_some()) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace_id, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span_id, 16).ok().filter(|id| *id != 0)?;
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace_id, span_id, sampled: flags & 1 == 1 })
    }

    /// The value of the header.
    pub(super) fn header(self) -> HeaderValue {
        let text = format!("00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled));
        // Digits and hyphens are a header value.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_read_is_written() {
        let context = TraceContext::parse(PARENT).expect("well formed");
        assert_eq!((context.span_id, context.sampled), (0x00f0_67aa_0ba9_02b7, true));
        assert_eq!(context.header(), PARENT);
        assert!(!TraceContext::parse(&PARENT.replace("-01", "-00")).expect("well formed").sampled);
    }

    #[test]
    fn what_cannot_be_understood_begins_a_new_trace() {
        for text in [
            "",
            "00",
            &PARENT.to_uppercase(),
            &format!("{PARENT}-more"),
            &PARENT.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(text), None, "{text}");
        }
        assert!(TraceContext::parse(&format!("{}-more", PARENT.replacen("00", "01", 1))).is_some(), "a later version");
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(TRACEPARENT, HeaderValue::from_static(PARENT));
        }
        assert_eq!(TraceContext::of(&twice), None);
    }
}
