//! Each quirk changes what it says, and without it the vendor is as its pages say.

use serde_json::{Value, json};

use super::{
    super::{Kind, Options, Quirks},
    Shop, id, order_of,
};

const ACTIVE: &str = "/v1/shoppers/me/carts/active";
const RESTRICTED: &str = "rk_test_acme";

/// A shop with these quirks.
fn odd(quirks: &str) -> Shop {
    Shop::with(Options { quirks: quirks.parse().unwrap(), ..Options::default() })
}

/// A shopper whose cart holds one product at that price.
async fn with_cart(shop: &Shop, total: f64) -> Shop {
    let shopper = shop.shopper().await;
    shopper.post(&format!("{ACTIVE}?productId=p&price={total}"), Value::Null).await;
    shopper
}

async fn apply(shopper: &Shop, source: &str) -> Value {
    let body = json!({"paymentMethod": {"sourceId": source}});
    shopper.post(&format!("{ACTIVE}/apply-payment-method"), body).await
}

fn status_of((status, _): (u16, Value)) -> u16 {
    status
}

#[tokio::test]
async fn a_shoppers_token_reads_no_source_where_that_is_denied() {
    for (quirks, expected) in
        [("", 200), ("deny-shopper-reads", 403), ("deny-shopper-reads=401", 401)]
    {
        let shop = odd(quirks);
        let shopper = with_cart(&shop, 100.0).await;
        let target = format!("/sources/{}", shop.primary("creditCard").await);
        assert_eq!(status_of(shopper.call("GET", &target, Value::Null).await), expected);
        shop.get(&target).await;
        shopper.get(ACTIVE).await;
    }
}

#[tokio::test]
async fn restricted_keys_order_and_do_not_read_where_they_are_order_only() {
    for (quirks, read, change) in [("", 200, 403), ("order-only-keys", 403, 200)] {
        let shop = odd(quirks);
        let checkout = shop.checkout(50.0).await;
        let card = shop.primary("creditCard").await;
        let restricted = shop.using("authorization", RESTRICTED);
        for target in [format!("/checkouts/{checkout}"), format!("/sources/{card}")] {
            let got = restricted.call("GET", &target, Value::Null).await;
            assert_eq!(status_of(got), read, "{quirks} {target}");
            shop.get(&target).await;
        }
        assert_eq!(status_of(restricted.attach(&checkout, &card).await), change, "{quirks}");
        if change == 200 {
            restricted.post("/orders", json!({"checkoutId": checkout})).await;
        }
    }
}

#[tokio::test]
async fn what_is_not_there_is_removed_where_removals_are_lenient() {
    for (quirks, expected) in [("", 404), ("lenient-removals", 204)] {
        let shop = odd(quirks);
        let shopper = with_cart(&shop, 100.0).await;
        let checkout = shop.checkout(50.0).await;
        let (customer, other) = (shop.customer().await, shop.customer().await);
        let saved = shop.saved(&other, "creditCard").await;
        let named = json!({"paymentMethod": {"sourceId": saved}});
        let before = shop.emulator.snapshot();
        for (who, target, body) in [
            (&shop, format!("/checkouts/{checkout}/sources/{saved}"), Value::Null),
            (&shop, format!("/checkouts/{checkout}/sources/none"), Value::Null),
            (&shop, "/checkouts/none".to_owned(), Value::Null),
            (&shop, "/invoices/none".to_owned(), Value::Null),
            (&shop, format!("/customers/{customer}/sources/{saved}"), Value::Null),
            (&shop, "/customers/none".to_owned(), Value::Null),
            (&shopper, format!("{ACTIVE}/apply-payment-method"), named),
            (&shopper, format!("{ACTIVE}/line-items/none"), Value::Null),
            (&shopper, "/v1/shoppers/me/payment-options/none".to_owned(), Value::Null),
        ] {
            let status = status_of(who.call("DELETE", &target, body).await);
            assert_eq!(status, expected, "{quirks} {target}");
        }
        assert_eq!(shop.emulator.snapshot(), before, "nothing was there, and nothing changed");
        let nowhere = format!("/checkouts/none/sources/{saved}");
        let nowhere = shop.call("DELETE", &nowhere, Value::Null).await;
        assert_eq!(status_of(nowhere), 404, "from nothing, nothing can be detached");
    }
}

#[tokio::test]
async fn a_script_changes_a_cart_with_a_get_where_jsonp_is_on() {
    let submit = format!("{ACTIVE}/submit-cart?method=post&callback=f");
    for (quirks, expected) in [("", 404), ("jsonp", 200)] {
        let shop = odd(quirks);
        let shopper = with_cart(&shop, 100.0).await;
        apply(&shopper, &shop.primary("creditCard").await).await;
        let (status, text) = shopper.text("GET", &submit, "").await;
        assert_eq!(status, expected, "{text}");
        let ordered = shop.emulator.snapshot()["orders"].as_object().unwrap().len();
        assert_eq!((ordered, text.starts_with("f({")), (usize::from(status == 200), status == 200));
    }
    let shop = odd("jsonp");
    let shopper = with_cart(&shop, 100.0).await;
    apply(&shopper, &shop.primary("creditCard").await).await;
    let (_, read) = shopper.text("GET", &format!("{ACTIVE}?method=get&callback=a.b"), "").await;
    assert!(read.starts_with("a.b({\"cart\":{") && read.ends_with("});"), "{read}");
    let (_, plain) = shopper.text("GET", &format!("{ACTIVE}?callback=alert(1)"), "").await;
    assert!(plain.starts_with("{\"cart\":{"), "no function has such a name: {plain}");
    let detach = format!("{ACTIVE}/payment?method=delete&callback=f");
    assert_eq!(shopper.text("GET", &detach, "").await, (204, String::new()));
    assert_eq!(shopper.get(ACTIVE).await["cart"]["paymentMethod"], json!({}));
    let overridden = &shop.emulator.calls()[shop.emulator.calls().len() - 2];
    assert_eq!((overridden.method.as_str(), overridden.mutation), ("DELETE", true));
}

#[tokio::test]
async fn sums_miss_by_a_step_where_amounts_are_noisy() {
    let exact = Shop::new();
    let checkout = exact.checkout(10.3).await;
    let whole = exact.text("GET", &format!("/checkouts/{checkout}"), "").await.1;
    assert!(whole.contains(r#""totalAmount":10.3,"#), "{whole}");

    let shop = odd("noisy-amounts");
    let checkout = shop.checkout(26.19).await;
    shop.attached(&checkout, &shop.credit(10.3).await).await;
    let shown = shop.text("GET", &format!("/checkouts/{checkout}"), "").await.1;
    for part in [
        r#""totalAmount":26.189999999999998,"#,
        r#""totalTax":0.0,"#,
        r#""amount":10.3,"#,
        r#""amountContributed":10.299999999999999,"amountRemainingToBeContributed":15.889999999999999,"#,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    shop.attached(&checkout, &shop.primary("creditCard").await).await;
    let shown = shop.text("GET", &format!("/checkouts/{checkout}"), "").await.1;
    for part in [
        r#""amount":15.889999999999999,"#,
        r#""amountRemainingToBeContributed":2.842170943040401e-14,"#,
        r#""state":"requires_confirmation""#,
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let truth = shop.emulator.session(Kind::Checkout, &checkout).unwrap();
    assert_eq!((&truth["total"], &truth["remaining"]), (&json!(26.19), &json!(0.0)));
    let order = shop.text("POST", "/orders", &json!({"checkoutId": checkout}).to_string()).await;
    assert!(
        order.0 == 201 && order.1.contains(r#""totalAmount":26.189999999999998,"#),
        "{order:?}"
    );
}

#[tokio::test]
async fn carts_are_noisy_too_in_numbers_and_in_strings() {
    for (strings, total, nothing) in [
        (false, r#""value":10.299999999999999"#, r#""value":2.842170943040401e-14"#),
        (true, r#""value":"10.299999999999999""#, r#""value":"2.842170943040401e-14""#),
    ] {
        let quirks = "noisy-amounts".parse().unwrap();
        let options = Options { quirks, cart_amounts_as_strings: strings, ..Options::default() };
        let shop = Shop::with(options);
        let shopper = with_cart(&shop, 10.3).await;
        apply(&shopper, &shop.primary("creditCard").await).await;
        let cart = shopper.text("GET", ACTIVE, "").await.1;
        let rest = cart.split("amountRemainingToBeContributed").nth(1).unwrap();
        assert!(cart.contains(&format!(r#""orderTotal":{{"currency":"USD",{total}"#)), "{cart}");
        assert!(rest.contains(nothing), "{rest}");
    }
}

#[tokio::test]
async fn a_currency_has_its_own_decimals_where_currencies_do() {
    for (quirks, currency, price, total) in [
        ("", "JPY", 100.5, "100.5"),
        ("", "KWD", 1.2345, "1.23"),
        ("currency-decimals", "JPY", 100.5, "101.0"),
        ("currency-decimals", "USD", 1.2345, "1.23"),
        ("currency-decimals", "KWD", 1.2345, "1.235"),
    ] {
        let shop = odd(quirks);
        let mut body = order_of(price);
        body["currency"] = json!(currency);
        let shown = shop.text("POST", "/checkouts", &body.to_string()).await.1;
        let part = format!(r#""totalAmount":{total},"#);
        assert!(shown.contains(&part), "{quirks} {currency}: {shown}");
        let credit = json!({
            "type": "customerCredit", "amount": price, "currency": currency, "customerCredit": {}});
        let credit = shop.text("POST", "/sources", &credit.to_string()).await.1;
        let amount = if quirks.is_empty() { price.to_string() } else { total.to_owned() };
        assert!(
            credit.contains(&format!(r#""amount":{amount},"#)),
            "{quirks} {currency}: {credit}"
        );
    }
}

#[tokio::test]
async fn a_share_of_yen_is_whole() {
    let shop = odd("currency-decimals");
    let body = json!({
        "currency": "JPY", "items": [{"skuId": "s", "quantity": 2, "aggregatePrice": 101}]});
    let checkout = id(&shop.post("/checkouts", body).await);
    shop.attached(&checkout, &shop.primary("creditCard").await).await;
    let order = id(&shop.post("/orders", json!({"checkoutId": checkout})).await);
    let one = json!({"orderId": order, "items": [{"skuId": "s", "quantity": 1}]});
    shop.post("/fulfillments", one).await;
    assert_eq!(shop.get(&format!("/orders/{order}")).await["capturedAmount"], json!(51.0));
    let refund = shop.post("/refunds", json!({"orderId": order, "percent": 10})).await;
    assert_eq!(refund["amount"], json!(5.0));
}

#[tokio::test]
async fn a_late_credit_comes_after_the_card_that_was_attached_behind_it() {
    let shop = odd("late-credit=1");
    let shopper = with_cart(&shop, 100.0).await;
    let (credit, card) = (shop.credit(40.0).await, shop.primary("creditCard").await);
    let answer = apply(&shopper, &credit).await;
    assert_eq!(answer["cart"]["paymentMethod"], json!({}), "answered, and not there");
    let cart = id(&answer["cart"]);
    apply(&shopper, &card).await;
    let sources = shop.emulator.session(Kind::Cart, &cart).unwrap()["sources"].clone();
    assert_eq!((&sources[0]["id"], &sources[1]["id"]), (&json!(card), &json!(credit)));
    assert_eq!(sources[1]["willBeLost"], json!(true));

    let usual = Shop::new();
    let shopper = with_cart(&usual, 100.0).await;
    let answer = apply(&shopper, &usual.credit(40.0).await).await;
    assert_eq!(answer["cart"]["paymentMethod"]["type"], "customerCredit");
}

#[tokio::test]
async fn a_late_credit_counts_the_calls_about_its_own_session() {
    let shop = odd("late-credit=2");
    let (checkout, other) = (shop.checkout(50.0).await, shop.checkout(50.0).await);
    let credit = shop.credit(10.0).await;
    shop.attached(&checkout, &credit).await;
    let contributed =
        || shop.emulator.session(Kind::Checkout, &checkout).unwrap()["contributed"].clone();
    for (target, expected) in [
        (format!("/checkouts/{other}"), 0.0),
        (format!("/sources/{credit}"), 0.0),
        (format!("/checkouts/{checkout}"), 0.0),
        (format!("/checkouts/{checkout}"), 10.0),
    ] {
        shop.get(&target).await;
        assert_eq!(contributed(), json!(expected), "{target}");
    }
}

#[tokio::test]
async fn a_late_credit_waits_for_the_control_route() {
    let shop = odd("late-credit");
    let credit = shop.credit(10.0).await;
    let mut body = order_of(50.0);
    body["sourceId"] = json!(credit);
    let checkout = id(&shop.post("/checkouts", body).await);
    let target = format!("/checkouts/{checkout}");
    let land = format!("/_emulator/sources/{credit}/land");
    let attached = || shop.emulator.session(Kind::Checkout, &checkout).unwrap()["sources"].clone();
    for _ in 0..5 {
        shop.get(&target).await;
    }
    assert_eq!(attached(), json!([]));
    let detached = shop.call("DELETE", &format!("{target}/sources/{credit}"), Value::Null).await;
    assert_eq!(status_of(detached), 404, "it is not there yet");
    assert_eq!(shop.call("POST", &land, Value::Null).await, (204, Value::Null));
    assert_eq!(attached()[0]["id"], json!(credit));
    assert_eq!(status_of(shop.call("POST", &land, Value::Null).await), 404, "it has landed");
}

#[tokio::test]
async fn a_late_credit_that_would_be_refused_by_then_is_dropped() {
    let shop = odd("late-credit");
    let checkout = shop.checkout(50.0).await;
    let (credit, large) = (shop.credit(10.0).await, shop.credit(51.0).await);
    assert_eq!(status_of(shop.attach(&checkout, &large).await), 409, "refused at once");
    assert!(!shop.emulator.land(&large));
    shop.attached(&checkout, &credit).await;
    shop.attached(&checkout, &shop.primary("creditCard").await).await;
    let before = shop.emulator.snapshot();
    assert!(shop.emulator.land(&credit));
    assert_eq!(shop.emulator.snapshot(), before, "the card is single-use");
}

#[tokio::test]
async fn a_late_credit_lands_beside_nothing_once_its_cart_is_an_order() {
    let shop = odd("late-credit");
    let shopper = with_cart(&shop, 100.0).await;
    let (credit, card) = (shop.credit(40.0).await, shop.primary("creditCard").await);
    apply(&shopper, &credit).await;
    apply(&shopper, &card).await;
    shopper.post(&format!("{ACTIVE}/submit-cart"), Value::Null).await;
    let before = shop.emulator.snapshot();
    assert!(shop.emulator.land(&credit));
    assert_eq!(shop.emulator.snapshot(), before);
}

#[tokio::test]
async fn reads_fail_so_many_times_or_until_that_is_turned_off() {
    let shop = odd("failing-reads=503x2");
    let checkout = shop.checkout(50.0).await;
    let target = format!("/checkouts/{checkout}");
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(status_of(shop.call("GET", &target, Value::Null).await));
        shop.post(&target, json!({})).await;
    }
    assert_eq!(statuses, [503, 503, 200], "changes do not fail, and are not counted");
    assert!(!shop.emulator.calls()[1].applied);
    assert_eq!(shop.emulator.quirks(), Quirks::default(), "used up");

    shop.emulator.set_quirks("failing-reads=429".parse().unwrap());
    let shopper = shop.shopper().await;
    for _ in 0..3 {
        assert_eq!(status_of(shop.call("GET", &target, Value::Null).await), 429);
        assert_eq!(status_of(shopper.call("GET", ACTIVE, Value::Null).await), 429);
    }
    shop.emulator.set_quirks(Quirks::default());
    shop.get(&target).await;
}

#[tokio::test]
async fn quirks_are_set_and_shown_over_http() {
    let shop = odd("jsonp");
    let quirks = "/_emulator/quirks";
    let off = json!({
        "deny-shopper-reads": false, "order-only-keys": false, "lenient-removals": false,
        "nameless-primaries": false, "jsonp": false, "noisy-amounts": false,
        "currency-decimals": false, "late-credit": false, "failing-reads": false});
    let with = |some: Value| {
        let mut all = off.clone();
        all.as_object_mut().unwrap().extend(some.as_object().unwrap().clone());
        all
    };
    let set = async |method: &str, body: Value| {
        let (status, answer) = shop.call(method, quirks, body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    };
    assert_eq!(shop.get(quirks).await, with(json!({"jsonp": true})));
    assert_eq!(
        set("PATCH", json!({"late-credit": 2, "deny-shopper-reads": true})).await,
        with(json!({"jsonp": true, "late-credit": "2", "deny-shopper-reads": "403"}))
    );
    assert_eq!(
        set("PUT", json!({"failing-reads": "503x3", "noisy-amounts": true})).await,
        with(json!({"failing-reads": "503x3", "noisy-amounts": true}))
    );
    assert_eq!(
        set("PATCH", json!({"failing-reads": null})).await,
        with(json!({"noisy-amounts": true}))
    );
    let refused = |name: &str, text: &str| {
        super::error(
            "bad_request",
            json!({"code": "invalid_parameter", "parameter": name, "message": text}),
        )
    };
    for (name, value) in
        [("late-credit", json!(0)), ("late-credit", json!([1])), ("late-credit", json!({"a": 1}))]
    {
        let body = json!({"jsonp": true, name: value});
        let text = "Write the quirk as late-credit[=CALLS].";
        assert_eq!(shop.call("PUT", quirks, body).await, (400, refused(name, text)));
    }
    let (status, unknown) = shop.call("PATCH", quirks, json!({"odd": true})).await;
    let text = unknown["errors"][0]["message"].as_str().unwrap();
    assert!(
        status == 400 && text.starts_with("There is no quirk 'odd'. The quirks are "),
        "{text}"
    );
    assert_eq!(status_of(shop.call("PUT", quirks, json!([])).await), 400);
    assert_eq!(status_of(shop.call("DELETE", quirks, Value::Null).await), 404);
    assert_eq!(
        shop.get(quirks).await,
        with(json!({"noisy-amounts": true})),
        "what was refused changed nothing"
    );
    shop.call("POST", "/_emulator/reset", Value::Null).await;
    assert_eq!(shop.get(quirks).await, with(json!({"jsonp": true})), "as at the start");
}
