//! Creating store credit without a member that it needs.

use crate::rules::{
    Finding, Intent, Missing, NewSource, Policy,
    known::{Judged, View},
};

pub(super) fn secondary_source_shape(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Intent::CreateSource(new) = view.intent else { return Ok(None) };
    Ok(missing(new, view.policy).map(Finding::Missing))
}

/// Returns the first missing member. A primary has other needs, which upstream judges.
fn missing(new: &NewSource, policy: &Policy) -> Option<Missing> {
    let Some(kind) = &new.kind else { return Some(Missing::Type) };
    if !policy.types.is_secondary(kind) {
        return None;
    }
    if !new.has_amount {
        return Some(Missing::Amount);
    }
    (!new.has_type_object).then(|| Missing::TypeObject(kind.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            RuleId,
            fixtures::{Given, owes},
        },
    };

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
            owes(RuleId::SecondarySourceShape, &Given::nothing(), &intent, &refusal, &[]);
        }
    }

    #[test]
    fn whole_store_credit_and_any_primary_are_forwarded() {
        Given::nothing().forwards(&create(Some("customerCredit"), true, true));
        Given::nothing().forwards(&create(Some("creditCard"), false, false));
    }
}
