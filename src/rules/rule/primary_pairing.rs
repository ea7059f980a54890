//! Store credit combined with a primary that does not go with it, in either order.

use super::page;
use crate::rules::{
    Dialect, Refusal, RuleId, SourceType, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::PrimaryPairing,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "store credit combined with a primary of a type that does not go with it",
    fires: "A secondary is combined with a primary whose type is not in the pairing list (`policy.types`), in either order.",
    answer: "409 conflict, code `source_not_supported`, parameter `sourceId`.",
    instead: "Pay with a primary of a type that can be combined, or without store credit.",
    page: page::COMBINING,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    answer: "409, code `apply-payment-failure`.",
    page: page::CARTS_COMBINING,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Some((primary, secondary)) = pair(view)? else { return Ok(None) };
    if view.policy.types.pairs(dialect, primary) {
        return Ok(None);
    }
    let message = format!("A source of type '{secondary}' cannot be combined with a primary source of type '{primary}'.");
    Ok(Some(Violation {
        rule: RuleId::PrimaryPairing,
        dialect,
        found: format!("{secondary} combined with {primary}"),
        accepted: "a primary of a type in the pairing list",
        refusal: match dialect {
            Dialect::Checkouts => Refusal::conflict("source_not_supported", message).parameter("sourceId"),
            Dialect::Carts => {
                let description = format!("{message} Use another primary payment method, or pay without store credit.");
                Refusal::cart("apply-payment-failure", RuleId::PrimaryPairing.as_str(), description)
            }
        },
    }))
}

/// The types of the primary and the secondary that this call would bring together.
fn pair<'a>(view: &View<'a>) -> Fact<Option<(&'a SourceType, &'a SourceType)>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    if view.intent.session().is_none() {
        return Ok(None);
    }
    if let Some(deferred) = view.deferred()
        && view.is_secondary(incoming)?
    {
        return Ok(Some((view.kind(deferred)?, view.kind(incoming)?)));
    }
    if view.attached()?.iter().all(|attached| attached.id == *incoming) {
        return Ok(None);
    }
    if view.is_secondary(incoming)? {
        let Some(primary) = view.primary()? else { return Ok(None) };
        return Ok(Some((view.kind(&primary.id)?, view.kind(incoming)?)));
    }
    let Some(secondary) = view.other_secondaries(incoming)?.first().copied() else { return Ok(None) };
    Ok(Some((view.kind(incoming)?, view.kind(&secondary.id)?)))
}
