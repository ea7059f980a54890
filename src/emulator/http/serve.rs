//! Connections: accepts them, speaks HTTP, and breaks off when a fault says so.
//!
//! Each call runs in a task of its own, so that it completes even if its caller hangs up, as it
//! would at the vendor.

use super::{
    body::{self, SentBody},
    exchange::{Outcome, exchange},
    plug::Plug,
    vendor::Vendor,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{
        conn::auto::Builder,
        graceful::{GracefulShutdown, Watcher},
    },
};
use std::{
    future::Future,
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Bodies above this are not read to their end.
const LARGEST_BODY: usize = 2 << 20;

/// The pause after a connection that could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// Serves connections until `shutdown` completes, and then lets calls finish within
/// `Options::drain`.
pub(crate) async fn run(
    vendor: Arc<Vendor>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let drain = vendor.world().options.drain;
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(Arc::clone(&vendor), stream, graceful.watcher()));
                }
                // Too many open files, or a peer that left early: the next one may succeed.
                Err(_) => sleep(ACCEPT_RETRY).await,
            },
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let _ = timeout(drain, graceful.shutdown()).await;
    connections.abort_all();
    Ok(())
}

async fn serve(vendor: Arc<Vendor>, stream: TcpStream, watcher: Watcher) {
    let _ = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Plug { stream, reset: Arc::clone(&reset) });
    let service = service_fn(move |request| call(Arc::clone(&vendor), request, Arc::clone(&reset)));
    let builder = Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(io, service);
    let _ = watcher.watch(connection).await;
}

/// Answers one call. The error of a call that is to be reset makes hyper drop the connection.
async fn call(
    vendor: Arc<Vendor>,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> io::Result<Response<SentBody>> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(too_large()),
    };
    let request = Request::from_parts(head, body);
    let outcome = tokio::spawn(async move { exchange(&vendor, request).await }).await;
    match outcome {
        Ok(Outcome::Answer(response)) => Ok(response.map(body::whole)),
        Ok(Outcome::Cut(response)) => Ok(body::cut(response)),
        Ok(Outcome::Stall(response)) => Ok(body::stalled(response)),
        Ok(Outcome::Length(response, by)) => Ok(body::mismeasured(response, by)),
        Ok(Outcome::Reset) | Err(_) => {
            reset.store(true, Ordering::Relaxed);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    }
}

fn too_large() -> Response<SentBody> {
    let mut response = Response::new(body::whole(Bytes::new()));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}
