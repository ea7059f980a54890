//! What is bought: the lines of a checkout, invoice, cart or order, and their totals.

use rust_decimal::{Decimal, RoundingStrategy};

use super::{doc::Doc, mint::Mint, refusal::Refusal};

#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) id: String,
    /// The SKU, or the cart's product id; what `skuId` or `productDetails` said.
    pub(super) sku: Option<String>,
    pub(super) details: Option<Doc>,
    pub(super) quantity: u32,
    /// The whole line, without tax.
    pub(super) amount: Decimal,
    pub(super) tax: Decimal,
    /// Fulfilled so far (orders).
    pub(super) fulfilled: u32,
    /// Cancelled so far (orders).
    pub(super) cancelled: u32,
}

impl Item {
    /// Reads `items[]` of a checkout: `quantity` (1 if not told), and `price` of one or
    /// `aggregatePrice` of the line.
    pub(super) fn read_all(
        items: &Doc,
        tax_rate: Decimal,
        mint: &mut Mint,
    ) -> Result<Vec<Item>, Refusal> {
        let Doc::List(items) = items else {
            return Err(Refusal::invalid("items"));
        };
        if items.is_empty() {
            return Err(Refusal::missing("items"));
        }
        items.iter().enumerate().map(|(at, item)| Item::read(at, item, tax_rate, mint)).collect()
    }

    fn read(at: usize, item: &Doc, tax_rate: Decimal, mint: &mut Mint) -> Result<Item, Refusal> {
        let invalid = |name: &str| Refusal::invalid(&format!("items[{at}].{name}"));
        let quantity = match item.get("quantity") {
            Some(quantity) => {
                quantity.count().filter(|n| *n > 0).ok_or_else(|| invalid("quantity"))?
            }
            None => 1,
        };
        let amount = match (item.get("price"), item.get("aggregatePrice")) {
            (_, Some(whole)) => whole.amount().ok_or_else(|| invalid("aggregatePrice"))?,
            (Some(price), None) => {
                price.amount().ok_or_else(|| invalid("price"))? * Decimal::from(quantity)
            }
            (None, None) => return Err(Refusal::missing(&format!("items[{at}].price"))),
        };
        let sku = item.text_of("skuId").map(str::to_owned);
        let details = item.get("productDetails").cloned();
        if sku.is_none() && details.is_none() {
            return Err(Refusal::missing(&format!("items[{at}].skuId")));
        }
        Ok(Item::new(mint.number(), sku, details, quantity, amount, tax_rate))
    }

    pub(super) fn new(
        id: String,
        sku: Option<String>,
        details: Option<Doc>,
        quantity: u32,
        amount: Decimal,
        tax_rate: Decimal,
    ) -> Item {
        let amount = cents(amount);
        Item {
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

    pub(super) fn total(&self) -> Decimal {
        self.amount + self.tax
    }

    /// What `count` more of this line are worth once `done` of it are settled. The shares of a line
    /// always add up to it: of two items for 26.89 the first is worth 13.45, the second 13.44.
    pub(super) fn worth(&self, done: u32, count: u32) -> Decimal {
        let upto = |n: u32| cents(self.total() * Decimal::from(n) / Decimal::from(self.quantity));
        upto(done + count) - upto(done)
    }

    pub(super) fn to_doc(&self) -> Doc {
        Doc::object()
            .with("id", &self.id)
            .with_some("skuId", self.sku.as_deref())
            .with_some("productDetails", self.details.clone())
            .with("amount", Doc::money(self.amount))
            .with("quantity", self.quantity)
            .with("tax", Doc::object().with("amount", Doc::money(self.tax)))
    }
}

/// Sums of the lines: `(subtotal, tax)`.
pub(super) fn totals(items: &[Item]) -> (Decimal, Decimal) {
    (items.iter().map(|item| item.amount).sum(), items.iter().map(|item| item.tax).sum())
}

/// To two decimal places, halves away from zero.
pub(super) fn cents(amount: Decimal) -> Decimal {
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
