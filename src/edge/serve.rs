//! Serves callers' connections, and drains them at shutdown.
//!
//! A connection past the bound is told to try again. Draining accepts nothing new, closes idle
//! connections, answers open requests (HTTP/1.1: with `Connection: close`, HTTP/2: after GOAWAY)
//! and waits for detached work, all within the drain time-out; then it cuts what is left.
//! Deliberately absent: tunnels, which no shutdown waits for.

use super::{
    accept::accept, connection::connection, farewell, limited::Limited, listener::OpenListener,
    options::ServeOptions, peer::Peer, socket::Socket, stream::Stream,
};
use crate::{http::Body, metrics::Metrics};
use futures_util::FutureExt;
use http::{Request, Response};
use std::{convert::Infallible, fmt, future::Future, net::SocketAddr, pin::pin, sync::Arc};
use tokio::time::timeout;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

/// Connections past the bound that are told so at one time; others are closed without a word.
const TURNED_AWAY: usize = 64;

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
    listener: impl Into<OpenListener>,
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
    let listener = listener.into();
    let connections = Connections::default();
    // When this future is dropped, its connections end too.
    let _end = [&connections.draining, &connections.closed].map(|token| token.clone().drop_guard());
    let (open, mut shared) = (&connections, Arc::new(options.clone()));
    let turned_away = TaskTracker::new();
    // Owns the service: a reference to it, held across an await, would require `Sync`.
    let mut start = move |(socket, address): (Socket, Option<SocketAddr>)| {
        if let Some(changed) = shared.changed() {
            shared = Arc::new(changed);
        }
        let Some(place) = shared.bounds.connection() else {
            return turn_away(socket, &turned_away, &shared);
        };
        let (service, options) = (service.clone(), shared.clone());
        let (draining, closed) = (open.draining.clone(), open.closed.clone());
        let counted = shared.metrics.as_ref().map(Metrics::connection);
        let peer = Peer { address, options, draining, closed };
        open.tasks.spawn(async move {
            connection(socket, service, peer).await;
            drop((place, counted));
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
    drain(&connections, &options.changed().unwrap_or(options)).await
}

/// Tells a caller to try again, where it can be told without TLS.
fn turn_away(socket: Socket, turned_away: &TaskTracker, options: &ServeOptions) {
    static LINES: Limited = Limited::new();
    options.bound_hit("connections");
    if let Some(held_back) = LINES.pass() {
        tracing::warn!(held_back, "a connection was turned away: there are too many");
    }
    if options.tls.is_none() && turned_away.len() < TURNED_AWAY {
        turned_away.spawn(farewell::answer(Stream::Plain(socket), farewell::TOO_MANY));
    }
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
