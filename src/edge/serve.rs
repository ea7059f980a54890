//! Serves callers' connections, and drains them at shutdown.
//!
//! Draining accepts nothing new, closes idle connections, answers open requests (HTTP/1.1: with
//! `Connection: close`, HTTP/2: after GOAWAY) and waits for detached work, all within the drain
//! time-out; then it cuts what is left. Deliberately absent: TLS, which ends before a sidecar;
//! tunnels, which no shutdown waits for.

use super::accept::{Protocol, accept, sniff_protocol};
use crate::{
    http::{Body, CallerAddress},
    metrics::Metrics,
};
use futures_util::FutureExt;
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    fmt,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Service, ServiceExt, util::Oneshot};

/// How long a connection that was accepted last may take to send its first byte.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(100);

/// How to serve callers.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long a caller may take over a request's head, and an idle connection until its next.
    pub header_timeout: Duration,
    /// How long shutdown waits for open requests.
    pub drain: Duration,
    /// Whether to put `CallerAddress` into every request's extensions, which costs an allocation
    /// for each request.
    pub caller_address: bool,
    /// Detached work that a shutdown waits for.
    pub work: TaskTracker,
    /// Where connections are counted, if they are.
    pub metrics: Option<Metrics>,
}

impl Default for ServeOptions {
    /// Returns the configuration's defaults.
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(15),
            drain: Duration::from_secs(30),
            caller_address: false,
            work: TaskTracker::new(),
            metrics: None,
        }
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "says whether callers were cut off"]
pub struct Drained {
    /// Connections cut off when the drain time-out ended.
    pub connections_cut: usize,
    /// Detached work cut off then: calls whose outcome will not be learned.
    pub work_cut: usize,
}

impl std::ops::Add for Drained {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            connections_cut: self.connections_cut + other.connections_cut,
            work_cut: self.work_cut + other.work_cut,
        }
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { connections_cut: 0, work_cut: 0 } => f.write_str("all calls were answered"),
            Self { connections_cut, work_cut } => {
                let s = |count: usize| if count == 1 { "" } else { "s" };
                let were = if connections_cut + work_cut == 1 { "was" } else { "were" };
                let (connections, calls) = (s(connections_cut), s(work_cut));
                write!(
                    f,
                    "{connections_cut} connection{connections} and {work_cut} upstream \
                     call{calls} {were} cut off"
                )
            }
        }
    }
}

/// The connections that are served, and the signals that end them.
#[derive(Default)]
struct Connections {
    tasks: TaskTracker,
    /// Cancelled when no new requests are taken.
    draining: CancellationToken,
    /// Cancelled when open connections are cut.
    closed: CancellationToken,
}

/// Serves the connections to `listener` until `shutdown` completes, then drains.
pub async fn serve<S>(
    listener: TcpListener,
    service: S,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Drained
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let connections = Connections::default();
    // When this future is dropped, its connections end too.
    let _end = [&connections.draining, &connections.closed].map(|token| token.clone().drop_guard());
    let (open, header_timeout, with_address) =
        (&connections, options.header_timeout, options.caller_address);
    let metrics = options.metrics.as_ref();
    // Owns the service: a reference to it, held across an await, would require `Sync`.
    let start = move |(stream, address)| {
        let service =
            PerConnection { service: service.clone(), address: with_address.then_some(address) };
        let (draining, closed) = (open.draining.clone(), open.closed.clone());
        let counted = metrics.map(Metrics::connection);
        open.tasks.spawn(async move {
            connection(stream, service, header_timeout, draining, closed).await;
            drop(counted);
        });
    };
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => start(accepted),
        }
    }
    // Connections that the kernel has accepted already would be reset with the listener.
    while let Some(accepted) = accept(&listener).now_or_never() {
        start(accepted);
    }
    drop(listener);
    drain(&connections, &options).await
}

async fn drain(connections: &Connections, options: &ServeOptions) -> Drained {
    connections.draining.cancel();
    connections.tasks.close();
    options.work.close();
    let both = async { tokio::join!(connections.tasks.wait(), options.work.wait()) };
    if timeout(options.drain, both).await.is_ok() {
        return Drained::default();
    }
    let cut = Drained { connections_cut: connections.tasks.len(), work_cut: options.work.len() };
    connections.closed.cancel();
    connections.tasks.wait().await;
    cut
}

async fn connection<S>(
    stream: TcpStream,
    service: PerConnection<S>,
    header_timeout: Duration,
    draining: CancellationToken,
    closed: CancellationToken,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let protocol = tokio::select! {
        biased;
        protocol = sniff_protocol(&stream) => protocol,
        () = give_up(&draining, header_timeout) => None,
    };
    let io = TokioIo::new(stream);
    match protocol {
        None => {}
        Some(Protocol::Http1) => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(header_timeout)
                .serve_connection(io, service)
                .with_upgrades();
            run(connection, |connection| connection.graceful_shutdown(), draining, closed).await;
        }
        Some(Protocol::Http2) => {
            let connection = http2::Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .serve_connection(io, service);
            run(connection, |connection| connection.graceful_shutdown(), draining, closed).await;
        }
    }
}

/// Runs a connection to its end. Calls `end`, which shuts it down gracefully, once `draining` is
/// cancelled, and drops it once `closed` is.
async fn run<C>(
    connection: C,
    end: impl FnOnce(Pin<&mut C>),
    draining: CancellationToken,
    closed: CancellationToken,
) where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            end(connection.as_mut());
            tokio::select! {
                biased;
                ended = connection => ended,
                () = closed.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        if error.is_parse() {
            // hyper has answered it: 400, without a body.
            tracing::info!(%error, "a request is no HTTP, and was refused unread");
            return;
        }
        tracing::debug!(%error, "a caller's connection ended");
    }
}

/// Waits for as long as a connection may take to send its first byte.
async fn give_up(draining: &CancellationToken, header_timeout: Duration) {
    tokio::select! {
        () = sleep(header_timeout) => {}
        () = draining.cancelled() => sleep(FIRST_BYTE_GRACE).await,
    }
}

/// Adapts the service for hyper, for one connection.
struct PerConnection<S> {
    service: S,
    address: Option<SocketAddr>,
}

impl<S> hyper::service::Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Oneshot<S, Request<Body>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::incoming);
        if let Some(address) = self.address {
            request.extensions_mut().insert(CallerAddress(address));
        }
        self.service.clone().oneshot(request)
    }
}
