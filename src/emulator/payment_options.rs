//! `/v1/shoppers/me/payment-options`: sources saved to a shopper.

use super::{
    cart_sources::failure,
    carts::described,
    doc::Doc,
    refusal::Refusal,
    shoppers::{PaymentOption, Shopper},
    world::World,
};

/// `POST …/payment-options`: the source becomes reusable; the first one saved is the default.
pub(super) fn save(world: &mut World, shopper: &Shopper, body: &Doc) -> Result<Doc, Refusal> {
    let told = body.get("paymentOption").unwrap_or(body);
    let id = told.text_of("sourceId").ok_or_else(|| Refusal::missing("paymentOption.sourceId"))?;
    let source = world.source(&shopper.merchant, id)?;
    if !source.savable() {
        return Err(failure(
            "nonreusable_source",
            "Only a reusable source may be attached to a customer.",
        ));
    }
    if source.state != "chargeable" {
        return Err(failure("source_not_chargeable", &format!("Source '{id}' is not chargeable.")));
    }
    if source.customer.as_deref().is_some_and(|owner| owner != shopper.id) {
        return Err(failure(
            "source_in_use",
            &format!("Source '{id}' is attached to a different customer."),
        ));
    }
    if let Some(held) = shopper.options.iter().find(|option| option.source == id) {
        return Ok(to_doc(world, held));
    }
    let source = world.source_mut(&shopper.merchant, id)?;
    source.reusable = true;
    source.customer = Some(shopper.id.clone());
    let option = PaymentOption {
        id: world.mint.number(),
        nick_name: told.text_of("nickName").unwrap_or_default().to_owned(),
        default: shopper.options.is_empty()
            || told.get("isDefault").and_then(Doc::truth) == Some(true),
        source: id.to_owned(),
    };
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    if option.default {
        held.iter_mut().for_each(|other| other.default = false);
    }
    held.push(option.clone());
    Ok(to_doc(world, &option))
}

/// `POST …/payment-options/{id}`: another name, or the default.
pub(super) fn change(
    world: &mut World,
    shopper: &Shopper,
    id: &str,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let told = body.get("paymentOption").unwrap_or(body);
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    let at = held.iter().position(|option| option.id == id).ok_or_else(|| unknown(id))?;
    if told.get("isDefault").and_then(Doc::truth) == Some(true) {
        held.iter_mut().enumerate().for_each(|(n, option)| option.default = n == at);
    }
    if let Some(name) = told.text_of("nickName") {
        held[at].nick_name = name.to_owned();
    }
    let option = held[at].clone();
    Ok(to_doc(world, &option))
}

/// `DELETE …/payment-options/{id}`: the source is spent.
pub(super) fn remove(world: &mut World, shopper: &Shopper, id: &str) -> Result<(), Refusal> {
    let held = &mut world.shoppers.get_mut(&shopper.id)?.options;
    let at = held.iter().position(|option| option.id == id).ok_or_else(|| unknown(id))?;
    let option = held.remove(at);
    let source = world.source_mut(&shopper.merchant, &option.source)?;
    source.state = "cancelled";
    source.customer = None;
    Ok(())
}

pub(super) fn list(world: &World, shopper: &Shopper) -> Doc {
    let options = shopper.options.iter().map(|option| inner(world, option));
    Doc::object().with("paymentOptions", Doc::object().with("paymentOption", Doc::list(options)))
}

pub(super) fn read(world: &World, shopper: &Shopper, id: &str) -> Result<Doc, Refusal> {
    shopper
        .options
        .iter()
        .find(|option| option.id == id)
        .map(|option| to_doc(world, option))
        .ok_or_else(|| unknown(id))
}

fn to_doc(world: &World, option: &PaymentOption) -> Doc {
    Doc::object().with("paymentOption", inner(world, option))
}

fn inner(world: &World, option: &PaymentOption) -> Doc {
    let doc = Doc::object()
        .with("id", Doc::Number(option.id.clone()))
        .with("nickName", &option.nick_name)
        .with("isDefault", if option.default { "true" } else { "false" });
    let source = world.sources.get(&option.source).map(described);
    source.iter().flat_map(Doc::members).fold(doc, |doc, (name, value)| doc.with(name, value))
}

fn unknown(id: &str) -> Refusal {
    Refusal::not_found("PaymentOption", id)
}
