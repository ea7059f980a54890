//! A vendor's treatment of sources, where vendors differ.

use super::RuleId;

/// One vendor API's treatment of sources.
pub struct Semantics {
    /// Whether a single-use source that is detached or replaced is spent.
    pub detaching_spends: bool,
    /// The attached sources that an order charges if its call does not list them.
    pub order_charges: Charges,
    /// The rule under whose `reorder` the first attach of a single-use primary waits for
    /// secondaries.
    pub waits_under: RuleId,
    /// Whether such an attach may be answered at once and sent later.
    pub may_defer: bool,
    /// Whether a credential that opens a session opens sources, too.
    pub credential_opens_sources: bool,
}

/// The attached sources that an order charges if its call does not list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charges {
    /// All attached sources.
    All,
    /// Only those that its answer names, because upstream ignores secondaries that came too late.
    Named,
}
