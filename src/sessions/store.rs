//! The store: bytes under keys, in named spaces.
//!
//! In: keys, and changes of what is stored under them. Out: bytes. It knows nothing of records.
//! Both operations take several keys and are one step: what `get` returns was stored at one moment,
//! and `swap` makes all of its changes or none. A store shared by replicas does either in one round
//! trip. Today there is one store, in memory.

use super::{
    change::{Bytes, Change, StoreError, Swapped},
    keys::{Key, KeyBytes, Space},
    memory::Memory,
    probe::Probe,
    settings::Settings,
};
use std::sync::Arc;

/// Where records are kept. Clones share what is stored.
#[derive(Clone)]
pub struct Store {
    backend: Backend,
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
        Self { backend: Backend::Memory(Arc::new(Memory::new(settings))), probe: None }
    }

    /// Lets a test count what this store is asked, and make it fail.
    #[doc(hidden)]
    pub fn probed(self, probe: &Probe) -> Self {
        Self { probe: Some(probe.clone()), ..self }
    }

    /// Returns what is stored under each of these keys, all as of one moment.
    pub async fn get(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.probe.as_ref().map_or(Ok(()), Probe::read)?;
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.get(keys)),
        }
    }

    /// Makes all these changes, or none where something else is stored than was seen. A key may
    /// stand in one change only.
    pub async fn swap(&self, changes: &[Change]) -> Result<Swapped, StoreError> {
        self.probe.as_ref().map_or(Ok(()), Probe::write)?;
        match &self.backend {
            Backend::Memory(memory) => Ok(memory.swap(changes)),
        }
    }

    /// Returns at most `limit` records of a space whose keys begin with one of these bytes and come
    /// after `after`, in the order of their keys. Reads through everything; does not count as use.
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

    /// Returns how many records a space holds; an estimate while they come and go.
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

    /// Returns how many pinned records were given up, because nobody had asked for them for so
    /// long.
    pub fn expired(&self) -> u64 {
        match &self.backend {
            Backend::Memory(memory) => memory.expired(),
        }
    }

    /// Does now what is otherwise done bit by bit: makes room, drops what is idle.
    pub fn tidy(&self) {
        match &self.backend {
            Backend::Memory(memory) => memory.tidy(),
        }
    }
}
