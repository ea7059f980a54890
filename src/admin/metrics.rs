//! The page `/metrics`: what is counted, and how much there is now.

use super::page::Page;
use crate::{
    govern::Governor,
    metrics::{Reading, Value},
    observe::dropped_lines,
};
use http::StatusCode;

/// The media type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Shows all metrics.
pub(super) fn page(governor: &Governor) -> Page {
    match governor.metrics().text(readings(governor)) {
        Ok(text) => Page { status: StatusCode::OK, content_type: OPEN_METRICS, text },
        Err(_) => Page::error(StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown"),
    }
}

/// Returns what the rooms know by themselves.
fn readings(governor: &Governor) -> Vec<Reading> {
    let sessions = governor.sessions();
    // First, because it brings the count of sessions up to date.
    let dropped = sessions.dropped();
    let mode = governor.policy().mode.as_str();
    let lines = u64::try_from(dropped_lines()).unwrap_or(u64::MAX);
    vec![
        now("build_info", "The version that runs.", 1.0).with("version", env!("CARGO_PKG_VERSION")),
        now("mode", "The mode in force, in a label.", 1.0).with("mode", mode),
        now("sessions", "Sessions that are remembered.", sessions.count() as f64),
        now("sessions_capacity", "Sessions kept at most.", sessions.capacity() as f64),
        since("sessions_dropped", "Sessions forgotten for room or for want of use.", dropped),
        now("sessions_pending", "Sessions with something pending.", sessions.pinned() as f64),
        since("pending_expired", "Pending things that were given up.", sessions.pending_expired()),
        now("turns_open", "Turns that are held or waited for.", sessions.turns_open() as f64),
        now("calls_waiting", "Calls that wait for a turn.", sessions.turns_waiting() as f64),
        now("calls_in_flight", "Changing calls that are upstream.", governor.in_flight() as f64),
        now("look_ups_open", "Look-ups that are upstream.", governor.look_ups_open() as f64),
        since("misplaced_calls", "Ungoverned calls with a governed word.", governor.misplaced()),
        since("log_lines_dropped", "Lines of the log that were dropped.", lines),
    ]
}

fn now(name: &'static str, help: &'static str, value: f64) -> Reading {
    Reading { name, help, labels: Vec::new(), value: Value::Now(value) }
}

fn since(name: &'static str, help: &'static str, count: u64) -> Reading {
    Reading { name, help, labels: Vec::new(), value: Value::Since(count) }
}
