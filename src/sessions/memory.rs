//! Records in this process: a bounded cache for each kind, the least recently used gone first, and
//! a place beside it for records that must stay.
//!
//! In: packed keys and bytes. Out: bytes. A record is in one of the two places, never in both, and
//! moves under its key's lock; reading and writing happen under the same lock, so a change is never
//! lost and a move never seen half-done.

use super::{
    StoreError,
    packed::{Bytes, Packed},
};
use dashmap::DashMap;
use moka::{policy::EvictionPolicy, sync::Cache};
use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    hash::{BuildHasher, RandomState},
    ops::RangeInclusive,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Every kind's shelf.
pub(super) struct Memory {
    pub sessions: Shelf,
    pub sources: Shelf,
    pub customers: Shelf,
    pub carts: Shelf,
}

impl Memory {
    /// `capacity` counts sessions. A session has one or two sources, at most one customer, and one
    /// shopper with one token at a time.
    pub fn new(capacity: u64, idle_ttl: Duration) -> Self {
        let shelf = |capacity| Shelf::new(capacity, idle_ttl);
        Self {
            sessions: shelf(capacity),
            sources: shelf(capacity.saturating_mul(2)),
            customers: shelf(capacity),
            carts: shelf(capacity),
        }
    }

    pub fn tidy(&self) {
        for shelf in [&self.sessions, &self.sources, &self.customers, &self.carts] {
            shelf.tidy();
        }
    }
}

/// Keys share this many locks: enough that two cores seldom meet, few enough to cost nothing.
const LOCKS: usize = 256;

/// One kind of record.
pub(super) struct Shelf {
    cache: Cache<Packed, Bytes>,
    /// Records that say that something is pending. They leave only when that is over, or when
    /// nobody asked for so long as `idle_ttl`.
    pinned: DashMap<Packed, Pinned>,
    /// How many those are, never too few: as a rule none, and then nobody looks among them.
    pins: AtomicUsize,
    idle_ttl: Duration,
    locks: Box<[Mutex<()>]>,
    spread: RandomState,
    swept: Mutex<Instant>,
    expired: AtomicU64,
}

/// What a change makes of a record.
pub(super) struct Changed<T> {
    pub bytes: Bytes,
    /// Where it must stay: what it is called if it is given up.
    pub pin: Option<Box<str>>,
    /// What the caller wants back.
    pub result: T,
}

struct Pinned {
    bytes: Bytes,
    touched: Instant,
    name: Box<str>,
}

impl Shelf {
    fn new(capacity: u64, idle_ttl: Duration) -> Self {
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
            locks: (0..LOCKS).map(|_| Mutex::default()).collect(),
            spread: RandomState::new(),
            swept: Mutex::new(Instant::now()),
            expired: AtomicU64::new(0),
        }
    }

    pub fn get(&self, key: &Packed) -> Option<Bytes> {
        let _lock = self.lock(key);
        self.find(key)
    }

    /// Replaces what is stored by what `change` makes of it.
    pub fn update<T>(
        &self,
        key: Packed,
        change: impl FnOnce(Option<&Bytes>) -> Result<Changed<T>, StoreError>,
    ) -> Result<T, StoreError> {
        self.sweep_now_and_then();
        let _lock = self.lock(&key);
        let before = self.find(&key);
        let Changed { bytes: after, pin, result } = change(before.as_ref())?;
        if let Some(name) = pin {
            self.cache.invalidate(&key);
            self.pin(key, after, name);
        } else {
            self.unpin(&key, |_| true);
            if before.as_ref() != Some(&after) || !self.cache.contains_key(&key) {
                self.cache.insert(key, after);
            }
        }
        Ok(result)
    }

    pub fn remove(&self, key: &Packed) {
        let _lock = self.lock(key);
        self.unpin(key, |_| true);
        self.cache.invalidate(key);
    }

    /// As many as `limit` records whose kind is in `kinds`, in the order of their keys, beginning
    /// after `after`. Does not count as use. Reads through everything: not for the path of a
    /// call.
    pub fn list(
        &self,
        kinds: RangeInclusive<u8>,
        after: Option<&Packed>,
        limit: usize,
    ) -> Vec<(Packed, Bytes)> {
        let mut first = BinaryHeap::new();
        let mut consider = |key: &Packed, bytes: &Bytes| {
            let wanted = kinds.contains(&key.kind()) && after.is_none_or(|after| key > after);
            let beaten =
                first.len() >= limit && first.peek().is_none_or(|Listed(last, _)| key >= last);
            if wanted && !beaten {
                first.push(Listed(key.clone(), bytes.clone()));
                if first.len() > limit {
                    first.pop();
                }
            }
        };
        self.cache.iter().for_each(|(key, bytes)| consider(&key, &bytes));
        self.pinned.iter().for_each(|pinned| consider(pinned.key(), &pinned.bytes));
        let mut listed: Vec<_> =
            first.into_sorted_vec().into_iter().map(|Listed(key, bytes)| (key, bytes)).collect();
        // A record that moved while we read was seen in both places.
        listed.dedup_by(|a, b| a.0 == b.0);
        listed
    }

    /// How many records there are; an estimate while they come and go.
    pub fn count(&self) -> u64 {
        self.cache.entry_count() + self.pinned() as u64
    }

    /// How many must stay.
    pub fn pinned(&self) -> usize {
        self.pins.load(Ordering::Relaxed)
    }

    /// How many that had to stay were given up, because nobody had asked for them for so long.
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    pub fn tidy(&self) {
        self.sweep();
        self.cache.run_pending_tasks();
    }

    fn lock(&self, key: &Packed) -> MutexGuard<'_, ()> {
        let lock = self.spread.hash_one(key) as usize % LOCKS;
        // A panic under the lock leaves nothing half-done: what it guards is written in one step.
        self.locks[lock].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &Packed) -> Option<Bytes> {
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

    fn pin(&self, key: Packed, bytes: Bytes, name: Box<str>) {
        self.pins.fetch_add(1, Ordering::Relaxed);
        if self.pinned.insert(key, Pinned { bytes, touched: Instant::now(), name }).is_some() {
            self.pins.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What was pinned, and wanted to go.
    fn unpin(&self, key: &Packed, goes: impl FnOnce(&Pinned) -> bool) -> Option<Pinned> {
        if self.pinned() == 0 {
            return None;
        }
        let (_, gone) = self.pinned.remove_if(key, |_, pinned| goes(pinned))?;
        self.pins.fetch_sub(1, Ordering::Relaxed);
        Some(gone)
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

    fn give_up(&self, key: &Packed) {
        let idle = |pinned: &Pinned| pinned.touched.elapsed() >= self.idle_ttl;
        if let Some(gone) = self.unpin(key, idle) {
            self.expired.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(session = %gone.name, idle_ttl = ?self.idle_ttl, "nobody asked for this session: what was pending for it is given up");
        }
    }
}

/// Ordered by key alone.
struct Listed(Packed, Bytes);

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
mod tests {
    use super::*;
    use std::collections::HashSet;
    use tokio::time::advance;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn key(id: u32) -> Packed {
        Packed::text(0, &id.to_string())
    }

    /// Stores one byte, to stay or not.
    fn put(shelf: &Shelf, id: u32, byte: u8, pin: bool) {
        shelf
            .update(key(id), |_| {
                Ok(Changed { bytes: Bytes::from([byte]), pin: pin.then(Box::default), result: () })
            })
            .unwrap();
    }

    fn get(shelf: &Shelf, id: u32) -> Option<u8> {
        shelf.get(&key(id)).map(|bytes| bytes[0])
    }

    #[test]
    fn a_full_shelf_takes_new_records_and_lets_the_least_recently_used_go() {
        let shelf = Shelf::new(10, DAY);
        for id in 0..10 {
            put(&shelf, id, 1, false);
        }
        shelf.tidy();
        for _ in 0..100 {
            assert_eq!(get(&shelf, 0), Some(1));
        }
        for id in 10..19 {
            put(&shelf, id, 2, false);
        }
        shelf.tidy();
        assert_eq!(shelf.count(), 10);
        assert_eq!(get(&shelf, 0), Some(1));
        assert_eq!((1..10).find_map(|id| get(&shelf, id)), None);
        assert!((10..19).all(|id| get(&shelf, id) == Some(2)));
    }

    #[test]
    fn what_must_stay_stays_however_many_others_come() {
        let shelf = Shelf::new(10, DAY);
        put(&shelf, 0, 1, false);
        put(&shelf, 0, 2, true);
        for id in 1..1_000 {
            put(&shelf, id, 3, false);
        }
        shelf.tidy();
        assert_eq!((get(&shelf, 0), shelf.pinned(), shelf.count()), (Some(2), 1, 11));
        put(&shelf, 0, 4, false);
        assert_eq!((get(&shelf, 0), shelf.pinned()), (Some(4), 0));
        for id in 1_000..2_000 {
            put(&shelf, id, 3, false);
        }
        shelf.tidy();
        assert_eq!((get(&shelf, 0), shelf.expired()), (None, 0));
    }

    #[test]
    fn a_removed_record_is_gone_from_wherever_it_was() {
        let shelf = Shelf::new(10, DAY);
        for pin in [false, true] {
            put(&shelf, 0, 1, pin);
            shelf.remove(&key(0));
            assert_eq!((get(&shelf, 0), shelf.pinned()), (None, 0));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_must_stay_is_given_up_and_counted_when_nobody_asks_for_so_long() {
        let shelf = Shelf::new(10, DAY);
        put(&shelf, 0, 1, true);
        put(&shelf, 1, 1, true);
        advance(DAY / 2).await;
        assert_eq!(get(&shelf, 0), Some(1));
        advance(DAY / 2).await;
        assert_eq!(get(&shelf, 0), Some(1));
        // Any change looks after those that nobody asks for.
        put(&shelf, 2, 1, false);
        assert_eq!((shelf.pinned(), shelf.expired()), (1, 1));
        advance(DAY).await;
        assert_eq!((get(&shelf, 0), shelf.pinned(), shelf.expired()), (None, 0, 2));
    }

    #[test]
    fn no_change_is_lost_while_records_move_between_the_places() {
        let shelf = Shelf::new(100, DAY);
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                let shelf = &shelf;
                scope.spawn(move || {
                    for round in 0..5_000_u16 {
                        let id = u32::from(round % 3);
                        let add = |before: Option<&Bytes>| {
                            let before =
                                before.map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
                            let bytes = Bytes::from((before + 1).to_be_bytes());
                            Ok(Changed {
                                bytes,
                                pin: (round + u16::from(thread))
                                    .is_multiple_of(3)
                                    .then(Box::default),
                                result: (),
                            })
                        };
                        shelf.update(key(id), add).unwrap();
                        assert!(shelf.get(&key(id)).is_some());
                    }
                });
            }
        });
        let count = |id| u16::from_be_bytes(shelf.get(&key(id)).unwrap()[..].try_into().unwrap());
        assert_eq!([count(0), count(1), count(2)], [6_668, 6_668, 6_664]);
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let shelf = Shelf::new(10, DAY);
        put(&shelf, 0, 1, false);
        let failed = shelf.update::<()>(key(0), |_| Err(StoreError::Unwritable));
        assert_eq!((failed, get(&shelf, 0)), (Err(StoreError::Unwritable), Some(1)));
    }

    #[test]
    fn a_list_is_read_page_by_page_without_gaps_or_repetition() {
        let shelf = Shelf::new(1_000, DAY);
        for id in 0..100 {
            put(&shelf, id, 1, id % 10 == 0);
        }
        let mut seen = Vec::new();
        loop {
            let page = shelf.list(0..=0, seen.last(), 7);
            assert!(page.len() == 7 || seen.len() + page.len() == 100);
            if page.is_empty() {
                break;
            }
            seen.extend(page.into_iter().map(|(key, _)| key));
        }
        assert!(seen.is_sorted());
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 100);
        assert_eq!(shelf.list(1..=2, None, 7), []);
        assert_eq!(shelf.list(0..=0, None, 0), []);
    }
}
