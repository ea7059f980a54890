//! Runs a worker for each listener: a thread with a runtime of its own, so that a connection, its
//! service and its connections to upstream stay on one core.

use super::{
    listener::Listener,
    options::ServeOptions,
    serve::{Drained, serve},
};
use crate::http::Body;
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use http::{Request, Response};
use std::{convert::Infallible, future::Future, io, pin::pin, sync::Arc, thread};
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

/// A worker, for which a service is made.
#[derive(Clone, Debug)]
pub struct Worker {
    /// The worker's number, from 0.
    pub index: usize,
    /// Detached work of this worker, for which its shutdown waits.
    pub work: TaskTracker,
}

/// Runs one worker for each listener until `shutdown` completes and all have drained.
/// `make_service` is called once in each worker's own runtime. If a worker fails, the others are
/// shut down too.
///
/// # Errors
/// Returns an error if a thread, a runtime or a listener could not be set up, or a worker panicked.
pub async fn run_workers<S, L>(
    listeners: Vec<L>,
    make_service: impl Fn(Worker) -> S + Send + Sync + 'static,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Drained>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
    L: Into<Listener>,
{
    let make_service = Arc::new(make_service);
    let stop = CancellationToken::new();
    // Also when this future is dropped.
    let _stop = stop.clone().drop_guard();
    let mut workers = FuturesUnordered::new();
    for (index, listener) in listeners.into_iter().enumerate() {
        let listener = listener.into();
        let worker = Worker { index, work: TaskTracker::new() };
        let options = ServeOptions { work: worker.work.clone(), ..options.clone() };
        let (make_service, stopped) = (make_service.clone(), stop.clone().cancelled_owned());
        let (report, reported) = oneshot::channel();
        thread::Builder::new().name(format!("weir-worker-{index}")).spawn(move || {
            let pulses = options.pulses.clone();
            let ended = run(listener, || make_service(worker), index, options, stopped);
            pulses.end(index);
            let _ = report.send(ended);
        })?;
        workers.push(async move {
            reported
                .await
                .unwrap_or_else(|_| Err(io::Error::other(format!("worker {index} panicked"))))
        });
    }

    let mut shutdown = pin!(shutdown.fuse());
    let mut outcome = Ok(Drained::default());
    loop {
        tokio::select! {
            () = &mut shutdown => stop.cancel(),
            ended = workers.next() => match ended {
                None => return outcome,
                Some(Ok(drained)) => outcome = outcome.map(|before| before + drained),
                Some(Err(error)) => {
                    stop.cancel();
                    outcome = outcome.and(Err(error));
                }
            }
        }
    }
}

fn run<S>(
    listener: Listener,
    make_service: impl FnOnce() -> S,
    index: usize,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Drained>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = listener.open()?;
        tokio::spawn(options.pulses.clone().beat(index));
        Ok(serve(listener, make_service(), options, shutdown).await)
    })
}
