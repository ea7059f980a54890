//! Carts: one primary goes with one secondary. Several secondaries alone are fine.

use super::page;
use crate::rules::{
    Dialect, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::OneSecondary,
    dialect: Dialect::Carts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "a primary beside two or more secondaries",
    fires: "A primary is attached to a cart that holds two or more secondaries, or a second secondary is attached beside a primary.",
    answer: "409, code `apply-payment-failure`.",
    instead: "Combine the credits into one secondary source, or pay with secondaries alone.",
    page: page::CARTS_COMBINING,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let secondaries = view.other_secondaries(incoming)?.len();
    let limit = match view.is_secondary(incoming)? {
        true if view.primary()?.is_none() => return Ok(None),
        true => 1,
        false => 2,
    };
    if secondaries < limit {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("{incoming} would put a primary beside more than one secondary"),
        accepted: "one primary with one secondary, or secondaries alone",
        refusal: Refusal::cart(
            "apply-payment-failure",
            ROW.id.as_str(),
            "A primary payment method can be combined with only one store credit. \
             Detach the other store credits, or create one with the whole amount.",
        ),
    }))
}
