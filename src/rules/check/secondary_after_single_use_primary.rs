//! Store credit attached while the primary is single-use.

use crate::rules::{
    Field, Finding,
    known::{Judged, View},
};

pub(super) fn secondary_after_single_use_primary(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    // The session is judged first, because without a primary the incoming source needs no look-up.
    let Some(primary) = view.primary()? else { return Ok(None) };
    if primary.id == *incoming
        || !view.is_secondary(incoming)?
        || *view.of_source(&primary.id, Field::Reusable, |s| &s.reusable)?
    {
        return Ok(None);
    }
    Ok(Some(Finding::AfterSingleUsePrimary {
        secondary: incoming.clone(),
        primary: primary.id.clone(),
    }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::{Refusal, checkouts},
        rules::{
            Funding, Intent, Lookup, RuleId, SourceFacts, Stated, Toggle, Verdict,
            fixtures::{Given, attach, card, cart, checkout, credit, invoice, owes, update},
        },
    };

    fn too_late() -> Given {
        Given::session().holds(card("card")).source(credit("credit", "5"))
    }

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "session_update_not_allowed",
            subcode: None,
            parameter: None,
            message: "Updating source is not allowed for the current session state.".into(),
        }
    }

    #[test]
    fn store_credit_after_a_single_use_primary_is_refused() {
        let rests_on = [Lookup::Session, Lookup::Source("card".into())];
        owes(
            RuleId::SecondaryAfterSingleUsePrimary,
            &too_late(),
            &attach(checkout(), "credit"),
            &refusal(),
            &rests_on,
        );
    }

    #[test]
    fn it_is_refused_in_every_form() {
        let funding = Funding { source: Some("credit".into()), ..Funding::default() };
        let more = Funding { changes_total: true, ..funding.clone() };
        for intent in [
            attach(checkout(), "credit"),
            attach(invoice(), "credit"),
            update(checkout(), funding.clone()),
            update(invoice(), funding),
            update(checkout(), more),
        ] {
            too_late().refuses(&intent, RuleId::SecondaryAfterSingleUsePrimary, &refusal());
        }
    }

    #[test]
    fn other_orders_are_forwarded() {
        let funding = Funding { source: Some("credit".into()), ..Funding::default() };
        let credit = || credit("credit", "5");
        for (given, intent) in [
            (Given::session().source(credit()), attach(checkout(), "credit")),
            (Given::session().holds(credit()).source(card("card")), attach(checkout(), "card")),
            (
                Given::session().holds(card("card").saved_to("customer")).source(credit()),
                attach(checkout(), "credit"),
            ),
            (Given::session().holds(card("card")), attach(checkout(), "card")),
            (too_late(), Intent::CreateSession { kind: checkouts::CHECKOUT, funding }),
        ] {
            given.forwards(&intent);
        }
    }

    #[test]
    fn what_is_not_known_is_looked_up_one_thing_at_a_time() {
        let intent = attach(checkout(), "credit");
        Given::nothing().needs(&intent, Lookup::Session);
        let of_unknown_reuse = SourceFacts { reusable: Stated::Unstated, ..card("card") };
        let given = Given::session().holds(of_unknown_reuse);
        given.needs(&intent, Lookup::Source("credit".into()));
        given.source(credit("credit", "5")).needs(&intent, Lookup::Source("card".into()));
    }

    #[test]
    fn reorder_cannot_put_right_what_has_already_come_too_late() {
        too_late().toggle(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder).refuses(
            &attach(checkout(), "credit"),
            RuleId::SecondaryAfterSingleUsePrimary,
            &refusal(),
        );
    }

    #[test]
    fn it_is_no_rule_of_carts() {
        let given = too_late().toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
        assert_eq!(given.decide(&attach(cart(), "credit")), Verdict::Forward { monitored: None });
    }
}
