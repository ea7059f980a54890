//! Walks of an owner's alone, and again while strangers call: nothing that the owner is answered
//! may differ, nor come later.
//!
//! A stranger is a caller to whom upstream does not show the owner's session. The clock is paused
//! and each call upstream takes the same time, so the two walks can be compared to the millisecond.

use super::{
    Section, Tally,
    circumstances::{Circumstances, circumstances},
    ensure,
    form::{Form, Keys},
    line::Struck,
    next_millisecond, on_this_thread,
    rig::Rig,
    tokens::tokens,
};
use crate::{
    differential::{
        calls::{Op, Things, op},
        cart_calls::{CartOp, cart_op},
    },
    testbed::{Ask, CART, Reply, primary},
};
use http::Method;
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;
use tokio::{task::JoinSet, time::Instant};

/// How many milliseconds a call takes upstream.
const LATENCY: u64 = 10;

#[derive(Clone, Debug)]
pub(crate) enum Call {
    OnCheckouts(Op),
    OnCarts(CartOp),
}

#[derive(Clone, Debug)]
pub(crate) struct Stranger {
    call: Call,
    form: Form,
    /// How many milliseconds after the owner's call it begins.
    after: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    call: Call,
    strangers: Vec<Stranger>,
    /// What befalls all calls of the strangers upstream.
    struck: Option<Struck>,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    circumstances: Circumstances,
    steps: Vec<Step>,
}

fn call() -> impl Strategy<Value = Call> {
    prop_oneof![op().prop_map(Call::OnCheckouts), cart_op().prop_map(Call::OnCarts)]
}

fn stranger() -> impl Strategy<Value = Stranger> {
    let form = prop_oneof![
        4 => Just(Form::Foreign),
        1 => Just(Form::Public),
        1 => Just(Form::Wrong),
        1 => Just(Form::Nothing),
    ];
    (call(), form, 0u64..30).prop_map(|(call, form, after)| Stranger { call, form, after })
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let struck = prop::option::weighted(0.3, 0..Struck::ALL.len());
    let step = (call(), prop::collection::vec(stranger(), 1..4), struck).prop_map(
        |(call, strangers, struck)| Step {
            call,
            strangers,
            struck: struck.map(|kind| Struck::ALL[kind]),
        },
    );
    (circumstances(), prop::collection::vec(step, 1..10))
        .prop_map(|(circumstances, steps)| Case { circumstances, steps })
}

pub(crate) fn run(case: &Case, tally: &mut Tally) -> Result<(), String> {
    let alone = on_this_thread(walk(case, false));
    let among = on_this_thread(walk(case, true));
    for (n, (alone, among)) in alone.iter().zip(&among).enumerate() {
        let step = &case.steps[n];
        // What is in doubt Weir looks up, and may then refuse in its own words.
        let is_alike = match among.in_doubt {
            // A late credit is not there yet, which its answer showed, and a primary that the cart
            // does not name cannot be confirmed.
            true => {
                let of = &case.circumstances;
                of.late_credit || of.nameless_primaries || alone.seen.0 == among.seen.0
            }
            false => alone.seen == among.seen,
        };
        ensure!(
            is_alike,
            "step {n}, {step:?}: alone the owner was answered\n{:?}\n  and among strangers\n{:?}",
            alone.seen,
            among.seen
        );
        if among.in_doubt {
            tally.count(Section::Excused, "a stranger's call may have changed something");
            continue;
        }
        ensure!(
            among.took * 10 <= alone.took * 11,
            "step {n}, {step:?}: alone the owner waited {:?}, and among strangers {:?}",
            alone.took,
            among.took
        );
        tally.count(Section::Held, "answered alike, and as soon, among strangers");
    }
    tally.add(Section::Done, "calls of strangers", among.iter().map(|one| one.strangers).sum());
    tally.add(Section::Done, "calls through Weir", 2 * alone.len() as u64);
    tally.count(Section::Done, "sequences");
    Ok(())
}

/// Status, decision, rule and body.
type Seen = (u16, String, Option<String>, String);

/// What the owner was answered to one call, and after what time.
struct Answered {
    seen: Seen,
    took: Duration,
    strangers: u64,
    /// Whether a stranger's call may have changed something, by all that Weir can know.
    in_doubt: bool,
}

struct Scene {
    rig: Rig,
    things: Things,
    options: Vec<String>,
    merchant: Keys,
    shopper: Keys,
    /// Whether upstream has asked somebody for a pause.
    paused: bool,
}

async fn walk(case: &Case, among_strangers: bool) -> Vec<Answered> {
    let mut scene = Scene::begin(&case.circumstances).await;
    let (mut answered, mut in_doubt) = (Vec::new(), false);
    for step in &case.steps {
        let Some(ask) = scene.ask(&step.call, Form::Bearer) else {
            scene.elsewhere(&step.call).await;
            continue;
        };
        if case.circumstances.nameless_primaries {
            // What a look does not show is older than the look.
            next_millisecond();
        }
        let mut strangers = JoinSet::new();
        if among_strangers {
            let theirs = [scene.merchant.foreign.clone(), scene.shopper.foreign.clone()];
            scene.rig.line.strike_all_of(&theirs, step.struck);
            for stranger in step.strangers.iter().filter(|stranger| stranger.is_harmless()) {
                let Some(ask) = scene.ask(&stranger.call, stranger.form) else { continue };
                let (rig, after) = (scene.rig.clone(), stranger.after);
                strangers.spawn_local(async move {
                    tokio::time::sleep(Duration::from_millis(after)).await;
                    rig.ask(&ask).await
                });
            }
        }
        let count = strangers.len() as u64;
        let begun = Instant::now();
        let reply = scene.rig.ask(&ask).await;
        let took = begun.elapsed();
        // What a stranger leaves in doubt may be looked at from then on.
        in_doubt |= scene.is_in_doubt(case);
        answered.push(Answered { seen: seen_of(&reply), took, strangers: count, in_doubt });
        strangers.join_all().await;
        in_doubt |= scene.is_in_doubt(case);
        scene.things.note(&ask, reply.status.as_u16(), || reply.id());
        if reply.status == 201 && matches!(step.call, Call::OnCarts(_)) {
            scene.options.push(crate::testbed::text_of(&reply.json()["paymentOption"]["id"]));
        }
    }
    answered
}

fn seen_of(reply: &Reply) -> Seen {
    let (decision, rule) = reply.verdict();
    (reply.status.as_u16(), decision.to_owned(), rule.map(str::to_owned), reply.text())
}

impl Stranger {
    /// Whether upstream lets the call change nothing at all, ids that it will mint included.
    fn is_harmless(&self) -> bool {
        match &self.call {
            Call::OnCheckouts(op) => {
                !matches!(op, Op::Create { .. } | Op::Credit { .. } | Op::Shapeless(_))
            }
            Call::OnCarts(op) => !matches!(op, CartOp::Add { .. } | CartOp::Save { .. }),
        }
    }
}

impl Scene {
    /// Whether a call of this step may have changed something, by all that Weir can know: it ended
    /// in no known way, removed what may not have been there, or removed something from an active
    /// cart while upstream asked for a pause, so that nothing told which cart.
    fn is_in_doubt(&mut self, case: &Case) -> bool {
        let lenient = case.circumstances.lenient_removals;
        let log = self.rig.line.log();
        self.paused |= log.iter().any(|one| one.status() == Some(429));
        log.iter().any(|one| {
            let removed = one.method == Method::DELETE && one.is_done();
            let untold = self.paused && one.target.starts_with(CART);
            one.is_change() && (one.is_unknown() || removed && (lenient || untold))
        })
    }

    async fn begin(of: &Circumstances) -> Self {
        let latency = Duration::from_millis(LATENCY);
        let rig = Rig::new(of.policy(), of.quirks(), of.own_key, latency);
        let (merchant, shopper) = (Keys::of_a_merchant(), tokens(&rig).await);
        let mut things = Things::default();
        for ask in Things::first() {
            let reply = rig.ask(&Form::Bearer.of(ask.clone(), &merchant)).await;
            things.note(&ask, reply.status.as_u16(), || reply.id());
        }
        let options = Vec::new();
        let mut scene = Self { rig, things, options, merchant, shopper, paused: false };
        for kind in ["creditCard", "creditCard", "ideal"] {
            scene.create(Form::Public, primary(kind)).await;
        }
        let add = Ask::post(format!("{CART}?productId=p&quantity=1&price=30"), Value::Null);
        let add = Form::Bearer.of(add, &scene.shopper).with("accept", "application/json");
        scene.rig.ask(&add).await;
        // The stranger's own cart is opened in both walks.
        scene.rig.line.past(&Form::Foreign.of(Ask::get(CART), &scene.shopper)).await;
        scene
    }

    async fn create(&mut self, form: Form, body: Value) {
        let ask = form.of(Ask::post("/sources", body), &self.merchant);
        let created = self.rig.line.past(&ask).await;
        self.things.sources.push(super::checkouts::id_of(&created.body));
    }

    fn ask(&self, call: &Call, form: Form) -> Option<Ask> {
        match call {
            Call::OnCheckouts(op) => Some(form.of(self.things.ask(op)?, &self.merchant)),
            Call::OnCarts(op) => {
                let ask = op.ask(&self.things.sources, &self.options)?;
                Some(form.of(ask, &self.shopper).with("accept", "application/json"))
            }
        }
    }

    /// What happens in the shopper's browser, or at a bank.
    async fn elsewhere(&mut self, call: &Call) {
        use crate::differential::calls::{credit_of, pick, primary_of};
        match call {
            Call::OnCheckouts(Op::Primary { kind, fate })
            | Call::OnCarts(CartOp::Primary { kind, fate }) => {
                self.create(Form::Public, primary_of(*kind, *fate)).await;
            }
            Call::OnCarts(CartOp::Credit { amount, owner }) => {
                self.create(Form::Bearer, credit_of(*amount, *owner)).await;
            }
            Call::OnCheckouts(Op::Authorize(n)) | Call::OnCarts(CartOp::Authorize(n)) => {
                self.rig.emulator.authorize(pick(&self.things.sources, *n));
            }
            _ => {}
        }
    }
}
