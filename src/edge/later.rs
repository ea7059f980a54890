//! Limits that change while connections are served: those that begin later get the new ones.

use arc_swap::ArcSwapOption;
use std::{sync::Arc, time::Duration};

/// The limits of `ServeOptions` that can change while callers are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeLimits {
    /// As in `ServeOptions`.
    pub header_timeout: Duration,
    /// As in `ServeOptions`.
    pub keep_alive: Duration,
    /// As in `ServeOptions`.
    pub write_timeout: Duration,
    /// As in `ServeOptions`.
    pub ping_after: Duration,
    /// As in `ServeOptions`.
    pub head: usize,
    /// As in `ServeOptions`.
    pub drain: Duration,
    /// As in `ServeOptions`.
    pub caller_address: bool,
}

/// The limits that were set last, if any were. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Later {
    set: Arc<ArcSwapOption<ServeLimits>>,
    /// Those that the options have which hold this.
    taken: Option<Arc<ServeLimits>>,
}

impl Later {
    /// Sets the limits of connections that begin from now on, and of a shutdown.
    pub fn set(&self, limits: ServeLimits) {
        self.set.store(Some(Arc::new(limits)));
    }

    /// Returns the limits that were set since this was made, and what takes its place.
    pub(super) fn taken(&self) -> Option<(Arc<ServeLimits>, Self)> {
        let set = self.set.load();
        let limits = set.as_ref()?;
        if self.taken.as_ref().is_some_and(|taken| Arc::ptr_eq(taken, limits)) {
            return None;
        }
        Some((limits.clone(), Self { set: self.set.clone(), taken: Some(limits.clone()) }))
    }
}
