//! The line that each decision leaves in the log, and the one about what could not be read.

use super::decision::{Decided, Decision};
use crate::rules::RuleId;

/// Logs a decision as one line: at `WARN` where a rule could not be judged, the call failed, or it
/// was kept back without a rule; at `DEBUG` for a read that was only forwarded; at `INFO`
/// otherwise.
pub(super) fn log(decision: &Decision) {
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                target: "weir::decision",
                $level,
                decision_id = %decision.id,
                request_id = decision.request_id.as_deref(),
                trace_id = decision.trace_id.map(|trace| format!("{trace:032x}")),
                client = decision.client.as_deref(),
                dialect = %decision.dialect,
                session = decision.session.as_ref().map(ToString::to_string),
                call = decision.call,
                source = decision.source.as_deref(),
                order = decision.order.as_deref(),
                decision = %decision.decision,
                reason = decision.reason,
                rule = decision.rule.map(RuleId::as_str),
                found = decision.found.as_deref(),
                accepted = decision.accepted,
                overrides = (!decision.overrides.is_empty()).then(|| decision.overrides.join(", ")),
                unjudged = unjudged(decision),
                unread = unread(decision),
                status = decision.status,
                upstream_code = decision.upstream_code.as_deref(),
                upstream_us = decision.upstream_us,
                weir_us = decision.weir_us,
                "{} {}",
                decision.call,
                decision.decision,
            )
        };
    }
    match decision.decision {
        _ if !decision.unjudged.is_empty() => line!(tracing::Level::WARN),
        Decided::Failed => line!(tracing::Level::WARN),
        Decided::Rejected if decision.status >= 500 => line!(tracing::Level::WARN),
        Decided::Forwarded if decision.is_plain_read() => line!(tracing::Level::DEBUG),
        _ => line!(tracing::Level::INFO),
    }
}

/// Returns the rules that could not be judged, each with what was missing.
fn unjudged(decision: &Decision) -> Option<String> {
    let all: Vec<_> = decision
        .unjudged
        .iter()
        .map(|unjudged| format!("{} ({})", unjudged.rule, unjudged.missing))
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn unread(decision: &Decision) -> Option<String> {
    (!decision.unread.is_empty()).then(|| decision.unread.join(", "))
}

/// Logs that a member of an answer cannot be read.
pub(super) fn log_unread(decision: &Decision, member: &str) {
    tracing::warn!(
        decision_id = %decision.id,
        dialect = %decision.dialect,
        call = decision.call,
        member,
        "an answer of upstream's has a member of an unknown form; what it says is not known"
    );
}
