//! The line that each decision leaves in the log.

use super::decision::Decision;
use crate::rules::RuleId;

/// Logs a decision as one line.
pub(super) fn log(decision: &Decision) {
    tracing::info!(
        target: "weir::decision",
        decision_id = %decision.id,
        request_id = decision.request_id.as_deref(),
        dialect = %decision.dialect,
        session = decision.session.as_ref().map(ToString::to_string),
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
