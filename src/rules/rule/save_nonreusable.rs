//! Saving a source that cannot be used again.

use super::page;
use crate::dialects::{carts, checkouts};
use crate::rules::{
    Dialect, Intent, Owner, Refusal, RuleId, Toggle, Violation,
    known::{Fact, View},
    table::Row,
};

pub(in crate::rules) const CHECKOUTS: Row = Row {
    id: RuleId::SaveNonreusable,
    dialect: checkouts::DIALECT,
    default: Toggle::Reject,
    remedy: None,
    meaning: "saving store credit, or a type that cannot be reused",
    fires: "A secondary, or a source of a type that cannot be reused (`policy.types`), is saved to a customer.",
    answer: "409 conflict, code `nonreusable_source`: Only a reusable source may be attached to a customer.",
    instead: "Attach the source to the checkout only.",
    page: page::SAVING,
    check: |view| check(view, checkouts::DIALECT),
};

pub(in crate::rules) const CARTS: Row = Row {
    dialect: carts::DIALECT,
    fires: "A secondary, or a source of a type that cannot be reused (`policy.types`), is saved as a payment option.",
    answer: "409, code `apply-payment-failure`, subcode `nonreusable_source`.",
    instead: "Attach the source to the cart only.",
    page: page::CARTS_SECONDARY,
    check: |view| check(view, carts::DIALECT),
    ..CHECKOUTS
};

fn check(view: &View<'_>, dialect: Dialect) -> Fact<Option<Violation>> {
    let Intent::Save { source, .. } = view.intent else { return Ok(None) };
    let kind = view.kind(source)?;
    if !view.policy.types.cannot_be_saved(kind) {
        return Ok(None);
    }
    Ok(Some(Violation {
        rule: RuleId::SaveNonreusable,
        dialect,
        found: format!("source {source} of type {kind}"),
        accepted: "a source of a type that can be reused",
        refusal: match view.intent {
            Intent::Save { owner: Owner::Shopper, .. } => Refusal::cart(
                "apply-payment-failure",
                "nonreusable_source",
                "Only a reusable source may be saved as a payment option. Attach this one to the cart only.",
            ),
            _ => Refusal::conflict(
                "nonreusable_source",
                "Only a reusable source may be attached to a customer.",
            ),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        Lookup,
        fixtures::{Given, card, credit, owes, save, save_option, source},
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
