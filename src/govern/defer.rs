//! Promises attaches: answers them at once, and sends them when something depends on them.
//!
//! ```text
//!             answered                   something depends on it
//!   attach ─────────────▶ deferred ────────────────────────────▶ sending ─┬─ attached: erased
//!                            ▲                                      │      ├─ refused: erased
//!                            └──── not sent, or refused for now ────┘      └─ not known: stays
//! ```
//! The note is in the session's record. Credentials are not kept: the attach is sent with those of
//! the call that needs it. "Sending" is written before the request, so that an attach is never sent
//! twice without a look-up that shows it is missing. [`Attempt`](crate::rules::Attempt) decides
//! when to defer and when to send. Only the path form is deferred, because its answer is the
//! source itself; the answer to the body form is the session as it is after the attach.

use super::{
    answer::Outcome,
    asker::Failure,
    exchange::Exchange,
    recall::recall,
    send::{CallOutcome, run_detached, send},
};
use crate::{
    http::Body,
    observe::{Decided, StepKind},
    rules::{
        CallEnd, Dialect, Finding, Known, Pending, RefusalScope, SessionObservation, SourceId,
        Timestamp, Violation,
    },
    sessions::{StoreError, Turn, now},
};
use http::Response;

/// Notes the deferred attach and answers with the source as upstream shows it.
pub(super) async fn defer(
    exchange: &Exchange,
    turn: &mut Turn,
    primary: SourceId,
    shown: Response<Body>,
) -> Result<Outcome, StoreError> {
    let dialect = turn.key().kind.dialect();
    let violation = prevented(dialect, &primary);
    let note = Pending::Deferred { primary, since: now(), sending: false };
    write_pending(exchange, turn, Some(note)).await?;
    Ok(Outcome::new(shown, Decided::Deferred).with(violation))
}

/// Returns the violation that deferring prevents, for the decision's record.
fn prevented(dialect: Dialect, source: &SourceId) -> Violation {
    Violation {
        rule: dialect.semantics().waits_under,
        dialect,
        finding: Finding::KeptBack { primary: source.clone() },
        facts: Vec::new(),
    }
}

/// Sends a deferred attach, detached, in the session's turn.
pub(super) async fn send_deferred(
    exchange: &Exchange,
    mut turn: Turn,
    primary: SourceId,
    since: Timestamp,
) -> Result<Result<(Turn, CallOutcome), StoreError>, Failure> {
    let work = {
        let exchange = exchange.clone();
        async move {
            let outcome = send_in_turn(&exchange, &mut turn, primary, since).await?;
            Ok((turn, outcome))
        }
    };
    run_detached(exchange, work).await
}

async fn send_in_turn(
    exchange: &Exchange,
    turn: &mut Turn,
    primary: SourceId,
    since: Timestamp,
) -> Result<CallOutcome, StoreError> {
    let deferred = |sending| Some(Pending::Deferred { primary: primary.clone(), since, sending });
    let Some((outgoing, call)) =
        exchange.call.attach(turn.key(), &primary, &exchange.asker.head.uri)
    else {
        return Ok(CallOutcome::NotSent(Failure::NOT_SENT));
    };
    let mut known = Known::default();
    recall(exchange, turn.records_mut(), &mut known).await?;
    // `send` writes this together with the call's beginning.
    let policy = &exchange.policy;
    turn.records_mut().apply(SessionObservation::Pending(deferred(true)), policy, now());
    let request = exchange.asker.request(&outgoing);
    let records = Some(turn.records_mut());
    let outcome = send(exchange, &call, &outgoing.intent, records, &known, request).await?;
    exchange.asker.trace.note(StepKind::AttachDeferred(primary.clone()), outcome.step_end());
    let after = match outcome.end() {
        CallEnd::Done | CallEnd::Refused(RefusalScope::ForGood | RefusalScope::Missing) => None,
        CallEnd::Refused(RefusalScope::ForNow) | CallEnd::NotSent => deferred(false),
        CallEnd::Unknown => deferred(true),
    };
    write_pending(exchange, turn, after).await?;
    Ok(outcome)
}

/// Writes what is pending for the session.
pub(super) async fn write_pending(
    exchange: &Exchange,
    turn: &mut Turn,
    pending: Option<Pending>,
) -> Result<(), StoreError> {
    let records = turn.records_mut();
    records.apply(SessionObservation::Pending(pending), &exchange.policy, now());
    records.write().await
}
