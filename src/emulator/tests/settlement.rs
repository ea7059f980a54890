use serde_json::{Value, json};

use super::{Shop, id};

/// An order of two items for that total, paid by credit and card.
async fn paid(shop: &Shop, total: f64, credit: f64) -> Value {
    let item = json!({"skuId": "sku", "quantity": 2, "aggregatePrice": total});
    let body = json!({"currency": "USD", "items": [item]});
    let checkout = id(&shop.post("/checkouts", body).await);
    shop.attached(&checkout, &shop.credit(credit).await).await;
    shop.attached(&checkout, &shop.primary("creditCard").await).await;
    shop.post("/orders", json!({"checkoutId": checkout})).await
}

async fn fulfil(shop: &Shop, order: &Value, quantity: u32, cancel: u32) -> (u16, Value) {
    let item =
        json!({"itemId": order["items"][0]["id"], "quantity": quantity, "cancelQuantity": cancel});
    shop.call("POST", "/fulfillments", json!({"orderId": order["id"], "items": [item]})).await
}

/// What moved on the credit's charge and on the card's.
async fn moved(shop: &Shop, order: &Value, what: &str) -> [f64; 2] {
    let order = shop.get(&format!("/orders/{}", id(order))).await;
    let sum = |at: usize| {
        let charge = &order["payment"]["charges"][at];
        charge[what]
            .as_array()
            .into_iter()
            .flatten()
            .map(|moved| moved["amount"].as_f64().unwrap())
            .sum()
    };
    [sum(0), sum(1)]
}

#[tokio::test]
async fn captures_take_from_the_credit_first() {
    let shop = Shop::new();
    let order = paid(&shop, 26.89, 11.0).await;
    assert_eq!(fulfil(&shop, &order, 1, 0).await.0, 201);
    assert_eq!(moved(&shop, &order, "captures").await, [11.0, 2.45]);
    assert_eq!(fulfil(&shop, &order, 1, 0).await.0, 201);
    assert_eq!(moved(&shop, &order, "captures").await, [11.0, 15.89]);
    assert_eq!(shop.get(&format!("/orders/{}", id(&order))).await["state"], "complete");
    assert_eq!(fulfil(&shop, &order, 1, 0).await.0, 400, "no more than was ordered");
}

#[tokio::test]
async fn cancels_take_from_the_card_first() {
    let shop = Shop::new();
    let order = paid(&shop, 26.89, 20.0).await;
    assert_eq!(fulfil(&shop, &order, 0, 1).await.0, 201);
    let cancelled = moved(&shop, &order, "cancels").await;
    assert_eq!(cancelled.map(|amount| (amount * 100.0).round()), [656.0, 689.0]);
}

#[tokio::test]
async fn refunds_take_from_the_card_until_it_is_fully_refunded() {
    let shop = Shop::new();
    let order = paid(&shop, 26.89, 20.0).await;
    fulfil(&shop, &order, 2, 0).await;
    let body =
        json!({"orderId": order["id"], "amount": 13.45, "currency": "USD", "reason": "returned"});
    let (status, refund) = shop.call("POST", "/refunds", body).await;
    assert_eq!(
        (status, &refund["state"], &refund["refundedAmount"]),
        (201, &json!("succeeded"), &json!(13.45))
    );
    assert_eq!(moved(&shop, &order, "refunds").await, [6.56, 6.89]);
    let too_much = json!({"orderId": order["id"], "amount": 13.45});
    assert_eq!(shop.call("POST", "/refunds", too_much).await.0, 409);
}

#[tokio::test]
async fn the_carts_pages_refunds() {
    for (amount, expected) in [(400.0, [0.0, 400.0]), (700.0, [100.0, 600.0])] {
        let shop = Shop::new();
        let shopper = shop.shopper().await;
        shopper
            .post("/v1/shoppers/me/carts/active?productId=a&quantity=10&price=100", Value::Null)
            .await;
        for source in [shop.credit(400.0).await, shop.primary("creditCard").await] {
            let body = json!({"paymentMethod": {"sourceId": source}});
            shopper.post("/v1/shoppers/me/carts/active/apply-payment-method", body).await;
        }
        let answer = shopper.post("/v1/shoppers/me/carts/active/submit-cart", Value::Null).await;
        let order = id(&answer["submitCart"]["order"]);
        let order = shop.get(&format!("/orders/{order}")).await;
        assert_eq!(fulfil(&shop, &order, 10, 0).await.0, 201);
        shop.post("/refunds", json!({"orderId": order["id"], "amount": amount})).await;
        assert_eq!(moved(&shop, &order, "refunds").await, expected);
    }
}
