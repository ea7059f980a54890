//! `/checkouts` and `/invoices`, which follow the same rules.
//!
//! A change is made to a copy, judged as a whole, and only then put in place, so that a refused
//! call leaves no trace.

use super::{attach, items, show, version::Version};
use crate::emulator::model::{CREDIT, Checkout, Doc, Kind, Refusal, Source, World, totals};
use rust_decimal::Decimal;

/// Members that are stored and shown as they were sent.
const KEPT: [&str; 15] = [
    "email",
    "locale",
    "browserIp",
    "applicationId",
    "shipFrom",
    "shipTo",
    "billTo",
    "organization",
    "taxInclusive",
    "chargeType",
    "customerType",
    "purchaseLocation",
    "shippingChoice",
    "metadata",
    "upstreamId",
];

/// `POST /checkouts`, `POST /invoices`.
pub(crate) fn create(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let currency = body.text_of("currency").ok_or_else(|| Refusal::missing("currency"))?;
    if body.get("items").is_none() {
        return Err(Refusal::missing("items"));
    }
    let draft = Checkout {
        kind,
        id: world.mint.number(),
        merchant: merchant.to_owned(),
        created: world.mint.time(),
        customer: None,
        items: Vec::new(),
        kept: Doc::object(),
        funding: world.open_session(kind, currency),
        credit_amount: None,
        billing_optimization: false,
    };
    change(world, draft, version, body)
}

/// `POST /checkouts/{id}`, `POST /invoices/{id}`.
pub(crate) fn update(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let draft = world.checkout(merchant, kind, id)?.clone();
    if draft.funding.complete {
        return Err(attach::not_allowed());
    }
    change(world, draft, version, body)
}

/// `GET /checkouts/{id}`, `GET /invoices/{id}`.
pub(crate) fn read(
    world: &World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    Ok(show::checkout(world, world.checkout(merchant, kind, id)?, version))
}

/// `DELETE /checkouts/{id}`, `DELETE /invoices/{id}`.
pub(crate) fn delete(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
) -> Result<(), Refusal> {
    world.checkout(merchant, kind, id)?;
    world.checkouts_mut(kind).remove(id);
    Ok(())
}

/// `POST /checkouts/{id}/sources/{sourceId}`: answers the source.
pub(crate) fn attach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<Doc, Refusal> {
    let mut draft = world.checkout(merchant, kind, id)?.clone();
    let replaced = attach_to_draft(world, &mut draft, source)?;
    commit(world, draft, replaced);
    Ok(show::source(world.source(merchant, source)?, true))
}

/// `DELETE /checkouts/{id}/sources/{sourceId}`: spends a single-use source.
pub(crate) fn detach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<(), Refusal> {
    let mut draft = world.checkout(merchant, kind, id)?.clone();
    if draft.funding.complete {
        return Err(attach::not_allowed());
    }
    if !draft.funding.holds(source) {
        return Err(Refusal::not_found("Source", source).about("sourceId"));
    }
    draft.funding.detach(source);
    commit(world, draft, Some(source.to_owned()));
    Ok(())
}

/// Makes every change that a create or update asks for, in this order: details, items, credit,
/// source.
fn change(
    world: &mut World,
    mut draft: Checkout,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    change_details(world, &mut draft, body)?;
    if let Some(lines) = body.get("items") {
        draft.items = items::read(lines, world.options.tax_rate, &mut world.mint)?;
        let (subtotal, tax) = totals(&draft.items);
        draft.funding.total = subtotal + tax;
        attach::refuse_excess(&draft, Decimal::ZERO)?;
    }
    let credit = match body.get("creditAmount") {
        Some(amount) => Some(add_credit(world, &mut draft, version, amount)?),
        None => None,
    };
    let replaced = match body.text_of("sourceId") {
        Some(source) => attach_to_draft(world, &mut draft, source)?,
        None => None,
    };
    if let Some(credit) = credit {
        world.sources.insert(credit.id.clone(), credit);
    }
    let (merchant, kind, id) = (draft.merchant.clone(), draft.kind, draft.id.clone());
    commit(world, draft, replaced);
    read(world, &merchant, kind, &id, version)
}

fn change_details(world: &World, draft: &mut Checkout, body: &Doc) -> Result<(), Refusal> {
    if let Some(currency) = body.text_of("currency") {
        draft.funding.currency = currency.to_owned();
    }
    for name in KEPT {
        if let Some(value) = body.get(name) {
            draft.kept.set(name, value);
        }
    }
    // A customer that is sent as null is removed.
    if let Some((_, customer)) = body.members().iter().find(|(name, _)| name == "customerId") {
        draft.customer = read_customer(world, &draft.merchant, customer)?;
    }
    if let Some(on) = body.get("billingOptimization").filter(|_| draft.kind == Kind::Invoice) {
        draft.billing_optimization =
            on.truth().ok_or_else(|| Refusal::invalid("billingOptimization"))?;
    }
    Ok(())
}

fn read_customer(world: &World, merchant: &str, id: &Doc) -> Result<Option<String>, Refusal> {
    match id.text().filter(|id| !id.is_empty()) {
        None => Ok(None),
        Some(id) if world.customers.contains_key(&(merchant.to_owned(), id.to_owned())) => {
            Ok(Some(id.to_owned()))
        }
        Some(id) => Err(Refusal::not_found("Customer", id).about("customerId")),
    }
}

/// Attaches a source to the draft, and returns the primary that it replaced.
fn attach_to_draft(
    world: &World,
    draft: &mut Checkout,
    source: &str,
) -> Result<Option<String>, Refusal> {
    let source =
        world.source(&draft.merchant, source).map_err(|refusal| refusal.about("sourceId"))?;
    let primary = world.primary(&draft.funding);
    attach::attach(draft, source, primary)
}

/// Makes and attaches a store credit: the `creditAmount` of older versions, which may be sent once.
fn add_credit(
    world: &mut World,
    draft: &mut Checkout,
    version: &Version,
    amount: &Doc,
) -> Result<Source, Refusal> {
    if !version.legacy() {
        return Err(Refusal::invalid("creditAmount"));
    }
    let amount = amount.amount().ok_or_else(|| Refusal::invalid("creditAmount"))?;
    if draft.credit_amount.is_some() {
        return Err(Refusal::conflict(
            "creditAmount_already_updated",
            "Credit amount has already been updated.",
        ));
    }
    if world.primary(&draft.funding).is_some_and(|primary| !primary.reusable) {
        return Err(Refusal::conflict(
            "source_not_supported",
            "The source status is invalid for this session.",
        )
        .about("sourceId"));
    }
    let mut credit = Source::new(&mut world.mint, &draft.merchant, CREDIT, Some(amount));
    credit.currency = Some(draft.funding.currency.clone());
    let primary = world.primary(&draft.funding);
    attach::attach(draft, &credit, primary)?;
    draft.credit_amount = Some(amount);
    Ok(credit)
}

/// Puts the draft in place, and releases the source that was detached from it.
fn commit(world: &mut World, draft: Checkout, detached: Option<String>) {
    if let Some(source) = detached {
        world.release(&source, true);
    }
    world.update_attached(&draft.funding);
    world.checkouts_mut(draft.kind).insert(draft.id.clone(), draft);
}
