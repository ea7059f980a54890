//! A probe in the store, for tests: counts the requests and makes them fail.

use super::change::StoreError;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// Counts the requests to a store ([`super::Store::probed`]) and makes them fail. Clones share what
/// they count.
#[derive(Clone, Debug, Default)]
pub struct Probe(Arc<[Operation; 2]>);

/// Requests of one kind.
#[derive(Debug)]
struct Operation {
    asked: AtomicU64,
    /// How many succeed before the rest fail.
    good: AtomicU64,
}

impl Default for Operation {
    fn default() -> Self {
        Self { asked: AtomicU64::new(0), good: AtomicU64::new(u64::MAX) }
    }
}

impl Operation {
    fn ask(&self) -> Result<(), StoreError> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let fails = asked >= self.good.load(Ordering::SeqCst);
        if fails { Err(StoreError::Unavailable) } else { Ok(()) }
    }

    fn fail_after(&self, more: u64) {
        let asked = self.asked.load(Ordering::SeqCst);
        self.good.store(asked.saturating_add(more), Ordering::SeqCst);
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

    /// Makes all reads fail after so many more.
    pub fn fail_reads_after(&self, more: u64) {
        self.0[0].fail_after(more);
    }

    /// Makes all writes fail after so many more.
    pub fn fail_writes_after(&self, more: u64) {
        self.0[1].fail_after(more);
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
