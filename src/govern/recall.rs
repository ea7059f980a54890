//! What is remembered that bears on a call, and that its caller may know of.
//!
//! In: the intent, the session, the caller. Out: a [`Known`]. A record that upstream has shown to
//! somebody else only is left out, so that nobody can infer from Weir what upstream would not tell
//! them.

use super::{Client, exchange::Exchange};
use crate::rules::{Known, Pending, SessionKey, SessionRecord, SourceId, SourceRecord, Told};

/// Fills `known` with the records as they are now; what this decision has looked up stays noted.
pub(super) async fn recall<S: Client>(
    exchange: &Exchange<S>,
    session: Option<&SessionKey>,
    known: &mut Known,
) {
    let sessions = &exchange.governor.sessions;
    let caller = exchange.caller;
    known.session = match session {
        Some(key) => {
            kept(sessions.session(key).await).filter(|record| record.shown_to.contains(caller))
        }
        None => None,
    };
    for id in named(exchange, known) {
        let record = kept(sessions.source(&id).await);
        match record.filter(|record| {
            record.shown_to.contains(caller) || belongs(record, known.session.as_ref())
        }) {
            Some(record) => known.sources.insert(id, record),
            None => known.sources.remove(&id),
        };
    }
    known.customer = match exchange.intent.customer() {
        Some(id) => kept(sessions.customer(&exchange.customer_key(id)).await)
            .filter(|record| record.shown_to.contains(caller)),
        None => None,
    };
}

/// A store that fails has nothing to tell; what is needed is looked up.
fn kept<T, E: std::fmt::Display>(record: Result<Option<T>, E>) -> Option<T> {
    record.unwrap_or_else(|error| {
        tracing::error!(%error, "the session store cannot be read; what is needed is looked up");
        None
    })
}

/// A source created for the very payment session that this caller has been shown is part of what it
/// was shown.
fn belongs(source: &SourceRecord, session: Option<&SessionRecord>) -> bool {
    match (&source.payment_session, session.map(|session| &session.payment_session)) {
        (Told::Told(own), Some(Told::Told(shown))) => own == shown,
        _ => false,
    }
}

/// Every source that a rule may ask about.
fn named<S>(exchange: &Exchange<S>, known: &Known) -> Vec<SourceId> {
    let record = known.session.as_ref();
    let mut ids: Vec<SourceId> = exchange.intent.source().cloned().into_iter().collect();
    ids.extend(known.attached().iter().map(|attached| attached.id.clone()));
    ids.extend(
        known
            .options
            .iter()
            .flatten()
            .filter_map(|option| option.source.as_ref())
            .map(|source| source.id.clone()),
    );
    if let Some(Pending::Deferred { primary, .. } | Pending::Repair { primary, .. }) =
        record.and_then(|r| r.pending.as_deref())
    {
        ids.push(primary.clone());
    }
    ids
}
