//! What overlaps with a change, without the turn that keeps changes apart: reads that come late,
//! calls that go up although they did not get their turn, and strangers' calls.

use crate::testbed::{
    APPLY, Adjusted, Ask, CART, Caller, Fault, FaultKind, FreshFor, Gate, Kind, Mode, Reply,
    RuleId, SessionSettings, Testbed, Toggle, Waiting, defaults, method, text_of, trusting,
};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Holds the next call of this method and path back, before or after it takes effect.
fn hold(bed: &Testbed, ask: &Ask, kind: fn(Gate) -> FaultKind) -> Gate {
    let gate = Gate::new();
    let fault = Fault::once(ask.method.as_str(), &ask.path, kind(gate.clone()));
    bed.emulator.faults().add(fault);
    gate
}

fn send(caller: &Caller, ask: &Ask) -> JoinHandle<Reply> {
    let (caller, ask) = (caller.clone(), ask.clone());
    tokio::spawn(async move { caller.ask(&ask).await })
}

/// A shopper whose cart Weir has not seen.
async fn unseen_shopper(bed: &Testbed) -> Caller {
    bed.shopper_of(&bed.upstream, 100.0).await.to(&bed.weir)
}

/// Reads the cart of a shopper whom Weir does not know, and keeps the answer back until `between`
/// has happened. Returns the shopper.
async fn read_late(bed: &Testbed, between: impl AsyncFnOnce(&Caller)) -> Caller {
    let shopper = unseen_shopper(bed).await;
    let read = Ask::get(CART);
    let gate = hold(bed, &read, FaultKind::HoldAfter);
    let late = send(&shopper, &read);
    gate.arrived().await;
    between(&shopper).await;
    gate.open();
    assert_eq!(late.await.unwrap().status, 200);
    shopper
}

#[tokio::test]
async fn a_read_that_comes_late_takes_no_newer_fact_away() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    let shopper = read_late(&bed, async |shopper| {
        assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    })
    .await;
    let refused = shopper.post(APPLY, method(&credit)).await;
    assert_eq!(refused.verdict(), ("rejected", Some("primary-before-secondary")));
    // What comes in time is learned.
    assert_eq!(shopper.get(CART).await.status, 200);
    let refused = shopper.post(APPLY, method(&credit)).await;
    assert_eq!(refused.verdict(), ("rejected", Some("primary-before-secondary")));
}

#[tokio::test]
async fn a_read_that_comes_late_makes_nothing_sure_again() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let card = bed.card().await;
    let shopper = read_late(&bed, async |shopper| {
        bed.emulator.faults().add(Fault::once("POST", APPLY, FaultKind::FailAfter(500)));
        assert_eq!(shopper.post(APPLY, method(&card)).await.status, 500);
    })
    .await;
    let cart = text_of(&shopper.to(&bed.upstream).get(CART).await.json()["cart"]["id"]);
    assert!(!bed.remembers(Kind::Cart, &cart).await.sure);
}

/// Kind: a call that began when nothing was remembered of its session, and ends in no known way.
#[tokio::test]
async fn what_became_known_of_a_session_while_a_call_was_under_way_does_not_outlive_its_loss() {
    let policy = defaults().with_fresh_for(FreshFor::Forever);
    for lost in [true, false] {
        let bed = Testbed::new().policy(policy.clone()).start().await;
        let session = format!("/checkouts/{}", bed.upstream.checkout(100.0).await);
        let own = Ask::attach(&session, &bed.card().await);
        let gate = hold(&bed, &own, FaultKind::HoldBefore);
        if lost {
            let fault = Fault::once(own.method.as_str(), &own.path, FaultKind::FailAfter(502));
            bed.emulator.faults().add(fault);
        }
        let attached = send(&bed.weir, &own);
        gate.arrived().await;
        assert_eq!(bed.weir.get(&session).await.status, 200);
        gate.open();
        assert_eq!(attached.await.unwrap().status, if lost { 502 } else { 200 });
        let ordered = bed.weir.ask(&Ask::order(&session)).await;
        assert_eq!(ordered.found(), (201, ("forwarded", None)), "{lost}: {}", ordered.text());
    }
}

/// A call whose answer is learned costs nobody else a look-up.
#[tokio::test]
async fn the_first_call_about_a_session_makes_no_fact_of_another_doubtful() {
    let bed = Testbed::new().policy(defaults().with_fresh_for(FreshFor::Forever)).start().await;
    let known = format!("/checkouts/{}", bed.checkout(100.0).await);
    let credit = bed.credit(20.0).await;
    assert_eq!(bed.weir.attach(&known, &bed.card().await).await.status, 200);
    assert_eq!(bed.weir.get(&known).await.status, 200);
    let refused = bed.weir.attach(&known, &credit).await;
    let rule = Some("secondary-after-single-use-primary");
    let session = format!("/checkouts/{}", bed.upstream.checkout(100.0).await);
    assert_eq!(bed.weir.attach(&session, &bed.card().await).await.status, 200);
    bed.emulator.clear_calls();
    let again = bed.weir.attach(&known, &credit).await;
    assert_eq!((again.found().1.1, again.found()), (rule, refused.found()));
    assert_eq!(bed.emulator.calls(), [], "what was known is known still");
}

/// A bed where nobody waits for a turn.
async fn crowded(mode: Mode) -> Testbed {
    let wait = Duration::from_secs(60);
    let sessions = SessionSettings { queue: 0, wait, ..SessionSettings::default() };
    let policy = trusting()
        .with_rule(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder)
        .with_sequencing(0, true);
    let bed = Testbed::new().policy(policy).sessions(sessions).start().await;
    // With a promise made, Weir looks at every call in mode `off`, too.
    let promised = bed.checkout(100.0).await;
    let deferred = bed.weir.attach(&format!("/checkouts/{promised}"), &bed.card().await).await;
    assert_eq!(deferred.verdict().0, "deferred");
    bed.set_policy(trusting().with_mode(mode));
    bed
}

#[tokio::test]
async fn a_call_that_goes_up_without_its_turn_leaves_its_session_unsure() {
    for mode in [Mode::Monitor, Mode::Off] {
        let bed = crowded(mode).await;
        for nth in 0..4 {
            let checkout = bed.checkout(100.0).await;
            let session = format!("/checkouts/{checkout}");
            let (credit, card) = (bed.credit(5.0).await, bed.card().await);
            let own = Ask::attach(&session, &credit);
            let overlapping = [
                Ask::attach(&session, &card),
                Ask::attach_in_body(&session, &card),
                Ask::order(&session),
                Ask::delete(&session, Value::Null),
            ];
            let gate = hold(&bed, &own, FaultKind::HoldBefore);
            let first = send(&bed.weir, &own);
            gate.arrived().await;
            bed.weir.ask(&overlapping[nth]).await;
            gate.open();
            first.await.unwrap();
            let remembered = bed.remembers(Kind::Checkout, &checkout).await;
            let ask = &overlapping[nth];
            assert!(!remembered.sure, "{mode:?}: {} {}", ask.method, ask.path);
            assert_eq!(remembered.waiting, Waiting::Nothing);
        }
    }
}

/// Kind: a call that nobody judged is no call that is right.
#[tokio::test]
async fn a_call_that_found_no_turn_under_monitor_goes_up_and_bears_the_rules_it_went_past() {
    let bed = crowded(Mode::Monitor).await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (credit, card) = (bed.credit(5.0).await, bed.card().await);
    let own = Ask::attach(&session, &card);
    let gate = hold(&bed, &own, FaultKind::HoldBefore);
    let first = send(&bed.weir, &own);
    gate.arrived().await;
    let busy = bed.weir.attach(&session, &credit).await;
    assert_eq!(busy.found(), (200, ("forwarded", None)), "{}", busy.text());
    assert_eq!(busy.header("weir-reason"), None);
    let past = busy.header("weir-unjudged").expect("rules");
    assert!(past.split(", ").any(|rule| rule == "secondary-after-single-use-primary"), "{past}");
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
}

#[tokio::test]
async fn what_a_call_did_without_its_turn_is_not_missed_afterwards() {
    let bed = crowded(Mode::Monitor).await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (first, second, card) = (bed.credit(5.0).await, bed.credit(6.0).await, bed.card().await);
    assert_eq!(bed.weir.get(&format!("/sources/{card}")).await.status, 200);
    let own = Ask::attach(&session, &first);
    let gate = hold(&bed, &own, FaultKind::HoldAfter);
    let under_way = send(&bed.weir, &own);
    gate.arrived().await;
    assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
    gate.open();
    assert_eq!(under_way.await.unwrap().status, 200);
    bed.set_policy(trusting());
    let late = bed.weir.attach(&session, &second).await;
    assert_eq!(late.verdict(), ("rejected", Some("secondary-after-single-use-primary")));
}

#[tokio::test]
async fn a_cart_that_changed_without_its_turn_is_followed_and_unsure() {
    let bed = crowded(Mode::Monitor).await;
    let shopper = bed.shopper(100.0).await;
    let cart = text_of(&shopper.get(CART).await.json()["cart"]["id"]);
    let (card, credit) = (bed.card().await, bed.credit(5.0).await);
    let own = Ask::post(APPLY, method(&credit));
    let gate = hold(&bed, &own, FaultKind::HoldBefore);
    let under_way = send(&shopper, &own);
    gate.arrived().await;
    assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    gate.open();
    under_way.await.unwrap();
    assert!(!bed.remembers(Kind::Cart, &cart).await.sure);
}

#[tokio::test]
async fn a_source_that_was_saved_without_a_turn_is_looked_up() {
    let bed = crowded(Mode::Monitor).await;
    let (customer, session) =
        (bed.weir.customer().await, format!("/checkouts/{}", bed.checkout(100.0).await));
    let (card, other, credit) = (bed.card().await, bed.card().await, bed.credit(5.0).await);
    assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
    let own = Ask::attach(&customer, &other);
    let gate = hold(&bed, &own, FaultKind::HoldBefore);
    let under_way = send(&bed.weir, &own);
    gate.arrived().await;
    // Saved, it is no longer single-use.
    assert_eq!(bed.weir.attach(&customer, &card).await.status, 200);
    gate.open();
    assert_eq!(under_way.await.unwrap().status, 200);
    bed.set_policy(trusting());
    let late = bed.weir.attach(&session, &credit).await;
    assert_eq!(late.found(), (200, ("forwarded", None)), "{}", late.text());
}

#[tokio::test]
async fn a_strangers_call_does_not_touch_a_call_under_way() {
    for mode in [Mode::Monitor, Mode::Off] {
        let bed = crowded(mode).await;
        let checkout = bed.checkout(100.0).await;
        let session = format!("/checkouts/{checkout}");
        let (credit, other) = (bed.credit(5.0).await, bed.credit(6.0).await);
        let own = Ask::attach(&session, &credit);
        let gate = hold(&bed, &own, FaultKind::HoldBefore);
        let under_way = send(&bed.weir, &own);
        gate.arrived().await;
        let stranger = bed.weir.key("Bearer sk_test_globex");
        for ask in [Ask::attach(&session, &other), Ask::order(&session)] {
            assert!(stranger.ask(&ask).await.status.is_client_error());
        }
        gate.open();
        assert_eq!(under_way.await.unwrap().status, 200);
        let remembered = bed.remembers(Kind::Checkout, &checkout).await;
        assert_eq!((remembered.sure, remembered.sources), (true, Some(vec![credit])), "{mode:?}");
    }
}

/// A key that may change a session and not read it.
#[tokio::test]
async fn what_upstream_accepts_from_a_stranger_is_shown_to_nobody_and_held_against_nobody() {
    let bed = Testbed::new().policy(trusting().with_mode(Mode::Monitor)).start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (card, credit) = (bed.card().await, bed.credit(5.0).await);
    assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
    let stranger = bed.weir.key("Bearer sk_test_acme_2");
    let look_ups = || bed.emulator.calls().iter().filter(|call| call.target == session).count();
    for nth in ["first", "second"] {
        let denied = Fault::once("GET", &session, FaultKind::FailBefore(403));
        bed.emulator.faults().add(denied);
        let before = look_ups();
        stranger.ask(&Ask::detach(&session, &card)).await;
        assert_eq!(look_ups(), before + 1, "the {nth} call of a stranger");
    }
    bed.set_policy(trusting());
    let late = bed.weir.attach(&session, &credit).await;
    assert_eq!(late.found(), (200, ("forwarded", None)), "{}", late.text());
}
