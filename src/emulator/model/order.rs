//! An order and its charges, one for each source that pays.

use super::{
    doc::Doc,
    funding::{Attached, Funding},
    item::Item,
    kind::Kind,
};
use rust_decimal::Decimal;

#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) merchant: String,
    pub(crate) created: String,
    /// What it was made from: a checkout, invoice or cart.
    pub(crate) kind: Kind,
    /// The id of what it was made from; `None` is an order at once.
    pub(crate) origin: Option<String>,
    pub(crate) customer: Option<String>,
    pub(crate) items: Vec<Item>,
    /// Members that are stored and shown as they were sent.
    pub(crate) kept: Doc,
    pub(crate) funding: Funding,
    pub(crate) credit_amount: Option<Decimal>,
    /// Credits first, in order of attachment; the primary last.
    pub(crate) charges: Vec<Charge>,
    /// Carts only: credits that were shown as attached and were not charged.
    pub(crate) lost: Vec<Attached>,
}

/// What one source pays for an order.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) created: String,
    pub(crate) amount: Decimal,
    pub(crate) source: String,
    pub(crate) secondary: bool,
    /// Whether its source still waits for the shopper or for money.
    pub(crate) pending: bool,
    pub(crate) captures: Vec<Movement>,
    pub(crate) cancels: Vec<Movement>,
    pub(crate) refunds: Vec<Movement>,
}

/// An amount that was captured, cancelled or refunded, and when.
#[derive(Clone, Debug)]
pub(crate) struct Movement {
    pub(crate) created: String,
    pub(crate) amount: Decimal,
}

impl Order {
    /// Sums up one amount of every charge.
    pub(crate) fn sum(&self, amount: impl Fn(&Charge) -> Decimal) -> Decimal {
        self.charges.iter().map(amount).sum()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.charges.iter().any(|charge| charge.pending) {
            "pending_payment"
        } else if !self.sum(Charge::open).is_zero() || self.charges.is_empty() {
            "accepted"
        } else if self.sum(Charge::captured).is_zero() {
            "cancelled"
        } else if self.sum(Charge::refunded) == self.sum(Charge::captured) {
            "returned"
        } else {
            "complete"
        }
    }
}

impl Charge {
    pub(crate) fn captured(&self) -> Decimal {
        sum(&self.captures)
    }

    pub(crate) fn cancelled(&self) -> Decimal {
        sum(&self.cancels)
    }

    pub(crate) fn refunded(&self) -> Decimal {
        sum(&self.refunds)
    }

    /// Returns the amount that is authorised, and neither captured nor cancelled yet.
    pub(crate) fn open(&self) -> Decimal {
        self.amount - self.captured() - self.cancelled()
    }

    /// Returns the amount that was captured and not refunded yet.
    pub(crate) fn refundable(&self) -> Decimal {
        self.captured() - self.refunded()
    }

    pub(crate) fn state(&self) -> &'static str {
        if self.pending {
            "pending"
        } else if !self.open().is_zero() {
            "capturable"
        } else if self.captured().is_zero() {
            "cancelled"
        } else {
            "complete"
        }
    }
}

fn sum(movements: &[Movement]) -> Decimal {
    movements.iter().map(|movement| movement.amount).sum()
}
