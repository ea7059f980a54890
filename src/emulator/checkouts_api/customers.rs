//! `/customers`, with the sources that are saved to them.

use super::show;
use crate::emulator::model::{Customer, Doc, Refusal, World};

/// Members that are stored and shown as they were sent.
const KEPT: [&str; 7] =
    ["email", "shipping", "locale", "type", "taxCertificate", "metadata", "requestToBeForgotten"];

/// `POST /customers`; the merchant may choose the id.
pub(crate) fn create(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
    let id = body.text_of("id").map_or_else(|| world.mint.number(), str::to_owned);
    let at = (merchant.to_owned(), id.clone());
    if world.customers.contains_key(&at) {
        return Err(Refusal::conflict(
            "already_exists",
            format!("Customer '{id}' already exists."),
        )
        .about("id"));
    }
    let created = world.mint.time();
    let mut customer = Customer {
        id,
        created,
        kept: Doc::object(),
        sources: Vec::new(),
        default: None,
        enabled: true,
    };
    change(&mut customer, body)?;
    let doc = show::customer(world, &customer);
    world.customers.insert(at, customer);
    Ok(doc)
}

/// `POST /customers/{id}`. A customer who asks to be forgotten loses the sources saved to it.
pub(crate) fn update(
    world: &mut World,
    merchant: &str,
    id: &str,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let mut customer = world.customer(merchant, id)?.clone();
    change(&mut customer, body)?;
    let doc = show::customer(world, &customer);
    let forgotten = body.get("requestToBeForgotten").and_then(Doc::truth) == Some(true);
    *world.customer_mut(merchant, id)? = customer;
    if forgotten {
        forget(world, merchant, id)?;
        return read(world, merchant, id);
    }
    Ok(doc)
}

/// `GET /customers/{id}`.
pub(crate) fn read(world: &World, merchant: &str, id: &str) -> Result<Doc, Refusal> {
    Ok(show::customer(world, world.customer(merchant, id)?))
}

/// `DELETE /customers/{id}`: spends the sources saved to it.
pub(crate) fn delete(world: &mut World, merchant: &str, id: &str) -> Result<(), Refusal> {
    if let Err(refusal) = world.customer(merchant, id) {
        return world.quirks.absent(refusal);
    }
    forget(world, merchant, id)?;
    world.customers.remove(&(merchant.to_owned(), id.to_owned()));
    Ok(())
}

/// `POST /customers/{id}/sources/{sourceId}`: makes the source reusable, and the first one the
/// default.
pub(crate) fn save(
    world: &mut World,
    merchant: &str,
    id: &str,
    source: &str,
) -> Result<Doc, Refusal> {
    world.customer(merchant, id)?;
    let held = world.source_mut(merchant, source).map_err(|refusal| refusal.about("sourceId"))?;
    if !held.savable() {
        return Err(Refusal::conflict(
            "nonreusable_source",
            "Only a reusable source may be attached to a customer.",
        ));
    }
    if held.state != "chargeable" {
        return Err(Refusal::not_chargeable(source));
    }
    if held.belongs_to_another(id) {
        return Err(in_use(source));
    }
    held.save_to(id);
    let doc = show::source(held, true);
    let customer = world.customer_mut(merchant, id)?;
    if !customer.has_saved(source) {
        customer.sources.push(source.to_owned());
    }
    customer.default.get_or_insert_with(|| source.to_owned());
    Ok(doc)
}

/// `DELETE /customers/{id}/sources/{sourceId}`: spends the source.
pub(crate) fn remove(
    world: &mut World,
    merchant: &str,
    id: &str,
    source: &str,
) -> Result<(), Refusal> {
    let customer = world.customer_mut(merchant, id)?;
    if !customer.has_saved(source) {
        return world.quirks.absent(Refusal::not_found("Source", source).about("sourceId"));
    }
    customer.sources.retain(|saved| saved != source);
    if customer.default.as_deref() == Some(source) {
        customer.default = None;
    }
    world.source_mut(merchant, source)?.unsave();
    Ok(())
}

/// Returns the refusal of a source that another customer has saved.
pub(crate) fn in_use(source: &str) -> Refusal {
    Refusal::conflict(
        "source_in_use",
        format!("Source '{source}' is attached to a different customer."),
    )
    .about("sourceId")
}

/// Removes every source that is saved to a customer.
fn forget(world: &mut World, merchant: &str, id: &str) -> Result<(), Refusal> {
    for source in world.customer(merchant, id)?.sources.clone() {
        remove(world, merchant, id, &source)?;
    }
    Ok(())
}

fn change(customer: &mut Customer, body: &Doc) -> Result<(), Refusal> {
    if let Some(default) = body.text_of("defaultSourceId") {
        if !customer.has_saved(default) {
            let text = format!("Source '{default}' is not attached to customer '{}'.", customer.id);
            return Err(Refusal::conflict("invalid_parameter", text).about("defaultSourceId"));
        }
        customer.default = Some(default.to_owned());
    }
    if let Some(enabled) = body.get("enabled") {
        customer.enabled = enabled.truth().ok_or_else(|| Refusal::invalid("enabled"))?;
    }
    for name in KEPT {
        if let Some(value) = body.get(name) {
            customer.kept.set(name, value);
        }
    }
    Ok(())
}
