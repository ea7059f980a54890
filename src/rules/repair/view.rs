//! What a look at the session shows a repair.

use crate::rules::{Known, SourceId, Types};

/// What a look-up of the session showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionView {
    /// A primary is attached. Lists all attached sources.
    Primary(Vec<SourceId>),
    /// No primary is attached. Lists all attached sources.
    NoPrimary(Vec<SourceId>),
    /// The look-up failed, or its answer does not show the attached sources.
    Unknown,
}

impl SessionView {
    /// Returns what is attached to the session of which this is known.
    pub fn of(known: &Known, types: &Types) -> Self {
        let attached: Vec<SourceId> = known.attached().iter().map(|one| one.id.clone()).collect();
        let is_primary = |id| known.kind_of(id).map(|kind| !types.is_secondary(kind));
        let kinds: Vec<_> = attached.iter().map(is_primary).collect();
        if kinds.contains(&Some(true)) {
            Self::Primary(attached)
        } else if kinds.contains(&None) {
            Self::Unknown
        } else {
            Self::NoPrimary(attached)
        }
    }
}
