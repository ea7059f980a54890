//! The layer in somebody else's service: the documented example, end to end before the emulator.

use crate::house::{CART, Caller, PUBLIC, SECRET, items, method, start_emulator};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot};
use weir::{
    emulator::{Emulator, Options},
    rules::{Policy, RuleId, Toggle},
};

#[path = "../../examples/axum.rs"]
mod example;

/// The example before an emulator of its own.
struct Shop {
    emulator: Emulator,
    app: Caller,
    _running: oneshot::Sender<()>,
}

impl Shop {
    async fn open(policy: Policy) -> Self {
        let emulator = Emulator::new(Options { seed: Some(1), ..Options::default() });
        let (upstream, running) = start_emulator(emulator.clone()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let app = example::app(format!("http://{upstream}").parse().expect("a target"), policy);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Shop { emulator, app: Caller::new(address).key(SECRET), _running: running }
    }

    async fn card(&self) -> String {
        self.app
            .key(PUBLIC)
            .post("/sources", json!({ "type": "creditCard", "creditCard": {} }))
            .await
            .id()
    }

    async fn credit(&self) -> String {
        self.app
            .post(
                "/sources",
                json!({ "type": "customerCredit", "amount": 11, "customerCredit": {} }),
            )
            .await
            .id()
    }
}

#[tokio::test]
async fn the_examples_own_routes_and_ungoverned_calls_pass() {
    let shop = Shop::open(weir::dialects::policy()).await;
    let health = shop.app.get("/health").await;
    assert_eq!(
        (health.status.as_u16(), health.text(), health.verdict()),
        (200, "well".to_owned(), ("none", None))
    );
    let unknown = shop.app.get("/no-such-thing").await;
    assert_eq!((unknown.status.as_u16(), unknown.verdict()), (404, ("none", None)));
    assert_eq!(
        shop.emulator.calls().iter().map(|call| call.target.clone()).collect::<Vec<_>>(),
        ["/no-such-thing"]
    );
}

#[tokio::test]
async fn a_purchase_through_the_example_passes_in_the_right_order_and_is_refused_in_the_wrong_one()
{
    let shop = Shop::open(weir::dialects::policy()).await;
    for (card_first, statuses) in [(false, [200, 200, 201]), (true, [200, 409, 201])] {
        let checkout = shop.app.post("/checkouts", items(26.89)).await.id();
        let (credit, card) = (shop.credit().await, shop.card().await);
        let order = if card_first { [&card, &credit] } else { [&credit, &card] };
        let mut seen = Vec::new();
        for source in order {
            seen.push(
                shop.app
                    .post(&format!("/checkouts/{checkout}/sources/{source}"), Value::Null)
                    .await,
            );
        }
        seen.push(shop.app.post("/orders", json!({ "checkoutId": checkout })).await);
        assert_eq!(seen.iter().map(|reply| reply.status.as_u16()).collect::<Vec<_>>(), statuses);
        if card_first {
            assert_eq!(seen[1].verdict(), ("rejected", Some("secondary-after-single-use-primary")));
            let sent = format!("/checkouts/{checkout}/sources/{credit}");
            assert!(
                shop.emulator.calls().iter().all(|call| call.target != sent),
                "the refused call was sent"
            );
        }
    }
}

#[tokio::test]
async fn a_policy_given_to_the_example_repairs_a_cart() {
    let mut policy = weir::dialects::policy();
    policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
    let shop = Shop::open(policy).await;
    let grant = shop
        .app
        .send(http::Method::POST, "/oauth20/token", "grant_type=anonymous&client_id=pk_acme")
        .await;
    let token = grant.json()["access_token"].as_str().expect("a token").to_owned();
    let shopper = shop.app.key(&format!("bearer {token}")).with("accept", "application/json");
    assert_eq!(
        shopper.post(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await.status,
        200
    );
    let (credit, card) = (shop.credit().await, shop.card().await);
    let apply = format!("{CART}/apply-payment-method");
    assert_eq!(shopper.post(&apply, method(&card)).await.status, 200);
    let repaired = shopper.post(&apply, method(&credit)).await;
    assert_eq!(
        (repaired.status.as_u16(), repaired.verdict()),
        (200, ("reordered", Some("primary-before-secondary")))
    );
    assert_eq!(shopper.post(&format!("{CART}/submit-cart"), Value::Null).await.status, 200);
    assert_eq!(shop.emulator.snapshot()["lostCredits"], json!([]));
}
