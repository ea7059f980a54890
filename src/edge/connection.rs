//! Serves one connection, from its first byte to its end.
//!
//! In: the stream and the service. Out: nothing; what is exceeded ends the connection. One clock
//! watches it: it looks when the first limit could be exceeded, and not at each call.

use super::{
    accept::{Protocol, sniff_protocol},
    activity::{Activity, Overdue, TimeLimits},
    farewell,
    limited::Limited,
    open_call::{Answer, Answering, OpenCall},
    options::ServeOptions,
    stalled::Streams,
    stream::Stream,
    watched::Watched,
};
use crate::http::{Body, CallerAddress, ClientSubject, Overload};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceExt, util::Oneshot};

/// How long a connection that was accepted last may take to send its first byte.
const FIRST_BYTE_GRACE: Duration = Duration::from_millis(100);

/// How often a head that arrives while no new requests are taken is looked at.
const HEAD_GRACE: Duration = Duration::from_millis(20);

/// HTTP/2 streams of one connection at one time.
const STREAMS: u32 = 200;

/// Streams that a peer may reset before they were looked at, and that Weir may reset because the
/// peer broke the protocol, before the connection ends (GOAWAY).
const PEERS_RESETS: usize = 20;
const OWN_RESETS: usize = 128;

/// What a peer may send unread: on one HTTP/2 stream, and on all of a connection.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;

/// What is written ahead of a slow peer: on one HTTP/2 stream, and on an HTTP/1 connection.
const WRITE_AHEAD: usize = 128 << 10;

/// The other end of a connection, and what ends it.
pub(super) struct Peer {
    pub address: SocketAddr,
    pub options: Arc<ServeOptions>,
    /// Cancelled when no new requests are taken.
    pub draining: CancellationToken,
    /// Cancelled when open connections are cut.
    pub closed: CancellationToken,
}

/// Serves a connection.
pub(super) async fn connection<S>(stream: TcpStream, service: S, peer: Peer)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let options = &peer.options;
    let Some((stream, protocol)) = begin(stream, &peer).await else { return };
    let client = stream.client();
    let activity = Arc::new(Activity::new(limits(options), protocol));
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let address = options.caller_address.then_some(peer.address);
    let streams = (protocol == Protocol::Http2).then(Streams::default);
    let executor = streams.clone().unwrap_or_default().executor(options);
    let service = PerConnection {
        service,
        address,
        client,
        options: options.clone(),
        activity: activity.clone(),
        streams,
    };
    let overdue = match protocol {
        Protocol::Http1 => {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                // Another clock tells a head that is late from a connection that is idle.
                .header_read_timeout(None)
                .max_header_size(options.head)
                .max_buf_size(options.head.max(WRITE_AHEAD))
                .serve_connection(io, service)
                .with_upgrades();
            run(connection, |connection| connection.graceful_shutdown(), &activity, &peer).await
        }
        Protocol::Http2 => {
            let connection = http2::Builder::new(executor)
                .timer(TokioTimer::new())
                .keep_alive_interval(options.ping_after)
                .keep_alive_timeout(options.header_timeout)
                .max_header_list_size(u32::try_from(options.head).unwrap_or(u32::MAX))
                .max_concurrent_streams(STREAMS)
                .max_pending_accept_reset_streams(PEERS_RESETS)
                .max_local_error_reset_streams(OWN_RESETS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_send_buf_size(WRITE_AHEAD)
                .serve_connection(io, service);
            run(connection, |connection| connection.graceful_shutdown(), &activity, &peer).await
        }
    };
    if let (Some(Overdue::Head), Protocol::Http1) = (overdue, protocol)
        && let Some(stream) = activity.take_back()
    {
        farewell::answer(stream, farewell::TOO_SLOW).await;
    }
}

fn limits(options: &ServeOptions) -> TimeLimits {
    let (head, keep_alive) = (options.header_timeout, options.keep_alive);
    TimeLimits { head, keep_alive, write: options.write_timeout }
}

/// Finds out what the connection speaks. `None`: it said nothing that can be served in time.
async fn begin(stream: TcpStream, peer: &Peer) -> Option<(Stream, Protocol)> {
    let options = &peer.options;
    let told = async {
        match &options.tls {
            None => sniff_protocol(&stream).await.map(|protocol| (Stream::Plain(stream), protocol)),
            Some(tls) => match timeout(options.header_timeout, tls.accept(stream)).await {
                Ok(Ok(begun)) => Some(begun),
                Ok(Err(error)) => {
                    static LINES: Limited = Limited::new();
                    if let Some(held_back) = LINES.pass() {
                        tracing::info!(%error, held_back, "a TLS handshake failed");
                    }
                    None
                }
                Err(_) => {
                    options.bound_hit("head-time");
                    None
                }
            },
        }
    };
    tokio::select! {
        biased;
        told = told => told,
        () = give_up(&peer.draining, options.header_timeout) => None,
    }
}

/// Runs a connection to its end: asks it to end with `end` once it is idle for too long or no new
/// requests are taken, and drops it once a limit is exceeded or connections are cut.
async fn run<C>(
    connection: C,
    end: fn(Pin<&mut C>),
    activity: &Activity,
    peer: &Peer,
) -> Option<Overdue>
where
    C: Future<Output = hyper::Result<()>>,
{
    let mut connection = pin!(connection);
    let mut look = pin!(sleep_until(Instant::now()));
    let mut ending = None;
    // Whether `end` is still to be called: a head that arrives is let in first.
    let mut waits = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                tell(ended, &peer.options);
                return None;
            }
            () = peer.closed.cancelled() => return None,
            () = peer.draining.cancelled(), if ending.is_none() => {
                ending = Some(Instant::now());
                waits = activity.is_in_head();
                if !waits {
                    end(connection.as_mut());
                }
                look.as_mut().reset(Instant::now());
            }
            () = sleep(HEAD_GRACE), if waits => if !activity.is_in_head() {
                waits = false;
                end(connection.as_mut());
            },
            () = look.as_mut() => match activity.check(Instant::now(), ending) {
                Ok(next) => look.as_mut().reset(next),
                Err(Overdue::Idle) => {
                    ending = Some(Instant::now());
                    end(connection.as_mut());
                }
                Err(overdue) => {
                    tell_overdue(overdue, &peer.options);
                    activity.want_back();
                    return Some(overdue);
                }
            }
        }
    }
}

fn tell(ended: hyper::Result<()>, options: &ServeOptions) {
    let Err(error) = ended else { return };
    if error.is_parse() {
        options.refused(if error.is_parse_too_large() { "head_too_large" } else { "malformed" });
        static LINES: Limited = Limited::new();
        // hyper has answered it: 400, 414 or 431, without a body.
        if let Some(held_back) = LINES.pass() {
            tracing::info!(
                %error,
                held_back,
                "a request is no HTTP, or its head is too large: it was refused unread"
            );
        }
        return;
    }
    tracing::debug!(%error, "a caller's connection ended");
}

fn tell_overdue(overdue: Overdue, options: &ServeOptions) {
    static LINES: Limited = Limited::new();
    let (bound, what) = match overdue {
        Overdue::Head => ("head-time", "a request's head did not arrive in time"),
        Overdue::Write => ("write-time", "a caller took nothing of what was written to it"),
        // It had no call.
        Overdue::Idle | Overdue::Ending => return,
    };
    options.bound_hit(bound);
    if let Some(held_back) = LINES.pass() {
        tracing::info!(held_back, "{what}: its connection was closed");
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
    /// Whose certificate the caller has shown.
    client: Option<ClientSubject>,
    options: Arc<ServeOptions>,
    activity: Arc<Activity>,
    /// The streams of an HTTP/2 connection.
    streams: Option<Streams>,
}

impl<S> hyper::service::Service<Request<Incoming>> for PerConnection<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering<Oneshot<S, Request<Body>>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let mut request = request.map(Body::incoming);
        if let Some(address) = self.address {
            request.extensions_mut().insert(CallerAddress(address));
        }
        if let Some(client) = &self.client {
            request.extensions_mut().insert(client.clone());
        }
        let place = self.options.bounds.call();
        if place.is_none() {
            self.options.bound_hit("calls");
            request.extensions_mut().insert(Overload);
        }
        let stream = self.streams.as_ref().map(Streams::begin);
        let call = OpenCall::begin(&self.activity, place, stream);
        Answering::new(self.service.clone().oneshot(request), call)
    }
}
