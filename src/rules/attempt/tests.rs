//! Every state a call can reach, with every event, in every mode.

use super::{
    state::{Phase, Settling},
    *,
};
use crate::rules::{fixtures::*, *};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

const WINDOW: Duration = Duration::from_millis(250);

/// The state of the records, and whether the caller has been shown the session.
#[derive(Clone, Debug)]
struct World {
    given: Given,
    shown: bool,
}

impl World {
    fn recall(&self, attempt: &mut Attempt) {
        attempt.known.session = self.given.known.session.clone().filter(|_| self.shown);
        attempt.known.sources = self.given.known.sources.clone();
        attempt.known.customer = self.given.known.customer.clone();
    }

    fn alter(&mut self, change: impl FnOnce(&mut crate::rules::SessionRecord)) {
        change(Arc::make_mut(self.given.known.session.get_or_insert_default()));
    }

    fn pending(&self) -> Option<&Pending> {
        self.given.known.session.as_ref()?.pending.as_deref()
    }

    /// Applies the effect of a step that ended like this.
    fn after(&mut self, next: &Next, event: &Event) {
        if *event == (Event::Seen { pending: true }) {
            let note = Pending::Deferred { primary: "card".into(), since: NOW, sending: false };
            self.alter(|record| record.pending = Some(Box::new(note)));
        }
        let settles = matches!(event, Event::DeferredSent(None) | Event::Erased | Event::Recovered);
        if settles {
            self.alter(|record| record.pending = None);
        }
        if let (Next::LookUp(Lookup::Session), Event::LookedUp(LookupEnd::Shown { .. })) =
            (next, event)
        {
            self.shown = true;
            let shown = SessionObservation::LookedUp(Box::new(nothing_attached()));
            let policy = self.given.policy.clone();
            self.alter(|record| record.apply(&shown, &policy, NOW));
        }
        if let (Next::LookUp(Lookup::Source(id)), Event::LookedUp(LookupEnd::Shown { .. })) =
            (next, event)
        {
            let facts = SourceFacts {
                kind: Stated::Stated("creditCard".into()),
                reusable: Stated::Stated(false),
                state: Stated::Stated(SourceState::Chargeable),
                ..SourceFacts::named(id.as_str())
            };
            let record = self.given.known.sources.entry(id.clone()).or_default();
            record.apply(&SourceObservation::Shown(Box::new(facts)), NOW);
        }
    }
}

/// Returns the events that may follow a step.
fn events_of(next: &Next) -> Vec<Event> {
    match next {
        Next::LookUp(Lookup::Session) => look_ups(true),
        Next::LookUp(_) => look_ups(false),
        Next::TakeTurn { .. } => vec![
            Event::TurnTaken { in_hand: true },
            Event::TurnTaken { in_hand: false },
            Event::Seen { pending: true },
            Event::Seen { pending: false },
            Event::Busy,
        ],
        Next::Hold(_) => vec![Event::TurnBack, Event::Busy],
        Next::Recover { .. } => vec![Event::Recovered, Event::Lost],
        Next::SendDeferred { .. } => vec![
            Event::DeferredSent(None),
            Event::DeferredSent(Some(Unsent::NotFromThisCaller)),
            Event::DeferredSent(Some(Unsent::Failed)),
            Event::Lost,
        ],
        Next::EraseDeferred => vec![Event::Erased],
        Next::Defer(_) | Next::Repair(..) | Next::Send(_) | Next::Answer(_) => Vec::new(),
    }
}

/// Returns the ways in which a look-up can end. That of a session always names the session.
fn look_ups(of_session: bool) -> Vec<Event> {
    let shown = |session| LookupEnd::Shown { at: NOW, session, options: None };
    let denied = |why, absent| LookupEnd::Denied { why, absent };
    let shown = match of_session {
        true => {
            vec![
                shown(Some(checkout_key())),
                shown(Some(SessionKey::new(crate::dialects::carts::CART, "other"))),
            ]
        }
        false => vec![shown(None)],
    };
    let not_shown = [
        denied(RefusalScope::ForNow, true),
        denied(RefusalScope::ForNow, false),
        denied(RefusalScope::Missing, true),
        LookupEnd::Forbidden,
        LookupEnd::Failed,
    ];
    shown.into_iter().chain(not_shown).map(Event::LookedUp).collect()
}

fn all_events() -> Vec<Event> {
    let mut events = look_ups(true);
    events.extend([
        Event::TurnTaken { in_hand: true },
        Event::Busy,
        Event::TurnBack,
        Event::Recovered,
        Event::DeferredSent(None),
        Event::DeferredSent(Some(Unsent::Failed)),
        Event::Erased,
        Event::Lost,
    ]);
    events
}

/// Events whose step is of the same kind count as the same.
fn same_kind(one: &Event, other: &Event) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn intents() -> Vec<Intent> {
    vec![
        attach(checkout(), "credit"),
        attach(checkout(), "card"),
        attach(cart(), "credit"),
        attach(cart(), "card"),
        apply_shopper(),
        detach(checkout(), "held"),
        order(checkout()),
        order(cart()),
        update(checkout(), Funding::default()),
        Intent::DeleteSession { session: checkout() },
        Intent::ReadSession { session: checkout() },
        Intent::ReadSession { session: cart() },
        Intent::CreateSource(NewSource { has_owner: true, ..NewSource::default() }),
        Intent::ChangeOption {
            dialect: crate::dialects::carts::DIALECT,
            option: "option".into(),
            removes: true,
            source: None,
        },
        save("customer", "card"),
    ]
}

/// Returns the policies: every mode and lookup failure, and every way in which a primary waits.
fn policies() -> Vec<Policy> {
    let mut policies = Vec::new();
    for mode in [Mode::Enforce, Mode::Monitor, Mode::Off] {
        for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
            let sequencing = [(WINDOW, true), (Duration::ZERO, false), (WINDOW, false)];
            let of_interest = if mode == Mode::Enforce { 3 } else { 1 };
            for (window, defer) in sequencing.into_iter().take(of_interest) {
                let mut policy = Policy { mode, on_lookup_failure, ..crate::dialects::policy() };
                policy.sequencing = crate::rules::Sequencing { window, defer };
                policy.look_ups = LookUps::Thorough;
                if defer || !window.is_zero() {
                    policy.set(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder);
                    policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
                    policy.set(RuleId::SecondPrimary, Toggle::Reorder);
                }
                policies.push(policy);
            }
        }
    }
    let sparing = |mode, on_lookup_failure| Policy {
        mode,
        on_lookup_failure,
        look_ups: LookUps::Sparing,
        ..crate::dialects::policy()
    };
    let sparing = [
        sparing(Mode::Enforce, OnLookupFailure::Forward),
        sparing(Mode::Enforce, OnLookupFailure::Reject),
        sparing(Mode::Monitor, OnLookupFailure::Forward),
    ];
    policies.extend(sparing);
    policies
}

fn worlds(policy: &Policy) -> Vec<World> {
    let deferred = |sending| Pending::Deferred { primary: "card".into(), since: NOW, sending };
    let repair = Pending::Repair { primary: "held".into(), incoming: None, replaces: true };
    let empty = || Given::session().source(credit("credit", "5")).source(card("card"));
    let holding = || empty().holds(card("held"));
    let pending = |given: Given, pending| given.alter(|s| s.pending = Some(Box::new(pending)));
    let mut given = vec![
        empty(),
        holding(),
        Given::session(),
        empty().alter(|session| session.unsure = true),
        empty().alter(|session| session.state = crate::rules::Fact::Unknown),
        pending(empty(), deferred(false)),
        pending(empty(), deferred(true)),
        pending(Given::session(), deferred(false)),
        pending(Given::session().holds(card("card")), deferred(true)),
        pending(holding(), repair),
    ];
    for given in &mut given {
        given.policy = policy.clone();
    }
    let both = |given: Given| [true, false].map(|shown| World { given: given.clone(), shown });
    given.into_iter().flat_map(both).collect()
}

/// One state that was reached, with its next step.
struct State<'a> {
    attempt: Attempt,
    world: World,
    next: Next,
    intent: &'a Intent,
    policy: &'a Policy,
    course: Vec<(Next, Event)>,
}

/// Visits every state that can be reached once, and panics if a course does not end.
fn walk(policies: &[Policy], visit: &mut dyn FnMut(&State<'_>)) {
    for policy in policies {
        for intent in &intents() {
            for world in worlds(policy) {
                for can_defer in
                    [true, false].into_iter().take(1 + usize::from(policy.sequencing.defer))
                {
                    let start = Start {
                        can_defer,
                        pending_unseen: world.pending().is_some(),
                        unseen: !world.shown
                            && world.given.known.session == Given::session().known.session,
                        keeps_basis: false,
                    };
                    let session = (!matches!(intent.session(), Some(Target::Active(_))))
                        .then(checkout_key)
                        .or(world
                            .shown
                            .then(|| SessionKey::new(crate::dialects::carts::CART, "cart")));
                    let session = session.filter(|_| intent.session().is_some());
                    let start = Attempt::new(session, start);
                    walk_from(start, world.clone(), intent, policy, visit);
                }
            }
        }
    }
}

fn walk_from(
    start: Attempt,
    world: World,
    intent: &Intent,
    policy: &Policy,
    visit: &mut dyn FnMut(&State<'_>),
) {
    let mut seen = HashSet::new();
    let mut open = vec![(start, world, Vec::new())];
    while let Some((mut attempt, world, course)) = open.pop() {
        world.recall(&mut attempt);
        let next = attempt.next(intent, policy, NOW);
        if !seen.insert(format!("{attempt:?} {:?} {}", world.given.known.session, world.shown)) {
            continue;
        }
        assert!(course.len() < 60, "no end in sight: {course:?}");
        let can_be = |event: &Event| match event {
            Event::Seen { .. } => attempt.unseen.is_some(),
            _ => true,
        };
        for event in events_of(&next).into_iter().filter(can_be) {
            let (mut attempt, mut world, mut course) =
                (attempt.clone(), world.clone(), course.clone());
            attempt.on(event.clone(), intent, policy);
            world.after(&next, &event);
            course.push((next.clone(), event));
            open.push((attempt, world, course));
        }
        visit(&State { attempt, world, next, intent, policy, course });
    }
}

fn settles(state: &State<'_>) -> bool {
    let last = state.course.last();
    state.world.pending().is_some() || matches!(last, Some((_, Event::Lost)))
}

#[test]
fn monitor_and_off_keep_no_call_from_upstream() {
    let lenient: Vec<_> = policies().into_iter().filter(|p| p.mode != Mode::Enforce).collect();
    let mut sent = 0;
    walk(&lenient, &mut |state| match &state.next {
        Next::Send(sending) => {
            sent += 1;
            assert!(!sending.without_owner && !sending.reordered);
        }
        Next::Hold(_) | Next::Repair(..) => panic!("{:?} {:?}", state.intent, state.course),
        // A promise to an earlier caller is kept in every mode.
        Next::Answer(_) | Next::Defer(_) => {
            assert!(settles(state), "{:?} {:?}", state.intent, state.course);
        }
        _ => {}
    });
    assert!(sent > 1_000, "{sent}");
}

#[test]
fn an_event_of_another_step_changes_nothing() {
    let policies = policies();
    let mut tried = 0;
    walk(&policies[..1], &mut |state| {
        let own = events_of(&state.next);
        for event in all_events().iter().filter(|e| !own.iter().any(|own| same_kind(e, own))) {
            let mut attempt = state.attempt.clone();
            attempt.on(event.clone(), state.intent, state.policy);
            state.world.recall(&mut attempt);
            let next = attempt.next(state.intent, state.policy, NOW);
            assert_eq!(next, state.next, "{event:?} after {:?}", state.course);
            tried += 1;
        }
    });
    assert!(tried > 1_000, "{tried}");
}

/// Look-ups are made anew after a call was held or sent, and by a call that began again. To defer
/// an attach, its source is looked up once more for the answer.
#[test]
fn nothing_is_looked_up_twice() {
    let mut asked = 0;
    walk(&policies(), &mut |state| {
        let phase = &state.attempt.phase;
        let defers = matches!(phase, Phase::Deferring(_) | Phase::Settling(Settling::Deferring));
        if !matches!(state.next, Next::LookUp(_)) || defers || state.attempt.begun > 1 {
            return;
        }
        let renews = |(next, _): &(Next, Event)| {
            matches!(next, Next::Hold(_) | Next::SendDeferred { .. } | Next::Recover { .. })
        };
        let first = state.course.iter().rposition(renews).map_or(0, |nth| nth + 1);
        let again = state.course[first..].iter().any(|(next, _)| *next == state.next);
        assert!(!again, "{:?} {:?} {:?}", state.next, state.intent, state.course);
        asked += 1;
    });
    assert!(asked > 1_000, "{asked}");
}

#[test]
fn a_promised_attach_is_never_walked_past() {
    walk(&policies(), &mut |state| {
        let Some(Pending::Deferred { sending, .. }) = state.world.pending() else { return };
        let sends = matches!(&state.next, Next::Send(sending) if sending.judged);
        if !sends || !state.world.shown || state.intent.session().is_none() {
            return;
        }
        let deletes = matches!(state.intent, Intent::DeleteSession { .. });
        let overtaking = state.course.iter().any(|(next, event)| {
            matches!(next, Next::TakeTurn { overtakes: true })
                && matches!(event, Event::TurnTaken { .. })
        });
        let no_turn = !state.attempt.has_turn;
        // The caller has not been shown the session, so the call does not depend on the promise.
        assert!(
            deletes || no_turn || (overtaking && !sending) || goes_before(state),
            "{:?} {:?}",
            state.intent,
            state.course
        );
    });
}

/// Whatever fails on the way, and in every mode: a look-up that fails or is forbidden, or a turn
/// that does not come.
#[test]
fn no_failure_on_the_way_lets_a_call_past_a_promised_attach() {
    let mut kept = HashMap::new();
    walk(&policies(), &mut |state| {
        let Some(Pending::Deferred { .. }) = state.world.pending() else { return };
        let named = matches!(state.intent.session(), Some(Target::Session(_)));
        if !named || state.attempt.begun > 1 {
            return;
        }
        let of_session = |end: fn(&LookupEnd) -> bool| {
            state.course.iter().any(|(next, event)| {
                let own = *next == Next::LookUp(Lookup::Session);
                own && matches!(event, Event::LookedUp(ended) if end(ended))
            })
        };
        let denied = of_session(|end| matches!(end, LookupEnd::Denied { .. }));
        let forbidden = of_session(|end| matches!(end, LookupEnd::Forbidden));
        let sends = Event::DeferredSent(Some(Unsent::NotFromThisCaller));
        let reads_only =
            state.intent.is_read() && (forbidden || state.course.iter().any(|(_, e)| *e == sends));
        let deletes = matches!(state.intent, Intent::DeleteSession { .. });
        let overtaking =
            state.course.iter().any(|(next, _)| *next == Next::TakeTurn { overtakes: true });
        // Upstream refuses the call as it refused the look-up.
        let no_turn = |(_, event): &(Next, Event)| *event == Event::TurnTaken { in_hand: false };
        let cannot_be = state.course.iter().any(no_turn);
        let exempt =
            denied || reads_only || deletes || overtaking || goes_before(state) || cannot_be;
        let never_asked = state.intent.is_read() && !state.world.shown && state.course.is_empty();
        if exempt || never_asked {
            return;
        }
        assert!(!matches!(state.next, Next::Send(_)), "{:?} {:?}", state.intent, state.course);
        if let Next::Answer(answer) = &state.next {
            *kept.entry(std::mem::discriminant(answer)).or_insert(0) += 1;
        }
    });
    assert!(kept.contains_key(&std::mem::discriminant(&OwnAnswer::Busy)));
    assert!(kept.contains_key(&std::mem::discriminant(&OwnAnswer::FactUnknown)));
}

#[test]
fn a_caller_to_whom_upstream_does_not_show_the_session_takes_no_turn_of_it() {
    let mut strangers = 0;
    walk(&policies(), &mut |state| {
        let asked = Next::LookUp(Lookup::Session);
        let Some((next, Event::LookedUp(end))) = state.course.first() else { return };
        let named = matches!(state.intent.session(), Some(Target::Session(_)));
        if *next != asked || matches!(end, LookupEnd::Shown { .. }) || state.world.shown || !named {
            return;
        }
        strangers += 1;
        let takes = matches!(state.next, Next::TakeTurn { .. });
        assert!(!takes && !state.attempt.has_turn, "{:?} {:?}", state.intent, state.course);
        if let Next::Send(_) = state.next {
            assert_eq!(state.attempt.session(), None, "{:?}", state.course);
        }
    });
    assert!(strangers > 100, "{strangers}");
}

/// Store credit goes before a deferred primary in every mode, with or without a window.
fn goes_before(state: &State<'_>) -> bool {
    overtakes(&state.attempt.known, state.intent, state.policy) == Ok(true)
}

#[test]
fn steps_that_need_a_turn_have_one_and_promises_are_made_to_no_stranger() {
    walk(&policies(), &mut |state| match &state.next {
        Next::Hold(_) | Next::Repair(..) | Next::Recover { .. } | Next::SendDeferred { .. } => {
            assert!(state.attempt.has_turn, "{:?} {:?}", state.intent, state.course);
        }
        Next::Defer(source) => {
            assert!(state.attempt.known.session.is_some());
            assert_eq!(state.intent.attaches(), Some(source));
            let looked_up = Next::LookUp(Lookup::Source(source.clone()));
            assert_eq!(state.course.last().map(|(next, _)| next), Some(&looked_up));
        }
        _ => {}
    });
}

/// What the call itself has seen to be pending counts, even where nothing else says so.
#[test]
fn a_failing_store_lets_no_call_past_what_is_pending() {
    let mut seen = HashMap::new();
    walk(&policies(), &mut |state| {
        let policy = state.policy;
        let rejects =
            policy.mode == Mode::Enforce && policy.on_lookup_failure == OnLookupFailure::Reject;
        for (deferral_possible, taken) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            let pending = deferral_possible || state.world.pending().is_some();
            let kept = rejects || (pending && state.intent.session().is_some());
            let expected = match kept {
                true => Next::Answer(OwnAnswer::StoreFailed),
                false => Next::Send(Sending::default()),
            };
            let mut attempt = state.attempt.clone();
            if taken {
                attempt.take_known();
            }
            attempt.on(Event::StoreFailed { deferral_possible }, state.intent, policy);
            let next = attempt.next(state.intent, policy, NOW);
            assert_eq!(next, expected, "{:?} {:?}", state.intent, state.course);
            *seen.entry(kept).or_insert(0) += 1;
        }
    });
    assert!(seen[&true] > 1_000 && seen[&false] > 1_000, "{seen:?}");
}

#[test]
fn a_denied_session_answers_the_call_only_where_the_rules_are_enforced() {
    let mut ends = HashMap::new();
    walk(&policies(), &mut |state| {
        let Some((Next::LookUp(Lookup::Session), Event::LookedUp(LookupEnd::Denied { .. }))) =
            state.course.last()
        else {
            return;
        };
        if state.course.len() == 1 && !state.intent.is_read() {
            let answered = state.next == Next::Answer(OwnAnswer::OfLastStep);
            assert_eq!(answered, state.policy.mode == Mode::Enforce, "{:?}", state.intent);
            *ends.entry(answered).or_insert(0) += 1;
        }
    });
    assert_eq!(ends.len(), 2, "both were seen");
}

/// A 403 to a look says nothing about other calls, so what upstream showed before still counts.
#[test]
fn a_look_that_is_forbidden_is_one_that_failed_to_a_caller_who_was_shown_the_session() {
    let mut compared = 0;
    walk(&policies(), &mut |state| {
        let was_shown = state.attempt.known.session.is_some();
        let settles = matches!(state.attempt.phase, Phase::Settling(_));
        if state.next != Next::LookUp(Lookup::Session) || !was_shown || settles {
            return;
        }
        let after = |end| {
            let mut attempt = state.attempt.clone();
            attempt.on(Event::LookedUp(end), state.intent, state.policy);
            (attempt.next(state.intent, state.policy, NOW), attempt.session)
        };
        let [forbidden, failed] = [LookupEnd::Forbidden, LookupEnd::Failed].map(after);
        assert_eq!(forbidden, failed, "{:?} {:?}", state.intent, state.course);
        compared += 1;
    });
    assert!(compared > 10, "{compared}");
}

#[test]
fn reads_are_neither_judged_nor_held_up_but_by_what_is_pending() {
    walk(&policies(), &mut |state| {
        if !state.intent.is_read() {
            return;
        }
        match &state.next {
            Next::Send(sending) => assert!(!sending.judged && sending.violation.is_none()),
            Next::Answer(OwnAnswer::Refusal(_)) | Next::Hold(_) | Next::Defer(_) => {
                panic!("{:?}", state.course)
            }
            Next::TakeTurn { .. } => assert!(state.world.pending().is_some()),
            _ => {}
        }
    });
}

#[test]
fn the_shortest_course_of_each_call_has_no_step_to_spare() {
    let policy = crate::dialects::policy();
    let world = |given: Given| World { given, shown: true };
    let sent = |sending| Next::Send(Sending { judged: sending, ..Sending::default() });
    let holding = || Given::session().source(card("card")).source(credit("credit", "5"));
    let turn = Next::TakeTurn { overtakes: false };
    for (intent, given, expected) in [
        (attach(checkout(), "credit"), holding(), vec![turn.clone(), sent(true)]),
        (detach(checkout(), "card"), Given::session().holds(card("card")), vec![turn, sent(true)]),
        (Intent::ReadSession { session: checkout() }, holding(), vec![sent(false)]),
    ] {
        let mut attempt = Attempt::new(Some(checkout_key()), Start::default());
        let mut steps = Vec::new();
        loop {
            world(given.clone()).recall(&mut attempt);
            let next = attempt.next(&intent, &policy, NOW);
            steps.push(next.clone());
            match next {
                Next::TakeTurn { .. } => {
                    attempt.on(Event::TurnTaken { in_hand: true }, &intent, &policy);
                }
                _ => break,
            }
        }
        assert_eq!(steps, expected, "{intent:?}");
    }
}
