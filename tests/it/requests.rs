//! What upstream would take is not refused for its form, and no form of a call goes round a rule.
//!
//! Each test is about one kind of request, sent through Weir and, where it is to pass, to a vendor
//! without Weir that was started with the same seed.

use crate::testbed::{
    APPLY, Ask, CART, GovernSettings, Kind, OPTIONS, Reply, SECRET, Testbed, items, method,
    option_of, raw,
};
use flate2::{Compression, write::GzEncoder};
use http::Method;
use serde_json::{Value, json};
use std::io::Write;

/// Weir before a vendor, and the same vendor alone.
async fn both() -> [Testbed; 2] {
    [Testbed::new().in_process(), Testbed::new().without_weir().in_process()]
}

/// Sends the same call to both, and checks that the answers are the same.
async fn same(sides: &[Testbed; 2], ask: &Ask) -> Reply {
    let [through, direct] = [sides[0].weir.ask(ask).await, sides[1].weir.ask(ask).await];
    let found = (through.status, through.text());
    assert_eq!(found, (direct.status, direct.text()), "{} {}", ask.method, ask.path);
    through
}

async fn quirks(bed: &Testbed, quirks: Value) {
    bed.upstream.done(&Ask::new(Method::PUT, "/_emulator/quirks", quirks)).await;
}

#[tokio::test]
async fn customers_of_any_id_are_used_as_upstream_lets_them_be() {
    let sides = both().await;
    for (id, escaped) in [
        ("auth0|5f7c", "auth0%7C5f7c"),
        ("jane doe", "jane%20doe"),
        ("M\u{fc}ller", "M%C3%BCller"),
        ("{GUID}", "%7BGUID%7D"),
        ("a#b", "a%23b"),
        ("orders@shop.example", "orders%40shop.example"),
        ("100%", "100%25"),
    ] {
        let created = same(&sides, &Ask::post("/customers", json!({ "id": id }))).await;
        assert_eq!(created.status, 201, "{id}: {}", created.text());
        let card = [sides[0].card().await, sides[1].card().await];
        assert_eq!(card[0], card[1]);
        let save = Ask::post(format!("/customers/{escaped}/sources/{}", card[0]), Value::Null);
        assert_eq!(same(&sides, &save).await.status, 200, "{id}");
        let read = same(&sides, &Ask::get(format!("/customers/{escaped}"))).await;
        assert_eq!(read.json()["id"], json!(id));
        let mut body = items(30.0);
        body["customerId"] = json!(id);
        body["sourceId"] = json!(card[0]);
        let checkout = same(&sides, &Ask::post("/checkouts", body)).await.id();
        assert_eq!(same(&sides, &Ask::order(&checkout)).await.status, 201, "{id}");
    }
}

#[tokio::test]
async fn bodies_that_say_nothing_and_odd_but_whole_ones_pass() {
    let sides = both().await;
    let checkout = same(&sides, &Ask::post("/checkouts", items(30.0))).await.id();
    let long = format!(r#"{{"metadata":{{"n":{}}}}}"#, "9".repeat(300));
    let deep = format!(r#"{{"metadata":{{"n":{}1{}}}}}"#, "[".repeat(100), "]".repeat(100));
    let hidden = r#"{"metadata":{"link":"/?a=1&customerId=5"}}"#;
    let form = "application/x-www-form-urlencoded";
    for (body, media) in [
        ("[]", "application/json"),
        ("null", "application/json"),
        ("\"\"", "application/json"),
        ("\u{feff}{}", "application/json"),
        (&long, "application/json"),
        (&deep, "application/json"),
        (hidden, form),
    ] {
        let path = format!("/checkouts/{checkout}");
        let mut ask = Ask::post(&*path, Value::Null).with("content-type", media);
        ask.body = body.to_owned().into();
        let reply = same(&sides, &ask).await;
        assert_ne!(reply.verdict().0, "rejected", "{body}: {}", reply.text());
    }
}

#[tokio::test]
async fn a_real_checkout_of_many_lines_fits_and_one_limit_holds() {
    let bed = Testbed::new().in_process();
    let lines: Vec<_> = (0..300)
        .map(|n| json!({ "quantity": 1, "price": 1, "skuId": n, "metadata": { "t": "x".repeat(1000) } }))
        .collect();
    let body = json!({ "items": lines });
    assert!((300_000..400_000).contains(&body.to_string().len()));
    let created = bed.weir.post("/checkouts", body).await;
    assert_ne!(created.status, 413, "{}", created.text());
    let settings = GovernSettings { governed_body: 8 << 20, ..GovernSettings::default() };
    let bed = Testbed::new().govern(settings).in_process();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let mut state = 1_u64;
    let noise: String = (0..3_000_000)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'a' + (state % 26) as u8)
        })
        .collect();
    encoder.write_all(json!({ "metadata": { "t": noise } }).to_string().as_bytes()).unwrap();
    let mut ask = Ask::post("/checkouts", Value::Null).with("content-encoding", "gzip");
    ask.body = encoder.finish().unwrap().into();
    assert!(ask.body.len() > 1 << 20, "{}", ask.body.len());
    let reply = bed.weir.ask(&ask).await;
    assert!(reply.verdict().0 != "rejected", "{:?} {}", reply.verdict(), reply.text());
}

#[tokio::test]
async fn amounts_that_miss_by_a_double_are_no_difference() {
    let bed = Testbed::new().in_process();
    quirks(&bed, json!({ "noisy-amounts": true })).await;
    for (total, first) in [(10.3, 5.15), (26.89, 11.0), (0.3, 0.1)] {
        let checkout = bed.checkout(total).await;
        let path = format!("/checkouts/{checkout}");
        for amount in [first, total - first] {
            let amount = (amount * 100.0_f64).round() / 100.0;
            let reply = bed.weir.attach(&path, &bed.credit(amount).await).await;
            assert_eq!(reply.status, 200, "{total}: {}", reply.text());
        }
        bed.weir.get(&path).await;
        let ordered = bed.weir.order(&checkout).await;
        assert_eq!(ordered.status, 201, "{total}: {}", ordered.text());
    }
}

#[tokio::test]
async fn a_script_that_overrides_the_method_goes_round_no_rule() {
    let bed = Testbed::new().in_process();
    quirks(&bed, json!({ "jsonp": true })).await;
    let shopper = bed.shopper(100.0).await;
    let before = bed.mutations();
    for path in [
        format!("{CART}/submit-cart?method=post&callback=f"),
        format!("{CART}/payment?method=delete&callback=f"),
        format!("{OPTIONS}?method=post&callback=f"),
    ] {
        let reply = shopper.get(&path).await;
        assert_eq!(reply.found(), (400, ("rejected", Some("ambiguous-request"))), "{path}");
    }
    let read = shopper.get(&format!("{CART}?method=get&callback=f")).await;
    assert!(read.status == 200 && read.text().starts_with("f("), "{}", read.text());
    assert_eq!(bed.mutations(), before);
}

/// A cart that holds a card, whose shopper comes with credit.
async fn late_credit(bed: &Testbed) -> (crate::testbed::Caller, String) {
    let shopper = bed.shopper(100.0).await;
    let attached = shopper.post(APPLY, method(&bed.card().await)).await;
    assert_eq!(attached.status, 200);
    (shopper, bed.credit(40.0).await)
}

#[tokio::test]
async fn no_other_method_and_no_number_goes_round_a_rule_of_carts() {
    let bed = Testbed::new().in_process();
    let (shopper, credit) = late_credit(&bed).await;
    let cart = shopper.get(CART).await.json();
    let id = crate::testbed::text_of(&cart["cart"]["id"]);
    let before = bed.mutations();
    let body = method(&credit).to_string();
    for (verb, path, rule) in [
        (Method::POST, APPLY.to_owned(), "primary-before-secondary"),
        (Method::PUT, APPLY.to_owned(), "primary-before-secondary"),
        (Method::PATCH, APPLY.to_owned(), "primary-before-secondary"),
        (Method::POST, APPLY.replace("active", &id), "ambiguous-request"),
        (Method::POST, APPLY.replace("/me/", "/5/"), "ambiguous-request"),
        (Method::POST, format!("/store/shop{APPLY}"), "primary-before-secondary"),
    ] {
        let reply = shopper.send(verb.clone(), &path, body.clone()).await;
        assert_eq!(reply.verdict(), ("rejected", Some(rule)), "{verb} {path}: {}", reply.text());
    }
    assert_eq!(bed.mutations(), before);
}

#[tokio::test]
async fn members_that_the_vendor_ignores_switch_no_rule_off() {
    let bed = Testbed::new().in_process();
    let checkout = bed.checkout(100.0).await;
    let (card, before) = (bed.card().await, bed.mutations());
    for beside in [json!({ "sourceId": card }), json!({ "customerId": "5" })] {
        let mut body = beside;
        body["checkoutId"] = json!(checkout);
        let reply = bed.weir.post("/orders", body).await;
        assert_eq!(reply.found(), (400, ("rejected", Some("underfunded-order"))));
    }
    let shopper = bed.shopper(100.0).await;
    let before = bed.mutations() - before;
    let reply = shopper.post(&format!("{CART}/submit-cart"), method(&card)).await;
    assert_eq!(reply.found(), (409, ("rejected", Some("underfunded-order"))));
    assert!(before > 0 && bed.emulator.snapshot()["orders"] == json!({}));
}

#[tokio::test]
async fn a_payment_option_is_not_changed_to_store_credit() {
    let bed = Testbed::new().policy(crate::testbed::thorough()).in_process();
    let shopper = bed.shopper(100.0).await;
    let saved = shopper.post(OPTIONS, option_of(&bed.card().await)).await;
    assert!(saved.status.is_success(), "{}", saved.text());
    let option = crate::testbed::text_of(&saved.json()["paymentOption"]["id"]);
    let path = format!("{OPTIONS}/{option}");
    let reply = shopper.post(&path, option_of(&bed.credit(5.0).await)).await;
    assert_eq!(reply.found(), (409, ("rejected", Some("save-nonreusable"))), "{}", reply.text());
    let renamed = shopper.post(&path, json!({ "paymentOption": { "nickName": "n" } })).await;
    assert_eq!(renamed.status, 200, "{}", renamed.text());
}

#[tokio::test]
async fn an_invoice_is_opened_under_the_rules_of_an_order_and_what_ends_it_is_learned() {
    let bed = Testbed::new().in_process();
    let invoice = bed.weir.invoice(false).await;
    let before = bed.mutations();
    let early = bed.weir.post(&format!("{invoice}/open"), Value::Null).await;
    assert_eq!(early.found(), (400, ("rejected", Some("underfunded-order"))), "{}", early.text());
    assert_eq!(bed.mutations(), before);
    let card = bed.card().await;
    assert_eq!(bed.weir.attach(&invoice, &card).await.status, 200);
    let opened = bed.weir.post(&format!("{invoice}/open"), Value::Null).await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    // The card is spent now, which Weir knows or finds out.
    let other = format!("/checkouts/{}", bed.checkout(100.0).await);
    let reply = bed.weir.attach(&other, &card).await;
    assert_eq!(reply.found(), (409, ("rejected", Some("spent-source"))), "{}", reply.text());
    let invoice = bed.weir.invoice(false).await;
    let card = bed.card().await;
    assert_eq!(bed.weir.attach(&invoice, &card).await.status, 200);
    assert_eq!(bed.weir.post(&format!("{invoice}/void"), Value::Null).await.status, 200);
    let reply = bed.weir.attach(&other, &card).await;
    assert_eq!(reply.found(), (409, ("rejected", Some("spent-source"))), "{}", reply.text());
}

#[tokio::test]
async fn an_order_at_once_spends_its_source_and_takes_no_spent_one() {
    let bed = Testbed::new().policy(crate::testbed::thorough()).in_process();
    let card = bed.card().await;
    let mut body = items(30.0);
    body["sourceId"] = json!(card);
    assert_eq!(bed.weir.post("/orders", body.clone()).await.status, 201);
    let again = bed.weir.post("/orders", body).await;
    assert_eq!(again.found(), (409, ("rejected", Some("spent-source"))), "{}", again.text());
}

#[tokio::test]
async fn what_becomes_of_a_customers_sources_is_looked_up_once_the_customer_has_ended() {
    for how in ["delete", "forget"] {
        let bed = Testbed::new().policy(crate::testbed::trusting()).in_process();
        let (customer, card) = (bed.weir.customer().await, bed.card().await);
        assert_eq!(bed.weir.attach(&customer, &card).await.status, 200);
        bed.weir.get(&customer).await;
        let ended = match how {
            "delete" => bed.weir.delete(&customer).await,
            _ => bed.weir.post(&customer, json!({ "requestToBeForgotten": true })).await,
        };
        assert!(ended.status.is_success(), "{how}: {}", ended.text());
        let checkout = format!("/checkouts/{}", bed.checkout(100.0).await);
        let reply = bed.weir.attach(&checkout, &card).await;
        assert_eq!(reply.found(), (409, ("rejected", Some("spent-source"))), "{how}");
    }
    let bed = Testbed::new().in_process();
    let before = bed.mutations();
    let body = json!({ "email": "a@b.example", "defaultSourceId": "s" });
    let reply = bed.weir.post("/customers", body).await;
    assert_eq!(reply.found(), (409, ("rejected", Some("default-source-not-saved"))));
    assert_eq!(bed.mutations(), before);
}

#[tokio::test]
async fn a_sources_collection_attaches_as_its_members_do() {
    let bed = Testbed::new().in_process();
    let checkout = format!("/checkouts/{}", bed.checkout(100.0).await);
    assert_eq!(bed.weir.attach(&checkout, &bed.card().await).await.status, 200);
    let credit = bed.credit(5.0).await;
    let body = json!({ "sourceId": credit });
    for (verb, path) in [
        (Method::POST, format!("{checkout}/sources")),
        (Method::PUT, format!("{checkout}/sources/{credit}")),
        (Method::PATCH, checkout.clone()),
    ] {
        let reply = bed.weir.send(verb.clone(), &path, body.to_string()).await;
        let rule = Some("secondary-after-single-use-primary");
        assert_eq!(reply.found(), (409, ("rejected", rule)), "{verb} {path}: {}", reply.text());
    }
    let id = checkout.rsplit('/').next().unwrap();
    assert_eq!(bed.attached(Kind::Checkout, id).len(), 1);
}

#[tokio::test]
async fn headers_that_lead_elsewhere_and_other_protocols_go_round_no_rule() {
    let bed = Testbed::new().start().await;
    let checkout = bed.checkout(100.0).await;
    let credit = bed.credit(5.0).await;
    let before = bed.mutations();
    let target = format!("/checkouts/{checkout}/sources/{credit}");
    for (line, header) in [
        ("POST /fulfillments".to_owned(), format!("X-Original-URL: {target}")),
        ("POST /fulfillments".to_owned(), format!("X-Rewrite-URL: {target}")),
        (format!("POST {target}"), "X-Original-URL: /x".to_owned()),
        (format!("GET {target}"), "Connection: upgrade\r\nUpgrade: websocket".to_owned()),
    ] {
        let request = format!(
            "{line} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\n{header}\r\nContent-Length: 0\r\n\r\n"
        );
        let reply = raw(bed.weir.address(), request.as_bytes()).await;
        let found = (reply.status, reply.header("weir-rule"));
        assert_eq!(found, (400, Some("ambiguous-request")), "{line} {header}: {}", reply.text());
    }
    assert_eq!(bed.mutations(), before);
}

#[tokio::test]
async fn a_credit_amount_is_judged_only_where_answers_have_one() {
    let bed = Testbed::new().in_process();
    let checkout = format!("/checkouts/{}", bed.checkout(100.0).await);
    assert_eq!(bed.weir.attach(&checkout, &bed.card().await).await.status, 200);
    bed.weir.get(&checkout).await;
    let reply = bed.weir.post(&checkout, json!({ "creditAmount": 5 })).await;
    assert_ne!(reply.verdict().0, "rejected", "{}", reply.text());
    let legacy = bed.weir.with("digitalriver-version", "2020-12-17");
    let reply = legacy.post(&checkout, json!({ "creditAmount": 5 })).await;
    assert_eq!(reply.verdict().1, Some("credit-amount-after-single-use-primary"));
}

#[tokio::test]
async fn a_list_shows_what_was_promised() {
    let bed = Testbed::new().policy(crate::testbed::defers()).in_process();
    let (checkout, other) = (bed.checkout(100.0).await, bed.checkout(50.0).await);
    let card = bed.card().await;
    for id in [&checkout, &other] {
        bed.weir.get(&format!("/checkouts/{id}")).await;
    }
    let reply = bed.weir.attach(&format!("/checkouts/{checkout}"), &card).await;
    assert_eq!(reply.verdict().0, "deferred", "{}", reply.text());
    assert!(bed.attached(Kind::Checkout, &checkout).is_empty());
    assert_eq!(bed.weir.get("/invoices").await.status, 200);
    assert!(bed.attached(Kind::Checkout, &checkout).is_empty(), "a list of others shows nothing");
    let stranger = bed.weir.key("Bearer sk_other");
    stranger.get("/checkouts").await;
    assert!(bed.attached(Kind::Checkout, &checkout).is_empty(), "a stranger touches nothing");
    let listed = bed.weir.get("/checkouts").await;
    assert_eq!(listed.status, 200, "{}", listed.text());
    assert!(listed.text().contains(&card), "{}", listed.text());
    assert_eq!(bed.attached(Kind::Checkout, &checkout), [card]);
}

#[tokio::test]
async fn scripts_of_any_origin_read_what_carts_are_answered_and_nothing_else() {
    const ORIGIN: &str = "access-control-allow-origin";
    let bed = Testbed::new().start().await;
    let (shopper, credit) = late_credit(&bed).await;
    let refused = shopper.post(APPLY, method(&credit)).await;
    assert_eq!((refused.status.as_u16(), refused.header(ORIGIN)), (409, Some("*")));
    let checkout = format!("/checkouts/{}", bed.checkout(100.0).await);
    assert_eq!(bed.weir.attach(&checkout, &bed.card().await).await.status, 200);
    let refused = bed.weir.attach(&checkout, &bed.credit(5.0).await).await;
    assert_eq!((refused.status.as_u16(), refused.header(ORIGIN)), (409, None));
    // Errors that are no rule's, before any rule is asked.
    for (path, origin) in [(APPLY, Some("*")), ("/checkouts", None)] {
        let request = format!("POST {path} HTTP/1.1\r\nHost: a:b\r\nConnection: close\r\n\r\n");
        let reply = raw(bed.weir.address(), request.as_bytes()).await;
        assert_eq!((reply.status, reply.header(ORIGIN)), (400, origin), "{path}");
    }
}
