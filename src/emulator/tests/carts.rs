use serde_json::{Value, json};

use super::{
    super::{Kind, Options},
    Shop, id,
};

const ACTIVE: &str = "/v1/shoppers/me/carts/active";

/// A shopper whose cart holds one product at that price.
async fn with_cart(shop: &Shop, total: f64) -> Shop {
    let shopper = shop.shopper().await;
    let line = json!({"quantity": 1, "product": {"id": "p"}, "price": total});
    shopper.post(ACTIVE, json!({"cart": {"lineItems": {"lineItem": [line]}}})).await;
    shopper
}

async fn apply(shopper: &Shop, source: &str) -> (u16, Value) {
    shopper
        .call(
            "POST",
            &format!("{ACTIVE}/apply-payment-method"),
            json!({"paymentMethod": {"sourceId": source}}),
        )
        .await
}

async fn applied(shopper: &Shop, source: &str) -> Value {
    let (status, cart) = apply(shopper, source).await;
    assert_eq!(status, 200, "{cart}");
    cart
}

async fn submit(shopper: &Shop) -> (u16, Value) {
    shopper.call("POST", &format!("{ACTIVE}/submit-cart"), Value::Null).await
}

#[track_caller]
fn refused((status, body): (u16, Value), code: &str, subcode: &str) {
    assert_eq!(
        (status, &body["errors"]["error"][0]["code"], &body["errors"]["error"][0]["subcode"]),
        (409, &json!(code), &json!(subcode))
    );
    assert!(
        body["errors"]["error"][0]["description"].is_string()
            && body["errors"]["error"][0]["relation"].is_string()
    );
}

#[tokio::test]
async fn a_purchase_with_credit_first_reads_like_the_vendors_example() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 118.01).await;
    let (credit, card) = (shop.credit(50.0).await, shop.primary("creditCard").await);
    let alone = applied(&shopper, &credit).await;
    assert_eq!(alone["cart"]["paymentMethod"]["type"], "customerCredit");
    assert_eq!(
        alone["cart"]["paymentSession"]["amountRemainingToBeContributed"],
        json!({"currency": "USD", "value": 68.01})
    );
    assert_eq!(alone["cart"]["paymentSession"]["status"], "requires_source");
    let cart = &applied(&shopper, &card).await["cart"];
    let secret = |source: &str| shop.emulator.snapshot()["sources"][source]["clientSecret"].clone();
    let expected = json!({
        "type": "creditCard", "sourceId": card, "sourceClientSecret": secret(&card),
        "creditCard": {"brand": "Visa", "expirationMonth": "7", "expirationYear": "2027",
            "lastFourDigits": "1111", "clientSecret": secret(&card),
            "flow": "standard", "reusable": "false"},
        "amountContributed": {"currency": "USD", "value": 68.01},
        "supplementaryPaymentMethods": [{
            "type": "customerCredit", "sourceId": credit, "sourceClientSecret": secret(&credit),
            "customerCredit": {
                "clientSecret": secret(&credit), "flow": "standard", "reusable": "false"},
            "amountContributed": {"currency": "USD", "value": 50}}]});
    assert_eq!(cart["paymentMethod"], expected);
    let session = &cart["paymentSession"];
    assert_eq!(session["status"], "requires_confirmation");
    assert_eq!(session["amountContributed"], json!({"currency": "USD", "value": 118.01}));
    assert_eq!(session["amountRemainingToBeContributed"], json!({"currency": "USD", "value": 0}));

    let (status, answer) = submit(&shopper).await;
    let charges = &answer["submitCart"]["order"]["charges"]["charge"];
    assert_eq!(
        (status, &charges[0]["amount"]["value"], &charges[1]["amount"]["value"]),
        (200, &json!(50), &json!(68.01))
    );
    assert_eq!(shop.state_of(&credit).await, "consumed");
    let next = &shopper.get(ACTIVE).await["cart"];
    assert_eq!((&next["paymentMethod"], &next["totalItemsInCart"]), (&json!({}), &json!(0)));
    assert_ne!(next["id"], cart["id"]);
    assert!(shop.emulator.snapshot()["lostCredits"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_credit_after_the_primary_is_accepted_shown_and_lost() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 100.0).await;
    let (card, credit) = (shop.primary("creditCard").await, shop.credit(40.0).await);
    applied(&shopper, &card).await;
    let cart = applied(&shopper, &credit).await;
    assert_eq!(
        cart["cart"]["paymentMethod"]["supplementaryPaymentMethods"][0]["sourceId"],
        json!(credit)
    );
    let cart_id = id(&cart["cart"]);
    assert_eq!(
        shop.emulator.session(Kind::Cart, &cart_id).unwrap()["sources"][1]["willBeLost"],
        true
    );
    let (status, answer) = submit(&shopper).await;
    assert_eq!(
        (status, &answer["submitCart"]["paymentMethod"]["amountContributed"]["value"]),
        (200, &json!(100))
    );
    assert!(answer["submitCart"]["paymentMethod"].get("supplementaryPaymentMethods").is_none());
    let order = id(&answer["submitCart"]["order"]);
    let lost = json!([{"cartId": cart_id, "orderId": order, "sourceId": credit, "amount": 40.0}]);
    assert_eq!(shop.emulator.snapshot()["lostCredits"], lost);
    assert_eq!(shop.state_of(&credit).await, "chargeable");
    assert_eq!(
        shopper.get(&format!("/v1/shoppers/me/orders/{order}")).await["order"]["charges"]["charge"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn detaching_and_attaching_again_in_order_saves_the_credit() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 100.0).await;
    let (card, credit) = (shop.primary("creditCard").await, shop.credit(40.0).await);
    applied(&shopper, &card).await;
    let target = format!("{ACTIVE}/apply-payment-method");
    let gone = shopper.call("DELETE", &target, json!({"paymentMethod": {"sourceId": card}})).await;
    assert_eq!((gone, shop.state_of(&card).await), ((204, Value::Null), "chargeable".into()));
    applied(&shopper, &credit).await;
    applied(&shopper, &card).await;
    assert_eq!(submit(&shopper).await.0, 200);
    assert!(shop.emulator.snapshot()["lostCredits"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn everything_can_be_detached_at_once() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 100.0).await;
    for target in ["apply-payment-method", "payment"] {
        applied(&shopper, &shop.credit(40.0).await).await;
        applied(&shopper, &shop.primary("creditCard").await).await;
        assert_eq!(
            shopper.call("DELETE", &format!("{ACTIVE}/{target}"), Value::Null).await,
            (204, Value::Null)
        );
        assert_eq!(shopper.get(ACTIVE).await["cart"]["paymentMethod"], json!({}));
    }
}

#[tokio::test]
async fn carts_refuse_what_the_vendor_refuses() {
    let shop = Shop::new();
    let failure = "apply-payment-failure";

    let shopper = with_cart(&shop, 100.0).await;
    applied(&shopper, &shop.primary("creditCard").await).await;
    refused(apply(&shopper, &shop.primary("payPal").await).await, failure, "second-primary");
    applied(&shopper, &shop.credit(5.0).await).await;
    refused(apply(&shopper, &shop.credit(5.0).await).await, failure, "one-secondary");

    let shopper = with_cart(&shop, 100.0).await;
    applied(&shopper, &shop.credit(5.0).await).await;
    refused(apply(&shopper, &shop.primary("konbini").await).await, failure, "primary-pairing");
    refused(
        apply(&shopper, &shop.credit(95.01).await).await,
        failure,
        "session_source_amount_too_large",
    );
    applied(&shopper, &shop.credit(5.0).await).await;
    refused(apply(&shopper, &shop.primary("creditCard").await).await, failure, "one-secondary");
    refused(submit(&shopper).await, "submit-cart-failed", "underfunded-order");

    let shopper = with_cart(&shop, 100.0).await;
    let failed =
        shop.source(json!({"type": "creditCard", "creditCard": {}, "upstreamId": "failed"})).await;
    refused(apply(&shopper, &failed).await, failure, "spent-source");
    let declined = shop
        .source(json!({"type": "creditCard", "creditCard": {}, "upstreamId": "declined"}))
        .await;
    applied(&shopper, &declined).await;
    refused(submit(&shopper).await, "submit-cart-failed", "payment_declined");
}

#[tokio::test]
async fn payment_options_are_saved_chosen_applied_and_removed() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 100.0).await;
    let options = "/v1/shoppers/me/payment-options";
    let save = async |source: &str| {
        shopper
            .call("POST", options, json!({"paymentOption": {"nickName": "n", "sourceId": source}}))
            .await
    };
    refused(save(&shop.credit(5.0).await).await, "apply-payment-failure", "nonreusable_source");
    let pending = shop
        .source(json!({"type": "creditCard", "creditCard": {}, "upstreamId": "redirect"}))
        .await;
    refused(save(&pending).await, "apply-payment-failure", "source_not_chargeable");

    let (first, second) = (shop.primary("creditCard").await, shop.primary("creditCard").await);
    let (status, option) = save(&first).await;
    assert_eq!(
        (
            status,
            &option["paymentOption"]["isDefault"],
            &option["paymentOption"]["creditCard"]["reusable"]
        ),
        (201, &json!("true"), &json!("true"))
    );
    let second_option = id(&save(&second).await.1["paymentOption"]);
    applied(&shopper, &shop.credit(5.0).await).await;
    let apply = format!("{ACTIVE}/apply-shopper");
    assert_eq!(
        shopper.post(&apply, Value::Null).await["cart"]["paymentMethod"]["sourceId"],
        json!(first)
    );
    let named = shopper
        .call("POST", &format!("{apply}?paymentOptionId={second_option}"), Value::Null)
        .await;
    refused(named, "apply-payment-failure", "second-primary");

    let changed = shopper
        .post(
            &format!("{options}/{second_option}"),
            json!({"paymentOption": {"isDefault": "true"}}),
        )
        .await;
    assert_eq!(changed["paymentOption"]["isDefault"], "true");
    let listed = shopper.get(options).await;
    let defaults: Vec<_> = listed["paymentOptions"]["paymentOption"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["isDefault"].clone())
        .collect();
    assert_eq!(defaults, ["false", "true"]);
    assert_eq!(
        shopper.call("DELETE", &format!("{options}/{second_option}"), Value::Null).await.0,
        204
    );
    assert_eq!(shop.state_of(&second).await, "cancelled");
}

#[tokio::test]
async fn xml_is_spoken_unless_json_is_asked_for() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 9.5).await;
    let plain = shopper.using("accept", "*/*");
    let cart = id(&shopper.get(ACTIVE).await["cart"]);
    let (status, xml) = plain
        .text("GET", &format!("{ACTIVE}?fields=id,paymentSession.status,pricing.orderTotal"), "")
        .await;
    let expected = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><cart><id>{cart}</id>\
         <paymentSession><status>requires_source</status></paymentSession><pricing><orderTotal>\
         <currency>USD</currency><value>9.5</value></orderTotal></pricing></cart>"
    );
    assert_eq!((status, xml), (200, expected));
    let (status, json) =
        plain.text("GET", &format!("{ACTIVE}?format=json&fields=cart.pricing.subtotal"), "").await;
    assert_eq!(
        (status, json.as_str()),
        (200, r#"{"cart":{"pricing":{"subtotal":{"currency":"USD","value":9.5}}}}"#)
    );

    let credit = shop.credit(10.0).await;
    let body = format!("<paymentMethod><sourceId>{credit}</sourceId></paymentMethod>");
    let (status, xml) = plain.text("POST", &format!("{ACTIVE}/apply-payment-method"), &body).await;
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?><errors><error>\
        <relation>https://developers.digitalriver.com/v1/shoppers/CartsResource</relation>\
        <code>apply-payment-failure</code><subcode>session_source_amount_too_large</subcode>\
        <description>Source amount(s) exceed session amount</description></error></errors>";
    assert_eq!((status, xml.as_str()), (409, expected));
}

#[tokio::test]
async fn a_refreshed_token_or_one_in_the_query_reaches_the_same_cart() {
    let shop = Shop::new();
    let form = "grant_type=password&username=ann&password=x&client_id=pk_acme";
    let token: Value = serde_json::from_str(
        &shop.using("authorization", "").text("POST", "/oauth20/token", form).await.1,
    )
    .unwrap();
    let refresh = json!({
        "grant_type": "refresh_token",
        "refresh_token": token["refresh_token"],
        "client_id": "pk_acme",
    });
    let fresh = shop.post("/oauth20/token", refresh).await;
    let cart = |token: &Value| {
        format!("{ACTIVE}?format=json&token={}", token["access_token"].as_str().unwrap())
    };
    let nobody = shop.using("x", "y").using("authorization", "bearer nobody");
    let bare = Shop { emulator: shop.emulator.clone(), headers: Vec::new() };
    assert_eq!(
        bare.get(&cart(&token)).await["cart"]["id"],
        bare.get(&cart(&fresh)).await["cart"]["id"]
    );
    assert!(shop.emulator.expire_token(token["access_token"].as_str().unwrap()));
    let (status, body) = bare.call("GET", &cart(&token), Value::Null).await;
    assert_eq!((status, &body["errors"]["error"][0]["code"]), (401, &json!("invalid_token")));
    assert_eq!(nobody.call("GET", ACTIVE, Value::Null).await.0, 401);
    assert_eq!(bare.get(&cart(&fresh)).await["cart"]["totalItemsInCart"], 0);
}

#[tokio::test]
async fn a_shopper_reads_sources_of_the_same_merchant_only() {
    let shop = Shop::new();
    let shopper = shop.shopper().await;
    assert_eq!(
        shopper.get(&format!("/sources/{}", shop.credit(5.0).await)).await["type"],
        "customerCredit"
    );
    let foreign = json!({"type": "customerCredit", "amount": 5, "customerCredit": {}});
    let foreign = id(&shop.using("authorization", "sk_globex").post("/sources", foreign).await);
    assert_eq!(shopper.call("GET", &format!("/sources/{foreign}"), Value::Null).await.0, 404);
}

#[tokio::test]
async fn amounts_may_be_strings_and_products_expanded() {
    let shop = Shop::with(Options { cart_amounts_as_strings: true, ..Options::default() });
    let shopper = with_cart(&shop, 12.5).await;
    let cart = shopper.get(&format!("{ACTIVE}?expand=lineItems.lineItem.product")).await;
    assert_eq!(cart["cart"]["pricing"]["orderTotal"], json!({"currency": "USD", "value": "12.5"}));
    assert_eq!(cart["cart"]["lineItems"]["lineItem"][0]["product"]["name"], "Product p");
}

#[tokio::test]
async fn lines_are_added_to_changed_and_removed() {
    let shop = Shop::new();
    let shopper = with_cart(&shop, 12.5).await;
    let cart = shopper.post(&format!("{ACTIVE}?productId=p&quantity=2"), Value::Null).await;
    assert_eq!(
        (&cart["cart"]["totalItemsInCart"], &cart["cart"]["pricing"]["orderTotal"]["value"]),
        (&json!(3), &json!(37.5))
    );
    let line = format!("{ACTIVE}/line-items/{}", id(&cart["cart"]["lineItems"]["lineItem"][0]));
    let cart = shopper.post(&format!("{line}?quantity=1"), Value::Null).await;
    assert_eq!(cart["cart"]["pricing"]["orderTotal"]["value"], json!(12.5));
    assert_eq!(shopper.call("POST", &line, Value::Null).await.0, 400);
    assert_eq!(shopper.call("DELETE", &line, Value::Null).await.0, 204);
    assert_eq!(shopper.get(ACTIVE).await["cart"]["totalItemsInCart"], 0);
}
