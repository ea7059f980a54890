//! How a vendor treats sources, asked wherever two vendors differ.

use super::RuleId;

/// The answers of one vendor API.
pub struct Semantics {
    /// Whether a single-use source that is detached or replaced is spent.
    pub detaching_spends: bool,
    /// Which attached sources an order charges whose call does not list them.
    pub order_charges: Charges,
    /// The rule under whose `reorder` the first attach of a single-use primary waits for
    /// secondaries.
    pub waits_under: RuleId,
    /// Whether such an attach may be answered at once and sent later.
    pub may_defer: bool,
    /// Whether a credential that is good for a session is one for sources, too.
    pub credential_opens_sources: bool,
}

/// Which attached sources an order charges whose call does not list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charges {
    /// All of them.
    All,
    /// Those that its answer names; upstream ignores secondaries that came too late.
    Named,
}
