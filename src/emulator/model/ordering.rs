//! How a funded checkout or cart becomes an order; both APIs charge in the same way.

use super::{
    doc::Doc,
    funding::{Attached, Funding},
    kind::Kind,
    order::{Charge, Order},
    refusal::Refusal,
    source::Source,
    world::World,
};
use rust_decimal::Decimal;

/// Authorises a charge for every source that pays, or refuses and changes nothing.
///
/// The order is not in the world yet: see [`place`].
pub(crate) fn authorize(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    origin: Option<&str>,
    funding: &Funding,
) -> Result<Order, Refusal> {
    let charged = funding.charged();
    for one in &charged {
        refuse_uncharged(world.source(merchant, &one.source)?)?;
    }
    let mut charges = Vec::new();
    for one in charged {
        let amount = funding.share(one);
        if !amount.is_zero() {
            charges.push(charge(world, merchant, one, amount)?);
        }
    }
    let mut settled = funding.clone();
    settled.attached.retain(|one| !funding.loses(one));
    settled.complete = true;
    Ok(Order {
        id: world.mint.number(),
        merchant: merchant.to_owned(),
        created: world.mint.time(),
        kind,
        origin: origin.map(str::to_owned),
        customer: None,
        items: Vec::new(),
        kept: Doc::object(),
        funding: settled,
        credit_amount: None,
        charges,
        lost: funding.lost().cloned().collect(),
    })
}

/// Puts the order in place, and consumes the single-use sources that it charged.
pub(crate) fn place(world: &mut World, order: Order) -> Order {
    for one in &order.funding.attached {
        if let Some(source) = world.sources.get_mut(&one.source)
            && !source.reusable
            && !source.pending()
        {
            source.state = "consumed";
        }
    }
    world.orders.insert(order.id.clone(), order.clone());
    order
}

/// Refuses a source that is spent or that declines to be charged.
fn refuse_uncharged(source: &Source) -> Result<(), Refusal> {
    if source.spent() {
        return Err(Refusal::not_chargeable(&source.id));
    }
    if source.declines {
        return Err(Refusal::conflict(
            "payment_declined",
            format!("The charge of source '{}' was declined.", source.id),
        ));
    }
    Ok(())
}

fn charge(
    world: &mut World,
    merchant: &str,
    one: &Attached,
    amount: Decimal,
) -> Result<Charge, Refusal> {
    Ok(Charge {
        id: world.mint.uuid(),
        created: world.mint.time(),
        amount,
        source: one.source.clone(),
        secondary: one.secondary,
        pending: world.source(merchant, &one.source)?.pending(),
        captures: Vec::new(),
        cancels: Vec::new(),
        refunds: Vec::new(),
    })
}
