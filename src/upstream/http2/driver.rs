//! Runs all that belongs to one HTTP/2 connection in one task.
//!
//! hyper hands over the work of a connection in parts: the connection, its queue of calls, and what
//! each call still has to do. In one task they cannot run at the same time. So an error that names
//! upstream's GOAWAY can only be that of a stream which the GOAWAY excludes, and never that of a
//! call which is being sent while the GOAWAY comes. That a call is sent again rests on it. To end
//! the task closes the connection at once.

use futures_util::{StreamExt, stream::FuturesUnordered};
use hyper::rt::Executor;
use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::{Notify, oneshot},
    time::Sleep,
};

/// How many streams may be open before upstream's SETTINGS have come: a number that none of them
/// can state.
pub(super) const UNHEARD: usize = usize::MAX - 1;

/// How long a connection that takes no further call may take to say goodbye, after its last one.
const GOODBYE: Duration = Duration::from_millis(500);

type Part = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Parts of a connection's work that do not run yet.
#[derive(Clone, Default)]
pub(super) struct Parts(Arc<Mutex<Vec<Part>>>);

impl Parts {
    fn waiting(&self) -> MutexGuard<'_, Vec<Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Parts {
    fn execute(&self, part: F) {
        self.waiting().push(Box::pin(part));
    }
}

/// What the task of a connection tells those that use it.
pub(super) struct Link {
    /// How many streams upstream allows; `UNHEARD` before it has said so.
    allowed: AtomicUsize,
    changed: Notify,
    /// Woken, too, when more calls may be sent.
    room: Arc<Notify>,
}

impl Link {
    pub(super) fn new(room: Arc<Notify>) -> Self {
        Self { allowed: AtomicUsize::new(UNHEARD), changed: Notify::new(), room }
    }

    /// Returns how many streams may be open: none before upstream has said so.
    pub(super) fn allowed(&self) -> usize {
        match self.allowed.load(Ordering::Acquire) {
            UNHEARD => 0,
            allowed => allowed,
        }
    }

    /// Returns how calls that wait for room are woken.
    pub(super) fn room(&self) -> &Notify {
        &self.room
    }

    /// Waits until upstream's SETTINGS have come, or the connection has ended.
    pub(super) async fn heard(&self) {
        loop {
            let changed = self.changed.notified();
            if self.allowed.load(Ordering::Acquire) != UNHEARD {
                return;
            }
            changed.await;
        }
    }

    fn set(&self, allowed: usize) {
        if self.allowed.swap(allowed, Ordering::AcqRel) != allowed {
            self.changed.notify_waiters();
            self.room.notify_waiters();
        }
    }
}

/// A connection as hyper has it.
pub(super) trait Dispatch: Future<Output = hyper::Result<()>> + Unpin {
    /// Returns how many streams upstream allows.
    fn allowed(&self) -> usize;
}

/// The task of one connection.
pub(super) struct Driver<C> {
    dispatch: Option<C>,
    parts: Parts,
    running: FuturesUnordered<Part>,
    link: Arc<Link>,
    /// Resolves when nobody holds the connection.
    left: oneshot::Receiver<Infallible>,
    goodbye: Option<Pin<Box<Sleep>>>,
}

impl<C: Dispatch> Driver<C> {
    pub(super) fn new(
        dispatch: C,
        parts: Parts,
        link: Arc<Link>,
        left: oneshot::Receiver<Infallible>,
    ) -> Self {
        let running = FuturesUnordered::new();
        Self { dispatch: Some(dispatch), parts, running, link, left, goodbye: None }
    }

    fn poll_dispatch(&mut self, context: &mut Context<'_>) {
        let Some(dispatch) = &mut self.dispatch else { return };
        if let Poll::Ready(ended) = Pin::new(dispatch).poll(context) {
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP/2 connection to upstream ended");
            }
            self.dispatch = None;
        }
    }

    /// Polls everything until nothing moves.
    fn poll_all(&mut self, context: &mut Context<'_>) {
        loop {
            while let Poll::Ready(Some(())) = self.running.poll_next_unpin(context) {}
            self.poll_dispatch(context);
            let parts = std::mem::take(&mut *self.parts.waiting());
            if parts.is_empty() {
                return;
            }
            self.running.extend(parts);
        }
    }

    fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.goodbye.is_none() && Pin::new(&mut self.left).poll(context).is_ready() {
            self.goodbye = Some(Box::pin(tokio::time::sleep(GOODBYE)));
        }
        match &mut self.goodbye {
            Some(goodbye) => goodbye.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl<C: Dispatch> Future for Driver<C> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.poll_all(context);
        match &this.dispatch {
            Some(dispatch) => this.link.set(dispatch.allowed()),
            None if this.running.is_empty() => return Poll::Ready(()),
            None => this.link.set(0),
        }
        this.poll_goodbye(context)
    }
}

impl<C> Drop for Driver<C> {
    fn drop(&mut self) {
        self.link.set(0);
    }
}
