//! Store credit attached while a primary is attached. Upstream accepts it and ignores it when the
//! order is made, so the shopper is charged in full.

use crate::rules::{
    Finding,
    known::{Judged, View},
};

pub(super) fn primary_before_secondary(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if view.holds_nothing() && matches!(view.strictly().attached(), Ok([])) {
        // The incoming source needs no look-up.
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let believed = view.primary()?;
    // Where nothing is attached, the incoming source needs no look-up.
    if believed.is_none()
        && view.known.kind_of(incoming).is_none()
        && view.strictly().attached()?.is_empty()
    {
        return Ok(None);
    }
    if believed.is_some_and(|primary| primary.id == *incoming) || !view.is_secondary(incoming)? {
        return Ok(None);
    }
    // Upstream would not refuse, so "no primary" must be as fresh as "a primary": the shopper may
    // have attached one past Weir.
    let Some(primary) =
        believed.map_or_else(|| view.strictly().primary(), |primary| Ok(Some(primary)))?
    else {
        return Ok(None);
    };
    Ok(Some(Finding::AfterPrimary { secondary: incoming.clone(), primary: primary.id.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::Refusal,
        rules::{
            FreshFor, Lookup, Remedy, RuleId, SourceFacts, Stated, Toggle, Verdict,
            fixtures::{Given, apply_shopper, attach, card, cart, credit, owes},
        },
    };

    fn too_late() -> Given {
        Given::session().holds(card("card")).source(credit("credit", "5"))
    }

    fn reorder() -> Given {
        too_late().toggle(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
    }

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "apply-payment-failure",
            subcode: Some("primary-before-secondary"),
            parameter: None,
            message: "Store credit applied after the primary payment method would be ignored when the cart is submitted. \
                      Detach the primary, attach the store credit, then attach the primary again."
                .into(),
        }
    }

    #[test]
    fn store_credit_after_a_primary_is_refused() {
        owes(
            RuleId::PrimaryBeforeSecondary,
            &too_late(),
            &attach(cart(), "credit"),
            &refusal(),
            &[Lookup::Session],
        );
    }

    #[test]
    fn it_does_not_matter_whether_the_primary_is_saved() {
        let given =
            Given::session().holds(card("card").saved_to("shopper")).source(credit("credit", "5"));
        given.refuses(&attach(cart(), "credit"), RuleId::PrimaryBeforeSecondary, &refusal());
    }

    #[test]
    fn other_orders_are_forwarded() {
        let credit = |id| credit(id, "5");
        for (given, intent) in [
            (Given::session().source(credit("a")), attach(cart(), "a")),
            (Given::session().holds(credit("a")).source(credit("b")), attach(cart(), "b")),
            (Given::session().holds(credit("a")).source(card("card")), attach(cart(), "card")),
            (Given::session().holds(card("card")), attach(cart(), "card")),
            (Given::session().holds(credit("a")).options(&[card("card")]), apply_shopper()),
        ] {
            given.forwards(&intent);
        }
    }

    #[test]
    fn what_is_not_known_is_looked_up() {
        Given::nothing().needs(&attach(cart(), "credit"), Lookup::Session);
        Given::session()
            .holds(card("card"))
            .needs(&attach(cart(), "credit"), Lookup::Source("credit".into()));
    }

    #[test]
    fn that_no_primary_is_attached_is_confirmed_before_store_credit_is_let_through() {
        let given = Given::session().source(credit("credit", "5")).an_hour_later();
        given.needs(&attach(cart(), "credit"), Lookup::Session);
        given.clone().confirmed(Lookup::Session).forwards(&attach(cart(), "credit"));
        given
            .policy(|policy| policy.fresh_for = FreshFor::Forever)
            .forwards(&attach(cart(), "credit"));
    }

    #[test]
    fn reorder_moves_the_primary_behind_the_credit() {
        match reorder().decide(&attach(cart(), "credit")) {
            Verdict::Remedy { remedy, violation } => {
                assert_eq!(
                    remedy,
                    Remedy::Repair { primary: "card".into(), incoming: "credit".into() }
                );
                assert_eq!(
                    (violation.rule, crate::dialects::Dialects::built_in().words(&violation)),
                    (RuleId::PrimaryBeforeSecondary, refusal())
                );
            }
            verdict => panic!("should be repaired, not {verdict:?}"),
        }
    }

    #[test]
    fn a_primary_that_upstream_would_not_take_back_is_not_taken_away() {
        for state in ["consumed", "cancelled", "failed"] {
            let given =
                Given::session().holds(card("card").in_state(state)).source(credit("credit", "5"));
            given.toggle(RuleId::PrimaryBeforeSecondary, Toggle::Reorder).refuses(
                &attach(cart(), "credit"),
                RuleId::PrimaryBeforeSecondary,
                &refusal(),
            );
        }
    }

    #[test]
    fn the_primary_is_only_moved_on_fresh_facts_of_it() {
        let of_unknown_state = SourceFacts { state: Stated::Unstated, ..card("card") };
        let given = Given::session()
            .holds(of_unknown_state)
            .source(credit("credit", "5"))
            .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
        let (intent, lookup) = (attach(cart(), "credit"), Lookup::Source("card".into()));
        given.needs(&intent, lookup.clone());
        // The violation itself is known: without the facts a repair needs, it is refused.
        given.clone().failed(lookup.clone()).refuses(
            &intent,
            RuleId::PrimaryBeforeSecondary,
            &refusal(),
        );
        given.looked_up(lookup).refuses(&intent, RuleId::PrimaryBeforeSecondary, &refusal());
    }

    #[test]
    fn what_no_order_of_calls_puts_right_is_refused_for_what_it_is() {
        for (given, rule) in [
            (
                Given::session()
                    .holds(card("card"))
                    .source(credit("credit", "5").in_state("consumed")),
                RuleId::SpentSource,
            ),
            (
                Given::session().holds(card("card")).source(credit("credit", "101")),
                RuleId::AmountExceedsTotal,
            ),
            (
                Given::session()
                    .holds(credit("first", "5"))
                    .holds(card("card"))
                    .source(credit("credit", "5")),
                RuleId::OneSecondary,
            ),
            (
                Given::session()
                    .holds(crate::rules::fixtures::source("p", "trustly"))
                    .source(credit("credit", "5")),
                RuleId::PrimaryPairing,
            ),
        ] {
            assert_eq!(
                given
                    .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
                    .refused_by(&attach(cart(), "credit")),
                rule
            );
        }
    }
}
