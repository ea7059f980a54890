//! Saving a source that is not chargeable.

use super::page;
use crate::rules::{
    Dialect, Intent, Refusal, RuleId, SourceState, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::SaveNotChargeable,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "saving a source that is not chargeable",
    fires: "A source whose state is not `chargeable` is saved: a redirect the shopper has not finished, or one removed from its customer.",
    answer: "409 conflict, code `source_not_chargeable`, parameter `sourceId`: Source '<id>' is not chargeable.",
    instead: "Wait until the source is `chargeable`; one removed from its customer never is again.",
    page: page::SAVING,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    answer: "409, code `apply-payment-failure`, subcode `source_not_chargeable`.",
    page: page::CARTS_SECONDARY,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Intent::Save { source, .. } = view.intent else { return Ok(None) };
    let state = view.source_state(source)?;
    if *state == SourceState::Chargeable {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: RuleId::SaveNotChargeable,
        dialect,
        found: format!("source {source} is {}", state.as_str()),
        accepted: "a chargeable source",
        refusal: match dialect {
            Dialect::Checkouts => {
                Refusal::conflict("source_not_chargeable", format!("Source '{source}' is not chargeable.")).parameter("sourceId")
            }
            Dialect::Carts => Refusal::cart(
                "apply-payment-failure",
                "source_not_chargeable",
                format!("Source '{source}' is not chargeable. Save it once it is."),
            ),
        },
    }))
}
