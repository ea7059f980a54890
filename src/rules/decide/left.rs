//! The rules that a call leaves to upstream.
//!
//! Where a fact is missing that is not worth asking for, upstream judges the call, and its refusal
//! names the rule. A rule that only reports would have reported it.

use super::view;
use crate::rules::{
    Dialect, Intent, Known, Policy, RuleId, SessionState, Timestamp, Toggle, Upstream, check,
    known::{Missing, View},
};

/// Returns the rules, in the order of preference, that only report, that upstream judges itself,
/// and that are not known to be kept. Only facts count on which a refusal may rest. Asks for
/// nothing.
pub fn left_to_upstream(
    known: &Known,
    intent: &Intent,
    policy: &Policy,
    now: Timestamp,
) -> Vec<(Dialect, RuleId)> {
    let state = known.session.as_ref().and_then(|session| session.state.get());
    if intent.is_read() || state == Some(&SessionState::Complete) {
        // What was ordered takes nothing more, whatever the rules say.
        return Vec::new();
    }
    let mut left = Vec::new();
    for (dialect, row, toggle) in policy.rows(intent.dialect()) {
        if toggle != Toggle::Monitor || row.upstream != Upstream::Refuses {
            continue;
        }
        let seen = view(known, intent, policy, dialect, now);
        let mut view = View { strict: true, blind: true, ..seen };
        if check::of(row.id)(&mut view).is_err() && view.missing != Missing::Session {
            left.push((dialect, row.id));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{
        LookUps, Mode,
        fixtures::{Given, attach, card, cart, checkout, credit, order},
    };

    fn left(given: &Given, intent: &Intent) -> Vec<RuleId> {
        let left = left_to_upstream(&given.known, intent, &given.policy, given.now);
        left.into_iter().map(|(_, rule)| rule).collect()
    }

    fn reporting(mut given: Given) -> Given {
        given.policy.mode = Mode::Monitor;
        given.policy.look_ups = LookUps::Sparing;
        given
    }

    #[test]
    fn what_is_known_to_be_right_is_left_to_nobody_and_what_is_not_is() {
        use RuleId::{
            AmountExceedsTotal, PrimaryPairing, SecondaryAfterSingleUsePrimary, SpentSource,
        };
        let empty = reporting(Given::session().source(card("card")));
        let to = |source| attach(checkout(), source);
        assert_eq!(left(&empty, &to("card")), []);
        let all = [SecondaryAfterSingleUsePrimary, SpentSource, AmountExceedsTotal, PrimaryPairing];
        // A fact that is too old for a refusal is none.
        let old = reporting(Given::session().holds(card("card")).an_hour_later());
        assert_eq!(left(&old, &to("credit")), all);
        // Upstream does not refuse these on carts.
        let silent = reporting(Given::session());
        let of_cart = left(&silent, &attach(cart(), "credit"));
        assert_eq!(of_cart, [SpentSource, AmountExceedsTotal]);
    }

    #[test]
    fn only_a_rule_that_reports_is_left_and_nothing_after_the_order() {
        let mut given = Given::session().source(credit("credit", "5")).an_hour_later();
        assert_eq!(left(&given, &attach(checkout(), "credit")), [], "these refuse");
        given = reporting(given);
        assert_ne!(left(&given, &attach(checkout(), "credit")), []);
        let of_order = [RuleId::ForeignSavedSource, RuleId::UnderfundedOrder];
        assert_eq!(left(&given, &order(checkout())), of_order);
        let complete = given.alter(|session| {
            session.state = crate::rules::Fact::known(SessionState::Complete, Timestamp(1));
        });
        assert_eq!(left(&complete, &attach(checkout(), "credit")), []);
    }
}
