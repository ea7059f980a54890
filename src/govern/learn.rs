//! Writes down what a finished call taught.
//!
//! In: observations ([`Learned`]) and the records in hand. Out: the same records, changed and
//! written. Observations about another session go to the record of that session.

use super::{exchange::Exchange, holding::Holding};
use crate::{
    rules::{
        CustomerId, CustomerObservation, Intent, Known, Learned, SessionKey, SessionObservation,
        SourceId, SourceObservation, Timestamp, outcome_unknown,
    },
    sessions::{Records, StoreError, now},
};
use std::time::Duration;

/// Returns whether the call may change a session of which no record is in hand.
pub(super) fn goes_unseen(intent: &Intent, hand: Option<&Holding>) -> bool {
    match hand {
        None => true,
        Some(Holding::Overlapping(records)) => {
            records.session_key().is_none() && intent.session().is_some()
        }
        Some(Holding::Turn(_) | Holding::Records(..)) => false,
    }
}

/// Marks as unsure all that a call may change that overlaps with another one. Returns its records,
/// if it is one.
pub(super) fn mark_overlap<'a>(
    exchange: &Exchange,
    hand: Option<&'a mut Holding>,
    known: &Known,
) -> Option<&'a mut Records> {
    let Some(Holding::Overlapping(records)) = hand else { return None };
    let session = records.session_key().cloned();
    let unsure = outcome_unknown(&exchange.intent, session.as_ref(), known);
    apply_learned(exchange, records, unsure, now());
    Some(records)
}

/// Applies what was learned, as of `at`, from a request that was sent at `sent`. Writes it, unless
/// it only says again what is stored, each fact later by less than `leeway`. Needs one request to
/// the store where all of it is about the records in hand.
pub(super) async fn commit(
    exchange: &Exchange,
    records: &mut Records,
    learned: Learned,
    (sent, at): (Timestamp, Timestamp),
    leeway: Duration,
) -> Result<(), StoreError> {
    match &learned.session {
        Some((key, _)) if records.session_key() != Some(key) => {
            let sources: Vec<_> = learned.sources.iter().map(|(id, _)| id.clone()).collect();
            let sessions = exchange.asker.governor.sessions();
            let mut others = sessions.records(Some(key), &sources, None).await?;
            note_late(exchange, records, &mut others, learned, (sent, at));
            others.write().await?;
        }
        _ => apply_learned(exchange, records, learned, at),
    }
    records.write_unless_repeated(leeway).await
}

/// Applies what was learned to the records of a session that was not known before the answer came.
/// `before` has what was read before the request was sent. A record that is not among that may have
/// changed since, unless it tells that nothing has.
fn note_late(
    exchange: &Exchange,
    before: &Records,
    others: &mut Records,
    mut learned: Learned,
    (sent, at): (Timestamp, Timestamp),
) {
    learned.sources.retain(|(id, observation)| {
        let is_look = matches!(observation, SourceObservation::Shown(_));
        !is_look || source_epoch(before, id) == source_epoch(others, id)
    });
    let overlaps = !others.record().is_settled_since(sent);
    let is_look = matches!(learned.session, Some((_, SessionObservation::LookedUp(_))));
    if overlaps && is_look {
        learned.session = None;
        if let Some(caller) = exchange.asker.who.caller() {
            others.apply(SessionObservation::ShownTo(caller), &exchange.policy, at);
        }
    }
    apply_learned(exchange, others, learned, at);
    if overlaps && !is_look {
        // The call had another turn than this session's.
        others.apply(SessionObservation::OutcomeUnknown, &exchange.policy, at);
    }
}

/// Adds that upstream has shown the caller these sources and this customer, and all sources that
/// `learned` lists.
pub(super) fn add_shown<'a>(
    exchange: &Exchange,
    learned: &mut Learned,
    sources: impl IntoIterator<Item = &'a SourceId>,
    customer: Option<&CustomerId>,
) {
    let Some(caller) = exchange.asker.who.credential() else { return };
    let mut shown: Vec<SourceId> = sources.into_iter().cloned().collect();
    shown.extend(learned.sources.iter().map(|(id, _)| id.clone()));
    learned.sources.extend(shown.into_iter().map(|id| (id, SourceObservation::ShownTo(caller))));
    let shown_to = |id: &CustomerId| (id.clone(), CustomerObservation::ShownTo(caller));
    learned.customers.extend(customer.map(shown_to));
}

/// Remembers that this session, which upstream has shown, is the caller's active one, if it is of a
/// kind that is.
pub(super) async fn remember_active(
    exchange: &Exchange,
    shown: Option<&SessionKey>,
) -> Result<(), StoreError> {
    match (shown, exchange.asker.who.caller()) {
        (Some(key), Some(caller)) if key.kind.is_active() => {
            exchange.asker.governor.sessions().set_active(caller, &key.id).await
        }
        _ => Ok(()),
    }
}

/// Applies what was learned to records in hand.
pub(super) fn apply_learned(
    exchange: &Exchange,
    records: &mut Records,
    learned: Learned,
    at: Timestamp,
) {
    let Learned { session, mut sources, mut customers } = learned;
    let policy = &exchange.policy;
    if drop_unseen(records, &mut sources, &mut customers)
        && matches!(*exchange.intent, Intent::Save { .. })
    {
        // It may have made the source reusable, and a look under way may have seen it before.
        exchange.asker.governor.note_unseen_change();
    }
    if let Some((_, observation)) = session {
        let shown = !matches!(
            observation,
            SessionObservation::Refused
                | SessionObservation::OutcomeUnknown
                | SessionObservation::AttachUnknown(_)
        );
        // A look that overlapped with a change may have seen either side of it.
        let is_look = matches!(observation, SessionObservation::LookedUp(_));
        if !is_look || !records.record().in_flight {
            records.apply(observation, policy, at);
        }
        if let (true, Some(caller)) = (shown, exchange.asker.who.caller()) {
            records.apply(SessionObservation::ShownTo(caller), policy, at);
        }
    }
    // A stable sort: observations about one source keep their order.
    sources.sort_by(|(one, _), (other, _)| one.cmp(other));
    for of_one in sources.chunk_by(|(one, _), (other, _)| one == other) {
        let Some(before) = of_one.first().map(|(id, _)| source_epoch(records, id)) else {
            continue;
        };
        for (id, observation) in of_one {
            let is_look = matches!(observation, SourceObservation::Shown(_));
            if !is_look || source_epoch(records, id) == before {
                records.apply_source(id, observation.clone(), at);
            }
        }
    }
    for (_, observation) in customers {
        records.apply_customer(observation, at);
    }
}

/// Drops the notes that something is unsure of which nothing is remembered: upstream may never have
/// shown it to anybody, and an id that a caller made up must leave nothing. Returns whether there
/// were any.
fn drop_unseen(
    records: &Records,
    sources: &mut Vec<(SourceId, SourceObservation)>,
    customers: &mut Vec<(CustomerId, CustomerObservation)>,
) -> bool {
    let before = sources.len() + customers.len();
    let is_unsure = |what: &SourceObservation| matches!(what, SourceObservation::OutcomeUnknown);
    let told: Vec<SourceId> =
        sources.iter().filter(|(_, what)| !is_unsure(what)).map(|(id, _)| id.clone()).collect();
    sources
        .retain(|(id, what)| !is_unsure(what) || told.contains(id) || !records.has_nothing_of(id));
    let is_unknown =
        |what: &CustomerObservation| matches!(what, CustomerObservation::OutcomeUnknown);
    if records.customer().is_none() && customers.iter().all(|(_, what)| is_unknown(what)) {
        customers.clear();
    }
    before > sources.len() + customers.len()
}

fn source_epoch(records: &Records, id: &SourceId) -> u32 {
    records.source(id).map_or(0, |record| record.epoch)
}
