//! `POST …/submit-cart`: the cart becomes an order, and a credit that came too late is silently not
//! part of it.

use super::{
    Kind,
    carts::{self, payment_method, payment_session, price},
    doc::Doc,
    orders::{self, Order},
    refusal::Refusal,
    shoppers::Shopper,
    world::World,
};

/// Submits the active cart and opens an empty one.
pub(super) fn submit(world: &mut World, shopper: &Shopper) -> Result<Doc, Refusal> {
    let cart = carts::active(world, shopper)?;
    if cart.items.is_empty() || cart.funding.state() != "requires_confirmation" {
        return Err(failed("underfunded-order", "Payment session status is invalid."));
    }
    let begun = orders::begin(world, &shopper.merchant, Kind::Cart, &cart.id, &cart.funding);
    let mut order = begun.map_err(|refusal| failed(refusal.code, &refusal.text))?;
    order.customer = Some(shopper.id.clone());
    order.items = cart.items.clone();
    let order = orders::finish(world, order);
    let pricing = cart.pricing(world);
    let mut done = cart;
    done.funding.complete = true;
    world.carts.insert(done.id.clone(), done);
    world.shoppers.get_mut(&shopper.id)?.cart = None;
    let answer = Doc::object().with("order", to_doc(world, &order)).with("pricing", pricing);
    let answer = answer
        .with("paymentMethod", payment_method(world, &order.funding))
        .with("paymentSession", payment_session(world, &order.funding));
    Ok(Doc::object().with("submitCart", answer))
}

/// `GET /v1/shoppers/me/orders/{id}`: the order, for the shopper who placed it.
pub(super) fn read_order(world: &World, shopper: &Shopper, id: &str) -> Result<Doc, Refusal> {
    let found = world.orders.get(id).filter(|order| {
        order.merchant == shopper.merchant && order.customer.as_ref() == Some(&shopper.id)
    });
    let order = found.ok_or_else(|| Refusal::not_found("Order", id))?;
    let doc = to_doc(world, order).with("paymentMethod", payment_method(world, &order.funding));
    Ok(Doc::object()
        .with("order", doc.with("paymentSession", payment_session(world, &order.funding))))
}

fn to_doc(world: &World, order: &Order) -> Doc {
    let charges = order.charges.iter().map(|charge| {
        Doc::object()
            .with("id", &charge.id)
            .with("sourceId", &charge.source)
            .with("amount", price(world, &order.funding.currency, charge.amount))
    });
    Doc::object()
        .with("id", Doc::Number(order.id.clone()))
        .with("submissionDate", &order.created)
        .with("charges", Doc::object().with("charge", Doc::list(charges)))
}

fn failed(subcode: &str, text: &str) -> Refusal {
    Refusal::conflict("submit-cart-failed", text).about(subcode)
}
