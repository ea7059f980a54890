//! A probe in the store, for tests: counts the requests and makes them fail.

use super::change::StoreError;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the requests to a store ([`super::Store::probed`]) and makes them fail. Clones share what
/// they count.
#[derive(Clone, Debug, Default)]
pub struct Probe(Arc<[Counter; 2]>);

/// Requests of one kind.
#[derive(Debug)]
struct Counter {
    asked: AtomicU64,
    /// The first request that fails, counted from 0.
    good: AtomicU64,
    /// The first request after that which succeeds again.
    healed: AtomicU64,
}

impl Default for Counter {
    fn default() -> Self {
        let [good, healed] = [u64::MAX; 2].map(AtomicU64::new);
        Self { asked: AtomicU64::new(0), good, healed }
    }
}

impl Counter {
    fn ask(&self) -> Result<(), StoreError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let failing = self.good.load(Ordering::SeqCst)..self.healed.load(Ordering::SeqCst);
        let fails = failing.contains(&asked);
        if fails { Err(StoreError::Unavailable) } else { Ok(()) }
    }

    fn fail_after(&self, more: u64, times: u64) {
        let first = self.asked.load(Ordering::SeqCst).saturating_add(more);
        self.healed.store(first.saturating_add(times), Ordering::SeqCst);
        self.good.store(first, Ordering::SeqCst);
    }
}

impl Probe {
    /// Returns how often the store was read, several keys at once being one time.
    pub fn reads(&self) -> u64 {
        self.0[0].asked.load(Ordering::SeqCst)
    }

    /// Returns how often the store was written, several changes at once being one time.
    pub fn writes(&self) -> u64 {
        self.0[1].asked.load(Ordering::SeqCst)
    }

    /// Makes so many reads fail after so many more have succeeded.
    pub fn fail_reads_after(&self, more: u64, times: u64) {
        self.0[0].fail_after(more, times);
    }

    /// Makes so many writes fail after so many more have succeeded.
    pub fn fail_writes_after(&self, more: u64, times: u64) {
        self.0[1].fail_after(more, times);
    }

    /// Lets everything succeed again.
    pub fn heal(&self) {
        self.0.iter().for_each(|operation| operation.good.store(u64::MAX, Ordering::SeqCst));
    }

    pub(super) fn read(&self) -> Result<(), StoreError> {
        self.0[0].ask()
    }

    pub(super) fn write(&self) -> Result<(), StoreError> {
        self.0[1].ask()
    }
}
