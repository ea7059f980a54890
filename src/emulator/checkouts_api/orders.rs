//! `/orders` and `/charges`: a checkout becomes an order, with a charge for each source that pays;
//! or an order is made at once, from a source and items.

use super::{customers, draft::Draft, show, version::Version};
use crate::emulator::model::{Checkout, Doc, Kind, Order, Refusal, World, authorize, place};

/// `POST /orders`.
pub(crate) fn create(
    world: &mut World,
    merchant: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let mut order = match body.text_of("checkoutId") {
        Some(id) => {
            let checkout = world
                .checkout(merchant, Kind::Checkout, id)
                .map_err(|refusal| refusal.about("checkoutId"))?
                .clone();
            charge(world, checkout)?
        }
        None if body.get("items").is_some() => at_once(world, merchant, version, body)?,
        None => return Err(Refusal::missing("checkoutId")),
    };
    if let Some(upstream) = body.get("upstreamId") {
        order.kept.set("upstreamId", upstream);
    }
    let order = place(world, order);
    Ok(show::order(world, &order, version.legacy()))
}

/// Ends a checkout or invoice by charging its sources; the order is not in place yet.
pub(crate) fn charge(world: &mut World, mut checkout: Checkout) -> Result<Order, Refusal> {
    let order = authorized(world, &checkout, Some(&checkout.id))?;
    checkout.funding.complete = true;
    if checkout.kind == Kind::Invoice {
        checkout.order = Some(order.id.clone());
    }
    world.checkouts_mut(checkout.kind).insert(checkout.id.clone(), checkout);
    Ok(order)
}

/// Charges the source that the body of an order names; there is no checkout.
fn at_once(
    world: &mut World,
    merchant: &str,
    version: &Version,
    body: &Doc,
) -> Result<Order, Refusal> {
    if body.get("creditAmount").is_some() {
        return Err(Refusal::invalid("creditAmount"));
    }
    let draft = Draft::new(world, merchant, Kind::Checkout, version, body)?;
    let order = authorized(world, &draft.checkout, None)?;
    draft.settle(world);
    Ok(order)
}

/// Authorises the charges of a checkout, or refuses and changes nothing.
fn authorized(
    world: &mut World,
    checkout: &Checkout,
    origin: Option<&str>,
) -> Result<Order, Refusal> {
    refuse_disabled_customer(world, checkout)?;
    refuse_foreign_sources(world, checkout)?;
    if checkout.voided || checkout.funding.state() != "requires_confirmation" {
        return Err(Refusal::new(400, "order_submit_failed", "Payment session status is invalid."));
    }
    let Checkout { kind, merchant, funding, .. } = checkout;
    let mut order = authorize(world, merchant, *kind, origin, funding)?;
    order.customer = checkout.customer.clone();
    order.items = checkout.items.clone();
    order.kept = checkout.kept.clone();
    order.credit_amount = checkout.credit_amount;
    Ok(order)
}

/// Refuses to order for a customer who is disabled.
fn refuse_disabled_customer(world: &World, checkout: &Checkout) -> Result<(), Refusal> {
    let customer = checkout.customer.as_deref();
    let customer = customer.and_then(|id| world.customer(&checkout.merchant, id).ok());
    match customer.filter(|customer| !customer.enabled) {
        Some(customer) => {
            let text = format!("Customer '{}' is disabled.", customer.id);
            Err(Refusal::conflict("invalid_parameter", text).about("customerId"))
        }
        None => Ok(()),
    }
}

/// `GET /orders/{id}`.
pub(crate) fn read(
    world: &World,
    merchant: &str,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    Ok(show::order(world, world.order(merchant, id)?, version.legacy()))
}

/// `GET /charges/{id}`.
pub(crate) fn read_charge(world: &World, merchant: &str, id: &str) -> Result<Doc, Refusal> {
    world
        .orders
        .values()
        .filter(|order| order.merchant == merchant)
        .flat_map(|order| order.charges.iter().map(move |charge| (order, charge)))
        .find(|(_, charge)| charge.id == id)
        .map(|(order, charge)| show::charge(order, charge))
        .ok_or_else(|| Refusal::not_found("Charge", id).about("id"))
}

/// Refuses a source that was saved by anyone but the checkout's customer.
fn refuse_foreign_sources(world: &World, checkout: &Checkout) -> Result<(), Refusal> {
    for one in &checkout.funding.attached {
        let owner = world.sources.get(&one.source).and_then(|source| source.customer.as_deref());
        if owner.is_some() && owner != checkout.customer.as_deref() {
            return Err(customers::in_use(&one.source));
        }
    }
    Ok(())
}
