//! Every metric that is counted: its name without `weir_`, its help, its labels.
//! `docs/metrics.md` says of each what it means and when to worry.

use super::{
    counters::{Counters, Label},
    lasting::Lasting,
    spread::Seconds,
};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

/// Everything that is counted.
#[derive(Default)]
pub(super) struct All {
    pub(super) calls: Calls,
    pub(super) rules: Rules,
    pub(super) turns: Turns,
    pub(super) asking: Asking,
    pub(super) edge: Edge,
    pub(super) config: Configured,
    /// By [`UnderWay`](super::UnderWay).
    pub(super) under_way: [Lasting; 2],
    pub(super) traces: Traces,
}

/// The classes of an answer's status; `none`: there was no answer.
pub(super) const STATUSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "none"];

fn dialect() -> Label {
    Label::new("dialect", &[], 3)
}

fn rule() -> Label {
    Label::new("rule", &[], 31)
}

fn decision() -> Label {
    Label::new("decision", &[], 7)
}

fn status() -> Label {
    Label::new("status", &STATUSES, 0)
}

/// Calls.
pub(super) struct Calls {
    pub(super) answered: Counters<4>,
    pub(super) own_time: Seconds<1>,
    pub(super) upstream_time: Seconds<1>,
    pub(super) own_answers: Counters<1>,
    pub(super) hangups: Counters<1>,
    pub(super) ungoverned: Counters<1>,
    pub(super) ungoverned_time: Seconds<0>,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            answered: Counters::new(
                "calls",
                "Governed calls that were answered.",
                [dialect(), Label::new("call", &[], 31), decision(), status()],
            ),
            own_time: Seconds::new(
                "call_own_seconds",
                "Time of governed calls in Weir, the wait for the turn included.",
                [dialect()],
            ),
            upstream_time: Seconds::new(
                "call_upstream_seconds",
                "Time for which governed calls waited for upstream, look-ups included.",
                [dialect()],
            ),
            own_answers: Counters::new(
                "own_answers",
                "Governed calls with an error of Weir's own that is no rule's, by reason.",
                [Label::new("reason", &[], 31)],
            ),
            hangups: Counters::new(
                "hangups",
                "Governed calls whose caller left before the answer.",
                [dialect()],
            ),
            ungoverned: Counters::new(
                "ungoverned_calls",
                "Calls that no rule is about, by upstream's status.",
                [status()],
            ),
            ungoverned_time: Seconds::new(
                "ungoverned_upstream_seconds",
                "Time of calls that no rule is about until the head of upstream's answer.",
                [],
            ),
        }
    }
}

/// Rules.
pub(super) struct Rules {
    pub(super) hits: Counters<3>,
    pub(super) unjudged: Counters<2>,
    pub(super) lost_credits: Counters<1>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            hits: Counters::new(
                "rule_hits",
                "Calls that broke a rule, or were kept from breaking it.",
                [dialect(), rule(), decision()],
            ),
            unjudged: Counters::new(
                "unjudged",
                "Rules that could not be judged for a call that went on.",
                [dialect(), rule()],
            ),
            lost_credits: Counters::new(
                "lost_credits_prevented",
                "Calls that the rule lost-credit refused or put in order.",
                [Label::new("decision", &["rejected", "reordered"], 0)],
            ),
        }
    }
}

/// Turns.
pub(super) struct Turns {
    pub(super) waits: Seconds<0>,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            waits: Seconds::new(
                "turn_wait_seconds",
                "Turns that calls got, by how long they waited.",
                [],
            ),
        }
    }
}

/// Why upstream gave no answer, or not a whole one.
const FAULTS: [&str; 3] = ["upstream_unreachable", "bad_gateway", "gateway_timeout"];

/// How a repair may end.
const REPAIR_ENDS: [&str; 8] =
    ["done", "undone", "stranded", "refused", "recovered", "unfinished", "kept", "not_begun"];

/// What Weir asks of upstream by itself.
pub(super) struct Asking {
    pub(super) look_ups: Counters<4>,
    pub(super) look_ups_sent: Counters<0>,
    pub(super) repairs: Counters<1>,
    pub(super) faults: Counters<1>,
}

impl Default for Asking {
    fn default() -> Self {
        let (reason, what) = (Label::new("reason", &[], 11), Label::new("what", &[], 5));
        Self {
            look_ups: Counters::new(
                "look_ups",
                "Look-ups that calls needed: why, of what, and how they ended.",
                [dialect(), reason, what, Label::new("end", &[], 11)],
            ),
            look_ups_sent: Counters::new(
                "look_up_requests",
                "Requests that look-ups sent upstream; calls that miss the same share one.",
                [],
            ),
            repairs: Counters::new(
                "repairs",
                "Repairs by how they ended.",
                [Label::new("end", &REPAIR_ENDS, 0)],
            ),
            faults: Counters::new(
                "upstream_faults",
                "Requests of governed calls that upstream did not answer, or not to the end.",
                [Label::new("problem", &FAULTS, 12)],
            ),
        }
    }
}

/// Bounds whose counts are shown before they are met; others are shown once they are.
const BOUNDS: [&str; 13] = [
    "answer",
    "body-rate",
    "call-time",
    "calls",
    "connections",
    "governed-body",
    "governed-body-time",
    "head-time",
    "proxy-header",
    "turn-queue",
    "turn-wait",
    "turns-waiting",
    "write-time",
];

/// Callers' connections, and bounds of all kinds.
pub(super) struct Edge {
    pub(super) connections: Counters<0>,
    pub(super) open: AtomicI64,
    pub(super) bounds: Counters<1>,
    pub(super) refused: Counters<1>,
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            connections: Counters::new(
                "connections_accepted",
                "Connections of callers that were accepted.",
                [],
            ),
            open: AtomicI64::new(0),
            bounds: Counters::new(
                "bounds_hit",
                "Calls and connections that met a bound.",
                [Label::new("bound", &BOUNDS, 42)],
            ),
            refused: Counters::new(
                "requests_refused",
                "Requests that were not taken, before any rule or upstream saw them.",
                [Label::new("problem", &[], 15)],
            ),
        }
    }
}

/// The configuration in force.
pub(super) struct Configured {
    /// How often one was taken, the one of the start included.
    pub(super) generation: AtomicU64,
    /// When the one in force was read, in seconds since 1970.
    pub(super) at: AtomicU64,
    /// Whether a later one was refused.
    pub(super) refused: AtomicBool,
    pub(super) reloads: Counters<1>,
}

impl Default for Configured {
    fn default() -> Self {
        Self {
            generation: AtomicU64::new(0),
            at: AtomicU64::new(0),
            refused: AtomicBool::new(false),
            reloads: Counters::new(
                "config_reloads",
                "Reloads of the configuration.",
                [Label::new("result", &["taken", "refused"], 0)],
            ),
        }
    }
}

/// Spans of traces.
pub(super) struct Traces {
    pub(super) spans: Counters<1>,
}

impl Default for Traces {
    fn default() -> Self {
        Self {
            spans: Counters::new(
                "spans",
                "Spans of traces, by what became of them.",
                [Label::new("end", &["sent", "dropped", "lost"], 0)],
            ),
        }
    }
}
