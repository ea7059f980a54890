//! Idle connections to upstream, newest first.
//!
//! A pool belongs to one worker: its lock is taken for a push or a pop and never contended. Why not
//! hyper-util's client: with its own retries off it drops a request that a stale connection handed
//! back unsent, and with them on it decides alone. Here such a request, which hyper gives back only
//! when it wrote none of it (`TrySendError::take_message`), simply goes to the next connection,
//! body and all; one that was begun is never sent again.

#![allow(
    clippy::disallowed_types,
    reason = "the list is clippy.toml's for `rules`; a pool has a lock"
)]

use crate::http::Body;
use hyper::client::conn::http1::SendRequest;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{task::AbortHandle, time::Instant};

/// How long a connection whose answer has ended may take to finish sending the request. Upstream
/// that answered early and reads no further would hold it for ever.
const LINGER: Duration = Duration::from_millis(500);

/// One connection. Dropped, it is closed at once, whatever it is in the middle of.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Body>,
    driver: Option<AbortHandle>,
}

impl Connection {
    pub(super) fn new(sender: SendRequest<Body>, driver: AbortHandle) -> Self {
        Connection { sender, driver: Some(driver) }
    }

    /// Lets the connection live on: it has become somebody else's.
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

/// See the module.
pub(super) struct Pool {
    idle: Mutex<Idles>,
    keep: Duration,
    most: usize,
}

#[derive(Default)]
struct Idles {
    /// Oldest first.
    connections: Vec<Idle>,
    /// A task closes what stays unused.
    swept: bool,
}

impl Pool {
    /// `keep`: how long a connection may stay unused. `most`: how many may.
    pub(super) fn new(keep: Duration, most: usize) -> Arc<Self> {
        Arc::new(Pool { idle: Mutex::default(), keep, most })
    }

    /// The connection used last, if it is still good.
    pub(super) fn take(&self) -> Option<Connection> {
        let now = Instant::now();
        let mut idle = self.idle();
        while let Some(Idle { connection, since }) = idle.connections.pop() {
            if connection.sender.is_ready() && now.duration_since(since) < self.keep {
                return Some(connection);
            }
        }
        None
    }

    /// How many connections are unused now.
    pub(super) fn unused(&self) -> usize {
        self.idle().connections.len()
    }

    fn put(self: &Arc<Self>, connection: Connection) {
        let mut idle = self.idle();
        if idle.connections.len() >= self.most || self.keep.is_zero() {
            return;
        }
        idle.connections.push(Idle { connection, since: Instant::now() });
        if !std::mem::replace(&mut idle.swept, true) {
            tokio::spawn(sweep(Arc::downgrade(self), self.keep));
        }
    }

    /// Closes what has been unused for too long; when the next one will have been, if there is one.
    fn close_old(&self) -> Option<Instant> {
        let now = Instant::now();
        let mut idle = self.idle();
        let old =
            idle.connections.partition_point(|idle| now.duration_since(idle.since) >= self.keep);
        idle.connections.drain(..old);
        let next = idle.connections.first().map(|idle| idle.since + self.keep);
        idle.swept = next.is_some();
        next
    }

    fn idle(&self) -> MutexGuard<'_, Idles> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sweep(pool: Weak<Pool>, keep: Duration) {
    let mut next = Some(Instant::now() + keep);
    while let Some(due) = next {
        tokio::time::sleep_until(due).await;
        next = pool.upgrade().and_then(|pool| pool.close_old());
    }
}

/// A connection in use, and where it goes afterwards.
pub(super) struct Lease {
    connection: Connection,
    pool: Arc<Pool>,
}

impl Lease {
    pub(super) fn new(connection: Connection, pool: Arc<Pool>) -> Self {
        Lease { connection, pool }
    }

    /// The answer has ended. As a rule hyper is ready for the next request by then; if it still
    /// sends this one it gets a moment.
    pub(super) fn give_back(self) {
        let Lease { mut connection, pool } = self;
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
