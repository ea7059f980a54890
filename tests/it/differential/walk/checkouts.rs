//! Walks over checkouts, invoices, customers and orders.

use super::{
    Section, Tally,
    circumstances::{Circumstances, circumstances, faults},
    ensure,
    form::{Form, Keys, form},
    judge::Called,
    line::Struck,
    next_millisecond, on_this_thread,
    rig::Rig,
};
use crate::{
    differential::calls::{Op, Things, op, pick, primary_of},
    testbed::{Ask, RuleId, Toggle, primary},
};
use proptest::prelude::*;
use serde_json::Value;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Call {
        op: Op,
        form: Form,
        faults: Vec<(usize, Struck)>,
        /// Whether it does not go through Weir.
        behind: bool,
        /// After how many milliseconds the caller is gone.
        patience: Option<u64>,
    },
    /// Time passes: pauses end, and what was late is done.
    Wait,
    /// Late credits take effect.
    Land,
}

#[derive(Clone, Debug)]
pub(crate) struct Case {
    circumstances: Circumstances,
    steps: Vec<Step>,
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let call = (op(), form(), faults(), prop::bool::weighted(0.06), patience());
    let call = call.prop_map(|(op, form, faults, behind, patience)| Step::Call {
        op,
        form,
        faults,
        behind,
        patience,
    });
    let step = prop_oneof![20 => call, 1 => Just(Step::Wait), 1 => Just(Step::Land)];
    (circumstances(), prop::collection::vec(step, 1..14))
        .prop_map(|(circumstances, steps)| Case { circumstances, steps })
}

pub(crate) fn patience() -> impl Strategy<Value = Option<u64>> {
    prop::option::weighted(0.05, prop_oneof![Just(5u64), Just(15), Just(25)])
}

pub(crate) fn run(case: &Case, tally: &mut Tally) -> Result<(), String> {
    on_this_thread(async {
        let mut walk = Walk::begin(case).await;
        for (n, step) in case.steps.iter().enumerate() {
            if case.circumstances.cold_at == Some(n) {
                walk.rig.forget();
            }
            walk.step(step, tally).await.map_err(|e| format!("step {n}, {step:?}: {e}"))?;
        }
        ensure!(walk.rig.left_open() == (0, 0, 0), "left open: {:?}", walk.rig.left_open());
        tally.count(Section::Done, "sequences");
        Ok(())
    })
}

struct Walk<'a> {
    rig: Rig,
    things: Things,
    keys: Keys,
    circumstances: &'a Circumstances,
    /// Whether something changed behind Weir's back.
    behind: bool,
    /// Whether upstream may still ask for a pause.
    backing_off: bool,
}

impl<'a> Walk<'a> {
    async fn begin(case: &'a Case) -> Self {
        let of = &case.circumstances;
        let latency = Duration::from_millis(of.latency);
        let rig = Rig::new(of.policy(), of.quirks(), of.own_key, latency);
        let keys = Keys::of_a_merchant();
        let mut things = Things::default();
        for (n, ask) in Things::first().into_iter().enumerate() {
            let ask = Form::Bearer.of(ask, &keys);
            let created = if n % 2 == 0 {
                let reply = rig.ask(&ask).await;
                (reply.status.as_u16(), reply.body)
            } else {
                let answer = rig.line.past(&ask).await;
                (answer.status, answer.body)
            };
            assert_eq!(created.0, 201, "{created:?}");
            things.note(&ask, created.0, || id_of(&created.1));
        }
        let mut walk = Self {
            rig,
            things,
            keys,
            circumstances: of, // A credit that was answered may not be there yet.
            behind: of.late_credit,
            backing_off: false,
        };
        for kind in ["creditCard", "creditCard", "ideal"] {
            walk.primary(primary(kind)).await;
        }
        walk
    }

    /// Creates a primary as the shopper's browser does.
    async fn primary(&mut self, body: Value) {
        let ask = Form::Public.of(Ask::post("/sources", body), &self.keys);
        let created = self.rig.line.past(&ask).await;
        self.things.sources.push(id_of(&created.body));
    }

    async fn step(&mut self, step: &Step, tally: &mut Tally) -> Result<(), String> {
        match step {
            Step::Wait => {
                tokio::time::sleep(Duration::from_millis(1_500)).await;
                self.backing_off = false;
                Ok(())
            }
            Step::Land => {
                for source in &self.things.sources {
                    self.behind |= self.rig.emulator.land(source);
                }
                next_millisecond();
                Ok(())
            }
            Step::Call { op: Op::Primary { kind, fate }, .. } => {
                self.primary(primary_of(*kind, *fate)).await;
                Ok(())
            }
            Step::Call { op: Op::Authorize(n), .. } => {
                self.rig.emulator.authorize(pick(&self.things.sources, *n));
                Ok(())
            }
            Step::Call { op, form, faults, behind, patience } => {
                let ask = form.of(self.things.ask(op).expect("a call"), &self.keys);
                if *behind {
                    self.behind = true;
                    let answer = self.rig.line.past(&ask).await;
                    self.things.note(&ask, answer.status, || id_of(&answer.body));
                    next_millisecond();
                    return Ok(());
                }
                if !form.is_recognised() {
                    // Facts are dated in milliseconds, and what a look does not tell must be older.
                    next_millisecond();
                }
                self.rig.arm(faults);
                let reply = self.rig.ask_for(&ask, *patience).await;
                let log = self.rig.line.log();
                let late = |struck| matches!(struck, Some(Struck::Late(_)));
                self.behind |= log.iter().any(|one| late(one.struck));
                let backing_off = self.backing_off;
                self.backing_off |= log.iter().any(|one| one.status() == Some(429));
                let Some(reply) = reply else {
                    tally.count(Section::Struck, "the caller was gone");
                    return Ok(());
                };
                self.things.note(&ask, reply.status.as_u16(), || reply.id());
                let called = Called {
                    ask: &ask,
                    reply: &reply,
                    log: &log,
                    circumstances: self.circumstances,
                    backing_off,
                    behind: self.behind,
                    unfinished: false,
                };
                called.tally(tally);
                let judged = self.judge(&called, tally).await;
                judged.map_err(|e| {
                    format!(
                        "{e}\n  {ask:?}\n  was answered {:?} {:?} {}\n  {log:#?}",
                        reply.verdict(),
                        reply.header("weir-reason"),
                        reply.text()
                    )
                })
            }
        }
    }

    async fn judge(&self, called: &Called<'_>, tally: &mut Tally) -> Result<(), String> {
        if self.is_promised() {
            // What upstream would say before it has a deferred attach says nothing.
            tally.count(Section::Held, "not judged: an attach may be deferred");
            return Ok(());
        }
        match called.reply.verdict() {
            ("rejected", Some(rule)) => {
                called.is_upstreams_refusal(&self.rig.line, rule, tally).await
            }
            ("rejected", None) => {
                tally.count(Section::Held, "refused for want of a fact alone");
                called.is_owed_to_a_fault(false)
            }
            ("reordered" | "deferred", _) if self.waits() => Ok(()),
            ("forwarded" | "monitored" | "failed" | "none", _) => {
                tally.count(Section::Held, "answered as upstream answers");
                called.is_upstreams_answer(&self.rig.line, tally).await
            }
            other => Err(format!("decided {other:?}")),
        }
    }

    fn waits(&self) -> bool {
        let of = self.circumstances;
        let toggle = of.toggle(RuleId::SecondaryAfterSingleUsePrimary);
        toggle == Toggle::Reorder && (of.window > 0 || of.defer)
    }

    fn is_promised(&self) -> bool {
        self.waits() && self.circumstances.defer
    }
}

pub(crate) fn id_of(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    crate::testbed::text_of(&body["id"])
}
