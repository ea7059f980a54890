//! Measures what Weir adds to a call, piece by piece: classifying, reading a request and an answer,
//! deciding, writing a refusal.
//!
//! Run with `cargo bench --bench decide`.

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use std::{hint::black_box, sync::Arc};
use weir::internals::{
    dialects::{self, Call, Classified, Dialects, checkouts},
    rules::{
        Effect, Intent, Known, SessionFacts, SessionKey, SessionObservation, SessionRecord,
        SourceFacts, SourceObservation, SourceRecord, SourceState, Stated, Timestamp, Verdict,
        decide,
    },
};

const CARD: &str = "2308a5a8-d9c4-49e3-8125-d49c09628ac8";
const CREDIT: &str = "c9e79f0b-284a-4dbc-8659-84b8975d1571";

fn governed(method: Method, uri: &str, headers: &HeaderMap) -> Call {
    match dialects::classify(Dialects::built_in(), &method, &uri.parse().expect("a URI"), headers) {
        Classified::Governed(call) => call,
        _ => panic!("{uri} is governed"),
    }
}

fn json() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))])
}

fn classifying(c: &mut Criterion) {
    let mut group = c.benchmark_group("classify");
    for (name, method, uri) in [
        ("ungoverned", Method::GET, "/products/123?expand=all"),
        (
            "checkouts attach",
            Method::POST,
            "/checkouts/177642590336/sources/7a3ce24c-5e18-4b8d-a667-d64a513ed33f",
        ),
        (
            "carts attach",
            Method::POST,
            "/v1/shoppers/me/carts/active/apply-payment-method?token=abc&format=json",
        ),
    ] {
        let (uri, headers): (Uri, _) = (uri.parse().expect("a URI"), json());
        group.bench_function(name, |b| {
            b.iter(|| {
                dialects::classify(
                    Dialects::built_in(),
                    black_box(&method),
                    black_box(&uri),
                    black_box(&headers),
                )
            })
        });
    }
}

/// Returns a checkout as large as the vendor's answers: about 4.8 KB, mostly items.
fn checkout() -> String {
    let item = r#"{"id":"135930700336","skuId":"gold-plan","quantity":1,"amount":26.89,"tax":{"rate":0.085,"amount":2.11},"importerTax":{"amount":0},"duties":{"amount":0},"fees":{"amount":0,"taxAmount":0},"availableToRefundAmount":0,"metadata":{"note":"as long as a real one"},"subscriptionInfo":{"autoRenewal":true,"freeTrial":false,"terms":"terms of a subscription, in the words of a lawyer"}}"#;
    let items = [item; 11].join(",");
    format!(
        r#"{{"id":"177642590336","createdTime":"2026-01-01T00:00:00Z","currency":"USD","items":[{items}],"subtotal":24.78,"totalTax":2.11,"totalAmount":26.89,"payment":{{"sources":[{{"id":"{CREDIT}","type":"customerCredit","amount":11.0,"clientSecret":"x"}},{{"id":"{CARD}","type":"creditCard","amount":15.89,"creditCard":{{"brand":"Visa","lastFourDigits":"1111"}},"clientSecret":"y"}}],"session":{{"id":"ps_8cecaa32","amountContributed":26.89,"amountRemainingToBeContributed":0.0,"state":"requires_confirmation","clientSecret":"z"}}}}}}"#
    )
}

const CART: &str = r#"{"cart":{"id":414884796970,"pricing":{"orderTotal":{"currency":"USD","value":100}},"paymentMethod":{"type":"creditCard","sourceId":"2308a5a8-d9c4-49e3-8125-d49c09628ac8","creditCard":{"reusable":"false"},"amountContributed":{"currency":"USD","value":60},"supplementaryPaymentMethods":[{"type":"customerCredit","sourceId":"c9e79f0b-284a-4dbc-8659-84b8975d1571","customerCredit":{"reusable":"false"},"amountContributed":{"currency":"USD","value":40}}]},"paymentSession":{"id":"3c9bf484","status":"requires_confirmation","amountContributed":{"currency":"USD","value":"100"},"amountRemainingToBeContributed":{"currency":"USD","value":"0"}}}}"#;

const CART_XML: &str = r#"<?xml version="1.0"?><cart><id>414884796970</id><pricing><orderTotal><currency>USD</currency><value>100</value></orderTotal></pricing><paymentMethod><type>creditCard</type><sourceId>2308a5a8-d9c4-49e3-8125-d49c09628ac8</sourceId><creditCard><reusable>false</reusable></creditCard><amountContributed><currency>USD</currency><value>100</value></amountContributed></paymentMethod><paymentSession><id>3c9bf484</id><status>requires_confirmation</status><amountContributed><currency>USD</currency><value>100</value></amountContributed><amountRemainingToBeContributed><currency>USD</currency><value>0</value></amountRemainingToBeContributed></paymentSession></cart>"#;

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("read");
    let body = br#"{"paymentMethod":{"sourceId":"7a3ce24c-5e18-4b8d-a667-d64a513ed33f"}}"#;
    let attach =
        governed(Method::POST, "/v1/shoppers/me/carts/active/apply-payment-method", &json());
    group.bench_function("carts request", |b| {
        b.iter(|| {
            let headers = json();
            let decoded = dialects::decoded_body(&headers, black_box(body), 1 << 20);
            attach.intent(black_box(&headers), &decoded)
        })
    });
    let whole = checkout();
    for (name, uri, answer) in [
        (
            format!("checkouts answer, {} bytes", whole.len()),
            "/checkouts/177642590336",
            whole.as_str(),
        ),
        (format!("carts answer, {} bytes", CART.len()), "/v1/shoppers/me/carts/active", CART),
        (
            format!("carts answer in XML, {} bytes", CART_XML.len()),
            "/v1/shoppers/me/carts/active",
            CART_XML,
        ),
    ] {
        let call = governed(Method::GET, uri, &json());
        let intent = call
            .intent(&json(), &dialects::decoded_body(&json(), b"", 0))
            .ok()
            .flatten()
            .expect("an intent");
        let headers = HeaderMap::new();
        group.bench_function(name, |b| {
            b.iter(|| {
                call.read_answer(
                    black_box(&intent),
                    StatusCode::OK,
                    &headers,
                    black_box(answer.as_bytes()),
                    8 << 20,
                )
            })
        });
    }
    // For comparison: only skipping the same bytes, and building a tree of them.
    group.bench_function("checkouts answer, skipped by serde_json", |b| {
        b.iter(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(whole.as_bytes())))
    });
    group.bench_function("checkouts answer, as a serde_json::Value", |b| {
        b.iter(|| serde_json::from_slice::<serde_json::Value>(black_box(whole.as_bytes())))
    });
}

fn source(id: &str, kind: &str) -> SourceRecord {
    let facts = SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: "11".parse().map_or(Stated::Unstated, Stated::Stated),
        reusable: Stated::Stated(false),
        state: Stated::Stated(SourceState::Chargeable),
        ..SourceFacts::named(id)
    };
    let mut record = SourceRecord::default();
    record.apply(&SourceObservation::Shown(Box::new(facts)), Timestamp(1_000));
    record
}

fn deciding(c: &mut Criterion) {
    let policy = weir::internals::dialects::policy();
    let mut session = SessionRecord::default();
    let facts = SessionFacts {
        sources: Stated::Stated(Vec::new()),
        total: "26.89".parse().map_or(Stated::Unstated, Stated::Stated),
        remaining: "26.89".parse().map_or(Stated::Unstated, Stated::Stated),
        ..SessionFacts::default()
    };
    session.apply(&SessionObservation::LookedUp(Box::new(facts)), &policy, Timestamp(1_000));
    let empty = Known {
        session: Some(Arc::new(session.clone())),
        sources: [
            (CREDIT.into(), source(CREDIT, "customerCredit")),
            (CARD.into(), source(CARD, "creditCard")),
        ]
        .into(),
        ..Known::default()
    };
    let attached = Effect::Attached(SourceFacts {
        kind: Stated::Stated("creditCard".into()),
        ..SourceFacts::named(CARD)
    });
    session.apply(
        &SessionObservation::Succeeded(attached, Box::default()),
        &policy,
        Timestamp(1_000),
    );
    let with_card = Known { session: Some(Arc::new(session)), ..empty.clone() };
    let intent = Intent::Attach {
        session: weir::internals::rules::Target::Session(SessionKey::new(
            checkouts::CHECKOUT,
            "177642590336",
        )),
        source: CREDIT.into(),
    };
    let mut group = c.benchmark_group("decide");
    for (name, known) in [("forward", &empty), ("refuse", &with_card)] {
        let verdict = decide(known, &intent, &policy, Timestamp(1_500));
        assert_eq!(matches!(verdict, Verdict::Reject(_)), name == "refuse", "{verdict:?}");
        group.bench_function(name, |b| {
            b.iter(|| decide(black_box(known), black_box(&intent), &policy, Timestamp(1_500)))
        });
    }
    let Verdict::Reject(violation) = decide(&with_card, &intent, &policy, Timestamp(1_500)) else {
        panic!("a refusal")
    };
    let form = governed(Method::POST, "/checkouts/1", &json()).form();
    group.bench_function("write a refusal", |b| {
        b.iter(|| Dialects::built_in().refusal(form, black_box(&violation)))
    });
}

criterion_group!(benches, classifying, reading, deciding);
criterion_main!(benches);
