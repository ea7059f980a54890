//! How much is remembered, and how long a call waits.

use crate::rules::SessionKind;
use std::time::Duration;

/// How much is remembered, and how long a call waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many sessions are remembered; twice as many sources, as many customers and
    /// active sessions. The least recently used go first.
    pub capacity: u64,
    /// How long anything is remembered that nobody asks for.
    pub idle_ttl: Duration,
    /// How many calls may wait for one turn, held ones included.
    pub queue: usize,
    /// How long a call may wait for a turn.
    pub wait: Duration,
    /// How many sessions may have something pending before
    /// [`Sessions::can_pin`](super::Sessions::can_pin) says no.
    pub deferred_at_most: usize,
    /// The kinds of session there are, to name a session in the log.
    pub kinds: Vec<SessionKind>,
}

impl Default for Settings {
    /// A million sessions for a day; 64 callers, ten seconds; ten thousand pending.
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            idle_ttl: Duration::from_secs(24 * 3600),
            queue: 64,
            wait: Duration::from_secs(10),
            deferred_at_most: 10_000,
            kinds: Vec::new(),
        }
    }
}
