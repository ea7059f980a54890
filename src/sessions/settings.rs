//! How much is remembered, and how long a call waits.

use crate::rules::SessionKind;
use std::time::Duration;

/// How much is remembered, and how long a call waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many sessions are kept, and as many customers and active sessions; twice as many
    /// sources. The least recently used are dropped first.
    pub capacity: u64,
    /// How long a record is kept that no call asks for.
    pub idle_ttl: Duration,
    /// How many calls may wait for one turn, held ones included.
    pub queue: usize,
    /// How long a call may wait for a turn.
    pub wait: Duration,
    /// How many calls may wait for any turn.
    pub waiting: usize,
    /// How many sessions may have something pending before
    /// [`Sessions::can_pin`](super::Sessions::can_pin) says no.
    pub deferred_at_most: usize,
    /// All kinds of session, to name a session in the log.
    pub kinds: Vec<SessionKind>,
}

impl Default for Settings {
    /// Returns the configuration's defaults.
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            idle_ttl: Duration::from_secs(24 * 3600),
            queue: 64,
            wait: Duration::from_secs(10),
            waiting: 8192,
            deferred_at_most: 10_000,
            kinds: Vec::new(),
        }
    }
}
