//! A source that can never be charged again.

use super::page;
use crate::rules::{
    Dialect, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::SpentSource,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "attaching a cancelled, consumed or failed source",
    fires: "A source is attached whose state is `cancelled` (a single-use source once detached, or one removed from its customer), \
            `consumed` or `failed`.",
    answer: "409 conflict, code `source_status_invalid_for_session`: The source status is invalid for this session.",
    instead: "Create a new source and attach that.",
    page: page::DETACHING,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    fires: "A consumed, cancelled or failed source is attached, or applied with the shopper.",
    answer: "409, code `apply-payment-failure`.",
    page: page::CARTS_ATTACHING,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let state = view.source_state(incoming)?;
    if !state.is_spent() {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: RuleId::SpentSource,
        dialect,
        found: format!("source {incoming} is {}", state.as_str()),
        accepted: "a source that has not been consumed, cancelled or failed",
        refusal: match dialect {
            Dialect::Checkouts => {
                Refusal::conflict("source_status_invalid_for_session", "The source status is invalid for this session.")
            }
            Dialect::Carts => Refusal::cart(
                "apply-payment-failure",
                RuleId::SpentSource.as_str(),
                "The source has been consumed, cancelled or has failed. Create a new source and attach that.",
            ),
        },
    }))
}
