//! `/orders` and `/charges`: a checkout, invoice or cart turned into charges, one for each source
//! that pays.
//!
//! How charges are captured, cancelled and refunded afterwards is in `settlement`.

use rust_decimal::Decimal;

use super::{
    Kind, Version,
    checkouts::{self, shown_sources},
    customers,
    doc::Doc,
    funding::{Attached, Funding},
    items::{self, Item},
    refusal::Refusal,
    world::World,
};

#[derive(Clone, Debug)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created: String,
    pub(super) amount: Decimal,
    pub(super) source: String,
    pub(super) secondary: bool,
    /// Its source still waits for the shopper or for money.
    pub(super) pending: bool,
    pub(super) captures: Vec<Movement>,
    pub(super) cancels: Vec<Movement>,
    pub(super) refunds: Vec<Movement>,
}

/// An amount that moved, and when.
#[derive(Clone, Debug)]
pub(super) struct Movement {
    pub(super) created: String,
    pub(super) amount: Decimal,
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) merchant: String,
    pub(super) created: String,
    pub(super) kind: Kind,
    /// The checkout, invoice or cart it was made from.
    pub(super) origin: String,
    pub(super) customer: Option<String>,
    pub(super) items: Vec<Item>,
    pub(super) kept: Doc,
    pub(super) funding: Funding,
    pub(super) credit_amount: Option<Decimal>,
    /// Credits first, in order of attachment; the primary last.
    pub(super) charges: Vec<Charge>,
    /// Carts: credits that were shown as attached and were not charged.
    pub(super) lost: Vec<Attached>,
}

/// `POST /orders`.
pub(super) fn create(
    world: &mut World,
    merchant: &str,
    version: &Version,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let id = body.text_of("checkoutId").ok_or_else(|| Refusal::missing("checkoutId"))?;
    let mut checkout = checkouts::find(world, merchant, Kind::Checkout, id)
        .map_err(|refusal| refusal.about("checkoutId"))?
        .clone();
    for one in &checkout.funding.attached {
        let owner = world.sources.get(&one.source).and_then(|source| source.customer.as_deref());
        if owner.is_some() && owner != checkout.customer.as_deref() {
            return Err(customers::in_use(&one.source));
        }
    }
    if checkout.funding.state() != "requires_confirmation" {
        return Err(Refusal::new(400, "order_submit_failed", "Payment session status is invalid."));
    }
    let mut order = begin(world, merchant, Kind::Checkout, &checkout.id, &checkout.funding)?;
    order.customer = checkout.customer.clone();
    order.items = checkout.items.clone();
    order.kept = checkout.kept.clone();
    order.credit_amount = checkout.credit_amount;
    if let Some(upstream) = body.get("upstreamId") {
        order.kept.set("upstreamId", upstream);
    }
    checkout.funding.complete = true;
    world.checkouts.insert(checkout.id.clone(), checkout);
    Ok(finish(world, order).to_doc(world, version.legacy()))
}

pub(super) fn read(
    world: &World,
    merchant: &str,
    id: &str,
    version: &Version,
) -> Result<Doc, Refusal> {
    Ok(find(world, merchant, id)?.to_doc(world, version.legacy()))
}

pub(super) fn read_charge(world: &World, merchant: &str, id: &str) -> Result<Doc, Refusal> {
    let all = world.orders.values().filter(|order| order.merchant == merchant);
    let found = all
        .flat_map(|order| order.charges.iter().map(move |charge| (order, charge)))
        .find(|(_, charge)| charge.id == id);
    found
        .map(|(order, charge)| charge.to_doc(order))
        .ok_or_else(|| Refusal::not_found("Charge", id).about("id"))
}

pub(super) fn find<'a>(world: &'a World, merchant: &str, id: &str) -> Result<&'a Order, Refusal> {
    world
        .orders
        .get(id)
        .filter(|order| order.merchant == merchant)
        .ok_or_else(|| Refusal::not_found("Order", id).about("orderId"))
}

/// Authorises a charge for every source that pays, or refuses and changes nothing.
pub(super) fn begin(
    world: &mut World,
    merchant: &str,
    kind: Kind,
    origin: &str,
    funding: &Funding,
) -> Result<Order, Refusal> {
    let lost: Vec<Attached> = funding.lost().cloned().collect();
    let charged =
        funding.attached.iter().filter(|one| !lost.iter().any(|lost| lost.source == one.source));
    let (credits, primary): (Vec<&Attached>, Vec<&Attached>) =
        charged.partition(|one| one.secondary);
    let charged: Vec<&Attached> = credits.into_iter().chain(primary).collect();
    for one in &charged {
        let source = world.source(merchant, &one.source)?;
        if source.spent() {
            return Err(Refusal::conflict(
                "source_not_chargeable",
                format!("Source '{}' is not chargeable.", one.source),
            )
            .about("sourceId"));
        }
        if source.declines {
            return Err(Refusal::conflict(
                "payment_declined",
                format!("The charge of source '{}' was declined.", one.source),
            ));
        }
    }
    let mut charges = Vec::new();
    for one in charged.iter().filter(|one| !funding.share(one).is_zero()) {
        charges.push(Charge {
            id: world.mint.uuid(),
            created: world.mint.time(),
            amount: funding.share(one),
            source: one.source.clone(),
            secondary: one.secondary,
            pending: world.source(merchant, &one.source)?.pending(),
            captures: Vec::new(),
            cancels: Vec::new(),
            refunds: Vec::new(),
        });
    }
    let mut funding = funding.clone();
    funding.attached.retain(|one| !lost.iter().any(|lost| lost.source == one.source));
    funding.complete = true;
    Ok(Order {
        id: world.mint.number(),
        merchant: merchant.to_owned(),
        created: world.mint.time(),
        kind,
        origin: origin.to_owned(),
        customer: None,
        items: Vec::new(),
        kept: Doc::object(),
        funding,
        credit_amount: None,
        charges,
        lost,
    })
}

/// Puts the order in place; single-use sources it charged are consumed.
pub(super) fn finish(world: &mut World, order: Order) -> Order {
    for one in &order.funding.attached {
        if let Some(source) = world
            .sources
            .get_mut(&one.source)
            .filter(|source| !source.reusable && !source.pending())
        {
            source.state = "consumed";
        }
    }
    world.orders.insert(order.id.clone(), order.clone());
    order
}

impl Charge {
    pub(super) fn captured(&self) -> Decimal {
        sum(&self.captures)
    }

    pub(super) fn cancelled(&self) -> Decimal {
        sum(&self.cancels)
    }

    pub(super) fn refunded(&self) -> Decimal {
        sum(&self.refunds)
    }

    /// Authorised, and neither captured nor cancelled yet.
    pub(super) fn open(&self) -> Decimal {
        self.amount - self.captured() - self.cancelled()
    }

    fn state(&self) -> &'static str {
        if self.pending {
            "pending"
        } else if !self.open().is_zero() {
            "capturable"
        } else if self.captured().is_zero() {
            "cancelled"
        } else {
            "complete"
        }
    }

    pub(super) fn to_doc(&self, order: &Order) -> Doc {
        let doc = Doc::object()
            .with("id", &self.id)
            .with("createdTime", &self.created)
            .with("currency", &order.funding.currency)
            .with("amount", Doc::money(self.amount))
            .with("state", self.state())
            .with("captured", !self.captured().is_zero())
            .with("refunded", !self.refunded().is_zero())
            .with("orderId", &order.id)
            .with("sourceId", &self.source)
            .with("paymentSessionId", &order.funding.session)
            .with("type", "customer_initiated")
            .with("liveMode", false);
        let lists =
            [("captures", &self.captures), ("cancels", &self.cancels), ("refunds", &self.refunds)];
        lists.into_iter().filter(|(_, moved)| !moved.is_empty()).fold(doc, |doc, (name, moved)| {
            doc.with(name, Doc::list(moved.iter().map(Movement::to_doc)))
        })
    }
}

impl Movement {
    pub(super) fn to_doc(&self) -> Doc {
        Doc::object()
            .with("createdTime", &self.created)
            .with("amount", Doc::money(self.amount))
            .with("state", "complete")
    }
}

impl Order {
    fn total(&self, moved: impl Fn(&Charge) -> Decimal) -> Decimal {
        self.charges.iter().map(moved).sum()
    }

    fn state(&self) -> &'static str {
        let open = self.total(Charge::open);
        if self.charges.iter().any(|charge| charge.pending) {
            "pending_payment"
        } else if !open.is_zero() || self.charges.is_empty() {
            "accepted"
        } else if self.total(Charge::captured).is_zero() {
            "cancelled"
        } else if self.total(Charge::refunded) == self.total(Charge::captured) {
            "returned"
        } else {
            "complete"
        }
    }

    /// The order; `legacy` is the shape of versions before 2021-03-23.
    pub(super) fn to_doc(&self, world: &World, legacy: bool) -> Doc {
        let (subtotal, tax) = items::totals(&self.items);
        let captured = self.total(Charge::captured);
        let refunded = self.total(Charge::refunded);
        let doc = Doc::object()
            .with("id", &self.id)
            .with("createdTime", &self.created)
            .with_some("customerId", self.customer.as_deref())
            .with("currency", &self.funding.currency);
        let doc = self.kept.members().iter().fold(doc, |doc, (name, value)| doc.with(name, value));
        let doc = doc
            .with("totalAmount", Doc::money(self.funding.total))
            .with("subtotal", Doc::money(subtotal))
            .with("totalTax", Doc::money(tax))
            .with("items", Doc::list(self.items.iter().map(Item::to_doc)))
            .with("state", self.state())
            .with("fraudState", "passed")
            .with("capturedAmount", Doc::money(captured))
            .with("cancelledAmount", Doc::money(self.total(Charge::cancelled)))
            .with("refundedAmount", Doc::money(refunded))
            .with("availableToRefundAmount", Doc::money(captured - refunded))
            .with(self.kind.origin_field(), &self.origin);
        let charges = Doc::list(self.charges.iter().map(|charge| charge.to_doc(self)));
        let sources = shown_sources(world, &self.funding.attached, |one| self.funding.share(one));
        let doc = if legacy {
            doc.with_some("creditAmount", self.credit_amount.map(Doc::money))
                .with("sources", sources)
                .with("charges", charges)
        } else {
            doc.with(
                "payment",
                Doc::object()
                    .with("sources", sources)
                    .with("charges", charges)
                    .with("session", self.funding.as_session()),
            )
        };
        doc.with("liveMode", false)
    }

    pub(super) fn lost_docs(&self) -> impl Iterator<Item = Doc> {
        self.lost.iter().map(|one| {
            Doc::object()
                .with("cartId", &self.origin)
                .with("orderId", &self.id)
                .with("sourceId", &one.source)
                .with("amount", Doc::money(one.amount))
        })
    }
}

fn sum(moved: &[Movement]) -> Decimal {
    moved.iter().map(|moved| moved.amount).sum()
}
