//! An order while store credit stands that joined after the primary. Upstream accepts the order and
//! leaves the credit out, so the shopper is charged in full.
//!
//! It is the last line of defence, and holds whatever happened before. Two things tell: the order
//! of attachment that Weir saw, and the figures that the session shows. Where they are silent, it
//! is not known whether the credit is lost. Then nothing is refused, but a policy that reorders
//! attaches the primary again, which does no harm. Where such a policy cannot see which sources
//! stand, and several may, the order has to wait.

use crate::rules::{
    Attached, Field, Finding, Intent, Joined, Known, RuleId, SessionRecord, SessionState, SourceId,
    Toggle,
    known::{Gap, Judged, Missing, View},
    standing::{Standing, by_figures, is_late, standing, standing_beside_untyped},
};
use std::collections::BTreeSet;

pub(super) fn lost_credit(view: &mut View<'_>) -> Judged<Option<Finding>> {
    if !matches!(view.intent, Intent::Order { .. }) {
        return Ok(None);
    }
    // Upstream would not refuse, so "no credit is lost" must be as fresh as "one is".
    let mut strict = view.strictly();
    let confirmed = confirmed(&mut strict);
    view.missing = strict.missing;
    if view.strict {
        view.used = strict.used;
    }
    let (standing, gap) = match confirmed {
        Ok(Standing::Right) => return Ok(None),
        Ok(standing) => (Some(standing), Gap::Unstated),
        Err(Gap::Need(lookup)) => return Err(Gap::Need(lookup)),
        // Where the session cannot be seen now, what was seen of it last counts: the credit would
        // be lost for certain. Where it can, and its sources are hidden, what is old does not.
        Err(gap) => {
            let counts = gap != Gap::Unstated || view.strictly().attached().is_ok();
            (remembered(view).filter(|_| counts), gap)
        }
    };
    let reorders = view.policy.toggle(view.dialect, RuleId::LostCredit) == Toggle::Reorder;
    match standing {
        Some(Standing::Lost { secondary, primary }) => {
            Ok(Some(Finding::LostCredit { secondary, primary }))
        }
        Some(Standing::LeftOut) => Ok(Some(Finding::CreditLeftOut)),
        Some(Standing::Unknown { secondary, primary }) if reorders => {
            Ok(Some(Finding::CreditInDoubt { secondary, primary }))
        }
        Some(Standing::Unknown { secondary, primary }) => {
            if gap == Gap::Unstated {
                view.missing = Missing::Order { secondary, primary };
            }
            Err(gap)
        }
        Some(Standing::Right) | None => match unseen(view).filter(|_| reorders) {
            Some(source) => Ok(Some(Finding::CreditUnseen { source: source.clone() })),
            None => Err(gap),
        },
    }
}

/// Returns a source that may stand, where two or more may and it is not known which do.
fn unseen<'a>(view: &View<'a>) -> Option<&'a SourceId> {
    let known: &'a Known = view.known;
    let record = known.session.as_ref()?;
    let Joined { order, awaited } = &record.joined;
    let attached = known.attached().iter().map(|one| &one.id);
    let may_stand: BTreeSet<_> = attached.chain(order).chain(awaited).collect();
    let in_doubt = !awaited.is_empty() || record.sources.get().is_none();
    // One that is in no record may stand beside it.
    let several = known.doubted || in_doubt && may_stand.len() > 1;
    may_stand.iter().copied().next().filter(|_| several)
}

/// Returns how credit stands, on facts that a refusal may rest on.
fn confirmed(view: &mut View<'_>) -> Judged<Standing> {
    if view.session_state() == Ok(&SessionState::Complete) {
        // Upstream judges a second order from one session.
        return Ok(Standing::Right);
    }
    match figures_alone(view) {
        // What was seen names the two, if it may be believed.
        Some(true) => {
            let named = view.clone().attached().ok().and_then(|_| remembered(view));
            return Ok(named.unwrap_or(Standing::LeftOut));
        }
        Some(false) => {
            // Credit may have joined since, and the names that would say so are hidden.
            let told = view.known.session.as_ref().and_then(|s| s.leaves_out.stated_at());
            view.confirmed_session(told)?;
            return Ok(Standing::Right);
        }
        None => {}
    }
    let attached = view.attached()?;
    // `attached` has shown that there is one.
    let Some(record) = view.known.session.as_ref() else { return Err(Gap::Unstated) };
    if !record.joined.awaited.is_empty() {
        // Credit may have joined since.
        view.confirmed_session(record.sources.stated_at())?;
    }
    let (primary, secondaries) = match sides(view, attached) {
        Ok(Some(sides)) => sides,
        Ok(None) => return Ok(Standing::Right),
        Err(Gap::Need(lookup)) => return Err(Gap::Need(lookup)),
        Err(gap) => {
            let standing = beside_untyped(view, record).ok_or(gap)?;
            view.of_session(Field::Contributed, |s| &s.contributed).ok();
            return Ok(standing);
        }
    };
    let figures = by_figures(record, primary, &secondaries);
    if figures.is_some() {
        view.of_session(Field::Contributed, |s| &s.contributed).ok();
    }
    let standing = standing(record, primary, &secondaries);
    match (&standing, figures) {
        // However fresh the sources are, a look shows the figures of one moment.
        (Standing::Unknown { .. }, _) => view.confirmed_session(record.sources.stated_at())?,
        // What is shown after all that was seen says that it has been put right past Weir.
        (Standing::Lost { .. }, Some(false)) => {
            view.confirmed_session(record.sources.stated_at())?;
            return Ok(Standing::Right);
        }
        _ => {}
    }
    Ok(standing)
}

/// Returns whether credit is left out by figures alone, where the session does not name every
/// source.
fn figures_alone(view: &mut View<'_>) -> Option<bool> {
    let told = view.known.session.as_ref()?.leaves_credit_out()?;
    view.of_session(Field::Contributed, |s| &s.leaves_out).ok()?;
    Some(told)
}

/// Returns the primary and the store credit beside it, if there is a primary.
fn sides<'a>(
    view: &mut View<'a>,
    attached: &'a [Attached],
) -> Judged<Option<(&'a Attached, Vec<&'a Attached>)>> {
    let Some(primary) = view.primary()? else { return Ok(None) };
    let mut secondaries = Vec::new();
    for source in attached {
        if view.is_secondary(&source.id)? {
            secondaries.push(source);
        }
    }
    Ok(Some((primary, secondaries)))
}

/// Returns how credit stands beside the one source whose type is not known, if figures tell.
fn beside_untyped(view: &View<'_>, record: &SessionRecord) -> Option<Standing> {
    let types = &view.policy.types;
    let is_secondary = |id: &SourceId| view.known.kind_of(id).map(|kind| types.is_secondary(kind));
    standing_beside_untyped(record, is_secondary)
}

/// Returns how credit stood when the session was seen last; `None` where no credit is known that is
/// lost or in doubt.
fn remembered(view: &View<'_>) -> Option<Standing> {
    let record = view.known.session.as_ref()?;
    let is_secondary =
        |id: &SourceId| view.known.kind_of(id).map(|kind| view.policy.types.is_secondary(kind));
    let attached = view.known.attached();
    // Figures from before a call of no known end say nothing.
    let is_sure = !record.unsure && !record.in_flight;
    let is_left_out = is_sure && record.leaves_credit_out() == Some(true);
    let Some(primary) = attached.iter().find(|one| is_secondary(&one.id) == Some(false)) else {
        let untyped = beside_untyped(view, record).filter(|_| is_sure);
        return untyped.or(is_left_out.then_some(Standing::LeftOut));
    };
    let secondaries: Vec<_> =
        attached.iter().filter(|one| is_secondary(&one.id) == Some(true)).collect();
    let late = secondaries.iter().find(|one| is_late(&record.joined, one, primary) == Some(true));
    if let Some(late) = late {
        return Some(Standing::lost(late, primary));
    }
    if is_left_out {
        return Some(Standing::LeftOut);
    }
    let seen = standing(record, primary, &secondaries);
    if matches!(seen, Standing::Lost { .. }) && is_sure {
        return Some(seen);
    }
    // What happened to the session since the last look is not known.
    let may_stand = secondaries.first().map(|one| &one.id).or(record.joined.awaited.first());
    let unknown = |secondary: &SourceId| Standing::Unknown {
        secondary: secondary.clone(),
        primary: primary.id.clone(),
    };
    may_stand.map(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            Amount, FreshFor, Lookup, PaidWith, Remedy, SessionFacts, Share, SourceFacts, Stated,
            Verdict,
            fixtures::{Given, amount, card, cart, credit, nothing_attached, order},
            judge_call,
        },
    };

    const RULE: RuleId = RuleId::LostCredit;

    fn refusal() -> Refusal {
        Refusal {
            status: 409,
            code: "submit-cart-failed",
            subcode: Some("lost-credit"),
            parameter: None,
            message: "The store credit 'credit' was applied after the primary payment method 'card' and would be ignored. \
                      Detach the primary, attach it again, then submit the cart."
                .into(),
        }
    }

    fn resumed() -> Intent {
        Intent::Order { session: cart(), paid_with: PaidWith::Resumed }
    }

    /// A paid cart that shows no figures, with a card and a credit.
    fn silent() -> Given {
        let facts = SessionFacts {
            remaining: Stated::Stated(amount("0")),
            contributed: Stated::Unstated,
            state: Stated::Stated(SessionState::RequiresConfirmation),
            ..nothing_attached()
        };
        let credit = SourceFacts { amount: Stated::Unstated, ..credit("credit", "40") };
        Given::shown(facts).holds(card("card")).holds(credit)
    }

    fn joined(order: &[&str]) -> Given {
        silent().alter(|session| {
            session.joined.order = order.iter().map(|id| SourceId::from(*id)).collect();
        })
    }

    fn late() -> Given {
        joined(&["card", "credit"])
    }

    /// A cart whose card contributes this much beside a credit of 40.
    fn figures(card_pays: &str, contributed: Option<&str>, total: Option<&str>) -> Given {
        let own = SourceFacts { amount: Stated::Stated(amount(card_pays)), ..card("card") };
        Given::shown(SessionFacts {
            total: total.map(amount).into(),
            remaining: Stated::Stated(amount("0")),
            contributed: contributed.map(amount).into(),
            state: Stated::Stated(SessionState::RequiresConfirmation),
            ..nothing_attached()
        })
        .holds(own)
        .holds(credit("credit", "40"))
    }

    #[test]
    fn credit_that_was_seen_to_join_after_the_primary_is_not_submitted() {
        for intent in [order(cart()), resumed()] {
            late().refuses(&intent, RULE, &refusal());
            late().toggle(RULE, Toggle::Off).forwards(&intent);
            match late().toggle(RULE, Toggle::Monitor).decide(&intent) {
                Verdict::Forward { monitored: Some(violation) } => {
                    assert_eq!(violation.rule, RULE);
                }
                verdict => panic!("it is only reported, not {verdict:?}"),
            }
            joined(&["credit", "card"]).forwards(&intent);
        }
    }

    #[test]
    fn the_figures_tell_whatever_was_seen() {
        let (hundred, none) = (Some("100"), None);
        for (card_pays, contributed, total, lost) in [
            ("100", hundred, hundred, true),
            ("100", none, hundred, true),
            ("100", hundred, none, true),
            ("60", hundred, hundred, false),
            // Doubles: a difference that is none.
            ("60.0049", hundred, hundred, false),
            ("60.005", hundred, hundred, true),
            ("60.00000000000001", Some("99.99999999999999"), hundred, false),
            ("99.99999999999999", hundred, hundred, true),
            // A total that has shrunk below the credit.
            ("0", Some("30"), Some("30"), false),
            ("-10", Some("30"), Some("30"), false),
        ] {
            let given = figures(card_pays, contributed, total);
            match lost {
                true => given.refuses(&order(cart()), RULE, &refusal()),
                false => given.forwards(&order(cart())),
            }
        }
    }

    #[test]
    fn credit_that_is_shown_with_nothing_is_not_proved_to_pay() {
        let shown = |card_pays: &str, contributed, total, credits: &[&str]| {
            let mut given = figures(card_pays, contributed, total).alter(|session| {
                session.sources.get_mut().unwrap().pop();
            });
            for (nth, of) in credits.iter().enumerate() {
                given = given.holds(credit(["credit", "second"][nth], of));
            }
            given.looked_up(Lookup::Session)
        };
        let hundred = Some("100");
        for (total, contributed) in [(hundred, hundred), (hundred, None)] {
            shown("100", contributed, total, &["0"]).refuses(&order(cart()), RULE, &refusal());
        }
        for given in [
            // It may be left out, or be worth nothing.
            shown("60", hundred, hundred, &["0"]),
            shown("60", hundred, hundred, &["40", "0"]),
            shown("100", hundred, None, &["0"]),
        ] {
            given.forwards(&order(cart()));
            let verdict = given.toggle(RULE, Toggle::Reorder).decide(&order(cart()));
            assert!(matches!(verdict, Verdict::Remedy { .. }), "{verdict:?}");
        }
    }

    #[test]
    fn a_method_of_unknown_type_beside_credit_is_a_primary_where_the_figures_say_so() {
        let untyped = |pays: &str, contributed| {
            let given = figures(pays, contributed, Some("100")).alter(|session| {
                session.sources.get_mut().unwrap()[0].kind = Stated::Unstated;
            });
            let mut given = given;
            given.known.sources.remove(&"card".into());
            given
        };
        let look_up = || Lookup::Source("card".into());
        let contributed = Some("100");
        untyped("100", contributed).needs(&order(cart()), look_up());
        for given in [
            untyped("100", contributed).failed(look_up()),
            untyped("100", contributed).looked_up(look_up()),
            untyped("100", contributed).an_hour_later().failed(Lookup::Session),
        ] {
            given.refuses(&order(cart()), RULE, &refusal());
            let reordered = given.failed(look_up()).toggle(RULE, Toggle::Reorder);
            assert!(matches!(reordered.decide(&order(cart())), Verdict::Remedy { .. }));
        }
        // It may be credit.
        untyped("60", contributed).failed(look_up()).forwards(&order(cart()));
        untyped("100", None).failed(look_up()).forwards(&order(cart()));
    }

    /// A paid cart that names no source but shows what its card and a credit of 40 pay.
    fn nameless(pays: &str, contributed: Option<&str>, total: Option<&str>) -> SessionFacts {
        let share = |kind: &str, of: &str, supplements| Share {
            kind: Stated::Stated(kind.into()),
            supplements,
            amount: Stated::Stated(amount(of)),
        };
        SessionFacts {
            sources: Stated::Unstated,
            shares: Stated::Stated(vec![
                share("creditCard", pays, false),
                share("customerCredit", "40", true),
            ]),
            total: total.map(amount).into(),
            remaining: Stated::Stated(amount("0")),
            contributed: contributed.map(amount).into(),
            state: Stated::Stated(SessionState::RequiresConfirmation),
            ..nothing_attached()
        }
    }

    #[test]
    fn figures_tell_where_the_cart_does_not_name_its_sources() {
        let (hundred, none) = (Some("100"), None);
        for toggle in [Toggle::Reject, Toggle::Reorder] {
            for (pays, contributed, total) in
                [("100", hundred, hundred), ("100", none, hundred), ("100", hundred, none)]
            {
                let given = Given::shown(nameless(pays, contributed, total)).toggle(RULE, toggle);
                for given in [
                    given.clone(),
                    given.clone().looked_up(Lookup::Session),
                    given.clone().an_hour_later().failed(Lookup::Session),
                ] {
                    match given.decide(&order(cart())) {
                        Verdict::Reject(violation) => {
                            assert_eq!(violation.finding, Finding::CreditLeftOut);
                        }
                        verdict => panic!("{toggle:?}: it should be refused, not {verdict:?}"),
                    }
                }
                given.an_hour_later().needs(&order(cart()), Lookup::Session);
            }
        }
        let right = Given::shown(nameless("60", hundred, hundred));
        right.needs(&order(cart()), Lookup::Session);
        right
            .clone()
            .policy(|policy| policy.fresh_for = FreshFor::Forever)
            .needs(&order(cart()), Lookup::Session);
        right.looked_up(Lookup::Session).forwards(&order(cart()));
        let silent = Given::shown(nameless("60", none, none));
        silent.needs(&order(cart()), Lookup::Session);
        let judgement = |given: Given| {
            let given = given.looked_up(Lookup::Session);
            judge_call(&given.known, &order(cart()), &given.policy, given.now)
        };
        let silent = judgement(silent);
        assert_eq!(silent.verdict, Verdict::Forward { monitored: None });
        assert!(silent.unjudged.iter().any(|one| one.rule == RULE), "{silent:?}");
    }

    #[test]
    fn an_order_that_was_seen_tells_where_the_cart_hides_a_name_later() {
        let hides = |given: Given, pays| {
            let facts = nameless(pays, Some("100"), Some("100"));
            let shown = crate::rules::SessionObservation::LookedUp(Box::new(facts));
            let policy = given.policy.clone();
            given.alter(|session| session.apply(&shown, &policy, crate::rules::fixtures::NOW))
        };
        hides(late(), "100").refuses(&order(cart()), RULE, &refusal());
        let reordered = hides(late(), "100").toggle(RULE, Toggle::Reorder);
        assert!(matches!(reordered.decide(&order(cart())), Verdict::Remedy { .. }));
        // Put right past Weir.
        hides(late(), "60").looked_up(Lookup::Session).forwards(&order(cart()));
        // What was seen long before names nothing that may be taken off.
        let old = hides(late(), "100").toggle(RULE, Toggle::Reorder).alter(|session| {
            if let crate::rules::Fact::Known(_, at) = &mut session.sources {
                at.0 -= 3_600_000;
            }
        });
        assert!(matches!(old.decide(&order(cart())), Verdict::Reject(_)));
    }

    #[test]
    fn a_cart_that_was_put_right_past_weir_is_submitted_on_what_a_look_shows() {
        let late = |pays: &str| {
            figures(pays, Some("100"), Some("100")).alter(|session| {
                session.joined.order = ["card".into(), "credit".into()].into_iter().collect();
            })
        };
        late("60").needs(&order(cart()), Lookup::Session);
        late("60").confirmed(Lookup::Session).forwards(&order(cart()));
        // What was shown before what was seen says nothing, nor what says so itself.
        late("60").failed(Lookup::Session).refuses(&order(cart()), RULE, &refusal());
        late("100").confirmed(Lookup::Session).refuses(&order(cart()), RULE, &refusal());
    }

    #[test]
    fn figures_of_two_answers_are_not_compared_but_looked_at_in_one() {
        let given = figures("100", Some("100"), Some("100")).alter(|session| {
            let before = crate::rules::Timestamp(crate::rules::fixtures::NOW.0 - 1);
            session.contributed = crate::rules::Fact::known(amount("100"), before);
            session.total = crate::rules::Fact::known(amount("100"), before);
        });
        for toggle in [Toggle::Reject, Toggle::Reorder, Toggle::Monitor] {
            let given = given.clone().toggle(RULE, toggle);
            given.needs(&order(cart()), Lookup::Session);
            let forever = given.policy(|policy| policy.fresh_for = FreshFor::Forever);
            forever.needs(&order(cart()), Lookup::Session);
        }
        // The look dates all of them alike.
        given.clone().confirmed(Lookup::Session).refuses(&order(cart()), RULE, &refusal());
        given.looked_up(Lookup::Session).forwards(&order(cart()));
    }

    #[test]
    fn what_does_not_tell_is_looked_at_however_fresh_it_is() {
        let detached = figures("100", Some("100"), Some("100"))
            .source(credit("other", "5"))
            .after(&crate::rules::fixtures::detach(cart(), "other"), &Default::default());
        for given in [joined(&[]), joined(&["card"]), detached] {
            let paid = given.alter(|session| {
                session.remaining =
                    crate::rules::Fact::known(Amount::ZERO, crate::rules::fixtures::NOW);
                session.state = crate::rules::Fact::known(
                    SessionState::RequiresConfirmation,
                    crate::rules::fixtures::NOW,
                );
            });
            paid.needs(&order(cart()), Lookup::Session);
        }
    }

    #[test]
    fn an_order_that_is_not_known_is_forwarded_by_reject_and_mended_by_reorder() {
        let mend = Remedy::Resequence { primary: "card".into() };
        for order_seen in [&[][..], &["card"], &["credit"]] {
            let given = joined(order_seen).looked_up(Lookup::Session);
            given.forwards(&order(cart()));
            match given.toggle(RULE, Toggle::Reorder).decide(&order(cart())) {
                Verdict::Remedy { remedy, violation } => {
                    assert_eq!(remedy, mend);
                    assert!(!violation.finding.is_certain());
                }
                verdict => panic!("it should be put in order, not {verdict:?}"),
            }
        }
        match late().toggle(RULE, Toggle::Reorder).decide(&order(cart())) {
            Verdict::Remedy { remedy, violation } => {
                assert_eq!(remedy, mend);
                assert!(violation.finding.is_certain());
            }
            verdict => panic!("it should be put in order, not {verdict:?}"),
        }
        joined(&["credit", "card"]).toggle(RULE, Toggle::Reorder).forwards(&order(cart()));
    }

    #[test]
    fn an_order_that_goes_up_with_credit_in_doubt_is_named_as_not_judged() {
        let spent = joined(&[]).source(card("card").in_state("consumed"));
        for given in [joined(&[]), spent.toggle(RULE, Toggle::Reorder)] {
            let given = given.looked_up(Lookup::Session);
            let judgement = judge_call(&given.known, &order(cart()), &given.policy, given.now);
            assert_eq!(judgement.verdict, Verdict::Forward { monitored: None });
            let said = judgement.unjudged.iter().find(|one| one.rule == RULE);
            assert_eq!(
                said.map(|one| one.missing.to_string()).as_deref(),
                Some(
                    "the order of attachment is not known: secondary credit may have joined after \
                     the primary card; detach the primary and attach it again before the order"
                )
            );
        }
    }

    #[test]
    fn a_primary_that_is_spent_is_not_taken_off_and_one_that_cannot_be_read_is() {
        let spent = |given: Given| given.source(card("card").in_state("consumed"));
        let reorder = |given: Given| given.toggle(RULE, Toggle::Reorder);
        reorder(spent(late())).refuses(&order(cart()), RULE, &refusal());
        reorder(spent(joined(&[])).looked_up(Lookup::Session)).forwards(&order(cart()));
        let mut unread = reorder(late());
        unread.known.sources.remove(&"card".into());
        unread.known.sources.remove(&"credit".into());
        unread.needs(&order(cart()), Lookup::Source("card".into()));
        let unread = unread.failed(Lookup::Source("card".into()));
        assert!(matches!(unread.decide(&order(cart())), Verdict::Remedy { .. }));
    }

    #[test]
    fn that_no_credit_is_lost_is_confirmed_before_the_cart_is_submitted() {
        for given in [
            joined(&["credit", "card"]),
            Given::session().holds(card("card")),
            late(),
            figures("60", Some("100"), Some("100")),
        ] {
            let paid = given.alter(|session| {
                session.remaining =
                    crate::rules::Fact::known(Amount::ZERO, crate::rules::fixtures::NOW);
                session.state = crate::rules::Fact::known(
                    SessionState::RequiresConfirmation,
                    crate::rules::fixtures::NOW,
                );
            });
            paid.clone().an_hour_later().needs(&order(cart()), Lookup::Session);
            let forever = paid.policy(|policy| policy.fresh_for = FreshFor::Forever);
            assert!(!matches!(
                forever.an_hour_later().decide(&order(cart())),
                Verdict::Need(Lookup::Session)
            ));
        }
        Given::nothing().needs(&order(cart()), Lookup::Session);
    }

    #[test]
    fn where_the_cart_cannot_be_read_what_was_seen_of_it_last_counts() {
        let blind = |given: Given| given.an_hour_later().failed(Lookup::Session);
        let lost = figures("100", Some("100"), Some("100"));
        for given in [late(), lost.clone()] {
            blind(given).refuses(&order(cart()), RULE, &refusal());
        }
        blind(joined(&["credit", "card"])).forwards(&order(cart()));
        Given::nothing().failed(Lookup::Session).forwards(&order(cart()));
        // After a call of no known end only the order that was seen counts.
        let unsure = |given: Given| blind(given.alter(|session| session.unsure = true));
        unsure(late()).refuses(&order(cart()), RULE, &refusal());
        unsure(lost.clone()).forwards(&order(cart()));
        for given in [unsure(lost), blind(joined(&["credit", "card"]))] {
            let verdict = given.toggle(RULE, Toggle::Reorder).decide(&order(cart()));
            assert!(
                !matches!(verdict, Verdict::Forward { .. } | Verdict::Reject(_)),
                "{verdict:?}"
            );
        }
    }

    #[test]
    fn credit_that_may_still_join_makes_the_cart_be_looked_at_however_fresh_it_is() {
        let awaiting = |given: Given| {
            given
                .alter(|session| session.joined.awaited.push("late".into()))
                .policy(|policy| policy.fresh_for = FreshFor::Forever)
        };
        let given = awaiting(joined(&["credit", "card"]));
        given.needs(&order(cart()), Lookup::Session);
        given.clone().confirmed(Lookup::Session).forwards(&order(cart()));
        // It may stand behind the card by now.
        let blind = given.failed(Lookup::Session).toggle(RULE, Toggle::Reorder);
        let blind = blind.failed(Lookup::Source("card".into()));
        assert!(matches!(blind.decide(&order(cart())), Verdict::Remedy { .. }));
    }

    #[test]
    fn a_cart_of_which_nothing_can_be_seen_waits_where_several_sources_may_stand() {
        let blind = |awaited: &[&str]| {
            Given::nothing()
                .alter(|session| {
                    session.unsure = true;
                    session.joined.awaited = awaited.iter().map(|id| SourceId::from(*id)).collect();
                })
                .failed(Lookup::Session)
        };
        let reorder = |given: Given| given.toggle(RULE, Toggle::Reorder);
        assert_eq!(
            reorder(blind(&["card", "credit"])).decide(&order(cart())),
            Verdict::Unavailable(Lookup::Session)
        );
        reorder(blind(&["card"])).forwards(&order(cart()));
        blind(&["card", "credit"]).forwards(&order(cart()));
        let monitor = blind(&["card", "credit"]).toggle(RULE, Toggle::Monitor);
        monitor.forwards(&order(cart()));
    }

    #[test]
    fn a_cart_without_a_primary_or_without_credit_and_a_second_order_are_forwarded() {
        let paid = |given: Given| {
            given.alter(|session| {
                session.remaining =
                    crate::rules::Fact::known(Amount::ZERO, crate::rules::fixtures::NOW);
                session.state = crate::rules::Fact::known(
                    SessionState::RequiresConfirmation,
                    crate::rules::fixtures::NOW,
                );
            })
        };
        paid(Given::session().holds(card("card"))).forwards(&order(cart()));
        paid(Given::session().holds(credit("a", "60")).holds(credit("b", "40")))
            .forwards(&order(cart()));
        let complete = late().alter(|session| {
            session.state =
                crate::rules::Fact::known(SessionState::Complete, crate::rules::fixtures::NOW);
        });
        complete.forwards(&order(cart()));
    }
}
