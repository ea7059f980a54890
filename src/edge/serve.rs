//! The caller's side: accepts connections, finds out which HTTP they speak, serves them, and drains
//! them at shutdown.
//!
//! Draining: nothing new is accepted, idle connections are closed, what has been asked is answered
//! (HTTP/1.1: with `Connection: close`, HTTP/2: after GOAWAY) and detached work is waited for, all
//! within the drain time-out; then everything is cut. Deliberately absent: TLS, which ends before a
//! sidecar; tunnels, see `upgrade`.

use super::work::Work;
use crate::http::{Body, CallerAddress};
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
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use tower::{Service, ServiceExt, util::Oneshot};

/// How long to wait when the process is out of file descriptors.
const BREATH: Duration = Duration::from_millis(100);
/// How long a connection that was accepted last may take to show that it has something to ask.
const LAST_CALL: Duration = Duration::from_millis(100);
/// How often to look whether the rest of a preface has come.
const PREFACE_STEP: Duration = Duration::from_millis(10);

/// How to serve callers.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// How long a caller may take over a request's head, and an idle connection until its next.
    pub header_timeout: Duration,
    /// How long shutdown waits for what has been asked.
    pub drain: Duration,
    /// Put `CallerAddress` into every request's extensions: an allocation a request, so only where
    /// it is used.
    pub caller_address: bool,
    /// What else a shutdown waits for.
    pub work: Work,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            header_timeout: Duration::from_secs(60),
            drain: Duration::from_secs(30),
            caller_address: false,
            work: Work::default(),
        }
    }
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "tells whether callers were cut off"]
pub struct Drained {
    /// Connections cut off when the drain time-out ended.
    pub connections_cut: usize,
    /// Detached work cut off then: calls whose outcome nobody will learn.
    pub work_cut: usize,
}

impl std::ops::Add for Drained {
    type Output = Drained;

    fn add(self, other: Drained) -> Drained {
        Drained {
            connections_cut: self.connections_cut + other.connections_cut,
            work_cut: self.work_cut + other.work_cut,
        }
    }
}

impl fmt::Display for Drained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Drained { connections_cut: 0, work_cut: 0 } => f.write_str("all calls were answered"),
            Drained { connections_cut, work_cut } => {
                write!(
                    f,
                    "{connections_cut} connections and {work_cut} upstream calls were cut off"
                )
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    Draining,
    Closed,
}

/// Serves everybody who connects to `listener` until `shutdown` completes, then drains.
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
    let phase = watch::Sender::new(Phase::Open);
    let (opened, header_timeout, with_address) =
        (&phase, options.header_timeout, options.caller_address);
    // Owns the service: a reference to it, held while we wait, would ask for `Sync`.
    let start = move |(stream, address)| {
        let service =
            PerConnection { service: service.clone(), address: with_address.then_some(address) };
        tokio::spawn(connection(stream, service, header_timeout, opened.subscribe()));
    };
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener) => start(accepted),
        }
    }
    // What the kernel has accepted for us would be reset with the listener.
    while let Some(accepted) = accept(&listener).now_or_never() {
        start(accepted);
    }
    drop(listener);
    drained(phase, &options).await
}

/// The next connection. Errors are a connection's own (it was gone before we came) or pass (no file
/// descriptors left): neither ends the service.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_its_own(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                sleep(BREATH).await;
            }
        }
    }
}

fn is_its_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drained(phase: watch::Sender<Phase>, options: &ServeOptions) -> Drained {
    phase.send_replace(Phase::Draining);
    let both = async { tokio::join!(phase.closed(), options.work.ended()) };
    if timeout(options.drain, both).await.is_ok() {
        return Drained::default();
    }
    let cut = Drained { connections_cut: phase.receiver_count(), work_cut: options.work.running() };
    phase.send_replace(Phase::Closed);
    phase.closed().await;
    cut
}

async fn connection<S>(
    stream: TcpStream,
    service: PerConnection<S>,
    header_timeout: Duration,
    mut phase: watch::Receiver<Phase>,
) where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let spoken = tokio::select! {
        biased;
        spoken = spoken(&stream) => spoken,
        () = too_late(&mut phase, header_timeout) => None,
    };
    let io = TokioIo::new(stream);
    match spoken {
        None => {}
        Some(Spoken::Http1) => {
            let mut builder = http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(header_timeout);
            run(
                builder.serve_connection(io, service).with_upgrades(),
                |connection| connection.graceful_shutdown(),
                phase,
            )
            .await;
        }
        Some(Spoken::Http2) => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.timer(TokioTimer::new());
            run(
                builder.serve_connection(io, service),
                |connection| connection.graceful_shutdown(),
                phase,
            )
            .await;
        }
    }
}

/// Runs a connection to its end, or politely to an earlier one.
async fn run<C>(connection: C, end: impl Fn(Pin<&mut C>), mut phase: watch::Receiver<Phase>)
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut seen = Phase::Open;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a caller's connection ended");
                }
                return;
            }
            now = beyond(&mut phase, seen) => {
                if now == Phase::Closed {
                    return;
                }
                end(connection.as_mut());
                seen = now;
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Spoken {
    Http1,
    Http2,
}

/// Looks at the first bytes without taking them. HTTP/2 with prior knowledge begins with `PRI` (RFC
/// 9113 section 3.4), which is no method.
async fn spoken(stream: &TcpStream) -> Option<Spoken> {
    const PRI: &[u8] = b"PRI";
    let mut first = [0; PRI.len()];
    loop {
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return None,
            Ok(n) if first[..n] != PRI[..n] => return Some(Spoken::Http1),
            Ok(n) if n == PRI.len() => return Some(Spoken::Http2),
            // A caller that dribbles. The bytes stay in the socket, so it would be found readable
            // at once.
            Ok(_) => sleep(PREFACE_STEP).await,
        }
    }
}

/// When a connection that has said nothing is given up.
async fn too_late(phase: &mut watch::Receiver<Phase>, header_timeout: Duration) {
    tokio::select! {
        () = sleep(header_timeout) => {}
        _ = beyond(phase, Phase::Open) => sleep(LAST_CALL).await,
    }
}

/// Waits for a phase later than `seen`.
async fn beyond(phase: &mut watch::Receiver<Phase>, seen: Phase) -> Phase {
    phase.wait_for(|now| *now > seen).await.map_or(Phase::Closed, |now| *now)
}

/// The service as hyper sees it from one connection.
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
