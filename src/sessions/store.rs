//! The store: bytes under keys, in named spaces. It does not know what the bytes mean.
//!
//! Both operations take several keys and are one step: what `get` returns was stored at one moment,
//! and `swap` makes all of its changes or none. So a store shared by replicas can do either in one
//! round trip.

use super::{
    change::{Bytes, Change, StoreError, Swapped},
    keys::{Key, KeyBytes, Space},
    memory::Memory,
    probe::Probe,
    recent::RecentRecords,
    settings::Settings,
};
use std::sync::Arc;

/// Keeps records. Clones share what is stored.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
    recent: Arc<RecentRecords>,
    probe: Option<Probe>,
}

#[derive(Clone)]
enum Backend {
    /// In this process.
    Memory(Arc<Memory>),
}

impl Store {
    /// Keeps records in this process.
    pub fn in_memory(settings: &Settings) -> Self {
        let backend = Backend::Memory(Arc::new(Memory::new(settings)));
        Self { backend, recent: Arc::default(), probe: None }
    }

    /// Lets a test count the requests to this store and make them fail.
    #[doc(hidden)]
    pub fn probed(self, probe: &Probe) -> Self {
        Self { probe: Some(probe.clone()), ..self }
    }

    /// Returns the records that were read or written last, which need not be read from their bytes.
    pub(super) fn recent(&self) -> &RecentRecords {
        &self.recent
    }

    /// Returns what is stored under each of these keys, all as of one moment.
    pub async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.probe.as_ref().map_or(Ok(()), Probe::read)?;
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.get(keys)),
        }
    }

    /// Returns what is stored under a key, and does not count that as use. May scan all records.
    pub async fn peek(&self, key: Key) -> Result<Option<Bytes>, StoreError> {
        self.probe.as_ref().map_or(Ok(()), Probe::read)?;
        match &self.backend {
            Backend::Memory(memory) => {
                let memory = memory.clone();
                let peek = move || memory.peek(&key);
                tokio::task::spawn_blocking(peek).await.map_err(|_| StoreError::Unavailable)
            }
        }
    }

    /// Makes all these changes, or none if other bytes are stored than were seen. No two changes
    /// may have the same key.
    pub async fn swap(&self, changes: &[Change]) -> Result<Swapped, StoreError> {
        self.probe.as_ref().map_or(Ok(()), Probe::write)?;
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.swap(changes)),
        }
    }

    /// Returns at most `limit` records of a space whose keys begin with one of these bytes and come
    /// after `after`, in the order of their keys. Scans all records and does not count as use.
    pub async fn list(
        &self,
        space: Space,
        first: Vec<u8>,
        after: Option<KeyBytes>,
        limit: usize,
    ) -> Result<Vec<(KeyBytes, Bytes)>, StoreError> {
        match &self.backend {
            Backend::Memory(memory) => {
                let memory = memory.clone();
                let list = move || memory.list(space, &first, after.as_ref(), limit);
                tokio::task::spawn_blocking(list).await.map_err(|_| StoreError::Unavailable)
            }
        }
    }

    /// Returns how many records a space holds; an estimate while records are added and dropped.
    pub fn count(&self, space: Space) -> u64 {
        match &self.backend {
            Backend::Memory(memory) => memory.count(space),
        }
    }

    /// Returns how many records are pinned.
    pub fn pinned(&self) -> usize {
        match &self.backend {
            Backend::Memory(memory) => memory.pinned(),
        }
    }

    /// Returns the keys of the pinned records.
    pub fn pinned_keys(&self) -> Vec<KeyBytes> {
        match &self.backend {
            Backend::Memory(memory) => memory.pinned_keys(),
        }
    }

    /// Returns how many pinned records were dropped because no call asked for them within
    /// `idle_ttl`.
    pub fn expired(&self) -> u64 {
        match &self.backend {
            Backend::Memory(memory) => memory.expired(),
        }
    }

    /// Returns how many sessions' records were dropped, to make room or because they were idle.
    pub fn dropped(&self) -> u64 {
        match &self.backend {
            Backend::Memory(memory) => memory.dropped(),
        }
    }

    /// Makes room and drops idle records now, which is otherwise done bit by bit.
    pub fn tidy(&self) {
        match &self.backend {
            Backend::Memory(memory) => memory.tidy(),
        }
    }
}
