//! Where the truth is: what is learned, what is looked up and how often, and that nothing is
//! refused which upstream would take.

use crate::house::{CART, Caller, House, PUBLIC, Reply, items, method};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use weir::{
    emulator::{Fault, FaultKind, Gate, Options},
    rules::{FreshFor, OnLookupFailure, Policy, RuleId, Toggle},
};

fn trusting() -> Policy {
    Policy { fresh_for: FreshFor::Forever, ..weir::dialects::policy() }
}

fn doubting() -> Policy {
    Policy { fresh_for: FreshFor::Within(Duration::ZERO), ..weir::dialects::policy() }
}

async fn attach(caller: &Caller, session: &str, source: &str) -> Reply {
    caller.post(&format!("{session}/sources/{source}"), Value::Null).await
}

async fn ok(caller: &Caller, path: &str, body: Value) -> Reply {
    let reply = caller.post(path, body).await;
    assert!(reply.status.is_success(), "{path}: {}", reply.text());
    reply
}

async fn gone(caller: &Caller, path: &str) {
    let reply = caller.delete(path).await;
    assert_eq!(reply.status, 204, "{path}: {}", reply.text());
}

fn gets(house: &House) -> Vec<String> {
    let calls = house.emulator.calls().into_iter();
    calls.filter(|call| call.method == "GET").map(|call| call.target).collect()
}

fn sent(house: &House) -> usize {
    house.emulator.calls().iter().filter(|call| call.mutation).count()
}

async fn magic(house: &House, word: &str) -> String {
    let body = json!({ "type": "creditCard", "creditCard": {}, "upstreamId": word });
    house.upstream.key(PUBLIC).post("/sources", body).await.id()
}

fn rejected(rule: &str) -> (u16, (&'static str, Option<&str>)) {
    (409, ("rejected", Some(rule)))
}

fn found(reply: &Reply) -> (u16, (&str, Option<&str>)) {
    (reply.status.as_u16(), reply.verdict())
}

#[tokio::test]
async fn what_a_caller_reads_need_not_be_looked_up() {
    for encoding in ["gzip", "identity"] {
        let mut house = House::new(trusting()).await;
        let session = format!("/checkouts/{}", house.checkout(100.0).await);
        let (card, credit) = (house.card().await, house.credit(20.0).await);
        assert_eq!(attach(&house.weir, &session, &card).await.status, 200);
        house.cold(trusting()).await;
        let reader = house.weir.with("accept-encoding", encoding);
        for path in [session.clone(), format!("/sources/{card}"), format!("/sources/{credit}")] {
            let read = reader.get(&path).await;
            assert_eq!(
                (read.status.as_u16(), read.header("content-encoding").unwrap_or("identity")),
                (200, encoding)
            );
            assert_eq!(
                read.body,
                house.upstream.with("accept-encoding", encoding).get(&path).await.body,
                "the bytes are upstream's"
            );
        }
        house.emulator.clear_calls();
        let refused = attach(&house.weir, &session, &credit).await;
        assert_eq!(found(&refused), rejected("secondary-after-single-use-primary"));
        assert_eq!(gets(&house), [""; 0]);
    }
}

#[tokio::test]
async fn a_purchase_through_weir_needs_no_look_up_but_of_what_the_browser_made() {
    let house = House::new(trusting()).await;
    let session = format!("/checkouts/{}", house.checkout(100.0).await);
    let (credit, card) = (house.credit(20.0).await, house.card().await);
    assert_eq!(attach(&house.weir, &session, &credit).await.status, 200);
    assert_eq!(attach(&house.weir, &session, &card).await.status, 200);
    ok(&house.weir, "/orders", json!({ "checkoutId": session.trim_start_matches("/checkouts/") }))
        .await;
    assert_eq!(gets(&house), [format!("/sources/{card}")]);
}

#[tokio::test]
async fn a_filtered_answer_teaches_only_what_it_shows() {
    let house = House::new(trusting()).await;
    let shopper = house.shopper(100.0).await;
    let card = house.card().await;
    let apply = format!("{CART}/apply-payment-method");
    ok(&shopper, &apply, method(&card)).await;
    // It shows nothing attached, and does not mean it.
    let read = shopper.get(&format!("{CART}?fields=id")).await;
    assert_eq!(read.json()["cart"]["paymentMethod"], Value::Null, "{}", read.text());
    let refused = shopper.post(&apply, method(&house.credit(20.0).await)).await;
    assert_eq!(found(&refused), rejected("primary-before-secondary"));
}

#[tokio::test]
async fn what_callers_miss_at_once_is_looked_up_once() {
    let house = House::new(weir::dialects::policy()).await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(format!("/checkouts/{}", house.checkout(100.0).await));
    }
    let card = house.card().await;
    let gate = Gate::new();
    house.emulator.faults().add(Fault::always(
        "GET",
        &format!("/sources/{card}"),
        FaultKind::HoldBefore(gate.clone()),
    ));
    house.emulator.clear_calls();
    let calls = sessions.into_iter().map(|session| {
        let (weir, card) = (house.weir.clone(), card.clone());
        tokio::spawn(async move { attach(&weir, &session, &card).await })
    });
    let calls: Vec<_> = calls.collect();
    gate.arrived().await;
    while house.governor.sessions().turns_open() < 8 {
        tokio::task::yield_now().await;
    }
    gate.open();
    for call in calls {
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(gets(&house), [format!("/sources/{card}")]);
}

/// One change that Weir does not see, and a call that a rule would refuse if the change had not
/// been.
#[tokio::test]
async fn what_changes_behind_weirs_back_is_never_held_against_anybody() {
    let house = House::new(doubting()).await;
    let (weir, direct) = (&house.weir, &house.upstream);
    let checkout = || async { format!("/checkouts/{}", house.checkout(100.0).await) };
    let order = |session: &str| json!({ "checkoutId": session.trim_start_matches("/checkouts/") });
    let customer = || async {
        format!(
            "/customers/{}",
            ok(weir, "/customers", json!({ "email": "a@example.com" })).await.id()
        )
    };

    // The single-use card was detached.
    let (session, card, credit) = (checkout().await, house.card().await, house.credit(20.0).await);
    assert_eq!(attach(weir, &session, &card).await.status, 200);
    assert_eq!(
        found(&attach(weir, &session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    gone(direct, &format!("{session}/sources/{card}")).await;
    assert_eq!(attach(weir, &session, &credit).await.status, 200);

    // It was saved: reusable now.
    let (session, card, credit) = (checkout().await, house.card().await, house.credit(20.0).await);
    let buyer = customer().await;
    assert_eq!(attach(weir, &session, &card).await.status, 200);
    assert_eq!(
        found(&attach(weir, &session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    assert_eq!(attach(direct, &buyer, &card).await.status, 200);
    assert_eq!(attach(weir, &session, &credit).await.status, 200);

    // There is more to pay.
    let (session, credit) = (checkout().await, house.credit(150.0).await);
    assert_eq!(found(&attach(weir, &session, &credit).await), rejected("amount-exceeds-total"));
    ok(direct, &session, items(200.0)).await;
    assert_eq!(attach(weir, &session, &credit).await.status, 200);

    // The credit before was detached.
    let (session, first, second) =
        (checkout().await, house.credit(60.0).await, house.credit(60.0).await);
    assert_eq!(attach(weir, &session, &first).await.status, 200);
    assert_eq!(found(&attach(weir, &session, &second).await), rejected("amount-exceeds-total"));
    gone(direct, &format!("{session}/sources/{first}")).await;
    assert_eq!(attach(weir, &session, &second).await.status, 200);

    // The primary that did not go with credit was replaced.
    let (session, trustly, card, credit) = (
        checkout().await,
        house.primary("trustly").await,
        house.card().await,
        house.credit(20.0).await,
    );
    assert_eq!(attach(weir, &session, &credit).await.status, 200);
    assert_eq!(found(&attach(weir, &session, &trustly).await), rejected("primary-pairing"));
    gone(direct, &format!("{session}/sources/{credit}")).await;
    assert_eq!(attach(weir, &session, &trustly).await.status, 200);
    assert_eq!(attach(weir, &session, &card).await.status, 200);

    // It was paid for.
    let session = checkout().await;
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(attach(direct, &session, &house.card().await).await.status, 200);
    ok(weir, "/orders", order(&session)).await;

    // The buyer was named.
    let (session, buyer) = (checkout().await, customer().await);
    let saved = house.card().await;
    assert_eq!(attach(weir, &buyer, &saved).await.status, 200);
    assert_eq!(attach(weir, &session, &saved).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("foreign-saved-source"))
    );
    ok(direct, &session, json!({ "customerId": buyer.trim_start_matches("/customers/") })).await;
    ok(weir, "/orders", order(&session)).await;

    // The default was saved.
    let card = house.card().await;
    let default = json!({ "defaultSourceId": card });
    assert_eq!(
        found(&weir.post(&buyer, default.clone()).await),
        rejected("default-source-not-saved")
    );
    assert_eq!(attach(direct, &buyer, &card).await.status, 200);
    ok(weir, &buyer, default).await;

    // The invoice bills otherwise.
    let mut body = items(100.0);
    body["billingOptimization"] = json!(true);
    let invoice = format!("/invoices/{}", ok(weir, "/invoices", body).await.id());
    let credit = house.credit(20.0).await;
    assert_eq!(
        found(&attach(weir, &invoice, &credit).await),
        rejected("invoice-billing-optimization")
    );
    ok(direct, &invoice, json!({ "billingOptimization": false })).await;
    assert_eq!(attach(weir, &invoice, &credit).await.status, 200);
}

#[tokio::test]
async fn what_changes_behind_weirs_back_is_never_held_against_a_shopper() {
    let house = House::new(doubting()).await;
    let apply = format!("{CART}/apply-payment-method");
    let submit = format!("{CART}/submit-cart");
    let shopper = house.shopper(100.0).await;
    let direct = shopper.to(&house.upstream);
    let (card, credit) = (house.card().await, house.credit(40.0).await);
    ok(&shopper, &apply, method(&card)).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("primary-before-secondary")
    );
    gone(&direct, &format!("{CART}/payment")).await;
    ok(&shopper, &apply, method(&credit)).await;
    assert_eq!(
        shopper.post(&submit, Value::Null).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    ok(&direct, &apply, method(&card)).await;
    ok(&shopper, &submit, Value::Null).await;
    // The shopper submitted elsewhere: another cart is the active one.
    let shopper = house.shopper(100.0).await;
    let direct = shopper.to(&house.upstream);
    ok(&shopper, &apply, method(&house.card().await)).await;
    ok(&direct, &submit, Value::Null).await;
    ok(&direct, &format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    ok(&shopper, &apply, method(&house.credit(40.0).await)).await;
    // A submit with the first cart funded is not taken for one of the second.
    assert_eq!(
        shopper.post(&submit, Value::Null).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(house.refused_upstream(), []);
}

/// Weir is the only way in, and believes what it has learned for ever: then it must have learned it
/// right.
#[tokio::test]
async fn what_changes_through_weir_is_never_held_against_anybody() {
    let house = House::new(trusting()).await;
    let weir = &house.weir;
    let checkout = || async { format!("/checkouts/{}", house.checkout(100.0).await) };
    let order = |session: &str| json!({ "checkoutId": session.trim_start_matches("/checkouts/") });
    let customer = || async {
        format!(
            "/customers/{}",
            ok(weir, "/customers", json!({ "email": "a@example.com" })).await.id()
        )
    };

    let (session, card, credit) = (checkout().await, house.card().await, house.credit(20.0).await);
    attach(weir, &session, &card).await;
    assert_eq!(
        found(&attach(weir, &session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    gone(weir, &format!("{session}/sources/{card}")).await;
    assert_eq!(attach(weir, &session, &credit).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(attach(weir, &session, &house.card().await).await.status, 200);
    ok(weir, "/orders", order(&session)).await;

    let (session, card, credit) = (checkout().await, house.card().await, house.credit(20.0).await);
    let buyer = customer().await;
    attach(weir, &session, &card).await;
    assert_eq!(attach(weir, &buyer, &card).await.status, 200);
    assert_eq!(attach(weir, &session, &credit).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("foreign-saved-source"))
    );
    ok(weir, &session, json!({ "customerId": buyer.trim_start_matches("/customers/") })).await;
    ok(weir, "/orders", order(&session)).await;
    // Saved sources are used again and again.
    let session = checkout().await;
    ok(
        weir,
        &session,
        json!({ "customerId": buyer.trim_start_matches("/customers/"), "sourceId": card }),
    )
    .await;
    gone(weir, &format!("{session}/sources/{card}")).await;
    assert_eq!(attach(weir, &session, &card).await.status, 200);
    ok(weir, "/orders", order(&session)).await;

    let (session, credit) = (checkout().await, house.credit(150.0).await);
    assert_eq!(found(&attach(weir, &session, &credit).await), rejected("amount-exceeds-total"));
    ok(weir, &session, items(200.0)).await;
    assert_eq!(attach(weir, &session, &credit).await.status, 200);
    let rest = house.credit(50.0).await;
    assert_eq!(attach(weir, &session, &rest).await.status, 200);
    gone(weir, &format!("{session}/sources/{rest}")).await;
    assert_eq!(attach(weir, &session, &house.credit(50.0).await).await.status, 200);
    ok(weir, "/orders", order(&session)).await;
    // A second order of one checkout is upstream's to refuse.
    let again = weir.post("/orders", order(&session)).await;
    assert_eq!(
        (again.status.as_u16(), again.verdict()),
        (400, ("forwarded", None)),
        "{}",
        again.text()
    );

    // A checkout that is gone is upstream's to refuse.
    let session = checkout().await;
    attach(weir, &session, &house.card().await).await;
    gone(weir, &session).await;
    let credit = house.credit(5.0).await;
    let (through, direct) =
        (attach(weir, &session, &credit).await, attach(&house.upstream, &session, &credit).await);
    assert_eq!((found(&through), &through.body), ((404, ("forwarded", None)), &direct.body));
}

#[tokio::test]
async fn what_changes_through_weir_is_never_held_against_a_shopper() {
    let house = House::new(trusting()).await;
    let apply = format!("{CART}/apply-payment-method");
    let submit = format!("{CART}/submit-cart");
    let shopper = house.shopper(100.0).await;
    // More to pay, told by an answer that shows nothing of it.
    let credit = house.credit(150.0).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("amount-exceeds-total")
    );
    ok(&shopper, &format!("{CART}?productId=q&quantity=1&price=100&fields=id"), Value::Null).await;
    ok(&shopper, &apply, method(&credit)).await;
    // And by a call that Weir does not follow.
    let line = shopper.get(CART).await.json()["cart"]["lineItems"]["lineItem"][0]["id"].to_string();
    ok(&shopper, &format!("{CART}/line-items/{}?quantity=3", line.trim_matches('"')), Value::Null)
        .await;
    ok(&shopper, &apply, method(&house.credit(250.0).await)).await;
    ok(&shopper, &submit, Value::Null).await;
    // The next cart is another one.
    assert_eq!(shopper.post(&submit, Value::Null).await.status, 409);
    ok(&shopper, &format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    let (card, credit) = (house.card().await, house.credit(40.0).await);
    ok(&shopper, &apply, method(&card)).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("primary-before-secondary")
    );
    gone(&shopper, &apply).await;
    ok(&shopper, &apply, method(&credit)).await;
    ok(&shopper, &apply, method(&card)).await;
    ok(&shopper, &submit, Value::Null).await;
    assert_eq!(house.emulator.snapshot()["lostCredits"], json!([]));
}

#[tokio::test]
async fn a_source_that_became_chargeable_by_itself_is_never_refused_on_what_it_was() {
    for word in ["redirect", "funds", "action"] {
        let house = House::new(trusting()).await;
        let card = magic(&house, word).await;
        let customer = format!(
            "/customers/{}",
            ok(&house.weir, "/customers", json!({ "email": "a@example.com" })).await.id()
        );
        assert_eq!(
            found(&attach(&house.weir, &customer, &card).await),
            rejected("save-not-chargeable"),
            "{word}"
        );
        let control =
            house.upstream.post(&format!("/_emulator/sources/{card}/authorize"), Value::Null).await;
        assert_eq!(control.status, 200);
        assert_eq!(attach(&house.weir, &customer, &card).await.status, 200, "{word}");
        // And as a payment option.
        let shopper = house.shopper(100.0).await;
        let card = magic(&house, word).await;
        let body = json!({ "paymentOption": { "sourceId": card } });
        let options = "/v1/shoppers/me/payment-options";
        assert_eq!(
            found(&shopper.post(options, body.clone()).await),
            rejected("save-not-chargeable"),
            "{word}"
        );
        assert!(house.emulator.authorize(&card));
        ok(&shopper, options, body).await;
    }
}

#[tokio::test]
async fn a_pending_primary_makes_an_order_valid() {
    for (word, policy) in
        [("redirect", trusting()), ("funds", doubting()), ("action", weir::dialects::policy())]
    {
        let house = House::new(policy).await;
        let session = house.checkout(100.0).await;
        assert_eq!(
            attach(&house.weir, &format!("/checkouts/{session}"), &magic(&house, word).await)
                .await
                .status,
            200
        );
        ok(&house.weir, "/orders", json!({ "checkoutId": session })).await;
    }
}

/// The ways in which upstream does not tell.
fn silences() -> [FaultKind; 7] {
    [
        FaultKind::FailBefore(500),
        FaultKind::FailBefore(503),
        FaultKind::ResetBefore,
        FaultKind::Garbage,
        FaultKind::CutBody,
        FaultKind::Redirect("/elsewhere".into()),
        FaultKind::TooManyRequests(7),
    ]
}

#[tokio::test]
async fn where_a_fact_cannot_be_had_the_policy_decides() {
    for fault in silences() {
        for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
            let policy = Policy { on_lookup_failure, ..weir::dialects::policy() };
            let mut house = House::new(policy.clone()).await;
            let session = format!("/checkouts/{}", house.checkout(100.0).await);
            let (card, credit) = (house.card().await, house.credit(20.0).await);
            attach(&house.weir, &session, &card).await;
            for unknown in ["/sources/*", "/checkouts/*"] {
                house.cold(policy.clone()).await;
                house.emulator.faults().clear();
                house.emulator.faults().add(Fault::always("GET", unknown, fault.clone()));
                let before = sent(&house);
                let reply = attach(&house.weir, &session, &credit).await;
                let at = format!("{fault:?} {unknown}");
                match on_lookup_failure {
                    OnLookupFailure::Forward => {
                        assert_eq!(
                            found(&reply),
                            (409, ("forwarded", None)),
                            "{at}: {}",
                            reply.text()
                        );
                        assert_eq!(
                            reply.json()["errors"][0]["code"],
                            "session_update_not_allowed",
                            "{at}"
                        );
                    }
                    OnLookupFailure::Reject => {
                        assert_eq!(
                            found(&reply),
                            (503, ("rejected", None)),
                            "{at}: {}",
                            reply.text()
                        );
                        assert_eq!(reply.json()["type"], "service_unavailable", "{at}");
                        assert!(reply.header("retry-after").is_some(), "{at}");
                        assert_eq!(sent(&house), before, "{at}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn upstream_that_asks_for_a_pause_is_not_hammered_with_look_ups() {
    let mut house = House::new(weir::dialects::policy()).await;
    let session = format!("/checkouts/{}", house.checkout(100.0).await);
    house.cold(weir::dialects::policy()).await;
    house.emulator.faults().add(Fault::always("GET", "*", FaultKind::TooManyRequests(30)));
    house.emulator.clear_calls();
    for _ in 0..5 {
        let card = house.card().await;
        let reply = attach(&house.weir, &session, &card).await;
        assert_eq!(
            (reply.status.as_u16(), reply.verdict().0),
            (200, "forwarded"),
            "{}",
            reply.text()
        );
    }
    assert_eq!(gets(&house).len(), 1, "{:?}", gets(&house));
    // A 429 to the caller's own call says the same.
    let mut house = House::new(weir::dialects::policy()).await;
    let session = format!("/checkouts/{}", house.checkout(100.0).await);
    house.cold(weir::dialects::policy()).await;
    house.emulator.faults().add(Fault::once(
        "POST",
        "/customers/*",
        FaultKind::TooManyRequests(30),
    ));
    let reply = house.weir.post("/customers/c", json!({ "defaultSourceId": null })).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("retry-after")),
        (429, Some("30")),
        "passed on"
    );
    house.emulator.clear_calls();
    attach(&house.weir, &session, &house.card().await).await;
    assert_eq!(gets(&house), [""; 0]);
}

/// Upstream has spoken: there is no such thing. Trying again will not help, and 503 would say so.
#[tokio::test]
async fn what_does_not_exist_is_upstreams_to_say_whatever_the_policy() {
    for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
        let house = House::new(Policy { on_lookup_failure, ..weir::dialects::policy() }).await;
        let session = format!("/checkouts/{}", house.checkout(100.0).await);
        attach(&house.weir, &session, &house.card().await).await;
        let mut create = items(10.0);
        create["sourceId"] = json!("nosuchsource");
        let customer = format!(
            "/customers/{}",
            ok(&house.weir, "/customers", json!({ "email": "a@example.com" })).await.id()
        );
        for (path, body) in [
            (format!("{session}/sources/nosuchsource"), Value::Null),
            (session.clone(), json!({ "sourceId": "nosuchsource" })),
            ("/checkouts".to_owned(), create),
            ("/checkouts/nosuchcheckout/sources/nosuchsource".to_owned(), Value::Null),
            (format!("{customer}/sources/nosuchsource"), Value::Null),
            ("/customers/nosuchcustomer".to_owned(), json!({ "defaultSourceId": "nosuchsource" })),
            ("/sources/nosuchsource".to_owned(), json!({ "amount": 5 })),
            ("/orders".to_owned(), json!({ "checkoutId": "nosuchcheckout" })),
        ] {
            let through = house.weir.post(&path, body.clone()).await;
            let direct = house.upstream.post(&path, body).await;
            // An order's look-up is of the checkout: the same 404, about another parameter.
            if path != "/orders" {
                assert_eq!(
                    (through.status, through.text()),
                    (direct.status, direct.text()),
                    "{path} {on_lookup_failure:?}"
                );
            }
            assert_eq!(
                (through.status.as_u16(), through.verdict()),
                (404, ("forwarded", None)),
                "{path} {on_lookup_failure:?}"
            );
        }
    }
}

#[tokio::test]
async fn sources_shown_whole_or_in_part_and_amounts_as_text_teach_the_same() {
    for options in [
        Options { whole_sources: true, ..Options::default() },
        Options { cart_amounts_as_strings: true, ..Options::default() },
        Options { gzip: false, ..Options::default() },
        Options { version: "2020-12-17".into(), ..Options::default() },
    ] {
        for policy in [trusting(), doubting()] {
            let house = House::with(policy, Options { seed: Some(1), ..options.clone() }).await;
            let session = format!("/checkouts/{}", house.checkout(100.0).await);
            assert_eq!(attach(&house.weir, &session, &house.credit(60.0).await).await.status, 200);
            let more = house.credit(40.01).await;
            assert_eq!(
                found(&attach(&house.weir, &session, &more).await),
                rejected("amount-exceeds-total")
            );
            assert_eq!(attach(&house.weir, &session, &house.card().await).await.status, 200);
            let late = house.credit(1.0).await;
            assert_eq!(
                found(&attach(&house.weir, &session, &late).await),
                rejected("secondary-after-single-use-primary")
            );
            ok(
                &house.weir,
                "/orders",
                json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
            )
            .await;

            let shopper = house.shopper(100.0).await;
            for xml in [false, true] {
                let shopper =
                    if xml { shopper.with("accept", "application/xml") } else { shopper.clone() };
                let apply = format!("{CART}/apply-payment-method");
                ok(&shopper, &apply, method(&house.credit(60.0).await)).await;
                let more = shopper.post(&apply, method(&house.credit(40.01).await)).await;
                assert_eq!(found(&more), rejected("amount-exceeds-total"), "{}", more.text());
                ok(&shopper, &apply, method(&house.card().await)).await;
                let late = shopper.post(&apply, method(&house.credit(1.0).await)).await;
                assert_eq!(found(&late), rejected("primary-before-secondary"));
                ok(&shopper, &format!("{CART}/submit-cart"), Value::Null).await;
                ok(&shopper, &format!("{CART}?productId=p&quantity=1&price=100"), Value::Null)
                    .await;
            }
            assert_eq!(house.refused_upstream(), []);
        }
    }
}

/// A replaced primary is spent if it was single-use; a rule that would have kept it is the
/// operator's choice.
#[tokio::test]
async fn a_replaced_primary_is_followed_by_path_and_by_body() {
    for by_body in [false, true] {
        let mut policy = trusting();
        policy.set(RuleId::SecondPrimary, Toggle::Off);
        let house = House::new(policy).await;
        let session = format!("/checkouts/{}", house.checkout(100.0).await);
        let (first, second) = (house.card().await, house.card().await);
        for card in [&first, &second] {
            let reply = match by_body {
                true => house.weir.post(&session, json!({ "sourceId": card })).await,
                false => attach(&house.weir, &session, card).await,
            };
            assert_eq!(reply.status, 200);
        }
        let back = attach(&house.weir, &session, &first).await;
        assert_eq!(found(&back), rejected("spent-source"));
        let deleted =
            house.weir.send(Method::DELETE, &format!("{session}/sources/{first}"), "").await;
        assert_eq!((deleted.status.as_u16(), deleted.verdict()), (404, ("forwarded", None)));
        ok(
            &house.weir,
            "/orders",
            json!({ "checkoutId": session.trim_start_matches("/checkouts/") }),
        )
        .await;
    }
}

#[tokio::test]
async fn a_credit_after_a_primary_attached_past_weir_is_not_lost() {
    let house = House::new(doubting()).await;
    let shopper = house.shopper(100.0).await;
    let (first, second, card) =
        (house.credit(10.0).await, house.credit(20.0).await, house.card().await);
    let apply = format!("{CART}/apply-payment-method");
    ok(&shopper, &apply, method(&first)).await;
    let past_weir = shopper.to(&house.upstream);
    ok(&past_weir, &apply, method(&card)).await;
    // Upstream would take it, and lose it at submit.
    assert_eq!(
        found(&shopper.post(&apply, method(&second)).await),
        rejected("primary-before-secondary")
    );
}
