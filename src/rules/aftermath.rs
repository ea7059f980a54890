//! What an attach that was carried out has left behind.
//!
//! In: what is known after its answer was learned. Out: whether store credit stands behind a
//! primary now, and what to do about it. The call could not be judged before, because a fact was
//! missing, or a rule only reports it. The answer shows what is attached.

use super::{
    Attached, Finding, Intent, Known, Policy, RuleId, SourceId, Timestamp, Toggle, Violation,
    standing::{Standing, standing},
};

/// What to do after an attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aftermath {
    /// Attach the primary again, so that it is the last.
    Mend {
        /// The primary.
        primary: SourceId,
        /// What is mended.
        violation: Violation,
    },
    /// Report it.
    Report(Violation),
}

/// Returns what to do after a call that upstream has carried out, if anything.
pub fn aftermath(
    known: &Known,
    intent: &Intent,
    policy: &Policy,
    now: Timestamp,
) -> Option<Aftermath> {
    let attaches = intent.attaches().is_some() || matches!(intent, Intent::AttachSaved { .. });
    let dialect = intent.session().filter(|_| attaches)?.kind().dialect();
    let rule = RuleId::PrimaryBeforeSecondary;
    let toggle = policy.toggle(dialect, rule);
    let record = known.session.as_ref().filter(|record| !record.unsure && !record.in_flight)?;
    if toggle == Toggle::Off {
        return None;
    }
    let found = |finding| Violation { rule, dialect, finding, facts: Vec::new() };
    let is_secondary =
        |one: &Attached| known.kind_of(&one.id).map(|kind| policy.types.is_secondary(kind));
    let attached = known.attached();
    let primary = attached.iter().find(|one| is_secondary(one) == Some(false));
    let secondaries: Vec<&Attached> =
        attached.iter().filter(|one| is_secondary(one) == Some(true)).collect();
    let lost = primary.map(|primary| standing(record, primary, &secondaries));
    let is_left_out = record.leaves_credit_out() == Some(true);
    // Where the answer hides a name, what was seen long before names nothing that may be moved.
    let is_fresh = record.sources.stated_at().is_some_and(|at| policy.fresh_for.covers(at, now));
    let (secondary, primary) = match lost {
        Some(Standing::Lost { secondary, primary }) if is_fresh || !is_left_out => {
            (secondary, primary)
        }
        _ => return is_left_out.then(|| Aftermath::Report(found(Finding::CreditLeftOut))),
    };
    let is_spent = known
        .sources
        .get(&primary)
        .and_then(|source| source.state.get())
        .is_some_and(|state| state.is_spent());
    let violation = found(Finding::AfterPrimary { secondary, primary: primary.clone() });
    Some(match toggle {
        Toggle::Reorder if !is_spent => Aftermath::Mend { primary, violation },
        _ => Aftermath::Report(violation),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        Mode, SessionFacts, SourceFacts, Stated,
        fixtures::{
            Given, amount, apply_shopper, attach, card, cart, checkout, credit, detach,
            nothing_attached, shows,
        },
    };

    /// A cart to which a card was attached, by an answer that shows nothing.
    fn with_card() -> Given {
        Given::session().holds(card("card")).after(&attach(cart(), "card"), &Default::default())
    }

    fn after(given: &Given, call: &Intent) -> Option<Aftermath> {
        aftermath(&given.known, call, &given.policy, given.now)
    }

    fn shown(primary: &str) -> SessionFacts {
        let own = SourceFacts { amount: Stated::Stated(amount(primary)), ..card("card") };
        SessionFacts {
            sources: Stated::Stated(vec![own, credit("credit", "40")]),
            remaining: Stated::Stated(amount("0")),
            contributed: Stated::Stated(amount("100")),
            ..nothing_attached()
        }
    }

    #[test]
    fn credit_that_turns_out_to_stand_behind_a_primary_is_mended_or_reported() {
        let call = attach(cart(), "credit");
        let given = Given::nothing().after(&call, &shows(shown("100")));
        let finding = Finding::AfterPrimary { secondary: "credit".into(), primary: "card".into() };
        for (toggle, mends) in
            [(Toggle::Reorder, true), (Toggle::Reject, false), (Toggle::Monitor, false)]
        {
            let given = given.clone().toggle(RuleId::PrimaryBeforeSecondary, toggle);
            match (after(&given, &call), mends) {
                (Some(Aftermath::Mend { primary, violation }), true) => {
                    assert_eq!((primary.as_str(), &violation.finding), ("card", &finding));
                }
                (Some(Aftermath::Report(violation)), false) => {
                    assert_eq!(violation.finding, finding);
                }
                (other, _) => panic!("{toggle:?}: {other:?}"),
            }
        }
        let off = given.clone().toggle(RuleId::PrimaryBeforeSecondary, Toggle::Off);
        assert_eq!(after(&off, &call), None);
        let monitor = given
            .clone()
            .toggle(RuleId::PrimaryBeforeSecondary, Toggle::Reorder)
            .policy(|policy| policy.mode = Mode::Monitor);
        assert!(matches!(after(&monitor, &call), Some(Aftermath::Report(_))));
        assert_eq!(after(&given, &detach(cart(), "x")), None, "it attaches nothing");
        assert_eq!(after(&given, &attach(checkout(), "credit")), None, "no such rule there");
    }

    #[test]
    fn an_order_that_was_seen_tells_where_the_answer_shows_no_figures() {
        let call = attach(cart(), "credit");
        let given = with_card().source(credit("credit", "40"));
        let given = given.alter(|session| session.joined.order.push("card".into()));
        let given = given.after(&call, &Default::default());
        assert!(matches!(after(&given, &call), Some(Aftermath::Report(_))));
    }

    #[test]
    fn the_right_order_and_an_unsure_session_need_nothing() {
        let call = attach(cart(), "card");
        let given = Given::nothing().after(&call, &shows(shown("60")));
        assert_eq!(after(&given, &call), None);
        assert_eq!(after(&given, &apply_shopper()), None);
        let unsure = Given::nothing()
            .after(&call, &shows(shown("100")))
            .alter(|session| session.unsure = true);
        assert_eq!(after(&unsure, &call), None);
    }
}
