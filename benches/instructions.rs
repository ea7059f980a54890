//! Counts the instructions of what Weir adds to a call: classifying it, reading an answer,
//! deciding, remembering, and writing a refusal. Nothing is timed, so with one compiler a count is
//! nearly the same on any machine of one kind, and a slow drift is seen that no timed bench would
//! show.
//!
//! Run with `cargo bench --bench instructions`. It needs valgrind, and `gungraun-runner` of the
//! version that `Cargo.lock` names for `gungraun`. It fails where a count passes its limit, which
//! is about a quarter above what was counted when it was set, in the profile of the tests, as the
//! gate counts (`--profile dev`). A change that needs more raises the limit, and says why.

#![allow(missing_docs, reason = "a program")]

#[path = "parts/vendor.rs"]
#[allow(dead_code, reason = "other benches use the rest")]
mod vendor;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use std::{hint::black_box, sync::Arc};
use tokio::runtime::Runtime;
use weir::internals::{
    dialects::{self, Call, Classified, Dialects, checkouts},
    rules::{
        Effect, Intent, Known, Policy, SessionFacts, SessionKey, SessionObservation, SessionRecord,
        SessionState, SourceFacts, SourceObservation, SourceRecord, SourceState, Stated, Target,
        Timestamp, Verdict, Violation, decide,
    },
    sessions::{Priority, Sessions, Settings},
};

const SESSION: &str = "177642590336";
const CARD: &str = "2308a5a8-d9c4-49e3-8125-d49c09628ac8";
const CREDIT: &str = "c9e79f0b-284a-4dbc-8659-84b8975d1571";

fn most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn headers() -> HeaderMap {
    HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("application/json"))])
}

fn classify(method: &Method, uri: &str, headers: &HeaderMap) -> Classified {
    let uri = uri.parse().expect("a URI");
    dialects::classify(Dialects::built_in(), method, &uri, headers)
}

fn governed(method: Method, uri: &str) -> Call {
    match classify(&method, uri, &headers()) {
        Classified::Governed(call) => call,
        _ => panic!("{uri} is governed"),
    }
}

fn attaching() -> Intent {
    let session = Target::Session(SessionKey::new(checkouts::CHECKOUT, SESSION));
    Intent::Attach { session, source: CREDIT.into() }
}

/// An attach as it comes.
fn a_head(uri: &str) -> (Method, String, HeaderMap) {
    // The words of the paths are put together once, by whoever needs them first.
    drop(classify(&Method::GET, "/", &headers()));
    (Method::POST, uri.to_owned(), headers())
}

#[library_benchmark]
#[bench::attach_to_a_checkout(args = ("/checkouts/177642590336/sources/7a3ce24c-5e18-4b8d-a667-d64a513ed33f"), setup = a_head, config = most(48_000))]
#[bench::attach_to_a_cart(args = ("/v1/shoppers/me/carts/active/apply-payment-method?token=abc&format=json"), setup = a_head, config = most(93_000))]
#[bench::ungoverned(args = ("/products/123?expand=all"), setup = a_head, config = most(12_100))]
fn classifying((method, uri, headers): (Method, String, HeaderMap)) -> Classified {
    black_box(classify(&method, &uri, &headers))
}

/// An answer as large as the vendor's.
fn an_answer() -> (Call, Intent, String) {
    let session = Target::Session(SessionKey::new(checkouts::CHECKOUT, SESSION));
    let call = governed(Method::GET, "/checkouts/177642590336");
    (call, Intent::ReadSession { session }, vendor::checkout(SESSION, true))
}

#[library_benchmark]
#[bench::a_checkout(setup = an_answer, config = most(220_000))]
fn reading((call, intent, body): (Call, Intent, String)) {
    let answer =
        call.read_answer(&intent, StatusCode::OK, &HeaderMap::new(), body.as_bytes(), 1 << 20);
    black_box(answer.expect("it can be read"));
}

fn source(id: &str, kind: &str) -> SourceRecord {
    let facts = SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: "11".parse().ok().into(),
        reusable: Stated::Stated(false),
        state: Stated::Stated(SourceState::Chargeable),
        ..SourceFacts::named(id)
    };
    let mut record = SourceRecord::default();
    record.apply(&SourceObservation::Shown(Box::new(facts)), Timestamp(1_000));
    record
}

/// An attach of store credit to a checkout that holds a card, or nothing.
fn a_case(holds_a_card: bool) -> (Known, Intent, Policy) {
    let policy = dialects::policy();
    let mut session = SessionRecord::default();
    let facts = SessionFacts {
        sources: Stated::Stated(Vec::new()),
        total: "26.89".parse().ok().into(),
        remaining: "26.89".parse().ok().into(),
        ..SessionFacts::default()
    };
    session.apply(&SessionObservation::LookedUp(Box::new(facts)), &policy, Timestamp(1_000));
    if holds_a_card {
        let kind = Stated::Stated("creditCard".into());
        let attached = Effect::Attached(SourceFacts { kind, ..SourceFacts::named(CARD) });
        let done = SessionObservation::Succeeded(attached, Box::default());
        session.apply(&done, &policy, Timestamp(1_000));
    }
    let sources = [
        (CREDIT.into(), source(CREDIT, "customerCredit")),
        (CARD.into(), source(CARD, "creditCard")),
    ];
    let known =
        Known { session: Some(Arc::new(session)), sources: sources.into(), ..Known::default() };
    (known, attaching(), policy)
}

#[library_benchmark]
#[bench::forward(args = (false), setup = a_case, config = most(51_500))]
#[bench::refuse(args = (true), setup = a_case, config = most(25_800))]
fn deciding((known, intent, policy): (Known, Intent, Policy)) -> Verdict {
    black_box(decide(&known, &intent, &policy, Timestamp(1_500)))
}

/// A session that is remembered, and what another answer says of it.
fn a_memory() -> (Runtime, Sessions, SessionKey, SessionFacts, Arc<Policy>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime");
    let shown = |id: &str, kind: &str, amount: &str| SourceFacts {
        kind: Stated::Stated(kind.into()),
        amount: amount.parse().ok().into(),
        ..SourceFacts::named(id)
    };
    let facts = SessionFacts {
        sources: Stated::Stated(vec![
            shown(CREDIT, "customerCredit", "11.00"),
            shown(CARD, "creditCard", "15.89"),
        ]),
        total: "26.89".parse().ok().into(),
        remaining: "0".parse().ok().into(),
        currency: "USD".parse().ok().into(),
        state: Stated::Stated(SessionState::RequiresConfirmation),
        ..SessionFacts::default()
    };
    let memory = (
        runtime,
        Sessions::in_memory(Settings::default()),
        SessionKey::new(checkouts::CHECKOUT, SESSION),
        facts,
        Arc::new(dialects::policy()),
    );
    remember(&memory, 1_000);
    memory
}

type Memory = (Runtime, Sessions, SessionKey, SessionFacts, Arc<Policy>);

/// Reads a session's record, changes it and writes it, as an accepted attach does: twice.
fn remember((runtime, sessions, key, facts, policy): &Memory, at: u64) {
    runtime.block_on(async {
        let mut turn = sessions.turn(key, &[], Priority::Ordinary).await.expect("a turn");
        turn.apply(SessionObservation::Begun, policy, Timestamp(at));
        turn.write().await.expect("memory takes it");
        let effect = Effect::AsShown;
        let done = SessionObservation::Succeeded(effect, Box::new(facts.clone()));
        turn.apply(done, policy, Timestamp(at));
        turn.write().await.expect("memory takes it");
    });
}

#[library_benchmark]
#[bench::an_attach(setup = a_memory, config = most(403_000))]
fn remembering(memory: Memory) -> Memory {
    remember(black_box(&memory), 2_000);
    memory
}

fn a_violation() -> (Call, Violation) {
    let (known, intent, policy) = a_case(true);
    match decide(&known, &intent, &policy, Timestamp(1_500)) {
        Verdict::Reject(violation) => (governed(Method::POST, "/checkouts/1"), violation),
        verdict => panic!("it should be refused, not {verdict:?}"),
    }
}

#[library_benchmark]
#[bench::in_the_vendors_words(setup = a_violation, config = most(55_300))]
fn refusing((call, violation): (Call, Violation)) {
    black_box(Dialects::built_in().refusal(call.form(), &violation));
}

library_benchmark_group!(
    name = call,
    benchmarks = [classifying, reading, deciding, remembering, refusing]
);

main!(library_benchmark_groups = call);
