//! Decisions, rules and counts.

use super::{
    change::Shown,
    page::{Page, limit, parameter},
};
use crate::{
    govern::Governor,
    observe::dropped_lines,
    rules::{Dialect, RuleId, SessionKey, Toggle},
};
use http::StatusCode;
use serde::Serialize;

/// Shows the latest decisions, newest first: all, or those about one session.
pub(super) fn decisions(governor: &Governor, query: &str) -> Page {
    let limit = match limit(query) {
        Ok(limit) => limit,
        Err(page) => return page,
    };
    let decisions = governor.decisions();
    let latest = match parameter(query, "session") {
        Some(named) => decisions.about(limit, |session| is_named(session, &named)),
        None => decisions.latest(limit),
    };
    Page::ok(&latest.iter().map(|decision| &**decision).collect::<Vec<_>>())
}

/// Returns whether a session is named: by its id, or by its kind and its id, as in `checkout:7`.
fn is_named(session: &SessionKey, named: &str) -> bool {
    let id = session.id.as_str();
    let with_kind = || named.strip_prefix(session.kind.as_str())?.strip_prefix(':');
    named == id || with_kind() == Some(id)
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
    /// Where an operator has set it otherwise for a while.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#override: Option<Shown>,
    meaning: &'static str,
}

/// Shows every rule of every dialect.
pub(super) fn rules(governor: &Governor) -> Page {
    let (policy, overrides) = (governor.policy(), governor.overrides());
    let rules: Vec<_> = policy
        .rows(None)
        .map(|(dialect, row, in_force)| Rule {
            rule: row.id,
            dialect,
            default: row.default,
            in_force,
            r#override: overrides
                .iter()
                .find(|one| (one.set.dialect, one.set.rule) == (dialect, row.id))
                .map(Shown::of),
            meaning: row.meaning,
        })
        .collect();
    Page::ok(&serde_json::json!({ "mode": policy.mode, "rules": rules }))
}

/// Shows the configuration, and what an operator has set otherwise for a while.
pub(super) fn config(governor: &Governor, config: &str) -> Page {
    let overrides: Vec<_> = governor.overrides().iter().map(Shown::of).collect();
    let as_it_is = || Page::json(StatusCode::OK, config.to_owned());
    if overrides.is_empty() {
        return as_it_is();
    }
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(config) {
        Ok(mut shown) => {
            shown.insert("overrides".to_owned(), serde_json::json!(overrides));
            Page::ok(&shown)
        }
        Err(_) => as_it_is(),
    }
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
