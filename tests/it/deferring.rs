//! A deferred attach under random calls, faults and restarts: it is never lost and never sent
//! twice.

use crate::{
    house::items,
    indoors::{Ask, Side, cases, credit, on_a_runtime, primary},
};
use proptest::prelude::*;
use serde_json::{Value, json};
use weir::dialects::checkouts;
use weir::{
    emulator::{Fault, FaultKind},
    rules::{Pending, RuleId, SessionKey, SourceId, Toggle},
};

#[derive(Clone, Debug)]
enum Op {
    Attach(usize),
    AttachInBody(usize),
    Detach(usize),
    Update,
    Order,
    Read,
    Delete,
    /// Weir is started again with the same store.
    Restart,
    /// The next call of upstream's goes wrong.
    Fault(FaultKind),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0usize..4;
    let fault = prop_oneof![
        Just(FaultKind::FailBefore(500)),
        Just(FaultKind::FailAfter(500)),
        Just(FaultKind::ResetBefore),
        Just(FaultKind::ResetAfter),
        Just(FaultKind::TooManyRequests(0)),
        Just(FaultKind::Garbage),
        Just(FaultKind::Redirect("/elsewhere".to_owned())),
        Just(FaultKind::FailBefore(409)),
        Just(FaultKind::FailBefore(403)),
    ];
    prop_oneof![
        6 => n().prop_map(Op::Attach),
        1 => n().prop_map(Op::AttachInBody),
        1 => n().prop_map(Op::Detach),
        1 => Just(Op::Update),
        2 => Just(Op::Order),
        2 => Just(Op::Read),
        1 => Just(Op::Delete),
        1 => Just(Op::Restart),
        4 => fault.prop_map(Op::Fault),
    ]
}

struct Scene {
    side: Side,
    key: SessionKey,
    sources: Vec<String>,
}

impl Scene {
    async fn new() -> Self {
        let mut policy = weir::dialects::policy();
        policy.set(RuleId::SecondaryAfterSingleUsePrimary, Toggle::Reorder);
        policy.sequencing.defer = true;
        let side = Side::governed(1, policy);
        let checkout = side.send(&Ask::post("/checkouts", items(100.0))).await.id();
        let mut sources = vec![
            side.primary(&primary("creditCard")).await,
            side.primary(&primary("payPal")).await,
        ];
        for amount in [40.0, 10.0] {
            sources.push(side.send(&Ask::post("/sources", credit(amount))).await.id());
        }
        side.emulator.clear_calls();
        Self { side, key: SessionKey::new(checkouts::CHECKOUT, checkout.as_str()), sources }
    }

    fn ask(&self, op: &Op) -> Option<Ask> {
        let (path, source) = (format!("/checkouts/{}", self.key.id), |n: &usize| {
            &self.sources[n % self.sources.len()]
        });
        Some(match op {
            Op::Attach(n) => Ask::post(format!("{path}/sources/{}", source(n)), Value::Null),
            Op::AttachInBody(n) => Ask::post(path, json!({ "sourceId": source(n) })),
            Op::Detach(n) => Ask::delete(format!("{path}/sources/{}", source(n)), Value::Null),
            Op::Update => Ask::post(path, json!({ "email": "a@example.com" })),
            Op::Order => Ask::post("/orders", json!({ "checkoutId": self.key.id.as_str() })),
            Op::Read => Ask::get(path),
            Op::Delete => Ask::delete(path, Value::Null),
            Op::Restart | Op::Fault(_) => return None,
        })
    }

    async fn deferred(&self) -> Option<SourceId> {
        let record = self.side.governor().sessions().session(&self.key).await.ok().flatten()?;
        match record.pending.as_deref() {
            Some(Pending::Deferred { primary, .. }) => Some(primary.clone()),
            _ => None,
        }
    }

    /// How often upstream attached this because it was told to by path.
    fn attached(&self, source: &str) -> usize {
        let target = format!("/checkouts/{}/sources/{source}", self.key.id);
        let calls = self
            .side
            .emulator
            .calls()
            .into_iter()
            .filter(|call| call.method == "POST" && call.target == target);
        calls.filter(|call| call.applied && call.refused_code.is_none()).count()
    }
}

async fn run(ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut scene = Scene::new().await;
    let mut asked = vec![0usize; scene.sources.len()];
    for (n, op) in ops.iter().enumerate() {
        match op {
            Op::Restart => scene.side.restart(),
            Op::Fault(kind) => {
                let at = if matches!(kind, FaultKind::FailBefore(_)) { "POST" } else { "*" };
                scene.side.emulator.faults().add(Fault::once(at, "*", kind.clone()));
            }
            _ => {}
        }
        let Some(ask) = scene.ask(op) else { continue };
        let before = scene.deferred().await;
        let times = before.as_ref().map_or(0, |id| scene.attached(id.as_str()));
        let reply = scene.side.send(&ask).await;
        if let Op::Attach(n) = op {
            asked[n % scene.sources.len()] += 1;
        }
        let after = scene.deferred().await;
        if let Some(id) = &before
            && after.as_ref() != Some(id)
        {
            // A call that saw it attached already ends the deferral too: then it was sent by the
            // one before, whose caller was told that it failed.
            let sent = scene.attached(id.as_str()) > 0 && scene.attached(id.as_str()) >= times;
            let ended = match op {
                // Gone already, or gone now.
                Op::Delete => reply.status.is_success() || reply.status == 404,
                _ => reply.status.as_u16() >= 400,
            };
            prop_assert!(sent || ended, "call {n}: {op:?} lost {id}: {}", reply.status);
        }
        for (n, source) in scene.sources.iter().enumerate() {
            prop_assert!(
                scene.attached(source) <= asked[n],
                "call {}: {:?}: source {} was attached too often",
                n,
                op,
                source
            );
        }
    }
    scene.side.emulator.faults().clear();
    // Whatever still waits goes up when it is needed.
    for _ in 0..2 {
        scene.side.send(&scene.ask(&Op::Read).expect("a call")).await;
    }
    prop_assert_eq!(scene.deferred().await, None);
    prop_assert_eq!(scene.side.emulator.overlaps(), 0);
    Ok(())
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn a_deferred_attach_is_never_lost_and_never_sent_twice(ops in prop::collection::vec(op(), 1..20)) {
        on_a_runtime(run(ops))?;
    }
}
