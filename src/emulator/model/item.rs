//! The lines of a checkout, invoice, cart or order, and their totals.

use super::doc::Doc;
use rust_decimal::{Decimal, RoundingStrategy};

#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) id: String,
    /// The SKU of a checkout's line, or the product id of a cart's.
    pub(crate) sku: Option<String>,
    /// The `productDetails` of a checkout's line.
    pub(crate) details: Option<Doc>,
    pub(crate) quantity: u32,
    /// The amount of the whole line, without tax.
    pub(crate) amount: Decimal,
    pub(crate) tax: Decimal,
    /// How many were fulfilled so far (orders only).
    pub(crate) fulfilled: u32,
    /// How many were cancelled so far (orders only).
    pub(crate) cancelled: u32,
}

impl Item {
    pub(crate) fn new(
        id: String,
        sku: Option<String>,
        details: Option<Doc>,
        quantity: u32,
        amount: Decimal,
        tax_rate: Decimal,
    ) -> Self {
        let amount = cents(amount);
        Self {
            id,
            sku,
            details,
            quantity,
            amount,
            tax: cents(amount * tax_rate),
            fulfilled: 0,
            cancelled: 0,
        }
    }

    pub(crate) fn total(&self) -> Decimal {
        self.amount + self.tax
    }

    /// Returns what the next `count` of this line are worth after `done` of them are settled.
    ///
    /// The shares of a line always add up to it: of two for 26.89 the first is worth 13.45 and the
    /// second 13.44.
    pub(crate) fn worth(&self, done: u32, count: u32) -> Decimal {
        let upto = |n: u32| cents(self.total() * Decimal::from(n) / Decimal::from(self.quantity));
        upto(done + count) - upto(done)
    }
}

/// Sums up the lines: `(subtotal, tax)`.
pub(crate) fn totals(items: &[Item]) -> (Decimal, Decimal) {
    (items.iter().map(|item| item.amount).sum(), items.iter().map(|item| item.tax).sum())
}

/// Rounds to two decimal places, halves away from zero.
pub(crate) fn cents(amount: Decimal) -> Decimal {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_line_add_up_to_it() {
        let item = Item::new("1".into(), None, None, 2, Decimal::new(2689, 2), Decimal::ZERO);
        assert_eq!(item.worth(0, 1), Decimal::new(1345, 2));
        assert_eq!(item.worth(1, 1), Decimal::new(1344, 2));
    }
}
