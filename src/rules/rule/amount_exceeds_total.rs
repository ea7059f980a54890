//! More store credit than there is to pay.

use super::page;
use crate::rules::{
    Amount, Dialect, Intent, Refusal, RuleId, SourceId, Toggle, Violation,
    known::{Fact, Gap, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::AmountExceedsTotal,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "store credit that would exceed the total",
    fires: "A secondary is attached whose amount exceeds what remains to be contributed, or, beside a reusable primary, \
            makes all secondaries together exceed the total.",
    answer: "409 conflict, code `session_source_amount_too_large`: Source amount(s) exceed session amount",
    instead: "Create store credit of at most `amountRemainingToBeContributed`.",
    page: page::ATTACHING,
    check: |view| check(view, Dialect::Checkouts),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: Dialect::Carts,
    fires: "A secondary is attached to a cart whose secondaries together would exceed its total.",
    answer: "409, code `apply-payment-failure`, subcode `session_source_amount_too_large`.",
    page: page::CARTS_AMOUNTS,
    check: |view| check(view, Dialect::Carts),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    if matches!(view.intent, Intent::UpdateSession { funding, .. } if funding.changes_total) {
        // The same call may change the total: upstream judges by the new one.
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    if view.intent.session().is_none() || !view.is_secondary(incoming)? || view.attached()?.iter().any(|a| a.id == *incoming) {
        return Ok(None);
    }
    let amount = *view.of_source(incoming, |s| &s.amount)?;
    if other_currency(view, incoming) {
        return Ok(None);
    }
    let room = room(view, incoming)?;
    if amount <= room {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: RuleId::AmountExceedsTotal,
        dialect,
        found: format!("secondary {incoming} of {amount} where {room} is left"),
        accepted: "secondaries that together do not exceed the total",
        refusal: match dialect {
            Dialect::Checkouts => Refusal::conflict("session_source_amount_too_large", "Source amount(s) exceed session amount"),
            Dialect::Carts => Refusal::cart(
                "apply-payment-failure",
                "session_source_amount_too_large",
                "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed.",
            ),
        },
    }))
}

/// What one more secondary may amount to. A primary shrinks to make room, so only the secondaries count.
fn room(view: &View<'_>, incoming: &SourceId) -> Fact<Amount> {
    if view.primary()?.is_none()
        && let Ok(remaining) = view.of_session(|s| &s.remaining)
    {
        return Ok(*remaining);
    }
    let total = *view.of_session(|s| &s.total)?;
    let others = view.other_secondaries(incoming)?;
    let mut contributed = Amount::ZERO;
    for other in &others {
        contributed = contributed.checked_add(view.contribution(other)?).ok_or(Gap::Untold)?;
    }
    if others.is_empty()
        && let Ok(Some(credit)) = view.of_session(|s| &s.credit_amount)
    {
        contributed = *credit;
    }
    Ok(total.saturating_sub(contributed))
}

fn other_currency(view: &View<'_>, incoming: &SourceId) -> bool {
    let of_source = view.known.sources.get(incoming).and_then(|s| s.currency.as_ref());
    let of_session = view.known.session.as_ref().and_then(|s| s.currency.as_ref());
    matches!((of_source, of_session), (Some(a), Some(b)) if a != b)
}
