//! Keeps the latest decisions for the admin API and sends each new one to the listeners.

use super::{
    counts::{Counts, count},
    decision::Decision,
    decision_log::{DecisionLog, Recorded},
    history::History,
    log::{log, log_unread},
};
use crate::{metrics::Metrics, rules::SessionKey};
use arc_swap::ArcSwap;
use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};
use tokio::sync::broadcast;

/// The latest decisions, and the listeners to new ones. Publishing never waits: a listener that is
/// too slow misses some, and its receiver says how many.
pub struct Decisions {
    prefix: String,
    next: AtomicU64,
    history: ArcSwap<History>,
    listeners: broadcast::Sender<Arc<Decision>>,
    counts: Counts,
    metrics: Metrics,
    recorder: OnceLock<DecisionLog>,
}

impl Decisions {
    /// Keeps this many decisions, and counts each.
    pub fn new(history: usize, metrics: Metrics) -> Self {
        let mut random = [0; 4];
        // Without randomness ids still differ within the process.
        let _ = getrandom::fill(&mut random);
        Self {
            prefix: format!("{:08x}", u32::from_ne_bytes(random)),
            next: AtomicU64::new(1),
            history: ArcSwap::from_pointee(History::new(history)),
            listeners: broadcast::channel(256).0,
            counts: Counts::default(),
            metrics,
            recorder: OnceLock::new(),
        }
    }

    /// Returns an id for the next decision.
    pub fn next_id(&self) -> String {
        format!("{}-{:06}", self.prefix, self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Keeps this many decisions from now on, the latest among them. One that is made in this
    /// moment may be missing from them.
    pub(crate) fn keep(&self, history: usize) {
        let before = self.history.load_full();
        if before.keeps() == history {
            return;
        }
        let after = History::new(history);
        let mut latest: Vec<_> = before.newest_first().take(history).collect();
        while let Some(oldest) = latest.pop() {
            after.push(oldest);
        }
        self.history.store(Arc::new(after));
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
        count(&self.metrics, &decision);
        for member in self.counts.add(&decision, Instant::now()) {
            log_unread(&decision, &member);
        }
        let decision = Arc::new(decision);
        if let Some(recorder) = self.recorder() {
            recorder.record(decision.clone(), recorded);
        }
        self.history.load().push(decision.clone());
        if self.listeners.receiver_count() > 0 {
            // The last listener may have left in this instant; then nothing is lost.
            let _ = self.listeners.send(decision);
        }
    }

    /// Returns the latest decisions, newest first.
    pub fn latest(&self, at_most: usize) -> Vec<Arc<Decision>> {
        self.history.load().newest_first().take(at_most).collect()
    }

    /// Returns the latest decisions about sessions for which this is true, newest first.
    pub fn about(
        &self,
        at_most: usize,
        is_wanted: impl Fn(&SessionKey) -> bool,
    ) -> Vec<Arc<Decision>> {
        let is_about = |decision: &Arc<Decision>| decision.session.as_ref().is_some_and(&is_wanted);
        self.history.load().newest_first().filter(is_about).take(at_most).collect()
    }

    /// Returns the decision with this id, if it is among the latest.
    pub fn find(&self, id: &str) -> Option<Arc<Decision>> {
        self.history.load().newest_first().find(|decision| decision.id == id)
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
