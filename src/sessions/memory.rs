//! Keeps records in this process: for each space a bounded cache that drops the least recently used
//! record first, and a map of pinned records, which are never dropped to make room.
//!
//! A record is in one of the two, never in both, and moves under its key's lock. An operation holds
//! the locks of all its keys, always taken in one order: several keys are read, or changed, as of
//! one moment.

mod shelf;

use super::{
    change::{Bytes, Change, Swapped},
    keys::{Key, KeyBytes, Space},
    settings::Settings,
};
use shelf::Shelf;
use smallvec::SmallVec;
use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keys share this many locks: enough that two cores seldom meet, few enough to cost nothing.
const LOCKS: usize = 256;

/// Every space's shelf.
pub(super) struct Memory {
    sessions: Shelf,
    sources: Shelf,
    customers: Shelf,
    active: Shelf,
    locks: Box<[Mutex<()>]>,
    spread: RandomState,
}

/// The locks of a few keys.
type Locks<'a> = SmallVec<[MutexGuard<'a, ()>; 6]>;

impl Memory {
    /// Makes an empty memory. `capacity` counts sessions: a session has one or two sources, at most
    /// one customer, and one shopper with one token at a time.
    pub(super) fn new(settings: &Settings) -> Self {
        let shelf = |capacity| Shelf::new(capacity, settings.idle_ttl, settings.kinds.clone());
        Self {
            sessions: shelf(settings.capacity),
            sources: shelf(settings.capacity.saturating_mul(2)),
            customers: shelf(settings.capacity),
            active: shelf(settings.capacity),
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            spread: RandomState::new(),
        }
    }

    /// Returns what is stored under each of these keys.
    pub(super) fn get(&self, keys: &[Key]) -> Vec<Option<Bytes>> {
        let _locks = self.lock(keys.iter());
        keys.iter().map(|key| self.shelf(key.space).find(&key.bytes)).collect()
    }

    /// Returns what is stored under a key, and does not count that as use. May scan all records, so
    /// it is not for the path of a call.
    pub(super) fn peek(&self, key: &Key) -> Option<Bytes> {
        self.shelf(key.space).peek(&key.bytes)
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
        // Looking counted as use: a record that stays the same is kept as long as the others.
        for change in changes.iter().filter(|change| change.changes_anything()) {
            let shelf = self.shelf(change.key.space);
            match &change.new {
                Some(bytes) => {
                    shelf.put(&change.key.bytes, bytes, change.pin, change.seen.is_none());
                }
                None => shelf.remove(&change.key.bytes),
            }
        }
        Swapped::Made
    }

    /// Returns at most `limit` records whose keys begin with one of `first` and come after `after`,
    /// in the order of their keys. Does not count as use. Scans all records, so it is not for the
    /// path of a call.
    pub(super) fn list(
        &self,
        space: Space,
        first: &[u8],
        after: Option<&KeyBytes>,
        limit: usize,
    ) -> Vec<(KeyBytes, Bytes)> {
        self.shelf(space).list(first, after, limit)
    }

    /// Returns how many records a space holds; an estimate while records are added and dropped.
    pub(super) fn count(&self, space: Space) -> u64 {
        self.shelf(space).count()
    }

    /// Returns how many records are pinned. Only sessions' records ever are.
    pub(super) fn pinned(&self) -> usize {
        self.sessions.pinned()
    }

    /// Returns the keys of the pinned records.
    pub(super) fn pinned_keys(&self) -> Vec<KeyBytes> {
        self.sessions.pinned_keys()
    }

    /// Returns how many pinned records were dropped because no call asked for them within
    /// `idle_ttl`.
    pub(super) fn expired(&self) -> u64 {
        self.sessions.expired()
    }

    /// Returns how many sessions' records were dropped, to make room or because they were idle.
    pub(super) fn dropped(&self) -> u64 {
        self.sessions.dropped()
    }

    /// Makes room and drops idle records now.
    pub(super) fn tidy(&self) {
        for shelf in [&self.sessions, &self.sources, &self.customers, &self.active] {
            shelf.tidy();
        }
    }

    fn shelf(&self, space: Space) -> &Shelf {
        match space {
            Space::Sessions => &self.sessions,
            Space::Sources => &self.sources,
            Space::Customers => &self.customers,
            Space::Active => &self.active,
        }
    }

    /// Takes the locks of these keys, in the one order that all operations use.
    fn lock<'a>(&'a self, keys: impl Iterator<Item = &'a Key>) -> Locks<'a> {
        let mut places: SmallVec<[usize; 6]> =
            keys.map(|key| self.spread.hash_one(key) as usize % LOCKS).collect();
        places.sort_unstable();
        places.dedup();
        // A poisoned lock is safe to use: no step of a change can panic half-way.
        let lock = |place: usize| self.locks[place].lock().unwrap_or_else(PoisonError::into_inner);
        places.into_iter().map(lock).collect()
    }
}

#[cfg(test)]
mod tests;
