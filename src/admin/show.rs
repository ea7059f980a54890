//! Decisions, rules and counts.

use super::page::{Page, limit};
use crate::{
    govern::Governor,
    observe::dropped_lines,
    rules::{Dialect, RuleId, Toggle},
};
use http::StatusCode;
use serde::Serialize;

/// Shows the latest decisions, newest first.
pub(super) fn decisions(governor: &Governor, query: &str) -> Page {
    match limit(query) {
        Ok(limit) => {
            let latest = governor.decisions().latest(limit);
            Page::ok(&latest.iter().map(|decision| &**decision).collect::<Vec<_>>())
        }
        Err(page) => page,
    }
}

/// Shows one of the latest decisions.
pub(super) fn decision(governor: &Governor, id: &str) -> Page {
    match governor.decisions().find(id) {
        Some(decision) => Page::ok(&*decision),
        None => Page::error(
            StatusCode::NOT_FOUND,
            "no such decision among the latest; the log has a line for each",
        ),
    }
}

/// A rule in one dialect, and what the policy makes of it.
#[derive(Serialize)]
struct Rule {
    rule: RuleId,
    dialect: Dialect,
    default: Toggle,
    in_force: Toggle,
    meaning: &'static str,
}

/// Shows every rule of every dialect.
pub(super) fn rules(governor: &Governor) -> Page {
    let policy = governor.policy();
    let rules: Vec<_> = policy
        .rows(None)
        .map(|(dialect, row, in_force)| Rule {
            rule: row.id,
            dialect,
            default: row.default,
            in_force,
            meaning: row.meaning,
        })
        .collect();
    Page::ok(&serde_json::json!({ "mode": policy.mode, "rules": rules }))
}

/// Shows how much is remembered, waiting and under way.
pub(super) fn stats(governor: &Governor) -> Page {
    let sessions = governor.sessions();
    // Counts are brought up to date from time to time; these are to be exact.
    sessions.run_pending_tasks();
    let counts = governor.decisions().counts();
    Page::ok(&serde_json::json!({
        "sessions": sessions.count(),
        "turns_open": sessions.turns_open(),
        "calls_waiting": sessions.turns_waiting(),
        "calls_in_flight": governor.in_flight(),
        "look_ups_open": governor.look_ups_open(),
        "sessions_with_something_pending": sessions.pinned(),
        "pending_expired": sessions.pending_expired(),
        "repairs_stranded": governor.stranded(),
        "ungoverned_with_a_governed_word": governor.misplaced(),
        "rules": counts.rules(),
        "unjudged": counts.unjudged(),
        "unread_members": counts.unread(),
        "reasons": counts.reasons(),
        "log_lines_dropped": dropped_lines(),
        "decision_log_lines_dropped": governor.decisions_unrecorded(),
    }))
}
