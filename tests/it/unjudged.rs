//! What Weir says of itself where it could not judge, could not read, or could not do: the mark on
//! the answer, the decision, and the counts.

use crate::testbed::{
    APPLY, Adjusted, Admin, Ask, CART, Caller, Fault, FaultKind, GovernSettings, Mode, Policy,
    Reply, SUBMIT, Server, Testbed, credit, defaults, doubting, method, reorders, thorough,
    trusting,
};
use http::Request;
use serde_json::{Value, json};

/// What the admin address shows at this path.
async fn shown(bed: &Testbed, path: &str) -> Value {
    let admin = Admin::new(bed.governor().clone(), "{}".into());
    let request = Request::get(path).body(()).expect("a request");
    let body = admin.answer(&request).await.into_body();
    let whole = crate::testbed::collect(body, usize::MAX).await.expect("a body");
    serde_json::from_slice(&whole.bytes).expect("JSON")
}

/// The decision behind an answer.
async fn decision(bed: &Testbed, reply: &Reply) -> Value {
    let id = reply.header("weir-decision-id").expect("a decision");
    shown(bed, &format!("/decisions/{id}")).await
}

fn unjudged(reply: &Reply) -> Vec<&str> {
    reply.header("weir-unjudged").map_or_else(Vec::new, |rules| rules.split(", ").collect())
}

/// One member of upstream's answers in another form.
struct Drift {
    pointer: &'static str,
    to: fn() -> Value,
    noted: &'static str,
}

const fn drift(pointer: &'static str, to: fn() -> Value, noted: &'static str) -> Drift {
    Drift { pointer, to, noted }
}

const CART_DRIFTS: [Drift; 8] = [
    drift(
        "/cart/paymentSession/amountContributed",
        || json!(40.0),
        "paymentSession.amountContributed: a number",
    ),
    drift("/cart/pricing/orderTotal", || json!("100.00"), "pricing.orderTotal: a text"),
    drift("/cart/pricing", || json!(100), "pricing: a number"),
    drift(
        "/cart/paymentSession/amountRemainingToBeContributed/value",
        || json!(1e30),
        "paymentSession.amountRemainingToBeContributed.value: a number that is too large",
    ),
    drift("/cart/paymentSession/status", || json!({}), "paymentSession.status: an object"),
    drift("/cart/paymentSession", || json!([]), "paymentSession: a list"),
    drift(
        "/cart/paymentMethod/amountContributed",
        || json!("60"),
        "paymentMethod.amountContributed: a text",
    ),
    drift("/cart/paymentMethod/state", || json!(7), "paymentMethod.state: a number"),
];

fn bending(pointer: &'static str, to: fn() -> Value) -> impl Fn(&str, &mut Value) + Send + Sync {
    move |_, body| {
        if let Some(place) = body.pointer_mut(pointer) {
            *place = to();
        } else if let Some((parent, name)) = pointer.rsplit_once('/')
            && let Some(Value::Object(members)) = body.pointer_mut(parent)
        {
            members.insert(name.to_owned(), to());
        }
    }
}

#[tokio::test]
async fn a_member_of_an_unknown_form_costs_no_credit_of_a_cart() {
    for Drift { pointer, to, noted } in CART_DRIFTS {
        for policy in [thorough(), doubting()] {
            let mut bed = Testbed::new().policy(policy).in_process();
            bed.bend(bending(pointer, to));
            let shopper = bed.shopper(100.0).await;
            let (card, credit) = (bed.card().await, bed.credit(40.0).await);
            let first = shopper.post(APPLY, method(&card)).await;
            assert_eq!(first.status, 200, "{pointer}");
            let unread = decision(&bed, &first).await["unread"].clone();
            assert!(unread.as_array().unwrap().contains(&json!(noted)), "{pointer}: {unread}");
            let late = shopper.post(APPLY, method(&credit)).await;
            assert_eq!(
                late.found(),
                (409, ("rejected", Some("primary-before-secondary"))),
                "{pointer}: {}",
                late.text()
            );
            assert_eq!(unjudged(&late), [""; 0], "{pointer}");
            let counted = &shown(&bed, "/stats").await["unread_members"][noted];
            assert!(counted.as_u64() > Some(0), "{pointer}: {counted}");
        }
    }
}

#[tokio::test]
async fn what_a_rule_needs_and_cannot_read_is_marked() {
    for mode in [Mode::Enforce, Mode::Monitor] {
        let mut bed = Testbed::new().policy(defaults().with_mode(mode)).in_process();
        bed.bend(|_, body| {
            if body["type"] == "creditCard" {
                body["reusable"] = json!("no");
            }
        });
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
        let late = bed.weir.attach(&session, &credit).await;
        let rule = "secondary-after-single-use-primary";
        let verdict = match mode {
            Mode::Monitor => ("monitored", Some(rule)),
            _ => ("forwarded", None),
        };
        assert_eq!(late.found(), (409, verdict), "upstream judges: {}", late.text());
        assert_eq!(unjudged(&late), [rule]);
        let decision = decision(&bed, &late).await;
        let missing = format!("reusable of source {card} not told");
        assert_eq!(decision["unjudged"], json!([{ "rule": rule, "missing": missing }]));
        assert_eq!(decision["unread"], json!(["reusable: a text that is no flag"]));
        assert_eq!(decision["upstream_code"], json!("session_update_not_allowed"));
        assert_eq!(shown(&bed, "/stats").await["unjudged"], json!({ rule: 1 }));
    }
}

#[tokio::test]
async fn a_look_up_that_failed_marks_the_rules_that_needed_it_in_every_mode() {
    for mode in [Mode::Enforce, Mode::Monitor] {
        let bed = Testbed::new().policy(trusting().with_mode(mode)).in_process();
        let shopper = bed.shopper(100.0).await;
        let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
        assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
        let path = format!("/sources/{credit}");
        bed.emulator.faults().add(Fault::once("GET", &path, FaultKind::FailBefore(503)));
        let late = shopper.post(APPLY, method(&credit)).await;
        // The answer shows it after all, and the rule reports.
        let reported = ("monitored", Some("primary-before-secondary"));
        assert_eq!(late.found(), (200, reported), "{}", late.text());
        let rules = unjudged(&late);
        assert!(rules.contains(&"primary-before-secondary"), "{rules:?}");
        let decision = decision(&bed, &late).await;
        let missing = format!("the look-up of source {credit} failed");
        for one in decision["unjudged"].as_array().unwrap() {
            assert_eq!(one["missing"], json!(missing), "{mode:?}");
        }
        let counted = shown(&bed, "/stats").await["unjudged"]["primary-before-secondary"].clone();
        assert_eq!(counted, json!(1), "{mode:?}");
        let step = &decision["steps"][0];
        assert_eq!((&step["end"], &step["status"]), (&json!("answered"), &json!(503)));
    }
}

/// The rules do not speak of what no session or source of the call is about.
#[tokio::test]
async fn a_purchase_in_the_right_order_bears_no_mark() {
    let bed = Testbed::new().in_process();
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    let shopper = bed.shopper(100.0).await;
    let (for_cart, also) = (bed.card().await, bed.credit(20.0).await);
    for reply in [
        bed.weir.attach(&session, &credit).await,
        bed.weir.attach(&session, &card).await,
        bed.weir.order(&session).await,
        shopper.post(APPLY, method(&also)).await,
        shopper.post(APPLY, method(&for_cart)).await,
        shopper.post(SUBMIT, Value::Null).await,
    ] {
        assert!(reply.status.is_success(), "{}", reply.text());
        assert_eq!(unjudged(&reply), [""; 0], "{}", reply.text());
        let decision = decision(&bed, &reply).await;
        assert_eq!((&decision["unjudged"], &decision["unread"]), (&json!([]), &json!([])));
        assert_eq!((&decision["reason"], &decision["upstream_code"]), (&json!(null), &json!(null)));
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_at_all_is_named_and_is_no_missing_answer() {
    let bed = Testbed::new().policy(trusting()).in_process();
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.credit(40.0).await);
    assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
    bed.emulator.faults().add(Fault::once("POST", APPLY, FaultKind::Garbage));
    let garbled = shopper.post(APPLY, method(&card)).await;
    let found = decision(&bed, &garbled).await;
    assert_eq!(found["unread"], json!(["the answer: it is not in UTF-8"]));
    bed.emulator.faults().add(Fault::once("GET", CART, FaultKind::Garbage));
    let late = shopper.post(APPLY, method(&credit)).await;
    let found = decision(&bed, &late).await;
    let step = &found["steps"][0];
    assert_eq!(
        (&step["what"], &step["end"], &step["status"]),
        (&json!("look up the session"), &json!("unreadable"), &json!(200)),
        "{found}"
    );
}

/// How a look-up may fail, and what the step says.
#[tokio::test]
async fn a_step_tells_how_it_ended() {
    for (fault, end, status) in [
        (Some(FaultKind::FailBefore(500)), "answered", json!(500)),
        (Some(FaultKind::ResetBefore), "unanswered", json!(null)),
        (Some(FaultKind::Garbage), "unreadable", json!(200)),
        (Some(FaultKind::TooManyRequests(60)), "answered", json!(429)),
        (None, "answered", json!(200)),
    ] {
        let bed = Testbed::new().policy(trusting()).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.upstream.attach(&session, &credit).await.status, 200);
        let paused = matches!(fault, Some(FaultKind::TooManyRequests(_)));
        if let Some(kind) = fault.clone() {
            let path = format!("/sources/{card}");
            bed.emulator.faults().add(Fault::once("GET", &path, kind));
        }
        let attached = bed.weir.attach(&session, &card).await;
        let steps = decision(&bed, &attached).await["steps"].clone();
        let what = format!("look up source {card}");
        let of_card = steps.as_array().unwrap().iter().find(|step| step["what"] == json!(what));
        let expected = json!({ "what": what, "end": end, "status": status });
        assert_eq!(of_card, Some(&expected), "{fault:?}: {steps}");
        if paused {
            let next = bed.weir.attach(&session, &bed.card().await).await;
            let steps = decision(&bed, &next).await["steps"].clone();
            let unasked = |step: &Value| step["end"] == json!("unasked");
            assert!(steps.as_array().unwrap().iter().any(unasked), "{steps}");
        }
    }
}

#[tokio::test]
async fn a_call_without_an_answer_has_failed_and_says_why() {
    for (fault, status, reason) in
        [(FaultKind::ResetBefore, 502, "bad_gateway"), (FaultKind::CutBody, 502, "bad_gateway")]
    {
        let bed = Testbed::new().policy(trusting()).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let card = bed.card().await;
        let path = format!("{session}/sources/{card}");
        bed.emulator.faults().add(Fault::once("POST", &path, fault.clone()));
        let failed = bed.weir.attach(&session, &card).await;
        assert_eq!(failed.found(), (status, ("failed", None)), "{fault:?}");
        assert_eq!(failed.header("weir-reason"), Some(reason), "{fault:?}");
        let decision = decision(&bed, &failed).await;
        assert_eq!(
            (&decision["decision"], &decision["reason"]),
            (&json!("failed"), &json!(reason))
        );
        assert_eq!(shown(&bed, "/stats").await["reasons"], json!({ reason: 1 }), "{fault:?}");
    }
}

#[tokio::test]
async fn a_repair_that_did_not_succeed_has_failed_and_says_how() {
    for (fault, status, reason) in [
        (Fault::once("POST", APPLY, FaultKind::FailBefore(409)), 409, "repair_failed"),
        (Fault::always("POST", APPLY, FaultKind::FailBefore(409)), 502, "repair_incomplete"),
    ] {
        let bed = Testbed::new().policy(reorders()).in_process();
        let shopper = bed.shopper(100.0).await;
        let (card, credit) = (bed.card().await, bed.credit(40.0).await);
        assert_eq!(shopper.post(APPLY, method(&card)).await.status, 200);
        bed.emulator.faults().add(fault);
        let failed = shopper.post(APPLY, method(&credit)).await;
        let verdict = ("failed", Some("primary-before-secondary"));
        assert_eq!(failed.found(), (status, verdict), "{}", failed.text());
        assert_eq!(failed.header("weir-reason"), Some(reason));
        assert_eq!(shown(&bed, "/stats").await["reasons"], json!({ reason: 1 }));
    }
}

#[tokio::test]
async fn where_nothing_was_sent_the_reason_says_so() {
    let plan = Testbed::new().policy(trusting());
    let bed = plan.clone().start().await;
    // A port on which nobody listens any more.
    let gone = Server::start(|listener, _| async move { drop(listener) }).await;
    let governor = plan.governor();
    let weir = Server::of_weir(governor, gone.address).await;
    let created = bed.weir.at(weir.address).post("/sources", credit(5)).await;
    assert_eq!(created.found(), (502, ("failed", None)));
    assert_eq!(created.header("weir-reason"), Some("upstream_unreachable"));
}

#[tokio::test]
async fn a_refusal_that_is_no_rules_says_why() {
    let settings = GovernSettings { governed_body: 64, ..GovernSettings::default() };
    let bed = Testbed::new().govern(settings).in_process();
    let large = bed.weir.post("/checkouts", json!({ "email": "x".repeat(100) })).await;
    assert_eq!(large.found(), (413, ("rejected", None)));
    assert_eq!(large.header("weir-reason"), Some("request_too_large"));
    assert_eq!(decision(&bed, &large).await["reason"], json!("request_too_large"));
    assert_eq!(shown(&bed, "/stats").await["reasons"], json!({ "request_too_large": 1 }));
}

/// Under `monitor` a call that cannot be read goes up, and the roll-out sees that nothing judged
/// it.
#[tokio::test]
async fn a_call_that_is_sent_on_unread_is_marked() {
    let settings = GovernSettings { governed_body: 64, ..GovernSettings::default() };
    let policy: Policy = defaults().with_mode(Mode::Monitor);
    let bed = Testbed::new().govern(settings).policy(policy).in_process();
    let mut body = crate::testbed::items(5.0);
    body["email"] = json!(format!("{}@example.com", "x".repeat(100)));
    let sent = bed.weir.post("/checkouts", body).await;
    assert_eq!(sent.found(), (201, ("forwarded", None)), "{}", sent.text());
    assert!(unjudged(&sent).contains(&"secondary-after-single-use-primary"));
    let decision = decision(&bed, &sent).await;
    assert_eq!(decision["unjudged"][0]["missing"], json!("the call was not judged"));
}

#[tokio::test]
async fn a_decision_names_what_one_searches_for() {
    let bed = Testbed::new().in_process();
    // The session of a call that upstream denies.
    for (caller, status) in [(bed.weir.clone(), 404), (bed.weir.key("Bearer nonsense"), 401)] {
        let lost = caller.attach("/checkouts/123", "s").await;
        let found = decision(&bed, &lost).await;
        assert_eq!((lost.status.as_u16(), &found["session"]), (status, &json!("checkout 123")));
        assert!(found["upstream_code"].is_string(), "{found}");
        let read = caller.get("/checkouts/123").await;
        assert_eq!(decision(&bed, &read).await["session"], json!("checkout 123"));
    }
    // The new source, and the order.
    let created = bed.weir.post("/sources", credit(20)).await;
    assert_eq!(decision(&bed, &created).await["source"], json!(created.id()));
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    assert_eq!(bed.weir.attach(&session, &bed.card().await).await.status, 200);
    let order = bed.weir.order(&session).await;
    assert_eq!(decision(&bed, &order).await["order"], json!(order.id()));
    let shopper: Caller = bed.shopper(100.0).await;
    assert_eq!(shopper.post(APPLY, method(&bed.card().await)).await.status, 200);
    let submitted = shopper.post(SUBMIT, Value::Null).await;
    let id = submitted.json()["submitCart"]["order"]["id"].to_string();
    assert_eq!(decision(&bed, &submitted).await["order"], json!(id.trim_matches('"')));
    // Upstream's code, in both forms of carts.
    let empty = shopper.post(SUBMIT, Value::Null).await;
    let in_xml = shopper.with("accept", "application/xml").post(SUBMIT, Value::Null).await;
    for refused in [&empty, &in_xml] {
        assert!(refused.status.is_client_error(), "{}", refused.text());
        if refused.verdict().0 == "forwarded" {
            let found = decision(&bed, refused).await;
            assert!(found["upstream_code"].is_string(), "{found}");
        }
    }
}

/// Takes away from a cart what each of its sources contributes, and the total.
fn without_figures(_: &str, body: &mut Value) {
    for of in ["/cart/paymentMethod", "/cart/paymentSession"] {
        if let Some(Value::Object(members)) = body.pointer_mut(of) {
            members.remove("amountContributed");
        }
    }
    if let Some(Value::Object(cart)) = body.pointer_mut("/cart") {
        cart.remove("pricing");
    }
}

/// Kind: a call that ends in no known way, and that puts no two sources into another order.
#[tokio::test]
async fn credit_that_was_seen_to_come_late_stays_late_after_calls_of_no_known_end() {
    for nth in 0..2 {
        let mut bed = Testbed::new().policy(doubting()).in_process();
        bed.bend(without_figures);
        bed.quirks(json!({ "deny-shopper-reads": true })).await;
        let shopper = bed.shopper(100.0).await;
        let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
        for source in [&card, &credit] {
            assert_eq!(shopper.post(APPLY, method(source)).await.status, 200);
        }
        let ask = match nth {
            0 => Ask::post(format!("{CART}/billing-address"), json!({ "city": "Berlin" })),
            _ => Ask::delete(APPLY, method(&card)),
        };
        let fault = Fault::once(ask.method.as_str(), &ask.path, FaultKind::FailBefore(503));
        bed.emulator.faults().add(fault);
        assert_eq!(shopper.ask(&ask).await.status, 503);
        let submitted = shopper.post(SUBMIT, Value::Null).await;
        let lost = (409, ("rejected", Some("lost-credit")));
        assert_eq!(submitted.found(), lost, "{}: {}", ask.path, submitted.text());
    }
}

/// Kind: what is missing is told in words on which somebody can act.
#[tokio::test]
async fn a_cart_whose_order_of_attachment_is_not_known_says_so_and_says_what_to_do() {
    let mut bed = Testbed::new().in_process();
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    let past = shopper.to(&bed.upstream);
    for source in [&credit, &card] {
        assert_eq!(past.post(APPLY, method(source)).await.status, 200);
    }
    bed.forget().await;
    bed.bend(without_figures);
    let submitted = shopper.to(&bed.weir).post(SUBMIT, Value::Null).await;
    assert_eq!(submitted.found(), (200, ("forwarded", None)), "{}", submitted.text());
    assert_eq!(unjudged(&submitted), ["lost-credit"]);
    let missing = format!(
        "the order of attachment is not known: secondary {credit} may have joined after the \
         primary {card}; detach the primary and attach it again before the order"
    );
    let decision = decision(&bed, &submitted).await;
    assert_eq!(decision["unjudged"], json!([{ "rule": "lost-credit", "missing": missing }]));
}

/// Kind: a member that is not told, where another one says the same.
#[tokio::test]
async fn a_supplementary_method_without_a_type_is_store_credit() {
    let mut bed = Testbed::new().in_process();
    let shopper = bed.shopper(100.0).await;
    let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
    let past = shopper.to(&bed.upstream);
    for source in [&card, &credit] {
        assert_eq!(past.post(APPLY, method(source)).await.status, 200);
    }
    bed.quirks(json!({ "deny-shopper-reads": true })).await;
    bed.forget().await;
    bed.bend(|_, body| {
        let more = body.pointer_mut("/cart/paymentMethod/supplementaryPaymentMethods");
        for one in more.and_then(Value::as_array_mut).into_iter().flatten() {
            one.as_object_mut().expect("a method").remove("type");
        }
    });
    let submitted = shopper.to(&bed.weir).post(SUBMIT, Value::Null).await;
    let lost = (409, ("rejected", Some("lost-credit")));
    assert_eq!(submitted.found(), lost, "{}", submitted.text());
}

/// Kind: a rule that reports, and a fact that is not worth asking for. Upstream's refusal tells.
#[tokio::test]
async fn what_upstream_refuses_itself_is_reported_by_the_rule_that_monitors_it() {
    for mode in [Mode::Monitor, Mode::Enforce] {
        let bed = Testbed::new().policy(defaults().with_mode(mode)).in_process();
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.upstream.credit(40.0).await);
        let (spent, poor) = (bed.card().await, bed.upstream.credit(900.0).await);
        assert_eq!(bed.upstream.attach(&session, &card).await.status, 200);
        let other = format!("/checkouts/{}", bed.checkout(100.0).await);
        assert_eq!(bed.upstream.attach(&other, &spent).await.status, 200);
        let detach = format!("{other}/sources/{spent}");
        assert_eq!(bed.upstream.delete(&detach).await.status, 204);
        // Weir has seen neither checkout, and asks for nothing.
        let mut bed = bed;
        bed.forget().await;
        bed.emulator.clear_calls();
        let late = bed.weir.attach(&session, &credit).await;
        let again = bed.weir.attach(&other, &spent).await;
        assert_eq!(bed.emulator.calls().len(), 2, "one call each");
        let shopper = bed.shopper(100.0).await;
        let too_much = shopper.post(APPLY, method(&poor)).await;
        let missing = bed.weir.attach("/checkouts/nobody", &credit).await;
        assert_eq!(missing.found(), (404, ("forwarded", None)));
        for (reply, rule) in [
            (late, "secondary-after-single-use-primary"),
            (again, "spent-source"),
            (too_much, "amount-exceeds-total"),
        ] {
            let found = decision(&bed, &reply).await;
            if mode == Mode::Enforce {
                assert_ne!(reply.verdict().0, "monitored", "{rule}");
                continue;
            }
            assert_eq!(reply.found(), (409, ("monitored", Some(rule))), "{}", reply.text());
            let code = found["upstream_code"].as_str().expect("a code");
            assert_eq!(found["found"], json!(format!("upstream refused it: {code}")));
            assert_eq!(shown(&bed, "/stats").await["rules"][rule], json!({ "monitored": 1 }));
        }
    }
}
