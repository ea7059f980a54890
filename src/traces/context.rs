//! Reads and writes `traceparent` (W3C Trace Context). What `tracestate` holds is passed on.

use crate::http::{TRACEPARENT, trace_id};
use http::{HeaderMap, HeaderValue};
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt, TraceFlags},
};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// Returns the span that a request names as its parent; none where its header is not valid.
pub(super) fn parent(headers: &HeaderMap) -> Context {
    let none = Context::new();
    match trace_id(headers) {
        Some(_) => {
            TraceContextPropagator::new().extract_with_context(&none, &HeaderExtractor(headers))
        }
        None => none,
    }
}

/// Makes a span the parent of whatever the request leads to. A state of another trace goes.
pub(super) fn put(span: &SpanContext, parent: &Context, headers: &mut HeaderMap) {
    if !parent.span().span_context().is_valid() {
        headers.remove("tracestate");
    }
    let flags = (span.trace_flags() & TraceFlags::SAMPLED).to_u8();
    let value = format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id());
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(TRACEPARENT, value);
    }
}
