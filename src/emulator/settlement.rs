//! `/fulfillments` and `/refunds`: how money moves after the order (`domain.md` section 7).
//!
//! Captures take from the credits first, then from the primary; cancels and refunds go the other
//! way.

use rust_decimal::Decimal;

use super::{
    doc::Doc,
    items::{Item, cents},
    orders::{self, Charge, Movement, Order},
    refusal::Refusal,
    world::World,
};

/// `POST /fulfillments`: captures what `quantity` of each item is worth, cancels what
/// `cancelQuantity` is.
pub(super) fn fulfill(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
    let id = body.text_of("orderId").ok_or_else(|| Refusal::missing("orderId"))?;
    let mut order = orders::find(world, merchant, id)?.clone();
    let told = body.get("items").ok_or_else(|| Refusal::missing("items"))?;
    if order.charges.iter().any(|charge| charge.pending) {
        return Err(Refusal::conflict("order_not_fulfillable", "The order's payment is pending."));
    }
    let (mut capture, mut cancel) = (Decimal::ZERO, Decimal::ZERO);
    let mut shown = Vec::new();
    for one in told.elements() {
        let (item, quantity, cancelled) = line(&mut order.items, one)?;
        let done = item.fulfilled + item.cancelled;
        capture += item.worth(done, quantity);
        cancel += item.worth(done + quantity, cancelled);
        item.fulfilled += quantity;
        item.cancelled += cancelled;
        shown.push(
            Doc::object()
                .with("itemId", &item.id)
                .with_some("skuId", item.sku.as_deref())
                .with("quantity", quantity)
                .with("cancelQuantity", cancelled),
        );
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
pub(super) fn refund(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
    let id = body.text_of("orderId").ok_or_else(|| Refusal::missing("orderId"))?;
    let mut order = orders::find(world, merchant, id)?.clone();
    if body.text_of("currency").is_some_and(|currency| currency != order.funding.currency) {
        return Err(Refusal::invalid("currency"));
    }
    let captured: Decimal = order.charges.iter().map(Charge::captured).sum();
    let amount = match (body.get("amount"), body.get("percent")) {
        (Some(amount), _) => amount.amount().ok_or_else(|| Refusal::invalid("amount"))?,
        (None, Some(percent)) => {
            let percent = percent.amount().filter(|percent| *percent <= Decimal::ONE_HUNDRED);
            cents(
                percent.ok_or_else(|| Refusal::invalid("percent"))? * captured
                    / Decimal::ONE_HUNDRED,
            )
        }
        (None, None) => return Err(Refusal::missing("amount")),
    };
    let available: Decimal = order.charges.iter().map(refundable).sum();
    if amount.is_zero() || amount > available {
        return Err(Refusal::conflict(
            "invalid_parameter",
            "The amount exceeds what is available to refund.",
        )
        .about("amount"));
    }
    let time = world.mint.time();
    let before: Vec<usize> = order.charges.iter().map(|charge| charge.refunds.len()).collect();
    move_money(primary_first(&mut order.charges), amount, &time, refundable, |charge| {
        &mut charge.refunds
    });
    let charges = order.charges.iter().zip(before).map(|(charge, before)| {
        Doc::object()
            .with("id", &charge.id)
            .with("captured", !charge.captured().is_zero())
            .with("refunded", !charge.refunded().is_zero())
            .with("refunds", Doc::list(charge.refunds.iter().skip(before).map(Movement::to_doc)))
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

/// `GET /fulfillments/{id}`, `GET /refunds/{id}`: as it was answered.
pub(super) fn read(world: &World, merchant: &str, what: &str, id: &str) -> Result<Doc, Refusal> {
    let found = world.settled.get(id).filter(|(owner, _)| owner == merchant);
    found.map(|(_, doc)| doc.clone()).ok_or_else(|| Refusal::not_found(what, id).about("id"))
}

fn refundable(charge: &Charge) -> Decimal {
    charge.captured() - charge.refunded()
}

/// The item a line of a fulfillment names, with how many to fulfil and to cancel.
fn line<'a>(items: &'a mut [Item], one: &Doc) -> Result<(&'a mut Item, u32, u32), Refusal> {
    let (id, sku) = (one.text_of("itemId"), one.text_of("skuId"));
    let named = |item: &&mut Item| {
        id.map_or(sku.is_some() && item.sku.as_deref() == sku, |id| item.id == id)
    };
    let item = items.iter_mut().find(named).ok_or_else(|| Refusal::invalid("items[].itemId"))?;
    let count = |name: &'static str| {
        one.get(name).map_or(Ok(0), |told| told.count().ok_or_else(|| Refusal::invalid(name)))
    };
    let (quantity, cancelled) = (count("quantity")?, count("cancelQuantity")?);
    if quantity + cancelled == 0 {
        return Err(Refusal::missing("quantity"));
    }
    if item.fulfilled + item.cancelled + quantity + cancelled > item.quantity {
        return Err(Refusal::invalid("quantity"));
    }
    Ok((item, quantity, cancelled))
}

/// The order of cancels and refunds.
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

fn keep(world: &mut World, merchant: &str, order: Order, doc: &Doc) {
    if let Some(id) = doc.text_of("id") {
        world.settled.insert(id.to_owned(), (merchant.to_owned(), doc.clone()));
    }
    world.orders.insert(order.id.clone(), order);
}
