//! A place where a request waits until a test lets it go on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Holds requests without sleeps: the test waits for [`Gate::arrived`], looks around, and calls
/// [`Gate::release`].
///
/// A clone is the same gate.
#[derive(Clone, Debug)]
pub struct Gate {
    arrivals: Arc<Semaphore>,
    releases: Arc<Semaphore>,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Gate {
        Gate { arrivals: Arc::new(Semaphore::new(0)), releases: Arc::new(Semaphore::new(0)) }
    }

    /// Returns once one more request has come to the gate: called twice, it waits for two.
    pub async fn arrived(&self) {
        if let Ok(permit) = self.arrivals.acquire().await {
            permit.forget();
        }
    }

    /// Lets one request pass, now or when it comes.
    pub fn release(&self) {
        self.releases.add_permits(1);
    }

    /// Lets everybody pass from now on.
    pub fn open(&self) {
        self.releases.close();
    }

    pub(super) async fn pass(&self) {
        self.arrivals.add_permits(1);
        if let Ok(permit) = self.releases.acquire().await {
            permit.forget();
        }
    }
}

impl Default for Gate {
    fn default() -> Gate {
        Gate::new()
    }
}
