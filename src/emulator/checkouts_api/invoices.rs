//! What ends an invoice: `open` charges its sources as an order does, and `void` gives it up.

use super::{attach, draft::Draft, orders, show, version::Version};
use crate::emulator::model::{Doc, Kind, Refusal, World, place};

/// `POST /invoices/{id}/open`: answers the invoice, which is paid.
pub(crate) fn open(
    world: &mut World,
    merchant: &str,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    let invoice = world.checkout(merchant, Kind::Invoice, id)?.clone();
    let order = orders::charge(world, invoice)?;
    place(world, order);
    Ok(show::checkout(world, world.checkout(merchant, Kind::Invoice, id)?, version))
}

/// `POST /invoices/{id}/void`: releases its sources as a detach does.
pub(crate) fn void(
    world: &mut World,
    merchant: &str,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    let mut draft = Draft::of(world.checkout(merchant, Kind::Invoice, id)?);
    if draft.checkout.ended() {
        return Err(attach::not_allowed());
    }
    for one in draft.checkout.funding.attached.clone() {
        draft.detach(&one.source);
    }
    draft.checkout.voided = true;
    let invoice = draft.commit(world);
    Ok(show::checkout(world, &invoice, version))
}
