//! Checkouts and invoices: store credit attached while the primary is single-use.

use super::page;
use crate::rules::{
    Dialect, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::SecondaryAfterSingleUsePrimary,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: Some(Toggle::Reorder),
    meaning: "store credit attached after a single-use primary",
    fires: "A secondary source is attached while the session's primary has `reusable: false`.",
    answer: "409 conflict, code `session_update_not_allowed`: Updating source is not allowed for the current session state.",
    instead: "Attach store credit first and the primary last; or detach the primary, attach the credit, and attach a new primary \
              (a detached single-use source is spent). A primary saved to the customer may come first.",
    page: page::SINGLE_USE,
    check,
};

pub(super) const NOT_ALLOWED: &str = "Updating source is not allowed for the current session state.";

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    // The session first: where nothing is attached, nobody needs to know what is coming.
    let Some(primary) = view.primary()? else { return Ok(None) };
    if primary.id == *incoming || !view.is_secondary(incoming)? || *view.of_source(&primary.id, |s| &s.reusable)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("secondary {incoming} after the single-use primary {}", primary.id),
        accepted: "the secondary before the primary, or a primary saved to the customer",
        refusal: Refusal::conflict("session_update_not_allowed", NOT_ALLOWED),
    }))
}
