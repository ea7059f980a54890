//! One primary goes with one secondary. Several secondaries alone are allowed.

use crate::rules::{
    Finding,
    known::{Judged, View},
};

pub(super) fn one_secondary(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if view.holds_nothing() {
        // The incoming source needs no look-up.
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let secondaries = view.other_secondaries(incoming)?.len();
    if secondaries == 0 {
        return Ok(None);
    }
    let limit = match view.is_secondary(incoming)? {
        true if view.primary()?.is_none() => return Ok(None),
        true => 1,
        false => 2,
    };
    if secondaries < limit {
        return Ok(None);
    }
    Ok(Some(Finding::MoreThanOneSecondary { incoming: incoming.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::Refusal,
        rules::{
            Lookup, RuleId, Toggle,
            fixtures::{Given, apply_shopper, attach, card, cart, checkout, credit, owes},
        },
    };

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "apply-payment-failure",
            subcode: Some("one-secondary"),
            parameter: None,
            message: "A primary payment method can be combined with only one store credit. \
                      Detach the other store credits, or create one with the whole amount."
                .into(),
        }
    }

    fn two_credits() -> Given {
        Given::session().holds(credit("a", "5")).holds(credit("b", "5"))
    }

    #[test]
    fn a_primary_beside_two_credits_is_refused() {
        owes(
            RuleId::OneSecondary,
            &two_credits().source(card("card")),
            &attach(cart(), "card"),
            &refusal(),
            &[Lookup::Session],
        );
        two_credits().options(&[card("card")]).refuses(
            &apply_shopper(),
            RuleId::OneSecondary,
            &refusal(),
        );
    }

    #[test]
    fn a_second_credit_beside_a_primary_is_refused() {
        let given =
            Given::session().holds(credit("a", "5")).holds(card("card")).source(credit("b", "5"));
        let given = given.toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
        owes(RuleId::OneSecondary, &given, &attach(cart(), "b"), &refusal(), &[Lookup::Session]);
    }

    #[test]
    fn one_primary_with_one_credit_and_credits_alone_are_forwarded() {
        two_credits().source(credit("c", "5")).forwards(&attach(cart(), "c"));
        Given::session()
            .holds(credit("a", "5"))
            .source(card("card"))
            .forwards(&attach(cart(), "card"));
        let again = Given::session()
            .holds(credit("a", "5"))
            .holds(card("card"))
            .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
        again.forwards(&attach(cart(), "a"));
    }

    #[test]
    fn checkouts_hold_any_number_of_credits() {
        two_credits().source(card("card")).forwards(&attach(checkout(), "card"));
    }
}
