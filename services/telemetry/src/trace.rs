//! Traces over the log: a record carries the trace that it was written in, whoever reads it links to that. A link and
//! not a parent, for one reader works on the records of many traces.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The name of the header that carries it (W3C Trace Context).
pub const TRACEPARENT: &str = "traceparent";

/// W3C `traceparent` of the current span, if it is traced.
pub fn traceparent() -> Option<String> {
    let context = Span::current().context();
    let span = context.span();
    let span = span.span_context();
    let flags = span.trace_flags().to_u8();
    span.is_valid().then(|| format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()))
}

/// Links `span` to the one that a record names; what is no `traceparent` links nothing.
pub fn link(span: &Span, traceparent: &[u8]) {
    if let Some(context) = std::str::from_utf8(traceparent).ok().and_then(parse) {
        span.add_link(context);
    }
}

/// `00-<32 hexadecimal digits>-<16>-<2>`; later versions may have more behind it (section 3.2.4).
fn parse(text: &str) -> Option<SpanContext> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex(version, 2) || version == "ff" || !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2)
    {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?);
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let context = SpanContext::new(trace, span, flags, true, TraceState::default());
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_traceparent_is_read_as_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = parse(good).expect("it is the specification's own example");
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(context.is_remote() && context.is_sampled());
        for (text, why) in [
            ("", "empty"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "no flags"),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "the version that is none"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "no trace"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "no span"),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", "a digit too few"),
        ] {
            assert!(parse(text).is_none(), "{why}");
        }
        assert!(parse(&format!("{}-more", good.replacen("00", "01", 1))).is_some(), "a later version");
    }
}
