//! A different primary while one is attached, where upstream does not replace the first itself.

use crate::rules::{
    Finding,
    known::{Judged, View},
};

pub(super) fn second_primary(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if view.holds_nothing() {
        // The incoming source needs no look-up.
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    let Some(primary) = view.primary()? else { return Ok(None) };
    if primary.id == *incoming || view.is_secondary(incoming)? {
        return Ok(None);
    }
    Ok(Some(Finding::SecondPrimary { incoming: incoming.clone(), attached: primary.id.clone() }))
}

#[cfg(test)]
mod tests {

    use crate::{
        dialects::{Refusal, checkouts},
        rules::{
            Incoming, Intent, Lookup, Remedy, RuleId, Stated, Toggle, Verdict,
            fixtures::{Given, apply_shopper, attach, card, cart, checkout, credit, owes},
            known::{Gap, Missing, View},
        },
    };

    const RULE: RuleId = RuleId::SecondPrimary;

    fn two() -> Given {
        Given::session().holds(card("first")).source(card("second"))
    }

    fn cart_refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "apply-payment-failure",
            subcode: Some("second-primary"),
            parameter: None,
            message:
                "The cart already has a primary payment method. Detach it, then attach the new one."
                    .into(),
        }
    }

    #[test]
    fn a_second_primary_on_a_cart_is_refused() {
        owes(RULE, &two(), &attach(cart(), "second"), &cart_refusal(), &[Lookup::Session]);
        Given::session().holds(card("first")).options(&[card("second")]).refuses(
            &apply_shopper(),
            RULE,
            &cart_refusal(),
        );
    }

    #[test]
    fn on_a_checkout_it_is_refused_where_the_policy_says_so() {
        let refusal = Refusal {
            status: 409,
            code: "session_update_not_allowed",
            subcode: None,
            parameter: None,
            message: "Updating source is not allowed for the current session state.".into(),
        };
        owes(RULE, &two(), &attach(checkout(), "second"), &refusal, &[Lookup::Session]);
    }

    #[test]
    fn on_a_checkout_it_is_forwarded_and_reported_by_default() {
        for given in [two(), two().toggle(RULE, Toggle::Reorder)] {
            match given.decide(&attach(checkout(), "second")) {
                Verdict::Forward { monitored: Some(violation) } => {
                    assert_eq!((violation.rule, violation.dialect), (RULE, checkouts::DIALECT));
                }
                verdict => panic!("should be forwarded and reported, not {verdict:?}"),
            }
        }
    }

    #[test]
    fn a_first_primary_or_the_same_one_again_is_forwarded() {
        for session in [cart, checkout] {
            Given::session().source(card("card")).forwards(&attach(session(), "card"));
            Given::session().holds(card("card")).forwards(&attach(session(), "card"));
            Given::session()
                .holds(credit("c", "5"))
                .source(card("card"))
                .forwards(&attach(session(), "card"));
        }
        Given::session().holds(card("card")).options(&[card("card")]).forwards(&apply_shopper());
    }

    #[test]
    fn a_shopper_without_the_option_attaches_nothing() {
        let named = Intent::AttachSaved { session: cart(), option: Some("option-none".into()) };
        Given::session().holds(card("card")).options(&[card("other")]).forwards(&named);
        Given::session().holds(card("card")).options(&[]).forwards(&apply_shopper());
    }

    #[test]
    fn where_no_option_is_told_to_be_the_default_one_it_is_not_known_what_is_attached() {
        let mut given = Given::session().holds(card("first")).options(&[card("second")]);
        for option in given.known.options.iter_mut().flatten() {
            option.default = Stated::Unstated;
        }
        given.forwards(&apply_shopper());
        // Nothing is told, so nothing is in order: what the rules need is not known.
        let untold = View {
            known: &given.known,
            intent: &apply_shopper(),
            policy: &given.policy,
            dialect: crate::dialects::carts::DIALECT,
            now: given.now,
            strict: false,
            blind: false,
            used: Vec::new(),
            missing: Missing::Nothing,
        };
        assert_eq!(untold.clone().incoming(), Err(Gap::Unstated));
        let named = Intent::AttachSaved { session: cart(), option: Some("option-second".into()) };
        given.refuses(&named, RULE, &cart_refusal());
        let told = Given::session().holds(card("first")).options(&[]);
        let told = View { known: &told.known, ..untold };
        assert_eq!(told.clone().incoming(), Ok(None));
    }

    /// Kind: a member that cannot be read costs that member.
    #[test]
    fn what_is_not_told_of_another_option_hides_no_second_primary() {
        let options = [card("second"), card("third")];
        let mut given = Given::session().holds(card("first")).options(&options);
        let named = |id: &str| Intent::AttachSaved { session: cart(), option: Some(id.into()) };
        if let Some([_, third]) = given.known.options.as_deref_mut() {
            third.id = Stated::Unread;
            third.source = Stated::Unread;
        }
        given.clone().refuses(&apply_shopper(), RULE, &cart_refusal());
        given.clone().refuses(&named("option-second"), RULE, &cart_refusal());
        // It may be the one whose id cannot be read.
        given.clone().forwards(&named("option-third"));
        // The default one's source is not told, so what is attached is not known.
        if let Some([second, _]) = given.known.options.as_deref_mut() {
            second.source = Stated::Unread;
        }
        given.forwards(&apply_shopper());
    }

    #[test]
    fn the_options_are_looked_up_and_without_them_nothing_is_refused() {
        let given = Given::session().holds(card("card"));
        given.needs(&apply_shopper(), Lookup::PaymentOptions);
        given.clone().failed(Lookup::PaymentOptions).forwards(&apply_shopper());
        given.looked_up(Lookup::PaymentOptions).forwards(&apply_shopper());
    }

    #[test]
    fn reorder_takes_the_first_away_and_attaches_the_second() {
        let by_option = Given::session().holds(card("first")).options(&[card("second")]);
        for (given, intent, incoming) in [
            (two(), attach(cart(), "second"), Incoming::Source("second".into())),
            (by_option, apply_shopper(), Incoming::Option("option-second".into())),
        ] {
            match given.toggle(RULE, Toggle::Reorder).decide(&intent) {
                Verdict::Remedy { remedy, violation } => {
                    assert_eq!(remedy, Remedy::Replace { primary: "first".into(), incoming });
                    assert_eq!(
                        (violation.rule, crate::dialects::Dialects::built_in().words(&violation)),
                        (RULE, cart_refusal())
                    );
                }
                verdict => panic!("should be replaced, not {verdict:?}"),
            }
        }
    }
}
