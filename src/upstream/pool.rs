//! Idle connections to upstream, newest first.
//!
//! A pool belongs to one worker: its lock is taken for a push or a pop and never contended.
//! hyper-util's `client::pool::cache` does not serve here: it gives a connection back when its
//! guard is dropped rather than when the body has ended, and bounds neither age nor number, which
//! this one does: a connection that never ended would never see that a name has moved. It
//! cannot resend exactly those requests that hyper returned unwritten
//! (`TrySendError::take_message`), which here go to the next connection with their body. A request
//! that was begun is never sent again.

use crate::http::Body;
use hyper::client::conn::http1::SendRequest;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{task::AbortHandle, time::Instant};

/// How long a connection whose answer has ended may take to finish sending the request. Without a
/// bound, an upstream that answered early and stopped reading would hold it for ever.
const LINGER: Duration = Duration::from_millis(500);

/// How long it is at most until unused connections are looked for again: the time-out may change.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One connection. Dropping it closes it at once, even in the middle of an exchange.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    /// When it takes no further request.
    ends: Instant,
    /// The connections that are still good have the pool's number.
    generation: u64,
    driver: Option<AbortHandle>,
}

impl Connection {
    pub(super) fn new(
        sender: SendRequest<Body>,
        ends: Instant,
        generation: u64,
        driver: AbortHandle,
    ) -> Self {
        Self { sender, ends, generation, driver: Some(driver) }
    }

    /// Keeps the connection open after the drop, for a tunnel.
    pub(super) fn detach(mut self) {
        self.driver = None;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}

struct Idle {
    connection: Connection,
    since: Instant,
}

/// The idle connections of one worker.
pub(super) struct Pool {
    idle: Mutex<IdleConnections>,
    limits: Arc<PoolLimits>,
}

/// What the pools of all workers keep, which can change.
#[derive(Debug)]
pub(super) struct PoolLimits {
    /// For how many milliseconds a connection may be unused.
    idle_timeout: AtomicU64,
    max_idle: AtomicUsize,
    /// The number of the connections that may be used; those of another are closed.
    generation: AtomicU64,
}

impl PoolLimits {
    pub(super) fn new(idle_timeout: Duration, max_idle: usize, generation: u64) -> Self {
        let idle_timeout = millis(idle_timeout).into();
        Self { idle_timeout, max_idle: max_idle.into(), generation: generation.into() }
    }

    /// Puts others in place of these.
    pub(super) fn set(&self, idle_timeout: Duration, max_idle: usize, generation: u64) {
        self.idle_timeout.store(millis(idle_timeout), Relaxed);
        self.max_idle.store(max_idle, Relaxed);
        self.generation.store(generation, Relaxed);
    }

    pub(super) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.idle_timeout.load(Relaxed))
    }

    /// Returns the number of the connections that may be used.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// Returns whether a connection that ends then, and has this number, takes requests now.
    pub(super) fn allow(&self, ends: Instant, generation: u64, now: Instant) -> bool {
        now < ends && generation == self.generation.load(Relaxed)
    }

    fn is_good(&self, connection: &Connection, now: Instant) -> bool {
        self.allow(connection.ends, connection.generation, now)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Default)]
struct IdleConnections {
    /// Oldest first.
    connections: Vec<Idle>,
    /// Whether a task runs that closes connections unused for too long.
    swept: bool,
}

impl Pool {
    /// Makes a pool that keeps to these limits.
    pub(super) fn new(limits: Arc<PoolLimits>) -> Arc<Self> {
        Arc::new(Self { idle: Mutex::default(), limits })
    }

    /// Takes the connection used last among those that are still good.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.idle();
        while let Some(Idle { connection, since }) = idle.connections.pop() {
            let is_unused_for = now.duration_since(since);
            if connection.sender.is_ready()
                && is_unused_for < self.limits.idle_timeout()
                && self.limits.is_good(&connection, now)
            {
                return Some(connection);
            }
        }
        None
    }

    /// Returns how many connections are unused now.
    pub(super) fn unused(&self) -> usize {
        self.idle().connections.len()
    }

    fn put(self: &Arc<Self>, connection: Connection) {
        let (mut idle, now) = (self.idle(), Instant::now());
        let idle_timeout = self.limits.idle_timeout();
        if idle.connections.len() >= self.limits.max_idle.load(Relaxed)
            || idle_timeout.is_zero()
            || !self.limits.is_good(&connection, now)
        {
            return;
        }
        idle.connections.push(Idle { connection, since: now });
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), idle_timeout));
        }
    }

    /// Closes connections unused for too long. Returns when the next one is due.
    fn close_old(&self) -> Option<Instant> {
        let (now, idle_timeout) = (Instant::now(), self.limits.idle_timeout());
        let mut idle = self.idle();
        let old =
            idle.connections.partition_point(|idle| now.duration_since(idle.since) >= idle_timeout);
        idle.connections.drain(..old);
        let next = idle.connections.first().map(|idle| idle.since + idle_timeout);
        idle.swept = next.is_some();
        next
    }

    fn idle(&self) -> MutexGuard<'_, IdleConnections> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<Pool>, idle_timeout: Duration) {
    let mut next = Some(Instant::now() + idle_timeout);
    while let Some(due) = next {
        tokio::time::sleep_until(due.min(Instant::now() + LONGEST_PAUSE)).await;
        next = pool.upgrade().and_then(|pool| pool.close_old());
    }
}

/// A connection in use, and the pool that it goes back to.
pub(super) struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
}

impl Lease {
    pub(super) fn new(connection: Connection, pool: Arc<Pool>) -> Self {
        Self { connection, pool }
    }

    /// Gives the connection back after the answer has ended. hyper is usually ready for the next
    /// request by then; if it still sends this one it gets a moment.
    pub(super) fn give_back(self) {
        let Self { mut connection, pool } = self;
        if connection.sender.is_ready() {
            pool.put(connection);
        } else if !connection.sender.is_closed() {
            tokio::spawn(async move {
                if let Ok(Ok(())) = tokio::time::timeout(LINGER, connection.sender.ready()).await {
                    pool.put(connection);
                }
            });
        }
    }
}
