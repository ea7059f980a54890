//! Random calls, sent straight to one vendor and through Weir to another that was started with the same seed.
//!
//! On checkouts the caller sees the same answers, and the vendor behind Weir never has to refuse what a rule refuses. On carts no submitted order
//! loses store credit. Also when Weir is started again in between, and when others change things behind its back.

use crate::{
    house::{CART, Reply, items, method},
    indoors::{Ask, Side, cases, credit, on_a_runtime, primary},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use weir::rules::{FreshFor, Policy, RuleId, Toggle};

const PRIMARIES: [&str; 6] = ["creditCard", "payPal", "ideal", "wireTransfer", "amazonPay", "alipay"];
const FATES: [&str; 5] = ["", "redirect", "failed", "declined", "action"];
const AMOUNTS: [f64; 5] = [5.0, 10.0, 20.0, 30.0, 45.5];
const LEGACY: &str = "2020-12-17";

/// One call. Numbers pick among the things that there are, wrapping round.
#[derive(Clone, Debug)]
enum Op {
    Create { invoice: bool, source: Option<usize>, customer: Option<usize> },
    Credit { amount: usize },
    Shapeless(usize),
    Primary { kind: usize, fate: usize },
    Attach { session: usize, source: usize },
    AttachInBody { session: usize, source: usize, legacy: bool },
    Detach { session: usize, source: usize },
    Items { session: usize, total: usize },
    Customer { session: usize, customer: Option<usize> },
    Billing { session: usize, on: bool },
    CreditAmount { session: usize, amount: usize },
    Save { customer: usize, source: usize },
    Remove { customer: usize, source: usize },
    Default { customer: usize, source: usize },
    Order { session: usize },
    Read { session: usize, legacy: bool },
    ReadSource(usize),
    ReadCustomer(usize),
    Delete { session: usize },
    Authorize(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0usize..6;
    prop_oneof![
        1 => (any::<bool>(), prop::option::of(n()), prop::option::of(n())).prop_map(|(invoice, source, customer)| Op::Create { invoice, source, customer }),
        3 => n().prop_map(|amount| Op::Credit { amount }),
        1 => n().prop_map(Op::Shapeless),
        2 => (n(), prop_oneof![3 => Just(0usize), 1 => n()]).prop_map(|(kind, fate)| Op::Primary { kind, fate }),
        8 => (n(), n()).prop_map(|(session, source)| Op::Attach { session, source }),
        3 => (n(), n(), any::<bool>()).prop_map(|(session, source, legacy)| Op::AttachInBody { session, source, legacy }),
        3 => (n(), n()).prop_map(|(session, source)| Op::Detach { session, source }),
        1 => (n(), n()).prop_map(|(session, total)| Op::Items { session, total }),
        1 => (n(), prop::option::of(n())).prop_map(|(session, customer)| Op::Customer { session, customer }),
        1 => (n(), any::<bool>()).prop_map(|(session, on)| Op::Billing { session, on }),
        1 => (n(), n()).prop_map(|(session, amount)| Op::CreditAmount { session, amount }),
        2 => (n(), n()).prop_map(|(customer, source)| Op::Save { customer, source }),
        1 => (n(), n()).prop_map(|(customer, source)| Op::Remove { customer, source }),
        1 => (n(), n()).prop_map(|(customer, source)| Op::Default { customer, source }),
        3 => n().prop_map(|session| Op::Order { session }),
        1 => (n(), any::<bool>()).prop_map(|(session, legacy)| Op::Read { session, legacy }),
        1 => n().prop_map(Op::ReadSource),
        1 => n().prop_map(Op::ReadCustomer),
        1 => n().prop_map(|session| Op::Delete { session }),
        1 => n().prop_map(Op::Authorize),
    ]
}

/// What there is to call about; the same on both sides.
#[derive(Default)]
struct Things {
    sessions: Vec<String>,
    sources: Vec<String>,
    customers: Vec<String>,
}

fn pick(of: &[String], n: usize) -> &str {
    &of[n % of.len()]
}

impl Things {
    async fn begin(sides: [&Side; 2]) -> Self {
        let mut things = Self::default();
        for ask in [
            Ask::post("/checkouts", items(30.0)),
            Ask::post("/invoices", items(30.0)),
            Ask::post("/customers", json!({})),
            Ask::post("/customers", json!({})),
            Ask::post("/sources", credit(10.0)),
            Ask::post("/sources", credit(25.0)),
        ] {
            let replies = [sides[0].send(&ask).await, sides[1].send(&ask).await];
            assert_eq!(replies[0].body, replies[1].body);
            things.note(&ask, &replies[0]);
        }
        for kind in ["creditCard", "creditCard", "ideal"] {
            things.primary(sides, &primary(kind)).await;
        }
        things
    }

    async fn primary(&mut self, sides: [&Side; 2], body: &Value) {
        let ids = [sides[0].primary(body).await, sides[1].primary(body).await];
        assert_eq!(ids[0], ids[1], "ids are reproducible");
        self.sources.push(ids[0].clone());
    }

    fn note(&mut self, ask: &Ask, reply: &Reply) {
        if reply.status != 201 {
            return;
        }
        match ask.path.as_str() {
            "/checkouts" | "/invoices" => self.sessions.push(format!("{}/{}", ask.path, reply.id())),
            "/customers" => self.customers.push(reply.id()),
            "/sources" => self.sources.push(reply.id()),
            _ => {}
        }
    }

    /// The call, or `None` for what happens elsewhere than in a call of the merchant's.
    fn ask(&self, op: &Op) -> Option<Ask> {
        let session = |n: &usize| pick(&self.sessions, *n);
        let source = |n: &usize| pick(&self.sources, *n);
        let customer = |n: &usize| pick(&self.customers, *n);
        Some(match op {
            Op::Create { invoice, source: attached, customer: of } => {
                let mut body = items(30.0);
                if let Some(n) = attached {
                    body["sourceId"] = json!(source(n));
                }
                if let Some(n) = of {
                    body["customerId"] = json!(customer(n));
                }
                Ask::post(if *invoice { "/invoices" } else { "/checkouts" }, body)
            }
            Op::Credit { amount } => Ask::post("/sources", credit(AMOUNTS[amount % AMOUNTS.len()])),
            Op::Shapeless(n) => {
                let mut body = credit(5.0);
                if let Some(members) = body.as_object_mut() {
                    members.remove(["type", "amount", "customerCredit"][n % 3]);
                }
                Ask::post("/sources", body)
            }
            Op::Attach { session: s, source: n } => Ask::post(format!("{}/sources/{}", session(s), source(n)), Value::Null),
            Op::AttachInBody { session: s, source: n, legacy } => {
                let ask = Ask::post(session(s), json!({ "sourceId": source(n) }));
                if *legacy { ask.with("digitalriver-version", LEGACY) } else { ask }
            }
            Op::Detach { session: s, source: n } => Ask::delete(format!("{}/sources/{}", session(s), source(n)), Value::Null),
            Op::Items { session: s, total } => Ask::post(session(s), items([30.0, 15.0, 60.0][total % 3])),
            Op::Customer { session: s, customer: of } => {
                Ask::post(session(s), json!({ "customerId": of.as_ref().map(customer) }))
            }
            Op::Billing { session: s, on } => Ask::post(session(s), json!({ "billingOptimization": on })),
            Op::CreditAmount { session: s, amount } => {
                let body = json!({ "creditAmount": AMOUNTS[amount % AMOUNTS.len()] });
                Ask::post(session(s), body).with("digitalriver-version", LEGACY)
            }
            Op::Save { customer: c, source: n } => Ask::post(format!("/customers/{}/sources/{}", customer(c), source(n)), Value::Null),
            Op::Remove { customer: c, source: n } => {
                Ask::delete(format!("/customers/{}/sources/{}", customer(c), source(n)), Value::Null)
            }
            Op::Default { customer: c, source: n } => {
                Ask::post(format!("/customers/{}", customer(c)), json!({ "defaultSourceId": source(n) }))
            }
            Op::Order { session: s } => {
                Ask::post("/orders", json!({ "checkoutId": session(s).rsplit('/').next().unwrap_or_default() }))
            }
            Op::Read { session: s, legacy } => {
                let ask = Ask::get(session(s));
                if *legacy { ask.with("digitalriver-version", LEGACY) } else { ask }
            }
            Op::ReadSource(n) => Ask::get(format!("/sources/{}", source(n))),
            Op::ReadCustomer(n) => Ask::get(format!("/customers/{}", customer(n))),
            Op::Delete { session: s } => Ask::delete(session(s), Value::Null),
            Op::Primary { .. } | Op::Authorize(_) => return None,
        })
    }

    /// What happens in the shopper's browser, or at a bank.
    async fn elsewhere(&mut self, op: &Op, sides: [&Side; 2]) {
        match op {
            Op::Primary { kind, fate } => {
                let kind = PRIMARIES[kind % PRIMARIES.len()];
                let body = json!({ "type": kind, kind: {}, "upstreamId": FATES[fate % FATES.len()] });
                self.primary(sides, &body).await;
            }
            Op::Authorize(n) => {
                let source = pick(&self.sources, *n);
                assert_eq!(sides[0].emulator.authorize(source), sides[1].emulator.authorize(source));
            }
            _ => {}
        }
    }
}

/// The rules whose message is Weir's own.
const OWN_WORDS: [&str; 4] = ["primary-pairing", "default-source-not-saved", "secondary-source-shape", "invoice-billing-optimization"];

/// What a client can match on.
fn seen(reply: &Reply, rule: Option<&str>) -> (u16, Option<String>, Value) {
    let mut body = reply.json();
    if rule.is_some_and(|rule| OWN_WORDS.contains(&rule)) {
        for error in body["errors"].as_array_mut().into_iter().flatten() {
            error["message"] = Value::Null;
        }
    }
    if reply.status == 404 {
        // A look-up's own 404 is the answer of a caller to whom the session is not shown: it names `id`, where an order would name `checkoutId`.
        for error in body["errors"].as_array_mut().into_iter().flatten() {
            error["parameter"] = Value::Null;
        }
    }
    let media = reply.header("content-type").and_then(|value| value.split(';').next()).map(str::to_owned);
    (reply.status.as_u16(), media, body)
}

/// The codes of section 4's answers.
const GOVERNED: [&str; 10] = [
    "session_update_not_allowed",
    "source_status_invalid_for_session",
    "session_source_amount_too_large",
    "source_not_supported",
    "nonreusable_source",
    "source_not_chargeable",
    "source_in_use",
    "order_submit_failed",
    "creditAmount_already_updated",
    "missing_parameter",
];

/// What of upstream's refusals no rule is about: a session that is an order already, a total that the call
/// itself changes, the size of a legacy credit, a charge.
fn is_upstreams_own(op: &Op, ask: &Ask, before: &Value) -> bool {
    let id = |path: &str| path.split('/').nth(2).unwrap_or_default().to_owned();
    let (shelf, id) = match op {
        Op::Create { .. } | Op::Items { .. } | Op::CreditAmount { .. } => return true,
        Op::Order { .. } => ("checkouts", serde_json::from_str::<Value>(&ask.body).unwrap_or_default()["checkoutId"].as_str().unwrap_or_default().to_owned()),
        _ if ask.path.starts_with("/invoices") => ("invoices", id(&ask.path)),
        _ => ("checkouts", id(&ask.path)),
    };
    let session = &before[shelf][&id];
    let funded = session["state"] == "requires_confirmation";
    session["state"] == "complete" || (matches!(op, Op::Order { .. }) && funded)
}

#[derive(Clone, Debug)]
struct Circumstances {
    fresh_for: FreshFor,
    /// Weir is started again before the call of this number, with nothing remembered.
    cold_at: Option<usize>,
    /// Calls of these numbers do not go through Weir.
    behind: Vec<usize>,
}

async fn checkouts(ops: Vec<Op>, circumstances: Circumstances) -> Result<(), TestCaseError> {
    let policy = Policy { fresh_for: circumstances.fresh_for, ..Policy::default() };
    let (plain, mut governed) = (Side::plain(7), Side::governed(7, policy));
    let mut things = Things::begin([&plain, &governed]).await;
    for (n, op) in ops.iter().enumerate() {
        if circumstances.cold_at == Some(n) {
            governed.forget();
        }
        let Some(ask) = things.ask(op) else {
            things.elsewhere(op, [&plain, &governed]).await;
            continue;
        };
        governed.emulator.clear_calls();
        let before = governed.emulator.snapshot();
        let behind = circumstances.behind.contains(&n);
        let expected = plain.send(&ask).await;
        let found = if behind { governed.behind(&ask).await } else { governed.send(&ask).await };
        let rule = found.verdict().1.map(str::to_owned);
        let rule = rule.as_deref();
        let excused = is_upstreams_own(op, &ask, &before);
        // Where a session is an order already, upstream may name that, and Weir the rule that is broken besides.
        let both_refuse = excused && found.status == 409 && expected.status == 409;
        prop_assert!(
            both_refuse || seen(&found, rule) == seen(&expected, rule),
            "call {n}: {op:?} {ask:?} {:?}:\n{:?}\ninstead of\n{:?}", found.verdict(), seen(&found, rule), seen(&expected, rule)
        );
        things.note(&ask, &expected);
        if circumstances.behind.is_empty() {
            let refused = governed.emulator.calls().into_iter().filter(|call| call.mutation).filter_map(|call| call.refused_code);
            let governed_refusals: Vec<String> = refused.filter(|code| GOVERNED.contains(&code.as_str())).collect();
            prop_assert!(excused || governed_refusals.is_empty(), "call {}: {:?}: upstream had to refuse: {:?}", n, op, governed_refusals);
        }
        prop_assert_eq!(plain.emulator.snapshot(), governed.emulator.snapshot(), "call {}: {:?}", n, op);
    }
    let governor = governed.governor();
    prop_assert_eq!((governor.in_flight(), governor.sessions().turns_open(), governor.sessions().look_ups_open()), (0, 0, 0));
    Ok(())
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 1..24)
}

fn any_freshness() -> impl Strategy<Value = FreshFor> {
    prop_oneof![Just(FreshFor::Millis(0)), Just(FreshFor::Millis(2_000)), Just(FreshFor::Forever)]
}

proptest! {
    #![proptest_config(cases(700))]

    #[test]
    fn on_checkouts_callers_see_what_they_would_see_without_weir(ops in ops(), fresh_for in any_freshness()) {
        on_a_runtime(checkouts(ops, Circumstances { fresh_for, cold_at: None, behind: vec![] }))?;
    }

    #[test]
    fn on_checkouts_also_when_weir_is_started_again_with_nothing_remembered(
        ops in ops(), fresh_for in any_freshness(), at in 0usize..24,
    ) {
        on_a_runtime(checkouts(ops, Circumstances { fresh_for, cold_at: Some(at), behind: vec![] }))?;
    }

    /// Refusals rest on a look-up each: only so they stay right when others change things.
    #[test]
    fn on_checkouts_also_when_others_change_things_behind_its_back(
        ops in ops(), behind in prop::collection::vec(0usize..24, 1..10),
    ) {
        on_a_runtime(checkouts(ops, Circumstances { fresh_for: FreshFor::Millis(0), cold_at: None, behind }))?;
    }
}
