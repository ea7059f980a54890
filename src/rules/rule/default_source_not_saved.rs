//! Checkouts: a default source that the customer has not saved.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::DefaultSourceNotSaved,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "a default source that is not saved to the customer",
    fires: "`POST /customers/{id}` sets `defaultSourceId` to a source that is not saved to that customer.",
    answer: "409 conflict, code `invalid_parameter`, parameter `defaultSourceId`.",
    instead: "Save the source with `POST /customers/{id}/sources/{sourceId}` first.",
    page: page::DEFAULT,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::UpdateCustomer { customer, default: Some(source) } = view.intent else { return Ok(None) };
    if view.saved()?.contains(source) {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("source {source} is not saved to customer {customer}"),
        accepted: "a source saved to that customer",
        refusal: Refusal::conflict("invalid_parameter", format!("Source '{source}' is not attached to this customer."))
            .parameter("defaultSourceId"),
    }))
}
