use serde_json::{Value, json};

use super::{Shop, error, id, order_of};

fn not_chargeable(source: &str) -> Value {
    let message = format!("Source '{source}' is not chargeable.");
    error(
        "conflict",
        json!({"code": "source_not_chargeable", "parameter": "sourceId", "message": message}),
    )
}

#[tokio::test]
async fn saving_makes_reusable_and_the_first_is_the_default() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let first = shop.saved(&customer, "creditCard").await;
    let second = shop.saved(&customer, "googlePay").await;
    let source = shop.get(&format!("/sources/{first}")).await;
    assert_eq!((&source["reusable"], &source["customerId"]), (&json!(true), &json!(customer)));
    let target = format!("/customers/{customer}");
    assert_eq!(shop.get(&target).await["defaultSourceId"], json!(first));
    assert_eq!(
        shop.post(&target, json!({"defaultSourceId": second})).await["defaultSourceId"],
        json!(second)
    );
    assert_eq!(shop.get(&target).await["sources"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_reused_is_not_saved() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let refused = error(
        "conflict",
        json!({
            "code": "nonreusable_source",
            "message": "Only a reusable source may be attached to a customer.",
        }),
    );
    for source in [shop.credit(5.0).await, shop.primary("payPal").await] {
        assert_eq!(
            shop.call("POST", &format!("/customers/{customer}/sources/{source}"), Value::Null)
                .await,
            (409, refused.clone())
        );
    }
}

#[tokio::test]
async fn what_is_not_chargeable_is_not_saved() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let pending = shop
        .source(json!({"type": "creditCard", "creditCard": {"number": "4000 0000 0000 3220"}}))
        .await;
    let target = format!("/customers/{customer}/sources/{pending}");
    assert_eq!(shop.call("POST", &target, Value::Null).await, (409, not_chargeable(&pending)));
    assert!(shop.emulator.authorize(&pending));
    shop.post(&target, Value::Null).await;

    assert_eq!(shop.call("DELETE", &target, Value::Null).await, (204, Value::Null));
    assert_eq!(shop.state_of(&pending).await, "cancelled");
    assert_eq!(shop.call("POST", &target, Value::Null).await, (409, not_chargeable(&pending)));
}

#[tokio::test]
async fn a_default_must_be_saved_first() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let card = shop.primary("creditCard").await;
    let message = format!("Source '{card}' is not attached to customer '{customer}'.");
    let refused = error(
        "conflict",
        json!({"code": "invalid_parameter", "parameter": "defaultSourceId", "message": message}),
    );
    assert_eq!(
        shop.call("POST", &format!("/customers/{customer}"), json!({"defaultSourceId": card}))
            .await,
        (409, refused)
    );
}

#[tokio::test]
async fn an_order_needs_the_customer_whose_source_it_charges() {
    let shop = Shop::new();
    let (owner, other) = (shop.customer().await, shop.customer().await);
    let card = shop.saved(&owner, "creditCard").await;
    let mut body = order_of(50.0);
    body["sourceId"] = json!(card);
    let checkout = id(&shop.post("/checkouts", body).await);
    let message = format!("Source '{card}' is attached to a different customer.");
    let refused = error(
        "conflict",
        json!({"code": "source_in_use", "parameter": "sourceId", "message": message}),
    );
    let order = json!({"checkoutId": checkout});
    assert_eq!(shop.call("POST", "/orders", order.clone()).await, (409, refused.clone()));
    shop.post(&format!("/checkouts/{checkout}"), json!({"customerId": other})).await;
    assert_eq!(shop.call("POST", "/orders", order.clone()).await, (409, refused));
    shop.post(&format!("/checkouts/{checkout}"), json!({"customerId": owner})).await;
    assert_eq!(shop.call("POST", "/orders", order).await.0, 201);
    assert_eq!(shop.state_of(&card).await, "chargeable", "reusable sources are not consumed");
}
