//! The remedies, with something going wrong at every step: what the caller is told, what is attached afterwards, and what Weir remembers.

use crate::house::{CART, Caller, House, Reply, method};

use weir::{
    emulator::{Fault, FaultKind, Kind},
    rules::{Pending, Policy, RuleId, SessionKey, SessionKind, SessionRecord, Toggle},
};

const APPLY: &str = "/v1/shoppers/me/carts/active/apply-payment-method";

fn reorder() -> Policy {
    let mut policy = Policy::default();
    policy.set(RuleId::PrimaryBeforeSecondary, Toggle::Reorder);
    policy.set(RuleId::SecondPrimary, Toggle::Reorder);
    policy
}

/// Everything that can go wrong with one call.
fn every_fault() -> Vec<(&'static str, FaultKind)> {
    vec![
        ("fails before", FaultKind::FailBefore(500)),
        ("fails after", FaultKind::FailAfter(500)),
        ("reset before", FaultKind::ResetBefore),
        ("reset after", FaultKind::ResetAfter),
        ("slow down", FaultKind::TooManyRequests(1)),
        ("cut", FaultKind::CutBody),
        ("garbage", FaultKind::Garbage),
        ("too short", FaultKind::WrongLength(10)),
        ("redirect", FaultKind::Redirect("/elsewhere".to_owned())),
        ("refused", FaultKind::FailBefore(409)),
    ]
}

/// A cart that holds a card, and a house around it.
struct Scene {
    house: House,
    shopper: Caller,
    cart: String,
    /// Names for ids.
    named: Vec<(String, &'static str)>,
}

impl Scene {
    async fn with_a_card() -> Self {
        let house = House::new(reorder()).await;
        let shopper = house.shopper(100.0).await;
        let named = vec![(house.card().await, "card"), (house.card().await, "other"), (house.credit(40.0).await, "credit")];
        let cart = shopper.get(CART).await.json()["cart"]["id"].to_string();
        let scene = Self { house, shopper, cart, named };
        assert_eq!(scene.apply("card").await.status, 200);
        scene
    }

    fn id(&self, name: &str) -> &str {
        self.named.iter().find(|(_, known)| *known == name).map(|(id, _)| id.as_str()).expect("a source of that name")
    }

    async fn apply(&self, name: &str) -> Reply {
        self.shopper.post(APPLY, method(self.id(name))).await
    }

    fn strike(&self, step: Step, kind: FaultKind) {
        self.house.emulator.faults().add(Fault::once(step.0, APPLY, kind).from_nth(step.1));
    }

    fn key(&self) -> SessionKey {
        SessionKey::new(SessionKind::Cart, self.cart.as_str())
    }

    async fn record(&self) -> SessionRecord {
        self.house.governor.sessions().session(&self.key()).await.expect("a store").unwrap_or_default()
    }

    /// What upstream has attached, in order.
    fn attached(&self) -> String {
        let ids = self.house.attached(Kind::Cart, &self.cart);
        let names = ids.iter().map(|id| self.named.iter().find(|(known, _)| known == id).map_or("?", |(_, name)| name));
        names.collect::<Vec<_>>().join("+")
    }

    /// One line of a table: status, attached, and what Weir remembers of the session.
    async fn line(&self, reply: &Reply) -> String {
        let record = self.record().await;
        let unsure = if record.unsure || record.in_flight { "unsure" } else { "sure" };
        let note = match record.pending.as_deref() {
            None => "",
            Some(Pending::Repair { .. }) => ", note",
            Some(Pending::Deferred { sending: false, .. }) => ", deferred",
            Some(Pending::Deferred { sending: true, .. }) => ", sending",
        };
        let attached = self.attached();
        let attached = if attached.is_empty() { "nothing" } else { &attached };
        format!("{} {attached}, {unsure}{note}", reply.status.as_u16())
    }
}

/// The method and number of a call to `apply-payment-method`.
#[derive(Clone, Copy)]
struct Step(&'static str, u64);

#[tokio::test]
async fn print_repair() {
    for (step, at) in [("detach", Step("DELETE", 1)), ("attach credit", Step("POST", 1)), ("attach again", Step("POST", 2))] {
        for (name, kind) in every_fault() {
            let scene = Scene::with_a_card().await;
            scene.strike(at, kind);
            let reply = scene.apply("credit").await;
            let line = scene.line(&reply).await;
            scene.house.emulator.faults().clear();
            let again = scene.shopper.get(CART).await;
            let next = scene.apply("credit").await;
            println!("{step:14} {name:12} => {line:36} stranded {} {:?}; read {} then {}", scene.house.governor.stranded(), reply.verdict(), again.status, scene.line(&next).await);
        }
    }
}

#[tokio::test]
async fn print_replace() {
    for (step, at) in [("detach", Step("DELETE", 1)), ("attach other", Step("POST", 1))] {
        for (name, kind) in every_fault() {
            let scene = Scene::with_a_card().await;
            scene.strike(at, kind);
            let reply = scene.apply("other").await;
            let line = scene.line(&reply).await;
            scene.house.emulator.faults().clear();
            let next = scene.apply("other").await;
            println!("{step:14} {name:12} => {line:36} stranded {} {:?}; then {}", scene.house.governor.stranded(), reply.verdict(), scene.line(&next).await);
        }
    }
}

#[tokio::test]
async fn print_double() {
    for (step, at, calls) in [
        ("credit refused, put back fails once", Step("POST", 2), 1u64),
        ("credit refused, put back fails twice", Step("POST", 2), 2),
    ] {
        for (name, kind) in every_fault() {
            let scene = Scene::with_a_card().await;
            scene.strike(Step("POST", 1), FaultKind::FailBefore(409));
            scene.house.emulator.faults().add(Fault::once(at.0, APPLY, kind).from_nth(at.1).times(calls));
            let reply = scene.apply("credit").await;
            let line = scene.line(&reply).await;
            scene.house.emulator.faults().clear();
            let next = scene.apply("credit").await;
            println!("{step:14} {name:12} => {line:36} stranded {} {:?}; then {} {}", scene.house.governor.stranded(), reply.verdict(), scene.line(&next).await, if reply.status == 502 { reply.text() } else { String::new() });
        }
    }
    for (step, calls, off) in [
        ("attach again fails twice", 2u64, None),
        ("attach again fails 3 times", 3, None),
        ("attach again fails 4 times", 4, None),
        ("attach again fails twice, credit stays", 2, Some(FaultKind::FailBefore(500))),
        ("attach again fails twice, credit gone unknown", 2, Some(FaultKind::FailAfter(500))),
        ("attach again fails 4, credit stays", 4, Some(FaultKind::FailBefore(409))),
    ] {
        for (name, kind) in every_fault() {
            let scene = Scene::with_a_card().await;
            scene.house.emulator.faults().add(Fault::once("POST", APPLY, kind).from_nth(2).times(calls));
            if let Some(off) = &off {
                scene.strike(Step("DELETE", 2), off.clone());
            }
            let reply = scene.apply("credit").await;
            let line = scene.line(&reply).await;
            scene.house.emulator.faults().clear();
            let next = scene.apply("credit").await;
            println!("{step:14} {name:12} => {line:36} stranded {} {:?}; then {} {}", scene.house.governor.stranded(), reply.verdict(), scene.line(&next).await, if reply.status == 502 { reply.text() } else { String::new() });
        }
    }
}
