//! Keeps the latest decisions for the admin API and sends each new one to the listeners.

use super::{
    counts::Counts,
    decision::Decision,
    decision_log::{DecisionLog, Recorded},
    log::{log, log_unread},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::broadcast;

/// How many decisions are kept for the admin API.
const KEPT: usize = 1024;

/// The latest decisions, and the listeners to new ones. Publishing never waits: a listener that is
/// too slow misses some, and its receiver says how many.
pub struct Decisions {
    prefix: String,
    next: AtomicU64,
    latest: Mutex<VecDeque<Arc<Decision>>>,
    listeners: broadcast::Sender<Arc<Decision>>,
    counts: Counts,
    recorder: OnceLock<DecisionLog>,
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
            counts: Counts::default(),
            recorder: OnceLock::new(),
        }
    }
}

impl Decisions {
    /// Returns an id for the next decision.
    pub fn next_id(&self) -> String {
        format!("{}-{:06}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Writes each decision to come to this log. The first log stays.
    pub(crate) fn record_in(&self, log: DecisionLog) {
        let _ = self.recorder.set(log);
    }

    /// Returns the log to which decisions are written, if there is one.
    pub(crate) fn recorder(&self) -> Option<&DecisionLog> {
        self.recorder.get()
    }

    /// Keeps a decision, counts it, logs it and sends it to the listeners. `recorded` is for the
    /// decision log.
    pub(crate) fn publish(&self, decision: Decision, recorded: Option<Box<Recorded>>) {
        log(&decision);
        for member in self.counts.add(&decision, Instant::now()) {
            log_unread(&decision, &member);
        }
        let decision = Arc::new(decision);
        if let Some(recorder) = self.recorder() {
            recorder.record(decision.clone(), recorded);
        }
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

    /// Returns the decision with this id, if it is among the latest.
    pub fn find(&self, id: &str) -> Option<Arc<Decision>> {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.iter().rev().find(|decision| decision.id == id).cloned()
    }

    /// Returns what was counted since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Returns a receiver of every decision from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Decision>> {
        self.listeners.subscribe()
    }
}
