//! Where the truth is: what is learned, what is looked up and how often, and that nothing is
//! refused which upstream would take.

use crate::testbed::{
    Adjusted, CART, EmulatorOptions, Fault, FaultKind, Gate, OnLookupFailure, PUBLIC, Reply,
    RuleId, Testbed, Toggle, defaults, doubting, items, method, thorough, trusting,
};
use http::Method;
use serde_json::{Value, json};

fn gets(bed: &Testbed) -> Vec<String> {
    let calls = bed.emulator.calls().into_iter();
    calls.filter(|call| call.method == "GET").map(|call| call.target).collect()
}

fn sent(bed: &Testbed) -> usize {
    bed.emulator.calls().iter().filter(|call| call.mutation).count()
}

async fn magic(bed: &Testbed, word: &str) -> String {
    let body = json!({ "type": "creditCard", "creditCard": {}, "upstreamId": word });
    bed.upstream.key(PUBLIC).post("/sources", body).await.id()
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
        let mut bed = Testbed::new().policy(trusting()).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
        bed.cold(trusting()).await;
        let reader = bed.weir.with("accept-encoding", encoding);
        for path in [session.clone(), format!("/sources/{card}"), format!("/sources/{credit}")] {
            let read = reader.get(&path).await;
            assert_eq!(
                (read.status.as_u16(), read.header("content-encoding").unwrap_or("identity")),
                (200, encoding)
            );
            assert_eq!(
                read.body,
                bed.upstream.with("accept-encoding", encoding).get(&path).await.body,
                "the bytes are upstream's"
            );
        }
        bed.emulator.clear_calls();
        let refused = bed.weir.attach(&session, &credit).await;
        assert_eq!(found(&refused), rejected("secondary-after-single-use-primary"));
        assert_eq!(gets(&bed), [""; 0]);
    }
}

#[tokio::test]
async fn a_purchase_through_weir_needs_no_look_up_but_of_what_the_browser_made() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (credit, card) = (bed.credit(20.0).await, bed.card().await);
    assert_eq!(bed.weir.attach(&session, &credit).await.status, 200);
    assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
    bed.weir
        .ok("/orders", json!({ "checkoutId": session.trim_start_matches("/checkouts/") }))
        .await;
    assert_eq!(gets(&bed), [format!("/sources/{card}")]);
}

#[tokio::test]
async fn a_filtered_answer_teaches_only_what_it_shows() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let shopper = bed.shopper(100.0).await;
    let card = bed.card().await;
    let apply = format!("{CART}/apply-payment-method");
    shopper.ok(&apply, method(&card)).await;
    // It shows nothing attached, and does not mean it.
    let read = shopper.get(&format!("{CART}?fields=id")).await;
    assert_eq!(read.json()["cart"]["paymentMethod"], Value::Null, "{}", read.text());
    let refused = shopper.post(&apply, method(&bed.credit(20.0).await)).await;
    assert_eq!(found(&refused), rejected("primary-before-secondary"));
}

#[tokio::test]
async fn what_callers_miss_at_once_is_looked_up_once() {
    let bed = Testbed::new().policy(thorough()).start().await;
    let mut sessions = Vec::new();
    for _ in 0..8 {
        sessions.push(format!("/checkouts/{}", bed.checkout(100.0).await));
    }
    let card = bed.card().await;
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::always(
        "GET",
        &format!("/sources/{card}"),
        FaultKind::HoldBefore(gate.clone()),
    ));
    bed.emulator.clear_calls();
    let calls = sessions.into_iter().map(|session| {
        let (weir, card) = (bed.weir.clone(), card.clone());
        tokio::spawn(async move { weir.attach(&session, &card).await })
    });
    let calls: Vec<_> = calls.collect();
    gate.arrived().await;
    while bed.turns_open() < 8 {
        tokio::task::yield_now().await;
    }
    gate.open();
    for call in calls {
        assert_eq!(call.await.unwrap().status, 200);
    }
    assert_eq!(gets(&bed), [format!("/sources/{card}")]);
}

/// Kind: what changes an answer is part of what a shared look-up is known by.
#[tokio::test]
async fn what_callers_miss_in_another_form_is_looked_up_for_each() {
    let others = [("digitalriver-version", "2021-02-23"), ("accept-language", "de")];
    for (header, value) in others.into_iter().chain([("cookie", "site=2")]) {
        let bed = Testbed::new().policy(thorough()).start().await;
        let card = bed.card().await;
        let path = format!("/sources/{card}");
        let gates = [Gate::new(), Gate::new()];
        for (nth, gate) in gates.iter().enumerate() {
            let held = FaultKind::HoldBefore(gate.clone());
            let nth = nth as u64 + 1;
            bed.emulator.faults().add(Fault::once("GET", &path, held).from_nth(nth));
        }
        let mut calls = Vec::new();
        for (caller, gate) in [bed.weir.clone(), bed.weir.with(header, value)].iter().zip(&gates) {
            let (caller, card) = (caller.clone(), card.clone());
            let session = format!("/checkouts/{}", bed.checkout(100.0).await);
            calls.push(tokio::spawn(async move { caller.attach(&session, &card).await }));
            // Both look-ups are upstream at once.
            gate.arrived().await;
        }
        gates.iter().for_each(Gate::open);
        for call in calls {
            assert_eq!(call.await.unwrap().status, 200, "{header}");
        }
        let asked = gets(&bed);
        assert_eq!(asked.iter().filter(|asked| **asked == path).count(), 2, "{header}: {asked:?}");
    }
}

/// One change that Weir does not see, and a call that a rule would refuse if the change had not
/// been.
#[tokio::test]
async fn what_changes_behind_weirs_back_is_never_held_against_anybody() {
    let bed = Testbed::new().policy(doubting()).start().await;
    let (weir, direct) = (&bed.weir, &bed.upstream);
    let checkout = || async { format!("/checkouts/{}", bed.checkout(100.0).await) };
    let order = |session: &str| json!({ "checkoutId": session.trim_start_matches("/checkouts/") });
    let customer = || async {
        format!(
            "/customers/{}",
            weir.ok("/customers", json!({ "email": "a@example.com" })).await.id()
        )
    };

    // The single-use card was detached.
    let (session, card, credit) = (checkout().await, bed.card().await, bed.credit(20.0).await);
    assert_eq!(weir.attach(&session, &card).await.status, 200);
    assert_eq!(
        found(&weir.attach(&session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    direct.gone(&format!("{session}/sources/{card}")).await;
    assert_eq!(weir.attach(&session, &credit).await.status, 200);

    // It was saved: reusable now.
    let (session, card, credit) = (checkout().await, bed.card().await, bed.credit(20.0).await);
    let buyer = customer().await;
    assert_eq!(weir.attach(&session, &card).await.status, 200);
    assert_eq!(
        found(&weir.attach(&session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    assert_eq!(direct.attach(&buyer, &card).await.status, 200);
    assert_eq!(weir.attach(&session, &credit).await.status, 200);

    // There is more to pay.
    let (session, credit) = (checkout().await, bed.credit(150.0).await);
    assert_eq!(found(&weir.attach(&session, &credit).await), rejected("amount-exceeds-total"));
    direct.ok(&session, items(200.0)).await;
    assert_eq!(weir.attach(&session, &credit).await.status, 200);

    // The credit before was detached.
    let (session, first, second) =
        (checkout().await, bed.credit(60.0).await, bed.credit(60.0).await);
    assert_eq!(weir.attach(&session, &first).await.status, 200);
    assert_eq!(found(&weir.attach(&session, &second).await), rejected("amount-exceeds-total"));
    direct.gone(&format!("{session}/sources/{first}")).await;
    assert_eq!(weir.attach(&session, &second).await.status, 200);

    // The primary that did not go with credit was replaced.
    let (session, trustly, card, credit) =
        (checkout().await, bed.primary("trustly").await, bed.card().await, bed.credit(20.0).await);
    assert_eq!(weir.attach(&session, &credit).await.status, 200);
    assert_eq!(found(&weir.attach(&session, &trustly).await), rejected("primary-pairing"));
    direct.gone(&format!("{session}/sources/{credit}")).await;
    assert_eq!(weir.attach(&session, &trustly).await.status, 200);
    assert_eq!(weir.attach(&session, &card).await.status, 200);

    // It was paid for.
    let session = checkout().await;
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(direct.attach(&session, &bed.card().await).await.status, 200);
    weir.ok("/orders", order(&session)).await;

    // The buyer was named.
    let (session, buyer) = (checkout().await, customer().await);
    let saved = bed.card().await;
    assert_eq!(weir.attach(&buyer, &saved).await.status, 200);
    assert_eq!(weir.attach(&session, &saved).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("foreign-saved-source"))
    );
    direct.ok(&session, json!({ "customerId": buyer.trim_start_matches("/customers/") })).await;
    weir.ok("/orders", order(&session)).await;

    // The default was saved.
    let card = bed.card().await;
    let default = json!({ "defaultSourceId": card });
    assert_eq!(
        found(&weir.post(&buyer, default.clone()).await),
        rejected("default-source-not-saved")
    );
    assert_eq!(direct.attach(&buyer, &card).await.status, 200);
    weir.ok(&buyer, default).await;

    // The invoice bills otherwise.
    let mut body = items(100.0);
    body["billingOptimization"] = json!(true);
    let invoice = format!("/invoices/{}", weir.ok("/invoices", body).await.id());
    let credit = bed.credit(20.0).await;
    assert_eq!(
        found(&weir.attach(&invoice, &credit).await),
        rejected("invoice-billing-optimization")
    );
    direct.ok(&invoice, json!({ "billingOptimization": false })).await;
    assert_eq!(weir.attach(&invoice, &credit).await.status, 200);
}

#[tokio::test]
async fn what_changes_behind_weirs_back_is_never_held_against_a_shopper() {
    let bed = Testbed::new().policy(doubting()).start().await;
    let apply = format!("{CART}/apply-payment-method");
    let submit = format!("{CART}/submit-cart");
    let shopper = bed.shopper(100.0).await;
    let direct = shopper.to(&bed.upstream);
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    shopper.ok(&apply, method(&card)).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("primary-before-secondary")
    );
    direct.gone(&format!("{CART}/payment")).await;
    shopper.ok(&apply, method(&credit)).await;
    assert_eq!(
        shopper.post(&submit, Value::Null).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    direct.ok(&apply, method(&card)).await;
    shopper.ok(&submit, Value::Null).await;
    // The shopper submitted elsewhere: another cart is the active one.
    let shopper = bed.shopper(100.0).await;
    let direct = shopper.to(&bed.upstream);
    shopper.ok(&apply, method(&bed.card().await)).await;
    direct.ok(&submit, Value::Null).await;
    direct.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    shopper.ok(&apply, method(&bed.credit(40.0).await)).await;
    // A submit with the first cart funded is not taken for one of the second.
    assert_eq!(
        shopper.post(&submit, Value::Null).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(bed.refused_upstream(), []);
}

/// Weir is the only way in, and believes what it has learned for ever: then it must have learned it
/// right.
#[tokio::test]
async fn what_changes_through_weir_is_never_held_against_anybody() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let weir = &bed.weir;
    let checkout = || async { format!("/checkouts/{}", bed.checkout(100.0).await) };
    let order = |session: &str| json!({ "checkoutId": session.trim_start_matches("/checkouts/") });
    let customer = || async {
        format!(
            "/customers/{}",
            weir.ok("/customers", json!({ "email": "a@example.com" })).await.id()
        )
    };

    let (session, card, credit) = (checkout().await, bed.card().await, bed.credit(20.0).await);
    weir.attach(&session, &card).await;
    assert_eq!(
        found(&weir.attach(&session, &credit).await),
        rejected("secondary-after-single-use-primary")
    );
    weir.gone(&format!("{session}/sources/{card}")).await;
    assert_eq!(weir.attach(&session, &credit).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("underfunded-order"))
    );
    assert_eq!(weir.attach(&session, &bed.card().await).await.status, 200);
    weir.ok("/orders", order(&session)).await;

    let (session, card, credit) = (checkout().await, bed.card().await, bed.credit(20.0).await);
    let buyer = customer().await;
    weir.attach(&session, &card).await;
    assert_eq!(weir.attach(&buyer, &card).await.status, 200);
    assert_eq!(weir.attach(&session, &credit).await.status, 200);
    assert_eq!(
        weir.post("/orders", order(&session)).await.verdict(),
        ("rejected", Some("foreign-saved-source"))
    );
    weir.ok(&session, json!({ "customerId": buyer.trim_start_matches("/customers/") })).await;
    weir.ok("/orders", order(&session)).await;
    // Saved sources are used again and again.
    let session = checkout().await;
    weir.ok(
        &session,
        json!({ "customerId": buyer.trim_start_matches("/customers/"), "sourceId": card }),
    )
    .await;
    weir.gone(&format!("{session}/sources/{card}")).await;
    assert_eq!(weir.attach(&session, &card).await.status, 200);
    weir.ok("/orders", order(&session)).await;

    let (session, credit) = (checkout().await, bed.credit(150.0).await);
    assert_eq!(found(&weir.attach(&session, &credit).await), rejected("amount-exceeds-total"));
    weir.ok(&session, items(200.0)).await;
    assert_eq!(weir.attach(&session, &credit).await.status, 200);
    let rest = bed.credit(50.0).await;
    assert_eq!(weir.attach(&session, &rest).await.status, 200);
    weir.gone(&format!("{session}/sources/{rest}")).await;
    assert_eq!(weir.attach(&session, &bed.credit(50.0).await).await.status, 200);
    weir.ok("/orders", order(&session)).await;
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
    weir.attach(&session, &bed.card().await).await;
    weir.gone(&session).await;
    let credit = bed.credit(5.0).await;
    let (through, direct) =
        (weir.attach(&session, &credit).await, bed.upstream.attach(&session, &credit).await);
    assert_eq!((found(&through), &through.body), ((404, ("forwarded", None)), &direct.body));
}

#[tokio::test]
async fn what_changes_through_weir_is_never_held_against_a_shopper() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let apply = format!("{CART}/apply-payment-method");
    let submit = format!("{CART}/submit-cart");
    let shopper = bed.shopper(100.0).await;
    // More to pay, told by an answer that shows nothing of it.
    let credit = bed.credit(150.0).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("amount-exceeds-total")
    );
    shopper.ok(&format!("{CART}?productId=q&quantity=1&price=100&fields=id"), Value::Null).await;
    shopper.ok(&apply, method(&credit)).await;
    // And by a call that Weir does not follow.
    let line = shopper.get(CART).await.json()["cart"]["lineItems"]["lineItem"][0]["id"].to_string();
    shopper
        .ok(&format!("{CART}/line-items/{}?quantity=3", line.trim_matches('"')), Value::Null)
        .await;
    shopper.ok(&apply, method(&bed.credit(250.0).await)).await;
    shopper.ok(&submit, Value::Null).await;
    // The next cart is another one.
    assert_eq!(shopper.post(&submit, Value::Null).await.status, 409);
    shopper.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    shopper.ok(&apply, method(&card)).await;
    assert_eq!(
        found(&shopper.post(&apply, method(&credit)).await),
        rejected("primary-before-secondary")
    );
    shopper.gone(&apply).await;
    shopper.ok(&apply, method(&credit)).await;
    shopper.ok(&apply, method(&card)).await;
    shopper.ok(&submit, Value::Null).await;
    assert_eq!(bed.emulator.snapshot()["lostCredits"], json!([]));
}

#[tokio::test]
async fn a_source_that_became_chargeable_by_itself_is_never_refused_on_what_it_was() {
    for word in ["redirect", "funds", "action"] {
        let bed = Testbed::new().policy(trusting()).start().await;
        let card = magic(&bed, word).await;
        let customer = format!(
            "/customers/{}",
            bed.weir.ok("/customers", json!({ "email": "a@example.com" })).await.id()
        );
        assert_eq!(
            found(&bed.weir.attach(&customer, &card).await),
            rejected("save-not-chargeable"),
            "{word}"
        );
        let control =
            bed.upstream.post(&format!("/_emulator/sources/{card}/authorize"), Value::Null).await;
        assert_eq!(control.status, 200);
        assert_eq!(bed.weir.attach(&customer, &card).await.status, 200, "{word}");
        // And as a payment option.
        let shopper = bed.shopper(100.0).await;
        let card = magic(&bed, word).await;
        let body = json!({ "paymentOption": { "sourceId": card } });
        let options = "/v1/shoppers/me/payment-options";
        assert_eq!(
            found(&shopper.post(options, body.clone()).await),
            rejected("save-not-chargeable"),
            "{word}"
        );
        assert!(bed.emulator.authorize(&card));
        shopper.ok(options, body).await;
    }
}

#[tokio::test]
async fn a_pending_primary_makes_an_order_valid() {
    for (word, policy) in [("redirect", trusting()), ("funds", doubting()), ("action", defaults())]
    {
        let bed = Testbed::new().policy(policy).start().await;
        let session = bed.checkout(100.0).await;
        assert_eq!(
            bed.weir
                .attach(&format!("/checkouts/{session}"), &magic(&bed, word).await)
                .await
                .status,
            200
        );
        bed.weir.ok("/orders", json!({ "checkoutId": session })).await;
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
            let policy = thorough().with_on_lookup_failure(on_lookup_failure);
            let mut bed = Testbed::new().policy(policy.clone()).start().await;
            let session = format!("/checkouts/{}", bed.checkout(100.0).await);
            let (card, credit) = (bed.card().await, bed.credit(20.0).await);
            bed.weir.attach(&session, &card).await;
            for unknown in ["/sources/*", "/checkouts/*"] {
                bed.cold(policy.clone()).await;
                bed.emulator.faults().clear();
                bed.emulator.faults().add(Fault::always("GET", unknown, fault.clone()));
                let before = sent(&bed);
                let reply = bed.weir.attach(&session, &credit).await;
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
                        assert_eq!(sent(&bed), before, "{at}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn upstream_that_asks_for_a_pause_is_not_hammered_with_look_ups() {
    let mut bed = Testbed::new().start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    bed.cold(defaults()).await;
    bed.emulator.faults().add(Fault::always("GET", "*", FaultKind::TooManyRequests(30)));
    bed.emulator.clear_calls();
    for _ in 0..5 {
        let card = bed.card().await;
        let reply = bed.weir.attach(&session, &card).await;
        assert_eq!(
            (reply.status.as_u16(), reply.verdict().0),
            (200, "forwarded"),
            "{}",
            reply.text()
        );
    }
    assert_eq!(gets(&bed).len(), 1, "{:?}", gets(&bed));
    // A 429 to the caller's own call says the same.
    let mut bed = Testbed::new().start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    bed.cold(defaults()).await;
    bed.emulator.faults().add(Fault::once("POST", "/customers/*", FaultKind::TooManyRequests(30)));
    let reply = bed.weir.post("/customers/c", json!({ "defaultSourceId": null })).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("retry-after")),
        (429, Some("30")),
        "passed on"
    );
    bed.emulator.clear_calls();
    bed.weir.attach(&session, &bed.card().await).await;
    assert_eq!(gets(&bed), [""; 0]);
}

/// Upstream has spoken: there is no such thing. Trying again will not help, and 503 would say so.
#[tokio::test]
async fn what_does_not_exist_is_upstreams_to_say_whatever_the_policy() {
    for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
        let bed = Testbed::new()
            .policy(defaults().with_on_lookup_failure(on_lookup_failure))
            .start()
            .await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        bed.weir.attach(&session, &bed.card().await).await;
        let mut create = items(10.0);
        create["sourceId"] = json!("nosuchsource");
        let customer = format!(
            "/customers/{}",
            bed.weir.ok("/customers", json!({ "email": "a@example.com" })).await.id()
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
            let through = bed.weir.post(&path, body.clone()).await;
            let direct = bed.upstream.post(&path, body).await;
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
        EmulatorOptions { whole_sources: true, ..EmulatorOptions::default() },
        EmulatorOptions { cart_amounts_as_strings: true, ..EmulatorOptions::default() },
        EmulatorOptions { gzip: false, ..EmulatorOptions::default() },
        EmulatorOptions { version: "2020-12-17".into(), ..EmulatorOptions::default() },
    ] {
        for policy in [trusting(), doubting()] {
            let bed = Testbed::new().policy(policy).emulator(options.clone()).start().await;
            let session = format!("/checkouts/{}", bed.checkout(100.0).await);
            assert_eq!(bed.weir.attach(&session, &bed.credit(60.0).await).await.status, 200);
            let more = bed.credit(40.01).await;
            assert_eq!(
                found(&bed.weir.attach(&session, &more).await),
                rejected("amount-exceeds-total")
            );
            assert_eq!(bed.weir.attach(&session, &bed.card().await).await.status, 200);
            let late = bed.credit(1.0).await;
            assert_eq!(
                found(&bed.weir.attach(&session, &late).await),
                rejected("secondary-after-single-use-primary")
            );
            bed.weir
                .ok("/orders", json!({ "checkoutId": session.trim_start_matches("/checkouts/") }))
                .await;

            let shopper = bed.shopper(100.0).await;
            for xml in [false, true] {
                let shopper =
                    if xml { shopper.with("accept", "application/xml") } else { shopper.clone() };
                let apply = format!("{CART}/apply-payment-method");
                shopper.ok(&apply, method(&bed.credit(60.0).await)).await;
                let more = shopper.post(&apply, method(&bed.credit(40.01).await)).await;
                assert_eq!(found(&more), rejected("amount-exceeds-total"), "{}", more.text());
                shopper.ok(&apply, method(&bed.card().await)).await;
                let late = shopper.post(&apply, method(&bed.credit(1.0).await)).await;
                assert_eq!(found(&late), rejected("primary-before-secondary"));
                shopper.ok(&format!("{CART}/submit-cart"), Value::Null).await;
                shopper.ok(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
            }
            assert_eq!(bed.refused_upstream(), []);
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
        let bed = Testbed::new().policy(policy).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (first, second) = (bed.card().await, bed.card().await);
        for card in [&first, &second] {
            let reply = match by_body {
                true => bed.weir.post(&session, json!({ "sourceId": card })).await,
                false => bed.weir.attach(&session, card).await,
            };
            assert_eq!(reply.status, 200);
        }
        let back = bed.weir.attach(&session, &first).await;
        assert_eq!(found(&back), rejected("spent-source"));
        let deleted =
            bed.weir.send(Method::DELETE, &format!("{session}/sources/{first}"), "").await;
        assert_eq!((deleted.status.as_u16(), deleted.verdict()), (404, ("forwarded", None)));
        bed.weir
            .ok("/orders", json!({ "checkoutId": session.trim_start_matches("/checkouts/") }))
            .await;
    }
}

#[tokio::test]
async fn a_credit_after_a_primary_attached_past_weir_is_not_lost() {
    let bed = Testbed::new().policy(doubting()).start().await;
    let shopper = bed.shopper(100.0).await;
    let (first, second, card) = (bed.credit(10.0).await, bed.credit(20.0).await, bed.card().await);
    let apply = format!("{CART}/apply-payment-method");
    shopper.ok(&apply, method(&first)).await;
    let past_weir = shopper.to(&bed.upstream);
    past_weir.ok(&apply, method(&card)).await;
    // Upstream would take it, and lose it at submit.
    assert_eq!(
        found(&shopper.post(&apply, method(&second)).await),
        rejected("primary-before-secondary")
    );
}
