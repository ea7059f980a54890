use super::*;
use crate::{
    dialects::{carts, checkouts},
    rules::{
        Answer, Fact, FreshFor, Funding, Mode, NewSource, Owner, RuleId, Sequencing, SessionFacts,
        SourceFacts, Stated, Subject, UsedFact,
        fixtures::{
            Given, NOW, amount, apply_shopper, attach, card, cart, checkout, credit, detach,
            invoice, nothing_attached, order, save, source, update,
        },
    },
};
use Toggle::{Monitor, Off, Reject, Reorder};
use std::time::Duration;

const WINDOW: Duration = Duration::from_millis(250);

fn in_body(source: &str) -> Funding {
    Funding { source: Some(source.into()), ..Funding::default() }
}

/// What a first primary's attach meets, over every input there is: the toggle of its dialect's
/// rule, the window, defer, whether it has been held, whether it can be deferred, and the
/// dialect.
#[test]
fn a_single_use_primary_waits_only_where_the_policy_asks_for_it() {
    for toggle in [Reject, Reorder, Monitor, Off] {
        for (window, defer, held, deferrable) in
            every_four().map(|(w, d, h, r)| (if w { WINDOW } else { Duration::ZERO }, d, h, r))
        {
            for (session, dialect) in [
                (checkout(), checkouts::DIALECT),
                (invoice(), checkouts::DIALECT),
                (cart(), carts::DIALECT),
            ] {
                let mut given = Given::session().source(card("p"));
                given.known.waited = held;
                given.known.deferrable = deferrable;
                given.policy.sequencing = Sequencing { window, defer };
                given = given
                    .toggle(RuleId::SecondaryAfterSingleUsePrimary, toggle)
                    .toggle(RuleId::PrimaryBeforeSecondary, toggle);
                let expected = match (toggle, dialect) {
                    (Reorder, by) if by == checkouts::DIALECT && defer && deferrable => {
                        Verdict::Defer
                    }
                    (Reorder, _) if !window.is_zero() && !held => Verdict::Hold { window: WINDOW },
                    _ => Verdict::Forward { monitored: None },
                };
                let found = given.decide(&attach(session.clone(), "p"));
                assert_eq!(
                    found, expected,
                    "{toggle} {window:?} {defer} {held} {deferrable} {session:?}"
                );
            }
        }
    }
}

fn every_four() -> impl Iterator<Item = (bool, bool, bool, bool)> {
    (0..16u8).map(|bits| (bits & 1 > 0, bits & 2 > 0, bits & 4 > 0, bits & 8 > 0))
}

fn waiting(given: Given) -> Given {
    let given = given
        .toggle(RuleId::SecondaryAfterSingleUsePrimary, Reorder)
        .toggle(RuleId::PrimaryBeforeSecondary, Reorder);
    given.policy(|policy| policy.sequencing.window = WINDOW)
}

#[test]
fn only_the_first_attach_of_a_single_use_primary_waits() {
    let hold = Verdict::Hold { window: WINDOW };
    let forward = Verdict::Forward { monitored: None };
    let empty = || {
        Given::session()
            .source(card("p"))
            .source(card("saved").saved_to("c"))
            .source(credit("c", "5"))
    };
    for (given, intent, expected) in [
        (empty(), attach(checkout(), "p"), &hold),
        (empty(), update(checkout(), in_body("p")), &hold),
        (empty().holds(credit("d", "5")), attach(checkout(), "p"), &hold),
        (empty(), attach(checkout(), "saved"), &forward),
        (empty(), attach(checkout(), "c"), &forward),
        (empty().holds(card("p")), attach(checkout(), "p"), &forward),
        (empty(), update(checkout(), Funding::default()), &forward),
        (empty(), detach(checkout(), "p"), &forward),
        (
            empty(),
            Intent::CreateSession { kind: checkouts::CHECKOUT, funding: in_body("p") },
            &forward,
        ),
        (empty().options(&[card("p")]), apply_shopper(), &forward),
    ] {
        assert_eq!(&waiting(given).decide(&intent), expected, "{intent:?}");
    }
}

#[test]
fn a_session_that_is_an_order_takes_no_more_sources_so_nobody_waits_for_them() {
    let complete =
        SessionFacts { state: Stated::Stated(SessionState::Complete), ..nothing_attached() };
    for defer in [false, true] {
        let mut given = waiting(Given::shown(complete.clone()).source(card("p")));
        given.policy.sequencing.defer = defer;
        given.known.deferrable = true;
        given.forwards(&attach(checkout(), "p"));
    }
}

#[test]
fn what_is_refused_does_not_wait_first() {
    let given = waiting(Given::session().source(card("p").in_state("consumed")));
    assert_eq!(given.refused_by(&attach(checkout(), "p")), RuleId::SpentSource);
}

#[test]
fn whether_to_wait_is_looked_up_but_never_keeps_a_call_from_going() {
    let lookup = Lookup::Source("p".into());
    let of_unknown_reuse = SourceFacts { reusable: Stated::Unstated, ..card("p") };
    let given = waiting(Given::session().source(of_unknown_reuse));
    given.needs(&attach(checkout(), "p"), lookup.clone());
    given.clone().failed(lookup.clone()).forwards(&attach(checkout(), "p"));
    given.clone().looked_up(lookup.clone()).forwards(&attach(checkout(), "p"));
    let strict = given.policy(|policy| policy.on_lookup_failure = OnLookupFailure::Reject);
    strict.failed(lookup).forwards(&attach(checkout(), "p"));
}

#[test]
fn a_mode_that_only_reports_or_is_off_waits_for_nothing() {
    for mode in [Mode::Monitor, Mode::Off] {
        waiting(Given::session().source(card("p")))
            .policy(|policy| policy.mode = mode)
            .forwards(&attach(checkout(), "p"));
    }
}

#[test]
fn store_credit_overtakes_a_waiting_primary() {
    let given = Given::session().source(credit("c", "5")).source(card("p"));
    let legacy = Funding { credit_amount: Some(amount("5")), ..Funding::default() };
    let lookup = |id: &str| Lookup::Source(id.into());
    let new = |id| SourceFacts::named(id);
    for (given, intent, expected) in [
        (given.clone(), attach(checkout(), "c"), Ok(true)),
        (given.clone(), attach(cart(), "c"), Ok(true)),
        (given.clone(), update(checkout(), in_body("c")), Ok(true)),
        (given.clone(), update(checkout(), legacy), Ok(true)),
        (given.clone(), attach(checkout(), "p"), Ok(false)),
        (given.clone(), update(checkout(), in_body("p")), Ok(false)),
        (given.clone(), update(checkout(), Funding::default()), Ok(false)),
        (given.clone(), order(checkout()), Ok(false)),
        (given.clone(), detach(checkout(), "c"), Ok(false)),
        (given.clone(), apply_shopper(), Ok(false)),
        (given.clone(), attach(checkout(), "new"), Err(lookup("new"))),
        (given.clone().source(new("new")), attach(checkout(), "new"), Err(lookup("new"))),
        (given.clone().looked_up(lookup("new")), attach(checkout(), "new"), Ok(false)),
        (given.clone().failed(lookup("new")), update(checkout(), in_body("new")), Ok(false)),
    ] {
        assert_eq!(overtakes(&given.known, &intent, &given.policy), expected, "{intent:?}");
    }
}

#[test]
fn the_first_broken_rule_of_the_table_answers() {
    let everything_wrong = || {
        Given::session().holds(source("p", "trustly")).source(credit("c", "101").in_state("failed"))
    };
    let mut given = everything_wrong();
    for rule in [
        RuleId::SecondaryAfterSingleUsePrimary,
        RuleId::SpentSource,
        RuleId::AmountExceedsTotal,
        RuleId::PrimaryPairing,
    ] {
        assert_eq!(given.refused_by(&attach(checkout(), "c")), rule);
        given = given.toggle(rule, Off);
    }
    given.forwards(&attach(checkout(), "c"));
    let mut given = everything_wrong().holds(credit("d", "5"));
    for rule in [
        RuleId::PrimaryBeforeSecondary,
        RuleId::OneSecondary,
        RuleId::PrimaryPairing,
        RuleId::SpentSource,
        RuleId::AmountExceedsTotal,
    ] {
        assert_eq!(given.refused_by(&attach(cart(), "c")), rule);
        given = given.toggle(rule, Off);
    }
    given.forwards(&attach(cart(), "c"));
}

#[test]
fn a_rule_that_only_reports_does_not_hide_one_that_refuses() {
    let given = Given::session().holds(card("p")).source(credit("c", "101"));
    let given = given.toggle(RuleId::SecondaryAfterSingleUsePrimary, Monitor);
    assert_eq!(given.refused_by(&attach(checkout(), "c")), RuleId::AmountExceedsTotal);
    let given = given.toggle(RuleId::AmountExceedsTotal, Monitor);
    match given.decide(&attach(checkout(), "c")) {
        Verdict::Forward { monitored: Some(first) } => {
            assert_eq!(first.rule, RuleId::SecondaryAfterSingleUsePrimary)
        }
        verdict => panic!("should be forwarded and reported, not {verdict:?}"),
    }
}

#[test]
fn a_remembered_fact_is_good_until_it_is_as_old_as_the_policy_allows() {
    let intent = attach(checkout(), "s");
    for (fresh_for, age, refused) in [
        (FreshFor::Within(Duration::from_secs(2)), 0, true),
        (FreshFor::Within(Duration::from_secs(2)), 1_999, true),
        (FreshFor::Within(Duration::from_secs(2)), 2_000, false),
        (FreshFor::Within(Duration::ZERO), 0, false),
        (FreshFor::Forever, u64::MAX / 2, true),
    ] {
        let mut given = Given::session()
            .source(card("s").in_state("consumed"))
            .policy(|policy| policy.fresh_for = fresh_for);
        given.now.0 += age;
        match refused {
            true => assert_eq!(given.refused_by(&intent), RuleId::SpentSource),
            false => {
                given.needs(&intent, Lookup::Source("s".into()));
                assert_eq!(
                    given.confirmed(Lookup::Source("s".into())).refused_by(&intent),
                    RuleId::SpentSource
                );
            }
        }
    }
}

#[test]
fn a_clock_that_goes_back_makes_nothing_fresh() {
    let mut given = Given::session().source(card("s").in_state("consumed"));
    given.now.0 -= 10_000;
    given.needs(&attach(checkout(), "s"), Lookup::Source("s".into()));
}

#[test]
fn a_look_up_confirms_only_what_it_told() {
    let intent = attach(checkout(), "s");
    let given = Given::session().source(card("s").in_state("consumed")).an_hour_later();
    // The look-up stated other facts than the state, so the remembered state is still old.
    given.looked_up(Lookup::Source("s".into())).forwards(&intent);
}

#[test]
fn reads_are_forwarded_whatever_is_known() {
    for intent in [
        Intent::ReadSession { session: checkout() },
        Intent::ReadSource { source: "s".into() },
        Intent::ReadCustomer { customer: "c".into() },
        Intent::ReadOptions,
    ] {
        Given::nothing().forwards(&intent);
    }
}

#[test]
fn what_does_not_exist_is_upstreams_to_refuse_whatever_the_policy() {
    for (intent, lookup) in [
        (attach(checkout(), "s"), Lookup::Source("s".into())),
        (attach(cart(), "s"), Lookup::Source("s".into())),
        (save("c", "s"), Lookup::Source("s".into())),
    ] {
        for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
            let given = Given::session()
                .holds(card("p"))
                .policy(|policy| policy.on_lookup_failure = on_lookup_failure);
            given.absent(lookup.clone()).forwards(&intent);
        }
    }
}

#[test]
fn calls_that_no_rule_speaks_of_need_nothing() {
    for intent in [
        detach(checkout(), "s"),
        Intent::Detach { session: cart(), source: None },
        Intent::DeleteSession { session: checkout() },
        Intent::Touch { session: cart() },
        Intent::HandOver { session: cart() },
        Intent::Remove { dialect: checkouts::DIALECT, customer: "c".into(), source: "s".into() },
        Intent::ChangeOption {
            dialect: carts::DIALECT,
            option: "o".into(),
            removes: true,
            source: None,
        },
        Intent::UpdateCustomer {
            dialect: checkouts::DIALECT,
            customer: "c".into(),
            default: None,
            ends: false,
        },
        Intent::EditSource { source: "s".into(), amount: false },
        update(checkout(), Funding { changes_total: true, ..Funding::default() }),
        Intent::CreateSession { kind: checkouts::CHECKOUT, funding: Funding::default() },
    ] {
        Given::nothing().forwards(&intent);
    }
}

#[test]
fn every_decision_ends_after_asking_for_each_thing_once() {
    let intents = [
        attach(checkout(), "s"),
        attach(invoice(), "s"),
        attach(cart(), "s"),
        update(checkout(), Funding { credit_amount: Some(amount("5")), ..in_body("s") }),
        order(checkout()),
        order(cart()),
        save("c", "s"),
        Intent::Save { dialect: carts::DIALECT, owner: Owner::Shopper, source: "s".into() },
        Intent::UpdateCustomer {
            dialect: checkouts::DIALECT,
            customer: "c".into(),
            default: Some("s".into()),
            ends: false,
        },
        apply_shopper(),
        Intent::EditSource { source: "s".into(), amount: true },
        Intent::CreateSource(NewSource::default()),
    ];
    let untold = SessionFacts {
        sources: Stated::Stated(vec![SourceFacts::named("a"), SourceFacts::named("b")]),
        ..SessionFacts::default()
    };
    for given in [Given::nothing(), Given::shown(untold), Given::shown(nothing_attached())] {
        for intent in &intents {
            for fails in [false, true] {
                let mut given =
                    waiting(given.clone()).toggle(RuleId::SecondPrimary, Reorder).an_hour_later();
                while let Verdict::Need(lookup) = given.decide(intent) {
                    assert_eq!(
                        given.known.looked_up(&lookup),
                        None,
                        "{intent:?} asks twice for {lookup:?}"
                    );
                    given = if fails { given.failed(lookup) } else { given.looked_up(lookup) };
                }
                assert!(given.known.looked_up.len() <= 4, "{intent:?}");
            }
        }
    }
}

#[test]
fn a_violation_names_the_facts_it_rests_on_and_their_dates() {
    let given = Given::session().holds(card("p")).source(credit("c", "5"));
    let Verdict::Reject(violation) = given.decide(&attach(checkout(), "c")) else {
        panic!("should be refused")
    };
    let of = |id: &str| Subject::Source(id.into());
    let facts = [
        (Subject::Session, Field::Sources, Some(NOW)),
        (of("p"), Field::Type, None),
        (of("c"), Field::Type, None),
        (of("p"), Field::Reusable, Some(NOW)),
    ];
    assert_eq!(violation.facts, facts.map(|(of, field, at)| UsedFact { of, field, at }));
}

/// What the judgement of a call names as not judged, and why.
fn past(given: &Given, intent: &Intent) -> Vec<(RuleId, MissingFact)> {
    let judgement = judge_call(&given.known, intent, &given.policy, given.now);
    judgement.unjudged.into_iter().map(|unjudged| (unjudged.rule, unjudged.missing)).collect()
}

#[test]
fn a_rule_whose_fact_is_not_to_be_had_is_named_whatever_its_toggle_and_the_mode() {
    let rule = RuleId::SecondaryAfterSingleUsePrimary;
    let lookup = || Lookup::Source("p".into());
    let single = SourceFacts { reusable: Stated::Unread, ..card("p") };
    let given = Given::session().holds(single).source(credit("c", "5")).an_hour_later();
    let given = given.confirmed(Lookup::Session).confirmed(Lookup::Source("c".into()));
    let forward = |given: Given| given.policy(|policy| policy.mode = Mode::Monitor);
    let cases = [
        (given.clone().failed(lookup()), MissingFact::Failed(lookup())),
        (given.clone().absent(lookup()), MissingFact::Absent(lookup())),
        (given.looked_up(lookup()), MissingFact::Untold(lookup(), Some(Field::Reusable))),
    ];
    let only = |given: Given, toggle| {
        let off = |given: Given, rule: &RuleId| given.toggle(*rule, Off);
        RuleId::ALL.iter().fold(given, off).toggle(rule, toggle)
    };
    for (given, missing) in cases {
        for toggle in [Reject, Monitor, Reorder] {
            let given = only(given.clone(), toggle);
            let expected = vec![(rule, missing.clone())];
            assert_eq!(past(&given, &attach(checkout(), "c")), expected, "{toggle:?}");
            assert_eq!(past(&forward(given), &attach(checkout(), "c")), expected, "{toggle:?}");
        }
        assert_eq!(past(&only(given, Off), &attach(checkout(), "c")), []);
    }
}

#[test]
fn nothing_is_named_where_a_rule_has_nothing_to_say_or_the_call_does_not_go_on() {
    let created = Intent::CreateSession { kind: checkouts::CHECKOUT, funding: in_body("c") };
    let known = Given::nothing().source(credit("c", "5"));
    assert_eq!(past(&known, &created), [], "there is no session yet");
    assert_eq!(past(&Given::nothing(), &attach(checkout(), "c")), [], "it is asked for first");
    let refused = Given::session().source(card("s").in_state("consumed"));
    let refused = refused.alter(|session| session.sources = Fact::Unknown);
    let refused = refused.looked_up(Lookup::Session);
    assert_eq!(refused.refused_by(&attach(checkout(), "s")), RuleId::SpentSource);
    assert_eq!(past(&refused, &attach(checkout(), "s")), []);
    assert_eq!(unjudged(&Intent::ReadOptions, &known.policy), []);
}

#[test]
fn a_call_that_goes_up_unjudged_goes_past_all_that_would_have_judged_it() {
    let policy = Given::nothing().policy;
    let rules = |intent: &Intent| -> Vec<RuleId> {
        unjudged(intent, &policy).into_iter().map(|unjudged| unjudged.rule).collect()
    };
    let of_cart = rules(&attach(cart(), "c"));
    assert!(of_cart.contains(&RuleId::PrimaryBeforeSecondary), "{of_cart:?}");
    assert!(!of_cart.contains(&RuleId::UnderfundedOrder), "{of_cart:?}");
    assert!(rules(&order(cart())).contains(&RuleId::UnderfundedOrder));
    let shapeless = Intent::CreateSource(NewSource::default());
    assert_eq!(rules(&shapeless), [RuleId::SecondarySourceShape]);
}
/// What is asked for, by what is known of the session, and by what upstream does itself.
#[test]
fn with_sparing_look_ups_upstream_is_asked_only_where_it_would_not_judge_or_a_violation_is_likely()
{
    let sparing = |given: Given| given.policy(|policy| policy.look_ups = LookUps::Sparing);
    let source = |id: &str| Verdict::Need(Lookup::Source(id.into()));
    let forward = || Verdict::Forward { monitored: None };
    let attach_new = |session| attach(session, "new");
    let holding = || Given::session().holds(card("card"));
    for (what, given, intent, expected) in [
        ("an unseen checkout", Given::nothing(), attach_new(checkout()), forward()),
        ("an unseen invoice", Given::nothing(), attach_new(invoice()), forward()),
        ("an unseen cart", Given::nothing(), attach_new(cart()), Verdict::Need(Lookup::Session)),
        ("an empty checkout", Given::session(), attach_new(checkout()), forward()),
        ("an empty cart", Given::session(), attach_new(cart()), forward()),
        ("a checkout that holds a source", holding(), attach_new(checkout()), source("new")),
        ("a cart that holds a source", holding(), attach_new(cart()), source("new")),
        ("the same source again", holding(), attach(checkout(), "card"), forward()),
        ("an unseen checkout's order", Given::nothing(), order(checkout()), forward()),
        (
            "an unsure checkout's order",
            Given::session().alter(|session| session.unsure = true),
            order(checkout()),
            Verdict::Need(Lookup::Session),
        ),
        (
            "a checkout of which only that it was seen is known",
            Given::session().alter(|session| session.sources = crate::rules::Fact::Unknown),
            attach_new(checkout()),
            Verdict::Need(Lookup::Session),
        ),
        ("a saving", Given::nothing(), save("customer", "new"), forward()),
    ] {
        assert_eq!(sparing(given).decide(&intent), expected, "{what}");
    }
    // What the operator wants refused and upstream would accept is asked for.
    let strict = sparing(Given::nothing()).toggle(RuleId::SecondPrimary, Reject);
    strict.needs(&attach_new(checkout()), Lookup::Session);
    // A failed look-up that was not worth asking for refuses nothing.
    let failed = sparing(Given::nothing())
        .policy(|policy| policy.on_lookup_failure = OnLookupFailure::Reject)
        .failed(Lookup::Session);
    failed.forwards(&attach_new(checkout()));
}

/// What is suspected is confirmed, however sparing look-ups are.
#[test]
fn a_suspected_violation_is_confirmed_with_sparing_look_ups() {
    let given = Given::session()
        .holds(card("card"))
        .source(credit("credit", "5"))
        .policy(|policy| policy.look_ups = LookUps::Sparing);
    let late = attach(checkout(), "credit");
    assert!(matches!(given.decide(&late), Verdict::Reject(_)));
    given.an_hour_later().needs(&late, Lookup::Session);
}

/// A clock that another process has set may have dated it.
#[test]
fn a_fact_from_the_future_is_confirmed_before_a_refusal() {
    let mut given = Given::session().holds(card("card")).source(credit("credit", "5"));
    given.now = crate::rules::Timestamp(NOW.0 - 1);
    given.needs(&attach(checkout(), "credit"), Lookup::Session);
}

/// Upstream also accepts detaching and removing what is not there.
#[test]
fn that_a_source_is_spent_is_confirmed_where_upstream_has_not_shown_it() {
    let policy = |given: Given| given.policy(|policy| policy.fresh_for = FreshFor::Forever);
    let attach_card = attach(checkout(), "card");
    let detached = policy(Given::session().holds(card("card")))
        .after(&detach(checkout(), "card"), &Answer::default());
    let removal = Intent::Remove {
        dialect: checkouts::DIALECT,
        customer: "mine".into(),
        source: "card".into(),
    };
    let removed = policy(Given::session().source(card("card"))).after(&removal, &Answer::default());
    for given in [detached, removed] {
        given.needs(&attach_card, Lookup::Source("card".into()));
        let shown = given.clone().source(card("card").in_state("cancelled"));
        assert!(matches!(shown.decide(&attach_card), Verdict::Reject(_)));
        given.source(card("card")).forwards(&attach_card);
    }
}
