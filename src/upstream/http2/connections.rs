//! The HTTP/2 connections of one worker.
//!
//! A call takes the first connection that has room. Where none has, one more is made at a time, up
//! to a bound, and calls wait for it or for a call to end. Before it is known what upstream speaks,
//! one connection finds out for all.

use super::connection::{Call, Connection};
use crate::upstream::pool::{LONGEST_PAUSE, PoolLimits};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// How many connections take calls at one time, if upstream allows few calls on each.
const MOST_CONNECTIONS: usize = 64;

/// How long it is at least until unused connections are looked for again.
const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// What upstream has chosen last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Spoken {
    #[default]
    Unknown,
    Http1,
    Http2,
}

/// The connections of one worker to an upstream that may speak HTTP/2.
pub(in crate::upstream) struct Connections {
    state: Mutex<State>,
    /// Wakes calls that wait for a place.
    room: Arc<Notify>,
    limits: Arc<PoolLimits>,
}

#[derive(Default)]
struct State {
    /// Oldest first. Those that take no further call leave it, and end with their last one.
    open: Vec<Arc<Connection>>,
    spoken: Spoken,
    /// The generation of the connection that has told.
    spoken_in: u64,
    is_making: bool,
    /// Whether a task runs that closes connections unused for too long.
    is_swept: bool,
}

/// How a call goes on.
pub(in crate::upstream) enum Next {
    /// It has a place.
    Go(Call),
    /// It makes a connection.
    Make(Making),
    /// It waits until something has changed.
    Wait,
}

impl Connections {
    pub(in crate::upstream) fn new(limits: Arc<PoolLimits>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), room: Arc::default(), limits })
    }

    /// Returns what is notified when a call may go on.
    pub(in crate::upstream) fn room(&self) -> &Arc<Notify> {
        &self.room
    }

    /// Returns how many connections take calls.
    pub(in crate::upstream) fn open(&self) -> usize {
        self.state().open.len()
    }

    /// Takes a place on a connection that has one.
    pub(in crate::upstream) fn take(&self) -> Option<Call> {
        self.state().join(None, &self.limits)
    }

    /// Says how a call goes on that found no place. `refused` is a call whose connection it must
    /// not take.
    pub(in crate::upstream) fn next(self: &Arc<Self>, refused: Option<&Call>) -> Next {
        let mut state = self.state();
        if let Some(call) = state.join(refused, &self.limits) {
            return Next::Go(call);
        }
        let generation = self.limits.generation();
        if state.spoken_in != generation {
            // Another way may lead elsewhere.
            (state.spoken, state.spoken_in) = (Spoken::Unknown, generation);
        }
        let is_alone = match state.spoken {
            Spoken::Http1 => false,
            Spoken::Unknown | Spoken::Http2 => true,
        };
        // Where upstream allows no calls at all, more connections are of no use.
        let is_full =
            state.open.len() >= MOST_CONNECTIONS || state.open.iter().any(|one| !one.allows_any());
        if is_alone && (state.is_making || is_full) {
            return Next::Wait;
        }
        state.is_making |= is_alone;
        Next::Make(Making { connections: self.clone(), is_alone })
    }

    /// Closes connections unused for too long. Returns when to look again.
    fn close_old(&self) -> Option<Instant> {
        let (now, idle_timeout) = (Instant::now(), self.limits.idle_timeout());
        let mut state = self.state();
        let due = |one: &Connection| one.unused_since().map(|since| since + idle_timeout);
        state
            .open
            .retain(|one| one.is_good(now, &self.limits) && due(one).is_none_or(|due| due > now));
        let later = now + idle_timeout.max(LEAST_PAUSE);
        let next = state.open.iter().map(|one| due(one).unwrap_or(later)).min();
        state.is_swept = next.is_some();
        next
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes what upstream has chosen for a connection of this generation.
    fn has_spoken(&mut self, spoken: Spoken, generation: u64) {
        if self.spoken_in == generation {
            self.spoken = spoken;
        }
    }

    fn join(&mut self, refused: Option<&Call>, limits: &PoolLimits) -> Option<Call> {
        if self.open.is_empty() {
            return None;
        }
        let now = Instant::now();
        let idle_timeout = limits.idle_timeout();
        let is_old = |one: &Connection| {
            one.unused_since().is_some_and(|since| now.duration_since(since) >= idle_timeout)
        };
        self.open.retain(|one| one.is_good(now, limits) && !is_old(one));
        let is_refused = |one: &&Arc<Connection>| refused.is_some_and(|call| call.is_over(one));
        self.open.iter().filter(|one| !is_refused(one)).find_map(Connection::join)
    }
}

async fn sweep(connections: Weak<Connections>, idle_timeout: Duration) {
    let mut next = Some(Instant::now() + idle_timeout);
    while let Some(due) = next {
        // The time-out may change meanwhile.
        tokio::time::sleep_until(due.min(Instant::now() + LONGEST_PAUSE)).await;
        next = connections.upgrade().and_then(|connections| connections.close_old());
    }
}

/// The right to make a connection. Dropped: another call may.
pub(in crate::upstream) struct Making {
    connections: Arc<Connections>,
    is_alone: bool,
}

impl Making {
    /// Notes that upstream has chosen HTTP/1.1.
    pub(in crate::upstream) fn speaks_http1(self, generation: u64) {
        self.connections.state().has_spoken(Spoken::Http1, generation);
    }

    /// Adds a connection that was made, and takes a place on it, if upstream allows any.
    pub(in crate::upstream) fn add(self, made: Arc<Connection>) -> Option<Call> {
        let call = made.join();
        let mut state = self.connections.state();
        state.has_spoken(Spoken::Http2, made.generation());
        // Many may have been made while upstream was known to speak HTTP/1.1.
        if state.open.len() < MOST_CONNECTIONS {
            state.open.push(made);
        }
        if !std::mem::replace(&mut state.is_swept, true) {
            let connections = Arc::downgrade(&self.connections);
            tokio::spawn(sweep(connections, self.connections.limits.idle_timeout()));
        }
        call
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if self.is_alone {
            self.connections.state().is_making = false;
        }
        self.connections.room.notify_waiters();
    }
}
