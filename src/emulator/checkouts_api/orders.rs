//! `/orders` and `/charges`: a checkout becomes an order, with a charge for each source that pays.

use super::{customers, show, version::Version};
use crate::emulator::model::{Checkout, Doc, Kind, Refusal, World, authorize, place};

/// `POST /orders`.
pub(crate) fn create(
    world: &mut World,
    merchant: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let id = body.text_of("checkoutId").ok_or_else(|| Refusal::missing("checkoutId"))?;
    let mut checkout = world
        .checkout(merchant, Kind::Checkout, id)
        .map_err(|refusal| refusal.about("checkoutId"))?
        .clone();
    refuse_foreign_sources(world, &checkout)?;
    if checkout.funding.state() != "requires_confirmation" {
        return Err(Refusal::new(400, "order_submit_failed", "Payment session status is invalid."));
    }
    let mut order = authorize(world, merchant, Kind::Checkout, &checkout.id, &checkout.funding)?;
    order.customer = checkout.customer.clone();
    order.items = checkout.items.clone();
    order.kept = checkout.kept.clone();
    order.credit_amount = checkout.credit_amount;
    if let Some(upstream) = body.get("upstreamId") {
        order.kept.set("upstreamId", upstream);
    }
    checkout.funding.complete = true;
    world.checkouts.insert(checkout.id.clone(), checkout);
    let order = place(world, order);
    Ok(show::order(world, &order, version.legacy()))
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
