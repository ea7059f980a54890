//! A fixed number of places, each for what was used last under one of the keys that share it.

use std::{
    hash::{BuildHasher, Hash, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The places. Which keys share one cannot be foreseen from outside.
pub(crate) struct Places<T> {
    places: Box<[Mutex<Option<T>>]>,
    spread: RandomState,
}

impl<T> Places<T> {
    /// Makes so many empty places; at least one.
    pub(crate) fn new(count: usize) -> Self {
        let places = (0..count.max(1)).map(|_| Mutex::default()).collect();
        Self { places, spread: RandomState::new() }
    }

    /// Returns the place of a key. Hold it only to look and to set: others wait for it.
    pub(crate) fn at(&self, key: &impl Hash) -> MutexGuard<'_, Option<T>> {
        let place = self.spread.hash_one(key) as usize % self.places.len();
        // A poisoned lock is safe to use: a place is set in one step.
        self.places[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}
