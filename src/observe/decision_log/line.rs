//! One line of the decision log. `docs/decision-log.md` says what each member means.

use super::{
    facts::{self, Facts},
    fingerprint::Fingerprints,
    recorded::Recorded,
};
use crate::{
    observe::{
        decision::{Decided, Decision, Step},
        replay::{Arguments, IntentForm, Judged, VERSION},
    },
    rules::{CredentialHash, Mode, RuleId},
};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct Line<'a> {
    v: u64,
    id: &'a str,
    at: u64,
    dialect: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    call: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    intent: Option<IntentForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Judged>,
    decision: Decided,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rests_on: Vec<Facts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    facts: Vec<Facts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unjudged: Vec<(RuleId, String)>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    unread: &'a [String],
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream_code: Option<&'a str>,
    #[serde(skip_serializing_if = "<[Step]>::is_empty")]
    steps: &'a [Step],
    upstream_us: u64,
    weir_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    overrides: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    replay: Option<Arguments>,
}

/// Writes the line of a call, its end included.
pub(super) fn write(
    decision: &Decision,
    recorded: Option<&Recorded>,
    policies: &mut Fingerprints,
    line: &mut Vec<u8>,
) -> io::Result<()> {
    let basis = recorded.and_then(|recorded| recorded.basis.as_deref());
    let changed = recorded.and_then(|recorded| recorded.changed);
    let unjudged = decision.unjudged.iter().map(|one| (one.rule, one.missing.to_string()));
    let written = Line {
        v: VERSION,
        id: &decision.id,
        at: decision.at,
        dialect: decision.dialect.as_str(),
        caller: recorded.and_then(|recorded| recorded.caller).map(hex),
        client: decision.client.as_deref(),
        session: decision.session.as_ref().map(ToString::to_string),
        call: decision.call,
        intent: recorded.map(|recorded| IntentForm::of((*recorded.intent).clone())),
        source: decision.source.as_deref(),
        order: decision.order.as_deref(),
        mode: recorded.map(|recorded| recorded.policy.mode),
        policy: recorded.map(|recorded| policies.of(&recorded.policy)),
        verdict: basis.map(|basis| Judged::of(&basis.judgement)),
        decision: decision.decision,
        reason: decision.reason,
        rule: decision.rule,
        found: decision.found.as_deref(),
        rests_on: basis.map(facts::used).unwrap_or_default(),
        facts: basis.map(facts::known).unwrap_or_default(),
        unjudged: unjudged.collect(),
        unread: &decision.unread,
        status: decision.status,
        upstream_status: upstream_status(decision),
        upstream_code: decision.upstream_code.as_deref(),
        steps: &decision.steps,
        upstream_us: decision.upstream_us,
        weir_us: decision.weir_us,
        request_id: decision.request_id.as_deref(),
        trace_id: decision.trace_id.map(|trace| format!("{trace:032x}")),
        overrides: &decision.overrides,
        replay: basis.map(|basis| Arguments::of(basis, changed)),
    };
    serde_json::to_writer(&mut *line, &written)?;
    line.push(b'\n');
    Ok(())
}

/// Returns the status of upstream's answer, where the caller got that answer.
fn upstream_status(decision: &Decision) -> Option<u16> {
    let is_upstreams = match (decision.decision, decision.reason) {
        (Decided::Rejected, _) => false,
        (_, reason) => matches!(reason, None | Some("repair_failed")),
    };
    is_upstreams.then_some(decision.status)
}

fn hex(caller: CredentialHash) -> String {
    format!("{:032x}", u128::from_be_bytes(caller.0))
}
