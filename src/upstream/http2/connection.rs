//! One HTTP/2 connection, and the calls that share it.

use super::driver::{Dispatch, Driver, Link, Parts, UNHEARD};
use crate::{
    http::{Body, Upload, UpstreamError},
    upstream::pool::PoolLimits,
};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
    rt::{Read, Write},
};
use hyper_util::rt::TokioTimer;
use std::{
    convert::Infallible,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
    time::Instant,
};

/// How many calls share a connection at most, whatever upstream allows.
pub(super) const MOST_CALLS: usize = 100;

/// How much of one answer may be on its way while its caller takes nothing. A connection's window
/// holds that of all its calls: a caller that takes nothing holds up no other.
const WINDOW: u32 = 128 * 1024;

/// How much of one request may wait in h2 to be sent.
const SEND_BUFFER: usize = 128 * 1024;

/// How long the rest of a request may still be sent after its answer has ended.
const LINGER: Duration = Duration::from_millis(500);

/// The size of an answer's fields, and of its trailers', as with HTTP/1.1.
const FIELDS: u32 = 400 * 1024;

/// How to keep a connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::upstream) struct Keeping {
    /// When it takes no further call.
    pub(in crate::upstream) ends: Instant,
    /// The number of the connections that were made with the same certificates.
    pub(in crate::upstream) generation: u64,
    /// How long nothing may be heard before a PING asks.
    pub(in crate::upstream) ping_after: Duration,
    /// How long the answer to a PING may take.
    pub(in crate::upstream) ping_timeout: Duration,
}

/// An open connection. The last one to drop it lets it end.
pub(in crate::upstream) struct Connection {
    sender: http2::SendRequest<Body>,
    link: Arc<Link>,
    ends: Instant,
    generation: u64,
    calls: AtomicUsize,
    /// Whether it takes no further call, for what one of them has shown.
    retired: AtomicBool,
    unused_since: Mutex<Instant>,
    _held: oneshot::Sender<Infallible>,
}

impl<T> Dispatch for http2::Connection<T, Body, Parts>
where
    T: Read + Write + Unpin + Send + 'static,
{
    fn allowed(&self) -> usize {
        self.current_max_send_streams()
    }
}

impl Connection {
    /// Speaks HTTP/2 over a stream, and waits for upstream's SETTINGS: a connection over which
    /// nothing was ever heard takes no call. `room` is notified when a call leaves it.
    pub(in crate::upstream) async fn over<T>(
        stream: T,
        keeping: Keeping,
        room: Arc<Notify>,
    ) -> Result<Arc<Self>, UpstreamError>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let parts = Parts::default();
        let calls = u32::try_from(MOST_CALLS).unwrap_or(u32::MAX);
        let (sender, connection) = http2::Builder::new(parts.clone())
            .timer(TokioTimer::new())
            .initial_max_send_streams(UNHEARD)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW.saturating_mul(calls))
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(FIELDS)
            .keep_alive_interval(keeping.ping_after)
            .keep_alive_timeout(keeping.ping_timeout)
            .keep_alive_while_idle(true)
            .handshake(stream)
            .await
            .map_err(|error| UpstreamError::NotSent(error.into()))?;
        let (held, left) = oneshot::channel();
        let link = Arc::new(Link::new(room));
        tokio::spawn(Driver::new(connection, parts, link.clone(), left));
        let made = Arc::new(Self {
            sender,
            link,
            ends: keeping.ends,
            generation: keeping.generation,
            calls: AtomicUsize::new(0),
            retired: AtomicBool::new(false),
            unused_since: Mutex::new(Instant::now()),
            _held: held,
        });
        made.link.heard().await;
        match made.sender.is_closed() {
            true => Err(UpstreamError::NotSent("upstream closed the connection at once".into())),
            false => Ok(made),
        }
    }

    /// Returns whether it may still take calls, now or later.
    pub(super) fn is_good(&self, now: Instant, limits: &PoolLimits) -> bool {
        !self.sender.is_closed()
            && !self.retired.load(Ordering::Acquire)
            && limits.allow(self.ends, self.generation, now)
    }

    /// Returns its number among those that were made with other certificates, or on another way.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns false while upstream allows no call at all on it.
    pub(super) fn allows_any(&self) -> bool {
        self.link.allowed() > 0
    }

    /// Takes a place on it, if there is one.
    pub(super) fn join(self: &Arc<Self>) -> Option<Call> {
        let allowed = self.link.allowed().min(MOST_CALLS);
        let more = |calls| (calls < allowed).then_some(calls + 1);
        self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Call { connection: self.clone() })
    }

    /// Returns since when no call has used it, if none does now.
    pub(super) fn unused_since(&self) -> Option<Instant> {
        (self.calls.load(Ordering::Acquire) == 0)
            .then(|| *self.unused_since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn leave(&self) {
        if self.calls.load(Ordering::Acquire) == 1 {
            *self.unused_since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        self.calls.fetch_sub(1, Ordering::AcqRel);
        self.link.room().notify_one();
    }
}

/// A place of one call on a connection. Dropped: the place is free.
pub(in crate::upstream) struct Call {
    connection: Arc<Connection>,
}

impl Call {
    /// Sends the request. Dropping the future resets its stream.
    pub(in crate::upstream) fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<Body>>>> + use<> {
        self.connection.sender.clone().try_send_request(request)
    }

    /// Lets no further call join this call's connection.
    pub(super) fn retire(&self) {
        self.connection.retired.store(true, Ordering::Release);
    }

    /// Returns whether this call's connection is the same as another's.
    pub(super) fn is_over(&self, connection: &Arc<Connection>) -> bool {
        Arc::ptr_eq(&self.connection, connection)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.connection.leave();
    }
}

/// A call whose answer has begun. Dropped before the answer's end: the rest of the request is not
/// sent.
pub(super) struct Answered(Option<(Call, Option<Arc<Upload>>)>);

impl Answered {
    pub(super) fn new(call: Call, upload: Option<Arc<Upload>>) -> Self {
        Self(Some((call, upload)))
    }

    /// Notes that the answer has ended. The request may still have a moment.
    pub(super) fn end(mut self) {
        self.wind_up(LINGER);
    }

    /// Keeps the call's place until its request is gone, since its stream is open until then.
    fn wind_up(&mut self, patience: Duration) {
        let Some((call, Some(upload))) = self.0.take() else { return };
        if upload.is_gone() {
            return;
        }
        if patience.is_zero() {
            upload.give_up();
        }
        // Outside of a runtime nothing is left to be sent.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(wind_up(call, upload, patience));
        }
    }
}

impl Drop for Answered {
    fn drop(&mut self) {
        self.wind_up(Duration::ZERO);
    }
}

/// Waits for the end of a request whose answer is over. One that upstream does not take cannot be
/// reset: hyper waits for room for its next bytes. Its connection ends once the other calls have.
async fn wind_up(call: Call, upload: Arc<Upload>, patience: Duration) {
    if tokio::time::timeout(patience, upload.gone()).await.is_ok() {
        return;
    }
    upload.give_up();
    if tokio::time::timeout(LINGER, upload.gone()).await.is_err() {
        call.retire();
    }
}
