//! Says of a decision what the span of its call shows.

use super::governor::Governor;
use crate::{
    observe::{Decision, Step},
    rules::RuleId,
    traces::Told,
};

/// Returns the parts of a decision that are shown: ids and names, as the log has them.
pub(super) fn told(governor: &Governor, decision: &Decision) -> Told {
    let step = |step: &Step| match step.end.status() {
        Some(status) => format!("{}: {} {status}", step.kind, step.end.as_str()),
        None => format!("{}: {}", step.kind, step.end.as_str()),
    };
    Told {
        dialect: decision.dialect.as_str(),
        call: decision.call,
        mode: governor.policy.load().mode.as_str(),
        decision: decision.decision.as_str(),
        decision_id: decision.id.clone(),
        session: decision.session.as_ref().map(ToString::to_string),
        rule: decision.rule.map(RuleId::as_str),
        reason: decision.reason,
        steps: decision.steps.iter().map(step).collect(),
    }
}
