//! Checkouts: an order with a source that is saved to somebody else than the buyer.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::ForeignSavedSource,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "an order with a saved source of another customer, or of a checkout without one",
    fires: "`POST /orders` for a checkout that holds a saved source while the checkout's `customerId` is absent or another customer's.",
    answer: "409 conflict, code `source_in_use`, parameter `sourceId`: Source '<id>' is attached to a different customer.",
    instead: "Set the checkout's `customerId` to the customer the source is saved to.",
    page: page::USING_SAVED,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::Order { brings_funding: false, .. } = view.intent else { return Ok(None) };
    let Some(primary) = view.primary()? else { return Ok(None) };
    if !*view.of_source(&primary.id, |s| &s.reusable)? {
        return Ok(None);
    }
    let Some(owner) = view.of_source(&primary.id, |s| &s.customer)? else { return Ok(None) };
    let buyer = view.buyer()?;
    if buyer == Some(owner) {
        return Ok(None);
    }
    let found = match buyer {
        Some(buyer) => format!("source {} is saved to customer {owner}, the checkout is customer {buyer}'s", primary.id),
        None => format!("source {} is saved to customer {owner}, the checkout has no customer", primary.id),
    };
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found,
        accepted: "a checkout whose customerId is the customer the source is saved to",
        refusal: Refusal::conflict("source_in_use", format!("Source '{}' is attached to a different customer.", primary.id))
            .parameter("sourceId"),
    }))
}
