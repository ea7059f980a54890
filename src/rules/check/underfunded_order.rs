//! An order before the session is fully funded.

use crate::rules::{
    Amount, Field, Finding, Intent, PaidWith, SessionState, SourceId,
    known::{Gap, Judged, View},
};

pub(super) fn underfunded_order(view: &mut View<'_>) -> Judged<Option<Finding>> {
    let Intent::Order { paid_with, .. } = view.intent else { return Ok(None) };
    let missing = match (paid_with, view.session_state()) {
        (PaidWith::Resumed, _) => return Ok(None),
        // Upstream judges a second order from one session.
        (_, Ok(SessionState::Complete)) => return Ok(None),
        // The state depends on what is attached, not on what is listed.
        (PaidWith::Listed(sources), Ok(_) | Err(Gap::Unstated)) => missing_in_list(view, sources)?,
        (PaidWith::Attached, Ok(SessionState::RequiresConfirmation) | Err(Gap::Unstated)) => {
            missing(view)?
        }
        (PaidWith::Attached, Ok(state)) => {
            return Ok(Some(Finding::NotConfirmed { state: state.clone() }));
        }
        (_, Err(gap)) => return Err(gap),
    };
    Ok(missing.map(|remaining| Finding::Underfunded { remaining }))
}

/// Returns what the listed sources leave of the total, if that is more than zero. Upstream judges a
/// list with a source that is not attached.
fn missing_in_list(view: &mut View<'_>, listed: &[SourceId]) -> Judged<Option<Amount>> {
    let total = *view.of_session(Field::Total, |s| &s.total)?;
    let attached = view.attached()?;
    let mut contributed = Amount::ZERO;
    for id in listed {
        let Some(source) = attached.iter().find(|attached| attached.id == *id) else {
            return Ok(None);
        };
        contributed = contributed.checked_add(view.contribution(source)?).ok_or(Gap::Unstated)?;
    }
    let remaining = total.saturating_sub(contributed);
    Ok(remaining.is_difference(view.session_currency()).then_some(remaining))
}

/// Returns what remains to be contributed, if that is more than zero. A primary contributes all
/// that the secondaries leave.
fn missing(view: &mut View<'_>) -> Judged<Option<Amount>> {
    let remaining = match view.of_session(Field::Remaining, |s| &s.remaining) {
        Ok(remaining) => *remaining,
        Err(_) => {
            if view.primary()?.is_some() {
                return Ok(None);
            }
            let total = *view.of_session(Field::Total, |s| &s.total)?;
            let mut contributed = Amount::ZERO;
            for secondary in view.attached()? {
                contributed =
                    contributed.checked_add(view.contribution(secondary)?).ok_or(Gap::Unstated)?;
            }
            if contributed < total {
                // Later versions never state a credit amount. Where it may be stated, a refusal
                // must wait for it.
                match view.of_session(Field::CreditAmount, |s| &s.credit_amount) {
                    Ok(credit) => contributed = contributed.max(credit.unwrap_or_default()),
                    Err(Gap::Unstated) => {}
                    Err(gap) => return Err(gap),
                }
            }
            total.saturating_sub(contributed)
        }
    };
    Ok(remaining.is_difference(view.session_currency()).then_some(remaining))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Refusal, carts, checkouts},
        rules::{
            Dialect, Fact, FreshFor, Lookup, RuleId, SessionFacts, Stated, Toggle,
            fixtures::{
                Given, NOW, amount, card, cart, checkout, credit, nothing_attached, order,
                order_with, owes,
            },
        },
    };

    const RULE: RuleId = RuleId::UnderfundedOrder;

    fn refusal(dialect: Dialect) -> Refusal {
        match dialect.as_str() {
            "checkouts" => Refusal {
                status: 400,
                code: "order_submit_failed",
                subcode: None,
                parameter: None,
                message: "Payment session status is invalid.".into(),
            },
            _ => Refusal {
                status: 409,
                code: "submit-cart-failed",
                subcode: Some("underfunded-order"),
                parameter: None,
                message: "The cart is not fully paid for. Attach sources until amountRemainingToBeContributed is 0.".into(),
            },
        }
    }

    fn in_state(state: &str, remaining: &str) -> SessionFacts {
        SessionFacts {
            state: Stated::Stated(SessionState::read(state)),
            remaining: Stated::Stated(amount(remaining)),
            ..nothing_attached()
        }
    }

    /// Makes the session of an older version, which states neither the state nor what remains.
    fn legacy(credit: Option<&str>) -> SessionFacts {
        SessionFacts {
            state: Stated::Unstated,
            remaining: Stated::Unstated,
            credit_amount: Stated::Stated(credit.map(amount)),
            ..nothing_attached()
        }
    }

    #[test]
    fn an_order_before_the_money_is_there_is_refused() {
        for (session, dialect) in [(checkout(), checkouts::DIALECT), (cart(), carts::DIALECT)] {
            for facts in [nothing_attached(), in_state("requires_confirmation", "0.01")] {
                owes(
                    RULE,
                    &Given::shown(facts).toggle(RuleId::LostCredit, Toggle::Off),
                    &order(session.clone()),
                    &refusal(dialect),
                    &[Lookup::Session],
                );
            }
        }
    }

    #[test]
    fn less_than_half_of_the_smallest_unit_is_not_missing() {
        for remaining in ["2.8e-14", "2.842170943040401e-14", "0.0049"] {
            let given = Given::shown(in_state("requires_confirmation", remaining));
            given.forwards(&order(checkout()));
            given.forwards(&order(cart()));
            let total = SessionFacts {
                total: Stated::Stated(amount("100").checked_add(amount(remaining)).unwrap()),
                ..legacy(None)
            };
            let given = Given::shown(total).looked_up(Lookup::Session).holds(credit("c", "100"));
            given.forwards(&order(checkout()));
        }
        let yen = |remaining| SessionFacts {
            currency: Stated::Stated("JPY".parse().unwrap()),
            ..in_state("requires_confirmation", remaining)
        };
        Given::shown(yen("0.4")).forwards(&order(checkout()));
        Given::shown(yen("0.5")).refused_by(&order(checkout()));
        Given::shown(in_state("requires_confirmation", "0.005")).refused_by(&order(checkout()));
    }

    #[test]
    fn a_session_that_waits_for_something_is_confirmed_and_then_refused() {
        for state in ["pending_redirect", "pending_funds", "pending", "requires_action"] {
            let forever = |policy: &mut crate::rules::Policy| policy.fresh_for = FreshFor::Forever;
            let given = Given::shown(in_state(state, "0")).policy(forever);
            given.needs(&order(checkout()), Lookup::Session);
            given.clone().failed(Lookup::Session).forwards(&order(checkout()));
            given.clone().confirmed(Lookup::Session).refuses(
                &order(checkout()),
                RULE,
                &refusal(checkouts::DIALECT),
            );
            given.confirmed(Lookup::Session).refuses(
                &order(cart()),
                RULE,
                &refusal(carts::DIALECT),
            );
        }
    }

    #[test]
    fn a_funded_order_a_free_one_and_a_second_one_are_forwarded() {
        let free = SessionFacts { total: Stated::Stated(Amount::ZERO), ..legacy(None) };
        for given in [
            Given::shown(in_state("requires_confirmation", "0")).holds(credit("c", "100")),
            Given::shown(in_state("requires_confirmation", "0"))
                .holds(card("p").in_state("pending_redirect")),
            Given::shown(in_state("complete", "100")),
            Given::shown(free).looked_up(Lookup::Session),
        ] {
            given.forwards(&order(checkout()));
            // Whether credit would be lost is another rule's to ask.
            let given = given.toggle(RuleId::LostCredit, Toggle::Off);
            given.an_hour_later().forwards(&order(cart()));
        }
    }

    #[test]
    fn an_order_is_judged_by_the_sources_it_lists() {
        let all = in_state("requires_confirmation", "0");
        let given = Given::shown(all).holds(credit("a", "60")).holds(credit("b", "40"));
        given.forwards(&order_with(checkout(), &["a", "b"]));
        for listed in [&["a"][..], &["b"], &[]] {
            given.refuses(&order_with(checkout(), listed), RULE, &refusal(checkouts::DIALECT));
        }
        // It may be attached by now, or not belong to the session: upstream knows.
        given.forwards(&order_with(checkout(), &["a", "elsewhere"]));
        let complete = Given::shown(in_state("complete", "100")).holds(credit("a", "1"));
        complete.forwards(&order_with(checkout(), &["a"]));
        Given::nothing().needs(&order_with(checkout(), &["a"]), Lookup::Session);
    }

    #[test]
    fn where_upstream_does_not_say_what_remains_it_is_computed() {
        let asked = |facts| Given::shown(facts).looked_up(Lookup::Session);
        for (name, given, funded) in [
            ("nothing", asked(legacy(None)), false),
            (
                "too little credit",
                asked(legacy(None)).holds(credit("a", "60")).holds(credit("b", "39.99")),
                false,
            ),
            (
                "credit for all",
                asked(legacy(None)).holds(credit("a", "60")).holds(credit("b", "40")),
                true,
            ),
            ("a primary", asked(legacy(None)).holds(card("p")), true),
            ("too little legacy credit", asked(legacy(Some("99.99"))), false),
            ("legacy credit for all", asked(legacy(Some("100"))), true),
            (
                "legacy credit shown as a source, too",
                asked(legacy(Some("60"))).holds(credit("a", "60")),
                false,
            ),
        ] {
            match funded {
                true => given.forwards(&order(checkout())),
                false => assert_eq!(given.refused_by(&order(checkout())), RULE, "{name}"),
            }
        }
    }

    #[test]
    fn a_legacy_credit_too_old_to_rest_on_is_confirmed_before_it_counts_as_none() {
        let given = Given::shown(legacy(Some("100"))).an_hour_later();
        let now = given.now;
        let fresh_but_the_credit = given.alter(|session| {
            session.sources = Fact::known(Default::default(), now);
            session.total = Fact::known(amount("100"), now);
            session.state = Fact::known(SessionState::RequiresConfirmation, now);
            session.credit_amount = Fact::known(None, NOW);
        });
        fresh_but_the_credit.needs(&order(checkout()), Lookup::Session);
    }

    #[test]
    fn an_unknown_session_is_looked_up() {
        Given::nothing().needs(&order(checkout()), Lookup::Session);
        Given::nothing().failed(Lookup::Session).forwards(&order(checkout()));
        Given::nothing().looked_up(Lookup::Session).forwards(&order(cart()));
    }
}
