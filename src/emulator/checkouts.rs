//! `/checkouts` and `/invoices`, which follow the same rules.
//!
//! A change is made to a copy, judged whole, and only then put in place: a refused call leaves no
//! trace. Versions before 2021-03-23 show sources at the top and take `creditAmount`; later ones
//! nest everything under `payment`.

use rust_decimal::Decimal;

use super::{
    Kind, Version, attach,
    doc::Doc,
    funding::{Attached, Funding},
    items::{self, Item},
    refusal::Refusal,
    sources::{self, CREDIT},
    world::World,
};

/// Fields that are kept and shown as they came.
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

#[derive(Clone, Debug)]
pub(super) struct Checkout {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) merchant: String,
    pub(super) created: String,
    pub(super) customer: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) kept: Doc,
    pub(super) funding: Funding,
    /// Older versions: the credit that was asked for.
    pub(super) credit_amount: Option<Decimal>,
    /// Invoices only.
    pub(super) billing_optimization: bool,
}

/// `POST /checkouts`, `POST /invoices`.
pub(super) fn create(
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
pub(super) fn update(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let draft = find(world, merchant, kind, id)?.clone();
    if draft.funding.complete {
        return Err(attach::not_allowed());
    }
    change(world, draft, version, body)
}

pub(super) fn read(
    world: &World,
    merchant: &str,
    kind: Kind,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    Ok(find(world, merchant, kind, id)?.to_doc(world, version))
}

pub(super) fn delete(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
) -> Result<(), Refusal> {
    find(world, merchant, kind, id)?;
    shelf(world, kind).remove(id);
    Ok(())
}

/// `POST /checkouts/{id}/sources/{sourceId}`: answers the Source.
pub(super) fn attach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<Doc, Refusal> {
    let mut draft = find(world, merchant, kind, id)?.clone();
    let replaced = attach_to(world, &mut draft, source)?;
    commit(world, draft, replaced);
    Ok(world.source(merchant, source)?.to_doc(true))
}

/// `DELETE /checkouts/{id}/sources/{sourceId}`: a single-use source is thereby spent.
pub(super) fn detach_source(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    id: &str,
    source: &str,
) -> Result<(), Refusal> {
    let mut draft = find(world, merchant, kind, id)?.clone();
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

pub(super) fn find<'a>(
    world: &'a World,
    merchant: &str,
    kind: Kind,
    id: &str,
) -> Result<&'a Checkout, Refusal> {
    let (shelf, what) = if kind == Kind::Invoice {
        (&world.invoices, "Invoice")
    } else {
        (&world.checkouts, "Checkout")
    };
    shelf
        .get(id)
        .filter(|checkout| checkout.merchant == merchant)
        .ok_or_else(|| Refusal::not_found(what, id).about("id"))
}

pub(super) fn shelf(
    world: &mut World,
    kind: Kind,
) -> &mut std::collections::BTreeMap<String, Checkout> {
    if kind == Kind::Invoice { &mut world.invoices } else { &mut world.checkouts }
}

/// Everything a create or update may say, in the order in which it is taken: details, items,
/// credit, source.
fn change(
    world: &mut World,
    mut draft: Checkout,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    if let Some(currency) = body.text_of("currency") {
        draft.funding.currency = currency.to_owned();
    }
    for name in KEPT {
        if let Some(value) = body.get(name) {
            draft.kept.set(name, value);
        }
    }
    if let Some((_, customer)) = body.members().iter().find(|(name, _)| name == "customerId") {
        draft.customer = customer_of(world, &draft.merchant, customer)?;
    }
    if let Some(on) = body.get("billingOptimization").filter(|_| draft.kind == Kind::Invoice) {
        draft.billing_optimization =
            on.truth().ok_or_else(|| Refusal::invalid("billingOptimization"))?;
    }
    if let Some(items) = body.get("items") {
        draft.items = Item::read_all(items, world.options.tax_rate, &mut world.mint)?;
        let (subtotal, tax) = items::totals(&draft.items);
        draft.funding.total = subtotal + tax;
        attach::room_for(&draft, Decimal::ZERO)?;
    }
    let credit = match body.get("creditAmount") {
        Some(amount) => Some(add_credit(world, &mut draft, version, amount)?),
        None => None,
    };
    let replaced = match body.text_of("sourceId") {
        Some(source) => attach_to(world, &mut draft, source)?,
        None => None,
    };
    if let Some(credit) = credit {
        world.sources.insert(credit.id.clone(), credit);
    }
    let (kind, id) = (draft.kind, draft.id.clone());
    commit(world, draft, replaced);
    shelf(world, kind)
        .get(&id)
        .cloned()
        .map(|checkout| checkout.to_doc(world, version))
        .ok_or_else(|| Refusal::not_found("Checkout", &id))
}

fn customer_of(world: &World, merchant: &str, told: &Doc) -> Result<Option<String>, Refusal> {
    match told.text().filter(|id| !id.is_empty()) {
        None => Ok(None),
        Some(id) if world.customers.contains_key(&(merchant.to_owned(), id.to_owned())) => {
            Ok(Some(id.to_owned()))
        }
        Some(id) => Err(Refusal::not_found("Customer", id).about("customerId")),
    }
}

fn attach_to(world: &World, draft: &mut Checkout, source: &str) -> Result<Option<String>, Refusal> {
    let source =
        world.source(&draft.merchant, source).map_err(|refusal| refusal.about("sourceId"))?;
    let primary = draft.funding.primary().and_then(|one| world.sources.get(&one.source));
    attach::attach(draft, source, primary)
}

/// `creditAmount` of older versions: a store credit made and attached in one go, once.
fn add_credit(
    world: &mut World,
    draft: &mut Checkout,
    version: &Version,
    amount: &Doc,
) -> Result<sources::Source, Refusal> {
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
    let primary = draft.funding.primary().and_then(|one| world.sources.get(&one.source));
    if primary.is_some_and(|primary| !primary.reusable) {
        return Err(Refusal::conflict(
            "source_not_supported",
            "The source status is invalid for this session.",
        )
        .about("sourceId"));
    }
    let primary = primary.cloned();
    let mut credit = sources::blank(world, &draft.merchant, CREDIT, Some(amount));
    credit.currency = Some(draft.funding.currency.clone());
    attach::attach(draft, &credit, primary.as_ref())?;
    draft.credit_amount = Some(amount);
    Ok(credit)
}

fn commit(world: &mut World, draft: Checkout, let_go: Option<String>) {
    if let Some(source) = let_go {
        world.let_go(&source, true);
    }
    world.sync(&draft.funding);
    shelf(world, draft.kind).insert(draft.id.clone(), draft);
}

impl Checkout {
    pub(super) fn to_doc(&self, world: &World, version: &Version) -> Doc {
        let doc = Doc::object()
            .with("id", &self.id)
            .with("createdTime", &self.created)
            .with_some("customerId", self.customer.as_deref())
            .with("currency", &self.funding.currency);
        let mut doc =
            self.kept.members().iter().fold(doc, |doc, (name, value)| doc.with(name, value));
        if self.kind == Kind::Invoice {
            doc = doc
                .with("billingOptimization", self.billing_optimization)
                .with("state", if self.funding.complete { "paid" } else { "draft" });
        }
        let (subtotal, tax) = items::totals(&self.items);
        let doc = doc
            .with("totalAmount", Doc::money(self.funding.total))
            .with("subtotal", Doc::money(subtotal))
            .with("totalFees", Doc::money(Decimal::ZERO))
            .with("totalTax", Doc::money(tax))
            .with("totalDuty", Doc::money(Decimal::ZERO))
            .with("totalDiscount", Doc::money(Decimal::ZERO))
            .with("totalShipping", Doc::money(Decimal::ZERO))
            .with("items", Doc::list(self.items.iter().map(Item::to_doc)));
        let sources = shown_sources(world, &self.funding.attached, |one| self.funding.share(one));
        let doc = if version.legacy() {
            doc.with_some("creditAmount", self.credit_amount.map(Doc::money))
                .with("paymentSessionId", &self.funding.session)
                .with("sources", sources)
        } else {
            doc.with(
                "payment",
                Doc::object().with("sources", sources).with("session", self.funding.as_session()),
            )
        };
        doc.with("liveMode", false)
    }
}

/// Sources as they appear inside another resource, each with what it contributes there.
pub(super) fn shown_sources(
    world: &World,
    attached: &[Attached],
    share: impl Fn(&Attached) -> Decimal,
) -> Vec<Doc> {
    let shown = |one: &Attached| {
        let mut source = world.sources.get(&one.source)?.clone();
        source.amount = Some(share(one));
        Some(source.to_doc(world.options.whole_sources))
    };
    attached.iter().filter_map(shown).collect()
}
