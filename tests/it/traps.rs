//! Traps: orders of events in which a note, a turn or somebody else's knowledge could be lost, kept
//! too long or told to the wrong caller.

use crate::testbed::{
    APPLY, APPLY_SHOPPER, Adjusted, Body, CART, Caller, Fault, FaultKind, Gate, GovernLayer,
    GovernSettings, Governor, Kind, Mode, Reply, RuleId, SECRET, Testbed, Toggle, collect, defers,
    method, nobody_was_shown, reorders, thorough, trusting,
};
use http::{Request, Response};
use serde_json::{Value, json};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};

/// A checkout whose card is deferred.
async fn deferred() -> (Testbed, String, String) {
    let bed = Testbed::new().policy(defers()).start().await;
    let (card, checkout) = (bed.card().await, bed.checkout(100.0).await);
    let reply = bed.weir.post(&format!("/checkouts/{checkout}/sources/{card}"), Value::Null).await;
    assert_eq!(reply.verdict().0, "deferred");
    (bed, checkout, card)
}

async fn order(caller: &Caller, checkout: &str) -> Reply {
    caller.post("/orders", json!({ "checkoutId": checkout })).await
}

fn upstream_holds(bed: &Testbed, checkout: &str) -> Vec<String> {
    bed.attached(Kind::Checkout, checkout)
}

#[tokio::test]
async fn a_deletion_that_upstream_refuses_leaves_the_deferred_attach_to_be_sent() {
    let (bed, checkout, card) = deferred().await;
    bed.emulator.faults().add(Fault::once("DELETE", "/checkouts/*", FaultKind::FailBefore(409)));
    assert_eq!(bed.weir.delete(&format!("/checkouts/{checkout}")).await.status, 409);
    assert_eq!(order(&bed.weir, &checkout).await.status, 201);
    assert_eq!(upstream_holds(&bed, &checkout), [card]);
}

#[tokio::test]
async fn a_deferred_attach_survives_that_the_rules_are_switched_off() {
    let (bed, checkout, card) = deferred().await;
    bed.set_policy(defers().with_mode(Mode::Off));
    assert_eq!(order(&bed.weir, &checkout).await.status, 201);
    assert_eq!(upstream_holds(&bed, &checkout), [card]);
    assert_eq!(bed.pinned(), 0);
}

#[tokio::test]
async fn whoever_has_not_been_shown_a_checkout_neither_sends_nor_loses_its_deferred_attach() {
    let (bed, checkout, card) = deferred().await;
    let path = format!("/checkouts/{checkout}");
    // Another merchant, whose key has been told to slow down, so that nothing is looked up with it.
    let stranger = bed.weir.key("Bearer sk_test_other");
    bed.emulator.faults().add(Fault::once("GET", "/checkouts/*", FaultKind::TooManyRequests(30)));
    assert_eq!(stranger.get("/checkouts/none").await.status, 429);
    let reply = stranger.post(&path, json!({ "email": "a@example.com" })).await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert_eq!(bed.mutations_of(&path), 0);
    assert_eq!(order(&bed.weir, &checkout).await.status, 201);
    assert_eq!(upstream_holds(&bed, &checkout), [card]);
}

#[tokio::test]
async fn what_is_denied_takes_no_room_among_what_is_remembered() {
    let bed = Testbed::new().start().await;
    let before = bed.remembered();
    for n in 0..20 {
        let reply = bed
            .weir
            .post(&format!("/checkouts/nobody-{n}"), json!({ "email": "a@example.com" }))
            .await;
        assert_eq!(reply.status, 404);
        assert_eq!(bed.weir.get(&format!("/checkouts/nothing-{n}")).await.status, 404);
    }
    assert_eq!(bed.remembered(), before);
}

/// Another access token of the same shopper, Ann.
async fn device(bed: &Testbed) -> Caller {
    let grant = "grant_type=password&username=ann&password=x&client_id=pk_acme";
    let grant = bed.upstream.send(http::Method::POST, "/oauth20/token", grant).await;
    let token = grant.json()["access_token"].as_str().expect("a token").to_owned();
    bed.weir.key(&format!("bearer {token}")).with("accept", "application/json")
}

async fn fill(shopper: &Caller) {
    assert_eq!(
        shopper.post(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await.status,
        200
    );
}

#[tokio::test]
async fn a_cart_that_another_token_has_submitted_is_not_taken_for_the_active_one() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let (phone, desk) = (device(&bed).await, device(&bed).await);
    fill(&phone).await;
    desk.get(CART).await;
    assert_eq!(phone.post(APPLY, method(&bed.card().await)).await.status, 200);
    assert_eq!(phone.post(&format!("{CART}/submit-cart"), Value::Null).await.status, 200);
    // The next cart, which the other device knows only by what it does to it.
    fill(&phone).await;
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    assert_eq!(phone.post(APPLY, method(&card)).await.status, 200);
    assert_eq!(desk.send(http::Method::DELETE, APPLY, method(&card).to_string()).await.status, 204);
    let attached = phone.post(APPLY, method(&credit)).await;
    assert_eq!(
        (attached.status.as_u16(), attached.verdict()),
        (200, ("forwarded", None)),
        "{}",
        attached.text()
    );
}

/// Upstream that compresses in a way Weir cannot read wherever it may, and a checkout that holds a
/// single-use card.
async fn in_a_coding_of_its_own(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let session = json!({ "id": "1", "currency": "USD", "totalAmount": 100, "payment": { "sources": [{ "id": "p", "type": "creditCard" }],
        "session": { "amountRemainingToBeContributed": 0, "state": "requires_confirmation" } } });
    let body = match request.uri().path() {
        "/checkouts/1" => session,
        "/sources/p" => {
            json!({ "id": "p", "type": "creditCard", "reusable": false, "state": "chargeable", "amount": 100 })
        }
        "/sources/c" => {
            json!({ "id": "c", "type": "customerCredit", "reusable": false, "state": "chargeable", "amount": 10 })
        }
        other => panic!("{other} was sent"),
    };
    let accepted = request
        .headers()
        .get("accept-encoding")
        .is_none_or(|value| value.as_bytes().windows(4).any(|four| four == b"zstd"));
    let answer = Response::builder().header("content-type", "application/json");
    let answer = match accepted {
        true => answer.header("content-encoding", "zstd").body(Body::full("(some bytes)")),
        false => answer.body(Body::full(body.to_string())),
    };
    Ok(answer.expect("a valid answer"))
}

#[tokio::test]
async fn a_coding_that_weir_cannot_read_is_no_way_round_a_rule() {
    let governor = Testbed::new().policy(thorough()).governor();
    let weir = GovernLayer::new(governor).layer(service_fn(in_a_coding_of_its_own));
    let request = Request::post("/checkouts/1/sources/c")
        .header("authorization", SECRET)
        .header("accept-encoding", "gzip, zstd");
    let response = weir
        .oneshot(request.body(Body::empty()).expect("a valid request"))
        .await
        .expect("an answer");
    let (head, body) = response.into_parts();
    let body = collect(body, usize::MAX).await.map(|whole| whole.bytes).unwrap_or_default();
    assert_eq!(
        head.headers.get("weir-rule").map(|rule| rule.as_bytes()),
        Some(&b"secondary-after-single-use-primary"[..]),
        "{body:?}"
    );
}

/// A cart that holds a card, of a shopper on a Weir that repairs, and a credit.
async fn repaired() -> (Testbed, Caller, String, String) {
    let bed = Testbed::new().policy(reorders()).start().await;
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    (bed, shopper, card, credit)
}

async fn cart_holds(bed: &Testbed, shopper: &Caller) -> Vec<String> {
    let cart = shopper.to(&bed.upstream).get(CART).await.json()["cart"]["id"].to_string();
    bed.attached(Kind::Cart, &cart)
}

#[tokio::test]
async fn a_primary_is_put_back_when_the_pause_that_upstream_asked_for_is_over() {
    let (bed, shopper, card, credit) = repaired().await;
    bed.emulator.faults().add(Fault::once("POST", APPLY, FaultKind::FailBefore(409)));
    let attaching = bed
        .emulator
        .faults()
        .add(Fault::always("POST", APPLY, FaultKind::TooManyRequests(1)).from_nth(2));
    // As upstream does: it refuses for as long as it said.
    let calm = async {
        while !bed.emulator.calls().iter().any(|call| call.status == Some(429)) {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(900)).await;
        bed.emulator.faults().remove(attaching);
    };
    let (reply, ()) = tokio::join!(shopper.post(APPLY, method(&credit)), calm);
    assert_eq!(
        (reply.status.as_u16(), cart_holds(&bed, &shopper).await, bed.stranded()),
        (409, vec![card], 0)
    );
}

#[tokio::test]
async fn an_option_that_attaches_nothing_costs_the_cart_no_primary() {
    let (bed, shopper, card, _) = repaired().await;
    let other = bed.card().await;
    let save = json!({ "paymentOption": { "sourceId": other } });
    assert_eq!(shopper.post("/v1/shoppers/me/payment-options", save).await.status, 201);
    // The shopper removes it while the first card is being taken off.
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once("DELETE", APPLY, FaultKind::HoldAfter(gate.clone())));
    let removal = async {
        gate.arrived().await;
        let own = shopper.to(&bed.upstream);
        let options = own.get("/v1/shoppers/me/payment-options").await.json();
        let id = &options["paymentOptions"]["paymentOption"][0]["id"];
        let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        assert_eq!(own.delete(&format!("/v1/shoppers/me/payment-options/{id}")).await.status, 204);
        gate.open();
    };
    let (_, ()) = tokio::join!(shopper.post(APPLY_SHOPPER, Value::Null), removal);
    assert_eq!(cart_holds(&bed, &shopper).await, [card]);
}

#[tokio::test]
async fn a_key_that_expires_while_a_repair_is_undone_loses_no_primary() {
    let (bed, shopper, card, credit) = repaired().await;
    let faults = bed.emulator.faults();
    faults.add(Fault::once("POST", APPLY, FaultKind::FailBefore(409)));
    faults.add(Fault::once("POST", APPLY, FaultKind::FailBefore(500)).from_nth(2).times(2));
    faults.add(Fault::once("POST", APPLY, FaultKind::FailBefore(401)).from_nth(4).times(2));
    assert_eq!(shopper.post(APPLY, method(&credit)).await.status, 502);
    shopper.get(CART).await;
    shopper.get(CART).await;
    assert_eq!(cart_holds(&bed, &shopper).await, [card]);
}

/// A checkout of upstream's that holds nothing, whose answers to attaching the card `p` are 503 and
/// longer than may be read, and which says yes to every detaching.
async fn verbose(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let card = json!({ "id": "p", "type": "creditCard", "reusable": false, "state": "chargeable" });
    let session = json!({ "id": "1", "currency": "USD", "totalAmount": 100, "payment": { "sources": [],
        "session": { "amountRemainingToBeContributed": 100, "state": "requires_source" } } });
    let (status, body) = match (request.method().as_str(), request.uri().path()) {
        ("DELETE", _) => (204, String::new()),
        ("GET", "/sources/p") => (200, card.to_string()),
        ("POST", "/checkouts/1/sources/p") => (503, " ".repeat(10_000)),
        _ => (200, session.to_string()),
    };
    Ok(Response::builder().status(status).body(Body::full(body)).expect("a valid answer"))
}

fn before_verbose() -> (std::sync::Arc<Governor>, impl AsyncFn(http::Method, &'static str) -> u16) {
    let settings = GovernSettings { answer: 5_000, ..GovernSettings::default() };
    let governor = Testbed::new().policy(defers()).govern(settings).governor();
    let weir = GovernLayer::new(governor.clone()).layer(service_fn(verbose));
    let call = async move |method: http::Method, path: &'static str| {
        let request = Request::builder().method(method).uri(path).header("authorization", SECRET);
        let answer =
            weir.clone().oneshot(request.body(Body::empty()).expect("a valid request")).await;
        answer.expect("an answer").status().as_u16()
    };
    (governor, call)
}

#[tokio::test]
async fn a_failure_too_long_to_be_read_is_not_taken_for_success() {
    let (governor, call) = before_verbose();
    assert_eq!(call(http::Method::POST, "/checkouts/1/sources/p").await, 200);
    assert_eq!(governor.sessions().pinned(), 1);
    assert_eq!(call(http::Method::GET, "/checkouts/1").await, 503);
    assert_eq!(governor.sessions().pinned(), 1, "the deferred attach is lost");
}

#[tokio::test]
async fn a_source_is_not_shown_by_detaching_it_from_where_it_is_not() {
    let (governor, call) = before_verbose();
    assert_eq!(call(http::Method::DELETE, "/checkouts/1/sources/somebodys").await, 204);
    assert!(nobody_was_shown(&governor, "somebodys").await);
}

#[tokio::test]
async fn a_caller_who_repeats_a_deferred_attach_and_hangs_up_does_not_lose_it() {
    let (bed, checkout, card) = deferred().await;
    let path = format!("/checkouts/{checkout}/sources/{card}");
    bed.emulator.faults().add(Fault::once("POST", &path, FaultKind::ResetBefore));
    assert_eq!(order(&bed.weir, &checkout).await.status, 502);
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once(
        "GET",
        "/sources/*",
        FaultKind::HoldBefore(gate.clone()),
    ));
    let weir = bed.weir.clone();
    let repeated = tokio::spawn(async move { weir.post(&path, Value::Null).await });
    // It may also need no look-up: then it is answered, and was not lost either.
    gate.arrived().await;
    repeated.abort();
    gate.open();
    while bed.turns_open() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(order(&bed.weir, &checkout).await.status, 201);
    assert_eq!(upstream_holds(&bed, &checkout), [card]);
}

#[tokio::test]
async fn a_read_that_overlapped_with_a_call_that_was_not_understood_proves_nothing() {
    let mut policy = trusting();
    policy.set(RuleId::AmbiguousRequest, Toggle::Monitor);
    let bed = Testbed::new().policy(policy).start().await;
    let (card, credit, checkout) =
        (bed.card().await, bed.credit(20.0).await, bed.checkout(100.0).await);
    let path = format!("/checkouts/{checkout}");
    assert_eq!(bed.weir.post(&format!("{path}/sources/{card}"), Value::Null).await.status, 200);
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once("GET", &path, FaultKind::HoldAfter(gate.clone())));
    let (weir, reading) = (bed.weir.clone(), path.clone());
    let read = tokio::spawn(async move { weir.get(&reading).await });
    gate.arrived().await;
    let detached = bed.weir.delete(&format!("{path}/sources/{card}?sourceId=another")).await;
    assert_eq!(
        (detached.status.as_u16(), detached.verdict()),
        (204, ("monitored", Some("ambiguous-request")))
    );
    tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    gate.open();
    assert_eq!(read.await.expect("an answer").status, 200);
    let attached = bed.weir.post(&format!("{path}/sources/{credit}"), Value::Null).await;
    assert_eq!(
        (attached.status.as_u16(), attached.verdict()),
        (200, ("forwarded", None)),
        "{}",
        attached.text()
    );
}
