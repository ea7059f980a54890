//! Creating store credit without what it needs.

use super::page;
use crate::dialects::checkouts;
use crate::rules::{
    Intent, NewSource, Policy, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const ROW: Row = Row {
    id: RuleId::SecondarySourceShape,
    dialect: checkouts::DIALECT,
    default: Toggle::Reject,
    remedy: None,
    meaning: "creating store credit without amount, type, or the object named after the type",
    fires: "`POST /sources` of a secondary type without `amount`, without `type`, or without the empty object named after the type.",
    answer: "400 bad_request, code `missing_parameter`, parameter = the missing name.",
    instead: "Send `type`, `amount` and an empty object named after the type: `{\"type\": \"customerCredit\", \"amount\": 5, \"customerCredit\": {}}`.",
    page: page::CARTS_CREATING,
    check,
};

fn check(view: &View<'_>) -> Fact<Option<Violation>> {
    let Intent::CreateSource(new) = view.intent else { return Ok(None) };
    Ok(missing(new, view.policy).map(|name| Violation {
        rule: ROW.id,
        dialect: ROW.dialect,
        found: format!("no `{name}`"),
        accepted: "type, amount, and an empty object named after the type",
        refusal: Refusal::bad_request(
            "missing_parameter",
            format!("Missing required parameter '{name}'."),
        )
        .parameter(name),
    }))
}

/// The first name that is missing. A primary source has other needs, which upstream judges.
fn missing(new: &NewSource, policy: &Policy) -> Option<String> {
    let Some(kind) = &new.kind else { return Some("type".to_owned()) };
    if !policy.types.is_secondary(kind) {
        return None;
    }
    if !new.has_amount {
        return Some("amount".to_owned());
    }
    (!new.has_type_object).then(|| kind.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::fixtures::{Given, owes};

    fn create(kind: Option<&str>, has_amount: bool, has_type_object: bool) -> Intent {
        Intent::CreateSource(NewSource {
            kind: kind.map(Into::into),
            has_amount,
            has_type_object,
            has_owner: false,
        })
    }

    #[test]
    fn store_credit_without_what_it_needs_is_refused() {
        for (intent, name) in [
            (create(None, true, true), "type"),
            (create(Some("customerCredit"), false, true), "amount"),
            (create(Some("customerCredit"), true, false), "customerCredit"),
            (create(Some("customerCredit"), false, false), "amount"),
        ] {
            let refusal = Refusal {
                status: 400,
                code: "missing_parameter",
                subcode: None,
                parameter: Some(name.into()),
                message: format!("Missing required parameter '{name}'.").into(),
            };
            owes(ROW.id, &Given::nothing(), &intent, &refusal, &[]);
        }
    }

    #[test]
    fn whole_store_credit_and_any_primary_are_forwarded() {
        Given::nothing().forwards(&create(Some("customerCredit"), true, true));
        Given::nothing().forwards(&create(Some("creditCard"), false, false));
    }
}
