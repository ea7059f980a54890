//! Traps: orders of events in which a note, a turn or somebody else's knowledge could be lost, kept too long or told to the wrong caller.

use crate::{
    house::{CART, Caller, House, Reply, SECRET, method},
    indoors::sessions,
};
use http::{Request, Response};
use serde_json::{Value, json};
use std::convert::Infallible;
use tower::{Layer, ServiceExt, service_fn};
use weir::{
    emulator::{Fault, FaultKind, Kind},
    proxy::{Body, GovernLayer, GovernSettings, Governor, collect},
    rules::{FreshFor, Mode, Policy, RuleId, Toggle},
};

const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";
const APPLY_SHOPPER: &str = "/v1/shoppers/me/carts/active/apply-shopper";

/// Upstream that compresses in a way Weir cannot read wherever it may, and a checkout that holds a single-use card.
async fn in_a_coding_of_its_own(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let session = json!({ "id": "1", "currency": "USD", "totalAmount": 100, "payment": { "sources": [{ "id": "p", "type": "creditCard" }],
        "session": { "amountRemainingToBeContributed": 0, "state": "requires_confirmation" } } });
    let body = match request.uri().path() {
        "/checkouts/1" => session,
        "/sources/p" => json!({ "id": "p", "type": "creditCard", "reusable": false, "state": "chargeable", "amount": 100 }),
        "/sources/c" => json!({ "id": "c", "type": "customerCredit", "reusable": false, "state": "chargeable", "amount": 10 }),
        other => panic!("{other} was sent"),
    };
    let accepted =
        request.headers().get("accept-encoding").is_none_or(|value| value.as_bytes().windows(4).any(|four| four == b"zstd"));
    let answer = Response::builder().header("content-type", "application/json");
    let answer = match accepted {
        true => answer.header("content-encoding", "zstd").body(Body::full("(some bytes)")),
        false => answer.body(Body::full(body.to_string())),
    };
    Ok(answer.expect("a valid answer"))
}

#[tokio::test]
async fn a_coding_that_weir_cannot_read_is_no_way_round_a_rule() {
    let governor = Governor::new(Policy::default(), sessions(), GovernSettings::default());
    let weir = GovernLayer::new(governor).layer(service_fn(in_a_coding_of_its_own));
    let request = Request::post("/checkouts/1/sources/c").header("authorization", SECRET).header("accept-encoding", "gzip, zstd");
    let response = weir.oneshot(request.body(Body::empty()).expect("a valid request")).await.expect("an answer");
    let (head, body) = response.into_parts();
    let body = collect(body, usize::MAX).await.map(|whole| whole.bytes).unwrap_or_default();
    assert_eq!(
        head.headers.get("weir-rule").map(|rule| rule.as_bytes()),
        Some(&b"secondary-after-single-use-primary"[..]),
        "{body:?}"
    );
}
