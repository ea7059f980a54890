//! A turn with its records: the right to change one session, and what is remembered of it.

use super::{
    change::StoreError,
    records::Records,
    scope::Scope,
    store::Store,
    turns::{Busy, HeldGuard, TurnGuard},
};
use crate::rules::{
    Policy, SessionKey, SessionObservation, SessionRecord, SourceId, SourceObservation,
    SourceRecord, Timestamp,
};
use std::{fmt, sync::Arc, time::Duration};

/// Why there is no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TurnError {
    /// The turn was not given.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The turn came, but the session's records cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The right to change one session until it is dropped, and what is remembered of the session and
/// of sources. The record is read once, when the turn has come.
#[must_use = "a turn that is dropped is over"]
pub struct Turn {
    guard: TurnGuard,
    key: SessionKey,
    records: Records,
}

impl Turn {
    pub(super) async fn begin(
        guard: TurnGuard,
        store: Store,
        key: SessionKey,
        sources: &[SourceId],
    ) -> Result<Self, StoreError> {
        let scope = Scope {
            session: Some(key.clone()),
            sources: sources.to_vec(),
            customer: None,
            whole: true,
        };
        let records = Records::read(store, scope).await?;
        Ok(Self { guard, key, records })
    }

    /// Returns the session that may be changed.
    pub fn key(&self) -> &SessionKey {
        &self.key
    }

    /// Returns the session's record; an empty one if nothing is remembered.
    pub fn record(&self) -> &SessionRecord {
        self.records.record()
    }

    /// Returns all records in hand.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Returns all records in hand, for changes.
    pub fn records_mut(&mut self) -> &mut Records {
        &mut self.records
    }

    /// Returns what is remembered of a source: one that the session owns, or that was read along.
    pub fn source(&self, id: &SourceId) -> Option<&SourceRecord> {
        self.records.source(id)
    }

    /// Changes the record in hand.
    pub fn apply(&mut self, observation: SessionObservation, policy: &Arc<Policy>, now: Timestamp) {
        self.records.apply(observation, policy, now);
    }

    /// Changes a source's record in hand.
    pub fn apply_source(&mut self, id: &SourceId, observation: SourceObservation, now: Timestamp) {
        self.records.apply_source(id, observation, now);
    }

    /// Writes what changed since the last write: see [`Records::write`].
    pub async fn write(&mut self) -> Result<(), StoreError> {
        self.records.write().await
    }

    /// Reads everything again, because a look-up that several calls share writes to the store by
    /// itself. See [`Records::refresh`].
    pub async fn refresh(&mut self) -> Result<(), StoreError> {
        self.records.refresh().await
    }

    /// Reads these sources as well: see [`Records::read_along`].
    pub async fn read_along(&mut self, sources: &[SourceId]) -> Result<(), StoreError> {
        self.records.read_along(sources).await
    }

    /// Gives the turn back, and returns the records that were read in it.
    pub fn into_records(self) -> Records {
        self.records
    }

    /// Gives the turn back and steps aside for `window`, so that calls that overtake may go first.
    /// What was not written is lost.
    pub fn hold(self, window: Duration) -> Held {
        let (store, scope) = self.records.into_scope();
        Held { guard: self.guard.hold(window), key: self.key, store, scope }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Turn").field(&self.key).finish()
    }
}

/// A call that has stepped aside. It keeps its place: dropping it gives the place up.
#[must_use = "a held call that is dropped gives up its place"]
pub struct Held {
    guard: HeldGuard,
    key: SessionKey,
    store: Store,
    scope: Scope,
}

impl Held {
    /// Waits for the turn to come back, as [`HeldGuard::wait`] does, and reads the record anew.
    pub async fn wait(self) -> Result<Turn, TurnError> {
        let guard = self.guard.wait().await?;
        let records = Records::read(self.store, self.scope).await?;
        Ok(Turn { guard, key: self.key, records })
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.key).finish()
    }
}

#[cfg(test)]
mod tests;
