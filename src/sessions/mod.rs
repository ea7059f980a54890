//! Remembers what upstream has shown, and hands out turns.
//!
//! ```text
//!   session, sources ─ turn ──────▶ the right to change the session, and its record in hand
//!   session, sources ─ records ───▶ the same records without that right
//!   key ─ session, source, … ─────▶ record
//!   bytes ─ recent ───────────────▶ the record that was read from the same bytes last
//!   look-up ─ LookUps::share ─────▶ its answer, asked for once
//! ```
//! One [`Sessions`] serves the whole process, from any number of runtimes; cloning it is cheap.
//! Records change only by what `rules` makes of observations. The [`Store`] that keeps them knows
//! bytes only, and each of its failures is returned to the caller. Deliberately absent: deciding
//! (`rules`), sending (`govern`), raw credentials (only keyed hashes are kept).

mod back_off;
mod change;
mod clock;
mod credential;
mod hand;
mod keys;
mod look_ups;
mod memory;
mod places;
mod probe;
mod queue;
mod recent;
mod records;
mod scope;
mod settings;
mod store;
mod stored;
#[cfg(test)]
mod tests;
mod turn;
mod turns;

pub use back_off::BACK_OFF_AT_MOST;
pub use change::{Change, StoreError, Swapped};
pub use clock::now;
pub use credential::CredentialKey;
pub use keys::{CustomerKey, Key, KeyBytes, Space};
pub use look_ups::{LookUps, LookupKey};
#[doc(hidden)]
pub(crate) use places::Places;
pub use probe::Probe;
pub use queue::Priority;
pub use records::Records;
pub use settings::Settings;
pub use store::Store;
pub use stored::reads_as_record;
pub use turn::{Held, Turn, TurnError};
pub use turns::{Busy, BusyReason, HeldGuard, TurnGuard, TurnKey};

use crate::{
    metrics::Metrics,
    rules::{
        CredentialHash, CustomerRecord, SessionId, SessionKey, SessionKind, SessionRecord,
        SourceId, SourceRecord,
    },
};
use back_off::BackOffs;
use change::Bytes;
use scope::Scope;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use turns::Turns;

/// Everything Weir remembers, and the turns.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    store: Store,
    turns: Turns,
    back_offs: BackOffs,
    key: CredentialKey,
    deferred_at_most: usize,
    idle_ttl: Duration,
    capacity: u64,
    metrics: Metrics,
}

impl Sessions {
    /// Keeps records in this process and hashes credentials with a new random key.
    ///
    /// # Panics
    /// Panics if the operating system has no random numbers to give.
    pub fn in_memory(settings: Settings) -> Self {
        Self::with_store(Store::in_memory(&settings), CredentialKey::random(), settings)
    }

    /// Keeps records in this store and hashes credentials with this key, which all replicas that
    /// share the store must share.
    pub fn with_store(store: Store, key: CredentialKey, settings: Settings) -> Self {
        let metrics = Metrics::default();
        Self(Arc::new(Inner {
            store,
            turns: Turns::new(settings.queue, settings.wait, settings.waiting, metrics.clone()),
            back_offs: BackOffs::new(),
            key,
            deferred_at_most: settings.deferred_at_most,
            idle_ttl: settings.idle_ttl,
            capacity: settings.capacity,
            metrics,
        }))
    }

    /// Returns the counts of the process, which begin with what is remembered.
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Returns how many sessions are kept at most.
    pub fn capacity(&self) -> u64 {
        self.0.capacity
    }

    /// Returns after what time a record that nobody asks for is dropped.
    pub fn idle_ttl(&self) -> Duration {
        self.0.idle_ttl
    }

    /// Returns the keyed hash of a credential, by which a caller is recognised. The credential
    /// itself is not kept.
    pub fn hash(&self, credential: &[u8]) -> CredentialHash {
        self.0.key.hash(credential)
    }
}

/// Turns.
impl Sessions {
    /// Waits for the right to change a session: one call at a time, first come first served. Then
    /// reads the records of the session and of these sources in one request to the store. Dropping
    /// the future leaves the queue.
    ///
    /// # Errors
    /// Returns [`TurnError::Busy`] when the queue is full or the turn does not come in time, and
    /// [`TurnError::Store`] when the turn has come and the store fails.
    pub async fn turn(
        &self,
        session: &SessionKey,
        sources: &[SourceId],
        priority: Priority,
    ) -> Result<Turn, TurnError> {
        let guard = self.guard(&TurnKey::Session(session.clone()), priority).await?;
        Ok(Turn::begin(guard, self.0.store.clone(), session.clone(), sources).await?)
    }

    /// Takes the right to change a session and reads as [`Sessions::turn`] does; returns `None` if
    /// another call has that right or waits for it.
    pub async fn turn_if_free(
        &self,
        session: &SessionKey,
        sources: &[SourceId],
    ) -> Result<Option<Turn>, StoreError> {
        let Some(guard) = self.0.turns.turn_if_free(&TurnKey::Session(session.clone())) else {
            return Ok(None);
        };
        Turn::begin(guard, self.0.store.clone(), session.clone(), sources).await.map(Some)
    }

    /// Waits for the right to change something other than one session's record.
    ///
    /// # Errors
    /// Returns [`Busy`] when the queue is full or the turn does not come in time.
    pub async fn guard(&self, of: &TurnKey, priority: Priority) -> Result<TurnGuard, Busy> {
        self.0.turns.turn(of, priority).await
    }

    /// Waits until no call has this or waits for it. Returns whether it had to.
    ///
    /// # Errors
    /// Returns the same errors as [`Sessions::guard`].
    pub async fn wait_for(&self, of: &TurnKey, priority: Priority) -> Result<bool, Busy> {
        if self.0.turns.is_free(of) {
            return Ok(false);
        }
        self.guard(of, priority).await.map(|_| true)
    }

    /// Ends every hold on this: a call has shown that no overtaking call will follow. Neither waits
    /// nor takes a turn.
    pub fn release_held(&self, of: &TurnKey) {
        self.0.turns.release_held(of);
    }

    /// Returns how many calls wait for this, held ones included.
    pub fn waiting(&self, of: &TurnKey) -> usize {
        self.0.turns.waiting(of)
    }

    /// Lets so many calls wait for one turn, so long, and so many for any, from now on.
    pub fn set_waiting(&self, queue: usize, wait: Duration, waiting: usize) {
        self.0.turns.set_limits(queue, wait, waiting);
    }

    /// Returns how many turns a call has or waits for.
    pub fn turns_open(&self) -> usize {
        self.0.turns.open()
    }

    /// Returns each turn for which calls wait, and how many, the most first.
    pub fn turns_with_waiting(&self) -> Vec<(TurnKey, usize)> {
        self.0.turns.all_with_waiting()
    }

    /// Returns how many calls wait for any turn, held ones included.
    pub fn turns_waiting(&self) -> usize {
        self.0.turns.all_waiting()
    }
}

/// Records outside a turn.
impl Sessions {
    /// Reads the records of these in one request to the store, for a call without a turn: a read
    /// brings facts, too.
    pub async fn records(
        &self,
        session: Option<&SessionKey>,
        sources: &[SourceId],
        customer: Option<&CustomerKey>,
    ) -> Result<Records, StoreError> {
        let scope = Scope {
            session: session.cloned(),
            sources: sources.to_vec(),
            customer: customer.cloned(),
            whole: true,
        };
        Records::read(self.0.store.clone(), scope).await
    }

    /// Returns what is remembered of a session.
    pub async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        match self.get(Key::session(key)).await? {
            Some(bytes) => stored::read_session(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Changes a session's record in one step, for tests and benches; creates an empty record if
    /// there is none. Returns the record after the change. `change` is called again on a fresh
    /// record if another change came in between.
    pub async fn update_session(
        &self,
        key: &SessionKey,
        mut change: impl FnMut(&mut SessionRecord) + Send,
    ) -> Result<SessionRecord, StoreError> {
        let scope = Scope { session: Some(key.clone()), ..Scope::default() };
        let hand = records::update(&self.0.store, &scope, |hand| change(hand.record_mut()));
        Ok(SessionRecord::clone(hand.await?.record()))
    }

    /// Returns what is remembered of a source, in its own record or in a session's.
    pub async fn source(&self, id: &SourceId) -> Result<Option<SourceRecord>, StoreError> {
        let scope = Scope { sources: vec![id.clone()], ..Scope::default() };
        Ok(records::read(&self.0.store, &scope).await?.source(id).cloned())
    }

    /// Changes a source's record as [`Sessions::update_session`] does, for tests.
    #[cfg(test)]
    pub(crate) async fn update_source(
        &self,
        id: &SourceId,
        mut change: impl FnMut(&mut SourceRecord) + Send,
    ) -> Result<SourceRecord, StoreError> {
        let scope = Scope { sources: vec![id.clone()], ..Scope::default() };
        let hand = records::update(&self.0.store, &scope, |hand| change(hand.source_mut(id)));
        Ok(hand.await?.source(id).cloned().unwrap_or_default())
    }

    /// Returns what is remembered of a customer.
    pub async fn customer(&self, key: &CustomerKey) -> Result<Option<CustomerRecord>, StoreError> {
        match self.get(Key::customer(key)).await? {
            Some(bytes) => stored::read_customer(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Changes a customer's record as [`Sessions::update_session`] does, for tests.
    #[cfg(test)]
    pub(crate) async fn update_customer(
        &self,
        key: &CustomerKey,
        mut change: impl FnMut(&mut CustomerRecord) + Send,
    ) -> Result<CustomerRecord, StoreError> {
        let scope = Scope { customer: Some(key.clone()), ..Scope::default() };
        let hand = records::update(&self.0.store, &scope, |hand| {
            if let Some(record) = hand.customer_mut() {
                change(record);
            }
        });
        Ok(hand.await?.customer().cloned().unwrap_or_default())
    }

    /// Returns which session is the active one, for this credential; `None` if only upstream knows.
    pub async fn active_of(&self, caller: CredentialHash) -> Result<Option<SessionId>, StoreError> {
        match self.get(Key::active(caller)).await? {
            Some(bytes) => stored::read_active(&bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Records which session is the active one, for this credential.
    pub async fn set_active(
        &self,
        caller: CredentialHash,
        id: &SessionId,
    ) -> Result<(), StoreError> {
        records::replace(&self.0.store, Key::active(caller), Some(stored::write_active(id)?)).await
    }

    /// Forgets which session is the active one, for this credential: it was ordered or deleted, or
    /// upstream has shown another.
    pub async fn forget_active(&self, caller: CredentialHash) -> Result<(), StoreError> {
        records::replace(&self.0.store, Key::active(caller), None).await
    }

    async fn get(&self, key: Key) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.store.get(&[key]).await?.pop().flatten())
    }
}

/// What the admin API and the metrics show.
impl Sessions {
    /// Returns at most `limit` sessions of these kinds whose keys come after `after`, by kind and
    /// then by id, ids that are UUIDs first. Leaves out records that cannot be read. Scans all
    /// records on a thread of its own and does not count as use.
    pub async fn list(
        &self,
        kinds: &[SessionKind],
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Result<Vec<(SessionKey, SessionRecord)>, StoreError> {
        let numbers = kinds.iter().map(|kind| kind.number()).collect();
        let after = after.map(|key| Key::session(key).bytes);
        let listed = self.0.store.list(Space::Sessions, numbers, after, limit).await?;
        let read = |(key, bytes): (KeyBytes, Bytes)| {
            Some((keys::session_at(&key, kinds)?, stored::read_session(&bytes).ok()?))
        };
        Ok(listed.into_iter().filter_map(read).collect())
    }

    /// Returns what is remembered of a session, and does not count that as use.
    pub async fn peek(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        let bytes = self.0.store.peek(Key::session(key)).await?;
        bytes.map(|bytes| stored::read_session(&bytes)).transpose()
    }

    /// Returns how many sessions are remembered; an estimate while records are added and dropped.
    pub fn count(&self) -> u64 {
        self.0.store.count(Space::Sessions)
    }

    /// Returns whether there is room for one more session with something pending. The bound is not
    /// exact: callers that ask at the same time may exceed it, and no record is dropped for that.
    pub fn can_pin(&self) -> bool {
        self.pinned() < self.0.deferred_at_most
    }

    /// Returns how many sessions have something pending. They are kept apart from the others and
    /// never dropped to make room.
    pub fn pinned(&self) -> usize {
        self.0.store.pinned()
    }

    /// Returns the sessions of this kind that have something pending, in the order of their keys.
    pub fn pinned_of(&self, kind: SessionKind) -> Vec<SessionKey> {
        if self.pinned() == 0 {
            return Vec::new();
        }
        let pinned = self.0.store.pinned_keys();
        let mut found: Vec<SessionKey> =
            pinned.iter().filter_map(|key| keys::session_at(key, &[kind])).collect();
        found.sort_unstable();
        found
    }

    /// Returns how many sessions with something pending were dropped because no call asked for them
    /// within `idle_ttl`. Each is logged.
    pub fn pending_expired(&self) -> u64 {
        self.0.store.expired()
    }

    /// Returns how many sessions were forgotten, to make room or because no call asked for them
    /// within `idle_ttl`.
    pub fn dropped(&self) -> u64 {
        self.0.store.dropped()
    }

    /// Makes room and drops idle records now, which is otherwise done bit by bit during calls. For
    /// tests and measurements.
    pub fn run_pending_tasks(&self) {
        self.0.store.tidy();
    }
}

/// Back-offs that upstream asked for.
impl Sessions {
    /// Records until when upstream has asked this caller to slow down, at most [`BACK_OFF_AT_MOST`]
    /// from now. A later moment replaces an earlier one.
    pub fn back_off(&self, caller: CredentialHash, until: Instant) {
        self.0.back_offs.begin(caller, until);
    }

    /// Returns how long Weir must still send no look-ups for this caller.
    pub fn backing_off(&self, caller: CredentialHash) -> Option<Duration> {
        self.0.back_offs.left(caller)
    }
}
