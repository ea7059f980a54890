//! Connections: accepting, speaking HTTP, and breaking off when a fault says so.
//!
//! In: a listener. Out: nothing but what is sent. Each call runs in a task of its own, so that it
//! completes although its caller may hang up, as it would at the vendor.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    Emulator,
    exchange::{Outcome, exchange},
};

/// Bodies above this are not read to their end.
const LARGEST_BODY: usize = 2 << 20;

pub(super) async fn run(
    emulator: Emulator,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let drain = emulator.world().options.drain;
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Too many open files, or a peer that left early: the next one may fare better.
                Err(_) => {
                    sleep(std::time::Duration::from_millis(10)).await;
                    continue;
                }
            },
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
        };
        let _ = stream.set_nodelay(true);
        let reset = Arc::new(AtomicBool::new(false));
        let io = TokioIo::new(Plug { stream, reset: Arc::clone(&reset) });
        let emulator = emulator.clone();
        let watcher = graceful.watcher();
        connections.spawn(async move {
            let service =
                service_fn(move |request| call(emulator.clone(), request, Arc::clone(&reset)));
            let builder = Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(io, service);
            let _ = watcher.watch(connection).await;
        });
    }
    drop(listener);
    let _ = timeout(drain, graceful.shutdown()).await;
    connections.abort_all();
    Ok(())
}

/// The call was to be reset: the error makes hyper drop the connection.
type Broken = io::Error;

async fn call(
    emulator: Emulator,
    request: Request<Incoming>,
    reset: Arc<AtomicBool>,
) -> Result<Response<Sent>, Broken> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(too_large()),
    };
    let request = Request::from_parts(head, body);
    let outcome = tokio::spawn(async move { exchange(&emulator, request).await }).await;
    match outcome {
        Ok(Outcome::Answer(response)) => Ok(response.map(Sent::whole)),
        Ok(Outcome::Cut(response)) => Ok(half(response, Then::Fail)),
        Ok(Outcome::Stall(response)) => Ok(half(response, Then::Wait)),
        Ok(Outcome::Length(response, by)) => Ok(mismeasured(response, by)),
        Ok(Outcome::Reset) | Err(_) => {
            reset.store(true, Ordering::Relaxed);
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    }
}

fn too_large() -> Response<Sent> {
    let mut response = Response::new(Sent::whole(Bytes::new()));
    *response.status_mut() = http::StatusCode::PAYLOAD_TOO_LARGE;
    response
}

fn half(mut response: Response<Bytes>, then: Then) -> Response<Sent> {
    let length = response.body().len();
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.map(|body| Sent {
        rest: Some(body.slice(..length / 2)),
        then,
        measured: false,
        flushed: false,
    })
}

fn mismeasured(mut response: Response<Bytes>, by: i64) -> Response<Sent> {
    let length = i64::try_from(response.body().len()).unwrap_or_default().saturating_add(by).max(0);
    response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    response.map(|body| Sent { rest: Some(body), then: Then::End, measured: false, flushed: false })
}

/// What is sent of an answer.
struct Sent {
    rest: Option<Bytes>,
    then: Then,
    /// Its length may be told; otherwise the header has one that is not true.
    measured: bool,
    flushed: bool,
}

#[derive(Clone, Copy)]
enum Then {
    End,
    /// Break off.
    Fail,
    /// Say nothing more.
    Wait,
}

impl Sent {
    fn whole(body: Bytes) -> Sent {
        Sent {
            rest: Some(body).filter(|body| !body.is_empty()),
            then: Then::End,
            measured: true,
            flushed: false,
        }
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(bytes) = self.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        // hyper sends what it holds when a body has nothing to say, and throws it away when a body
        // fails.
        if !self.measured && !self.flushed {
            self.flushed = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        match self.then {
            Then::End => Poll::Ready(None),
            Then::Fail => Poll::Ready(Some(Err(io::ErrorKind::BrokenPipe.into()))),
            Then::Wait => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.measured && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.rest.as_ref().map_or(0, |rest| rest.len() as u64);
        if self.measured { SizeHint::with_exact(length) } else { SizeHint::new() }
    }
}

/// A connection that can be torn out instead of closed: the peer sees a reset, not an end.
struct Plug {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Plug {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Plug {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Plug {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
