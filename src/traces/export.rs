//! Sends spans to the collector from a thread of its own, behind a queue that drops and counts.
//! Nothing that serves a call waits for it.

use crate::metrics::Metrics;
use opentelemetry::Context;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
};
use std::{
    io,
    sync::{Mutex, PoisonError, mpsc as blocking},
    thread,
    time::Duration,
};
use tokio::{
    runtime,
    sync::mpsc::{self, Receiver, Sender},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

/// Where spans go, and how many.
#[derive(Clone, Debug)]
pub(crate) struct TraceSettings {
    /// The collector's URL for traces.
    pub endpoint: String,
    /// Of the calls that come without a trace, one in so many gets one.
    pub one_in: usize,
    /// How many spans may wait to be sent.
    pub queue: usize,
}

/// The most spans of one request, and how long one waits for others.
const AT_ONCE: usize = 512;
const GATHER: Duration = Duration::from_secs(1);

/// How long the collector may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the end of the process waits for the spans that are left.
const AT_THE_END: Duration = Duration::from_secs(2);

/// How often the log says that spans are lost.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Takes spans that have ended.
#[derive(Debug)]
pub(super) struct Queue {
    spans: Sender<SpanData>,
    metrics: Metrics,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _span: &mut Span, _context: &Context) {}

    fn on_end(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.metrics.spans("dropped", 1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// The thread that sends.
pub(super) struct Sending {
    stop: CancellationToken,
    ended: Mutex<blocking::Receiver<()>>,
}

impl Sending {
    /// Ends it, once it has sent what waits or its time is up.
    pub(super) fn finish(&self) {
        self.stop.cancel();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // An error says that it has ended.
        let _ = ended.recv_timeout(AT_THE_END);
    }
}

/// Starts the thread.
pub(super) fn start(
    settings: &TraceSettings,
    metrics: Metrics,
    resource: &Resource,
) -> io::Result<(Queue, Sending)> {
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(HyperClient::with_default_connector(PATIENCE, None))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&settings.endpoint)
        .with_timeout(PATIENCE)
        .build()
        .map_err(io::Error::other)?;
    exporter.set_resource(resource);
    let (sender, spans) = mpsc::channel(settings.queue);
    let (end, ended) = blocking::channel();
    let stop = CancellationToken::new();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let worker = Worker { exporter, spans, stop: stop.clone(), metrics: metrics.clone() };
    thread::Builder::new().name("traces".into()).spawn(move || {
        runtime.block_on(worker.run());
        drop(end);
    })?;
    Ok((Queue { spans: sender, metrics }, Sending { stop, ended: Mutex::new(ended) }))
}

struct Worker {
    exporter: SpanExporter,
    spans: Receiver<SpanData>,
    stop: CancellationToken,
    metrics: Metrics,
}

impl Worker {
    async fn run(mut self) {
        let mut told = None;
        loop {
            let batch = self.gather().await;
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            if count == 0 {
                break;
            }
            match self.exporter.export(batch).await {
                Ok(()) => self.metrics.spans("sent", count),
                Err(error) => {
                    self.metrics.spans("lost", count);
                    if told.is_none_or(|told: Instant| told.elapsed() >= TOLD_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(%error, spans = count, "the collector took no spans");
                    }
                }
            }
        }
    }

    /// Waits for spans, and a little for more. None: it is over.
    async fn gather(&mut self) -> Vec<SpanData> {
        let mut batch = Vec::with_capacity(AT_ONCE);
        tokio::select! {
            biased;
            () = self.stop.cancelled() => self.spans.close(),
            _ = self.spans.recv_many(&mut batch, AT_ONCE) => {}
        }
        let until = Instant::now() + GATHER;
        while batch.len() < AT_ONCE {
            let (room, is_last) = (AT_ONCE - batch.len(), self.spans.is_closed());
            let more = timeout_at(until, self.spans.recv_many(&mut batch, room));
            tokio::select! {
                more = more => if !matches!(more, Ok(1..)) { break },
                () = self.stop.cancelled(), if !is_last => self.spans.close(),
            }
        }
        batch
    }
}
