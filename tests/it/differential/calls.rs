//! The calls of a merchant's code on checkouts, invoices and customers.

use crate::testbed::{Ask, Testbed, credit, items, primary};
use proptest::prelude::*;
use serde_json::{Value, json};

pub(crate) const PRIMARIES: [&str; 6] =
    ["creditCard", "payPal", "ideal", "wireTransfer", "amazonPay", "alipay"];
pub(crate) const FATES: [&str; 5] = ["", "redirect", "failed", "declined", "action"];
pub(crate) const AMOUNTS: [f64; 5] = [5.0, 10.0, 20.0, 30.0, 45.5];
pub(crate) const LEGACY: &str = "2020-12-17";

/// One call. Numbers pick among the things that there are, wrapping round.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create { invoice: bool, source: Option<usize>, customer: Option<usize> },
    Credit { amount: usize, owner: bool },
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

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let n = || 0usize..6;
    prop_oneof![
        1 => (any::<bool>(), prop::option::of(n()), prop::option::of(n()))
            .prop_map(|(invoice, source, customer)| Op::Create { invoice, source, customer }),
        3 => (n(), prop::bool::weighted(0.15))
            .prop_map(|(amount, owner)| Op::Credit { amount, owner }),
        1 => n().prop_map(Op::Shapeless),
        2 => (n(), prop_oneof![3 => Just(0usize), 1 => n()])
            .prop_map(|(kind, fate)| Op::Primary { kind, fate }),
        8 => (n(), n()).prop_map(|(session, source)| Op::Attach { session, source }),
        3 => (n(), n(), any::<bool>())
            .prop_map(|(session, source, legacy)| Op::AttachInBody { session, source, legacy }),
        3 => (n(), n()).prop_map(|(session, source)| Op::Detach { session, source }),
        1 => (n(), n()).prop_map(|(session, total)| Op::Items { session, total }),
        1 => (n(), prop::option::of(n()))
            .prop_map(|(session, customer)| Op::Customer { session, customer }),
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
pub(crate) struct Things {
    pub(crate) sessions: Vec<String>,
    pub(crate) sources: Vec<String>,
    pub(crate) customers: Vec<String>,
}

/// The body with which the shopper's browser creates a primary of this type and fate.
pub(crate) fn primary_of(kind: usize, fate: usize) -> Value {
    let kind = PRIMARIES[kind % PRIMARIES.len()];
    json!({ "type": kind, kind: {}, "upstreamId": FATES[fate % FATES.len()] })
}

/// The body with which the merchant creates a credit of this amount, with an owner or without.
pub(crate) fn credit_of(amount: usize, owner: bool) -> Value {
    let mut body = credit(AMOUNTS[amount % AMOUNTS.len()]);
    if owner {
        body["owner"] = json!({ "firstName": "A", "email": "a@example.com" });
    }
    body
}

pub(crate) fn pick(of: &[String], n: usize) -> &str {
    &of[n % of.len()]
}

impl Things {
    /// What creates the first things.
    pub(crate) fn first() -> [Ask; 6] {
        [
            Ask::post("/checkouts", items(30.0)),
            Ask::post("/invoices", items(30.0)),
            Ask::post("/customers", json!({})),
            Ask::post("/customers", json!({})),
            Ask::post("/sources", credit(10.0)),
            Ask::post("/sources", credit(25.0)),
        ]
    }

    pub(crate) async fn begin(sides: [&Testbed; 2]) -> Self {
        let mut things = Self::default();
        for ask in Self::first() {
            let replies = [sides[0].weir.ask(&ask).await, sides[1].weir.ask(&ask).await];
            assert_eq!(replies[0].body, replies[1].body);
            things.note(&ask, replies[0].status.as_u16(), || replies[0].id());
        }
        for kind in ["creditCard", "creditCard", "ideal"] {
            things.primary(sides, &primary(kind)).await;
        }
        things
    }

    async fn primary(&mut self, sides: [&Testbed; 2], body: &Value) {
        let ids = [sides[0].upstream.source(body).await, sides[1].upstream.source(body).await];
        assert_eq!(ids[0], ids[1], "ids are reproducible");
        self.sources.push(ids[0].clone());
    }

    pub(crate) fn note(&mut self, ask: &Ask, status: u16, id: impl Fn() -> String) {
        if status != 201 {
            return;
        }
        match ask.path.split('?').next().unwrap_or_default() {
            path @ ("/checkouts" | "/invoices") => self.sessions.push(format!("{path}/{}", id())),
            "/customers" => self.customers.push(id()),
            "/sources" => self.sources.push(id()),
            _ => {}
        }
    }

    /// The call, or `None` for what happens elsewhere than in a call of the merchant's.
    pub(crate) fn ask(&self, op: &Op) -> Option<Ask> {
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
            Op::Credit { amount, owner } => Ask::post("/sources", credit_of(*amount, *owner)),
            Op::Shapeless(n) => {
                let mut body = credit(5.0);
                if let Some(members) = body.as_object_mut() {
                    members.remove(["type", "amount", "customerCredit"][n % 3]);
                }
                Ask::post("/sources", body)
            }
            Op::Attach { session: s, source: n } => {
                Ask::post(format!("{}/sources/{}", session(s), source(n)), Value::Null)
            }
            Op::AttachInBody { session: s, source: n, legacy } => {
                let ask = Ask::post(session(s), json!({ "sourceId": source(n) }));
                if *legacy { ask.with("digitalriver-version", LEGACY) } else { ask }
            }
            Op::Detach { session: s, source: n } => {
                Ask::delete(format!("{}/sources/{}", session(s), source(n)), Value::Null)
            }
            Op::Items { session: s, total } => {
                Ask::post(session(s), items([30.0, 15.0, 60.0][total % 3]))
            }
            Op::Customer { session: s, customer: of } => {
                Ask::post(session(s), json!({ "customerId": of.as_ref().map(customer) }))
            }
            Op::Billing { session: s, on } => {
                Ask::post(session(s), json!({ "billingOptimization": on }))
            }
            Op::CreditAmount { session: s, amount } => {
                let body = json!({ "creditAmount": AMOUNTS[amount % AMOUNTS.len()] });
                Ask::post(session(s), body).with("digitalriver-version", LEGACY)
            }
            Op::Save { customer: c, source: n } => {
                Ask::post(format!("/customers/{}/sources/{}", customer(c), source(n)), Value::Null)
            }
            Op::Remove { customer: c, source: n } => Ask::delete(
                format!("/customers/{}/sources/{}", customer(c), source(n)),
                Value::Null,
            ),
            Op::Default { customer: c, source: n } => Ask::post(
                format!("/customers/{}", customer(c)),
                json!({ "defaultSourceId": source(n) }),
            ),
            Op::Order { session: s } => Ask::post(
                "/orders",
                json!({ "checkoutId": session(s).rsplit('/').next().unwrap_or_default() }),
            ),
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
    pub(crate) async fn elsewhere(&mut self, op: &Op, sides: [&Testbed; 2]) {
        match op {
            Op::Primary { kind, fate } => {
                self.primary(sides, &primary_of(*kind, *fate)).await;
            }
            Op::Authorize(n) => {
                let source = pick(&self.sources, *n);
                assert_eq!(
                    sides[0].emulator.authorize(source),
                    sides[1].emulator.authorize(source)
                );
            }
            _ => {}
        }
    }
}
