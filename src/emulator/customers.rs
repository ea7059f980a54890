//! `/customers`: who buys, with the sources saved to them.

use super::{doc::Doc, refusal::Refusal, world::World};

const KEPT: [&str; 7] =
    ["email", "shipping", "locale", "type", "taxCertificate", "metadata", "requestToBeForgotten"];

#[derive(Clone, Debug)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) created: String,
    pub(super) kept: Doc,
    /// Saved sources, in the order they were saved.
    pub(super) sources: Vec<String>,
    pub(super) default: Option<String>,
}

impl Customer {
    pub(super) fn to_doc(&self, world: &World) -> Doc {
        let doc = Doc::object().with("id", &self.id).with("createdTime", &self.created);
        let doc = self.kept.members().iter().fold(doc, |doc, (name, value)| doc.with(name, value));
        let sources = self
            .sources
            .iter()
            .filter_map(|id| world.sources.get(id))
            .map(|source| source.to_doc(true));
        doc.with_some("defaultSourceId", self.default.as_deref())
            .with("sources", Doc::list(sources))
            .with("enabled", true)
            .with("liveMode", false)
    }
}

/// `POST /customers`; the merchant may choose the id.
pub(super) fn create(world: &mut World, merchant: &str, body: &Doc) -> Result<Doc, Refusal> {
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
    let mut customer =
        Customer { id, created, kept: Doc::object(), sources: Vec::new(), default: None };
    change(&mut customer, body)?;
    let doc = customer.to_doc(world);
    world.customers.insert(at, customer);
    Ok(doc)
}

/// `POST /customers/{id}`.
pub(super) fn update(
    world: &mut World,
    merchant: &str,
    id: &str,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let mut customer = find(world, merchant, id)?.clone();
    change(&mut customer, body)?;
    let doc = customer.to_doc(world);
    *find_mut(world, merchant, id)? = customer;
    Ok(doc)
}

/// `DELETE /customers/{id}`: what was saved to it is spent.
pub(super) fn delete(world: &mut World, merchant: &str, id: &str) -> Result<(), Refusal> {
    let saved = find(world, merchant, id)?.sources.clone();
    for source in saved {
        remove(world, merchant, id, &source)?;
    }
    world.customers.remove(&(merchant.to_owned(), id.to_owned()));
    Ok(())
}

/// `POST /customers/{id}/sources/{sourceId}`: the source becomes reusable, the first one the
/// default.
pub(super) fn save(
    world: &mut World,
    merchant: &str,
    id: &str,
    source: &str,
) -> Result<Doc, Refusal> {
    find(world, merchant, id)?;
    let held = world.source_mut(merchant, source).map_err(|refusal| refusal.about("sourceId"))?;
    if !held.savable() {
        return Err(Refusal::conflict(
            "nonreusable_source",
            "Only a reusable source may be attached to a customer.",
        ));
    }
    if held.state != "chargeable" {
        return Err(Refusal::conflict(
            "source_not_chargeable",
            format!("Source '{source}' is not chargeable."),
        )
        .about("sourceId"));
    }
    if held.customer.as_deref().is_some_and(|owner| owner != id) {
        return Err(in_use(source));
    }
    held.reusable = true;
    held.customer = Some(id.to_owned());
    let doc = held.to_doc(true);
    let customer = find_mut(world, merchant, id)?;
    if !customer.sources.iter().any(|saved| saved == source) {
        customer.sources.push(source.to_owned());
    }
    customer.default.get_or_insert_with(|| source.to_owned());
    Ok(doc)
}

/// `DELETE /customers/{id}/sources/{sourceId}`: the source is spent.
pub(super) fn remove(
    world: &mut World,
    merchant: &str,
    id: &str,
    source: &str,
) -> Result<(), Refusal> {
    let customer = find_mut(world, merchant, id)?;
    if !customer.sources.iter().any(|saved| saved == source) {
        return Err(Refusal::not_found("Source", source).about("sourceId"));
    }
    customer.sources.retain(|saved| saved != source);
    if customer.default.as_deref() == Some(source) {
        customer.default = None;
    }
    let source = world.source_mut(merchant, source)?;
    source.state = "cancelled";
    source.customer = None;
    Ok(())
}

pub(super) fn in_use(source: &str) -> Refusal {
    Refusal::conflict(
        "source_in_use",
        format!("Source '{source}' is attached to a different customer."),
    )
    .about("sourceId")
}

pub(super) fn find<'a>(
    world: &'a World,
    merchant: &str,
    id: &str,
) -> Result<&'a Customer, Refusal> {
    world
        .customers
        .get(&(merchant.to_owned(), id.to_owned()))
        .ok_or_else(|| Refusal::not_found("Customer", id).about("id"))
}

fn find_mut<'a>(
    world: &'a mut World,
    merchant: &str,
    id: &str,
) -> Result<&'a mut Customer, Refusal> {
    world
        .customers
        .get_mut(&(merchant.to_owned(), id.to_owned()))
        .ok_or_else(|| Refusal::not_found("Customer", id).about("id"))
}

fn change(customer: &mut Customer, body: &Doc) -> Result<(), Refusal> {
    if let Some(default) = body.text_of("defaultSourceId") {
        if !customer.sources.iter().any(|saved| saved == default) {
            let text = format!("Source '{default}' is not attached to customer '{}'.", customer.id);
            return Err(Refusal::conflict("invalid_parameter", text).about("defaultSourceId"));
        }
        customer.default = Some(default.to_owned());
    }
    for name in KEPT {
        if let Some(value) = body.get(name) {
            customer.kept.set(name, value);
        }
    }
    Ok(())
}
