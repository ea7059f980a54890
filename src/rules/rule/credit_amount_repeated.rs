//! Checkouts before 2021-03-23: a credit amount where there is one already.

use super::page;
use crate::rules::{
    Amount, Dialect, Intent, Refusal, RuleId, Toggle, Told, Version, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::CreditAmountRepeated,
    dialect: Dialect::Checkouts,
    default: Toggle::Reject,
    remedy: None,
    meaning: "a second credit amount (versions before 2021-03-23)",
    fires: "`creditAmount` is sent when the checkout has one.",
    answer: "409 conflict, code `creditAmount_already_updated`: Credit amount has already been updated.",
    instead: "Set the credit once; to change it, start a new checkout.",
    page: page::LEGACY,
    check,
};

/// The credit that this call sets on a session that exists. Later versions know no `creditAmount`: what they make of it is upstream's.
pub(super) fn sent(view: &View<'_>) -> Option<Amount> {
    match view.intent {
        Intent::UpdateSession { funding, .. } if funding.version != Told::Told(Version::Nested) => funding.credit_amount,
        _ => None,
    }
}

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    if sent(view).is_none() {
        return Ok(None);
    }
    let Some(credit) = view.of_session(|s| &s.credit_amount)?.filter(|credit| credit.is_positive()) else { return Ok(None) };
    Ok(Some(Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("the checkout has a credit amount of {credit}"),
        accepted: "one credit amount per checkout",
        refusal: Refusal::conflict("creditAmount_already_updated", "Credit amount has already been updated."),
    }))
}
