//! The calls that end what sources are for: invoices opened and voided, orders at once, carts
//! resumed, customers disabled and forgotten.

use serde_json::{Value, json};

use super::{super::Kind, Shop, error, id, order_of};

const ACTIVE: &str = "/v1/shoppers/me/carts/active";

async fn invoice(shop: &Shop, total: f64) -> String {
    id(&shop.post("/invoices", order_of(total)).await)
}

fn submit_failed() -> Value {
    error(
        "bad_request",
        json!({"code": "order_submit_failed", "message": "Payment session status is invalid."}),
    )
}

#[tokio::test]
async fn opening_an_invoice_charges_its_sources_and_ends_it() {
    let shop = Shop::new();
    let invoice = invoice(&shop, 50.0).await;
    let target = format!("/invoices/{invoice}");
    assert_eq!(shop.get(&target).await["state"], "draft");
    let (credit, card) = (shop.credit(20.0).await, shop.primary("creditCard").await);
    for source in [&credit, &card] {
        shop.post(&format!("{target}/sources/{source}"), Value::Null).await;
    }
    let opened = shop.post(&format!("{target}/open"), Value::Null).await;
    assert_eq!((&opened["id"], &opened["state"]), (&json!(invoice), &json!("paid")));
    let order = shop.get(&format!("/orders/{}", opened["orderId"].as_str().unwrap())).await;
    assert_eq!(order["invoiceId"], json!(invoice));
    let charges = &order["payment"]["charges"];
    assert_eq!((&charges[0]["amount"], &charges[1]["amount"]), (&json!(20.0), &json!(30.0)));
    assert_eq!(shop.state_of(&card).await, "consumed");
    for ending in ["open", "void"] {
        let again = shop.call("POST", &format!("{target}/{ending}"), Value::Null).await;
        assert!(again.0 == 400 || again.0 == 409, "{ending}: {again:?}");
    }
    let late = shop.credit(1.0).await;
    let attach = shop.call("POST", &format!("{target}/sources/{late}"), Value::Null).await;
    assert_eq!(attach, (409, super::not_allowed()));
}

#[tokio::test]
async fn an_invoice_that_is_not_funded_is_not_opened() {
    let shop = Shop::new();
    let invoice = invoice(&shop, 50.0).await;
    let target = format!("/invoices/{invoice}");
    shop.post(&format!("{target}/sources/{}", shop.credit(20.0).await), Value::Null).await;
    let open = shop.call("POST", &format!("{target}/open"), Value::Null).await;
    assert_eq!(open, (400, submit_failed()));
    assert_eq!(shop.get(&target).await["state"], "draft");
}

#[tokio::test]
async fn voiding_an_invoice_releases_its_sources_and_ends_it() {
    let shop = Shop::new();
    let invoice = invoice(&shop, 50.0).await;
    let target = format!("/invoices/{invoice}");
    let card = shop.primary("creditCard").await;
    shop.post(&format!("{target}/sources/{card}"), Value::Null).await;
    let voided = shop.post(&format!("{target}/void"), Value::Null).await;
    assert_eq!((&voided["state"], &voided["payment"]["sources"]), (&json!("void"), &json!([])));
    assert_eq!(shop.state_of(&card).await, "cancelled");
    for (ending, expected) in
        [("open", (400, submit_failed())), ("void", (409, super::not_allowed()))]
    {
        let again = shop.call("POST", &format!("{target}/{ending}"), Value::Null).await;
        assert_eq!(again, expected, "{ending}");
    }
    assert_eq!(shop.emulator.snapshot()["orders"], json!({}));
}

#[tokio::test]
async fn checkouts_are_neither_opened_nor_voided() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    for ending in ["open", "void"] {
        let call = shop.call("POST", &format!("/checkouts/{checkout}/{ending}"), Value::Null).await;
        assert_eq!(call.0, 404);
    }
}

#[tokio::test]
async fn an_order_at_once_charges_its_source_without_a_checkout() {
    let shop = Shop::new();
    let card = shop.primary("creditCard").await;
    let mut body = order_of(50.0);
    let unfunded = shop.call("POST", "/orders", body.clone()).await;
    assert_eq!(unfunded, (400, submit_failed()));
    body["sourceId"] = json!(card);
    let order = shop.post("/orders", body.clone()).await;
    assert_eq!((&order["totalAmount"], order.get("checkoutId")), (&json!(50.0), None));
    assert_eq!(order["payment"]["charges"][0]["sourceId"], json!(card));
    assert_eq!(shop.state_of(&card).await, "consumed");
    assert_eq!(shop.emulator.snapshot()["checkouts"], json!({}));
    assert_eq!(shop.get(&format!("/orders/{}", id(&order))).await["id"], order["id"]);
    assert_eq!(shop.call("POST", "/orders", body).await.0, 409, "the card is spent");
}

#[tokio::test]
async fn an_order_without_anything_still_lacks_its_checkout() {
    let refused = error(
        "bad_request",
        json!({"code": "missing_parameter", "parameter": "checkoutId",
            "message": "'checkoutId' is required."}),
    );
    assert_eq!(Shop::new().call("POST", "/orders", json!({})).await, (400, refused));
}

#[tokio::test]
async fn nobody_orders_for_a_disabled_customer() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let card = shop.saved(&customer, "creditCard").await;
    let mut body = order_of(50.0);
    body["customerId"] = json!(customer);
    body["sourceId"] = json!(card);
    let checkout = id(&shop.post("/checkouts", body).await);
    let order = json!({"checkoutId": checkout});
    let target = format!("/customers/{customer}");
    let disabled = shop.post(&target, json!({"enabled": false})).await;
    assert_eq!(
        (&disabled["enabled"], &disabled["sources"][0]["id"]),
        (&json!(false), &json!(card))
    );
    let refused = error(
        "conflict",
        json!({"code": "invalid_parameter", "parameter": "customerId",
            "message": format!("Customer '{customer}' is disabled.")}),
    );
    assert_eq!(shop.call("POST", "/orders", order.clone()).await, (409, refused));
    assert_eq!(shop.post(&target, json!({"enabled": "true"})).await["enabled"], json!(true));
    shop.post("/orders", order).await;
    assert_eq!(shop.call("POST", &target, json!({"enabled": "no"})).await.0, 400);
}

#[tokio::test]
async fn a_forgotten_customer_and_a_deleted_one_lose_their_sources() {
    let shop = Shop::new();
    for forgotten in [true, false] {
        let customer = shop.customer().await;
        let card = shop.saved(&customer, "creditCard").await;
        let target = format!("/customers/{customer}");
        if forgotten {
            let shown = shop.post(&target, json!({"requestToBeForgotten": true})).await;
            assert_eq!((&shown["sources"], shown.get("defaultSourceId")), (&json!([]), None));
            assert_eq!(shown["requestToBeForgotten"], json!(true));
        } else {
            assert_eq!(shop.call("DELETE", &target, Value::Null).await.0, 204);
            assert_eq!(shop.call("GET", &target, Value::Null).await.0, 404);
        }
        assert_eq!(shop.state_of(&card).await, "cancelled", "{forgotten}");
    }
}

#[tokio::test]
async fn a_new_customer_has_no_source_to_be_the_default() {
    let shop = Shop::new();
    let card = shop.primary("creditCard").await;
    let body = json!({"id": "a", "defaultSourceId": card});
    let (status, refused) = shop.call("POST", "/customers", body).await;
    assert_eq!((status, &refused["errors"][0]["parameter"]), (409, &json!("defaultSourceId")));
}

#[tokio::test]
async fn a_cart_is_resumed_into_an_order() {
    let shop = Shop::new();
    let shopper = shop.shopper().await;
    shopper.post(&format!("{ACTIVE}?productId=p&price=100"), Value::Null).await;
    let resume = format!("{ACTIVE}/resume-cart");
    assert_eq!(shopper.call("POST", &resume, Value::Null).await.0, 409, "nothing pays");
    let card = shop
        .source(json!({"type": "creditCard", "creditCard": {}, "upstreamId": "redirect"}))
        .await;
    let body = json!({"paymentMethod": {"sourceId": card}});
    shopper.post(&format!("{ACTIVE}/apply-payment-method"), body).await;
    let cart = id(&shopper.get(ACTIVE).await["cart"]);
    assert_eq!(id(&shopper.get(&format!("{ACTIVE}/web-checkout")).await["cart"]), cart);
    assert!(shop.emulator.authorize(&card));
    let answer = shopper.post(&resume, Value::Null).await;
    assert_eq!(answer["submitCart"]["order"]["charges"]["charge"][0]["sourceId"], json!(card));
    assert_eq!(shop.emulator.session(Kind::Cart, &cart).unwrap()["state"], "complete");
    assert_ne!(id(&shopper.get(ACTIVE).await["cart"]), cart);
}

#[tokio::test]
async fn lists_show_a_merchant_its_own() {
    let shop = Shop::new();
    let (checkout, invoice) = (shop.checkout(50.0).await, invoice(&shop, 20.0).await);
    let listed = shop.get("/checkouts?limit=1").await;
    assert_eq!((&listed["hasMore"], id(&listed["data"][0])), (&json!(false), checkout));
    assert_eq!(id(&shop.get("/invoices").await["data"][0]), invoice);
    let stranger = shop.using("authorization", "sk_globex");
    assert_eq!(stranger.get("/checkouts").await["data"], json!([]));
}
