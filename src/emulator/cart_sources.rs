//! Attaching and detaching on carts, with the refusals that the carts API makes itself.
//!
//! What it does *not* refuse is the reason for being careful: a credit attached after the primary
//! is accepted, shown as attached, and ignored when the cart is submitted.

use super::{
    carts::{self, Cart},
    doc::Doc,
    funding::Attached,
    refusal::Refusal,
    shoppers::Shopper,
    sources::{CREDIT, Source},
    world::World,
};

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
pub(super) fn apply(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<Cart, Refusal> {
    let source = told_source(body).ok_or_else(|| Refusal::missing("paymentMethod.sourceId"))?;
    attach(world, shopper, source)
}

/// `POST …/apply-shopper`: attaches the payment option that `paymentOptionId` names, or the default
/// one, if any.
pub(super) fn apply_shopper(
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

/// `DELETE …/apply-payment-method`: the source that the body names, or all. Detached sources are
/// not spent.
pub(super) fn detach(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<(), Refusal> {
    let mut cart = carts::active(world, shopper)?;
    let named = told_source(body);
    if let Some(source) = named.filter(|source| !cart.funding.holds(source)) {
        return Err(Refusal::not_found("Source", source));
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
        world.let_go(source, false);
    }
    carts::put_back(world, cart);
    Ok(())
}

/// The source of `{"paymentMethod": {"sourceId": …}}`, or of the bare object.
fn told_source(body: &Doc) -> Option<&str> {
    body.get("paymentMethod").unwrap_or(body).text_of("sourceId")
}

fn attach(world: &mut World, shopper: &Shopper, id: &str) -> Result<Cart, Refusal> {
    let mut cart = carts::active(world, shopper)?;
    let source = world.source(&shopper.merchant, id)?.clone();
    if cart.funding.holds(id) && !source.spent() {
        return Ok(cart);
    }
    let primary = cart.funding.primary().and_then(|one| world.sources.get(&one.source));
    judge(&cart, &source, primary)?;
    let amount =
        if source.secondary() { source.amount.unwrap_or_default() } else { Default::default() };
    cart.funding.attached.push(Attached {
        source: source.id,
        secondary: source.kind == CREDIT,
        amount,
    });
    carts::put_back(world, cart.clone());
    Ok(cart)
}

/// In the order of the table in `domain.md` section 4.
fn judge(cart: &Cart, source: &Source, primary: Option<&Source>) -> Result<(), Refusal> {
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
    let other = if source.secondary() { primary } else { Some(source).filter(|_| credits > 0) };
    if let Some(primary) = other.filter(|primary| !PAIRS.contains(&primary.kind.as_str())) {
        return Err(failure(
            "primary-pairing",
            &format!("A {CREDIT} source cannot be combined with a {} source.", primary.kind),
        ));
    }
    if source.spent() {
        return Err(failure(
            "spent-source",
            &format!("Source '{}' is {}.", source.id, source.state),
        ));
    }
    let amount = source.amount.filter(|_| source.secondary()).unwrap_or_default();
    if cart.funding.credits() + amount > cart.funding.total {
        return Err(failure(
            "session_source_amount_too_large",
            "Source amount(s) exceed session amount",
        ));
    }
    Ok(())
}

pub(super) fn failure(subcode: &str, text: &str) -> Refusal {
    Refusal::conflict("apply-payment-failure", text).about(subcode)
}
