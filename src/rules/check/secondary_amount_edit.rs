//! The amount of store credit cannot be edited.

use crate::rules::{
    Finding, Intent,
    known::{Fact, View},
};

pub(super) fn secondary_amount_edit(view: &mut View<'_>) -> Fact<Option<Finding>> {
    let Intent::EditSource { source, amount: true } = view.intent else { return Ok(None) };
    if !view.is_secondary(source)? {
        return Ok(None);
    }
    Ok(Some(Finding::AmountEdited { secondary: source.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            Lookup, RuleId,
            fixtures::{Given, card, credit, owes},
        },
    };

    fn edit(amount: bool) -> Intent {
        Intent::EditSource { source: "s".into(), amount }
    }

    #[test]
    fn a_new_amount_for_store_credit_is_refused_and_its_type_never_ages() {
        let refusal = Refusal {
            status: 409,
            code: "session_update_not_allowed",
            subcode: None,
            parameter: None,
            message: "The amount of a secondary source cannot be changed. Detach it, create a new one, and attach that.".into(),
        };
        owes(
            RuleId::SecondaryAmountEdit,
            &Given::nothing().source(credit("s", "5")),
            &edit(true),
            &refusal,
            &[],
        );
    }

    #[test]
    fn other_edits_and_other_sources_are_forwarded() {
        Given::nothing().source(credit("s", "5")).forwards(&edit(false));
        Given::nothing().source(card("s")).forwards(&edit(true));
    }

    #[test]
    fn a_source_nobody_has_seen_is_looked_up() {
        let lookup = Lookup::Source("s".into());
        Given::nothing().needs(&edit(true), lookup.clone());
        Given::nothing().failed(lookup.clone()).forwards(&edit(true));
        Given::nothing().looked_up(lookup).forwards(&edit(true));
        Given::nothing().forwards(&edit(false));
    }
}
