//! `/sources`: created by the shopper's browser (public key), or as store credit (confidential
//! key). Both APIs share them.
//!
//! A source changes its state when it is spent (`cancelled`), charged (`consumed`) or authorised by
//! the shopper (`POST /_emulator/sources/{id}/authorize`). Saving it to a customer makes it
//! reusable.

use super::{
    magic::{self, Fate},
    show,
};
use crate::emulator::model::{CREDIT, Doc, Key, Refusal, Role, Source, World};
use rust_decimal::Decimal;

/// `POST /sources`.
pub(crate) fn create(world: &mut World, key: &Key, body: &Doc) -> Result<Doc, Refusal> {
    let kind = read_type(key, body)?;
    let amount = read_amount(kind, body)?;
    let details = match body.get(kind) {
        Some(details @ Doc::Object(_)) => details,
        Some(_) => return Err(Refusal::invalid(kind)),
        None => return Err(Refusal::missing(kind)),
    };
    let session = body.text_of("paymentSessionId").map(str::to_owned);
    let currency = body.text_of("currency").map(str::to_owned);
    let currency =
        currency.or_else(|| session.as_deref().and_then(|id| world.currency_of_session(id)));
    let mut source = Source::new(&mut world.mint, &key.merchant, kind, amount);
    source.currency = currency.or_else(|| (kind == CREDIT).then(|| "USD".to_owned()));
    let currency = source.currency.as_deref().unwrap_or_default();
    source.amount = amount.map(|amount| world.credit_amount(amount, currency));
    source.session = session;
    source.upstream = body.text_of("upstreamId").map(str::to_owned);
    source.owner = body.get("owner").cloned();
    source.details = magic::shown_details(kind, details);
    let Fate { state, flow, declines } = magic::fate(kind, body);
    (source.state, source.flow, source.declines) = (state, flow, declines);
    let doc = show::source(&source, true);
    world.sources.insert(source.id.clone(), source);
    Ok(doc)
}

/// Reads the type: a confidential key creates store credit only, a public key everything else.
fn read_type<'a>(key: &Key, body: &'a Doc) -> Result<&'a str, Refusal> {
    let kind = body.text_of("type").ok_or_else(|| Refusal::missing("type"))?;
    match (key.role, kind == CREDIT) {
        (Role::Confidential, true) | (Role::Public, false) => {}
        (Role::Confidential, false) => return Err(Refusal::invalid("type")),
        _ => return Err(Refusal::forbidden()),
    }
    if kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Ok(kind)
    } else {
        Err(Refusal::invalid("type"))
    }
}

fn read_amount(kind: &str, body: &Doc) -> Result<Option<Decimal>, Refusal> {
    match body.get("amount") {
        Some(amount) => amount.amount().map(Some).ok_or_else(|| Refusal::invalid("amount")),
        None if kind == CREDIT => Err(Refusal::missing("amount")),
        None => Ok(None),
    }
}

/// `GET /sources/{id}`: a merchant's key, a public key with the source's client secret, or a
/// shopper of the merchant.
pub(crate) fn read(
    world: &World,
    merchant: &str,
    role: Role,
    id: &str,
    secret: Option<&str>,
) -> Result<Doc, Refusal> {
    let source = world.source(merchant, id)?;
    let is_denied = match role {
        Role::Public => secret != Some(source.secret.as_str()),
        Role::OrderOnly => true,
        Role::Confidential | Role::Restricted => false,
    };
    if is_denied {
        return Err(Refusal::forbidden());
    }
    Ok(show::source(source, true))
}

/// `POST`, `PUT` or `PATCH /sources/{id}`: changes what the vendor's script may change (owner,
/// expiry). The amount of store credit cannot be changed.
pub(crate) fn update(
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
    Ok(show::source(source, true))
}

/// `POST /_emulator/sources/{id}/authorize`, which the vendor does not have: the shopper returns
/// from a redirect, or the money arrives. A waiting source becomes chargeable, and the charges that
/// waited for it become capturable.
pub(crate) fn authorize(world: &mut World, id: &str) -> Result<Doc, Refusal> {
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
    Ok(show::source(source, true))
}
