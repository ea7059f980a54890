//! How much all workers together take on at once.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most connections and calls at one time, counted over all who share it.
#[derive(Clone, Debug)]
pub struct Bounds {
    connections: Arc<Semaphore>,
    calls: Arc<Semaphore>,
}

impl Default for Bounds {
    /// Returns the configuration's defaults, where no limit of the process is lower.
    fn default() -> Self {
        Self::new(65_536, 16_384)
    }
}

impl Bounds {
    /// Takes on at most so many connections, and so many calls that are not answered to the end.
    pub fn new(connections: usize, calls: usize) -> Self {
        let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self { connections: places(connections), calls: places(calls) }
    }

    /// Takes a place for a connection, which is free again when this is dropped.
    pub(super) fn connection(&self) -> Option<OwnedSemaphorePermit> {
        self.connections.clone().try_acquire_owned().ok()
    }

    /// Takes a place for a call, which is free again when this is dropped.
    pub(super) fn call(&self) -> Option<OwnedSemaphorePermit> {
        self.calls.clone().try_acquire_owned().ok()
    }
}
