//! What Weir decided about one governed call, for response headers, log, admin API and the terminal
//! of `weir dev`.
//!
//! In: one [`Decision`] per governed call, when it is answered. Out: the last of them, and a line
//! each for whoever listens. Deliberately absent: bodies, headers, credentials. Ids, types, states
//! and amounts only.

use crate::rules::{Dialect, RuleId};
use serde::Serialize;
use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::broadcast;

/// What became of a call: the value of the `Weir-Decision` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Decided {
    /// Sent upstream unchanged (or without its `owner`); the answer is upstream's.
    Forwarded,
    /// Answered by Weir; nothing was sent.
    Rejected,
    /// Sent in another order than it came, or put right by several calls.
    Reordered,
    /// Answered with the source as upstream shows it; to be sent when something depends on it.
    Deferred,
    /// Sent unchanged, although a rule that only reports was broken.
    Monitored,
}

impl Decided {
    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Decided::Forwarded => "forwarded",
            Decided::Rejected => "rejected",
            Decided::Reordered => "reordered",
            Decided::Deferred => "deferred",
            Decided::Monitored => "monitored",
        }
    }
}

impl fmt::Display for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One call that Weir made upstream while it dealt with the caller's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it was for.
    pub what: String,
    /// Upstream's status; `None` where none came.
    pub status: Option<u16>,
}

/// One governed call and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// Unique in this process: the value of `Weir-Decision-Id`.
    pub id: String,
    /// Milliseconds since the Unix epoch when the answer was ready.
    pub at: u64,
    /// Whose rules held.
    pub dialect: Dialect,
    /// The session, as `checkout 123`; absent where the call is about none, or none was resolved.
    pub session: Option<String>,
    /// What the call means: `attach`, `order`, …
    pub call: &'static str,
    /// The source it names.
    pub source: Option<String>,
    /// What became of it.
    pub decision: Decided,
    /// The rule that was broken, if one was.
    pub rule: Option<RuleId>,
    /// What was found.
    pub found: Option<String>,
    /// What would have been accepted.
    pub accepted: Option<&'static str>,
    /// The status the caller got.
    pub status: u16,
    /// The calls Weir made besides forwarding, with upstream's statuses.
    pub steps: Vec<Step>,
    /// Microseconds spent waiting for upstream.
    pub upstream_us: u64,
    /// Microseconds spent in Weir, the wait for the session's turn included.
    pub weir_us: u64,
    /// The caller's `X-Request-Id`, where it sent one.
    pub request_id: Option<String>,
}

/// How many decisions are kept for the admin API.
const KEPT: usize = 1024;

/// The latest decisions. Publishing never waits: a listener that is too slow misses some, and is
/// told how many.
pub struct Decisions {
    prefix: String,
    next: AtomicU64,
    latest: Mutex<VecDeque<Arc<Decision>>>,
    listeners: broadcast::Sender<Arc<Decision>>,
}

impl Default for Decisions {
    fn default() -> Self {
        let mut random = [0; 4];
        // Without randomness ids still differ within the process.
        let _ = getrandom::fill(&mut random);
        Self {
            prefix: format!("{:08x}", u32::from_ne_bytes(random)),
            next: AtomicU64::new(1),
            latest: Mutex::new(VecDeque::with_capacity(KEPT)),
            listeners: broadcast::channel(256).0,
        }
    }
}

impl Decisions {
    /// Returns an id for the next decision.
    pub fn next_id(&self) -> String {
        format!("{}-{:06}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps a decision, logs it and sends it to the listeners.
    pub fn publish(&self, decision: Decision) {
        log(&decision);
        let decision = Arc::new(decision);
        {
            let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
            if latest.len() == KEPT {
                latest.pop_front();
            }
            latest.push_back(decision.clone());
        }
        if self.listeners.receiver_count() > 0 {
            // The last listener may have left in this instant; then nothing is lost.
            let _ = self.listeners.send(decision);
        }
    }

    /// Returns the latest decisions, newest first.
    pub fn latest(&self, at_most: usize) -> Vec<Arc<Decision>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().rev().take(at_most).cloned().collect()
    }

    /// Receives every decision from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Decision>> {
        self.listeners.subscribe()
    }
}

fn log(decision: &Decision) {
    tracing::info!(
        target: "weir::decision",
        decision_id = %decision.id,
        request_id = decision.request_id.as_deref(),
        dialect = %decision.dialect,
        session = decision.session.as_deref(),
        call = decision.call,
        source = decision.source.as_deref(),
        decision = %decision.decision,
        rule = decision.rule.map(RuleId::as_str),
        found = decision.found.as_deref(),
        accepted = decision.accepted,
        status = decision.status,
        upstream_us = decision.upstream_us,
        weir_us = decision.weir_us,
        "{} {}",
        decision.call,
        decision.decision,
    );
}
