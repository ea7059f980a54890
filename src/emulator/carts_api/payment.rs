//! Attaching and detaching on carts, with the refusals that the carts API makes itself.
//!
//! It does *not* refuse a credit that is attached after the primary: it accepts the credit, shows
//! it as attached, and ignores it when the cart is submitted.

use super::carts;
use crate::emulator::model::{Attached, CREDIT, Cart, Doc, Kind, Refusal, Shopper, Source, World};
use rust_decimal::Decimal;

/// Primaries that store credit may supplement on a cart.
const PAIRS: [&str; 8] = [
    "creditCard",
    "googlePay",
    "klarnaCredit",
    "klarnaCreditRecurring",
    "payPal",
    "payPalCredit",
    "payPalBilling",
    "wireTransfer",
];

/// `POST …/apply-payment-method`.
pub(crate) fn apply(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<Cart, Refusal> {
    let source = named_source(body).ok_or_else(|| Refusal::missing("paymentMethod.sourceId"))?;
    attach(world, shopper, source)
}

/// `POST …/apply-shopper`: attaches the payment option that `paymentOptionId` names, or the default
/// one, if any.
pub(crate) fn apply_shopper(
    world: &mut World,
    shopper: &Shopper,
    query: &Doc,
) -> Result<Cart, Refusal> {
    let option = match query.text_of("paymentOptionId") {
        Some(id) => Some(
            shopper
                .options
                .iter()
                .find(|option| option.id == id)
                .ok_or_else(|| Refusal::not_found("PaymentOption", id))?,
        ),
        None => shopper.options.iter().find(|option| option.default),
    };
    match option {
        Some(option) => attach(world, shopper, &option.source),
        None => carts::active(world, shopper),
    }
}

/// `DELETE …/apply-payment-method`: detaches the source that the body names, or all. Detached
/// sources are not spent.
pub(crate) fn detach(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<(), Refusal> {
    let mut cart = carts::active(world, shopper)?;
    let named = named_source(body);
    if let Some(source) = named.filter(|source| !cart.funding.holds(source)) {
        return world.quirks.absent(Refusal::not_found("Source", source));
    }
    let gone: Vec<String> = cart
        .funding
        .attached
        .iter()
        .map(|one| one.source.clone())
        .filter(|one| named.is_none_or(|named| named == one))
        .collect();
    for source in &gone {
        cart.funding.detach(source);
        world.release(source, false);
    }
    carts::put_back(world, cart);
    Ok(())
}

/// Returns the source of `{"paymentMethod": {"sourceId": …}}`, or of the bare object.
fn named_source(body: &Doc) -> Option<&str> {
    body.get("paymentMethod").unwrap_or(body).text_of("sourceId")
}

fn attach(world: &mut World, shopper: &Shopper, id: &str) -> Result<Cart, Refusal> {
    let mut cart = carts::active(world, shopper)?;
    let source = world.source(&shopper.merchant, id)?.clone();
    if cart.funding.holds(id) && !source.spent() {
        return Ok(cart);
    }
    judge(&cart, &source, world.primary(&cart.funding))?;
    if !world.put_off(Kind::Cart, &cart.id, &source) {
        push(&mut cart, source);
        carts::put_back(world, cart.clone());
    }
    Ok(cart)
}

/// Attaches a credit whose attach was put off, unless something is in its way by now.
pub(crate) fn land(world: &mut World, cart: &str, source: &str) -> Result<(), Refusal> {
    let found = world.carts.get(cart).filter(|cart| !cart.funding.complete);
    let mut cart = found.cloned().ok_or_else(|| Refusal::not_found("Cart", cart))?;
    let source = world.source(&cart.merchant, source)?.clone();
    judge(&cart, &source, world.primary(&cart.funding))?;
    if !cart.funding.holds(&source.id) {
        push(&mut cart, source);
        carts::put_back(world, cart);
    }
    Ok(())
}

fn push(cart: &mut Cart, source: Source) {
    let (secondary, amount) = (source.secondary(), credit_amount(&source));
    cart.funding.attached.push(Attached { source: source.id, secondary, amount });
}

/// Refuses what may not be attached, in the order in which the vendor judges it.
fn judge(cart: &Cart, source: &Source, primary: Option<&Source>) -> Result<(), Refusal> {
    refuse_another(cart, source, primary)?;
    refuse_unpaired(cart, source, primary)?;
    if source.spent() {
        return Err(failure(
            "spent-source",
            &format!("Source '{}' is {}.", source.id, source.state),
        ));
    }
    if cart.funding.credits() + credit_amount(source) > cart.funding.total {
        return Err(failure(
            "session_source_amount_too_large",
            "Source amount(s) exceed session amount",
        ));
    }
    Ok(())
}

/// Refuses a second primary, and more than one credit beside a primary.
fn refuse_another(cart: &Cart, source: &Source, primary: Option<&Source>) -> Result<(), Refusal> {
    let credits = cart.funding.secondaries().count();
    if !source.secondary() && primary.is_some() {
        return Err(failure(
            "second-primary",
            "The cart has a primary payment method: remove it before applying another.",
        ));
    }
    if (!source.secondary() && credits > 1)
        || (source.secondary() && primary.is_some() && credits > 0)
    {
        return Err(failure(
            "one-secondary",
            "A primary payment method can be combined with only one secondary.",
        ));
    }
    Ok(())
}

/// Refuses a credit beside a primary that takes none.
fn refuse_unpaired(cart: &Cart, source: &Source, primary: Option<&Source>) -> Result<(), Refusal> {
    let has_credit = cart.funding.secondaries().next().is_some();
    let paired = if source.secondary() { primary } else { Some(source).filter(|_| has_credit) };
    match paired.filter(|primary| !PAIRS.contains(&primary.kind.as_str())) {
        Some(primary) => Err(failure(
            "primary-pairing",
            &format!("A {CREDIT} source cannot be combined with a {} source.", primary.kind),
        )),
        None => Ok(()),
    }
}

/// Returns the amount of a credit, and nothing for a primary.
fn credit_amount(source: &Source) -> Decimal {
    source.amount.filter(|_| source.secondary()).unwrap_or_default()
}

pub(crate) fn failure(subcode: &str, text: &str) -> Refusal {
    Refusal::conflict("apply-payment-failure", text).about(subcode)
}
