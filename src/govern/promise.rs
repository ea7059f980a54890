//! Promised attaches: answered at once, sent when something depends on them.
//!
//! ```text
//!             answered                   something depends on it
//!   attach ─────────────▶ deferred ────────────────────────────▶ sending ─┬─ attached: erased
//!                            ▲                                      │      ├─ refused: erased
//!                            └──── not sent, or refused for now ────┘      └─ not known: stays
//! ```
//! The note is in the session's record and lives as long as the store. Credentials are not kept: it
//! is sent with those of the call that needs it. "Sending" is written before the request: an attach
//! is never sent twice without a look-up that shows it is missing. When to do what is
//! [`Attempt`](crate::rules::Attempt)'s to say. Only the path form is deferred: its answer is the
//! source itself; the body form is answered with a session that does not exist yet.

use super::{
    answer::Outcome,
    asker::Failure,
    exchange::Exchange,
    recall::recall,
    send::{CallOutcome, detached, send},
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

/// Notes the promise and answers with the source as upstream shows it.
pub(super) async fn promise(
    exchange: &Exchange,
    turn: &mut Turn,
    primary: SourceId,
    shown: Response<Body>,
) -> Result<Outcome, StoreError> {
    let dialect = turn.key().kind.dialect();
    let violation = prevented(dialect, &primary);
    let note = Pending::Deferred { primary, since: now(), sending: false };
    note_pending(exchange, turn, Some(note)).await?;
    Ok(Outcome::new(shown, Decided::Deferred).with(violation))
}

/// What deferring prevents, for the decision's record.
fn prevented(dialect: Dialect, source: &SourceId) -> Violation {
    Violation {
        rule: dialect.semantics().waits_under,
        dialect,
        finding: Finding::KeptBack { primary: source.clone() },
        facts: Vec::new(),
    }
}

/// Sends a promised attach, detached, in the session's turn.
pub(super) async fn send_promised(
    exchange: &Exchange,
    mut turn: Turn,
    primary: SourceId,
    since: Timestamp,
) -> Result<Result<(Turn, CallOutcome), StoreError>, Failure> {
    let own = exchange.clone();
    let work = async move {
        let outcome = send_in_turn(&own, &mut turn, primary, since).await?;
        Ok((turn, outcome))
    };
    detached(exchange, work).await
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
    // Written together with the call's beginning.
    let policy = &exchange.policy;
    turn.records_mut().apply(SessionObservation::Pending(deferred(true)), policy, now());
    let request = exchange.asker.request(&outgoing);
    let records = Some(turn.records_mut());
    let outcome = send(exchange, &call, &outgoing.intent, records, &known, request).await?;
    exchange.asker.trace.note(StepKind::AttachPromised(primary.clone()), outcome.status());
    let after = match outcome.end() {
        CallEnd::Done | CallEnd::Refused(RefusalScope::ForGood | RefusalScope::Missing) => None,
        CallEnd::Refused(RefusalScope::ForNow) | CallEnd::NotSent => deferred(false),
        CallEnd::Unknown => deferred(true),
    };
    note_pending(exchange, turn, after).await?;
    Ok(outcome)
}

/// Writes what is pending for the session.
pub(super) async fn note_pending(
    exchange: &Exchange,
    turn: &mut Turn,
    pending: Option<Pending>,
) -> Result<(), StoreError> {
    let records = turn.records_mut();
    records.apply(SessionObservation::Pending(pending), &exchange.policy, now());
    records.write().await
}
