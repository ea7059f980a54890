//! What a call holds while it is decided and sent: records, and the right to change them.

use crate::sessions::{Records, Turn, TurnGuard};

/// The records that a call may change, with the turn that allows it.
pub(super) enum Holding {
    /// The turn of a session.
    Turn(Turn),
    /// Records without a session's turn, and the turn of a shopper or customer where one was taken.
    Records(Records, Option<TurnGuard>),
    /// The records of a call that is sent without the turn that it needs, and so overlaps with the
    /// call that has it.
    Overlapping(Records),
}

impl Holding {
    pub(super) fn records(&self) -> &Records {
        match self {
            Self::Turn(turn) => turn.records(),
            Self::Records(records, _) | Self::Overlapping(records) => records,
        }
    }

    pub(super) fn records_mut(&mut self) -> &mut Records {
        match self {
            Self::Turn(turn) => turn.records_mut(),
            Self::Records(records, _) | Self::Overlapping(records) => records,
        }
    }
}
