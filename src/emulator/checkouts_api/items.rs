//! Reads `items[]` of a checkout or invoice.

use crate::emulator::model::{Doc, Item, Mint, Pricing, Refusal};
use rust_decimal::Decimal;

/// Reads lines of `quantity` (1 if absent) and either the `price` of one or the `aggregatePrice` of
/// the line.
pub(crate) fn read(items: &Doc, pricing: Pricing, mint: &mut Mint) -> Result<Vec<Item>, Refusal> {
    let Doc::List(items) = items else {
        return Err(Refusal::invalid("items"));
    };
    if items.is_empty() {
        return Err(Refusal::missing("items"));
    }
    items.iter().enumerate().map(|(at, item)| read_line(at, item, pricing, mint)).collect()
}

fn read_line(at: usize, line: &Doc, pricing: Pricing, mint: &mut Mint) -> Result<Item, Refusal> {
    let invalid = |name: &str| Refusal::invalid(&format!("items[{at}].{name}"));
    let quantity = match line.get("quantity") {
        Some(quantity) => quantity.count().filter(|n| *n > 0).ok_or_else(|| invalid("quantity"))?,
        None => 1,
    };
    let amount = match (line.get("price"), line.get("aggregatePrice")) {
        (_, Some(whole)) => whole.amount().ok_or_else(|| invalid("aggregatePrice"))?,
        (Some(price), None) => {
            price.amount().ok_or_else(|| invalid("price"))? * Decimal::from(quantity)
        }
        (None, None) => return Err(Refusal::missing(&format!("items[{at}].price"))),
    };
    let sku = line.text_of("skuId").map(str::to_owned);
    let details = line.get("productDetails").cloned();
    if sku.is_none() && details.is_none() {
        return Err(Refusal::missing(&format!("items[{at}].skuId")));
    }
    Ok(Item::new(mint.number(), sku, details, quantity, amount, pricing))
}
