//! A source that can never be charged again.

use crate::rules::{
    Finding,
    known::{Judged, View},
};

pub(super) fn spent_source(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let state = view.source_state(incoming)?;
    if !state.is_spent() {
        return Ok(None);
    }
    Ok(Some(Finding::Spent { source: incoming.clone(), state: state.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::{Refusal, carts, checkouts},
        rules::{
            Dialect, FreshFor, Funding, Intent, Lookup, RuleId, SourceFacts, Stated, Toggle,
            fixtures::{
                Given, apply_shopper, attach, card, cart, checkout, credit, invoice, owes, update,
            },
        },
    };

    const RULE: RuleId = RuleId::SpentSource;

    fn refusal(dialect: Dialect) -> Refusal {
        match dialect.as_str() {
            "checkouts" => Refusal {
                status: 409,
                code: "source_status_invalid_for_session",
                subcode: None,
                parameter: None,
                message: "The source status is invalid for this session.".into(),
            },
            _ => Refusal {
                status: 409,
                code: "apply-payment-failure",
                subcode: Some("spent-source"),
                parameter: None,
                message: "The source has been consumed, cancelled or has failed. Create a new source and attach that.".into(),
            },
        }
    }

    fn in_body(id: &str) -> Funding {
        Funding { source: Some(id.into()), ..Funding::default() }
    }

    #[test]
    fn a_spent_source_is_refused() {
        for state in ["cancelled", "consumed", "failed"] {
            for (session, dialect) in [
                (checkout(), checkouts::DIALECT),
                (invoice(), checkouts::DIALECT),
                (cart(), carts::DIALECT),
            ] {
                for spent in [card("s"), card("s").saved_to("customer"), credit("s", "5")] {
                    // The other rule would want the cart confirmed on its own account.
                    let given = Given::session()
                        .source(spent.in_state(state))
                        .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
                    let rests_on = [Lookup::Source("s".into())];
                    owes(RULE, &given, &attach(session.clone(), "s"), &refusal(dialect), &rests_on);
                }
            }
        }
    }

    #[test]
    fn it_is_refused_in_every_form() {
        let given = Given::session().source(card("s").in_state("cancelled"));
        for intent in [
            update(checkout(), in_body("s")),
            Intent::CreateSession { kind: checkouts::CHECKOUT, funding: in_body("s") },
            Intent::CreateSession { kind: checkouts::INVOICE, funding: in_body("s") },
        ] {
            given.refuses(&intent, RULE, &refusal(checkouts::DIALECT));
        }
        let given = Given::session().options(&[card("s").in_state("failed")]);
        given.refuses(&apply_shopper(), RULE, &refusal(carts::DIALECT));
    }

    #[test]
    fn a_chargeable_source_is_forwarded() {
        for session in [checkout(), cart()] {
            Given::session().source(card("s")).an_hour_later().forwards(&attach(session, "s"));
        }
    }

    #[test]
    fn a_state_that_changes_on_its_own_is_always_confirmed_and_then_forwarded() {
        let lookup = || Lookup::Source("s".into());
        for state in
            ["pending_redirect", "pending_funds", "requires_action", "pending", "under_review"]
        {
            for (session, dialect) in [(checkout(), checkouts::DIALECT), (cart(), carts::DIALECT)] {
                let given = Given::session()
                    .source(card("s").in_state(state))
                    .policy(|policy| policy.fresh_for = FreshFor::Forever);
                let intent = attach(session, "s");
                given.needs(&intent, lookup());
                given.clone().confirmed(lookup()).forwards(&intent);
                given.clone().failed(lookup()).forwards(&intent);
                // It has failed meanwhile, without a call.
                given.source(card("s").in_state("failed")).looked_up(lookup()).refuses(
                    &intent,
                    RULE,
                    &refusal(dialect),
                );
            }
        }
    }

    #[test]
    fn spent_does_not_wear_off_where_weir_is_the_only_way_in() {
        let given = Given::session().source(card("s").in_state("cancelled")).an_hour_later();
        let given = given.policy(|policy| policy.fresh_for = FreshFor::Forever);
        given.refuses(&attach(checkout(), "s"), RULE, &refusal(checkouts::DIALECT));
    }

    #[test]
    fn a_source_nobody_has_seen_is_looked_up() {
        let intent = attach(checkout(), "s");
        Given::session().needs(&intent, Lookup::Source("s".into()));
        let of_unknown_state = SourceFacts { state: Stated::Unstated, ..card("s") };
        Given::session().source(of_unknown_state).needs(&intent, Lookup::Source("s".into()));
        Given::session().looked_up(Lookup::Source("s".into())).forwards(&intent);
    }

    #[test]
    fn detaching_a_spent_source_is_no_attach() {
        let given = Given::session().holds(card("s").in_state("failed"));
        given.forwards(&crate::rules::fixtures::detach(checkout(), "s"));
    }
}
