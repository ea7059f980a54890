//! Begins spans, samples them, and hands them to the thread that sends.

use super::export::{self, TraceSettings};
use crate::metrics::Metrics;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use std::{fmt, io, sync::Arc};

/// Writes spans. Clones share one queue and one collector.
#[derive(Clone)]
pub(crate) struct Traces(Arc<Shared>);

struct Shared {
    tracer: SdkTracer,
    // Its end ends the tracer, too.
    _provider: SdkTracerProvider,
    sending: export::Sending,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Traces(..)")
    }
}

impl Traces {
    /// Starts the thread that sends spans.
    pub(crate) fn start(settings: &TraceSettings, metrics: Metrics) -> io::Result<Self> {
        let resource = Resource::builder()
            .with_service_name("weir")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let (queue, sending) = export::start(settings, metrics, &resource)?;
        let roots = Sampler::TraceIdRatioBased(1.0 / settings.one_in.max(1) as f64);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(queue)
            .with_sampler(Sampler::ParentBased(Box::new(roots)))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("weir");
        Ok(Self(Arc::new(Shared { tracer, _provider: provider, sending })))
    }

    /// Sends the spans that wait, for two seconds at most. Later ones are dropped.
    pub(crate) fn finish(&self) {
        self.0.sending.finish();
    }

    /// Returns what begins spans.
    pub(super) fn tracer(&self) -> &SdkTracer {
        &self.0.tracer
    }
}
