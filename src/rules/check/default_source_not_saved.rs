//! A default source that is not saved to the customer.

use crate::rules::{
    Finding, Intent,
    known::{Judged, View},
};

pub(super) fn default_source_not_saved(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let (source, customer) = match view.intent {
        Intent::UpdateCustomer { customer, default: Some(source), .. } => (source, Some(customer)),
        // Nothing is saved to a customer who does not exist yet.
        Intent::CreateCustomer { default, .. } => (default, None),
        _ => return Ok(None),
    };
    if customer.is_some() && view.saved()?.contains(source) {
        return Ok(None);
    }
    Ok(Some(Finding::NotSaved { source: source.clone(), customer: customer.cloned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Refusal, checkouts},
        rules::{
            FreshFor, Lookup, RuleId,
            fixtures::{Given, owes},
        },
    };

    fn set_default(source: Option<&str>) -> Intent {
        Intent::UpdateCustomer {
            dialect: checkouts::DIALECT,
            customer: "customer".into(),
            default: source.map(Into::into),
            ends: false,
        }
    }

    #[test]
    fn a_customer_who_is_created_has_no_saved_source() {
        let create = Intent::CreateCustomer { dialect: checkouts::DIALECT, default: "s".into() };
        Given::nothing().refused_by(&create);
        Given::nothing()
            .source(crate::rules::fixtures::card("s").saved_to("c"))
            .refused_by(&create);
    }

    #[test]
    fn a_default_that_is_not_saved_is_refused() {
        let refusal = Refusal {
            status: 409,
            code: "invalid_parameter",
            subcode: None,
            parameter: Some("defaultSourceId".into()),
            message: "Source 's' is not attached to this customer.".into(),
        };
        for saved in [vec![], vec!["other"]] {
            let given = Given::nothing().saved(&saved);
            owes(
                RuleId::DefaultSourceNotSaved,
                &given.clone().confirmed(Lookup::Customer),
                &set_default(Some("s")),
                &refusal,
                &[],
            );
            // However fresh: the list may be that of another merchant's customer of the same id.
            given.needs(&set_default(Some("s")), Lookup::Customer);
            given.failed(Lookup::Customer).forwards(&set_default(Some("s")));
        }
    }

    #[test]
    fn one_that_is_saved_and_an_update_without_one_are_forwarded() {
        Given::nothing().saved(&["other", "s"]).forwards(&set_default(Some("s")));
        Given::nothing().forwards(&set_default(None));
    }

    #[test]
    fn another_key_may_have_saved_it_so_the_list_is_always_confirmed() {
        let forever = Given::nothing()
            .saved(&["other"])
            .policy(|policy| policy.fresh_for = FreshFor::Forever);
        forever.needs(&set_default(Some("s")), Lookup::Customer);
        forever.clone().looked_up(Lookup::Customer).refused_by(&set_default(Some("s")));
        forever.failed(Lookup::Customer).forwards(&set_default(Some("s")));
    }

    #[test]
    fn an_unknown_customer_is_looked_up() {
        Given::nothing().needs(&set_default(Some("s")), Lookup::Customer);
        Given::nothing().looked_up(Lookup::Customer).forwards(&set_default(Some("s")));
    }
}
