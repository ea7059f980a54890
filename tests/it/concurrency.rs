//! Many callers at once, with things going wrong: one change of a session at a time, nothing lost,
//! nothing sent twice, nobody waits for ever.
//!
//! The storms run on a clock that is wound forward by itself and on one thread, so that a case that
//! fails, fails again.

use crate::testbed::{
    APPLY, Adjusted, Ask, CART, Caller, EmulatorOptions, Fault, FaultKind, FreshFor, Gate,
    GovernSettings, Kind, OPTIONS, OnLookupFailure, Plan, Policy, Reply, RuleId, SECRET,
    SessionSettings, Testbed, Toggle, Waiting, attached_in, cases, credit, defaults, items, method,
    on_a_paused_runtime, text_of, thorough, until,
};
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

/// How long a call may wait for its turn.
const WAIT: Duration = Duration::from_millis(400);

#[derive(Clone, Debug)]
enum Op {
    Attach { checkout: usize, source: usize, in_body: bool },
    Detach { checkout: usize, source: usize },
    Update { checkout: usize },
    Order { checkout: usize },
    Read { checkout: usize },
    Save { source: usize },
    Apply { shopper: usize, source: usize },
    Unapply { shopper: usize, source: Option<usize> },
    ApplyShopper { shopper: usize },
    Add { shopper: usize },
    SaveOption { shopper: usize, source: usize },
    Submit { shopper: usize },
    ReadCart { shopper: usize },
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0usize..8;
    prop_oneof![
        6 => (n(), n(), any::<bool>())
            .prop_map(|(checkout, source, in_body)| Op::Attach { checkout, source, in_body }),
        2 => (n(), n()).prop_map(|(checkout, source)| Op::Detach { checkout, source }),
        1 => n().prop_map(|checkout| Op::Update { checkout }),
        1 => n().prop_map(|checkout| Op::Order { checkout }),
        1 => n().prop_map(|checkout| Op::Read { checkout }),
        1 => n().prop_map(|source| Op::Save { source }),
        6 => (n(), n()).prop_map(|(shopper, source)| Op::Apply { shopper, source }),
        2 => (n(), prop::option::of(n()))
            .prop_map(|(shopper, source)| Op::Unapply { shopper, source }),
        1 => n().prop_map(|shopper| Op::ApplyShopper { shopper }),
        1 => n().prop_map(|shopper| Op::Add { shopper }),
        1 => (n(), n()).prop_map(|(shopper, source)| Op::SaveOption { shopper, source }),
        1 => n().prop_map(|shopper| Op::Submit { shopper }),
        1 => n().prop_map(|shopper| Op::ReadCart { shopper }),
    ]
}

/// One caller's next call: after a pause, and hung up on when it takes longer than the caller's
/// patience. Milliseconds.
type Call = (Op, u64, Option<u64>);

fn calls() -> impl Strategy<Value = Vec<Vec<Call>>> {
    let call = (op(), 0u64..20, prop::option::weighted(0.2, 0u64..30));
    prop::collection::vec(prop::collection::vec(call, 1..8), 2..7)
}

/// The number of the call that goes wrong, counted from the first of the storm, and how.
fn faults() -> impl Strategy<Value = Vec<(u64, FaultKind)>> {
    let kind = prop_oneof![
        (1u64..60).prop_map(|ms| FaultKind::Delay(Duration::from_millis(ms))),
        Just(FaultKind::FailBefore(500)),
        Just(FaultKind::FailAfter(500)),
        Just(FaultKind::FailBefore(409)),
        Just(FaultKind::ResetBefore),
        Just(FaultKind::ResetAfter),
        Just(FaultKind::TooManyRequests(1)),
        Just(FaultKind::Garbage),
        Just(FaultKind::Redirect("/elsewhere".to_owned())),
    ];
    prop::collection::vec((1u64..120, kind), 0..8)
}

#[derive(Clone, Debug)]
struct Weather {
    reorder: bool,
    window: u64,
    defer: bool,
    forever: bool,
    cold: bool,
}

fn weather() -> impl Strategy<Value = Weather> {
    (any::<bool>(), prop_oneof![Just(0u64), Just(25)], any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(reorder, window, defer, forever, cold)| Weather {
            reorder,
            window,
            defer,
            forever,
            cold,
        })
}

impl Weather {
    /// Refuses to guess: what a rule needs and cannot be had is answered with 503.
    fn policy(&self) -> Policy {
        let mut policy = defaults().with_on_lookup_failure(OnLookupFailure::Reject);
        if self.forever {
            policy.fresh_for = FreshFor::Forever;
        }
        if self.reorder {
            for rule in [
                RuleId::PrimaryBeforeSecondary,
                RuleId::SecondPrimary,
                RuleId::SecondaryAfterSingleUsePrimary,
            ] {
                policy.set(rule, Toggle::Reorder);
            }
            policy.sequencing.window = Duration::from_millis(self.window);
            policy.sequencing.defer = self.defer;
        }
        policy
    }
}

/// What there is to call about.
struct Things {
    checkouts: Vec<String>,
    customer: String,
    sources: Vec<String>,
    /// Two tokens of one shopper, and one of another.
    tokens: Vec<String>,
}

fn pick(of: &[String], n: usize) -> &str {
    &of[n % of.len()]
}

impl Things {
    async fn on(bed: &Testbed) -> Self {
        let mut checkouts = Vec::new();
        for _ in 0..2 {
            checkouts.push(bed.weir.ask(&Ask::post("/checkouts", items(100.0))).await.id());
        }
        let customer = bed.weir.ask(&Ask::post("/customers", json!({}))).await.id();
        let mut sources = Vec::new();
        for amount in [40.0, 10.0, 5.0] {
            sources.push(bed.weir.ask(&Ask::post("/sources", credit(amount))).await.id());
        }
        for kind in ["creditCard", "creditCard", "payPal"] {
            sources.push(bed.primary(kind).await);
        }
        let mut tokens = Vec::new();
        for name in ["ann", "ann", "bob"] {
            let grant = format!("grant_type=password&username={name}&client_id=pk_acme");
            tokens.push(bed.upstream.token(&grant).await);
        }
        let things = Self { checkouts, customer, sources, tokens };
        for n in 0..3 {
            bed.weir.ask(&things.ask(&Op::Add { shopper: n })).await;
        }
        things
    }

    fn ask(&self, op: &Op) -> Ask {
        let checkout = |n: &usize| format!("/checkouts/{}", pick(&self.checkouts, *n));
        let source = |n: &usize| pick(&self.sources, *n);
        let as_shopper = |ask: Ask, n: &usize| ask.shopper(pick(&self.tokens, *n));
        match op {
            Op::Attach { checkout: c, source: s, in_body: false } => {
                Ask::post(format!("{}/sources/{}", checkout(c), source(s)), Value::Null)
            }
            Op::Attach { checkout: c, source: s, in_body: true } => {
                Ask::post(checkout(c), json!({ "sourceId": source(s) }))
            }
            Op::Detach { checkout: c, source: s } => {
                Ask::delete(format!("{}/sources/{}", checkout(c), source(s)), Value::Null)
            }
            Op::Update { checkout: c } => {
                Ask::post(checkout(c), json!({ "email": "a@example.com" }))
            }
            Op::Order { checkout: c } => {
                Ask::post("/orders", json!({ "checkoutId": pick(&self.checkouts, *c) }))
            }
            Op::Read { checkout: c } => Ask::get(checkout(c)),
            Op::Save { source: s } => Ask::post(
                format!("/customers/{}/sources/{}", self.customer, source(s)),
                Value::Null,
            ),
            Op::Apply { shopper, source: s } => {
                as_shopper(Ask::post(APPLY, method(source(s))), shopper)
            }
            Op::Unapply { shopper, source: Some(s) } => {
                as_shopper(Ask::delete(APPLY, method(source(s))), shopper)
            }
            Op::Unapply { shopper, source: None } => {
                as_shopper(Ask::delete(format!("{CART}/payment"), Value::Null), shopper)
            }
            Op::ApplyShopper { shopper } => {
                as_shopper(Ask::post(format!("{CART}/apply-shopper"), Value::Null), shopper)
            }
            Op::Add { shopper } => as_shopper(
                Ask::post(format!("{CART}?productId=p&quantity=1&price=60"), Value::Null),
                shopper,
            ),
            Op::SaveOption { shopper, source: s } => as_shopper(
                Ask::post(OPTIONS, json!({ "paymentOption": { "sourceId": source(s) } })),
                shopper,
            ),
            Op::Submit { shopper } => {
                as_shopper(Ask::post(format!("{CART}/submit-cart"), Value::Null), shopper)
            }
            Op::ReadCart { shopper } => as_shopper(Ask::get(CART), shopper),
        }
    }
}

fn plan(policy: Policy, sessions: SessionSettings) -> Plan {
    let emulator =
        EmulatorOptions { latency: Duration::from_millis(5), ..EmulatorOptions::default() };
    Testbed::new().emulator(emulator).seed(7).policy(policy).sessions(sessions)
}

fn small() -> SessionSettings {
    SessionSettings { capacity: 1_000, queue: 16, wait: WAIT, ..SessionSettings::default() }
}

async fn storm(
    calls: Vec<Vec<Call>>,
    faults: Vec<(u64, FaultKind)>,
    weather: Weather,
) -> Result<(), TestCaseError> {
    let mut bed = plan(weather.policy(), small()).in_process();
    let things = Things::on(&bed).await;
    if weather.cold {
        bed.forget().await;
    }
    bed.emulator.clear_calls();
    for (nth, kind) in faults {
        bed.emulator.faults().add(Fault::once("*", "*", kind).from_nth(nth));
    }
    let (weir, things) = (&bed.weir, &things);
    let callers = calls.iter().map(|calls| async move {
        let mut longest = Duration::ZERO;
        for (op, pause, patience) in calls {
            sleep(Duration::from_millis(*pause)).await;
            let begun = Instant::now();
            let ask = things.ask(op);
            let call = weir.ask(&ask);
            match patience {
                Some(ms) => drop(timeout(Duration::from_millis(*ms), call).await),
                None => drop(call.await),
            }
            longest = longest.max(begun.elapsed());
        }
        longest
    });
    let longest = join_all(callers).await.into_iter().max().unwrap_or_default();
    bed.work.close();
    bed.work.wait().await;
    // Look-ups of callers who hung up.
    sleep(Duration::from_millis(200)).await;
    bed.emulator.faults().clear();

    let emulator = &bed.emulator;
    let log = || {
        emulator
            .calls()
            .iter()
            .map(|c| {
                format!(
                    "{} {} {:?} {:?} {}..{:?}",
                    c.method, c.target, c.session, c.status, c.started, c.ended
                )
            })
            .collect::<Vec<_>>()
    };
    prop_assert_eq!(emulator.overlaps(), 0, "{:#?}", log());
    prop_assert_eq!(&emulator.snapshot()["lostCredits"], &json!([]), "{:#?}", log());
    // Twice the wait for those who are held or move to another cart, and the call's own steps.
    prop_assert!(longest < WAIT * 4 + Duration::from_millis(800), "somebody waited {longest:?}");
    sent_once(&bed, things, &calls)?;
    prop_assert_eq!(
        (bed.in_flight(), bed.turns_open(), bed.turns_waiting(), bed.look_ups_open()),
        (0, 0, 0, 0)
    );
    // Upstream may have asked for a pause.
    sleep(Duration::from_secs(2)).await;
    truth(&bed, things).await
}

/// No attach to a checkout goes up more often than callers asked for it.
fn sent_once(bed: &Testbed, things: &Things, calls: &[Vec<Call>]) -> Result<(), TestCaseError> {
    let mut asked: HashMap<String, usize> = HashMap::new();
    for (op, ..) in calls.iter().flatten() {
        if let Op::Attach { in_body: false, .. } = op {
            *asked.entry(things.ask(op).path).or_default() += 1;
        }
    }
    let mut sent: HashMap<String, usize> = HashMap::new();
    for call in bed
        .emulator
        .calls()
        .into_iter()
        .filter(|call| call.method == "POST" && call.target.contains("/sources/"))
    {
        if call.target.starts_with("/checkouts") && call.applied && call.refused_code.is_none() {
            *sent.entry(call.target).or_default() += 1;
        }
    }
    for (target, times) in sent {
        prop_assert!(
            times <= asked.get(&target).copied().unwrap_or_default(),
            "{target} was sent {times} times"
        );
    }
    Ok(())
}

/// After a read by a caller, the record is what upstream holds.
async fn truth(bed: &Testbed, things: &Things) -> Result<(), TestCaseError> {
    let mut sessions = Vec::new();
    for (n, id) in things.checkouts.iter().enumerate() {
        let read = bed.weir.ask(&things.ask(&Op::Read { checkout: n })).await;
        prop_assert!(read.status == 200 || read.status == 409, "{}", read.text());
        bed.weir.ask(&things.ask(&Op::Read { checkout: n })).await;
        sessions.push((Kind::Checkout, id.clone()));
    }
    for shopper in 0..things.tokens.len() {
        // The first may show another cart than was thought, of which it teaches nothing: what was
        // under way then is not known.
        bed.weir.ask(&things.ask(&Op::ReadCart { shopper })).await;
        let read = bed.weir.ask(&things.ask(&Op::ReadCart { shopper })).await;
        prop_assert_eq!(read.status.as_u16(), 200, "{}", read.text());
        sessions.push((Kind::Cart, text_of(&read.json()["cart"]["id"])));
    }
    for (kind, id) in sessions {
        let remembered = bed.remembers(kind, &id).await;
        prop_assert!(
            remembered.sure && remembered.waiting == Waiting::Nothing,
            "{kind:?} {id}: {remembered:?}"
        );
        let session = bed.emulator.session(kind, &id).unwrap_or_default();
        let (mut known, mut held) = (remembered.sources.unwrap_or_default(), attached_in(&session));
        known.sort();
        held.sort();
        prop_assert_eq!(known, held, "{:?} {}", kind, id);
        prop_assert_eq!(
            remembered.state.as_deref(),
            session["state"].as_str(),
            "{:?} {}",
            kind,
            id
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_storm_of_callers_without_faults(calls in calls(), weather in weather()) {
        on_a_paused_runtime(storm(calls, vec![], weather))?;
    }

    #[test]
    fn a_storm_of_callers_with_faults(calls in calls(), faults in faults(), weather in weather()) {
        on_a_paused_runtime(storm(calls, faults, weather))?;
    }
}

/// A bed where at most `queue` calls wait, each for at most `wait`; its checkout, and sources to
/// attach.
async fn crowded(queue: usize, wait: Duration) -> (Testbed, String, Vec<String>) {
    let sessions = SessionSettings { queue, wait, ..SessionSettings::default() };
    let bed = Testbed::new().sessions(sessions).start().await;
    let checkout = bed.checkout(100.0).await;
    let mut sources = Vec::new();
    for _ in 0..3 {
        sources.push(bed.credit(5.0).await);
    }
    (bed, checkout, sources)
}

/// Holds the next call of this method and path until the gate opens.
fn hold(bed: &Testbed, method: &str, path: &str) -> Gate {
    let gate = Gate::new();
    bed.emulator.faults().add(Fault::once(method, path, FaultKind::HoldBefore(gate.clone())));
    gate
}

/// Attaches a source to a checkout, as a caller of its own.
fn attach(caller: &Caller, checkout: &str, source: &str) -> JoinHandle<Reply> {
    let (caller, path) = (caller.clone(), format!("/checkouts/{checkout}/sources/{source}"));
    tokio::spawn(async move { caller.post(&path, Value::Null).await })
}

#[tokio::test]
async fn a_full_queue_is_answered_with_try_again() {
    let (bed, checkout, sources) = crowded(1, Duration::from_secs(60)).await;
    let gate = hold(&bed, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&bed.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let second = attach(&bed.weir, &checkout, &sources[1]);
    until(|| bed.turns_waiting() == 1).await;
    let third =
        bed.weir.post(&format!("/checkouts/{checkout}/sources/{}", sources[2]), Value::Null).await;
    assert_eq!(
        (third.status.as_u16(), third.header("retry-after"), third.verdict().0),
        (409, Some("1"), "rejected")
    );
    assert_eq!(third.header("weir-reason"), Some("queue_full"));
    assert_eq!(
        (&third.json()["type"], &third.json()["errors"][0]["code"]),
        (&json!("conflict"), &json!("concurrent_update"))
    );
    gate.open();
    assert_eq!(
        (first.await.unwrap().status.as_u16(), second.await.unwrap().status.as_u16()),
        (200, 200)
    );
    assert_eq!(
        bed.attached(Kind::Checkout, &checkout),
        [sources[0].clone(), sources[1].clone()],
        "in the order they came"
    );
    assert_eq!(bed.turns_open(), 0);
}

#[tokio::test]
async fn on_carts_try_again_is_the_vendors_concurrent_modification() {
    let (bed, _, sources) = crowded(0, Duration::from_secs(60)).await;
    let shopper = bed.shopper(100.0).await;
    let gate = hold(&bed, "POST", APPLY);
    let held = tokio::spawn({
        let (shopper, body) = (shopper.clone(), method(&sources[0]));
        async move { shopper.post(APPLY, body).await }
    });
    gate.arrived().await;
    let busy = shopper.post(APPLY, method(&sources[1])).await;
    assert_eq!((busy.status.as_u16(), busy.header("retry-after")), (409, Some("1")));
    assert_eq!(busy.json()["errors"]["error"][0]["code"], "concurrent-cart-modification-failure");
    gate.open();
    assert_eq!(held.await.unwrap().status, 200);
}

#[tokio::test]
async fn nobody_waits_longer_than_is_configured() {
    let (bed, checkout, sources) = crowded(8, Duration::from_millis(20)).await;
    let gate = hold(&bed, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&bed.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let late = attach(&bed.weir, &checkout, &sources[1]).await.unwrap();
    assert_eq!((late.status.as_u16(), late.header("retry-after")), (409, Some("1")));
    assert_eq!(late.header("weir-reason"), Some("waited_too_long"));
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(
        bed.attached(Kind::Checkout, &checkout),
        [sources[0].clone()],
        "what was told to try again was not sent"
    );
}

#[tokio::test]
async fn who_hangs_up_while_waiting_gives_up_the_place_and_nothing_is_sent() {
    let (bed, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let gate = hold(&bed, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&bed.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let second = attach(&bed.weir, &checkout, &sources[1]);
    until(|| bed.turns_waiting() == 1).await;
    second.abort();
    until(|| bed.turns_waiting() == 0).await;
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(attach(&bed.weir, &checkout, &sources[2]).await.unwrap().status, 200);
    assert_eq!(bed.attached(Kind::Checkout, &checkout), [sources[0].clone(), sources[2].clone()]);
}

#[tokio::test]
async fn who_hangs_up_after_sending_stops_neither_the_call_nor_its_being_learned() {
    let (bed, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let gate = hold(&bed, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&bed.weir, &checkout, &sources[0]);
    gate.arrived().await;
    first.abort();
    let second = attach(&bed.weir, &checkout, &sources[1]);
    until(|| bed.turns_waiting() == 1).await;
    assert_eq!(bed.in_flight(), 1, "the turn is still the first one's");
    gate.open();
    assert_eq!(second.await.unwrap().status, 200);
    let known = bed.remembers(Kind::Checkout, &checkout).await.sources.expect("its sources");
    assert_eq!(known, sources[..2]);
    assert_eq!((bed.in_flight(), bed.emulator.overlaps()), (0, 0));
}

#[tokio::test]
async fn different_sessions_never_wait_for_each_other() {
    let (bed, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let other = bed.checkout(100.0).await;
    let shopper = bed.shopper(100.0).await;
    let gate = hold(&bed, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&bed.weir, &checkout, &sources[0]);
    gate.arrived().await;
    assert_eq!(attach(&bed.weir, &other, &sources[1]).await.unwrap().status, 200);
    assert_eq!(shopper.post(APPLY, method(&sources[2])).await.status, 200);
    assert_eq!(bed.weir.get(&format!("/checkouts/{checkout}")).await.status, 200, "reads overlap");
    assert!(!first.is_finished());
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
}

/// Callers over HTTP/1.1 and over HTTP/2, on real sockets and threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_both_versions_of_http() {
    let sessions = SessionSettings { queue: 64, ..SessionSettings::default() };
    let bed = plan(defaults(), sessions).start().await;
    let things = Arc::new(Things::on(&bed).await);
    let address = bed.weir.address();
    bed.emulator.clear_calls();
    let callers = (0..8usize).map(|n| {
        let things = things.clone();
        let caller = if n % 2 == 0 { Caller::new(address) } else { Caller::h2c(address) };
        let caller = caller.key(SECRET);
        tokio::spawn(async move {
            for step in 0..30usize {
                let (a, b) = (n * 7 + step * 3, n + step * 5);
                let op = match (n + step * 11) % 9 {
                    0 | 1 => Op::Attach { checkout: a, source: b, in_body: step % 2 == 0 },
                    2 => Op::Detach { checkout: a, source: b },
                    3 | 4 => Op::Apply { shopper: a, source: b },
                    5 => Op::Unapply { shopper: a, source: Some(b) },
                    6 => Op::Read { checkout: a },
                    7 => Op::Update { checkout: a },
                    _ => Op::Submit { shopper: a },
                };
                let ask = things.ask(&op);
                let reply = caller.ask(&ask).await;
                assert!(reply.status.as_u16() < 500, "{ask:?}: {}", reply.text());
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert_eq!((bed.emulator.overlaps(), &bed.emulator.snapshot()["lostCredits"]), (0, &json!([])));
    until(|| bed.in_flight() == 0 && bed.look_ups_open() == 0).await;
    assert_eq!(bed.turns_open(), 0);
    truth(&bed, &things).await.unwrap();
}

/// Kind: a bound that is looked at before it is counted. Both calls look their session up first.
#[tokio::test]
async fn two_calls_do_not_take_the_last_place_together() {
    let govern = GovernSettings { calls: 1, ..GovernSettings::default() };
    let bed = Testbed::new().govern(govern).policy(thorough()).start().await;
    let (one, other) = (bed.checkout(100.0).await, bed.checkout(100.0).await);
    let gate = hold(&bed, "GET", "*");
    let first = attach(&bed.weir, &one, "src_unknown");
    gate.arrived().await;
    let refused = attach(&bed.weir, &other, "src_unknown").await.expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text());
    gate.open();
    assert_ne!(first.await.expect("an answer").status, 503);
    until(|| bed.governor().open_calls().is_empty()).await;
    let later = attach(&bed.weir, &other, "src_unknown").await.expect("an answer");
    assert_ne!(later.status, 503, "its place is free again");
}
