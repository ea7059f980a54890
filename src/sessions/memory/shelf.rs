//! The records of one space. A caller holds the lock of each key that it passes to a method.

use super::super::{
    change::Bytes,
    keys::{KeyBytes, session_name},
};
use crate::rules::SessionKind;
use dashmap::DashMap;
use moka::{policy::EvictionPolicy, sync::Cache};
use std::{
    cmp::Ordering as Order,
    collections::BinaryHeap,
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;

/// The records of one space.
pub(super) struct Shelf {
    cache: Cache<KeyBytes, Bytes>,
    /// Records that are never dropped to make room. They go only by a change, or when no call asks
    /// for them within `idle_ttl`.
    pinned: DashMap<KeyBytes, Pinned>,
    /// An upper bound on the number of pinned records. Usually 0, which lets reads skip the map.
    pins: AtomicUsize,
    idle_ttl: Duration,
    swept: Mutex<Instant>,
    expired: AtomicU64,
    added: AtomicU64,
    taken: AtomicU64,
    dropped: AtomicU64,
    kinds: Vec<SessionKind>,
}

struct Pinned {
    bytes: Bytes,
    touched: Instant,
}

impl Shelf {
    pub(super) fn new(capacity: u64, idle_ttl: Duration, kinds: Vec<SessionKind>) -> Self {
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
            added: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            kinds,
        }
    }

    /// Returns the bytes under this key, and counts that as use.
    pub(super) fn find(&self, key: &KeyBytes) -> Option<Bytes> {
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

    /// Returns the bytes under this key, and does not count that as use. Scans the records where it
    /// is not pinned, because looking it up would be use.
    pub(super) fn peek(&self, key: &KeyBytes) -> Option<Bytes> {
        if self.pinned() > 0
            && let Some(pinned) = self.pinned.get(key)
        {
            return (pinned.touched.elapsed() < self.idle_ttl).then(|| pinned.bytes.clone());
        }
        let is_there = self.cache.contains_key(key);
        let mut all = is_there.then(|| self.cache.iter()).into_iter().flatten();
        all.find(|(known, _)| **known == *key).map(|(_, bytes)| bytes)
    }

    /// Puts bytes under this key; `is_new`: nothing was there.
    pub(super) fn put(&self, key: &KeyBytes, bytes: &Bytes, pin: bool, is_new: bool) {
        if pin {
            self.cache.invalidate(key);
            self.pin(key.clone(), bytes.clone());
        } else {
            self.unpin(key, |_| true);
            self.cache.insert(key.clone(), bytes.clone());
        }
        if is_new {
            self.added.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn remove(&self, key: &KeyBytes) {
        self.taken.fetch_add(1, Ordering::Relaxed);
        self.unpin(key, |_| true);
        self.cache.invalidate(key);
    }

    pub(super) fn list(
        &self,
        first: &[u8],
        after: Option<&KeyBytes>,
        limit: usize,
    ) -> Vec<(KeyBytes, Bytes)> {
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
        // A record that moved during the scan was seen in both places.
        listed.dedup_by(|a, b| a.0 == b.0);
        listed
    }

    pub(super) fn count(&self) -> u64 {
        self.cache.entry_count() + self.pinned() as u64
    }

    /// Returns how many records went without a change that took them away: to make room, or because
    /// they were idle. They are reckoned, since a listener would cost a lock at each change, in an
    /// order in which a change meanwhile makes them too few, not too many.
    pub(super) fn dropped(&self) -> u64 {
        let added = self.added.load(Ordering::Relaxed);
        self.tidy();
        let there = self.count();
        let gone = added.saturating_sub(self.taken.load(Ordering::Relaxed)).saturating_sub(there);
        self.dropped.fetch_max(gone, Ordering::Relaxed).max(gone)
    }

    pub(super) fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    pub(super) fn pinned(&self) -> usize {
        self.pins.load(Ordering::Relaxed)
    }

    pub(super) fn pinned_keys(&self) -> Vec<KeyBytes> {
        self.pinned.iter().map(|pinned| pinned.key().clone()).collect()
    }

    pub(super) fn tidy(&self) {
        self.sweep();
        self.cache.run_pending_tasks();
    }

    fn pin(&self, key: KeyBytes, bytes: Bytes) {
        self.pins.fetch_add(1, Ordering::Relaxed);
        if self.pinned.insert(key, Pinned { bytes, touched: Instant::now() }).is_some() {
            self.pins.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Removes a pinned record for which `goes` is true. Returns whether it did.
    fn unpin(&self, key: &KeyBytes, goes: impl FnOnce(&Pinned) -> bool) -> bool {
        let gone =
            self.pinned() > 0 && self.pinned.remove_if(key, |_, pinned| goes(pinned)).is_some();
        if gone {
            self.pins.fetch_sub(1, Ordering::Relaxed);
        }
        gone
    }

    pub(super) fn sweep_now_and_then(&self) {
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
