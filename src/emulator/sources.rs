//! `/sources`: one way to pay, created by the shopper's browser (public key) or as store credit
//! (confidential key).
//!
//! Shared by both dialects. A source changes state when it is spent (`cancelled`), charged
//! (`consumed`) or authorised by the shopper (`POST /_emulator/sources/{id}/authorize`); saving it
//! to a customer makes it reusable.

use rust_decimal::Decimal;

use super::{
    doc::Doc,
    keys::{Key, Role},
    magic::{self, Fate},
    refusal::Refusal,
    world::World,
};

/// The one secondary type of today.
pub(super) const CREDIT: &str = "customerCredit";

/// Types that cannot be used twice (`domain.md` section 8); any other type can be saved.
const NOT_SAVABLE: [&str; 16] = [
    "afterpay",
    "alipayCn",
    "bancontact",
    "blik",
    "konbini",
    "onlineBanking",
    "bankTransfer",
    "payCo",
    "payPal",
    "payPalCredit",
    "klarnaCredit",
    "trustly",
    "wireTransfer",
    "codJapan",
    "bPay",
    CREDIT,
];

#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) id: String,
    pub(super) merchant: String,
    pub(super) secret: String,
    pub(super) created: String,
    pub(super) kind: String,
    pub(super) currency: Option<String>,
    pub(super) amount: Option<Decimal>,
    pub(super) reusable: bool,
    pub(super) state: &'static str,
    pub(super) flow: &'static str,
    pub(super) customer: Option<String>,
    pub(super) session: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) owner: Option<Doc>,
    /// The object named after the type.
    pub(super) details: Doc,
    /// Charging it fails.
    pub(super) declines: bool,
}

impl Source {
    pub(super) fn secondary(&self) -> bool {
        self.kind == CREDIT
    }

    pub(super) fn savable(&self) -> bool {
        !NOT_SAVABLE.contains(&self.kind.as_str())
    }

    pub(super) fn spent(&self) -> bool {
        matches!(self.state, "cancelled" | "consumed" | "failed")
    }

    /// Waits for its shopper or for money to arrive.
    pub(super) fn pending(&self) -> bool {
        matches!(self.state, "pending_redirect" | "pending_funds" | "requires_action")
    }

    /// The Source as the API shows it. Inside a checkout or order it comes without `reusable` and
    /// `state` unless `whole`.
    pub(super) fn to_doc(&self, whole: bool) -> Doc {
        Doc::object()
            .with("id", &self.id)
            .with("createdTime", &self.created)
            .with("type", &self.kind)
            .with_some("currency", self.currency.as_deref())
            .with_some("amount", self.amount.map(Doc::money))
            .with_some("reusable", whole.then_some(self.reusable))
            .with_some("state", whole.then_some(self.state))
            .with_some("customerId", self.customer.as_deref())
            .with_some("owner", self.owner.clone())
            .with("clientSecret", &self.secret)
            .with("flow", self.flow)
            .with(&self.kind, &self.details)
            .with_some("paymentSessionId", self.session.as_deref())
            .with_some("upstreamId", self.upstream.as_deref())
            .with("liveMode", false)
    }
}

/// `POST /sources`.
pub(super) fn create(world: &mut World, key: &Key, body: &Doc) -> Result<Doc, Refusal> {
    let kind = body.text_of("type").ok_or_else(|| Refusal::missing("type"))?;
    match (key.role, kind == CREDIT) {
        (Role::Confidential, true) | (Role::Public, false) => {}
        (Role::Confidential, false) => return Err(Refusal::invalid("type")),
        _ => return Err(Refusal::forbidden()),
    }
    if !kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Refusal::invalid("type"));
    }
    let amount = match body.get("amount") {
        Some(amount) => Some(amount.amount().ok_or_else(|| Refusal::invalid("amount"))?),
        None if kind == CREDIT => return Err(Refusal::missing("amount")),
        None => None,
    };
    let details = match body.get(kind) {
        Some(details @ Doc::Object(_)) => details.clone(),
        Some(_) => return Err(Refusal::invalid(kind)),
        None => return Err(Refusal::missing(kind)),
    };
    let session = body.text_of("paymentSessionId").map(str::to_owned);
    let currency = body.text_of("currency").map(str::to_owned);
    let currency =
        currency.or_else(|| session.as_deref().and_then(|id| world.currency_of_session(id)));
    let mut source = blank(world, &key.merchant, kind, amount);
    source.currency = currency.or_else(|| (kind == CREDIT).then(|| "USD".to_owned()));
    source.session = session;
    source.upstream = body.text_of("upstreamId").map(str::to_owned);
    source.owner = body.get("owner").cloned();
    source.details = magic::shown_details(kind, &details);
    let Fate { state, flow, declines } = magic::fate(kind, body);
    (source.state, source.flow, source.declines) = (state, flow, declines);
    let doc = source.to_doc(true);
    world.sources.insert(source.id.clone(), source);
    Ok(doc)
}

/// A chargeable single-use source of that type; not yet in the world.
pub(super) fn blank(
    world: &mut World,
    merchant: &str,
    kind: &str,
    amount: Option<Decimal>,
) -> Source {
    let id = world.mint.uuid();
    Source {
        secret: world.mint.secret(&id),
        id,
        merchant: merchant.to_owned(),
        created: world.mint.time(),
        kind: kind.to_owned(),
        currency: None,
        amount,
        reusable: false,
        state: "chargeable",
        flow: "standard",
        customer: None,
        session: None,
        upstream: None,
        owner: None,
        details: Doc::object(),
        declines: false,
    }
}

/// `GET /sources/{id}`: a merchant's key, a public key with the source's client secret, or a
/// shopper of the merchant.
pub(super) fn read(
    world: &World,
    merchant: &str,
    role: Role,
    id: &str,
    secret: Option<&str>,
) -> Result<Doc, Refusal> {
    let source = world.source(merchant, id)?;
    if role == Role::Public && secret != Some(source.secret.as_str()) {
        return Err(Refusal::forbidden());
    }
    Ok(source.to_doc(true))
}

/// `POST`, `PUT` or `PATCH /sources/{id}`: what the vendor's script may change (owner, expiry). A
/// credit's amount cannot.
pub(super) fn update(
    world: &mut World,
    key: &Key,
    id: &str,
    secret: Option<&str>,
    body: &Doc,
) -> Result<Doc, Refusal> {
    let source = world.source(&key.merchant, id)?;
    match key.role {
        Role::Confidential => {}
        Role::Public if secret.or(body.text_of("clientSecret")) == Some(source.secret.as_str()) => {
        }
        _ => return Err(Refusal::forbidden()),
    }
    if source.secondary() && body.get("amount").is_some() {
        return Err(Refusal::conflict(
            "session_update_not_allowed",
            "Updating source is not allowed for the current session state.",
        ));
    }
    let kind = source.kind.clone();
    let source = world.source_mut(&key.merchant, id)?;
    if let Some(owner) = body.get("owner") {
        source.owner = Some(owner.clone());
    }
    for (name, value) in body.get(&kind).map(Doc::members).unwrap_or_default() {
        source.details.set(name, value);
    }
    Ok(source.to_doc(true))
}

/// The shopper has come back from a redirect, or the money has arrived: what waits becomes
/// chargeable, and charges that waited with it become capturable. Not a call of the vendor's: `POST
/// /_emulator/sources/{id}/authorize`.
pub(super) fn authorize(world: &mut World, id: &str) -> Result<Doc, Refusal> {
    let source = world.sources.get_mut(id).ok_or_else(|| Refusal::not_found("Source", id))?;
    if source.pending() {
        source.state = "chargeable";
        for order in world.orders.values_mut() {
            for charge in
                order.charges.iter_mut().filter(|charge| charge.source == id && charge.pending)
            {
                charge.pending = false;
                if !source.reusable {
                    source.state = "consumed";
                }
            }
        }
    }
    Ok(source.to_doc(true))
}
