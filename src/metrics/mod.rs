//! Counts what happens, for the page `/metrics` of the admin address.
//!
//! In: one verb for each thing that is counted. Out: numbers, as OpenMetrics text. Counting takes
//! no lock and no memory: each number has its place from the start, and labels have few values.
//! Deliberately absent: how much there is now (sessions, turns), which `admin` asks the rooms for.

#![cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the program shows the counts"))]

mod counters;
mod families;
mod lasting;
mod spread;
#[cfg(feature = "cli")]
mod text;

use families::{All, STATUSES};
use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
#[cfg(feature = "cli")]
pub(crate) use text::{Reading, Value};
#[cfg(feature = "cli")]
use {
    families::Configured,
    std::time::{SystemTime, UNIX_EPOCH},
};

/// The counts of one process. Made once and handed down; cloning it is cheap.
#[derive(Clone, Default)]
pub struct Metrics(Arc<All>);

/// The parts of a governed call's decision that are counted.
pub(crate) struct Governed {
    pub dialect: &'static str,
    pub call: &'static str,
    pub decision: &'static str,
    pub status: u16,
    pub own: Duration,
    pub upstream: Duration,
}

fn class(status: Option<u16>) -> &'static str {
    let class = status.map_or(5, |status| usize::from(status / 100).wrapping_sub(1));
    STATUSES.get(class).copied().unwrap_or("none")
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}

impl Metrics {
    /// Counts a governed call that was answered.
    pub(crate) fn governed(&self, call: &Governed) {
        let Governed { dialect, decision, .. } = *call;
        self.0.calls.answered.add([dialect, call.call, decision, class(Some(call.status))]);
        self.0.calls.own_time.add([dialect], call.own);
        self.0.calls.upstream_time.add([dialect], call.upstream);
    }

    /// Counts a call that no rule is about, which upstream answered with this status, or not.
    pub(crate) fn ungoverned(&self, status: Option<u16>, took: Duration) {
        self.0.calls.ungoverned.add([class(status)]);
        self.0.calls.ungoverned_time.add([], took);
    }

    /// Counts a caller that hung up.
    pub(crate) fn hung_up(&self, dialect: &'static str) {
        self.0.calls.hangups.add([dialect]);
    }

    /// Counts a call that broke a rule, or was kept from breaking it.
    pub(crate) fn rule(&self, dialect: &'static str, rule: &'static str, decision: &'static str) {
        self.0.rules.hits.add([dialect, rule, decision]);
    }

    /// Counts a rule that could not be judged.
    pub(crate) fn unjudged(&self, dialect: &'static str, rule: &'static str) {
        self.0.rules.unjudged.add([dialect, rule]);
    }

    /// Counts an answer of Weir's own that is no rule's.
    pub(crate) fn own_answer(&self, reason: &'static str) {
        self.0.calls.own_answers.add([reason]);
    }

    /// Counts store credit that was not lost, because its call was refused or put in order.
    pub(crate) fn lost_credit_prevented(&self, decision: &'static str) {
        self.0.rules.lost_credits.add([decision]);
    }

    /// Counts a turn that came after this time.
    pub(crate) fn turn(&self, waited: Duration) {
        self.0.turns.waits.add([], waited);
    }

    /// Counts a look-up of a call: of which dialect, why, of what, and how it ended.
    pub(crate) fn look_up(&self, of: [&'static str; 4]) {
        self.0.asking.look_ups.add(of);
    }

    /// Counts a request that a look-up sends.
    pub(crate) fn look_up_sent(&self) {
        self.0.asking.look_ups_sent.add([]);
    }

    /// Counts a repair that ended so.
    pub(crate) fn repair(&self, end: &'static str) {
        self.0.asking.repairs.add([end]);
    }

    /// Counts a request that got no answer, or not a whole one.
    pub(crate) fn upstream_fault(&self, problem: &'static str) {
        self.0.asking.faults.add([problem]);
    }

    /// Counts a call as under way until the guard is dropped.
    pub(crate) fn begin(&self, of: UnderWay, since: Instant) -> Begun {
        let place = self.0.under_way[of as usize].begin(since);
        Begun { metrics: self.clone(), of, place }
    }

    /// Returns how many calls of this kind are under way, and for how many seconds the oldest is.
    #[cfg(feature = "cli")]
    pub(crate) fn under_way(&self, of: UnderWay) -> (u64, Option<u64>) {
        self.0.under_way[of as usize].now(Instant::now())
    }

    /// Counts a caller's connection, which is open until the guard is dropped.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.0.edge.connections.add([]);
        self.0.edge.open.fetch_add(1, Ordering::Relaxed);
        OpenConnection(self.clone())
    }

    /// Counts a call or a connection that met the bound of this name.
    pub(crate) fn bound_hit(&self, bound: &'static str) {
        self.0.edge.bounds.add([bound]);
    }

    /// Counts a request that was not taken, and why.
    pub(crate) fn refused(&self, problem: &'static str) {
        self.0.edge.refused.add([problem]);
    }

    /// Counts spans that ended so.
    #[cfg(feature = "otlp")]
    pub(crate) fn spans(&self, end: &'static str, count: u64) {
        self.0.traces.spans.add_many([end], count);
    }

    /// Notes that a configuration is in force from now on: the first, or one that was read again.
    #[cfg(feature = "cli")]
    pub(crate) fn config_taken(&self) {
        let Configured { generation, at, refused, .. } = &self.0.config;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        at.store(since.as_secs(), Ordering::Relaxed);
        refused.store(false, Ordering::Relaxed);
        if generation.fetch_add(1, Ordering::Relaxed) > 0 {
            self.0.config.reloads.add(["taken"]);
        }
    }

    /// Notes that a configuration was read and refused.
    #[cfg(feature = "cli")]
    pub(crate) fn config_refused(&self) {
        self.0.config.refused.store(true, Ordering::Relaxed);
        self.0.config.reloads.add(["refused"]);
    }
}

/// What a call is at that is counted and not listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnderWay {
    /// Its body arrives, and is read whole.
    Arriving,
    /// It was passed on unread, and upstream has not answered.
    Passed,
}

/// A call under way.
pub(crate) struct Begun {
    metrics: Metrics,
    of: UnderWay,
    place: u16,
}

impl Begun {
    /// Returns where it is counted.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.metrics.0.under_way[self.of as usize].end(self.place);
    }
}

/// A connection that is open.
pub(crate) struct OpenConnection(Metrics);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.edge.open.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_counted_by_its_class() {
        let classes = [Some(100), Some(204), Some(302), Some(404), Some(599), Some(0), Some(777)];
        let told: Vec<_> = classes.into_iter().chain([None]).map(class).collect();
        assert_eq!(told, ["1xx", "2xx", "3xx", "4xx", "5xx", "none", "none", "none"]);
    }

    #[test]
    fn a_connection_is_open_until_its_guard_is_dropped() {
        let metrics = Metrics::default();
        let open = [metrics.connection(), metrics.connection()];
        let count = || metrics.0.edge.open.load(Ordering::Relaxed);
        assert_eq!(count(), 2);
        drop(open);
        assert_eq!((count(), metrics.0.edge.connections.all()[0].1), (0, 2));
    }
}
