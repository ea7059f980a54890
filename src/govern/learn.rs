//! Writes down what a finished call taught.
//!
//! In: observations ([`Learned`]) and the records in hand. Out: the same records, changed and
//! written. Observations about another session go to the record of that session.

use super::exchange::Exchange;
use crate::{
    rules::{
        CustomerId, CustomerObservation, Learned, SessionKey, SessionObservation, SourceId,
        SourceObservation, Timestamp,
    },
    sessions::{Records, StoreError, Turn, TurnGuard},
};

/// The records that a call may change, with the turn that allows it.
pub(super) enum Grip {
    /// The turn of a session.
    Turn(Turn),
    /// Records without a session's turn, and the turn of a shopper or customer where one was taken.
    Records(Records, Option<TurnGuard>),
}

impl Grip {
    pub(super) fn records(&self) -> &Records {
        match self {
            Self::Turn(turn) => turn.records(),
            Self::Records(records, _) => records,
        }
    }

    pub(super) fn records_mut(&mut self) -> &mut Records {
        match self {
            Self::Turn(turn) => turn.records_mut(),
            Self::Records(records, _) => records,
        }
    }
}

/// Applies what was learned, as of `at`, and writes it. Needs one request to the store where all of
/// it is about the records in hand.
pub(super) async fn commit(
    exchange: &Exchange,
    records: &mut Records,
    learned: Learned,
    at: Timestamp,
) -> Result<(), StoreError> {
    match &learned.session {
        Some((key, _)) if records.session_key() != Some(key) => {
            let sources: Vec<_> = learned.sources.iter().map(|(id, _)| id.clone()).collect();
            let sessions = exchange.asker.governor.sessions();
            let mut others = sessions.records(Some(key), &sources, None).await?;
            note(exchange, &mut others, learned, at);
            others.write().await?;
        }
        _ => note(exchange, records, learned, at),
    }
    records.write().await
}

/// Adds that upstream has shown the caller these sources and this customer, and all sources that
/// `learned` lists.
pub(super) fn add_shown<'a>(
    exchange: &Exchange,
    learned: &mut Learned,
    sources: impl IntoIterator<Item = &'a SourceId>,
    customer: Option<&CustomerId>,
) {
    let Some(caller) = exchange.asker.who.caller() else { return };
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
pub(super) fn note(exchange: &Exchange, records: &mut Records, learned: Learned, at: Timestamp) {
    let Learned { session, mut sources, customers } = learned;
    let policy = &exchange.policy;
    if let Some((_, observation)) = session {
        let shown = !matches!(
            observation,
            SessionObservation::Refused | SessionObservation::OutcomeUnknown
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
        let epoch = |records: &Records, id| records.source(id).map_or(0, |record| record.epoch);
        let Some(before) = of_one.first().map(|(id, _)| epoch(records, id)) else { continue };
        for (id, observation) in of_one {
            let is_look = matches!(observation, SourceObservation::Shown(_));
            if !is_look || epoch(records, id) == before {
                records.apply_source(id, observation.clone(), at);
            }
        }
    }
    for (_, observation) in customers {
        records.apply_customer(observation, at);
    }
}
