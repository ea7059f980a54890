//! `/fulfillments` and `/refunds`: how money moves after the order.
//!
//! Captures take from the credits first, then from the primary. Cancels and refunds take from the
//! primary first.

use super::show;
use crate::emulator::model::{Charge, Doc, Item, Movement, Order, Refusal, World, round};
use rust_decimal::Decimal;

/// `POST /fulfillments`: captures what `quantity` of each item is worth, and cancels what
/// `cancelQuantity` is worth.
pub(crate) fn fulfill(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
    let id = body.text_of("orderId").ok_or_else(|| Refusal::missing("orderId"))?;
    let mut order = world.order(merchant, id)?.clone();
    let lines = body.get("items").ok_or_else(|| Refusal::missing("items"))?;
    if order.charges.iter().any(|charge| charge.pending) {
        return Err(Refusal::conflict("order_not_fulfillable", "The order's payment is pending."));
    }
    let (mut capture, mut cancel) = (Decimal::ZERO, Decimal::ZERO);
    let mut shown = Vec::new();
    for one in lines.elements() {
        let Line { item, quantity, cancelled } = Line::read(&mut order.items, one)?;
        let done = item.fulfilled + item.cancelled;
        capture += item.worth(done, quantity);
        cancel += item.worth(done + quantity, cancelled);
        item.fulfilled += quantity;
        item.cancelled += cancelled;
        shown.push(show_line(item, quantity, cancelled));
    }
    let time = world.mint.time();
    move_money(order.charges.iter_mut(), capture, &time, Charge::open, |charge| {
        &mut charge.captures
    });
    move_money(primary_first(&mut order.charges), cancel, &time, Charge::open, |charge| {
        &mut charge.cancels
    });
    let doc = Doc::object()
        .with("id", format!("ful_{}", world.mint.uuid()))
        .with("createdTime", time)
        .with("orderId", &order.id)
        .with("items", shown)
        .with("liveMode", false);
    keep(world, merchant, order, &doc);
    Ok(doc)
}

/// `POST /refunds`: of `amount`, or of `percent` of what was captured.
pub(crate) fn refund(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
    let id = body.text_of("orderId").ok_or_else(|| Refusal::missing("orderId"))?;
    let mut order = world.order(merchant, id)?.clone();
    let amount = read_refund(&order, body, world.decimals(&order.funding.currency))?;
    let time = world.mint.time();
    let before: Vec<usize> = order.charges.iter().map(|charge| charge.refunds.len()).collect();
    move_money(primary_first(&mut order.charges), amount, &time, Charge::refundable, |charge| {
        &mut charge.refunds
    });
    let charges = order.charges.iter().zip(before).map(|(charge, before)| {
        Doc::object()
            .with("id", &charge.id)
            .with("captured", !charge.captured().is_zero())
            .with("refunded", !charge.refunded().is_zero())
            .with("refunds", Doc::list(charge.refunds.iter().skip(before).map(show::movement)))
            .with("sourceId", &charge.source)
    });
    let doc = Doc::object()
        .with("id", format!("re_{}", world.mint.uuid()))
        .with("createdTime", &time)
        .with("orderId", &order.id)
        .with("currency", &order.funding.currency)
        .with("amount", Doc::money(amount))
        .with("refundedAmount", Doc::money(amount))
        .with_some("reason", body.text_of("reason"))
        .with("state", "succeeded")
        .with("charges", Doc::list(charges))
        .with("liveMode", false);
    keep(world, merchant, order, &doc);
    Ok(doc)
}

/// `GET /fulfillments/{id}`, `GET /refunds/{id}`: answers what the creation answered.
pub(crate) fn read(world: &World, merchant: &str, what: &str, id: &str) -> Result<Doc, Refusal> {
    let found = world.settled.get(id).filter(|(owner, _)| owner == merchant);
    found.map(|(_, doc)| doc.clone()).ok_or_else(|| Refusal::not_found(what, id).about("id"))
}

/// Reads the amount to refund, and refuses more than is available.
fn read_refund(order: &Order, body: &Doc, decimals: u32) -> Result<Decimal, Refusal> {
    if body.text_of("currency").is_some_and(|currency| currency != order.funding.currency) {
        return Err(Refusal::invalid("currency"));
    }
    let amount = match (body.get("amount"), body.get("percent")) {
        (Some(amount), _) => amount.amount().ok_or_else(|| Refusal::invalid("amount"))?,
        (None, Some(percent)) => {
            let percent = percent
                .amount()
                .filter(|percent| *percent <= Decimal::ONE_HUNDRED)
                .ok_or_else(|| Refusal::invalid("percent"))?;
            let share = percent * order.sum(Charge::captured) / Decimal::ONE_HUNDRED;
            round(share, decimals)
        }
        (None, None) => return Err(Refusal::missing("amount")),
    };
    if amount.is_zero() || amount > order.sum(Charge::refundable) {
        return Err(Refusal::conflict(
            "invalid_parameter",
            "The amount exceeds what is available to refund.",
        )
        .about("amount"));
    }
    Ok(amount)
}

/// One line of a fulfillment.
struct Line<'a> {
    item: &'a mut Item,
    quantity: u32,
    cancelled: u32,
}

impl<'a> Line<'a> {
    /// Reads a line, and refuses more than is left of its item.
    fn read(items: &'a mut [Item], line: &Doc) -> Result<Self, Refusal> {
        let (id, sku) = (line.text_of("itemId"), line.text_of("skuId"));
        let is_named = |item: &&mut Item| {
            id.map_or(sku.is_some() && item.sku.as_deref() == sku, |id| item.id == id)
        };
        let item =
            items.iter_mut().find(is_named).ok_or_else(|| Refusal::invalid("items[].itemId"))?;
        let count = |name: &'static str| {
            line.get(name)
                .map_or(Ok(0), |count| count.count().ok_or_else(|| Refusal::invalid(name)))
        };
        let (quantity, cancelled) = (count("quantity")?, count("cancelQuantity")?);
        if quantity + cancelled == 0 {
            return Err(Refusal::missing("quantity"));
        }
        if item.fulfilled + item.cancelled + quantity + cancelled > item.quantity {
            return Err(Refusal::invalid("quantity"));
        }
        Ok(Self { item, quantity, cancelled })
    }
}

fn show_line(item: &Item, quantity: u32, cancelled: u32) -> Doc {
    Doc::object()
        .with("itemId", &item.id)
        .with_some("skuId", item.sku.as_deref())
        .with("quantity", quantity)
        .with("cancelQuantity", cancelled)
}

/// Returns the charges in the order of cancels and refunds.
fn primary_first(charges: &mut [Charge]) -> impl Iterator<Item = &mut Charge> {
    let mut charges: Vec<&mut Charge> = charges.iter_mut().collect();
    charges.sort_by_key(|charge| charge.secondary);
    charges.into_iter()
}

/// Takes `amount` from the charges in the given order, from each no more than it has.
fn move_money<'a>(
    charges: impl Iterator<Item = &'a mut Charge>,
    mut amount: Decimal,
    time: &str,
    room: impl Fn(&Charge) -> Decimal,
    book: impl Fn(&mut Charge) -> &mut Vec<Movement>,
) {
    for charge in charges {
        let taken = room(charge).min(amount);
        if !taken.is_zero() {
            amount -= taken;
            book(charge).push(Movement { created: time.to_owned(), amount: taken });
        }
    }
}

/// Stores the order, and the answer to be read again.
fn keep(world: &mut World, merchant: &str, order: Order, doc: &Doc) {
    if let Some(id) = doc.text_of("id") {
        world.settled.insert(id.to_owned(), (merchant.to_owned(), doc.clone()));
    }
    world.orders.insert(order.id.clone(), order);
}
