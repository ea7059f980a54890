//! A change of a checkout or invoice before it is put in place: all of it, or nothing.

use super::{attach, items, version::Version};
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

/// A checkout or invoice that is being changed.
pub(crate) struct Draft {
    pub(crate) checkout: Checkout,
    /// Sources that the change detaches.
    detached: Vec<String>,
    /// The store credit that a `creditAmount` makes.
    credit: Option<Source>,
}

impl Draft {
    /// Begins a change of what is there.
    pub(crate) fn of(checkout: &Checkout) -> Self {
        Self { checkout: checkout.clone(), detached: Vec::new(), credit: None }
    }

    /// Drafts a new one from the body of its creation.
    pub(crate) fn new(
        world: &mut World,
        merchant: &str,
        kind: Kind,
        version: &Version,
        body: &Doc,
    ) -> Result<Self, Refusal> {
        let currency = body.text_of("currency").ok_or_else(|| Refusal::missing("currency"))?;
        if body.get("items").is_none() {
            return Err(Refusal::missing("items"));
        }
        let mut draft = Self::of(&Checkout {
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
            order: None,
            voided: false,
        });
        draft.change(world, version, body)?;
        Ok(draft)
    }

    /// Makes every change that a create or update asks for, in this order: details, items, credit,
    /// source.
    pub(crate) fn change(
        &mut self,
        world: &mut World,
        version: &Version,
        body: &Doc,
    ) -> Result<(), Refusal> {
        change_details(world, &mut self.checkout, body)?;
        if let Some(lines) = body.get("items") {
            let pricing = world.pricing(&self.checkout.funding.currency);
            self.checkout.items = items::read(lines, pricing, &mut world.mint)?;
            let (subtotal, tax) = totals(&self.checkout.items);
            self.checkout.funding.total = subtotal + tax;
            attach::refuse_excess(&self.checkout, Decimal::ZERO)?;
        }
        if let Some(amount) = body.get("creditAmount") {
            self.credit = Some(add_credit(world, &mut self.checkout, version, amount)?);
        }
        match body.text_of("sourceId") {
            Some(source) => self.attach(world, source),
            None => Ok(()),
        }
    }

    /// Attaches a source; store credit may be put off.
    pub(crate) fn attach(&mut self, world: &mut World, id: &str) -> Result<(), Refusal> {
        let before = self.checkout.clone();
        let source = self.attach_now(world, id)?;
        if !before.funding.holds(id) && world.put_off(before.kind, &before.id, &source) {
            self.checkout = before;
        }
        Ok(())
    }

    /// Attaches a source, and detaches the primary that it replaces.
    pub(crate) fn attach_now(&mut self, world: &World, id: &str) -> Result<Source, Refusal> {
        let source = world
            .source(&self.checkout.merchant, id)
            .map_err(|refusal| refusal.about("sourceId"))?;
        let primary = world.primary(&self.checkout.funding);
        self.detached.extend(attach::attach(&mut self.checkout, source, primary)?);
        Ok(source.clone())
    }

    /// Detaches a source.
    pub(crate) fn detach(&mut self, source: &str) {
        self.checkout.funding.detach(source);
        self.detached.push(source.to_owned());
    }

    /// Puts the change in place, and releases what it detached.
    pub(crate) fn commit(self, world: &mut World) -> Checkout {
        let checkout = self.settle(world);
        world.checkouts_mut(checkout.kind).insert(checkout.id.clone(), checkout.clone());
        checkout
    }

    /// Brings sources in line with the change, and leaves the checkout itself out of the world.
    pub(crate) fn settle(self, world: &mut World) -> Checkout {
        let Self { checkout, detached, credit } = self;
        if let Some(credit) = credit {
            world.sources.insert(credit.id.clone(), credit);
        }
        detached.iter().for_each(|source| world.release(source, true));
        world.update_attached(&checkout.funding);
        checkout
    }
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
    let amount = world.credit_amount(amount, &draft.funding.currency);
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
