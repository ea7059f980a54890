//! Reads records together, changes them in hand, and writes them together.
//!
//! Reading is one request to the store and writing is another, however many records take part. If a
//! source's record turns out to be in another session's, everything is read again with that
//! session. If another call has changed the records meanwhile, they are read again and the pending
//! observations are applied again.

use super::{
    change::{Bytes, Change, StoreError, Swapped},
    hand::{Hand, Noted},
    keys::Key,
    scope::{Scope, Stored},
    store::Store,
};
use crate::rules::{
    CustomerObservation, CustomerRecord, Policy, SessionKey, SessionObservation, SessionRecord,
    SourceId, SourceObservation, SourceRecord, Timestamp,
};
use std::{fmt, sync::Arc, time::Duration};

/// How often the same records are read or written before giving up. Each failed try means that
/// another call has just written one of them.
const TRIES: usize = 64;

/// What is remembered of one session, of sources and of a customer, and what was learned since.
pub struct Records {
    store: Store,
    scope: Scope,
    /// Boxed: records move from step to step of a call.
    hand: Box<Hand>,
    unwritten: Vec<Noted>,
}

impl Records {
    pub(super) async fn read(store: Store, scope: Scope) -> Result<Self, StoreError> {
        let hand = Box::new(read(&store, &scope).await?);
        Ok(Self { store, scope, hand, unwritten: Vec::new() })
    }

    /// Gives the records up, and returns where they were read and which they were.
    pub(super) fn into_scope(self) -> (Store, Scope) {
        (self.store, self.scope)
    }

    /// Returns the session whose record is in hand.
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.scope.session.as_ref()
    }

    /// Returns the session's record; an empty one if nothing is remembered.
    pub fn record(&self) -> &SessionRecord {
        self.hand.record()
    }

    /// Returns the session's record, or `None` if nothing is remembered.
    pub fn session(&self) -> Option<&Arc<SessionRecord>> {
        self.hand.is_remembered().then(|| self.hand.record())
    }

    /// Returns what is remembered of a source: one that the session owns, or that was read along.
    pub fn source(&self, id: &SourceId) -> Option<&SourceRecord> {
        self.hand.source(id)
    }

    /// Returns whether it is known that nothing is remembered of a source.
    pub fn has_nothing_of(&self, id: &SourceId) -> bool {
        self.hand.holds(id) && self.hand.source(id).is_none()
    }

    /// Returns what is remembered of the customer.
    pub fn customer(&self) -> Option<&CustomerRecord> {
        self.hand.customer().filter(|record| **record != CustomerRecord::default())
    }

    /// Changes the session's record in hand. Does nothing where no session was asked for.
    pub fn apply(&mut self, observation: SessionObservation, policy: &Arc<Policy>, now: Timestamp) {
        let epoch = self.hand.record().epoch;
        self.note(Noted::Session(observation, policy.clone(), now, epoch));
    }

    /// Changes a source's record in hand.
    pub fn apply_source(&mut self, id: &SourceId, observation: SourceObservation, now: Timestamp) {
        let epoch = self.hand.source_epoch(id);
        self.note(Noted::Source(id.clone(), observation, now, epoch));
    }

    /// Changes the customer's record in hand. Does nothing where no customer was asked for.
    pub fn apply_customer(&mut self, observation: CustomerObservation, now: Timestamp) {
        let epoch = self.hand.customer_epoch();
        self.note(Noted::Customer(observation, now, epoch));
    }

    fn note(&mut self, noted: Noted) {
        self.hand.apply(&noted);
        self.unwritten.push(noted);
    }

    /// Writes what changed since the last write, in one request to the store, or in none if nothing
    /// changed. If other calls have changed the same records, reads them again and applies the
    /// pending observations again; a read is dropped if its record's epoch has changed.
    pub async fn write(&mut self) -> Result<(), StoreError> {
        for _ in 0..TRIES {
            if write(&self.store, &mut self.hand).await? {
                self.unwritten.clear();
                return Ok(());
            }
            self.refresh().await?;
        }
        Err(StoreError::Contended)
    }

    /// Writes what changed since the last write, unless it only says again what is stored, each
    /// fact later by less than `leeway`.
    pub async fn write_unless_repeated(&mut self, leeway: Duration) -> Result<(), StoreError> {
        if self.hand.repeats(leeway) {
            self.unwritten.clear();
            return Ok(());
        }
        self.write().await
    }

    /// Reads everything again and applies the pending observations to it.
    pub async fn refresh(&mut self) -> Result<(), StoreError> {
        let mut scope = self.scope.clone();
        scope.sources.extend(self.hand.sources().cloned());
        let mut hand = read(&self.store, &scope).await?;
        self.unwritten.iter().for_each(|noted| hand.apply_again(noted));
        *self.hand = hand;
        Ok(())
    }

    /// Reads these sources as well. Asks the store only if one is not in hand.
    pub async fn read_along(&mut self, sources: &[SourceId]) -> Result<(), StoreError> {
        if sources.iter().all(|id| self.hand.holds(id)) {
            return Ok(());
        }
        self.scope.sources.extend_from_slice(sources);
        self.refresh().await
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("hand", &self.hand).finish_non_exhaustive()
    }
}

/// Reads records, lets `change` change them, and writes them; starts over if another call came in
/// between. For changes that are no observations.
pub(super) async fn update(
    store: &Store,
    scope: &Scope,
    mut change: impl FnMut(&mut Hand) + Send,
) -> Result<Hand, StoreError> {
    for _ in 0..TRIES {
        let mut hand = read(store, scope).await?;
        change(&mut hand);
        if write(store, &mut hand).await? {
            return Ok(hand);
        }
    }
    Err(StoreError::Contended)
}

/// Reads what is in scope. If records elsewhere belong to it, reads everything once more, so that
/// all that is in hand was stored at one moment.
pub(super) async fn read(store: &Store, scope: &Scope) -> Result<Hand, StoreError> {
    let mut keys = scope.keys();
    for _ in 0..TRIES {
        let stored = Stored::new(keys.clone(), store.get(&keys).await?);
        let hand = Hand::take_up(scope, stored, store.recent())?;
        if hand.missing().is_empty() {
            return Ok(hand);
        }
        keys.extend_from_slice(hand.missing());
        keys.sort_unstable();
        keys.dedup();
    }
    Err(StoreError::Contended)
}

/// Writes what is in hand. Returns false if something else is stored than was read.
async fn write(store: &Store, hand: &mut Hand) -> Result<bool, StoreError> {
    hand.settle();
    let changes = hand.changes()?;
    let made = changes.is_empty() || store.swap(&changes).await? == Swapped::Made;
    if made {
        hand.note_written(changes, store.recent());
    }
    Ok(made)
}

/// Stores these bytes, or removes the record if there are none, whatever was stored before.
pub(super) async fn replace(store: &Store, key: Key, new: Option<Bytes>) -> Result<(), StoreError> {
    for _ in 0..TRIES {
        let seen = store.get(std::slice::from_ref(&key)).await?.pop().flatten();
        let change = Change { key: key.clone(), seen, new: new.clone(), pin: false };
        if !change.changes_anything() || store.swap(&[change]).await? == Swapped::Made {
            return Ok(());
        }
    }
    Err(StoreError::Contended)
}
