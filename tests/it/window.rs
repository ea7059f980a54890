//! The window: a first single-use primary waits a little for store credit, on a clock that is wound
//! forward by itself.

use crate::{
    house::{CART, Reply, items, method},
    indoors::{Ask, Side, credit, primary},
};
use futures_util::future::join;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use weir::{
    emulator::Kind,
    rules::{Policy, RuleId, Toggle},
};

const WINDOW: Duration = Duration::from_millis(300);

fn waits() -> Policy {
    let mut policy = weir::dialects::policy();
    policy.set(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder);
    policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
    policy.sequencing.window = Duration::from_millis(300);
    policy
}

struct Scene {
    side: Side,
    checkout: String,
    card: String,
    other: String,
    saved: String,
    credit: String,
    customer: String,
}

impl Scene {
    async fn new(policy: Policy) -> Self {
        let side = Side::governed(1, policy);
        let checkout = side.send(&Ask::post("/checkouts", items(100.0))).await.id();
        let (card, other, saved) = (
            side.primary(&primary("creditCard")).await,
            side.primary(&primary("payPal")).await,
            side.primary(&primary("creditCard")).await,
        );
        let credit = side.send(&Ask::post("/sources", credit(40.0))).await.id();
        let customer = side.send(&Ask::post("/customers", json!({}))).await.id();
        side.send(&Ask::post(format!("/customers/{customer}/sources/{saved}"), Value::Null)).await;
        Self { side, checkout, card, other, saved, credit, customer }
    }

    fn attach(&self, source: &str) -> Ask {
        Ask::post(format!("/checkouts/{}/sources/{source}", self.checkout), Value::Null)
    }

    fn order(&self) -> Ask {
        Ask::post("/orders", json!({ "checkoutId": self.checkout }))
    }

    fn read(&self) -> Ask {
        Ask::get(format!("/checkouts/{}", self.checkout))
    }

    /// What it was answered, and how long that took.
    async fn timed(&self, ask: &Ask) -> (Reply, Duration) {
        let begun = Instant::now();
        let reply = self.side.send(ask).await;
        (reply, begun.elapsed())
    }

    /// The same, some time from now.
    async fn later(&self, ms: u64, ask: &Ask) -> (Reply, Duration) {
        sleep(Duration::from_millis(ms)).await;
        self.timed(ask).await
    }

    fn attached(&self) -> Vec<String> {
        let session =
            self.side.emulator.session(Kind::Checkout, &self.checkout).unwrap_or_default();
        session["sources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| s["id"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    fn is_over(&self) {
        let sessions = self.side.governor().sessions();
        assert_eq!(
            (
                sessions.turns_open(),
                self.side.emulator.overlaps(),
                self.side.governor().in_flight()
            ),
            (0, 0, 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_comes_and_the_primary_goes_when_the_window_ends() {
    let scene = Scene::new(waits()).await;
    let (reply, took) = scene.timed(&scene.attach(&scene.card)).await;
    assert_eq!((reply.status.as_u16(), reply.verdict().0), (200, "forwarded"));
    assert!(took >= WINDOW && took < WINDOW + Duration::from_millis(5), "{took:?}");
    scene.is_over();
}

#[tokio::test(start_paused = true)]
async fn store_credit_overtakes_the_primary_that_waits() {
    let scene = Scene::new(waits()).await;
    let (card, credit) = (scene.attach(&scene.card), scene.attach(&scene.credit));
    let ((primary, _), (secondary, took)) =
        join(scene.timed(&card), scene.later(100, &credit)).await;
    assert_eq!((primary.status.as_u16(), primary.verdict().0), (200, "reordered"));
    assert_eq!((secondary.status.as_u16(), secondary.verdict().0), (200, "forwarded"));
    assert!(took < Duration::from_millis(5), "the turn was free: {took:?}");
    assert_eq!(scene.attached(), [scene.credit.clone(), scene.card.clone()]);
    assert_eq!(scene.side.send(&scene.order()).await.status, 201);
    scene.is_over();
}

#[tokio::test(start_paused = true)]
async fn a_read_or_an_order_ends_the_window_at_once() {
    for order in [false, true] {
        let scene = Scene::new(waits()).await;
        let card = scene.attach(&scene.card);
        let next = if order { scene.order() } else { scene.read() };
        let ((primary, took), (reply, _)) = join(scene.timed(&card), scene.later(100, &next)).await;
        assert_eq!(
            (primary.status.as_u16(), reply.status.as_u16()),
            (200, if order { 201 } else { 200 })
        );
        assert!(
            took >= Duration::from_millis(100) && took < Duration::from_millis(105),
            "{took:?}"
        );
        assert_eq!(scene.attached().as_slice(), std::slice::from_ref(&scene.card));
        scene.is_over();
    }
}

#[tokio::test(start_paused = true)]
async fn only_first_attaches_of_single_use_primaries_wait() {
    let at_once = Duration::from_millis(5);
    let scene = Scene::new(waits()).await;
    let in_body =
        Ask::post(format!("/checkouts/{}", scene.checkout), json!({ "sourceId": scene.card }));
    let named = Ask::post(
        format!("/checkouts/{}", scene.checkout),
        json!({ "customerId": scene.customer }),
    );
    for (what, ask, waits) in [
        ("store credit", scene.attach(&scene.credit), false),
        ("a customer", named, false),
        ("a saved card", scene.attach(&scene.saved), false),
        ("a second primary", scene.attach(&scene.other), false),
        (
            "a detach",
            Ask::delete(
                format!("/checkouts/{}/sources/{}", scene.checkout, scene.other),
                Value::Null,
            ),
            false,
        ),
        ("a first primary in the body", in_body, true),
    ] {
        let (reply, took) = scene.timed(&ask).await;
        assert!(reply.status.is_success(), "{what}: {}", reply.text());
        assert_eq!(took < at_once, !waits, "{what}: {took:?}");
    }
    let scene =
        Scene::new(Policy { sequencing: waits().sequencing, ..weir::dialects::policy() }).await;
    let (_, took) = scene.timed(&scene.attach(&scene.card)).await;
    assert!(took < at_once, "where the policy does not ask for it: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn who_hangs_up_in_the_window_sends_nothing() {
    let scene = Scene::new(waits()).await;
    assert!(
        timeout(Duration::from_millis(100), scene.side.send(&scene.attach(&scene.card)))
            .await
            .is_err()
    );
    sleep(WINDOW).await;
    assert_eq!(scene.attached(), Vec::<String>::new());
    scene.is_over();
}

#[tokio::test(start_paused = true)]
async fn the_window_is_for_carts_too() {
    let scene = Scene::new(waits()).await;
    let token = scene.side.token().await;
    let apply = |source: &str| {
        Ask::post(format!("{CART}/apply-payment-method"), method(source)).shopper(&token)
    };
    scene
        .side
        .send(
            &Ask::post(format!("{CART}?productId=p&quantity=1&price=100"), Value::Null)
                .shopper(&token),
        )
        .await;
    let (card, credit) = (apply(&scene.card), apply(&scene.credit));
    let ((primary, took), (secondary, _)) =
        join(scene.timed(&card), scene.later(100, &credit)).await;
    assert_eq!((primary.status.as_u16(), secondary.status.as_u16()), (200, 200));
    assert!(took >= WINDOW && took < WINDOW + Duration::from_millis(5), "{took:?}");
    let submitted = scene
        .side
        .send(&Ask::post(format!("{CART}/submit-cart"), Value::Null).shopper(&token))
        .await;
    assert_eq!(
        (submitted.status.as_u16(), &scene.side.emulator.snapshot()["lostCredits"]),
        (200, &json!([]))
    );
    // Detach, attach, attach would have been the repair: nothing had to be repaired.
    assert!(scene.side.emulator.calls().iter().all(|call| call.method != "DELETE"));
    scene.is_over();
}
