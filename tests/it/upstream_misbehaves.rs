//! Upstream fails in every way it can: a clean answer in the dialect's form, nothing sent twice, a
//! record that is looked up before it is believed.

use crate::testbed::{
    Adjusted, CART, Caller, Fault, FaultKind, Gate, GovernSettings, Kind, OnLookupFailure, Policy,
    SECRET, Server, Testbed, UpstreamSettings, defaults, items, method, raw, trusting,
};
use http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpListener;

fn sent(bed: &Testbed, method: &str, path: &str) -> usize {
    bed.emulator.calls().iter().filter(|call| call.method == method && call.target == path).count()
}

/// A call that changed something, or did not, and whose answer does not tell.
fn mishaps() -> [(FaultKind, u16, bool); 9] {
    [
        (FaultKind::FailBefore(500), 500, false),
        (FaultKind::FailAfter(500), 500, true),
        (FaultKind::FailAfter(503), 503, true),
        (FaultKind::ResetBefore, 502, false),
        (FaultKind::ResetAfter, 502, true),
        (FaultKind::CutBody, 502, true),
        (FaultKind::WrongLength(10), 502, true),
        (FaultKind::Garbage, 200, true),
        (FaultKind::Redirect("/elsewhere".into()), 302, false),
    ]
}

#[tokio::test]
async fn what_nobody_knows_the_end_of_is_sent_once_and_looked_up_before_the_next_decision() {
    for (fault, status, applied) in mishaps() {
        let bed = Testbed::new().policy(trusting()).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let id = session.trim_start_matches("/checkouts/");
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.weir.attach(&session, &credit).await.status, 200);
        let path = format!("{session}/sources/{card}");
        bed.emulator.faults().add(Fault::once("POST", &path, fault.clone()));
        let reply = bed.weir.attach(&session, &card).await;
        assert_eq!(reply.status.as_u16(), status, "{fault:?}: {}", reply.text());
        if status == 502 {
            assert_eq!(
                (reply.json()["type"].as_str(), reply.verdict().0),
                (Some("bad_gateway"), "failed"),
                "{fault:?}"
            );
        }
        assert_eq!(sent(&bed, "POST", &path), 1, "{fault:?}: sent twice");
        assert_eq!(bed.attached(Kind::Checkout, id).contains(&card), applied, "{fault:?}");
        // Whether credit may still come depends on what only upstream can tell.
        let more = bed.credit(5.0).await;
        let before = sent(&bed, "GET", &session);
        let next = bed.weir.attach(&session, &more).await;
        assert_eq!(sent(&bed, "GET", &session), before + 1, "{fault:?}: not looked up");
        let expected = if applied { (409, "rejected") } else { (200, "forwarded") };
        assert_eq!(
            (next.status.as_u16(), next.verdict().0),
            expected,
            "{fault:?}: {}",
            next.text()
        );
        assert_eq!(bed.refused_upstream(), [], "{fault:?}");
    }
}

/// The detach that would have made room took effect, and nobody heard: what follows must not be
/// refused.
#[tokio::test]
async fn no_lost_answer_leads_to_a_wrong_refusal() {
    for (fault, _, applied) in mishaps().into_iter().filter(|(_, _, applied)| *applied) {
        let bed = Testbed::new().policy(trusting()).start().await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
        bed.emulator.faults().add(Fault::once("DELETE", "*", fault.clone()));
        bed.weir.delete(&format!("{session}/sources/{card}")).await;
        assert_eq!(bed.weir.attach(&session, &credit).await.status, 200, "{fault:?} {applied}");
        // A save, and a default that rests on it.
        let customer = bed.weir.post("/customers", json!({ "email": "a@example.com" })).await.id();
        let saved = bed.card().await;
        bed.emulator.faults().add(Fault::once("POST", "/customers/*/sources/*", fault.clone()));
        bed.weir.get(&format!("/customers/{customer}")).await;
        bed.weir.attach(&format!("/customers/{customer}"), &saved).await;
        let default = bed
            .weir
            .post(&format!("/customers/{customer}"), json!({ "defaultSourceId": saved }))
            .await;
        assert_eq!(default.status, 200, "{fault:?}: {}", default.text());
        // Beside a card whose save went unheard, credit may come.
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let card = bed.card().await;
        assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
        bed.emulator.faults().add(Fault::once("POST", "/customers/*/sources/*", fault.clone()));
        bed.weir.attach(&format!("/customers/{customer}"), &card).await;
        let beside = bed.weir.attach(&session, &bed.credit(5.0).await).await;
        assert_eq!(beside.status, 200, "{fault:?}: {}", beside.text());
    }
}

#[tokio::test]
async fn no_lost_answer_leads_to_a_wrong_refusal_of_a_cart() {
    for (fault, _, applied) in mishaps() {
        let bed = Testbed::new().policy(trusting()).start().await;
        let shopper = bed.shopper(100.0).await;
        let apply = format!("{CART}/apply-payment-method");
        let (card, credit) = (bed.card().await, bed.credit(40.0).await);
        assert_eq!(shopper.post(&apply, method(&card)).await.status, 200);
        bed.emulator.faults().add(Fault::once("DELETE", "*", fault.clone()));
        shopper.delete(&apply).await;
        let next = shopper.post(&apply, method(&credit)).await;
        let expected = if applied { (200, "forwarded") } else { (409, "rejected") };
        assert_eq!(
            (next.status.as_u16(), next.verdict().0),
            expected,
            "{fault:?}: {}",
            next.text()
        );
        // An order that nobody heard of leaves a new cart behind.
        let shopper = bed.shopper(100.0).await;
        assert_eq!(shopper.post(&apply, method(&bed.card().await)).await.status, 200);
        bed.emulator.faults().add(Fault::once("POST", "*submit-cart", fault.clone()));
        shopper.post(&format!("{CART}/submit-cart"), Value::Null).await;
        shopper.post(&format!("{CART}?productId=p&quantity=1&price=100"), Value::Null).await;
        let next = shopper.post(&apply, method(&bed.credit(40.0).await)).await;
        assert_eq!(
            (next.status.as_u16(), next.verdict().0),
            expected,
            "{fault:?}: {}",
            next.text()
        );
    }
}

#[tokio::test]
async fn a_caller_who_hangs_up_stops_nothing_and_what_was_done_is_learned() {
    let bed = Testbed::new().policy(trusting()).start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    let gate = Gate::new();
    let path = format!("{session}/sources/{card}");
    bed.emulator.faults().add(Fault::once("POST", &path, FaultKind::HoldBefore(gate.clone())));
    let (weir, call) = (bed.weir.clone(), path.clone());
    let caller = tokio::spawn(async move { weir.post(&call, Value::Null).await });
    gate.arrived().await;
    caller.abort();
    assert!(caller.await.is_err());
    let (weir, path, source) = (bed.weir.clone(), session.clone(), credit.clone());
    let next = tokio::spawn(async move { weir.attach(&path, &source).await });
    while bed.turns_waiting() == 0 {
        tokio::task::yield_now().await;
    }
    gate.open();
    assert_eq!(
        next.await.unwrap().verdict(),
        ("rejected", Some("secondary-after-single-use-primary"))
    );
}

/// Another Weir before the same upstream, which it does not wait for long, and its caller.
async fn impatient(bed: &Testbed, policy: Policy) -> (Caller, Server) {
    let soon = Duration::from_millis(100);
    let settings = UpstreamSettings {
        timeout: soon,
        read_timeout: soon,
        ..Server::upstream_at(bed.upstream.address())
    };
    before(policy, settings).await
}

/// Weir before an upstream that is called as the settings say, and its caller.
async fn before(policy: Policy, settings: UpstreamSettings) -> (Caller, Server) {
    let governor = Testbed::new().policy(policy).governor();
    let server = Server::of_weir_before(governor, settings).await;
    (Caller::new(server.address).key(SECRET), server)
}

#[tokio::test]
async fn upstream_that_is_late_or_away_is_told_in_each_dialects_form() {
    // Away: a port that nobody listens on any more.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (away, _running) = before(defaults(), Server::upstream_at(closed)).await;
    // Late: it holds everything.
    let bed = Testbed::new().start().await;
    let (late, _also_running) = impatient(&bed, defaults()).await;
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::always("*", "*", FaultKind::HoldBefore(gate.clone())));
    for (caller, status, kind) in [(&away, 502, "bad_gateway"), (&late, 504, "gateway_timeout")] {
        for path in [
            "/checkouts",
            "/checkouts/1",
            "/checkouts/1/sources/2",
            "/sources",
            "/customers/1/sources/2",
            "/fulfillments",
        ] {
            let body = json!({ "type": "customerCredit", "amount": 5, "customerCredit": {} });
            let reply =
                caller.post(path, if path == "/sources" { body } else { Value::Null }).await;
            assert_eq!(
                (reply.status.as_u16(), reply.json()["type"].as_str()),
                (status, Some(kind)),
                "{path}: {}",
                reply.text()
            );
            assert!(
                reply.json()["errors"][0]["message"].as_str().is_some_and(|text| text.len() > 10),
                "{path}"
            );
            let named = match status {
                502 => "weir; error=connection_refused",
                _ => "weir; error=http_response_timeout",
            };
            assert_eq!(reply.header("proxy-status"), Some(named), "{path}");
        }
        for (accept, form) in [
            ("application/json", "application/json"),
            ("*/*", "application/xml"),
            ("text/xml", "application/xml"),
        ] {
            for path in
                [CART.to_owned(), format!("{CART}/submit-cart"), "/v1/shoppers/me/products".into()]
            {
                let reply = caller.with("accept", accept).post(&path, Value::Null).await;
                let at = format!("{path} {accept}: {}", reply.text());
                assert_eq!(
                    (reply.status.as_u16(), reply.header("content-type")),
                    (status, Some(form)),
                    "{at}"
                );
                assert!(
                    reply.text().contains("errors") && reply.text().contains("description"),
                    "{at}"
                );
            }
        }
    }
    gate.open();
}

#[tokio::test]
async fn a_change_that_came_too_late_is_learned_by_looking() {
    let bed = Testbed::new().start().await;
    let (weir, _running) = impatient(&bed, trusting()).await;
    let session = format!("/checkouts/{}", weir.post("/checkouts", items(100.0)).await.id());
    let (card, credit) = (bed.card().await, bed.credit(20.0).await);
    for fault in [FaultKind::StallBody, FaultKind::HoldAfter(Gate::new())] {
        bed.emulator.faults().add(Fault::once(
            "POST",
            &format!("{session}/sources/{card}"),
            fault.clone(),
        ));
        let reply = weir.attach(&session, &card).await;
        assert_eq!(
            (reply.status.as_u16(), reply.json()["type"].as_str()),
            (504, Some("gateway_timeout")),
            "{fault:?}"
        );
        let refused = weir.attach(&session, &credit).await;
        assert_eq!(
            refused.verdict(),
            ("rejected", Some("secondary-after-single-use-primary")),
            "{fault:?}: {}",
            refused.text()
        );
    }
}

/// While upstream gives no fact, an unsure session is not refused on; with `reject` the caller is
/// told to try again.
#[tokio::test]
async fn an_unsure_session_that_cannot_be_looked_up_is_never_refused_by_a_rule() {
    for on_lookup_failure in [OnLookupFailure::Forward, OnLookupFailure::Reject] {
        let bed = Testbed::new()
            .policy(trusting().with_on_lookup_failure(on_lookup_failure))
            .start()
            .await;
        let session = format!("/checkouts/{}", bed.checkout(100.0).await);
        let (card, credit) = (bed.card().await, bed.credit(20.0).await);
        assert_eq!(bed.weir.attach(&session, &card).await.status, 200);
        bed.emulator.faults().add(Fault::once("DELETE", "*", FaultKind::ResetAfter));
        assert_eq!(bed.weir.delete(&format!("{session}/sources/{card}")).await.status, 502);
        bed.emulator.faults().add(Fault::always("GET", &session, FaultKind::FailBefore(500)));
        let reply = bed.weir.attach(&session, &credit).await;
        let expected = match on_lookup_failure {
            OnLookupFailure::Forward => (200, None),
            OnLookupFailure::Reject => (503, None),
        };
        assert_eq!(
            (reply.status.as_u16(), reply.header("weir-rule")),
            expected,
            "{}",
            reply.text()
        );
    }
}

#[tokio::test]
async fn a_governed_body_over_the_limit_is_refused_before_it_is_read_or_sent() {
    let settings = GovernSettings { governed_body: 1024, ..GovernSettings::default() };
    let bed = Testbed::new().govern(settings).start().await;
    let session = bed.checkout(100.0).await;
    bed.emulator.clear_calls();
    let long = format!("{{\"metadata\":\"{}\"}}", "x".repeat(2_000));
    for (path, form) in [
        (format!("/checkouts/{session}"), "application/json"),
        (CART.to_owned(), "application/xml"),
    ] {
        let reply = bed.weir.post_text(&path, &long).await;
        assert_eq!(
            (reply.status.as_u16(), reply.header("content-type")),
            (413, Some(form)),
            "{}",
            reply.text()
        );
        assert!(reply.text().contains("request_too_large"), "{}", reply.text());
        // Without a length.
        let chunked = format!(
            "POST {path} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
            long.len()
        );
        assert_eq!(raw(bed.weir.address(), chunked.as_bytes()).await.status, 413, "{path}");
        // Announced, and never sent: no 100 Continue.
        let announced = format!(
            "POST {path} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 5000\r\n\r\n"
        );
        assert_eq!(raw(bed.weir.address(), announced.as_bytes()).await.status, 413, "{path}");
    }
    assert_eq!(bed.emulator.calls().len(), 0, "nothing reached upstream");
    // What is not governed may be as long as it likes.
    let other = bed.weir.post_text("/fulfillments", &long).await;
    assert_eq!(
        (other.status.as_u16(), other.header("weir-decision")),
        (400, None),
        "{}",
        other.text()
    );
    // A bomb is no larger than its limit.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, &vec![b' '; 3 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    let mut bed = Testbed::new().start().await;
    bed.cold(defaults()).await;
    let reply =
        bed.weir.with("content-encoding", "gzip").send(Method::POST, "/checkouts/1", bomb).await;
    assert_eq!(reply.status, 413, "{}", reply.text());
    assert_eq!(bed.emulator.calls().len(), 0);
}

#[tokio::test]
async fn a_governed_call_that_expects_to_be_told_to_go_on_is_told_so_once() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let bed = Testbed::new().start().await;
    let session = bed.checkout(100.0).await;
    let card = bed.card().await;
    let body = json!({ "sourceId": card }).to_string();
    let mut stream = tokio::net::TcpStream::connect(bed.weir.address()).await.unwrap();
    let head = format!(
        "POST /checkouts/{session} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&interim), "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(bed.attached(Kind::Checkout, &session), [card]);
}

#[tokio::test]
async fn head_is_a_get_without_its_content() {
    let bed = Testbed::new().start().await;
    let session = format!("/checkouts/{}", bed.checkout(100.0).await);
    let request = |address| {
        let head = format!(
            "HEAD {session} HTTP/1.1\r\nHost: weir\r\nAuthorization: {SECRET}\r\nConnection: close\r\n\r\n"
        );
        async move { raw(address, head.as_bytes()).await }
    };
    let (through, direct) =
        (request(bed.weir.address()).await, request(bed.upstream.address()).await);
    assert_eq!((through.status, through.body.len()), (200, 0));
    assert_eq!(through.header("content-length"), direct.header("content-length"));
    assert_eq!(through.header("content-type"), direct.header("content-type"));
}

#[tokio::test]
async fn a_call_whose_time_is_up_is_finished_and_learned() {
    let govern =
        GovernSettings { call_timeout: Duration::from_millis(300), ..GovernSettings::default() };
    let bed = Testbed::new().govern(govern).start().await;
    let weir = bed.weir.clone();
    let checkout = bed.checkout(100.0).await;
    let session = format!("/checkouts/{checkout}");
    assert_eq!(weir.get(&session).await.status, 200);
    let (card, credit) = (bed.card().await, bed.credit(5.0).await);
    let gate = Gate::new();
    let path = format!("{session}/sources/{card}");
    bed.emulator.faults().add(Fault::once("POST", &path, FaultKind::HoldBefore(gate.clone())));
    let late = weir.attach(&session, &card).await;
    assert_eq!(late.status, 504);
    assert_eq!(late.json()["errors"][0]["code"], "call_timeout", "{}", late.text());
    assert_eq!(late.verdict(), ("failed", None));
    gate.open();
    // The next call of the session waits for the first one's end, and rests on it.
    let next = weir.attach(&session, &credit).await;
    assert_eq!(next.verdict(), ("rejected", Some("secondary-after-single-use-primary")));
    assert_eq!(bed.attached(Kind::Checkout, &checkout), [card]);
}
