//! Many callers at once, with things going wrong: one change of a session at a time, nothing lost,
//! nothing sent twice, nobody waits for ever.
//!
//! The storms run on a clock that is wound forward by itself and on one thread, so that a case that
//! fails, fails again.

use crate::{
    house::{CART, Caller, House, items, method, start_emulator, start_weir},
    indoors::{Ask, Side, cases, credit, primary},
};
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tokio::{
    task::yield_now,
    time::{Instant, sleep, timeout},
};
use tokio_util::task::TaskTracker;
use weir::dialects::{carts, checkouts};
use weir::{
    GovernSettings, Governor,
    emulator::{Emulator, Fault, FaultKind, Gate, Kind, Options},
    rules::{FreshFor, OnLookupFailure, Policy, RuleId, SessionKey, Toggle},
    sessions::{Sessions, Settings},
};

const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";
const OPTIONS: &str = "/v1/shoppers/me/payment-options";
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
        6 => (n(), n(), any::<bool>()).prop_map(|(checkout, source, in_body)| Op::Attach { checkout, source, in_body }),
        2 => (n(), n()).prop_map(|(checkout, source)| Op::Detach { checkout, source }),
        1 => n().prop_map(|checkout| Op::Update { checkout }),
        1 => n().prop_map(|checkout| Op::Order { checkout }),
        1 => n().prop_map(|checkout| Op::Read { checkout }),
        1 => n().prop_map(|source| Op::Save { source }),
        6 => (n(), n()).prop_map(|(shopper, source)| Op::Apply { shopper, source }),
        2 => (n(), prop::option::of(n())).prop_map(|(shopper, source)| Op::Unapply { shopper, source }),
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
        let mut policy =
            Policy { on_lookup_failure: OnLookupFailure::Reject, ..weir::dialects::policy() };
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
    async fn on(side: &Side) -> Self {
        let mut checkouts = Vec::new();
        for _ in 0..2 {
            checkouts.push(side.send(&Ask::post("/checkouts", items(100.0))).await.id());
        }
        let customer = side.send(&Ask::post("/customers", json!({}))).await.id();
        let mut sources = Vec::new();
        for amount in [40.0, 10.0, 5.0] {
            sources.push(side.send(&Ask::post("/sources", credit(amount))).await.id());
        }
        for kind in ["creditCard", "creditCard", "payPal"] {
            sources.push(side.primary(&primary(kind)).await);
        }
        let grant = |name: &str| Ask {
            body: format!("grant_type=password&username={name}&client_id=pk_acme"),
            ..Ask::post("/oauth20/token", Value::Null)
        };
        let mut tokens = Vec::new();
        for name in ["ann", "ann", "bob"] {
            tokens.push(
                side.behind(&grant(name)).await.json()["access_token"]
                    .as_str()
                    .expect("a token")
                    .to_owned(),
            );
        }
        let things = Self { checkouts, customer, sources, tokens };
        for n in 0..3 {
            side.send(&things.ask(&Op::Add { shopper: n })).await;
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

fn side(policy: Policy, settings: Settings) -> Side {
    let options =
        Options { seed: Some(7), latency: Duration::from_millis(5), ..Options::default() };
    let governor = Governor::new(policy, Sessions::in_memory(settings), GovernSettings::default());
    Side { emulator: Emulator::new(options), governor: Some(governor), work: TaskTracker::new() }
}

fn small() -> Settings {
    Settings { capacity: 1_000, queue: 16, wait: WAIT, ..Settings::default() }
}

async fn storm(
    calls: Vec<Vec<Call>>,
    faults: Vec<(u64, FaultKind)>,
    weather: Weather,
) -> Result<(), TestCaseError> {
    let mut side = side(weather.policy(), small());
    let things = Things::on(&side).await;
    if weather.cold {
        side.governor = Some(Governor::new(
            weather.policy(),
            Sessions::in_memory(small()),
            GovernSettings::default(),
        ));
    }
    side.emulator.clear_calls();
    for (nth, kind) in faults {
        side.emulator.faults().add(Fault::once("*", "*", kind).from_nth(nth));
    }
    let (side_, things_) = (&side, &things);
    let callers = calls.iter().map(|calls| async move {
        let mut longest = Duration::ZERO;
        for (op, pause, patience) in calls {
            sleep(Duration::from_millis(*pause)).await;
            let begun = Instant::now();
            let ask = things_.ask(op);
            let call = side_.send(&ask);
            match patience {
                Some(ms) => drop(timeout(Duration::from_millis(*ms), call).await),
                None => drop(call.await),
            }
            longest = longest.max(begun.elapsed());
        }
        longest
    });
    let longest = join_all(callers).await.into_iter().max().unwrap_or_default();
    side.work.close();
    side.work.wait().await;
    // Look-ups of callers who hung up.
    sleep(Duration::from_millis(200)).await;
    side.emulator.faults().clear();

    let emulator = &side.emulator;
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
    sent_once(&side, &things, &calls)?;
    let governor = side.governor();
    let sessions = governor.sessions();
    prop_assert_eq!(
        (
            governor.in_flight(),
            sessions.turns_open(),
            sessions.turns_waiting(),
            governor.look_ups_open()
        ),
        (0, 0, 0, 0)
    );
    // Upstream may have asked for a pause.
    sleep(Duration::from_secs(2)).await;
    truth(&side, &things).await
}

/// No attach to a checkout goes up more often than callers asked for it.
fn sent_once(side: &Side, things: &Things, calls: &[Vec<Call>]) -> Result<(), TestCaseError> {
    let mut asked: HashMap<String, usize> = HashMap::new();
    for (op, ..) in calls.iter().flatten() {
        if let Op::Attach { in_body: false, .. } = op {
            *asked.entry(things.ask(op).path).or_default() += 1;
        }
    }
    let mut sent: HashMap<String, usize> = HashMap::new();
    for call in side
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
async fn truth(side: &Side, things: &Things) -> Result<(), TestCaseError> {
    let mut keys = Vec::new();
    for (n, id) in things.checkouts.iter().enumerate() {
        let read = side.send(&things.ask(&Op::Read { checkout: n })).await;
        prop_assert!(read.status == 200 || read.status == 409, "{}", read.text());
        side.send(&things.ask(&Op::Read { checkout: n })).await;
        keys.push((SessionKey::new(checkouts::CHECKOUT, id.as_str()), Kind::Checkout));
    }
    for shopper in 0..things.tokens.len() {
        // The first may show another cart than was thought, of which it teaches nothing: what was
        // under way then is not known.
        side.send(&things.ask(&Op::ReadCart { shopper })).await;
        let read = side.send(&things.ask(&Op::ReadCart { shopper })).await;
        prop_assert_eq!(read.status.as_u16(), 200, "{}", read.text());
        keys.push((
            SessionKey::new(carts::CART, read.json()["cart"]["id"].to_string().as_str()),
            Kind::Cart,
        ));
    }
    for (key, kind) in keys {
        let record =
            side.governor().sessions().session(&key).await.expect("a store").unwrap_or_default();
        prop_assert!(
            !record.unsure && !record.in_flight && record.pending.is_none(),
            "{key}: {record:?}"
        );
        let known = record
            .sources
            .get()
            .map(|sources| sources.iter().map(|s| s.id.as_str().to_owned()).collect::<Vec<_>>());
        let session = side.emulator.session(kind, key.id.as_str()).unwrap_or_default();
        let held = session["sources"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| s["id"].as_str().unwrap_or_default().to_owned());
        let (mut known, mut held) = (known.unwrap_or_default(), held.collect::<Vec<_>>());
        known.sort();
        held.sort();
        prop_assert_eq!(known, held, "{}", key);
        prop_assert_eq!(
            record.state.get().map(|state| state.as_str()),
            session["state"].as_str(),
            "{}",
            key
        );
    }
    Ok(())
}

fn wound_by_itself<T>(case: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(case)
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_storm_of_callers_without_faults(calls in calls(), weather in weather()) {
        wound_by_itself(storm(calls, vec![], weather))?;
    }

    #[test]
    fn a_storm_of_callers_with_faults(calls in calls(), faults in faults(), weather in weather()) {
        wound_by_itself(storm(calls, faults, weather))?;
    }
}

/// A house where at most `queue` calls wait, each for at most `wait`; its checkout, and sources to
/// attach.
async fn crowded(queue: usize, wait: Duration) -> (House, String, Vec<String>) {
    let mut house = House::new(weir::dialects::policy()).await;
    let sessions = Sessions::in_memory(Settings { queue, wait, ..Settings::default() });
    house
        .restart(Governor::new(weir::dialects::policy(), sessions, GovernSettings::default()))
        .await;
    let checkout = house.checkout(100.0).await;
    let mut sources = Vec::new();
    for _ in 0..3 {
        sources.push(house.credit(5.0).await);
    }
    (house, checkout, sources)
}

async fn until(mut reached: impl FnMut() -> bool) {
    while !reached() {
        yield_now().await;
    }
}

/// Holds the next call of this method and path until the gate opens.
fn hold(house: &House, method: &str, path: &str) -> Gate {
    let gate = Gate::new();
    house.emulator.faults().add(Fault::once(method, path, FaultKind::HoldBefore(gate.clone())));
    gate
}

fn attach(
    caller: &Caller,
    checkout: &str,
    source: &str,
) -> tokio::task::JoinHandle<crate::house::Reply> {
    let (caller, path) = (caller.clone(), format!("/checkouts/{checkout}/sources/{source}"));
    tokio::spawn(async move { caller.post(&path, Value::Null).await })
}

#[tokio::test]
async fn a_full_queue_is_answered_with_try_again() {
    let (house, checkout, sources) = crowded(1, Duration::from_secs(60)).await;
    let gate = hold(&house, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&house.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let second = attach(&house.weir, &checkout, &sources[1]);
    until(|| house.governor.sessions().turns_waiting() == 1).await;
    let third = house
        .weir
        .post(&format!("/checkouts/{checkout}/sources/{}", sources[2]), Value::Null)
        .await;
    assert_eq!(
        (third.status.as_u16(), third.header("retry-after"), third.verdict().0),
        (409, Some("1"), "rejected")
    );
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
        house.attached(Kind::Checkout, &checkout),
        [sources[0].clone(), sources[1].clone()],
        "in the order they came"
    );
    assert_eq!(house.governor.sessions().turns_open(), 0);
}

#[tokio::test]
async fn on_carts_try_again_is_the_vendors_concurrent_modification() {
    let (house, _, sources) = crowded(0, Duration::from_secs(60)).await;
    let shopper = house.shopper(100.0).await;
    let gate = hold(&house, "POST", APPLY);
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
    let (house, checkout, sources) = crowded(8, Duration::from_millis(20)).await;
    let gate = hold(&house, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&house.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let late = attach(&house.weir, &checkout, &sources[1]).await.unwrap();
    assert_eq!((late.status.as_u16(), late.header("retry-after")), (409, Some("1")));
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(
        house.attached(Kind::Checkout, &checkout),
        [sources[0].clone()],
        "what was told to try again was not sent"
    );
}

#[tokio::test]
async fn who_hangs_up_while_waiting_gives_up_the_place_and_nothing_is_sent() {
    let (house, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let gate = hold(&house, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&house.weir, &checkout, &sources[0]);
    gate.arrived().await;
    let second = attach(&house.weir, &checkout, &sources[1]);
    until(|| house.governor.sessions().turns_waiting() == 1).await;
    second.abort();
    until(|| house.governor.sessions().turns_waiting() == 0).await;
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
    assert_eq!(attach(&house.weir, &checkout, &sources[2]).await.unwrap().status, 200);
    assert_eq!(house.attached(Kind::Checkout, &checkout), [sources[0].clone(), sources[2].clone()]);
}

#[tokio::test]
async fn who_hangs_up_after_sending_stops_neither_the_call_nor_its_being_learned() {
    let (house, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let gate = hold(&house, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&house.weir, &checkout, &sources[0]);
    gate.arrived().await;
    first.abort();
    let second = attach(&house.weir, &checkout, &sources[1]);
    until(|| house.governor.sessions().turns_waiting() == 1).await;
    assert_eq!(house.governor.in_flight(), 1, "the turn is still the first one's");
    gate.open();
    assert_eq!(second.await.unwrap().status, 200);
    let key = SessionKey::new(checkouts::CHECKOUT, checkout.as_str());
    let record = house.governor.sessions().session(&key).await.unwrap().unwrap();
    let known: Vec<&str> =
        record.sources.get().unwrap().iter().map(|attached| attached.id.as_str()).collect();
    assert_eq!(known, [&sources[0], &sources[1]]);
    assert_eq!((house.governor.in_flight(), house.emulator.overlaps()), (0, 0));
}

#[tokio::test]
async fn different_sessions_never_wait_for_each_other() {
    let (house, checkout, sources) = crowded(8, Duration::from_secs(60)).await;
    let other = house.checkout(100.0).await;
    let shopper = house.shopper(100.0).await;
    let gate = hold(&house, "POST", &format!("/checkouts/{checkout}/sources/{}", sources[0]));
    let first = attach(&house.weir, &checkout, &sources[0]);
    gate.arrived().await;
    assert_eq!(attach(&house.weir, &other, &sources[1]).await.unwrap().status, 200);
    assert_eq!(shopper.post(APPLY, method(&sources[2])).await.status, 200);
    assert_eq!(
        house.weir.get(&format!("/checkouts/{checkout}")).await.status,
        200,
        "reads overlap"
    );
    assert!(!first.is_finished());
    gate.open();
    assert_eq!(first.await.unwrap().status, 200);
}

/// Callers over HTTP/1.1 and over HTTP/2, on real sockets and threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_both_versions_of_http() {
    let mut side = side(weir::dialects::policy(), Settings { queue: 64, ..Settings::default() });
    let things = std::sync::Arc::new(Things::on(&side).await);
    let (upstream, _running) = start_emulator(side.emulator.clone()).await;
    let governor = side.governor().clone();
    let (address, _serving) = start_weir(governor.clone(), upstream).await;
    side.emulator.clear_calls();
    let callers = (0..8usize).map(|n| {
        let things = things.clone();
        let caller = if n % 2 == 0 { Caller::new(address) } else { Caller::h2c(address) };
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
                let caller = ask
                    .headers
                    .iter()
                    .fold(caller.clone(), |caller, (name, value)| caller.with(name, value));
                let reply = caller.send(ask.method.clone(), &ask.path, ask.body.clone()).await;
                assert!(reply.status.as_u16() < 500, "{ask:?}: {}", reply.text());
            }
        })
    });
    for caller in join_all(callers).await {
        caller.unwrap();
    }
    assert_eq!(
        (side.emulator.overlaps(), &side.emulator.snapshot()["lostCredits"]),
        (0, &json!([]))
    );
    until(|| governor.in_flight() == 0 && governor.look_ups_open() == 0).await;
    assert_eq!(governor.sessions().turns_open(), 0);
    side.governor = Some(governor);
    truth(&side, &things).await.unwrap();
}
