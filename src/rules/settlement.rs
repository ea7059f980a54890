//! How the money of an order moves: which source is charged, given back, or let go first.
//!
//! In: the parts of an order (what each source contributes, what has been captured and refunded of it) and an amount.
//! Out: how much of it falls on each part. Captures take the secondaries first; cancels and refunds start with the primary.
//! Source: both vendor pages, "How we handle captures, cancels, and refunds".

use super::{Amount, SourceId};

/// One source's part of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which source.
    pub source: SourceId,
    /// Whether it is secondary.
    pub secondary: bool,
    /// What of it is still open to the operation: to capture or cancel what is authorised, to refund what is captured.
    pub open: Amount,
}

/// What happens to the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The secondaries first, then the primary.
    Capture,
    /// The primary first, then the secondaries.
    Cancel,
    /// The primary first, until fully refunded, then the secondaries.
    Refund,
}

/// How `amount` falls on the parts, in the order in which they are served; parts that get nothing are left out.
/// Serves at most what is open: the sum is the smaller of `amount` and all that is open. Amounts below zero serve nothing.
pub fn split(operation: Operation, parts: &[Part], amount: Amount) -> Vec<(SourceId, Amount)> {
    let secondaries_first = operation == Operation::Capture;
    let (first, last): (Vec<_>, Vec<_>) = parts.iter().partition(|part| part.secondary == secondaries_first);
    let mut left = amount;
    let mut served = Vec::new();
    for part in first.into_iter().chain(last) {
        let share = part.open.min(left);
        if share.is_positive() {
            left = left.saturating_sub(share);
            served.push((part.source.clone(), share));
        }
    }
    served
}
