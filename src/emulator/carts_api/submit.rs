//! `POST …/submit-cart`, and `…/resume-cart` after a redirect: the cart becomes an order. A credit
//! that was attached after the primary is silently left out.

use super::{carts, show};
use crate::emulator::model::{Doc, Kind, Refusal, Shopper, World, authorize, place};

/// `POST …/submit-cart`, `POST …/resume-cart`: submits the active cart; the next call opens an
/// empty one.
pub(crate) fn submit(world: &mut World, shopper: &Shopper) -> Result<Doc, Refusal> {
    let cart = carts::active(world, shopper)?;
    if cart.items.is_empty() || cart.funding.state() != "requires_confirmation" {
        return Err(failed("underfunded-order", "Payment session status is invalid."));
    }
    let mut order = authorize(world, &shopper.merchant, Kind::Cart, Some(&cart.id), &cart.funding)
        .map_err(|refusal| failed(refusal.code, &refusal.text))?;
    order.customer = Some(shopper.id.clone());
    order.items = cart.items.clone();
    let order = place(world, order);
    let pricing = show::pricing(world, &cart);
    let mut done = cart;
    done.funding.complete = true;
    world.carts.insert(done.id.clone(), done);
    world.shoppers.get_mut(&shopper.id)?.cart = None;
    let answer = Doc::object()
        .with("order", show::order(world, &order))
        .with("pricing", pricing)
        .with("paymentMethod", show::payment_method(world, &order.funding))
        .with("paymentSession", show::payment_session(world, &order.funding));
    Ok(Doc::object().with("submitCart", answer))
}

/// `GET /v1/shoppers/me/orders/{id}`: only for the shopper who placed it.
pub(crate) fn read_order(world: &World, shopper: &Shopper, id: &str) -> Result<Doc, Refusal> {
    let found = world.orders.get(id).filter(|order| {
        order.merchant == shopper.merchant && order.customer.as_ref() == Some(&shopper.id)
    });
    let order = found.ok_or_else(|| Refusal::not_found("Order", id))?;
    let doc = show::order(world, order)
        .with("paymentMethod", show::payment_method(world, &order.funding))
        .with("paymentSession", show::payment_session(world, &order.funding));
    Ok(Doc::object().with("order", doc))
}

fn failed(subcode: &str, text: &str) -> Refusal {
    Refusal::conflict("submit-cart-failed", text).about(subcode)
}
