//! Many callers at once, with things going wrong: one change of a session at a time, nothing lost, nothing sent twice, nobody waits for ever.
//!
//! The storms run on a clock that is wound forward by itself and on one thread, so that a case that fails, fails again.

use crate::{
    house::{CART, PUBLIC, Reply, SECRET, items, method},
    indoors::{Ask, Side, Upstream, cases, credit, primary},
};
use futures_util::future::join_all;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};
use weir::{
    emulator::{Emulator, Fault, FaultKind, Kind, Options},
    proxy::{GovernSettings, Governor, Work},
    rules::{FreshFor, OnLookupFailure, Policy, RuleId, SessionKey, SessionKind, Toggle},
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

/// One caller's next call: after a pause, and hung up on when it takes longer than the caller's patience. Milliseconds.
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
        .prop_map(|(reorder, window, defer, forever, cold)| Weather { reorder, window, defer, forever, cold })
}

impl Weather {
    /// Refuses to guess: what a rule needs and cannot be had is answered with 503.
    fn policy(&self) -> Policy {
        let mut policy = Policy { on_lookup_failure: OnLookupFailure::Reject, ..Policy::default() };
        if self.forever {
            policy.fresh_for = FreshFor::Forever;
        }
        if self.reorder {
            for rule in [RuleId::PrimaryBeforeSecondary, RuleId::SecondPrimary, RuleId::SecondaryAfterSingleUsePrimary] {
                policy.set(rule, Toggle::Reorder);
            }
            policy.sequencing.window = self.window;
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
            tokens.push(side.behind(&grant(name)).await.json()["access_token"].as_str().expect("a token").to_owned());
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
            Op::Attach { checkout: c, source: s, in_body: true } => Ask::post(checkout(c), json!({ "sourceId": source(s) })),
            Op::Detach { checkout: c, source: s } => Ask::delete(format!("{}/sources/{}", checkout(c), source(s)), Value::Null),
            Op::Update { checkout: c } => Ask::post(checkout(c), json!({ "email": "a@example.com" })),
            Op::Order { checkout: c } => Ask::post("/orders", json!({ "checkoutId": pick(&self.checkouts, *c) })),
            Op::Read { checkout: c } => Ask::get(checkout(c)),
            Op::Save { source: s } => Ask::post(format!("/customers/{}/sources/{}", self.customer, source(s)), Value::Null),
            Op::Apply { shopper, source: s } => as_shopper(Ask::post(APPLY, method(source(s))), shopper),
            Op::Unapply { shopper, source: Some(s) } => as_shopper(Ask::delete(APPLY, method(source(s))), shopper),
            Op::Unapply { shopper, source: None } => as_shopper(Ask::delete(format!("{CART}/payment"), Value::Null), shopper),
            Op::ApplyShopper { shopper } => as_shopper(Ask::post(format!("{CART}/apply-shopper"), Value::Null), shopper),
            Op::Add { shopper } => as_shopper(Ask::post(format!("{CART}?productId=p&quantity=1&price=60"), Value::Null), shopper),
            Op::SaveOption { shopper, source: s } => {
                as_shopper(Ask::post(OPTIONS, json!({ "paymentOption": { "sourceId": source(s) } })), shopper)
            }
            Op::Submit { shopper } => as_shopper(Ask::post(format!("{CART}/submit-cart"), Value::Null), shopper),
            Op::ReadCart { shopper } => as_shopper(Ask::get(CART), shopper),
        }
    }
}

fn side(policy: Policy, settings: Settings) -> Side {
    let options = Options { seed: Some(7), latency: Duration::from_millis(5), ..Options::default() };
    let governor = Governor::new(policy, Sessions::in_memory(settings), GovernSettings::default());
    Side { emulator: Emulator::new(options), governor: Some(governor), work: Work::default() }
}

fn small() -> Settings {
    Settings { capacity: 1_000, queue: 16, wait: WAIT, ..Settings::default() }
}

async fn storm(calls: Vec<Vec<Call>>, faults: Vec<(u64, FaultKind)>, weather: Weather) -> Result<(), TestCaseError> {
    let mut side = side(weather.policy(), small());
    let things = Things::on(&side).await;
    if weather.cold {
        side.governor = Some(Governor::new(weather.policy(), Sessions::in_memory(small()), GovernSettings::default()));
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
    side.work.ended().await;
    // Look-ups of callers who hung up.
    sleep(Duration::from_millis(200)).await;
    side.emulator.faults().clear();

    let emulator = &side.emulator;
    let log = || {
        emulator
            .calls()
            .iter()
            .map(|c| format!("{} {} {:?} {:?} {}..{:?}", c.method, c.target, c.session, c.status, c.started, c.ended))
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
        (governor.in_flight(), sessions.turns_open(), sessions.turns_waiting(), sessions.look_ups_open()),
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
    for call in side.emulator.calls().into_iter().filter(|call| call.method == "POST" && call.target.contains("/sources/")) {
        if call.target.starts_with("/checkouts") && call.applied && call.refused_code.is_none() {
            *sent.entry(call.target).or_default() += 1;
        }
    }
    for (target, times) in sent {
        prop_assert!(times <= asked.get(&target).copied().unwrap_or_default(), "{target} was sent {times} times");
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
        keys.push((SessionKey::new(SessionKind::Checkout, id.as_str()), Kind::Checkout));
    }
    for shopper in 0..things.tokens.len() {
        let read = side.send(&things.ask(&Op::ReadCart { shopper })).await;
        prop_assert_eq!(read.status.as_u16(), 200, "{}", read.text());
        keys.push((SessionKey::new(SessionKind::Cart, read.json()["cart"]["id"].to_string().as_str()), Kind::Cart));
    }
    for (key, kind) in keys {
        let record = side.governor().sessions().session(&key).await.expect("a store").unwrap_or_default();
        prop_assert!(!record.unsure && !record.in_flight && record.pending.is_none(), "{key}: {record:?}");
        let known = record.sources.get().map(|sources| sources.iter().map(|s| s.id.as_str().to_owned()).collect::<Vec<_>>());
        let session = side.emulator.session(kind, key.id.as_str()).unwrap_or_default();
        let held = session["sources"].as_array().into_iter().flatten().map(|s| s["id"].as_str().unwrap_or_default().to_owned());
        let (mut known, mut held) = (known.unwrap_or_default(), held.collect::<Vec<_>>());
        known.sort();
        held.sort();
        prop_assert_eq!(known, held, "{}", key);
        prop_assert_eq!(record.state.get().map(|state| state.as_str()), session["state"].as_str(), "{}", key);
    }
    Ok(())
}

fn wound_by_itself<T>(case: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
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
