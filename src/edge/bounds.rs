//! How much all workers together take on at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The most connections and calls at one time, counted over all who share it.
#[derive(Clone, Debug)]
pub struct Bounds {
    connections: Arc<Places>,
    calls: Arc<Places>,
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
        let places = |most: usize| Arc::new(Places { taken: 0.into(), most: most.into() });
        Self { connections: places(connections), calls: places(calls) }
    }

    /// Puts other numbers in place of these, for all who share them. What was taken on stays.
    pub fn set(&self, connections: usize, calls: usize) {
        self.connections.most.store(connections, Relaxed);
        self.calls.most.store(calls, Relaxed);
    }

    /// Returns how many calls are not answered to the end.
    pub fn calls(&self) -> usize {
        self.calls.taken.load(Relaxed)
    }

    /// Takes a place for a connection, which is free again when this is dropped.
    pub(super) fn connection(&self) -> Option<Place> {
        Places::take(&self.connections)
    }

    /// Takes a place for a call, which is free again when this is dropped.
    pub(super) fn call(&self) -> Option<Place> {
        Places::take(&self.calls)
    }
}

/// Places of one sort. tokio's semaphore cannot take back what is out when its number falls.
#[derive(Debug)]
struct Places {
    taken: AtomicUsize,
    most: AtomicUsize,
}

impl Places {
    fn take(places: &Arc<Self>) -> Option<Place> {
        let most = places.most.load(Relaxed);
        let next = |taken: usize| (taken < most).then_some(taken + 1);
        places.taken.fetch_update(Relaxed, Relaxed, next).ok()?;
        Some(Place(places.clone()))
    }
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_falls_waits_for_the_places_that_are_out() {
        let bounds = Bounds::new(1, 2);
        let both = (bounds.call().unwrap(), bounds.call().unwrap());
        assert!(bounds.call().is_none());
        bounds.clone().set(1, 1);
        drop(both.0);
        assert!(bounds.call().is_none(), "one is still out");
        drop(both.1);
        let one = bounds.call().unwrap();
        assert!(bounds.call().is_none());
        bounds.set(1, 2);
        assert!(bounds.call().is_some());
        drop(one);
        assert!(bounds.connection().is_some());
    }
}
