use serde_json::{Value, json};

use super::{
    super::{Kind, Options},
    Shop, error, id, not_allowed, order_of,
};

fn spent() -> Value {
    error(
        "conflict",
        json!({
            "code": "source_status_invalid_for_session",
            "message": "The source status is invalid for this session.",
        }),
    )
}

fn too_large() -> Value {
    error(
        "conflict",
        json!({
            "code": "session_source_amount_too_large",
            "message": "Source amount(s) exceed session amount",
        }),
    )
}

fn underfunded() -> Value {
    error(
        "bad_request",
        json!({"code": "order_submit_failed", "message": "Payment session status is invalid."}),
    )
}

#[tokio::test]
async fn a_purchase_with_credit_and_card() {
    let shop = Shop::new();
    let checkout = shop.checkout(26.89).await;
    let (credit, card) = (shop.credit(11.0).await, shop.primary("creditCard").await);
    shop.attached(&checkout, &credit).await;
    shop.attached(&checkout, &card).await;
    let shown = shop.get(&format!("/checkouts/{checkout}")).await;
    let session = &shown["payment"]["session"];
    assert_eq!(
        (&session["amountContributed"], &session["amountRemainingToBeContributed"]),
        (&json!(26.89), &json!(0.0))
    );
    assert_eq!(session["state"], "requires_confirmation");
    let sources = shown["payment"]["sources"].as_array().unwrap();
    assert_eq!((&sources[0]["amount"], &sources[1]["amount"]), (&json!(11.0), &json!(15.89)));
    assert!(
        sources
            .iter()
            .all(|source| source.get("reusable").is_none() && source.get("state").is_none())
    );

    let (status, order) = shop.call("POST", "/orders", json!({"checkoutId": checkout})).await;
    assert_eq!(
        (status, &order["state"], &order["totalAmount"]),
        (201, &json!("accepted"), &json!(26.89))
    );
    let charges: Vec<_> = order["payment"]["charges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["sourceId"].clone(), c["amount"].clone()))
        .collect();
    assert_eq!(charges, [(json!(credit), json!(11.0)), (json!(card), json!(15.89))]);
    assert_eq!(
        (shop.state_of(&credit).await, shop.state_of(&card).await),
        ("consumed".into(), "consumed".into())
    );
    assert_eq!(shop.emulator.session(Kind::Checkout, &checkout).unwrap()["state"], "complete");
    assert_eq!(
        shop.call("POST", "/orders", json!({"checkoutId": checkout})).await,
        (400, underfunded())
    );
    assert_eq!(shop.attach(&checkout, &credit).await, (409, not_allowed()));
}

#[tokio::test]
async fn secondary_after_single_use_primary_is_refused_in_every_form() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    shop.attached(&checkout, &shop.primary("creditCard").await).await;
    let credit = shop.credit(5.0).await;
    assert_eq!(shop.attach(&checkout, &credit).await, (409, not_allowed()));
    assert_eq!(
        shop.call("POST", &format!("/checkouts/{checkout}"), json!({"sourceId": credit})).await,
        (409, not_allowed())
    );
    assert_eq!(
        shop.emulator.session(Kind::Checkout, &checkout).unwrap()["sources"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        shop.emulator.calls().last().unwrap().refused_code.as_deref(),
        Some("session_update_not_allowed")
    );
}

#[tokio::test]
async fn secondary_beside_a_saved_primary_lowers_it_and_gives_it_back() {
    let shop = Shop::new();
    let customer = shop.customer().await;
    let card = shop.saved(&customer, "creditCard").await;
    let checkout = id(&shop.post("/checkouts", order_of(50.0)).await);
    shop.attached(&checkout, &card).await;
    let credit = shop.credit(20.0).await;
    shop.attached(&checkout, &credit).await;
    let amount = async || shop.get(&format!("/sources/{card}")).await["amount"].clone();
    assert_eq!(amount().await, json!(30.0));
    assert_eq!(shop.attach(&checkout, &shop.credit(30.01).await).await, (409, too_large()));
    shop.attached(&checkout, &shop.credit(30.0).await).await;
    assert_eq!(amount().await, json!(0.0));
    let gone =
        shop.call("DELETE", &format!("/checkouts/{checkout}/sources/{credit}"), Value::Null).await;
    assert_eq!(gone, (204, Value::Null));
    assert_eq!(amount().await, json!(20.0));
    assert_eq!(shop.state_of(&credit).await, "cancelled");
}

#[tokio::test]
async fn a_spent_source_is_refused() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    let card = shop.primary("creditCard").await;
    shop.attached(&checkout, &card).await;
    shop.call("DELETE", &format!("/checkouts/{checkout}/sources/{card}"), Value::Null).await;
    assert_eq!(shop.state_of(&card).await, "cancelled");
    assert_eq!(shop.attach(&checkout, &card).await, (409, spent()));
    let failed = shop
        .source(json!({"type": "creditCard", "creditCard": {"number": "4000000000000069"}}))
        .await;
    assert_eq!(shop.attach(&checkout, &failed).await, (409, spent()));
}

#[tokio::test]
async fn credits_may_not_exceed_the_total() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    shop.attached(&checkout, &shop.credit(30.0).await).await;
    assert_eq!(shop.attach(&checkout, &shop.credit(20.01).await).await, (409, too_large()));
    shop.attached(&checkout, &shop.credit(20.0).await).await;
    let mut fewer = order_of(49.99);
    assert_eq!(
        shop.call("POST", &format!("/checkouts/{checkout}"), fewer.clone()).await,
        (409, too_large())
    );
    fewer["sourceId"] = json!(shop.credit(60.0).await);
    assert_eq!(shop.call("POST", "/checkouts", fewer).await, (409, too_large()));
    assert_eq!(
        shop.emulator.snapshot()["checkouts"].as_object().unwrap().len(),
        1,
        "a refused create leaves nothing"
    );
}

#[tokio::test]
async fn credit_pairs_with_some_primaries_only() {
    let shop = Shop::new();
    let refused = error(
        "conflict",
        json!({"code": "source_not_supported", "parameter": "sourceId",
            "message": "A customerCredit source cannot be combined with a amazonPay source."}),
    );
    let checkout = shop.checkout(50.0).await;
    shop.attached(&checkout, &shop.credit(5.0).await).await;
    assert_eq!(
        shop.attach(&checkout, &shop.primary("amazonPay").await).await,
        (409, refused.clone())
    );
    let customer = shop.customer().await;
    let other = shop.checkout(50.0).await;
    shop.attached(&other, &shop.saved(&customer, "amazonPay").await).await;
    assert_eq!(shop.attach(&other, &shop.credit(5.0).await).await, (409, refused));
    shop.attached(&checkout, &shop.primary("konbini").await).await;
}

#[tokio::test]
async fn a_second_primary_replaces_the_first_which_is_spent_if_single_use() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    let (first, second) = (shop.primary("creditCard").await, shop.primary("payPal").await);
    shop.attached(&checkout, &first).await;
    shop.attached(&checkout, &second).await;
    assert_eq!(
        (shop.state_of(&first).await, shop.state_of(&second).await),
        ("cancelled".into(), "chargeable".into())
    );
    let session = shop.emulator.session(Kind::Checkout, &checkout).unwrap();
    assert_eq!(
        (session["sources"].as_array().unwrap().len(), &session["sources"][0]["id"]),
        (1, &json!(second))
    );
}

#[tokio::test]
async fn an_underfunded_order_is_refused() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    assert_eq!(
        shop.call("POST", "/orders", json!({"checkoutId": checkout})).await,
        (400, underfunded())
    );
    shop.attached(&checkout, &shop.credit(49.99).await).await;
    assert_eq!(
        shop.call("POST", "/orders", json!({"checkoutId": checkout})).await,
        (400, underfunded())
    );
    shop.attached(&checkout, &shop.credit(0.01).await).await;
    assert_eq!(shop.call("POST", "/orders", json!({"checkoutId": checkout})).await.0, 201);
}

#[tokio::test]
async fn store_credit_needs_its_amount_type_and_empty_object() {
    let shop = Shop::new();
    let whole = json!({"type": "customerCredit", "amount": 5, "customerCredit": {}});
    for missing in ["type", "amount", "customerCredit"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(missing);
        let refused = error(
            "bad_request",
            json!({
                "code": "missing_parameter",
                "parameter": missing,
                "message": format!("'{missing}' is required."),
            }),
        );
        assert_eq!(shop.call("POST", "/sources", body).await, (400, refused));
    }
    let (status, source) = shop.call("POST", "/sources", whole).await;
    assert_eq!(
        (status, &source["state"], &source["reusable"], &source["amount"]),
        (201, &json!("chargeable"), &json!(false), &json!(5.0))
    );
    assert_eq!(
        shop.call("PATCH", &format!("/sources/{}", id(&source)), json!({"amount": 6})).await,
        (409, not_allowed())
    );
}

#[tokio::test]
async fn invoices_follow_the_same_rules_and_one_of_their_own() {
    let shop = Shop::new();
    let mut body = order_of(50.0);
    body["billingOptimization"] = json!(true);
    let invoice = id(&shop.post("/invoices", body).await);
    let credit = shop.credit(5.0).await;
    let refused = error(
        "conflict",
        json!({"code": "source_not_supported", "parameter": "sourceId",
        "message": concat!(
            "A customerCredit source is not supported while the invoice's ",
            "billing optimization is on.",
        )}),
    );
    let attach = format!("/invoices/{invoice}/sources/{credit}");
    assert_eq!(shop.call("POST", &attach, Value::Null).await, (409, refused));
    shop.post(&format!("/invoices/{invoice}"), json!({"billingOptimization": false})).await;
    shop.post(&attach, Value::Null).await;
    let card = shop.primary("creditCard").await;
    shop.post(&format!("/invoices/{invoice}"), json!({"sourceId": card})).await;
    let late = shop.credit(5.0).await;
    assert_eq!(
        shop.call("POST", &format!("/invoices/{invoice}/sources/{late}"), Value::Null).await,
        (409, not_allowed())
    );
}

#[tokio::test]
async fn older_versions_show_sources_at_the_top_and_take_a_credit_amount_once() {
    let shop = Shop::new().using("digitalriver-version", "2021-02-23");
    let mut body = order_of(26.89);
    body["creditAmount"] = json!(11);
    let checkout = shop.post("/checkouts", body).await;
    assert!(checkout.get("payment").is_none());
    assert_eq!(
        (&checkout["creditAmount"], &checkout["sources"][0]["amount"]),
        (&json!(11.0), &json!(11.0))
    );
    let target = format!("/checkouts/{}", id(&checkout));
    let again = error(
        "conflict",
        json!({
            "code": "creditAmount_already_updated",
            "message": "Credit amount has already been updated.",
        }),
    );
    assert_eq!(shop.call("POST", &target, json!({"creditAmount": 12})).await, (409, again));

    let other = format!("/checkouts/{}", shop.checkout(50.0).await);
    shop.post(&other, json!({"sourceId": shop.primary("creditCard").await})).await;
    let late = error(
        "conflict",
        json!({
            "code": "source_not_supported",
            "parameter": "sourceId",
            "message": "The source status is invalid for this session.",
        }),
    );
    assert_eq!(shop.call("POST", &other, json!({"creditAmount": 5})).await, (409, late));

    let both = format!("/checkouts/{}", shop.checkout(50.0).await);
    let shown = shop
        .post(&both, json!({"sourceId": shop.primary("creditCard").await, "creditAmount": 5}))
        .await;
    assert_eq!(
        (&shown["sources"][0]["amount"], &shown["sources"][1]["amount"]),
        (&json!(5.0), &json!(45.0))
    );
    assert_eq!(
        Shop::new()
            .call("POST", "/checkouts", json!({"currency": "USD", "creditAmount": 1}))
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn keys_decide_what_may_be_done_and_merchants_are_apart() {
    let shop = Shop::new();
    let checkout = format!("/checkouts/{}", shop.checkout(50.0).await);
    let card = shop
        .using("authorization", "pk_acme")
        .post("/sources", json!({"type": "creditCard", "creditCard": {}}))
        .await;
    let own = format!("/sources/{}", id(&card));
    let with_secret = format!("{own}?clientSecret={}", card["clientSecret"].as_str().unwrap());
    for (key, method, target, status) in [
        ("sk_acme", "GET", checkout.as_str(), 200),
        ("rk_acme", "GET", &checkout, 200),
        ("rk_acme", "DELETE", &checkout, 403),
        ("pk_acme", "GET", &checkout, 403),
        ("sk_globex", "GET", &checkout, 404),
        ("sk_globex", "DELETE", &checkout, 404),
        ("nonsense", "GET", &checkout, 401),
        ("pk_acme", "GET", &own, 403),
        ("pk_acme", "GET", &with_secret, 200),
        ("sk_globex", "GET", &own, 404),
    ] {
        assert_eq!(
            shop.using("authorization", key).call(method, target, Value::Null).await.0,
            status,
            "{key} {method} {target}"
        );
    }
    let unauthorized =
        error("unauthorized", json!({"code": "unauthorized", "message": "Authentication failed."}));
    assert_eq!(
        shop.using("authorization", "").call("GET", &checkout, Value::Null).await,
        (401, unauthorized)
    );
    let credit = json!({"type": "customerCredit", "amount": 5, "customerCredit": {}});
    assert_eq!(
        shop.using("authorization", "pk_acme").call("POST", "/sources", credit).await.0,
        403
    );
}

#[tokio::test]
async fn pending_sources_fund_an_order_whose_payment_is_pending_until_authorised() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    let source =
        shop.source(json!({"type": "payPal", "payPal": {}, "upstreamId": "redirect"})).await;
    shop.attached(&checkout, &source).await;
    let order = shop.post("/orders", json!({"checkoutId": checkout})).await;
    assert_eq!(
        (&order["state"], &order["payment"]["charges"][0]["state"]),
        (&json!("pending_payment"), &json!("pending"))
    );
    shop.post(&format!("/_emulator/sources/{source}/authorize"), Value::Null).await;
    assert_eq!(shop.state_of(&source).await, "consumed");
    assert_eq!(
        shop.get(&format!("/orders/{}", id(&order))).await["payment"]["charges"][0]["state"],
        "capturable"
    );
}

#[tokio::test]
async fn a_declined_charge_refuses_the_order_and_changes_nothing() {
    let shop = Shop::new();
    let checkout = shop.checkout(50.0).await;
    let credit = shop.credit(5.0).await;
    shop.attached(&checkout, &credit).await;
    shop.attached(
        &checkout,
        &shop
            .source(
                json!({"type": "creditCard", "creditCard": {}, "owner": {"lastName": "Declined"}}),
            )
            .await,
    )
    .await;
    let (status, body) = shop.call("POST", "/orders", json!({"checkoutId": checkout})).await;
    assert_eq!((status, &body["errors"][0]["code"]), (409, &json!("payment_declined")));
    assert_eq!(shop.state_of(&credit).await, "chargeable");
    assert_eq!(
        shop.emulator.session(Kind::Checkout, &checkout).unwrap()["state"],
        "requires_confirmation"
    );
}

#[tokio::test]
async fn items_and_tax_make_the_total_and_the_primary_follows() {
    let shop = Shop::with(Options {
        tax_rate: "0.2".parse().unwrap(),
        whole_sources: true,
        ..Options::default()
    });
    let body = json!({"currency": "EUR", "items": [
        {"skuId": "a", "quantity": 3, "price": 3.33},
        {"productDetails": {"name": "b"}, "quantity": 2, "aggregatePrice": "5.01"}]});
    let checkout = shop.post("/checkouts", body).await;
    assert_eq!(
        (&checkout["subtotal"], &checkout["totalTax"], &checkout["totalAmount"]),
        (&json!(15.0), &json!(3.0), &json!(18.0))
    );
    let target = format!("/checkouts/{}", id(&checkout));
    let card = shop.primary("creditCard").await;
    let shown = shop.post(&target, json!({"sourceId": card})).await;
    let source = &shown["payment"]["sources"][0];
    assert_eq!(
        (&source["amount"], &source["reusable"], &source["state"]),
        (&json!(18.0), &json!(false), &json!("chargeable"))
    );
    assert_eq!(
        shop.post(&target, order_of(1.0)).await["payment"]["sources"][0]["amount"],
        json!(1.2)
    );
}

#[tokio::test]
async fn what_cannot_be_read_is_a_bad_request_and_what_is_not_there_is_not_found() {
    let shop = Shop::new();
    for body in [
        "{",
        "[]",
        "\u{1}",
        "{\"items\":[]}",
        "{\"currency\":\"USD\"}",
        "{\"currency\":\"USD\",\"items\":[{\"skuId\":\"a\",\"price\":1e40}]}",
    ] {
        assert_eq!(shop.text("POST", "/checkouts", body).await.0, 400, "{body}");
    }
    let missing = error(
        "not_found",
        json!({"code": "not_found", "parameter": "id", "message": "Checkout '1' not found."}),
    );
    assert_eq!(shop.call("GET", "/checkouts/1", Value::Null).await, (404, missing));
    let checkout = shop.checkout(5.0).await;
    assert_eq!(shop.attach(&checkout, "nothing").await.0, 404);
    assert_eq!(shop.call("GET", "/nowhere", Value::Null).await.0, 404);
}
