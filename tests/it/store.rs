//! What a call costs at the store: how often it is read and written.

use crate::testbed::{
    APPLY, Adjusted, Ask, CART, Caller, Probe, Reply, SUBMIT, Testbed, items, method, trusting,
};
use http::Method;
use serde_json::{Value, json};

/// A test bed whose store is counted, and a checkout over 100 that Weir has seen empty.
struct Counted {
    bed: Testbed,
    probe: Probe,
    checkout: String,
}

/// Reads and writes.
type Cost = (u64, u64);

impl Counted {
    async fn new() -> Self {
        let probe = Probe::default();
        let bed = Testbed::new().policy(trusting()).probed(&probe).in_process();
        let checkout = format!("/checkouts/{}", bed.checkout(100.0).await);
        Self { bed, probe, checkout }
    }

    /// Creates a single-use card and shows it to Weir.
    async fn card(&self) -> String {
        let card = self.bed.card().await;
        self.bed.weir.done(&Ask::get(format!("/sources/{card}"))).await;
        card
    }

    async fn cost(&self, ask: Ask) -> (Reply, Cost) {
        self.cost_of(&self.bed.weir, ask).await
    }

    async fn cost_of(&self, caller: &Caller, ask: Ask) -> (Reply, Cost) {
        let before = (self.probe.reads(), self.probe.writes());
        let reply = caller.ask(&ask).await;
        (reply, (self.probe.reads() - before.0, self.probe.writes() - before.1))
    }
}

fn forwarded(status: u16, cost: Cost) -> (u16, &'static str, Cost) {
    (status, "forwarded", cost)
}

fn seen((reply, cost): &(Reply, Cost)) -> (u16, &str, Cost) {
    (reply.status.as_u16(), reply.verdict().0, *cost)
}

#[tokio::test]
async fn a_change_of_a_warm_checkout_reads_once_and_writes_twice() {
    let counted = Counted::new().await;
    let (card, credit) = (counted.card().await, counted.bed.credit(20.0).await);
    let checkout = &counted.checkout;
    for (ask, status) in [
        (Ask::attach(checkout, &credit), 200),
        (Ask::detach(checkout, &credit), 204),
        (Ask::post(checkout, items(90.0)), 200),
        (Ask::attach_in_body(checkout, &card), 200),
        (Ask::order(checkout), 201),
    ] {
        let path = ask.path.clone();
        assert_eq!(seen(&counted.cost(ask).await), forwarded(status, (1, 2)), "{path}");
    }
}

#[tokio::test]
async fn a_refusal_from_memory_reads_once_and_writes_nothing() {
    let counted = Counted::new().await;
    let (card, credit) = (counted.card().await, counted.bed.credit(20.0).await);
    let checkout = &counted.checkout;
    let refused = counted.cost(Ask::order(checkout)).await;
    assert_eq!(seen(&refused), (400, "rejected", (1, 0)));
    counted.bed.weir.done(&Ask::attach(checkout, &card)).await;
    let refused = counted.cost(Ask::attach(checkout, &credit)).await;
    assert_eq!(seen(&refused), (409, "rejected", (1, 0)));
}

#[tokio::test]
async fn a_read_of_a_checkout_reads_and_writes_once_at_most() {
    let counted = Counted::new().await;
    let (card, checkout) = (counted.card().await, counted.checkout.clone());
    for path in [&checkout, &format!("/sources/{card}"), &checkout] {
        let (read, (reads, writes)) = counted.cost(Ask::get(path)).await;
        assert_eq!(read.found(), (200, ("forwarded", None)), "{path}");
        // What was shown within this very millisecond is not written again.
        assert!(reads == 1 && writes <= 1, "{path}: {reads} reads, {writes} writes");
    }
    let other = format!("/checkouts/{}", counted.bed.upstream.checkout(5.0).await);
    let read = counted.cost(Ask::get(&other)).await;
    assert_eq!(seen(&read), forwarded(200, (1, 1)), "one that Weir has never seen");
    let missing = counted.cost(Ask::get("/checkouts/none")).await;
    assert_eq!(seen(&missing), forwarded(404, (1, 0)));
}

#[tokio::test]
async fn a_call_that_upstream_refuses_writes_twice() {
    let counted = Counted::new().await;
    let refused = counted.cost(Ask::post(&counted.checkout, json!({ "items": 1 }))).await;
    assert_eq!(seen(&refused), forwarded(400, (1, 2)));
}

/// Two reads and a write more: what the look-up teaches is written by itself, since others may
/// share it, and then read into the turn.
#[tokio::test]
async fn a_look_up_reads_twice_and_writes_once_more() {
    let counted = Counted::new().await;
    let card = counted.bed.card().await;
    let attached = counted.cost(Ask::attach(&counted.checkout, &card)).await;
    assert_eq!(seen(&attached), forwarded(200, (3, 3)));
}

/// A cart is found by what the caller's `active` stands for, which is one more read.
#[tokio::test]
async fn a_change_of_a_warm_cart_reads_twice_and_writes_twice() {
    let counted = Counted::new().await;
    let shopper = counted.bed.shopper(100.0).await;
    let (card, credit) = (counted.card().await, counted.bed.credit(20.0).await);
    for source in [&card, &credit] {
        shopper.done(&Ask::get(format!("/sources/{source}"))).await;
    }
    let delete = |source: &str| Ask::new(Method::DELETE, APPLY, method(source));
    for (ask, status, cost) in [
        (Ask::post(APPLY, method(&credit)), 200, (2, 2)),
        (delete(&credit), 204, (2, 2)),
        (Ask::post(APPLY, method(&card)), 200, (2, 2)),
    ] {
        let name = format!("{} {}", ask.method, ask.path);
        assert_eq!(seen(&counted.cost_of(&shopper, ask).await), forwarded(status, cost), "{name}");
    }
    // Its answer may show another cart: what `active` stands for is compared.
    let (read, (reads, writes)) = counted.cost_of(&shopper, Ask::get(CART)).await;
    assert_eq!(read.found(), (200, ("forwarded", None)));
    assert!(reads == 3 && writes <= 1, "{reads} reads, {writes} writes");
    let refused = counted.cost_of(&shopper, Ask::post(APPLY, method(&credit))).await;
    assert_eq!(seen(&refused), (409, "rejected", (2, 0)));
    // The order also forgets what `active` stands for.
    let ordered = counted.cost_of(&shopper, Ask::post(SUBMIT, Value::Null)).await;
    assert_eq!(seen(&ordered), forwarded(200, (3, 3)));
}

/// What a session holds of its sources is changed also by calls about something else.
#[tokio::test]
async fn a_card_saved_by_another_call_is_reusable_to_its_session_at_once() {
    for fresh in [trusting(), trusting().with_fresh_for(crate::testbed::defaults().fresh_for)] {
        let counted = Counted::new().await;
        let weir = &counted.bed.weir;
        counted.bed.set_policy(fresh);
        let (card, credit) = (counted.card().await, counted.bed.credit(20.0).await);
        weir.done(&Ask::attach(&counted.checkout, &card)).await;
        let buyer = weir.customer().await;
        let refused = weir.attach(&counted.checkout, &credit).await;
        assert_eq!(
            refused.found(),
            (409, ("rejected", Some("secondary-after-single-use-primary")))
        );
        let saved = counted.cost(Ask::attach(&buyer, &card)).await;
        assert_eq!(seen(&saved), forwarded(200, (2, 1)));
        counted.bed.emulator.clear_calls();
        let attached = weir.attach(&counted.checkout, &credit).await;
        assert_eq!(attached.found(), (200, ("forwarded", None)));
        let calls = counted.bed.emulator.calls();
        assert!(calls.iter().all(|call| call.mutation), "it needed no look-up");
    }
}
