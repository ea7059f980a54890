use super::*;
use crate::rules::fixtures::{Given, NOW, amount, attach, card, checkout, nothing_attached};

fn shown(facts: SessionFacts) -> SessionObservation {
    SessionObservation::LookedUp(Box::new(facts))
}

fn record(observations: &[SessionObservation]) -> SessionRecord {
    let mut record = SessionRecord::default();
    for observation in observations {
        record.apply(observation, &crate::dialects::policy(), NOW);
    }
    record
}

fn as_shown() -> SessionObservation {
    SessionObservation::Succeeded(Effect::AsShown, Box::new(nothing_attached()))
}

#[test]
fn only_a_look_up_makes_an_unsure_record_sure() {
    use SessionObservation::{Begun, OutcomeUnknown, Refused};
    let look_up = || shown(nothing_attached());
    for (observations, in_flight, unsure) in [
        (vec![Begun], true, false),
        (vec![Begun, Refused], false, false),
        (vec![Begun, as_shown()], false, false),
        (vec![Begun, OutcomeUnknown], false, true),
        (vec![Begun, OutcomeUnknown, Begun, Refused], false, true),
        (vec![Begun, OutcomeUnknown, Begun, as_shown()], false, true),
        (vec![Begun, OutcomeUnknown, look_up()], false, false),
        // The first call never recorded its end, so its outcome is unknown.
        (vec![Begun, Begun], true, true),
        (vec![Begun, Begun, Refused], false, true),
        (vec![Begun, Begun, as_shown()], false, true),
        (vec![Begun, Begun, Refused, look_up()], false, false),
        (vec![Begun, look_up()], false, false),
    ] {
        let found = record(&observations);
        assert_eq!((found.in_flight, found.unsure), (in_flight, unsure), "{observations:?}");
    }
}

#[test]
fn nothing_is_refused_on_a_record_that_is_unsure_or_in_flight() {
    let given = Given::session().holds(card("p")).source(crate::rules::fixtures::credit("c", "5"));
    let intent = attach(checkout(), "c");
    given.refused_by(&intent);
    given
        .clone()
        .alter(|session| session.unsure = true)
        .needs(&intent, crate::rules::Lookup::Session);
    given
        .clone()
        .alter(|session| session.in_flight = true)
        .needs(&intent, crate::rules::Lookup::Session);
    given
        .alter(|session| session.unsure = true)
        .looked_up(crate::rules::Lookup::Session)
        .forwards(&intent);
}

#[test]
fn the_look_up_of_an_unsure_record_keeps_nothing_of_what_it_does_not_show() {
    let partial = SessionFacts { total: Stated::Stated(amount("90")), ..SessionFacts::default() };
    let observations = [
        shown(nothing_attached()),
        SessionObservation::Begun,
        SessionObservation::OutcomeUnknown,
        shown(partial),
    ];
    let record = record(&observations);
    assert_eq!(record.total, Fact::known(amount("90"), NOW));
    assert_eq!((record.sources, record.remaining), (Fact::Unknown, Fact::Unknown));
}

#[test]
fn beginnings_and_ends_are_counted_but_reads_are_not() {
    use SessionObservation::{Begun, DeniedTo, OutcomeUnknown, Pending, Refused, ShownTo};
    let caller = CredentialHash([7; 16]);
    for (observation, counted) in [
        (Begun, 1),
        (Refused, 1),
        (as_shown(), 1),
        (OutcomeUnknown, 1),
        (shown(nothing_attached()), 0),
        (ShownTo(caller), 0),
        (DeniedTo(caller), 0),
        (Pending(None), 0),
    ] {
        assert_eq!(record(std::slice::from_ref(&observation)).epoch, counted, "{observation:?}");
    }
}

#[test]
fn what_identifies_a_session_outlives_what_changes_it() {
    let pending = Pending::Deferred { primary: "p".into(), since: NOW, sending: false };
    let caller = CredentialHash([7; 16]);
    for effect in [Effect::Touched, Effect::HandedOver, Effect::Deleted, Effect::Ordered] {
        let record = record(&[
            shown(SessionFacts {
                payment_session: Stated::Stated("ps".into()),
                ..nothing_attached()
            }),
            SessionObservation::ShownTo(caller),
            SessionObservation::Pending(Some(pending.clone())),
            SessionObservation::Begun,
            SessionObservation::Succeeded(effect.clone(), Box::default()),
        ]);
        assert_eq!((record.sources, record.total), (Fact::Unknown, Fact::Unknown), "{effect:?}");
        assert_eq!(record.payment_session, Stated::Stated("ps".into()), "{effect:?}");
        assert!(record.shown_to.contains(caller), "{effect:?}");
        assert_eq!(
            record.pending.as_deref(),
            Some(&pending).filter(|_| effect != Effect::Deleted),
            "{effect:?}"
        );
        assert_eq!(record.epoch, 2, "{effect:?}");
    }
}

#[test]
fn a_caller_whom_upstream_denied_is_a_stranger_again() {
    let caller = CredentialHash([7; 16]);
    let record =
        record(&[SessionObservation::ShownTo(caller), SessionObservation::DeniedTo(caller)]);
    assert!(!record.shown_to.contains(caller));
}

fn attached(ids: &[&str]) -> Fact<SmallVec<[Attached; 1]>> {
    let one =
        |id: &&str| Attached { id: (*id).into(), kind: Stated::Unstated, amount: Stated::Unstated };
    Fact::known(ids.iter().map(one).collect(), NOW)
}

#[test]
fn a_session_owns_what_is_attached_and_the_primary_of_a_remedy_under_way() {
    let repair =
        Pending::Repair { primary: "p".into(), incoming: Some("c".into()), replaces: false };
    let deferred = Pending::Deferred { primary: "p".into(), since: NOW, sending: false };
    for (sources, pending, owned) in [
        (Fact::Unknown, None, [false; 3]),
        (attached(&[]), None, [false; 3]),
        (attached(&["a"]), None, [true, false, false]),
        (attached(&["a", "c"]), None, [true, true, false]),
        (attached(&["a"]), Some(repair), [true, false, true]),
        (Fact::Unknown, Some(deferred), [false, false, true]),
    ] {
        let record =
            SessionRecord { sources, pending: pending.map(Box::new), ..Default::default() };
        assert_eq!(["a", "c", "p"].map(|id| record.owns(&id.into())), owned, "{record:?}");
    }
}

#[test]
fn what_is_known_of_a_source_goes_when_the_source_does_and_with_what_was_learned_last() {
    let mut record = SessionRecord { sources: attached(&["a", "b"]), ..Default::default() };
    for id in ["a", "b"] {
        record.member_mut(&id.into());
    }
    assert_eq!(record.give_up_strangers(), []);
    let detached = SessionObservation::Succeeded(Effect::Detached("a".into()), Box::default());
    record.apply(&detached, &crate::dialects::policy(), NOW);
    record.member_mut(&"a".into()).epoch = 7;
    let left = record.give_up_strangers();
    assert_eq!(left, [("a".into(), SourceRecord { epoch: 7, ..Default::default() })]);
    assert_eq!((record.member(&"a".into()), record.members.len()), (None, 1));
}

#[test]
fn what_is_known_of_sources_outlives_a_look_at_an_unsure_session() {
    let mut record =
        SessionRecord { sources: attached(&["a"]), unsure: true, ..SessionRecord::default() };
    record.member_mut(&"a".into());
    let facts =
        SessionFacts { sources: Stated::Stated(vec![card("a")]), ..SessionFacts::default() };
    record.apply(&shown(facts), &crate::dialects::policy(), NOW);
    assert_eq!(record.give_up_strangers(), []);
}

/// A record of a cart after these observations, and whether its credit joined after its card.
fn credit_joined_after_card(observations: &[SessionObservation]) -> Option<bool> {
    record(observations).joined.after(&"credit".into(), &"card".into())
}

fn attached_one(id: &str) -> SessionObservation {
    let kind = if id == "credit" { "customerCredit" } else { "creditCard" };
    let facts = crate::rules::fixtures::source(id, kind);
    SessionObservation::Succeeded(Effect::Attached(facts), Box::default())
}

fn now_shows(ids: &[&str]) -> SessionFacts {
    let sources = ids.iter().map(|id| card(id)).collect();
    SessionFacts { sources: Stated::Stated(sources), ..SessionFacts::default() }
}

#[test]
fn the_order_of_attachment_outlives_look_ups_and_calls_that_do_not_touch_it() {
    use SessionObservation::{AttachUnknown, Begun, OutcomeUnknown, Refused, Succeeded};
    let none = || shown(now_shows(&[]));
    let both = || shown(now_shows(&["card", "credit"]));
    let begin = || vec![none(), attached_one("card"), attached_one("credit")];
    let with = |more: Vec<SessionObservation>| [begin(), more].concat();
    let touched = || Succeeded(Effect::Touched, Box::default());
    for (observations, after) in [
        (begin(), Some(true)),
        (vec![none(), attached_one("credit"), attached_one("card")], Some(false)),
        (with(vec![both(), Begun, Refused, touched(), both()]), Some(true)),
        // An order whose end is not known changes no order of sources.
        (with(vec![Begun, AttachUnknown(None), both()]), Some(true)),
        // What may have changed it leaves it unknown.
        (with(vec![Succeeded(Effect::HandedOver, Box::default()), both()]), None),
        (with(vec![Begun, OutcomeUnknown, both()]), None),
        (with(vec![Begun, both()]), None),
        (with(vec![Begun, Begun, Refused, both()]), None),
        // The card leaves, past Weir or not, and comes back.
        (with(vec![shown(now_shows(&["credit"])), both()]), None),
        (with(vec![shown(now_shows(&["credit"])), attached_one("card")]), Some(false)),
        (with(vec![Succeeded(Effect::Detached("card".into()), Box::default())]), None),
        // A card that is attached again stays where it is, as far as credit could be lost.
        (with(vec![attached_one("card")]), Some(true)),
        // Sources that were there before have no place.
        (vec![both(), attached_one("credit")], None),
        // Except where there was one, and the other joined in sight.
        (vec![shown(now_shows(&["card"])), attached_one("credit")], Some(true)),
        (vec![shown(now_shows(&["credit"])), attached_one("card")], Some(false)),
    ] {
        assert_eq!(credit_joined_after_card(&observations), after, "{observations:?}");
    }
    let ordered = record(&with(vec![Succeeded(Effect::Ordered, Box::default())]));
    assert_eq!(ordered.joined, Joined::default());
}

#[test]
fn credit_whose_attach_ended_in_no_known_way_may_still_join() {
    use SessionObservation::{AttachUnknown, Begun, OutcomeUnknown, Pending as Noted};
    let lost = || AttachUnknown(Some("credit".into()));
    let begin = || vec![shown(now_shows(&[])), attached_one("card"), Begun, lost()];
    let with = |more: Vec<SessionObservation>| [begin(), more].concat();
    let awaited = |observations: &[SessionObservation]| record(observations).joined.awaited.len();
    assert_eq!(awaited(&begin()), 1);
    let not_yet = || shown(now_shows(&["card"]));
    let came = || shown(now_shows(&["card", "credit"]));
    assert_eq!(awaited(&with(vec![not_yet()])), 1, "it may still come");
    for observations in [with(vec![came()]), with(vec![not_yet(), came()])] {
        assert_eq!(awaited(&observations), 0);
        assert_eq!(credit_joined_after_card(&observations), Some(true));
    }
    // A card that was attached meanwhile, of which no answer shows what was there before.
    let between = with(vec![shown(now_shows(&[])), attached_one("card"), came()]);
    assert_eq!(credit_joined_after_card(&between), None);
    // The note of a repair names what a broken-off repair was attaching.
    let note = Pending::Repair {
        primary: "card".into(),
        incoming: Some("credit".into()),
        replaces: false,
    };
    for end in [OutcomeUnknown, not_yet()] {
        assert_eq!(awaited(&[Noted(Some(note.clone())), Begun, end]), 1);
    }
}
