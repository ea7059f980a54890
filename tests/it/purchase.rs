//! A purchase in each dialect, in the right order and in the wrong one, and what monitoring makes
//! of it.

use crate::house::{CART, House, items, method};
use serde_json::{Value, json};
use weir::{
    emulator::Kind,
    rules::{Mode, Policy},
};

#[tokio::test]
async fn credit_then_card_then_order_passes_untouched() {
    let house = House::new(weir::dialects::policy()).await;
    let checkout = house.checkout(26.89).await;
    let (credit, card) = (house.credit(11.0).await, house.card().await);
    for source in [&credit, &card] {
        let reply =
            house.weir.post(&format!("/checkouts/{checkout}/sources/{source}"), Value::Null).await;
        assert_eq!(
            (reply.status.as_u16(), reply.verdict()),
            (200, ("forwarded", None)),
            "{}",
            reply.text()
        );
        assert_eq!(reply.json()["id"], json!(source));
    }
    let order = house.weir.post("/orders", json!({ "checkoutId": checkout })).await;
    assert_eq!(
        (order.status.as_u16(), order.verdict()),
        (201, ("forwarded", None)),
        "{}",
        order.text()
    );
    assert_eq!(house.refused_upstream(), []);
}

#[tokio::test]
async fn credit_after_a_card_is_refused_with_the_vendors_body_and_never_sent() {
    let house = House::new(weir::dialects::policy()).await;
    let checkout = house.checkout(26.89).await;
    let (credit, card) = (house.credit(11.0).await, house.card().await);
    house.weir.post(&format!("/checkouts/{checkout}/sources/{card}"), Value::Null).await;
    let attach = format!("/checkouts/{checkout}/sources/{credit}");
    let refused = house.weir.post(&attach, Value::Null).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.verdict(), ("rejected", Some("secondary-after-single-use-primary")));
    let vendor = house.upstream.post(&attach, Value::Null).await;
    assert_eq!((refused.status, refused.json()), (vendor.status, vendor.json()));
    let sent = house.emulator.calls().into_iter().filter(|call| call.target == attach).count();
    assert_eq!(sent, 1, "only the test's own call to the vendor");
}

#[tokio::test]
async fn a_carts_credit_after_a_card_is_refused_and_the_right_order_keeps_it() {
    let house = House::new(weir::dialects::policy()).await;
    let shopper = house.shopper(100.0).await;
    let (credit, card) = (house.credit(40.0).await, house.card().await);
    let apply = format!("{CART}/apply-payment-method");
    assert_eq!(shopper.post(&apply, method(&card)).await.status, 200);
    let refused = shopper.post(&apply, method(&credit)).await;
    assert_eq!(
        (refused.status.as_u16(), refused.verdict()),
        (409, ("rejected", Some("primary-before-secondary")))
    );
    assert_eq!(refused.json()["errors"]["error"][0]["code"], "apply-payment-failure");
    assert_eq!(
        shopper.send(http::Method::DELETE, &apply, method(&card).to_string()).await.status,
        204
    );
    for source in [&credit, &card] {
        let reply = shopper.post(&apply, method(source)).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    let submitted = shopper.post(&format!("{CART}/submit-cart"), Value::Null).await;
    assert_eq!(submitted.status, 200, "{}", submitted.text());
    assert_eq!(house.emulator.snapshot()["lostCredits"], json!([]));
}

#[tokio::test]
async fn monitoring_forwards_and_says_what_it_saw() {
    let house = House::new(Policy { mode: Mode::Monitor, ..weir::dialects::policy() }).await;
    let shopper = house.shopper(100.0).await;
    let (credit, card) = (house.credit(40.0).await, house.card().await);
    let apply = format!("{CART}/apply-payment-method");
    shopper.post(&apply, method(&card)).await;
    let passed = shopper.post(&apply, method(&credit)).await;
    assert_eq!(
        (passed.status.as_u16(), passed.verdict()),
        (200, ("monitored", Some("primary-before-secondary")))
    );
    let created = house.weir.post("/checkouts", items(5.0)).await;
    assert_eq!(created.verdict(), ("forwarded", None));
    assert_eq!(house.attached(Kind::Checkout, &created.id()), Vec::<String>::new());
}
