use super::*;
use crate::{
    dialects::{carts, checkouts},
    rules::{
        Attached, Fact, SessionRecord, SessionState, SourceState, Target, Timestamp,
        fixtures::{
            Given, NOW, amount, attach, card, cart, checkout, credit, detach, is_source,
            nothing_attached, order, order_with, save, shows, source, update,
        },
    },
};
use std::sync::Arc;

fn session_of(given: &Given) -> SessionRecord {
    given.known.session.as_deref().cloned().unwrap_or_default()
}

fn state(given: &Given, id: &str) -> Option<SourceState> {
    given.known.sources.get(&SourceId::from(id)).and_then(|record| record.state.get().cloned())
}

fn attached(given: &Given) -> Option<Vec<&str>> {
    let sources = given.known.session.as_ref()?.sources.get()?;
    Some(sources.iter().map(|attached| attached.id.as_str()).collect())
}

fn remove(customer: &str, source: &str) -> Intent {
    Intent::Remove { dialect: checkouts::DIALECT, customer: customer.into(), source: source.into() }
}

fn holding(sources: &[SourceFacts]) -> SessionFacts {
    SessionFacts { sources: Stated::Stated(sources.to_vec()), ..nothing_attached() }
}

#[test]
fn a_refused_call_changes_nothing() {
    let given = || Given::session().holds(card("p")).source(credit("c", "5")).saved(&["p"]);
    for intent in [
        attach(checkout(), "c"),
        detach(checkout(), "p"),
        update(checkout(), Default::default()),
        order(checkout()),
        save("customer", "p"),
        remove("customer", "p"),
    ] {
        let (before, mut after) = (given(), given().after_refused(&intent));
        for session in after.known.session.iter_mut() {
            let session = Arc::make_mut(session);
            (session.epoch, session.ended) = (0, None);
        }
        assert_eq!(after.known.session, before.known.session, "{intent:?}");
        assert_eq!(after.known.sources, before.known.sources, "{intent:?}");
        assert_eq!(after.known.customer, before.known.customer, "{intent:?}");
    }
}

/// Kind: a call that puts no two sources into another order, whatever became of it.
#[test]
fn the_order_of_attachment_outlives_calls_of_no_known_end_that_cannot_change_it() {
    let both = || shows(holding(&[card("card"), credit("credit", "40")]));
    let read = Intent::ReadSession { session: cart() };
    for intent in [
        Intent::Touch { session: cart() },
        detach(cart(), "credit"),
        detach(cart(), "card"),
        Intent::Detach { session: cart(), source: None },
        order(cart()),
    ] {
        let given = Given::session()
            .after(&attach(cart(), "card"), &is_source(card("card")))
            .after(&attach(cart(), "credit"), &is_source(credit("credit", "40")))
            .after_unknown(&intent)
            .after(&read, &both());
        let joined = session_of(&given).joined;
        assert_eq!(joined.after(&"credit".into(), &"card".into()), Some(true), "{intent:?}");
    }
    let given = Given::session()
        .after(&attach(cart(), "card"), &is_source(card("card")))
        .after(&attach(cart(), "credit"), &is_source(credit("credit", "40")))
        .after_unknown(&Intent::HandOver { session: cart() })
        .after(&read, &both());
    let joined = session_of(&given).joined;
    assert_eq!(joined.after(&"credit".into(), &"card".into()), None, "the shopper may have");
    // A source that is gone has no place when it comes back.
    let given = Given::session()
        .after(&attach(cart(), "card"), &is_source(card("card")))
        .after(&attach(cart(), "credit"), &is_source(credit("credit", "40")))
        .after_unknown(&detach(cart(), "card"))
        .after(&read, &shows(holding(&[credit("credit", "40")])))
        .after(&attach(cart(), "card"), &both());
    let joined = session_of(&given).joined;
    assert_eq!(joined.after(&"credit".into(), &"card".into()), Some(false));
}

#[test]
fn a_replaced_single_use_primary_is_cancelled_on_checkouts_but_not_on_carts() {
    for (session, first, expected) in [
        (checkout(), card("old"), Some(SourceState::Cancelled)),
        (checkout(), card("old").saved_to("c"), Some(SourceState::Chargeable)),
        (cart(), card("old"), Some(SourceState::Chargeable)),
    ] {
        let given = Given::session().holds(first).source(card("new"));
        let poor = given.clone().after(&attach(session.clone(), "new"), &is_source(card("new")));
        assert_eq!(
            (state(&poor, "old"), attached(&poor)),
            (expected.clone(), Some(vec!["new"])),
            "{session:?}"
        );
        let rich = given.after(&attach(session.clone(), "new"), &shows(holding(&[card("new")])));
        assert_eq!(
            (state(&rich, "old"), attached(&rich)),
            (expected, Some(vec!["new"])),
            "{session:?}"
        );
    }
}

#[test]
fn store_credit_joins_what_is_attached() {
    let given = Given::session().holds(card("p").saved_to("c")).source(credit("credit", "5"));
    let given = given.after(&attach(checkout(), "credit"), &Answer::default());
    let expected = [
        Attached {
            id: "p".into(),
            kind: Stated::Stated("creditCard".into()),
            amount: Stated::Unstated,
        },
        Attached {
            id: "credit".into(),
            kind: Stated::Stated("customerCredit".into()),
            amount: Stated::Stated(amount("5")),
        },
    ];
    assert_eq!(given.known.attached(), expected);
    assert_eq!(state(&given, "p"), Some(SourceState::Chargeable));
}

#[test]
fn what_a_primary_contributes_is_told_by_upstream_or_not_at_all() {
    let own_amount = SourceFacts { amount: Stated::Stated(amount("100")), ..card("p") };
    let given = Given::session().source(own_amount.clone());
    let untold = given.clone().after(&attach(checkout(), "p"), &Answer::default());
    assert_eq!(untold.known.attached()[0].amount, Stated::Unstated);
    let told = given.after(&attach(checkout(), "p"), &is_source(own_amount));
    assert_eq!(told.known.attached()[0].amount, Stated::Stated(amount("100")));
}

#[test]
fn after_a_primary_nothing_remains_to_be_contributed() {
    let given = Given::session().after(&attach(checkout(), "p"), &is_source(card("p")));
    let session = session_of(&given);
    assert_eq!(session.remaining, Fact::known(amount("0"), NOW));
    assert_eq!(session.state, Fact::known(SessionState::RequiresConfirmation, NOW));
}

#[test]
fn after_store_credit_what_remains_must_be_looked_up() {
    let given = Given::session().after(&attach(checkout(), "c"), &is_source(credit("c", "5")));
    let session = session_of(&given);
    assert_eq!((session.remaining, session.state), (Fact::Unknown, Fact::Unknown));
    assert_eq!(session.total, Fact::known(amount("100"), NOW));
}

#[test]
fn a_source_of_unknown_type_leaves_open_what_it_replaced() {
    let unknown = SourceFacts { kind: Stated::Unstated, ..card("p") };
    let incoming = Given::session()
        .holds(card("old"))
        .after(&attach(checkout(), "p"), &is_source(unknown.clone()));
    assert_eq!((attached(&incoming), state(&incoming, "old")), (None, None));
    let replaced =
        Given::session().holds(unknown).after(&attach(checkout(), "new"), &is_source(card("new")));
    assert_eq!((attached(&replaced), state(&replaced, "p")), (None, None));
}

#[test]
fn a_detached_source_is_spent_where_it_was_attached_and_single_use() {
    for (given, session, expected) in [
        (Given::session().holds(card("p")), checkout(), Some(SourceState::Cancelled)),
        (Given::session().holds(credit("p", "5")), checkout(), Some(SourceState::Cancelled)),
        (
            Given::session().holds(card("p").saved_to("c")),
            checkout(),
            Some(SourceState::Chargeable),
        ),
        (Given::session().holds(card("p")), cart(), Some(SourceState::Chargeable)),
        // Upstream also accepts detaching a source that is not attached, so its state is unknown.
        (Given::session().source(card("p")), checkout(), None),
        (Given::nothing().source(card("p")), checkout(), None),
        (Given::session().source(card("p")), cart(), Some(SourceState::Chargeable)),
    ] {
        let after = given.after(&detach(session.clone(), "p"), &Answer::default());
        assert_eq!(state(&after, "p"), expected, "{session:?}");
        assert!(after.known.attached().is_empty());
    }
}

#[test]
fn detaching_all_leaves_nothing() {
    let all = Intent::Detach { session: cart(), source: None };
    let given =
        Given::session().holds(credit("c", "5")).holds(card("p")).after(&all, &Answer::default());
    assert_eq!(attached(&given), Some(vec![]));
    assert_eq!(state(&given, "p"), Some(SourceState::Chargeable));
}

#[test]
fn detaching_forgets_the_legacy_credit_which_may_have_been_what_was_detached() {
    let given = Given::shown(SessionFacts {
        credit_amount: Stated::Stated(Some(amount("5"))),
        ..nothing_attached()
    });
    let given = given.holds(credit("c", "5")).after(&detach(checkout(), "c"), &Answer::default());
    assert_eq!(session_of(&given).credit_amount, Fact::Unknown);
}

#[test]
fn an_order_charges_every_source_of_a_checkout() {
    let given = Given::session().holds(credit("c", "5")).holds(card("p").saved_to("customer"));
    let given = given.after(&order(checkout()), &Answer::default());
    assert_eq!(state(&given, "c"), Some(SourceState::Consumed));
    assert_eq!(state(&given, "p"), Some(SourceState::Chargeable));
    let session = session_of(&given);
    assert_eq!(
        (session.sources, session.state),
        (Fact::Unknown, Fact::known(SessionState::Complete, NOW))
    );
}

#[test]
fn an_order_that_lists_its_sources_charges_these_and_gives_up_the_rest() {
    let held = || Given::session().holds(card("p")).holds(card("q")).holds(credit("c", "5"));
    let given = held().after(&order_with(checkout(), &["c", "p"]), &Answer::default());
    for (id, expected) in
        [("c", SourceState::Consumed), ("p", SourceState::Consumed), ("q", SourceState::Cancelled)]
    {
        assert_eq!(state(&given, id), Some(expected), "{id}");
    }
    let unknown = held().after_unknown(&order_with(checkout(), &["elsewhere"]));
    for id in ["c", "p", "q", "elsewhere"] {
        assert_eq!(state(&unknown, id), None, "{id}");
    }
}

#[test]
fn a_submitted_cart_charges_whom_its_answer_names_and_leaves_the_rest_open() {
    // Store credit that came after the primary was ignored, so the next cart can use it.
    let given = || Given::session().holds(card("p")).holds(credit("ignored", "5"));
    let named =
        given().after(&order(cart()), &Answer { charged: vec!["p".into()], ..Answer::default() });
    assert_eq!(state(&named, "ignored"), None);
    let silent = given().after(&order(cart()), &Answer::default());
    assert_eq!((state(&silent, "p"), state(&silent, "ignored")), (None, None));
}

#[test]
fn an_unknown_end_leaves_everything_it_may_have_changed_unsure() {
    for intent in [
        attach(checkout(), "new"),
        detach(checkout(), "p"),
        order(checkout()),
        update(checkout(), Default::default()),
    ] {
        let given = Given::session().holds(card("p")).source(card("new")).after_unknown(&intent);
        assert!(
            given
                .known
                .session
                .as_ref()
                .is_some_and(|session| session.unsure && !session.in_flight),
            "{intent:?}"
        );
        assert_eq!(state(&given, "p"), None, "{intent:?}");
    }
    for intent in [save("customer", "p"), remove("customer", "p")] {
        let given = Given::nothing().source(card("p")).saved(&["q"]).after_unknown(&intent);
        assert_eq!(state(&given, "p"), None, "{intent:?}");
        assert_eq!(given.known.customer.unwrap_or_default().saved, Fact::Unknown, "{intent:?}");
    }
}

#[test]
fn a_save_is_learned_by_the_source_and_by_its_customer() {
    let given = Given::nothing().source(card("p")).saved(&["q"]);
    let given = given.after(&save("customer", "p"), &is_source(card("p").saved_to("customer")));
    let source = &given.known.sources[&SourceId::from("p")];
    assert_eq!(source.reusable, Fact::known(true, NOW));
    assert_eq!(source.customer, Fact::known(Some("customer".into()), NOW));
    assert_eq!(
        given.known.customer.unwrap_or_default().saved,
        Fact::known(vec!["q".into(), "p".into()], NOW)
    );
}

#[test]
fn a_save_does_not_make_an_unknown_or_old_list_a_known_or_young_one() {
    let unknown =
        Given::nothing().after(&save("customer", "p"), &is_source(card("p").saved_to("customer")));
    assert_eq!(unknown.known.customer.unwrap_or_default().saved, Fact::Unknown);
    let old = Given::nothing().saved(&[]).an_hour_later();
    let old = old.after(&save("customer", "p"), &is_source(card("p").saved_to("customer")));
    assert_eq!(old.known.customer.unwrap_or_default().saved, Fact::known(vec!["p".into()], NOW));
}

#[test]
fn a_removed_source_is_cancelled_and_saved_no_more() {
    let given = Given::nothing().source(card("p").saved_to("customer")).saved(&["q", "p"]);
    let given = given.after(&remove("customer", "p"), &Answer::default());
    assert_eq!(state(&given, "p"), Some(SourceState::Cancelled));
    assert_eq!(given.known.customer.unwrap_or_default().saved, Fact::known(vec!["q".into()], NOW));
}

#[test]
fn a_removed_payment_option_spends_the_source_behind_it_and_no_other() {
    let remove = |option: &str, removes| Intent::ChangeOption {
        dialect: carts::DIALECT,
        option: option.into(),
        removes,
        source: None,
    };
    let given = || Given::nothing().options(&[card("p").saved_to("s"), card("q").saved_to("s")]);
    for (intent, expected) in [
        (remove("option-p", true), Some(SourceState::Cancelled)),
        (remove("option-p", false), Some(SourceState::Chargeable)),
        (remove("option-x", true), Some(SourceState::Chargeable)),
    ] {
        let after = given().after(&intent, &Answer::default());
        assert_eq!(
            (state(&after, "p"), state(&after, "q")),
            (expected, Some(SourceState::Chargeable)),
            "{intent:?}"
        );
    }
    let unknown = given().after_unknown(&remove("option-p", true));
    assert_eq!((state(&unknown, "p"), state(&unknown, "q")), (None, Some(SourceState::Chargeable)));
}

#[test]
fn a_customer_shows_whose_its_sources_are() {
    let facts = crate::rules::CustomerFacts {
        id: Some("customer".into()),
        saved: Stated::Stated(vec![SourceFacts { customer: Stated::Unstated, ..card("p") }]),
    };
    let read = Intent::ReadCustomer { customer: "customer".into() };
    let given =
        Given::nothing().after(&read, &Answer { customer: Some(facts), ..Answer::default() });
    assert_eq!(
        given.known.sources[&SourceId::from("p")].customer,
        Fact::known(Some("customer".into()), NOW)
    );
    assert_eq!(given.known.customer.unwrap_or_default().saved, Fact::known(vec!["p".into()], NOW));
}

#[test]
fn an_update_that_shows_another_primary_tells_what_became_of_the_first() {
    let funding = crate::rules::Funding { source: Some("new".into()), ..Default::default() };
    let given = Given::session().holds(card("old")).source(card("new"));
    let given = given.after(&update(checkout(), funding), &shows(holding(&[card("new")])));
    assert_eq!(
        (state(&given, "old"), attached(&given)),
        (Some(SourceState::Cancelled), Some(vec!["new"]))
    );
}

#[test]
fn an_update_whose_answer_shows_nothing_leaves_nothing_known() {
    let given = Given::session()
        .holds(card("p"))
        .after(&update(cart(), Default::default()), &Answer::default());
    let session = session_of(&given);
    assert_eq!(
        (session.sources, session.total, session.customer),
        (Fact::Unknown, Fact::Unknown, Fact::Unknown)
    );
}

#[test]
fn a_filtered_read_teaches_only_what_it_shows() {
    let mut given = Given::session().holds(card("p"));
    given.now = Timestamp(NOW.0 + 1);
    let read =
        Intent::ReadSession { session: Target::Session(crate::rules::fixtures::checkout_key()) };
    let given = given.after(
        &read,
        &shows(SessionFacts { total: Stated::Stated(amount("90")), ..Default::default() }),
    );
    assert_eq!(attached(&given), Some(vec!["p"]));
    let session = session_of(&given);
    assert_eq!(session.total, Fact::known(amount("90"), given.now));
    assert_eq!(session.remaining, Fact::known(amount("100"), NOW));
}

#[test]
fn a_type_once_shown_is_not_lost_to_an_answer_that_leaves_it_out() {
    let untyped = |id: &str| SourceFacts::named(id);
    let read = Intent::ReadSession { session: checkout() };
    let given = Given::session()
        .holds(source("p", "payPal"))
        .after(&read, &shows(holding(&[untyped("p")])));
    assert_eq!(given.known.attached()[0].kind, Stated::Stated("payPal".into()));
}

#[test]
fn the_sources_of_a_customer_who_is_deleted_disabled_or_forgotten_are_unsure() {
    let customer = || "customer".into();
    let dialect = checkouts::DIALECT;
    let update =
        |ends| Intent::UpdateCustomer { dialect, customer: customer(), default: None, ends };
    for (intent, known) in [
        (Intent::DeleteCustomer { dialect, customer: customer() }, false),
        (update(true), false),
        (update(false), true),
    ] {
        let given = Given::nothing().source(card("p").saved_to("customer")).saved(&["p"]);
        let given = given.after(&intent, &Answer::default());
        assert_eq!(state(&given, "p").is_some(), known, "{intent:?}");
        let saved = given.known.customer.unwrap_or_default().saved;
        assert_eq!(saved.get().is_some(), known, "{intent:?}");
    }
}

#[test]
fn an_order_at_once_charges_its_source() {
    let order = Intent::OrderAtOnce { dialect: checkouts::DIALECT, source: "p".into() };
    for (source, expected) in [
        (card("p"), SourceState::Consumed),
        (card("p").saved_to("customer"), SourceState::Chargeable),
    ] {
        let given = Given::nothing().source(source).after(&order, &Answer::default());
        assert_eq!(state(&given, "p"), Some(expected));
    }
}

/// Kind: a member that is not told, where another one says the same.
#[test]
fn a_source_without_a_type_is_secondary_where_its_place_says_so_and_only_in_this_session() {
    let untyped = SourceFacts { supplements: true, ..SourceFacts::named("gift") };
    let unplaced = SourceFacts::named("other");
    let mut given = Given::session();
    given.policy.types.secondary = vec!["giftCard".into(), "customerCredit".into()];
    let read = Intent::ReadSession { session: cart() };
    let given = given.after(&read, &shows(holding(&[card("p"), untyped, unplaced])));
    let kinds: Vec<_> = given.known.attached().iter().map(|one| one.kind.clone()).collect();
    let expected =
        [Stated::Stated("creditCard".into()), Stated::Stated("giftCard".into()), Stated::Unstated];
    assert_eq!(kinds, expected);
    let own = given.known.sources.get(&SourceId::from("gift"));
    assert_eq!(own.map(|record| record.kind.clone()), Some(Stated::Unstated));
}
