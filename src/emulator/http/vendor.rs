//! The vendor at work: its world, its log of calls, and what goes wrong on purpose.

use super::{calls::Calls, faults::Faults, gate::Gates};
use crate::emulator::model::{Options, World};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) struct Vendor {
    world: Mutex<World>,
    calls: Mutex<Calls>,
    pub(crate) faults: Faults,
    pub(crate) gates: Gates,
}

impl Vendor {
    pub(crate) fn new(options: Options) -> Self {
        Self {
            calls: Mutex::new(Calls::new(options.call_log)),
            world: Mutex::new(World::new(options)),
            faults: Faults::default(),
            gates: Gates::default(),
        }
    }

    /// Locks the world.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the log of calls.
    pub(crate) fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all state, faults and calls.
    pub(crate) fn reset(&self) {
        let mut world = self.world();
        *world = World::new(world.options.clone());
        self.faults.clear();
        self.calls().clear();
    }
}
