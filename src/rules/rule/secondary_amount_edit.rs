//! The amount of store credit cannot be edited.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::SecondaryAmountEdit,
    dialect: Dialect::Carts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "changing the amount of existing store credit",
    fires: "`POST`, `PUT` or `PATCH /sources/{id}` of a secondary source carries `amount`.",
    answer: "409 conflict, code `session_update_not_allowed`.",
    instead: "Detach it, create store credit with the right amount, attach that.",
    page: page::CARTS_SECONDARY,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::EditSource { source, amount: true } = view.intent else { return Ok(None) };
    if !view.is_secondary(source)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("a new amount for the secondary {source}"),
        accepted: "a new secondary source with the right amount",
        refusal: Refusal::conflict(
            "session_update_not_allowed",
            "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.",
        ),
    }))
}
