//! Who may learn what: upstream's own answer to those whom it does not know, one record and one
//! turn for those it does, and no secret anywhere.

use crate::testbed::{
    APPLY, Adjusted, Admin, Ask, Body, CART, Caller, Fault, FaultKind, Gate, GovernLayer, Mode,
    OnLookupFailure, PUBLIC, Plan, SECRET, Testbed, credential_hash, defers, items, method,
    remembers, trusting,
};
use http::{Method, Request, Response};
use serde_json::{Value, json};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

const GLOBEX: &str = "Bearer sk_test_globex";

/// A checkout with a single-use card, and credit that breaks a rule there.
async fn scene(bed: &Testbed) -> (String, String, String) {
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
    (session, card, credit)
}

/// Callers to whom upstream does not show what acme does.
fn strangers(bed: &Testbed) -> [(&'static str, Caller, u16); 5] {
    let nobody = Caller::new(bed.weir.address());
    [
        ("another merchant", bed.weir.key(GLOBEX), 404),
        ("a wrong key", bed.weir.key("Bearer nonsense"), 401),
        ("no key", nobody.clone(), 401),
        ("a public key", bed.weir.key(PUBLIC), 403),
        ("two keys", bed.weir.with("x-api-key", "sk_test_globex"), 404),
    ]
}

#[tokio::test]
async fn a_stranger_gets_what_upstream_says_and_never_a_rules_answer() {
    for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
        let bed = Testbed::new()
            .policy(trusting().with_on_lookup_failure(on_lookup_failure))
            .start()
            .await;
        let (session, card, credit) = scene(&bed).await;
        let id = session.trim_start_matches("/checkouts/");
        for (who, caller, status) in strangers(&bed) {
            let direct = caller.to(&bed.upstream);
            for (method, path, body) in [
                (Method::POST, format!("{session}/sources/{credit}"), String::new()),
                (Method::POST, session.clone(), json!({ "sourceId": credit }).to_string()),
                (Method::DELETE, format!("{session}/sources/{card}"), String::new()),
                (Method::GET, session.clone(), String::new()),
                (Method::DELETE, session.clone(), String::new()),
            ] {
                let through = caller.send(method.clone(), &path, body.clone()).await;
                let said = direct.send(method.clone(), &path, body).await;
                assert_eq!(
                    (through.status, through.text()),
                    (said.status, said.text()),
                    "{who}: {method} {path}"
                );
                assert_eq!(
                    (through.status.as_u16(), through.header("weir-rule")),
                    (status, None),
                    "{who}: {method} {path}"
                );
            }
            let ordered = caller.post("/orders", json!({ "checkoutId": id })).await;
            assert_eq!(
                (ordered.status.as_u16(), ordered.header("weir-rule")),
                (status, None),
                "{who}"
            );
        }
        // And the merchant still gets the rule's.
        assert_eq!(
            bed.weir.attach(&session, &credit).await.verdict(),
            ("rejected", Some("secondary-after-single-use-primary"))
        );
    }
}

#[tokio::test]
async fn a_stranger_neither_waits_in_the_turn_nor_holds_it() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (session, card, credit) = scene(&bed).await;
    // The merchant's own call is under way, and holds the turn.
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once(
        "DELETE",
        &format!("{session}/sources/{card}"),
        FaultKind::HoldBefore(gate.clone()),
    ));
    let (weir, path) = (bed.weir.clone(), format!("{session}/sources/{card}"));
    let own = tokio::spawn(async move { weir.delete(&path).await });
    gate.arrived().await;
    for (who, caller, status) in strangers(&bed) {
        assert_eq!(caller.attach(&session, &credit).await.status, status, "{who} did not wait");
        assert_eq!(bed.turns_waiting(), 0, "{who}");
    }
    gate.open();
    assert_eq!(own.await.unwrap().status, 204);
    // A stranger's look-up is under way: the merchant does not wait for it.
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once("GET", &session, FaultKind::HoldBefore(gate.clone())));
    let (stranger, path, source) = (bed.weir.key(GLOBEX), session.clone(), credit.clone());
    let strange = tokio::spawn(async move { stranger.attach(&path, &source).await });
    gate.arrived().await;
    assert_eq!(bed.weir.attach(&session, &credit).await.status, 200);
    gate.open();
    assert_eq!(strange.await.unwrap().status, 404);
}

/// A look-up may fail for many reasons, and none of them introduces a caller.
#[tokio::test]
async fn a_stranger_whose_look_up_fails_touches_neither_turn_nor_record() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (session, card, credit) = scene(&bed).await;
    let gate = Gate::new();
    let own = format!("{session}/sources/{card}");
    let held = FaultKind::HoldBefore(gate.clone());
    bed.emulator.faults().add(Fault::once("DELETE", &own, held));
    let (weir, path) = (bed.weir.clone(), own.clone());
    let own = tokio::spawn(async move { weir.delete(&path).await });
    gate.arrived().await;
    let remembered = bed.remembered();
    for (n, fault) in [
        FaultKind::FailBefore(400),
        FaultKind::FailBefore(431),
        FaultKind::FailBefore(503),
        FaultKind::ResetBefore,
        FaultKind::Garbage,
        FaultKind::TooManyRequests(60),
    ]
    .into_iter()
    .enumerate()
    {
        for path in [session.clone(), format!("/checkouts/made-up-{n}")] {
            let failing = Fault { times: Some(2), ..Fault::once("GET", &path, fault.clone()) };
            bed.emulator.faults().add(failing);
            let stranger = bed.weir.key(GLOBEX);
            let reply = stranger.attach(&path, &credit).await;
            let direct = stranger.to(&bed.upstream).attach(&path, &credit).await;
            let said = (reply.status.as_u16(), reply.text());
            assert_eq!(said, (404, direct.text()), "{fault:?} {path}");
            assert_eq!((bed.turns_waiting(), bed.remembered()), (0, remembered), "{fault:?}");
        }
    }
    gate.open();
    assert_eq!(own.await.unwrap().status, 204);
}

/// Upstream's 403 to a look-up is no answer to another call.
#[tokio::test]
async fn a_key_that_may_order_and_not_read_orders() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (session, ..) = scene(&bed).await;
    let id = session.trim_start_matches("/checkouts/");
    bed.quirks(json!({ "order-only-keys": true })).await;
    let ordering = bed.weir.key("Bearer rk_test_acme");
    assert_eq!(ordering.get(&session).await.status, 403);
    let ordered = ordering.post("/orders", json!({ "checkoutId": id })).await;
    assert_eq!((ordered.status.as_u16(), ordered.verdict().0), (201, "forwarded"));
}

/// The order would go up without the card that was promised.
#[tokio::test]
async fn a_promised_card_is_not_walked_past_by_a_key_that_could_not_be_admitted() {
    for mode in [Mode::Enforce, Mode::Monitor] {
        let bed = Testbed::new().policy(defers()).start().await;
        let id = bed.checkout(100.0).await;
        let session = format!("/checkouts/{id}");
        let promised = bed.weir.attach(&session, &bed.card().await).await;
        assert_eq!(promised.verdict().0, "deferred");
        bed.set_policy(defers().with_mode(mode));
        let second = bed.weir.key("Bearer sk_test_acme_2");
        for fault in [FaultKind::FailBefore(503), FaultKind::FailBefore(403)] {
            bed.emulator.faults().add(Fault::once("GET", &session, fault.clone()));
            let turned_away = second.post("/orders", json!({ "checkoutId": id })).await;
            let retry_after = turned_away.header("retry-after").map(str::to_owned);
            assert_eq!(
                (turned_away.status.as_u16(), retry_after.as_deref()),
                (503, Some("1")),
                "{mode:?} {fault:?} {}",
                turned_away.text()
            );
        }
        let ordered = second.post("/orders", json!({ "checkoutId": id })).await;
        assert_eq!(ordered.status, 201, "{}", ordered.text());
    }
}

#[tokio::test]
async fn one_key_is_one_caller_in_whichever_way_it_comes() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (session, _, credit) = scene(&bed).await;
    let nobody = Caller::new(bed.weir.address());
    bed.emulator.clear_calls();
    for caller in [
        nobody.key("Bearer sk_test_acme"),
        nobody.key("bearer sk_test_acme"),
        nobody.key("BEARER  sk_test_acme"),
        nobody.key("sk_test_acme"),
        nobody.key("Basic c2tfdGVzdF9hY21lOg=="),
        nobody.with("x-api-key", "sk_test_acme"),
        nobody.key("Bearer sk_test_acme").with("x-api-key", "sk_test_acme"),
    ] {
        let refused = caller.attach(&session, &credit).await;
        assert_eq!(refused.verdict(), ("rejected", Some("secondary-after-single-use-primary")));
    }
    assert_eq!(bed.emulator.calls().len(), 0, "nobody had to be introduced");
    // Another key of the merchant is introduced by upstream, once; then it shares record and turn.
    let other = bed.weir.key("Bearer sk_test_acme_2");
    for _ in 0..3 {
        assert_eq!(other.attach(&session, &credit).await.verdict().0, "rejected");
    }
    let asked: Vec<_> = bed
        .emulator
        .calls()
        .into_iter()
        .map(|call| call.target)
        .filter(|path| *path == session)
        .collect();
    assert_eq!(asked, [session]);
}

#[tokio::test]
async fn a_key_that_a_whole_site_shares_is_nobody_in_particular() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let hash = |path: &str| credential_hash(bed.governor(), path);
    let carts = "/v1/shoppers/me/carts/active";
    assert_eq!(hash(&format!("{carts}?apiKey=a")), None);
    assert_eq!(hash(carts), None);
    assert!(hash(&format!("{carts}?apiKey=a&token=a")).is_some());
    assert_ne!(hash(&format!("{carts}?token=a")), hash(&format!("{carts}?token=b")));
}

#[tokio::test]
async fn a_refreshed_token_is_the_same_cart_and_the_same_turn() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let grant = bed
        .upstream
        .send(Method::POST, "/oauth20/token", "grant_type=anonymous&client_id=pk_acme")
        .await
        .json();
    let shopper = |token: &Value| {
        bed.weir
            .key(&format!("bearer {}", token.as_str().unwrap()))
            .with("accept", "application/json")
    };
    let first = shopper(&grant["access_token"]);
    first.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    let apply = format!("{CART}/apply-payment-method");
    first.ok(&apply, method(&card)).await;
    let body = format!(
        "grant_type=refresh_token&refresh_token={}",
        grant["refresh_token"].as_str().unwrap()
    );
    let again = bed.upstream.send(Method::POST, "/oauth20/token", body).await.json();
    let second = shopper(&again["access_token"]);
    assert_eq!(
        second.post(&apply, method(&credit)).await.verdict(),
        ("rejected", Some("primary-before-secondary"))
    );
    assert_eq!(bed.remembered(), 1, "one record");
    // In the query instead of the header.
    let token = again["access_token"].as_str().unwrap();
    let queried = Caller::new(bed.weir.address()).with("accept", "application/json");
    let refused = queried.post(&format!("{apply}?token={token}"), method(&credit)).await;
    assert_eq!(
        refused.verdict(),
        ("rejected", Some("primary-before-secondary")),
        "{}",
        refused.text()
    );
    // One turn: what comes under the second token waits for what came under the first.
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once(
        "DELETE",
        "*apply-payment-method",
        FaultKind::HoldBefore(gate.clone()),
    ));
    let (caller, path, body) = (first.clone(), apply.clone(), method(&card).to_string());
    let detach = tokio::spawn(async move { caller.send(Method::DELETE, &path, body).await });
    gate.arrived().await;
    let (caller, path, body) = (second.clone(), apply.clone(), method(&credit));
    let attached = tokio::spawn(async move { caller.post(&path, body).await });
    while bed.turns_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    gate.open();
    assert_eq!(
        (detach.await.unwrap().status.as_u16(), attached.await.unwrap().status.as_u16()),
        (204, 200)
    );
    assert_eq!(bed.emulator.overlaps(), 0);
    // A token that is no more is upstream's to refuse.
    assert!(bed.emulator.expire_token(token));
    let (through, direct) = (second.get(CART).await, second.to(&bed.upstream).get(CART).await);
    assert_eq!((through.status.as_u16(), through.text()), (401, direct.text()));
    let (through, direct) = (
        second.post(&apply, method(&card)).await,
        second.to(&bed.upstream).post(&apply, method(&card)).await,
    );
    assert_eq!((through.status.as_u16(), through.text()), (401, direct.text()));
}

#[tokio::test]
async fn a_source_of_another_merchant_teaches_nothing() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let globex = bed.weir.key(GLOBEX);
    let credit = globex
        .ok("/sources", json!({ "type": "customerCredit", "amount": 500, "customerCredit": {} }))
        .await
        .id();
    assert_eq!(globex.get(&format!("/sources/{credit}")).await.status, 200);
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    bed.weir.attach(&session, &bed.card().await).await;
    // Weir knows that it is store credit and too large; acme may not.
    for path in [format!("{session}/sources/{credit}"), format!("/customers/c/sources/{credit}")] {
        let (through, direct) =
            (bed.weir.post(&path, Value::Null).await, bed.upstream.post(&path, Value::Null).await);
        assert_eq!((through.status.as_u16(), through.text()), (404, direct.text()), "{path}");
        assert_eq!(through.header("weir-rule"), None);
    }
    let mut create = items(100.0);
    create["sourceId"] = json!(credit);
    let created = bed.weir.post("/checkouts", create).await;
    assert_eq!((created.status.as_u16(), created.header("weir-rule")), (404, None));
}

/// Merchants choose their customers' ids, so two of them may well choose the same.
#[tokio::test]
async fn two_merchants_customers_of_one_id_are_two_customers() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (acme, globex) = (bed.weir.clone(), bed.weir.key(GLOBEX));
    let card_of = |key: &'static str| {
        let browser = bed.upstream.key(key);
        async move {
            browser.post("/sources", json!({ "type": "creditCard", "creditCard": {} })).await.id()
        }
    };
    for merchant in [&acme, &globex] {
        merchant.ok("/customers", json!({ "id": "alice", "email": "alice@example.com" })).await;
    }
    let (ours, theirs) = (card_of("pk_test_acme").await, card_of("pk_test_globex").await);
    assert_eq!(globex.attach("/customers/alice", &theirs).await.status, 200);
    assert_eq!(acme.attach("/customers/alice", &ours).await.status, 200);
    assert_eq!(globex.get("/customers/alice").await.status, 200);
    assert_eq!(acme.get("/customers/alice").await.status, 200);
    // Each may choose its own source, whatever Weir last heard of the other's alice.
    globex.ok("/customers/alice", json!({ "defaultSourceId": theirs })).await;
    acme.ok("/customers/alice", json!({ "defaultSourceId": ours })).await;
    let foreign = acme.post("/customers/alice", json!({ "defaultSourceId": theirs })).await;
    assert_eq!(
        foreign.verdict(),
        ("rejected", Some("default-source-not-saved")),
        "{}",
        foreign.text()
    );
    // And neither waits for the other.
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once(
        "DELETE",
        &format!("/customers/alice/sources/{theirs}"),
        FaultKind::HoldBefore(gate.clone()),
    ));
    let (caller, path) = (globex.clone(), format!("/customers/alice/sources/{theirs}"));
    let slow = tokio::spawn(async move { caller.delete(&path).await });
    gate.arrived().await;
    assert_eq!(acme.attach("/customers/alice", &card_of("pk_test_acme").await).await.status, 200);
    gate.open();
    assert_eq!(slow.await.unwrap().status, 204);
    // Another key of the merchant has changed what this one last saw.
    let other = bed.weir.key("Bearer sk_test_acme_2");
    let third = card_of("pk_test_acme").await;
    assert_eq!(other.attach("/customers/alice", &third).await.status, 200);
    acme.ok("/customers/alice", json!({ "defaultSourceId": third })).await;
}

#[tokio::test]
async fn no_secret_is_ever_shown() {
    let bed = Testbed::new().start().await;
    let (session, card, credit) = scene(&bed).await;
    bed.weir.attach(&session, &credit).await;
    let shopper = bed.shopper(100.0).await;
    let token = bed
        .upstream
        .send(Method::POST, "/oauth20/token", "grant_type=anonymous&client_id=pk_acme")
        .await
        .json();
    let token = token["access_token"].as_str().unwrap().to_owned();
    shopper.ok(&format!("{CART}/apply-payment-method"), method(&bed.card().await)).await;
    let queried = Caller::new(bed.weir.address());
    assert_eq!(
        queried
            .post(&format!("{CART}?token={token}&productId=p&price=5"), Value::Null)
            .await
            .status,
        200
    );
    let secret = bed.upstream.get(&format!("/sources/{card}")).await.json()["clientSecret"]
        .as_str()
        .unwrap()
        .to_owned();
    // What is refused for its spelling is told without what was spelled.
    let twice = format!(r#"{{"sourceId":"{secret}","sourceId":"{token}"}}"#);
    assert_eq!(bed.weir.post_text(&session, &twice).await.status, 400);
    assert_eq!(bed.weir.post(&format!("/{session}?token={token}"), Value::Null).await.status, 400);
    let admin = Admin::new(bed.governor().clone(), "{}".into());
    for path in ["/sessions", &format!("/sessions{session}"), "/decisions?limit=1000", "/stats"] {
        use http_body_util::BodyExt;
        let page = admin.answer(&http::Request::get(path).body(()).unwrap()).await;
        let text = String::from_utf8(page.into_body().collect().await.unwrap().to_bytes().to_vec())
            .unwrap();
        assert!(text.len() > 20, "{path}: {text}");
        for secret in ["sk_test_acme", SECRET, token.as_str(), secret.as_str()] {
            assert!(!text.contains(secret), "{path} shows {secret}: {text}");
        }
    }
}

const OWN_KEY: &str = "sk_test_acme_weir";

/// A shopper whose token may not read sources, with a card attached to the cart.
async fn shopper_who_may_not_read(plan: Plan) -> (Testbed, Caller, String, String) {
    let bed = plan.start().await;
    bed.quirks(json!({ "deny-shopper-reads": true })).await;
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    (bed, shopper, card, credit)
}

/// A credit that upstream would silently ignore.
#[tokio::test]
async fn a_source_that_the_shopper_may_not_read_is_looked_up_with_weirs_own_key() {
    for status in [401, 403] {
        let plan = Testbed::new().key(OWN_KEY);
        let (bed, shopper, _, credit) = shopper_who_may_not_read(plan).await;
        bed.quirks(json!({ "deny-shopper-reads": status })).await;
        bed.emulator.clear_calls();
        let late = shopper.post(APPLY, method(&credit)).await;
        assert_eq!(late.verdict(), ("rejected", Some("primary-before-secondary")), "{status}");
        assert_eq!(bed.mutations(), 0);
        let decided = bed.governor().decisions().latest(1);
        let steps: Vec<_> = decided[0].steps.iter().map(|step| step.kind.to_string()).collect();
        let with_own_key = format!("look up source {credit} with Weir's own key");
        assert!(steps.contains(&with_own_key), "{steps:?}");
    }
    // Without a key nothing is known of the credit before upstream's answer shows it.
    let (_bed, shopper, _, credit) = shopper_who_may_not_read(Testbed::new()).await;
    let late = shopper.post(APPLY, method(&credit)).await;
    assert_eq!(late.verdict(), ("monitored", Some("primary-before-secondary")));
}

#[tokio::test]
async fn a_token_in_the_query_opens_no_source_and_weirs_own_key_does() {
    let bed = Testbed::new().key(OWN_KEY).start().await;
    let token = bed.upstream.token("grant_type=anonymous&client_id=pk_acme").await;
    let shopper = Caller::new(bed.weir.address()).with("accept", "application/json");
    let ask = |path: &str| format!("{path}?token={token}");
    let cart = format!("{CART}?token={token}&productId=p&quantity=1&price=100");
    shopper.ok(&cart, Value::Null).await;
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    assert_eq!(shopper.post(&ask(APPLY), method(&card)).await.status, 200);
    let late = shopper.post(&ask(APPLY), method(&credit)).await;
    assert_eq!(late.verdict(), ("rejected", Some("primary-before-secondary")), "{}", late.text());
    let asked = bed.emulator.calls().into_iter().filter(|c| c.target.starts_with("/sources/"));
    assert!(asked.clone().count() > 0 && asked.clone().all(|call| !call.target.contains("token")));
}

/// It knows what the caller may not, so only a decision about a session that the caller was shown
/// rests on it, and no answer is made of it.
#[tokio::test]
async fn weirs_own_key_serves_no_stranger_and_answers_nobody() {
    let bed = Testbed::new().key(OWN_KEY).policy(trusting()).start().await;
    let (session, _, credit) = scene(&bed).await;
    for (who, caller, _) in strangers(&bed) {
        bed.emulator.clear_calls();
        let reply = caller.attach(&session, &credit).await;
        assert_eq!(reply.header("weir-rule"), None, "{who}");
        let saved = caller.post(&format!("/customers/c/sources/{credit}"), Value::Null).await;
        assert_eq!(saved.header("weir-rule"), None, "{who}");
        let read = caller.get(&format!("/sources/{credit}")).await;
        let direct = caller.to(&bed.upstream).get(&format!("/sources/{credit}")).await;
        assert_eq!((read.status, read.text()), (direct.status, direct.text()), "{who}");
    }
}

/// Success of an idempotent call proves neither that something changed nor a right to know.
#[tokio::test]
async fn removing_what_is_anothers_spends_nothing_for_its_owner() {
    let bed = Testbed::new().policy(trusting()).start().await;
    bed.quirks(json!({ "lenient-removals": true })).await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let customer = json!({ "id": "mine", "email": "a@example.com" });
    bed.weir.ok("/customers", customer).await;
    let card = bed.card().await;
    assert_eq!(bed.weir.get(&format!("/sources/{card}")).await.status, 200);
    for path in [format!("/customers/mine/sources/{card}"), format!("{session}/sources/{card}")] {
        for caller in [bed.weir.clone(), bed.weir.key("Bearer sk_test_acme_2")] {
            assert_eq!(caller.delete(&path).await.status, 204, "{path}");
        }
    }
    let attached = bed.weir.attach(&session, &card).await;
    assert_eq!((attached.status.as_u16(), attached.verdict().0), (200, "forwarded"));
}

/// A shop whose shoppers are told apart by a cookie: each has a cart of its own.
async fn told_apart_by_a_cookie(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let cookie = request.headers().get("cookie").and_then(|cookie| cookie.to_str().ok());
    let shopper = cookie.unwrap_or("nobody").to_owned();
    let card = json!({ "sourceId": "card", "type": "creditCard" });
    let mut cart = json!({ "cart": { "id": format!("cart-{shopper}"),
        "paymentSession": { "status": "requires_source" } } });
    if shopper == "full" {
        cart["cart"]["paymentMethod"] = card;
    }
    let source = json!({ "id": "credit", "type": "customerCredit", "amount": 5,
        "reusable": false, "state": "chargeable" });
    let shown = if request.uri().path().starts_with("/sources/") { source } else { cart };
    Ok(Response::new(Body::full(shown.to_string())))
}

#[tokio::test]
async fn shoppers_without_a_credential_that_is_recognised_share_nothing() {
    let governor = Testbed::new().policy(trusting()).governor();
    let weir = GovernLayer::new(governor.clone()).layer(service_fn(told_apart_by_a_cookie));
    for _ in 0..2 {
        for (shopper, decision) in [("full", "rejected"), ("empty", "forwarded")] {
            let request = Request::post(format!("{APPLY}?apiKey=site"))
                .header("cookie", shopper)
                .body(Body::full(method("credit").to_string()))
                .unwrap();
            let answer = weir.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.headers()["weir-decision"], decision, "{shopper}");
        }
    }
}

/// Kind: what a stranger's call takes from others. Facts that are no longer trusted cost them a
/// look-up each.
#[tokio::test]
async fn a_stranger_whom_upstream_refuses_makes_no_fact_of_others_doubtful() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (session, _, credit) = scene(&bed).await;
    let refused = bed.weir.attach(&session, &credit).await;
    let expected = (409, ("rejected", Some("secondary-after-single-use-primary")));
    assert_eq!(refused.found(), expected);
    let stranger = bed.weir.key(GLOBEX);
    for ask in [Ask::order(&session), Ask::attach(&session, &credit)] {
        // Upstream does not tell whether the session is shown to the stranger: its call goes up.
        bed.emulator.faults().add(Fault::once("GET", &session, FaultKind::FailBefore(503)));
        assert_eq!(stranger.ask(&ask).await.status, 404);
        bed.emulator.clear_calls();
        assert_eq!(bed.weir.attach(&session, &credit).await.found(), expected);
        assert_eq!(bed.emulator.calls(), [], "what was known is known still");
    }
}

/// Kind: what a caller made up. Upstream has shown it to nobody, however the call ends.
#[tokio::test]
async fn an_id_that_upstream_never_showed_leaves_no_record() {
    let bed = Testbed::new().start().await;
    bed.quirks(json!({ "lenient-removals": true })).await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    assert_eq!(bed.weir.get(&session).await.status, 200);
    for key in [SECRET, GLOBEX] {
        for (method, path) in [
            (Method::POST, "/customers/made-up/sources/s-made-up".to_owned()),
            (Method::DELETE, "/customers/made-up/sources/s-made-up".to_owned()),
            (Method::DELETE, "/customers/made-up".to_owned()),
            (Method::POST, "/checkouts/made-up/sources/s-made-up".to_owned()),
            (Method::POST, format!("{session}/sources/s-made-up")),
            (Method::DELETE, format!("{session}/sources/s-made-up")),
        ] {
            for fault in [FaultKind::FailBefore(504), FaultKind::ResetAfter] {
                bed.emulator.faults().add(Fault::once(method.as_str(), &path, fault.clone()));
                bed.weir.key(key).send(method.clone(), &path, "").await;
                let kept = remembers(bed.governor(), "s-made-up", "made-up", key).await;
                assert!(!kept, "{key}: {method} {path}, {fault:?}");
            }
            bed.emulator.faults().clear();
            bed.weir.key(key).send(method.clone(), &path, "").await;
        }
        // A removal of what is not there is accepted, and shows nothing.
        let detach = format!("{session}/sources/s-made-up");
        bed.weir.key(key).delete(&detach).await;
        assert!(!remembers(bed.governor(), "s-made-up", "nobody", key).await, "{key}");
    }
}
