//! Writes a span for each thing that a governed call waits for.

use super::{context, writer::Traces};
use http::HeaderMap;
use opentelemetry::{
    Context,
    trace::{Span as _, TraceContextExt, Tracer},
};
use opentelemetry_sdk::trace::Span;
use std::sync::{Mutex, PoisonError};

/// What one call waits for, one thing after the other.
pub(crate) struct Phases {
    traces: Traces,
    parent: Context,
    now: Mutex<Option<(&'static str, Span)>>,
}

impl Phases {
    /// Begins with the call of these headers. None: its trace is not sampled.
    pub(crate) fn of(traces: &Traces, headers: &HeaderMap) -> Option<Self> {
        let parent = context::parent(headers);
        let is_sampled = parent.span().span_context().is_sampled();
        is_sampled.then(|| Self { traces: traces.clone(), parent, now: Mutex::default() })
    }

    /// Ends the span of what the call waited for, and begins that of what it waits for now.
    pub(crate) fn enter(&self, what: Option<&'static str>) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        if now.as_ref().map(|(known, _)| *known) == what {
            return;
        }
        if let Some((_, mut span)) = now.take() {
            span.end();
        }
        *now = what.map(|what| (what, self.traces.tracer().start_with_context(what, &self.parent)));
    }
}
