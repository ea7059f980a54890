//! The parts of a gateway whose settings can change while it runs.

use crate::{
    admin::Admin,
    config::Config,
    edge::{Bounds, Later, Tls},
    govern::Governor,
    upstream::Upstream,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The parts of a gateway whose settings can change while it runs.
#[derive(Clone)]
pub(super) struct Parts {
    pub governor: Arc<Governor>,
    pub admin: Admin,
    pub upstream: Upstream,
    pub tls: Option<Tls>,
    pub bounds: Bounds,
    pub serving: Later,
    pub grace: Grace,
}

/// How long new calls are taken after the signal to stop. Clones share it.
#[derive(Clone)]
pub(super) struct Grace(Arc<AtomicU64>);

impl Grace {
    pub(super) fn of(config: &Config) -> Self {
        let grace = Self(Arc::default());
        grace.set(config);
        grace
    }

    pub(super) fn set(&self, config: &Config) {
        let millis = u64::try_from(config.limits.grace.as_millis()).unwrap_or(u64::MAX);
        self.0.store(millis, Relaxed);
    }

    pub(super) fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Relaxed))
    }
}
