//! An order while store credit stands that joined after the primary. Upstream accepts the order and
//! leaves the credit out, so the shopper is charged in full.
//!
//! It is the last line of defence, and holds whatever happened before. Two things tell: the order
//! of attachment that Weir saw, and the figures that the session shows. Where they are silent, it
//! is not known whether the credit is lost. Then nothing is refused, but a policy that reorders
//! attaches the primary again, which does no harm. Where such a policy cannot see which sources
//! stand, and several may, the order has to wait.

use crate::rules::{
    Amount, Attached, Field, Finding, Intent, Joined, Known, RuleId, SessionRecord, SessionState,
    SourceId, Toggle,
    known::{Gap, Judged, Lack, View},
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
        Ok(standing) => (standing, Gap::Unstated),
        Err(Gap::Need(lookup)) => return Err(Gap::Need(lookup)),
        // Where the session cannot be seen now, what was seen of it last counts: the credit would
        // be lost for certain.
        Err(gap) => (remembered(view), gap),
    };
    let reorders = view.policy.toggle(view.dialect, RuleId::LostCredit) == Toggle::Reorder;
    match standing {
        Standing::Lost { secondary, primary } => {
            Ok(Some(Finding::LostCredit { secondary, primary }))
        }
        Standing::Unknown { secondary, primary } if reorders => {
            Ok(Some(Finding::CreditInDoubt { secondary, primary }))
        }
        Standing::Right if reorders => match unseen(view) {
            Some(source) => Ok(Some(Finding::CreditUnseen { source: source.clone() })),
            None => Err(gap),
        },
        Standing::Unknown { secondary, primary } => {
            if gap == Gap::Unstated {
                view.missing = Lack::Order { secondary, primary };
            }
            Err(gap)
        }
        Standing::Right => Err(gap),
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

/// How store credit stands beside a primary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::rules) enum Standing {
    /// There is none, or it joined before the primary.
    Right,
    /// It joined after the primary, and an order would leave it out.
    Lost { secondary: SourceId, primary: SourceId },
    /// Which of them joined first is not known.
    Unknown { secondary: SourceId, primary: SourceId },
}

/// Returns how credit stands, on facts that a refusal may rest on.
fn confirmed(view: &mut View<'_>) -> Judged<Standing> {
    if view.session_state() == Ok(&SessionState::Complete) {
        // Upstream judges a second order from one session.
        return Ok(Standing::Right);
    }
    let attached = view.attached()?;
    // `attached` has shown that there is one.
    let Some(record) = view.known.session.as_ref() else { return Err(Gap::Unstated) };
    if !record.joined.awaited.is_empty() {
        // Credit may have joined since.
        view.confirmed_session(record.sources.stated_at())?;
    }
    let Some(primary) = view.primary()? else { return Ok(Standing::Right) };
    let mut secondaries = Vec::new();
    for source in attached {
        if view.is_secondary(&source.id)? {
            secondaries.push(source);
        }
    }
    if by_figures(record, primary, &secondaries).is_some() {
        view.of_session(Field::Contributed, |s| &s.contributed).ok();
    }
    Ok(standing(record, primary, &secondaries))
}

/// Returns how credit stood when the session was seen last.
fn remembered(view: &View<'_>) -> Standing {
    let Some(record) = &view.known.session else { return Standing::Right };
    let is_secondary =
        |id: &SourceId| view.known.kind_of(id).map(|kind| view.policy.types.is_secondary(kind));
    let attached = view.known.attached();
    let Some(primary) = attached.iter().find(|one| is_secondary(&one.id) == Some(false)) else {
        return Standing::Right;
    };
    let secondaries: Vec<_> =
        attached.iter().filter(|one| is_secondary(&one.id) == Some(true)).collect();
    let late = secondaries.iter().find(|one| is_late(&record.joined, one, primary) == Some(true));
    if let Some(late) = late {
        return Standing::Lost { secondary: late.id.clone(), primary: primary.id.clone() };
    }
    let seen = standing(record, primary, &secondaries);
    // Figures from before a call of no known end say nothing.
    if matches!(seen, Standing::Lost { .. }) && !record.unsure && !record.in_flight {
        return seen;
    }
    // What happened to the session since the last look is not known.
    let may_stand = secondaries.first().map(|one| &one.id).or(record.joined.awaited.first());
    match may_stand {
        Some(secondary) => {
            Standing::Unknown { secondary: secondary.clone(), primary: primary.id.clone() }
        }
        None => Standing::Right,
    }
}

/// Returns how these secondaries stand beside the primary.
pub(in crate::rules) fn standing(
    record: &SessionRecord,
    primary: &Attached,
    secondaries: &[&Attached],
) -> Standing {
    let Some(any) = secondaries.last() else { return Standing::Right };
    let late = secondaries.iter().find(|one| is_late(&record.joined, one, primary) == Some(true));
    let figures = by_figures(record, primary, secondaries);
    let is_seen = secondaries.iter().all(|one| is_late(&record.joined, one, primary).is_some());
    match (late, figures) {
        (Some(late), _) => {
            Standing::Lost { secondary: late.id.clone(), primary: primary.id.clone() }
        }
        (None, Some(true)) => {
            Standing::Lost { secondary: any.id.clone(), primary: primary.id.clone() }
        }
        (None, Some(false)) => Standing::Right,
        (None, None) if is_seen => Standing::Right,
        (None, None) => {
            Standing::Unknown { secondary: any.id.clone(), primary: primary.id.clone() }
        }
    }
}

fn is_late(joined: &Joined, secondary: &Attached, primary: &Attached) -> Option<bool> {
    joined.after(&secondary.id, &primary.id)
}

/// Returns whether the figures show that credit is left out, or `None` if they do not tell. Where
/// it is, the primary pays what the credit should, so that the sources sum up to more than is
/// contributed. All figures must be from one answer.
fn by_figures(
    record: &SessionRecord,
    primary: &Attached,
    secondaries: &[&Attached],
) -> Option<bool> {
    let shown_at = record.sources.stated_at();
    let of_that_answer = |fact: &crate::rules::Fact<Amount>| {
        fact.get().copied().filter(|_| fact.stated_at() == shown_at)
    };
    let currency = record.currency.as_ref().copied();
    let is_more = |one: Amount, other: Amount| one.saturating_sub(other).is_difference(currency);
    let own = *primary.amount.as_ref()?;
    let mut credit = Amount::ZERO;
    for secondary in secondaries {
        credit = credit.checked_add(*secondary.amount.as_ref()?)?;
    }
    if !is_more(own, Amount::ZERO) || !is_more(credit, Amount::ZERO) {
        // A primary that pays nothing takes nothing from the credit.
        return Some(false);
    }
    let contributed = of_that_answer(&record.contributed);
    if contributed.is_none() && of_that_answer(&record.total).is_none() {
        return None;
    }
    let sum = own.checked_add(credit)?;
    let too_much = contributed.is_some_and(|contributed| is_more(sum, contributed));
    let pays_all = of_that_answer(&record.total).is_some_and(|total| !is_more(total, own));
    match (too_much || pays_all, contributed) {
        (true, _) => Some(true),
        (false, Some(_)) => Some(false),
        (false, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        dialects::Refusal,
        rules::{
            FreshFor, Lookup, PaidWith, Remedy, SessionFacts, SourceFacts, Stated, Verdict,
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
    fn figures_of_two_answers_are_not_compared() {
        let given = figures("100", Some("100"), Some("100")).alter(|session| {
            let before = crate::rules::Timestamp(crate::rules::fixtures::NOW.0 - 1);
            session.contributed = crate::rules::Fact::known(amount("100"), before);
            session.total = crate::rules::Fact::known(amount("100"), before);
        });
        given.forwards(&order(cart()));
    }

    #[test]
    fn an_order_that_is_not_known_is_forwarded_by_reject_and_mended_by_reorder() {
        let mend = Remedy::Resequence { primary: "card".into() };
        for order_seen in [&[][..], &["card"], &["credit"]] {
            let given = joined(order_seen);
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
        reorder(spent(joined(&[]))).forwards(&order(cart()));
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
