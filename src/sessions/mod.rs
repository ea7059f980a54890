//! Remembers what upstream has shown, and hands out turns.
//!
//! ```text
//!   key ─ session, source, customer ─▶ record        key ─ update ─▶ record after the change, at one stroke
//!   key ─ turn ─▶ Turn (a guard) or Busy             look-up ─ share ─▶ its answer, asked for once
//! ```
//! One [`Sessions`] serves the whole process, from any number of runtimes; cloning it is cheap.
//! Records change only by what the caller's closure does to them, which is `rules`' business.
//! Deliberately absent: deciding (`rules`), sending (`proxy`), raw credentials (only keyed
//! hashes come in and stay).

mod back_off;
mod clock;
mod credential;
mod line;
mod look_ups;
mod memory;
mod packed;
mod store;
mod turns;

pub use back_off::BACK_OFF_AT_MOST;
pub use clock::now;
pub use credential::CredentialKey;
pub use look_ups::LookupKey;
pub use store::StoreError;
pub use turns::{Busy, BusyReason, Entry, Held, Turn, TurnKey};

use crate::rules::{
    CredentialHash, CustomerId, CustomerRecord, SessionId, SessionKey, SessionKind, SessionRecord,
    SourceId, SourceRecord,
};
use back_off::BackOffs;
use look_ups::LookUps;
use memory::Memory;
use std::{sync::Arc, time::Duration};
use store::{ActiveCart, Record, Store};
use tokio::time::Instant;
use turns::Turns;

/// How much is remembered, and how long a call waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How many sessions are remembered; twice as many sources, as many customers and active
    /// carts. The least recently used go first.
    pub capacity: u64,
    /// How long anything is remembered that nobody asks for.
    pub idle_ttl: Duration,
    /// How many calls may wait for one turn, held ones included.
    pub queue: usize,
    /// How long a call may wait for a turn.
    pub wait: Duration,
    /// How many sessions may have something pending before [`Sessions::can_pin`] says no.
    pub deferred_at_most: usize,
}

impl Default for Settings {
    /// A million sessions for a day; 64 callers, ten seconds; ten thousand pending.
    fn default() -> Self {
        Self {
            capacity: 1_000_000,
            idle_ttl: Duration::from_secs(24 * 3600),
            queue: 64,
            wait: Duration::from_secs(10),
            deferred_at_most: 10_000,
        }
    }
}

/// Everything Weir remembers, and the turns.
#[derive(Clone)]
pub struct Sessions(Arc<Inner>);

struct Inner {
    store: Store,
    turns: Turns,
    look_ups: LookUps,
    back_offs: BackOffs,
    key: CredentialKey,
    deferred_at_most: usize,
}

impl Sessions {
    /// Remembers in this process; credentials are hashed with a new random key.
    ///
    /// # Panics
    /// Where the operating system has no random numbers to give.
    pub fn in_memory(settings: Settings) -> Self {
        Self::in_memory_with_key(settings, CredentialKey::random())
    }

    /// The same with a key that others may share.
    pub fn in_memory_with_key(settings: Settings, key: CredentialKey) -> Self {
        Self(Arc::new(Inner {
            store: Store::Memory(Memory::new(settings.capacity, settings.idle_ttl)),
            turns: Turns::new(settings.queue, settings.wait),
            look_ups: LookUps::default(),
            back_offs: BackOffs::new(),
            key,
            deferred_at_most: settings.deferred_at_most,
        }))
    }
}

/// Records. Each kind is read, changed at one stroke, and forgotten.
impl Sessions {
    /// What is remembered of a session.
    pub async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, StoreError> {
        self.0.store.get(key).await
    }

    /// Changes what is remembered of a session, creating an empty record where there is none, and
    /// returns it as it is then. No other change comes in between. `change` may be called more
    /// than once, each time with a record as it was before.
    pub async fn update_session(
        &self,
        key: &SessionKey,
        change: impl FnMut(&mut SessionRecord) + Send,
    ) -> Result<SessionRecord, StoreError> {
        self.0.store.update(key, change).await
    }

    /// Forgets a session, and with it whatever was pending.
    pub async fn remove_session(&self, key: &SessionKey) -> Result<(), StoreError> {
        self.0.store.remove::<SessionRecord>(key).await
    }

    /// What is remembered of a source.
    pub async fn source(&self, id: &SourceId) -> Result<Option<SourceRecord>, StoreError> {
        self.0.store.get(id).await
    }

    /// As [`Sessions::update_session`].
    pub async fn update_source(
        &self,
        id: &SourceId,
        change: impl FnMut(&mut SourceRecord) + Send,
    ) -> Result<SourceRecord, StoreError> {
        self.0.store.update(id, change).await
    }

    /// Forgets a source.
    pub async fn remove_source(&self, id: &SourceId) -> Result<(), StoreError> {
        self.0.store.remove::<SourceRecord>(id).await
    }

    /// What is remembered of a customer.
    pub async fn customer(&self, id: &CustomerId) -> Result<Option<CustomerRecord>, StoreError> {
        self.0.store.get(id).await
    }

    /// As [`Sessions::update_session`].
    pub async fn update_customer(
        &self,
        id: &CustomerId,
        change: impl FnMut(&mut CustomerRecord) + Send,
    ) -> Result<CustomerRecord, StoreError> {
        self.0.store.update(id, change).await
    }

    /// Forgets a customer.
    pub async fn remove_customer(&self, id: &CustomerId) -> Result<(), StoreError> {
        self.0.store.remove::<CustomerRecord>(id).await
    }

    /// Which cart `active` is, for this credential. `None` also where the store does not say:
    /// upstream does.
    pub async fn cart_of(&self, caller: CredentialHash) -> Option<SessionId> {
        self.0.store.get::<ActiveCart>(&caller).await.ok().flatten()?.0
    }

    /// Remembers which cart `active` is, for this credential.
    pub async fn set_cart(
        &self,
        caller: CredentialHash,
        cart: &SessionId,
    ) -> Result<(), StoreError> {
        let change = |active: &mut ActiveCart| active.0 = Some(cart.clone());
        self.0.store.update(&caller, change).await.map(|_| ())
    }

    /// Forgets which cart `active` is, for this credential: it was submitted, deleted, or shown to
    /// be another.
    pub async fn forget_cart(&self, caller: CredentialHash) -> Result<(), StoreError> {
        self.0.store.remove::<ActiveCart>(&caller).await
    }

    /// Recognises a caller: the keyed hash of the credential, which is not kept.
    pub fn hash(&self, credential: &[u8]) -> CredentialHash {
        self.0.key.hash(credential)
    }
}

/// What the admin API and the metrics show.
impl Sessions {
    /// At most `limit` sessions of these kinds whose keys come after `after`, by kind
    /// and then by id, ids that are UUIDs before all others. Reads through everything, on a
    /// thread of its own; does not count as use.
    pub async fn list(
        &self,
        kinds: Vec<SessionKind>,
        after: Option<&SessionKey>,
        limit: usize,
    ) -> Vec<(SessionKey, SessionRecord)> {
        let after = after.map(SessionRecord::key);
        let sessions = self.clone();
        let list = move || {
            let listed =
                sessions.memory().sessions.list(store::numbers(&kinds), after.as_ref(), limit);
            let read = |(key, bytes): (_, packed::Bytes)| {
                Some((store::session_key(&key, &kinds)?, packed::read(&bytes).ok()?))
            };
            listed.into_iter().filter_map(read).collect()
        };
        tokio::task::spawn_blocking(list).await.unwrap_or_default()
    }

    /// How many sessions are remembered; an estimate while they come and go.
    pub fn count(&self) -> u64 {
        self.memory().sessions.count()
    }

    /// Whether there is room for one more session with something pending. A record that says so is
    /// kept in any case, whatever the answer: callers that asked at the same time may go over
    /// the bound, nothing is dropped for it.
    pub fn can_pin(&self) -> bool {
        self.pinned() < self.0.deferred_at_most
    }

    /// How many sessions have something pending. They are kept beside the others and never make
    /// room for them.
    pub fn pinned(&self) -> usize {
        self.memory().sessions.pinned()
    }

    /// How many sessions with something pending were given up, because nobody asked for them for as
    /// long as `idle_ttl`. Each is logged.
    pub fn pending_expired(&self) -> u64 {
        self.memory().sessions.expired()
    }

    /// Does now what is otherwise done bit by bit alongside calls: makes room, drops what is idle.
    /// For tests and measurements.
    pub fn run_pending_tasks(&self) {
        self.memory().tidy();
    }

    fn memory(&self) -> &Memory {
        let Store::Memory(memory) = &self.0.store;
        memory
    }
}

/// Turns.
impl Sessions {
    /// Waits for the right to change something: one call at a time, first come first served.
    /// Dropping the future gives the place up.
    ///
    /// # Errors
    /// [`Busy`] when as many wait as may, or when the turn does not come in time.
    pub async fn turn(&self, of: &TurnKey, entry: Entry) -> Result<Turn, Busy> {
        self.0.turns.turn(of, entry).await
    }

    /// Ends every hold on this: a call tells that nothing more is coming. Neither waits nor takes a
    /// turn.
    pub fn hurry(&self, of: &TurnKey) {
        self.0.turns.hurry(of);
    }

    /// How many calls wait for this, held ones included.
    pub fn waiting(&self, of: &TurnKey) -> usize {
        self.0.turns.waiting(of)
    }

    /// How many things somebody has or wants the turn of.
    pub fn turns_open(&self) -> usize {
        self.0.turns.open()
    }

    /// How many calls wait for any turn, held ones included.
    pub fn turns_waiting(&self) -> usize {
        self.0.turns.all_waiting()
    }
}

/// Asking upstream.
impl Sessions {
    /// Runs a look-up, or waits for the same one that is already under way. It runs on its own: a
    /// caller that hangs up does not stop it.
    ///
    /// # Panics
    /// In the caller whose `look_up` panics. Those who shared it run theirs.
    pub async fn share<T>(
        &self,
        key: LookupKey,
        look_up: impl Future<Output = T> + Send + 'static,
    ) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        self.0.look_ups.share(key, look_up).await
    }

    /// How many look-ups are under way.
    pub fn look_ups_open(&self) -> usize {
        self.0.look_ups.open()
    }

    /// Upstream has told this caller to slow down until then ([`BACK_OFF_AT_MOST`] from now at the
    /// latest). Of two moments the later holds.
    pub fn back_off(&self, caller: CredentialHash, until: Instant) {
        self.0.back_offs.begin(caller, until);
    }

    /// How long this caller has still to be left alone.
    pub fn backing_off(&self, caller: CredentialHash) -> Option<Duration> {
        self.0.back_offs.left(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::{carts, checkouts};
    use crate::rules::{Pending, SessionKind, Timestamp};

    fn sessions(capacity: u64) -> Sessions {
        Sessions::in_memory(Settings { capacity, deferred_at_most: 2, ..Settings::default() })
    }

    fn key(kind: SessionKind, id: u32) -> SessionKey {
        SessionKey::new(kind, format!("{id:04}"))
    }

    fn pend(record: &mut SessionRecord) {
        record.pending = Some(Box::new(Pending::Deferred {
            primary: "card".into(),
            since: Timestamp(1),
            sending: false,
        }));
    }

    #[tokio::test]
    async fn a_record_is_created_by_its_first_change_and_gone_when_removed() {
        let (sessions, checkout) = (sessions(10), key(checkouts::CHECKOUT, 1));
        assert_eq!(sessions.session(&checkout).await, Ok(None));
        for epoch in 1..=3 {
            let after =
                sessions.update_session(&checkout, |record| record.epoch += 1).await.unwrap();
            assert_eq!(after.epoch, epoch);
            assert_eq!(sessions.session(&checkout).await, Ok(Some(after)));
        }
        assert_eq!(sessions.session(&key(checkouts::INVOICE, 1)).await, Ok(None));
        sessions.remove_session(&checkout).await.unwrap();
        assert_eq!(sessions.session(&checkout).await, Ok(None));
    }

    #[tokio::test]
    async fn sources_and_customers_of_one_id_are_different_things() {
        let sessions = sessions(10);
        sessions.update_source(&"1".into(), |source| source.epoch = 1).await.unwrap();
        sessions.update_customer(&"1".into(), |customer| customer.epoch = 2).await.unwrap();
        assert_eq!(sessions.source(&"1".into()).await.unwrap().map(|source| source.epoch), Some(1));
        assert_eq!(
            sessions.customer(&"1".into()).await.unwrap().map(|customer| customer.epoch),
            Some(2)
        );
        sessions.remove_source(&"1".into()).await.unwrap();
        assert_eq!(sessions.source(&"1".into()).await, Ok(None));
        sessions.remove_customer(&"1".into()).await.unwrap();
        assert_eq!(sessions.customer(&"1".into()).await, Ok(None));
    }

    #[tokio::test]
    async fn active_is_another_cart_for_another_credential() {
        let sessions = sessions(10);
        let (one, other) = (sessions.hash(b"token 1"), sessions.hash(b"token 2"));
        sessions.set_cart(one, &"5".into()).await.unwrap();
        sessions.set_cart(one, &"6".into()).await.unwrap();
        assert_eq!(
            (sessions.cart_of(one).await, sessions.cart_of(other).await),
            (Some("6".into()), None)
        );
        sessions.forget_cart(one).await.unwrap();
        assert_eq!(sessions.cart_of(one).await, None);
    }

    #[tokio::test]
    async fn what_is_pending_outlives_any_number_of_other_sessions() {
        let sessions = sessions(10);
        let cart = key(carts::CART, 1);
        assert!(sessions.can_pin());
        sessions.update_session(&cart, pend).await.unwrap();
        sessions.update_session(&key(carts::CART, 2), pend).await.unwrap();
        assert_eq!((sessions.can_pin(), sessions.pinned()), (false, 2));
        for id in 10..1_000 {
            sessions
                .update_session(&key(carts::CART, id), |record| record.epoch = 1)
                .await
                .unwrap();
        }
        sessions.run_pending_tasks();
        assert_eq!(sessions.count(), 12);
        assert!(
            sessions.session(&cart).await.unwrap().is_some_and(|record| record.pending.is_some())
        );
        sessions.update_session(&cart, |record| record.pending = None).await.unwrap();
        assert_eq!(
            (sessions.can_pin(), sessions.pinned(), sessions.pending_expired()),
            (true, 1, 0)
        );
    }

    #[tokio::test]
    async fn the_list_tells_the_dialects_apart_and_goes_on_where_it_stopped() {
        let sessions = sessions(100);
        for kind in [carts::CART, checkouts::INVOICE, checkouts::CHECKOUT] {
            for id in 0..3 {
                sessions.update_session(&key(kind, id), |record| record.epoch = id).await.unwrap();
            }
        }
        let keys = async |kinds, after: Option<&SessionKey>, limit| -> Vec<String> {
            sessions
                .list(kinds, after, limit)
                .await
                .iter()
                .map(|(key, _)| key.to_string())
                .collect()
        };
        assert_eq!(keys(vec![carts::CART], None, 9).await, ["cart 0000", "cart 0001", "cart 0002"]);
        assert_eq!(
            keys(checkouts::DIALECT.kinds().to_vec(), None, 4).await[2..],
            ["checkout 0002", "invoice 0000"]
        );
        let after = key(checkouts::INVOICE, 1);
        assert_eq!(
            keys(vec![checkouts::CHECKOUT, checkouts::INVOICE, carts::CART], Some(&after), 2).await,
            ["invoice 0002", "cart 0000"]
        );
        let (_, record) = sessions.list(vec![carts::CART], None, 3).await.remove(2);
        assert_eq!(record.epoch, 2);
    }
}
