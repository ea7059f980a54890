//! A place where a request waits until a test lets it go on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::Semaphore;

/// Holds requests without sleeps: the test waits for [`Gate::arrived`], looks at the state, and
/// calls [`Gate::release`].
///
/// A clone is the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    arrivals: Arc<Semaphore>,
    releases: Arc<Semaphore>,
}

impl Gate {
    /// Makes a closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self { arrivals: Arc::new(Semaphore::new(0)), releases: Arc::new(Semaphore::new(0)) }
    }

    /// Waits until one more request has come to the gate: called twice, it waits for two.
    pub async fn arrived(&self) {
        if let Ok(permit) = self.arrivals.acquire().await {
            permit.forget();
        }
    }

    /// Lets one request pass, now or when it comes.
    pub fn release(&self) {
        self.releases.add_permits(1);
    }

    /// Lets all requests pass from now on.
    pub fn open(&self) {
        self.releases.close();
    }

    /// Waits until the gate lets one more request pass.
    pub(crate) async fn pass(&self) {
        self.arrivals.add_permits(1);
        if let Ok(permit) = self.releases.acquire().await {
            permit.forget();
        }
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

/// Gates by name, for faults that are added over HTTP.
#[derive(Default)]
pub(crate) struct Gates(Mutex<BTreeMap<String, Gate>>);

impl Gates {
    /// Returns the gate of that name, and makes it if there is none.
    pub(crate) fn named(&self, name: &str) -> Gate {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(name.to_owned())
            .or_default()
            .clone()
    }
}
