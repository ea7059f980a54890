//! More store credit than is left to pay.

use crate::rules::{
    Amount, Field, Finding, Intent, SourceId,
    known::{Gap, Judged, View},
};

pub(super) fn amount_exceeds_total(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if matches!(view.intent, Intent::UpdateSession { funding, .. } if funding.changes_total) {
        // The same call may change the total, and upstream judges by the new one.
        return Ok(None);
    }
    let Some(incoming) = view.incoming()? else { return Ok(None) };
    if view.intent.session().is_none()
        || !view.is_secondary(incoming)?
        || view.attached()?.iter().any(|a| a.id == *incoming)
    {
        return Ok(None);
    }
    let amount = *view.of_source(incoming, Field::Amount, |s| &s.amount)?;
    if other_currency(view, incoming) {
        return Ok(None);
    }
    let room = room(view, incoming)?;
    if !amount.saturating_sub(room).is_difference(view.currency(incoming)) {
        return Ok(None);
    }
    Ok(Some(Finding::ExceedsTotal { secondary: incoming.clone(), amount, room }))
}

/// Returns the largest amount that one more secondary may have. A primary shrinks to make room, so
/// only the secondaries count.
fn room(view: &mut View<'_>, incoming: &SourceId) -> Judged<Amount> {
    if view.primary()?.is_none()
        && let Ok(remaining) = view.of_session(Field::Remaining, |s| &s.remaining)
    {
        return Ok(*remaining);
    }
    let total = *view.of_session(Field::Total, |s| &s.total)?;
    let others = view.other_secondaries(incoming)?;
    let mut contributed = Amount::ZERO;
    for other in &others {
        contributed = contributed.checked_add(view.contribution(other)?).ok_or(Gap::Unstated)?;
    }
    if others.is_empty()
        && let Ok(Some(credit)) = view.of_session(Field::CreditAmount, |s| &s.credit_amount)
    {
        contributed = *credit;
    }
    Ok(total.saturating_sub(contributed))
}

/// Returns whether the source and the session are known to differ in currency.
fn other_currency(view: &View<'_>, incoming: &SourceId) -> bool {
    let of_source = view.known.sources.get(incoming).and_then(|s| s.currency.as_ref());
    let of_session = view.known.session.as_ref().and_then(|s| s.currency.as_ref());
    matches!((of_source, of_session), (Some(a), Some(b)) if a != b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::{Refusal, carts, checkouts},
        rules::{
            Dialect, Funding, Lookup, RuleId, SessionFacts, SourceFacts, Stated, Toggle,
            fixtures::{
                Given, amount, attach, card, cart, checkout, credit, currency, invoice,
                nothing_attached, owes, update,
            },
        },
    };

    const RULE: RuleId = RuleId::AmountExceedsTotal;

    fn refusal(dialect: Dialect) -> Refusal {
        match dialect.as_str() {
            "checkouts" => Refusal {
                status: 409,
                code: "session_source_amount_too_large",
                subcode: None,
                parameter: None,
                message: "Source amount(s) exceed session amount".into(),
            },
            _ => Refusal {
                status: 409,
                code: "apply-payment-failure",
                subcode: Some("session_source_amount_too_large"),
                parameter: None,
                message:
                    "The store credit exceeds what remains to be paid. Create one of at most amountRemainingToBeContributed."
                        .into(),
            },
        }
    }

    #[test]
    fn more_credit_than_there_is_to_pay_is_refused() {
        let rests_on = [Lookup::Session, Lookup::Source("c".into())];
        for (session, dialect) in [
            (checkout(), checkouts::DIALECT),
            (invoice(), checkouts::DIALECT),
            (cart(), carts::DIALECT),
        ] {
            // Which would want the cart confirmed on its own account.
            let given = Given::session()
                .source(credit("c", "100.01"))
                .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
            owes(RULE, &given, &attach(session, "c"), &refusal(dialect), &rests_on);
        }
    }

    #[test]
    fn less_than_half_of_the_smallest_unit_is_no_difference() {
        for (code, left, sent, refused) in [
            ("USD", "15.889999999999999", "15.89", false),
            ("USD", "15.88", "15.884999", false),
            ("USD", "15.88", "15.885", true),
            ("JPY", "100", "100.4", false),
            ("JPY", "100", "100.5", true),
            ("KWD", "1.000", "1.0004", false),
            ("KWD", "1.000", "1.0005", true),
        ] {
            let shown = SessionFacts {
                remaining: Stated::Stated(amount(left)),
                currency: Stated::Stated(currency(code)),
                ..nothing_attached()
            };
            let credit =
                SourceFacts { currency: Stated::Stated(currency(code)), ..credit("c", sent) };
            let verdict = Given::shown(shown).source(credit).decide(&attach(checkout(), "c"));
            let is_refused = matches!(verdict, crate::rules::Verdict::Reject(_));
            assert_eq!(is_refused, refused, "{code} {left} {sent}: {verdict:?}");
        }
    }

    #[test]
    fn the_limit_is_what_the_other_credits_leave() {
        let left = |remaining| SessionFacts {
            remaining: Stated::Stated(amount(remaining)),
            ..nothing_attached()
        };
        let untold = || SessionFacts { remaining: Stated::Unstated, ..nothing_attached() };
        let legacy =
            |of| SessionFacts { credit_amount: Stated::Stated(Some(amount(of))), ..untold() };
        let saved = || card("p").saved_to("customer");
        for (name, given, most) in [
            ("nothing attached", Given::session(), "100"),
            (
                "what upstream says remains",
                Given::shown(left("69.99")).holds(credit("a", "30.01")),
                "69.99",
            ),
            ("the same, computed", Given::shown(untold()).holds(credit("a", "30.01")), "69.99"),
            ("beside a reusable primary", Given::shown(left("0")).holds(saved()), "100"),
            (
                "beside a reusable primary and a credit",
                Given::shown(left("0")).holds(credit("a", "30")).holds(saved()),
                "70",
            ),
            ("a legacy credit", Given::shown(legacy("11")), "89"),
        ] {
            let given = |of: &str| given.clone().source(credit("c", of));
            given(most).forwards(&attach(checkout(), "c"));
            let over = amount(most).checked_add(amount("0.01")).unwrap_or_default().to_string();
            let given = given(&over);
            assert_eq!(given.refused_by(&attach(checkout(), "c")), RULE, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_judged_is_forwarded() {
        let dollars = || credit("c", "1000");
        let euros = SourceFacts { currency: Stated::Stated(currency("EUR")), ..dollars() };
        let of_unknown_amount = SourceFacts { amount: Stated::Unstated, ..dollars() };
        let in_body =
            Funding { source: Some("c".into()), changes_total: true, ..Funding::default() };
        let new = Intent::CreateSession {
            kind: crate::dialects::checkouts::CHECKOUT,
            funding: in_body.clone(),
        };
        for (given, intent) in [
            // The other members may raise the total.
            (Given::session().source(dollars()), update(checkout(), in_body)),
            (Given::session().source(dollars()), new),
            (Given::session().source(euros), attach(checkout(), "c")),
            // Again: it is in the sum already.
            (Given::session().holds(dollars()), attach(checkout(), "c")),
            (
                Given::session().source(of_unknown_amount).looked_up(Lookup::Source("c".into())),
                attach(checkout(), "c"),
            ),
            (
                Given::shown(SessionFacts {
                    total: Stated::Unstated,
                    remaining: Stated::Unstated,
                    ..nothing_attached()
                })
                .source(dollars())
                .looked_up(Lookup::Session),
                attach(checkout(), "c"),
            ),
            (
                Given::session()
                    .source(SourceFacts { amount: Stated::Stated(amount("1000")), ..card("p") }),
                attach(checkout(), "p"),
            ),
        ] {
            given.forwards(&intent);
        }
    }

    #[test]
    fn a_body_that_only_attaches_is_judged() {
        let funding = Funding { source: Some("c".into()), ..Funding::default() };
        let given = Given::session().source(credit("c", "100.01"));
        given.refuses(&update(checkout(), funding), RULE, &refusal(checkouts::DIALECT));
    }
}
