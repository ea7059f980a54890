//! What a judgement of a call rested on, kept for whoever wants to judge the call again.

use super::{Judgement, Known, Timestamp};

/// The arguments of a judgement, apart from the call's intent and the policy, and the judgement.
#[derive(Clone, Debug)]
pub struct Basis {
    /// What was known.
    pub known: Known,
    /// The time.
    pub now: Timestamp,
    /// The judgement.
    pub judgement: Judgement,
}
