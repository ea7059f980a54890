//! Sends a caller's own read, and learns from its answer as from a look-up.
//!
//! In: the exchange, and the records that it may teach. Out: upstream's answer, unchanged.

use super::{
    answer::{OwnError, own_error},
    answered::LookupOutcome,
    asker::SendOutcome,
    exchange::Exchange,
    governor::log_store_error,
    look_up::{Asked, note_code, records},
    send::TOO_LONG,
};
use crate::{
    dialects::UnreadableAnswer,
    http::Body,
    observe::{StepEnd, StepKind},
    rules::{FreshFor, Intent, Lookup, SessionKey, Target},
    sessions::{Records, StoreError, now},
};
use http::Response;
use std::time::Duration;

/// The longest that a read may go unwritten. A write also keeps what belongs to the session from
/// being dropped as unused, and mends what has moved.
const LEEWAY: Duration = Duration::from_secs(30);

/// Sends the caller's own read, passes its answer through, and learns from it as from a look-up.
pub(super) async fn read(
    exchange: &Exchange,
    session: Option<&SessionKey>,
    known: Option<Records>,
) -> Result<Response<Body>, StoreError> {
    let intent = &*exchange.intent;
    let lookup = match intent {
        Intent::ReadSource { source } => Lookup::Source(source.clone()),
        Intent::ReadCustomer { .. } => Lookup::Customer,
        Intent::ReadOptions => Lookup::PaymentOptions,
        _ => Lookup::Session,
    };
    let session = match intent {
        Intent::ReadSession { session: Target::Session(key) } => Some(key),
        _ => session,
    };
    let records = match known.filter(|records| records.session_key() == session) {
        Some(records) => records,
        None => records(exchange, &lookup, session).await?,
    };
    let mut asked = Asked {
        exchange: exchange.clone(),
        call: exchange.call.clone(),
        intent: intent.clone(),
        lookup,
        session: session.cloned(),
        records,
        leeway: leeway(exchange),
    };
    let at = now();
    let what = StepKind::Call(intent.name());
    match exchange.asker.send(exchange.original(), &what, session).await {
        SendOutcome::Answered(answered) => {
            // The caller has its answer, whether or not it can be learned from.
            let trace = &exchange.asker.trace;
            match asked.learn(at, SendOutcome::Answered(answered.clone())).await {
                Ok(LookupOutcome::Shown(shown) | LookupOutcome::ShownToWeir(shown)) => {
                    trace.note_unread(&shown.unread);
                }
                Ok(LookupOutcome::Failed(StepEnd::Unreadable { why, .. })) => {
                    trace.note_unreadable(UnreadableAnswer(why));
                }
                Ok(LookupOutcome::Denied(_) | LookupOutcome::Failed(_)) => {
                    note_code(exchange, &exchange.call, &answered);
                }
                Err(error) => log_store_error(&error),
            }
            Ok(answered.into_response())
        }
        SendOutcome::TooLong(response) => {
            if response.status().is_success() {
                exchange.asker.trace.note_unreadable(TOO_LONG);
            }
            Ok(response)
        }
        SendOutcome::Failed(failure) => {
            Ok(own_error(exchange.call.form(), &OwnError::Problem(failure.problem)))
        }
    }
}

/// Returns how much later the facts of a caller's read may be without being written: an eighth of
/// the time for which a refusal may rest on them, and of `idle-ttl`, at most [`LEEWAY`].
fn leeway(exchange: &Exchange) -> Duration {
    let governor = &exchange.asker.governor;
    let most = LEEWAY.min(governor.sessions().idle_ttl() / 8);
    match governor.cap_freshness(&exchange.policy, now()).fresh_for {
        FreshFor::Forever => most,
        FreshFor::Within(limit) => most.min(limit / 8),
    }
}
