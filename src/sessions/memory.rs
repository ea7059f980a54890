//! Records in this process: a bounded cache for each space, the least recently used gone first, and
//! a place beside it for records that must stay.
//!
//! In: keys and changes. Out: bytes. A record is in one of the two places, never in both, and moves
//! under its key's lock. An operation holds the locks of all its keys, always taken in one order:
//! several keys are read, or changed, as of one moment.

use super::{
    change::{Bytes, Change, Swapped},
    keys::{Key, KeyBytes, Space, session_name},
    settings::Settings,
};
use crate::rules::SessionKind;
use dashmap::DashMap;
use moka::{policy::EvictionPolicy, sync::Cache};
use smallvec::SmallVec;
use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Keys share this many locks: enough that two cores seldom meet, few enough to cost nothing.
const LOCKS: usize = 256;

/// Every space's shelf.
pub struct Memory {
    sessions: Shelf,
    sources: Shelf,
    customers: Shelf,
    carts: Shelf,
    locks: Box<[Mutex<()>]>,
    spread: RandomState,
}

/// The locks of a few keys.
type Locks<'a> = SmallVec<[MutexGuard<'a, ()>; 6]>;

impl Memory {
    /// `capacity` counts sessions. A session has one or two sources, at most one customer, and one
    /// shopper with one token at a time.
    pub(super) fn new(settings: &Settings) -> Self {
        let shelf = |capacity| Shelf::new(capacity, settings.idle_ttl, settings.kinds.clone());
        Self {
            sessions: shelf(settings.capacity),
            sources: shelf(settings.capacity.saturating_mul(2)),
            customers: shelf(settings.capacity),
            carts: shelf(settings.capacity),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            spread: RandomState::new(),
        }
    }

    /// Returns what is stored under each of these keys.
    pub(super) fn get(&self, keys: &[Key]) -> Vec<Option<Bytes>> {
        let _locks = self.lock(keys.iter());
        keys.iter().map(|key| self.shelf(key.space).find(&key.bytes)).collect()
    }

    /// Makes all these changes, or none.
    pub(super) fn swap(&self, changes: &[Change]) -> Swapped {
        self.sessions.sweep_now_and_then();
        let _locks = self.lock(changes.iter().map(|change| &change.key));
        let holds =
            |change: &Change| self.shelf(change.key.space).find(&change.key.bytes) == change.seen;
        if !changes.iter().all(holds) {
            return Swapped::Lost;
        }
        for change in changes {
            let shelf = self.shelf(change.key.space);
            match &change.new {
                Some(bytes) => shelf.put(&change.key.bytes, bytes, change.pin),
                None => shelf.remove(&change.key.bytes),
            }
        }
        Swapped::Made
    }

    /// As many as `limit` records whose keys begin with one of `first`, in the order of their keys,
    /// beginning after `after`. Does not count as use. Reads through everything: not for the path
    /// of a call.
    pub(super) fn list(
        &self,
        space: Space,
        first: &[u8],
        after: Option<&KeyBytes>,
        limit: usize,
    ) -> Vec<(KeyBytes, Bytes)> {
        self.shelf(space).list(first, after, limit)
    }

    /// How many records a space holds; an estimate while they come and go.
    pub(super) fn count(&self, space: Space) -> u64 {
        self.shelf(space).count()
    }

    /// How many records must stay. Only sessions' records do.
    pub(super) fn pinned(&self) -> usize {
        self.sessions.pinned()
    }

    /// How many that had to stay were given up, because nobody had asked for them for so long.
    pub(super) fn expired(&self) -> u64 {
        self.sessions.expired.load(Ordering::Relaxed)
    }

    pub(super) fn tidy(&self) {
        for shelf in [&self.sessions, &self.sources, &self.customers, &self.carts] {
            shelf.tidy();
        }
    }

    fn shelf(&self, space: Space) -> &Shelf {
        match space {
            Space::Sessions => &self.sessions,
            Space::Sources => &self.sources,
            Space::Customers => &self.customers,
            Space::Carts => &self.carts,
        }
    }

    fn lock<'a>(&'a self, keys: impl Iterator<Item = &'a Key>) -> Locks<'a> {
        let mut places: SmallVec<[usize; 6]> =
            keys.map(|key| self.spread.hash_one(key) as usize % LOCKS).collect();
        places.sort_unstable();
        places.dedup();
        // A panic under a lock leaves nothing half-done: no step of a change can fail.
        let lock = |place: usize| self.locks[place].lock().unwrap_or_else(PoisonError::into_inner);
        places.into_iter().map(lock).collect()
    }
}

/// The records of one space.
struct Shelf {
    cache: Cache<KeyBytes, Bytes>,
    /// Records that must stay. They leave only when a change says so, or when nobody asked for so
    /// long as `idle_ttl`.
    pinned: DashMap<KeyBytes, Pinned>,
    /// An upper bound on how many those are. Usually 0, which lets reads skip the map.
    pins: AtomicUsize,
    idle_ttl: Duration,
    swept: Mutex<Instant>,
    expired: AtomicU64,
    kinds: Vec<SessionKind>,
}

struct Pinned {
    bytes: Bytes,
    touched: Instant,
}

impl Shelf {
    fn new(capacity: u64, idle_ttl: Duration, kinds: Vec<SessionKind>) -> Self {
        let cache = Cache::builder()
            .max_capacity(capacity)
            // The default policy turns new entries away while the cache is full of warm ones.
            .eviction_policy(EvictionPolicy::lru())
            .time_to_idle(idle_ttl)
            .build();
        Self {
            cache,
            pinned: DashMap::new(),
            pins: AtomicUsize::new(0),
            idle_ttl,
            swept: Mutex::new(Instant::now()),
            expired: AtomicU64::new(0),
            kinds,
        }
    }

    /// Under the key's lock, as are `put` and `remove`.
    fn find(&self, key: &KeyBytes) -> Option<Bytes> {
        if self.pinned() > 0
            && let Some(mut pinned) = self.pinned.get_mut(key)
        {
            if pinned.touched.elapsed() < self.idle_ttl {
                pinned.touched = Instant::now();
                return Some(pinned.bytes.clone());
            }
            drop(pinned);
            self.give_up(key);
        }
        self.cache.get(key)
    }

    fn put(&self, key: &KeyBytes, bytes: &Bytes, pin: bool) {
        if pin {
            self.cache.invalidate(key);
            self.pin(key.clone(), bytes.clone());
        } else {
            self.unpin(key, |_| true);
            if self.cache.get(key).as_ref() != Some(bytes) {
                self.cache.insert(key.clone(), bytes.clone());
            }
        }
    }

    fn remove(&self, key: &KeyBytes) {
        self.unpin(key, |_| true);
        self.cache.invalidate(key);
    }

    fn list(&self, first: &[u8], after: Option<&KeyBytes>, limit: usize) -> Vec<(KeyBytes, Bytes)> {
        let mut found = BinaryHeap::new();
        let mut consider = |key: &KeyBytes, bytes: &Bytes| {
            let wanted = key.first().is_some_and(|byte| first.contains(byte))
                && after.is_none_or(|after| key > after);
            let beaten =
                found.len() >= limit && found.peek().is_none_or(|Listed(last, _)| key >= last);
            if wanted && !beaten {
                found.push(Listed(key.clone(), bytes.clone()));
                if found.len() > limit {
                    found.pop();
                }
            }
        };
        self.cache.iter().for_each(|(key, bytes)| consider(&key, &bytes));
        self.pinned.iter().for_each(|pinned| consider(pinned.key(), &pinned.bytes));
        let mut listed: Vec<_> =
            found.into_sorted_vec().into_iter().map(|Listed(key, bytes)| (key, bytes)).collect();
        // A record that moved while we read was seen in both places.
        listed.dedup_by(|a, b| a.0 == b.0);
        listed
    }

    fn count(&self) -> u64 {
        self.cache.entry_count() + self.pinned() as u64
    }

    fn pinned(&self) -> usize {
        self.pins.load(Ordering::Relaxed)
    }

    fn tidy(&self) {
        self.sweep();
        self.cache.run_pending_tasks();
    }

    fn pin(&self, key: KeyBytes, bytes: Bytes) {
        self.pins.fetch_add(1, Ordering::Relaxed);
        if self.pinned.insert(key, Pinned { bytes, touched: Instant::now() }).is_some() {
            self.pins.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether it was pinned, and wanted to go.
    fn unpin(&self, key: &KeyBytes, goes: impl FnOnce(&Pinned) -> bool) -> bool {
        let gone =
            self.pinned() > 0 && self.pinned.remove_if(key, |_, pinned| goes(pinned)).is_some();
        if gone {
            self.pins.fetch_sub(1, Ordering::Relaxed);
        }
        gone
    }

    fn sweep_now_and_then(&self) {
        if self.pinned() == 0 {
            return;
        }
        let Ok(mut swept) = self.swept.try_lock() else { return };
        if swept.elapsed() >= self.idle_ttl / 8 {
            *swept = Instant::now();
            drop(swept);
            self.sweep();
        }
    }

    fn sweep(&self) {
        let idle = |pinned: &Pinned| pinned.touched.elapsed() >= self.idle_ttl;
        let idle: Vec<_> = self
            .pinned
            .iter()
            .filter(|pinned| idle(pinned))
            .map(|pinned| pinned.key().clone())
            .collect();
        for key in idle {
            self.give_up(&key);
        }
    }

    fn give_up(&self, key: &KeyBytes) {
        if self.unpin(key, |pinned| pinned.touched.elapsed() >= self.idle_ttl) {
            self.expired.fetch_add(1, Ordering::Relaxed);
            let session = session_name(key, &self.kinds);
            let idle_ttl = self.idle_ttl;
            tracing::warn!(
                %session, ?idle_ttl,
                "nobody asked for this session: what was pending for it is given up"
            );
        }
    }
}

/// Ordered by key alone.
struct Listed(KeyBytes, Bytes);

impl Ord for Listed {
    fn cmp(&self, other: &Self) -> Order {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Listed {
    fn partial_cmp(&self, other: &Self) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Listed {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Listed {}

#[cfg(test)]
mod tests;
