//! Ends HTTP/2 streams whose caller takes nothing of the answer.
//!
//! Flow control lets a caller stop one stream and go on with others, so that no write of the
//! connection waits. hyper does not ask for more of the body then. In: each call as it begins, what
//! is asked of its answer, and the streams that hyper runs. Out: a stream that stands still is
//! dropped, which resets it and gives its connection to upstream free.

use super::{limited::Limited, options::ServeOptions};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
};
use tokio::time::sleep;

/// What is asked of one answer.
#[derive(Debug, Default)]
pub(super) struct StreamWatch {
    /// Whether the last thing that happened waits for the caller: its answer began, or a part of
    /// its body was handed out.
    is_callers: AtomicBool,
    /// How often something happened.
    moves: AtomicU64,
}

impl StreamWatch {
    /// Notes that the answer has begun.
    pub(super) fn begin(&self) {
        self.is_callers.store(true, Relaxed);
    }

    /// Notes that more of the body was asked for, and whether it was there.
    pub(super) fn poll<T>(&self, poll: &Poll<T>) {
        self.moves.fetch_add(1, Relaxed);
        self.is_callers.store(poll.is_ready(), Relaxed);
    }
}

/// The streams of one connection. hyper runs each right after its call has begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Streams(Arc<Mutex<Option<Arc<StreamWatch>>>>);

impl Streams {
    /// Notes a call that begins.
    pub(super) fn begin(&self) -> Arc<StreamWatch> {
        let watch = Arc::new(StreamWatch::default());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(watch.clone());
        watch
    }

    /// Runs streams, and drops those that stand still for as long as a write may.
    pub(super) fn executor(&self, options: &Arc<ServeOptions>) -> StreamExecutor {
        StreamExecutor { streams: self.clone(), options: options.clone() }
    }

    fn take(&self) -> Option<Arc<StreamWatch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs what hyper runs for a connection.
#[derive(Clone, Debug)]
pub(super) struct StreamExecutor {
    streams: Streams,
    options: Arc<ServeOptions>,
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        match self.streams.take() {
            Some(watch) => drop(tokio::spawn(watched(stream, watch, self.options.clone()))),
            None => drop(tokio::spawn(stream)),
        }
    }
}

async fn watched(
    stream: impl Future<Output = ()>,
    watch: Arc<StreamWatch>,
    options: Arc<ServeOptions>,
) {
    let mut stream = pin!(stream);
    loop {
        let before = (watch.is_callers.load(Relaxed), watch.moves.load(Relaxed));
        tokio::select! {
            biased;
            () = stream.as_mut() => return,
            () = sleep(options.write_timeout) => {}
        }
        let now = (watch.is_callers.load(Relaxed), watch.moves.load(Relaxed));
        if before == now && now.0 {
            static LINES: Limited = Limited::new();
            options.bound_hit("write-time");
            if let Some(held_back) = LINES.pass() {
                tracing::info!(
                    held_back,
                    "a caller took nothing of an answer: its stream was reset"
                );
            }
            return;
        }
    }
}
