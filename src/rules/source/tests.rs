use super::*;
use crate::rules::fixtures::{NOW, card};

const LATER: Timestamp = Timestamp(NOW.0 + 3_600_000);

fn record(facts: SourceFacts) -> SourceRecord {
    let mut record = SourceRecord::default();
    record.apply(&SourceObservation::Shown(Box::new(facts)), NOW);
    record
}

fn untold(change: fn(&mut SourceFacts)) -> SourceFacts {
    let mut facts = card("p");
    change(&mut facts);
    facts
}

#[test]
fn what_is_concluded_is_as_old_as_what_it_rests_on() {
    use SourceObservation::{Charged, Detached};
    use SourceState::{Cancelled, Chargeable, Consumed, PendingFunds};
    let single_use = || record(card("p"));
    let saved = || record(card("p").saved_to("c"));
    let who_knows = || record(untold(|p| p.reusable = Stated::Unstated));
    let cases = [
        (Detached { spends: true }, single_use(), Fact::known(Cancelled, NOW)),
        (Detached { spends: true }, saved(), Fact::known(Chargeable, NOW)),
        (Detached { spends: true }, who_knows(), Fact::Unknown),
        (Detached { spends: false }, single_use(), Fact::known(Chargeable, NOW)),
        (Charged, single_use(), Fact::known(Consumed, NOW)),
        (Charged, saved(), Fact::known(Chargeable, NOW)),
        (Charged, who_knows(), Fact::Unknown),
        (Charged, record(card("p").in_state("pending_funds")), Fact::Unknown),
        (Charged, record(untold(|p| p.state = Stated::Unstated)), Fact::Unknown),
        (
            Charged,
            record(card("p").saved_to("c").in_state("pending_funds")),
            Fact::known(PendingFunds, NOW),
        ),
    ];
    for (observation, mut record, state) in cases {
        let before = record.clone();
        record.apply(&observation, LATER);
        assert_eq!(record.state, state, "{observation:?} of {before:?}");
    }
}

#[test]
fn a_saved_source_is_reusable_and_its_customers() {
    let mut saved = record(card("p"));
    saved.apply(&SourceObservation::Saved(Some("c".into())), LATER);
    assert_eq!(saved.reusable, Fact::known(true, LATER));
    assert_eq!(saved.customer, Fact::known(Some("c".into()), LATER));
    assert_eq!(saved.state, Fact::known(SourceState::Chargeable, NOW));
}

#[test]
fn a_removed_source_is_cancelled() {
    let mut removed = record(card("p").saved_to("c"));
    removed.apply(&SourceObservation::Removed, LATER);
    assert_eq!(removed.state, Fact::known(SourceState::Cancelled, LATER));
    assert_eq!(removed.customer, Fact::Unknown);
}

#[test]
fn an_unknown_end_leaves_what_cannot_have_changed() {
    let mut unsure = record(card("p"));
    unsure.apply(&SourceObservation::OutcomeUnknown, LATER);
    assert_eq!(unsure.kind, Stated::Stated("creditCard".into()));
    assert_eq!((unsure.reusable, unsure.state), (Fact::Unknown, Fact::Unknown));
}

#[test]
fn an_answer_that_leaves_a_field_out_says_nothing_of_it() {
    let mut record = record(card("p").saved_to("c"));
    let before = record.clone();
    record.apply(&SourceObservation::Shown(Box::new(SourceFacts::named("p"))), LATER);
    assert_eq!(record, before);
}

#[test]
fn only_mutations_outdate_a_look_up_under_way() {
    for (observation, outdates) in [
        (SourceObservation::Shown(Box::new(card("p"))), false),
        (SourceObservation::ShownTo(crate::rules::CredentialHash([1; 16])), false),
        (SourceObservation::Detached { spends: false }, true),
        (SourceObservation::Saved(None), true),
        (SourceObservation::Removed, true),
        (SourceObservation::Charged, true),
        (SourceObservation::OutcomeUnknown, true),
    ] {
        let mut record = SourceRecord::default();
        record.apply(&observation, NOW);
        assert_eq!(record.epoch, u32::from(outdates), "{observation:?}");
    }
}

#[test]
fn states_are_read_as_they_are_written_and_carts_spell_one_differently() {
    for name in [
        "chargeable",
        "pending_redirect",
        "pending_funds",
        "requires_action",
        "pending",
        "consumed",
        "cancelled",
        "failed",
    ] {
        assert_eq!(SourceState::read(name).as_str(), name);
    }
    assert_eq!(SourceState::read("source_pending_redirect"), SourceState::PendingRedirect);
    assert_eq!(SourceState::read("under_review").as_str(), "under_review");
}

#[test]
fn a_state_is_spent_or_changes_on_its_own_or_is_chargeable() {
    for (name, spent, changes) in [
        ("chargeable", false, false),
        ("pending_redirect", false, true),
        ("pending_funds", false, true),
        ("requires_action", false, true),
        ("pending", false, true),
        ("under_review", false, true),
        ("consumed", true, false),
        ("cancelled", true, false),
        ("failed", true, false),
    ] {
        let state = SourceState::read(name);
        assert_eq!((state.is_spent(), state.changes_on_its_own()), (spent, changes), "{name}");
    }
}
