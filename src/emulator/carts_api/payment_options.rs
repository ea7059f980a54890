//! `/v1/shoppers/me/payment-options`: sources saved to a shopper.

use super::{payment::failure, show};
use crate::emulator::model::{Doc, PaymentOption, Refusal, Shopper, Source, World};

/// `POST …/payment-options`: makes the source reusable, and the first one the default.
pub(crate) fn save(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<Doc, Refusal> {
    let sent = body.get("paymentOption").unwrap_or(body);
    let id = sent.text_of("sourceId").ok_or_else(|| Refusal::missing("paymentOption.sourceId"))?;
    refuse_unsavable(world.source(&shopper.merchant, id)?, shopper)?;
    if let Some(held) = shopper.options.iter().find(|option| option.source == id) {
        return Ok(to_doc(world, held));
    }
    world.source_mut(&shopper.merchant, id)?.save_to(&shopper.id);
    let option = PaymentOption {
        id: world.mint.number(),
        nick_name: sent.text_of("nickName").unwrap_or_default().to_owned(),
        default: shopper.options.is_empty()
            || sent.get("isDefault").and_then(Doc::truth) == Some(true),
        source: id.to_owned(),
    };
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    if option.default {
        held.iter_mut().for_each(|other| other.default = false);
    }
    held.push(option.clone());
    Ok(to_doc(world, &option))
}

/// `POST …/payment-options/{id}`: changes the name, or makes it the default.
pub(crate) fn change(
    world: &mut World,
    shopper: &Shopper,
    id: &str,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let sent = body.get("paymentOption").unwrap_or(body);
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    let at = held.iter().position(|option| option.id == id).ok_or_else(|| unknown(id))?;
    if sent.get("isDefault").and_then(Doc::truth) == Some(true) {
        held.iter_mut().enumerate().for_each(|(n, option)| option.default = n == at);
    }
    if let Some(name) = sent.text_of("nickName") {
        held[at].nick_name = name.to_owned();
    }
    let option = held[at].clone();
    Ok(to_doc(world, &option))
}

/// `DELETE …/payment-options/{id}`: spends the source.
pub(crate) fn remove(world: &mut World, shopper: &Shopper, id: &str) -> Result<(), Refusal> {
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    let Some(at) = held.iter().position(|option| option.id == id) else {
        return world.quirks.absent(unknown(id));
    };
    let option = held.remove(at);
    world.source_mut(&shopper.merchant, &option.source)?.unsave();
    Ok(())
}

/// `GET …/payment-options`.
pub(crate) fn list(world: &World, shopper: &Shopper) -> Doc {
    let options = shopper.options.iter().map(|option| inner(world, option));
    Doc::object().with("paymentOptions", Doc::object().with("paymentOption", Doc::list(options)))
}

/// `GET …/payment-options/{id}`.
pub(crate) fn read(world: &World, shopper: &Shopper, id: &str) -> Result<Doc, Refusal> {
    shopper
        .options
        .iter()
        .find(|option| option.id == id)
        .map(|option| to_doc(world, option))
        .ok_or_else(|| unknown(id))
}

fn refuse_unsavable(source: &Source, shopper: &Shopper) -> Result<(), Refusal> {
    if !source.savable() {
        return Err(failure(
            "nonreusable_source",
            "Only a reusable source may be attached to a customer.",
        ));
    }
    if source.state != "chargeable" {
        return Err(failure(
            "source_not_chargeable",
            &format!("Source '{}' is not chargeable.", source.id),
        ));
    }
    if source.belongs_to_another(&shopper.id) {
        return Err(failure(
            "source_in_use",
            &format!("Source '{}' is attached to a different customer.", source.id),
        ));
    }
    Ok(())
}

/// Shows `{"paymentOption": {…}}`.
fn to_doc(world: &World, option: &PaymentOption) -> Doc {
    Doc::object().with("paymentOption", inner(world, option))
}

fn inner(world: &World, option: &PaymentOption) -> Doc {
    let doc = Doc::object()
        .with("id", Doc::Number(option.id.clone()))
        .with("nickName", &option.nick_name)
        .with("isDefault", if option.default { "true" } else { "false" });
    match world.sources.get(&option.source) {
        Some(source) => doc.with_members(&show::source(source)),
        None => doc,
    }
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found("PaymentOption", id)
}
