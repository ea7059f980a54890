//! Reads the records that a caller may know of.
//!
//! In: the records in hand. Out: a [`Known`]. A record that upstream has shown only to other
//! callers is left out, so that no caller can infer from Weir what upstream would not show it.

use super::{asker::Who, exchange::Exchange};
use crate::{
    rules::{
        CredentialHash, Intent, Known, OptionFacts, SessionRecord, SourceId, SourceRecord, Stated,
    },
    sessions::{Records, StoreError},
};
use smallvec::SmallVec;
use std::sync::Arc;

/// A call seldom has to do with more sources.
type Ids = SmallVec<[SourceId; 6]>;

/// Fills `known` with the records in hand, and keeps the notes on look-ups. Asks the store only for
/// sources that are not in hand.
pub(super) async fn recall(
    exchange: &Exchange,
    records: &mut Records,
    known: &mut Known,
) -> Result<(), StoreError> {
    let who = exchange.asker.who;
    let mut ids: Ids = named(&exchange.intent, known).cloned().collect();
    records.read_along(&ids).await?;
    let now = &exchange.asker.shown;
    let shown_now = now.has_session(records.session_key());
    let shown = |record: &&Arc<SessionRecord>| shown_now || who.is_among(&record.shown_to);
    known.session = records.session().filter(shown).cloned();
    let seen = known.session.as_ref().and_then(|session| session.sources.stated_at());
    known.doubted = seen.is_some_and(|at| exchange.asker.governor.is_doubted(at));
    ids.extend(known.session.iter().flat_map(|record| record.owned()).cloned());
    let own = exchange.asker.governor.own_key().map(|key| key.hash());
    for id in ids {
        let session = known.session.as_deref();
        let visible =
            |record: &&SourceRecord| now.has_source(&id) || may_know(who, own, record, session);
        match records.source(&id).filter(visible).cloned() {
            Some(record) => known.sources.insert(id, record),
            None => known.sources.remove(&id),
        };
    }
    known.customer = records.customer().filter(|record| who.is_among(&record.shown_to)).cloned();
    Ok(())
}

/// Returns every source that the call or its options name.
fn named<'a>(intent: &'a Intent, known: &'a Known) -> impl Iterator<Item = &'a SourceId> {
    let options = known.options.iter().flatten().filter_map(OptionFacts::told_source);
    intent.sources().chain(options.map(|source| &source.id))
}

/// Returns whether the caller may know of a source: upstream has shown it to the caller, or it was
/// created for the payment session that the caller has been shown. What upstream has shown to
/// Weir's own key serves decisions about a session that the caller has been shown.
fn may_know(
    who: Who,
    own: Option<CredentialHash>,
    source: &SourceRecord,
    session: Option<&SessionRecord>,
) -> bool {
    let belongs = match (&source.payment_session, session.map(|s| &s.payment_session)) {
        (Stated::Stated(own), Some(Stated::Stated(shown))) => own == shown,
        _ => false,
    };
    let to_weir = session.is_some() && own.is_some_and(|own| source.shown_to.contains(own));
    who.is_among(&source.shown_to) || belongs || to_weir
}
