//! A different primary while one is attached. Checkouts replace the first; carts want it detached.

use super::{page, secondary_after_single_use_primary::NOT_ALLOWED};
use crate::rules::{
    Dialect, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::SecondPrimary,
    dialect: Dialect::Checkouts,
    default: Toggle::Monitor,
    remedy: None,
    meaning: "a different primary, which replaces the first and spends it if it is single-use",
    fires: "A primary is attached while a different primary is attached. Upstream allows it: the first is replaced.",
    answer: "Forwarded and reported by default; with `reject`: 409 conflict, code `session_update_not_allowed`.",
    instead: "Detach the first primary yourself, so that losing it is a decision.",
    page: page::ATTACHING,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    default: Toggle::Reject,
    remedy: Some(Toggle::Reorder),
    meaning: "a different primary while one is attached",
    fires: "A primary is attached, or applied with the shopper, while a different primary is attached to the cart.",
    answer: "409, code `apply-payment-failure`; with `reorder`, Weir detaches the first and attaches the new one.",
    instead: "Detach the first primary, then attach the new one.",
    page: page::CARTS_ATTACHING,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let Some(primary) = view.primary()? else { return Ok(None) };
    if primary.id == *incoming || view.is_secondary(incoming)? {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: RuleId::SecondPrimary,
        dialect,
        found: format!("primary {incoming} while the primary {} is attached", primary.id),
        accepted: "one primary at a time: detach the first",
        refusal: match dialect {
            Dialect::Checkouts => Refusal::conflict("session_update_not_allowed", NOT_ALLOWED),
            Dialect::Carts => Refusal::cart(
                "apply-payment-failure",
                RuleId::SecondPrimary.as_str(),
                "The cart already has a primary payment method. Detach it, then attach the new one.",
            ),
        },
    }))
}
