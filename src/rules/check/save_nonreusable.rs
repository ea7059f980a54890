//! Saving a source whose type cannot be used again.

use crate::rules::{
    Finding, Intent, SourceId,
    known::{Judged, View},
};

/// Returns the source that a call saves, also by putting it behind a payment option.
pub(super) fn saved_source(intent: &Intent) -> Option<&SourceId> {
    match intent {
        Intent::Save { source, .. } => Some(source),
        Intent::ChangeOption { source, removes: false, .. } => source.as_ref(),
        _ => None,
    }
}

pub(super) fn save_nonreusable(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Some(source) = saved_source(view.intent) else { return Ok(None) };
    let kind = view.kind(source)?;
    if !view.policy.types.cannot_be_saved(kind) {
        return Ok(None);
    }
    Ok(Some(Finding::NotReusable { source: source.clone(), kind: kind.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::Refusal,
        rules::{
            Lookup, RuleId,
            fixtures::{Given, card, change_option, credit, owes, save, save_option, source},
        },
    };

    const RULE: RuleId = RuleId::SaveNonreusable;

    fn customers() -> Refusal {
        Refusal {
            status: 409,
            code: "nonreusable_source",
            subcode: None,
            parameter: None,
            message: "Only a reusable source may be attached to a customer.".into(),
        }
    }

    fn shoppers() -> Refusal {
        Refusal {
            status: 409,
            code: "apply-payment-failure",
            subcode: Some("nonreusable_source"),
            parameter: None,
            message: "Only a reusable source may be saved as a payment option. Attach this one to the cart only.".into(),
        }
    }

    #[test]
    fn what_cannot_be_reused_is_not_saved_and_its_type_never_ages() {
        for unsavable in [credit("s", "5"), source("s", "payPal"), source("s", "wireTransfer")] {
            let given = Given::nothing().source(unsavable);
            owes(RULE, &given, &save("customer", "s"), &customers(), &[]);
            owes(RULE, &given, &save_option("s"), &shoppers(), &[]);
        }
    }

    #[test]
    fn a_payment_option_that_is_changed_to_a_source_saves_it() {
        for unsavable in [credit("s", "5"), source("s", "payPal")] {
            let given = Given::nothing().source(unsavable);
            owes(RULE, &given, &change_option(Some("s")), &shoppers(), &[]);
            given.forwards(&change_option(None));
        }
        Given::nothing().source(card("s")).forwards(&change_option(Some("s")));
        Given::nothing().needs(&change_option(Some("s")), Lookup::Source("s".into()));
    }

    #[test]
    fn what_can_be_reused_or_is_of_no_known_type_is_forwarded() {
        for savable in [card("s"), source("s", "payPalBilling"), source("s", "someNewThing")] {
            let given = Given::nothing().source(savable);
            given.forwards(&save("customer", "s"));
            given.forwards(&save_option("s"));
        }
    }

    #[test]
    fn a_source_nobody_has_seen_is_looked_up() {
        let lookup = Lookup::Source("s".into());
        Given::nothing().needs(&save("customer", "s"), lookup.clone());
        Given::nothing().failed(lookup.clone()).forwards(&save("customer", "s"));
        Given::nothing().looked_up(lookup).forwards(&save_option("s"));
    }
}
