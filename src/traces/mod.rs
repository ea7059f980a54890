//! Follows calls: writes spans of OpenTelemetry traces and sends them to a collector.
//!
//! In: each request as it arrives and as it goes up, what a governed call is at, and its decision.
//! Out: spans, as OTLP over HTTP. The context of a span travels in the request's own `traceparent`:
//! a call that goes up, a look-up and a step of a repair copy it, and so are its children.
//! Deliberately absent: what a caller or upstream has sent, but the names that the log has, too.

mod context;
mod export;
mod layer;
mod phases;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use export::TraceSettings;
pub(crate) use layer::{Told, Why};
pub(crate) use phases::Phases;
pub(crate) use writer::Traces;
