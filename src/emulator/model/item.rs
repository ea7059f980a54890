//! The lines of a checkout, invoice, cart or order, and their totals.

use super::{
    doc::Doc,
    pricing::{Pricing, round},
};
use rust_decimal::Decimal;

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
    /// How many decimals its shares have.
    pub(crate) decimals: u32,
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
        pricing: Pricing,
    ) -> Self {
        let Pricing { tax_rate, decimals } = pricing;
        let amount = round(amount, decimals);
        Self {
            id,
            sku,
            details,
            quantity,
            amount,
            tax: round(amount * tax_rate, decimals),
            decimals,
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
        let upto = |n: u32| {
            let share = self.total() * Decimal::from(n) / Decimal::from(self.quantity);
            round(share, self.decimals)
        };
        upto(done + count) - upto(done)
    }
}

/// Sums up the lines: `(subtotal, tax)`.
pub(crate) fn totals(items: &[Item]) -> (Decimal, Decimal) {
    (items.iter().map(|item| item.amount).sum(), items.iter().map(|item| item.tax).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_line_add_up_to_it() {
        let pricing = Pricing { tax_rate: Decimal::ZERO, decimals: 2 };
        let item = Item::new("1".into(), None, None, 2, Decimal::new(2689, 2), pricing);
        assert_eq!(item.worth(0, 1), Decimal::new(1345, 2));
        assert_eq!(item.worth(1, 1), Decimal::new(1344, 2));
    }
}
