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
    peer::Peer,
    proxied,
    socket::Socket,
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
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tower::{Service, ServiceExt, util::Oneshot};

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

/// Serves a connection.
pub(super) async fn connection<S>(mut socket: Socket, service: S, peer: Peer)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send + 'static,
{
    let options = &peer.options;
    let Ok(caller) = proxied::caller(&mut socket, &peer).await else { return };
    let Some((stream, protocol)) = begin(socket, &peer).await else { return };
    let client = stream.client();
    let activity = Arc::new(Activity::new(limits(options), protocol));
    let io = TokioIo::new(Watched::new(stream, activity.clone()));
    let over_tls = options.tls.is_some();
    let caller = options.caller_address.then_some(CallerAddress { address: caller, over_tls });
    let streams = (protocol == Protocol::Http2).then(Streams::default);
    let executor = streams.clone().unwrap_or_default().executor(options);
    let service = PerConnection {
        service,
        caller,
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
async fn begin(mut socket: Socket, peer: &Peer) -> Option<(Stream, Protocol)> {
    let options = &peer.options;
    let told = async {
        match &options.tls {
            None => {
                sniff_protocol(&mut socket).await.map(|protocol| (Stream::Plain(socket), protocol))
            }
            Some(tls) => match timeout(options.header_timeout, tls.accept(socket)).await {
                Ok(Ok(begun)) => Some(begun),
                Ok(Err(error)) => {
                    static LINES: Limited = Limited::new();
                    if let Some(held_back) = LINES.pass() {
                        let peer = peer.address.map(tracing::field::display);
                        tracing::info!(%error, peer, held_back, "a TLS handshake failed");
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
        () = peer.lose_patience() => None,
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

/// Adapts the service for hyper, for one connection.
struct PerConnection<S> {
    service: S,
    caller: Option<CallerAddress>,
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
        if let Some(caller) = self.caller {
            request.extensions_mut().insert(caller);
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
