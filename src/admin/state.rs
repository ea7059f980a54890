//! What the pages of the admin address show and change.

use super::{gate::Gate, health::Health};
use crate::govern::Governor;
use arc_swap::ArcSwap;
use std::sync::Arc;

pub(super) struct State {
    pub governor: Arc<Governor>,
    /// The configuration in force, as JSON.
    pub config: ArcSwap<String>,
    pub health: Health,
    pub gate: ArcSwap<Gate>,
}
