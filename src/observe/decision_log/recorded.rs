//! What the decision log needs of a call besides its decision.

use crate::rules::{Basis, CredentialHash, Intent, Policy};
use std::{sync::Arc, time::Duration};

/// A call that was understood: who made it, what it means, and what it was judged on.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    /// The caller; `None`: one without a credential that is recognised.
    pub caller: Option<CredentialHash>,
    pub intent: Arc<Intent>,
    /// The policy in force when the call came.
    pub policy: Arc<Policy>,
    /// What its last judgement rested on; `None`: no rule judged it.
    pub basis: Option<Box<Basis>>,
    /// How long before that judgement upstream may have been changed past the records.
    pub changed: Option<Duration>,
}
