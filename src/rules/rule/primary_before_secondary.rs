//! Carts: store credit attached while a primary is attached. Upstream accepts it and ignores it at submit: the shopper is charged in full.

use super::page;
use crate::rules::{
    Dialect, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::PrimaryBeforeSecondary,
    dialect: Dialect::Carts,
    default: Toggle::Reject,
    remedy: Some(Toggle::Reorder),
    meaning: "store credit attached after a primary, which upstream would silently ignore",
    fires: "A secondary source is attached to a cart that holds a primary. Upstream answers 200 and ignores the credit when the cart is submitted.",
    answer: "409, code `apply-payment-failure`; with `reorder`, Weir detaches the primary, attaches the credit and attaches the primary again.",
    instead: "Detach the primary, attach the store credit, attach the primary again: on carts a detached source is not spent.",
    page: page::CARTS_ATTACHING,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let Some(primary) = view.primary()? else { return Ok(None) };
    if primary.id == *incoming || !view.is_secondary(incoming)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("secondary {incoming} after the primary {}", primary.id),
        accepted: "the secondary before the primary",
        refusal: Refusal::cart(
            "apply-payment-failure",
            ROW.id.as_str(),
            "Store credit applied after the primary payment method would be ignored when the cart is submitted. \
             Detach the primary, attach the store credit, then attach the primary again.",
        ),
    }))
}
